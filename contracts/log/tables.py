"""Rows of the log: its size, its leaves, its complete subtrees and its checkpoints."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
)
from sqlmodel import Field, SQLModel

from contracts import column

THE_LOG = 1  # `log_state` has this one row


class LogState(SQLModel, table=True):
    """How many leaves there are. Its lock makes sealers take turns; it only grows."""

    __tablename__ = "log_state"
    __table_args__ = (
        CheckConstraint("id = 1", name="log_state_is_one_row"),
        CheckConstraint("size >= 0", name="log_state_size_not_negative"),
    )

    id: int = Field(default=THE_LOG, primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int = Field(sa_column=Column(BigInteger, nullable=False))


class LogEntry(SQLModel, table=True):
    """A leaf at its place; `seq` starts at 0 and has no gaps."""

    __tablename__ = "log_entry"
    __table_args__ = (
        CheckConstraint("seq >= 0", name="log_entry_seq_not_negative"),
        CheckConstraint("octet_length(leaf_hash) = 32", name="log_entry_hash_is_32_bytes"),
        Index("ix_log_entry_subject_seq", "subject", "seq"),
    )

    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    fact_id: UUID = Field(foreign_key="fact.id", unique=True)
    subject: UUID
    leaf: bytes = Field(sa_column=column.octets())
    leaf_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))


class LogNode(SQLModel, table=True):
    """The hash of a complete subtree (`contracts.log.merkle.Node`)."""

    __tablename__ = "log_node"
    __table_args__ = (
        CheckConstraint("level BETWEEN 0 AND 62", name="log_node_level_in_range"),
        CheckConstraint("index >= 0", name="log_node_index_not_negative"),
        CheckConstraint("octet_length(hash) = 32", name="log_node_hash_is_32_bytes"),
    )

    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    index: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hash: bytes = Field(sa_column=column.octets())


class LogCheckpoint(SQLModel, table=True):
    """A root that the log has signed; every one is kept."""

    __tablename__ = "log_checkpoint"
    __table_args__ = (
        CheckConstraint("size > 0", name="log_checkpoint_size_positive"),
        CheckConstraint("octet_length(root) = 32", name="log_checkpoint_root_is_32_bytes"),
    )

    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    root: bytes = Field(sa_column=column.octets())
    note: str
    signed_at: datetime = Field(sa_column=column.instant())


class LogPolicy(SQLModel, table=True):
    """A policy on witnesses (C2SP tlog-policy) that came into force; the newest one counts.

    Attributes:
        number: 1, 2, 3 …
        text: the policy, byte for byte as the operator wrote it.
        sha256: of the text, hex.
        demands: whether its quorum asks for any cosignature at all.
        size: the leaves there were when it came into force.
        adopted_at: when.
    """

    __tablename__ = "log_policy"
    __table_args__ = (
        CheckConstraint("number > 0", name="log_policy_number_positive"),
        CheckConstraint("size >= 0", name="log_policy_size_not_negative"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="log_policy_sha256_is_hex"),
    )

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    text: str
    sha256: str
    demands: bool
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    adopted_at: datetime = Field(sa_column=column.instant())


class LogCosignature(SQLModel, table=True):
    """A witness's line under a checkpoint, checked before it was kept; one for each."""

    __tablename__ = "log_cosignature"
    __table_args__ = (Index("ix_log_cosignature_vkey_size", "vkey", "size"),)

    size: int = Field(
        sa_column=Column(
            BigInteger, ForeignKey("log_checkpoint.size"), primary_key=True, autoincrement=False
        )
    )
    vkey: str = Field(primary_key=True)
    line: str
    cosigned_at: datetime = Field(sa_column=column.instant())
    kept_at: datetime = Field(sa_column=column.instant())


class LogQuorum(SQLModel, table=True):
    """The policy in force was met by the cosignatures of this checkpoint."""

    __tablename__ = "log_quorum"

    size: int = Field(
        sa_column=Column(
            BigInteger, ForeignKey("log_checkpoint.size"), primary_key=True, autoincrement=False
        )
    )
    policy: int = Field(
        primary_key=True,
        foreign_key="log_policy.number",
        sa_column_kwargs={"autoincrement": False},
    )
    met_at: datetime = Field(sa_column=column.instant())
