"""Rows of the index: what was added in which order, and its codes minute by minute."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from listings.masters.fingerprint import VERSION


class IndexHead(SQLModel, table=True):
    """How many entries there are: one row, whose lock puts additions in a gapless order.

    Whoever reads it sees every entry up to its count: they were committed with it.
    """

    __tablename__ = "index_head"
    __table_args__ = (
        CheckConstraint("id = 1", name="index_head_is_one_row"),
        CheckConstraint("entries >= 0", name="index_head_counts"),
        CheckConstraint("octet_length(chain) = 32", name="index_head_chain_is_a_hash"),
    )

    id: int = Field(primary_key=True)
    entries: int = Field(sa_column=Column(BigInteger, nullable=False))
    chain: bytes = Field(sa_column=column.octets())


class IndexEntry(SQLModel, table=True):
    """A master in the index. Entries are numbered from 1 without gaps and never change.

    `chain` is the SHA-256 of the chain before, the number, the master and its codes: a scan file
    that ends with the same chain holds the same codes in the same order.
    """

    __tablename__ = "index_entry"
    __table_args__ = (
        CheckConstraint("entry > 0", name="index_entry_counts_from_one"),
        CheckConstraint("codes >= 0", name="index_entry_counts_its_codes"),
        CheckConstraint("octet_length(chain) = 32", name="index_entry_chain_is_a_hash"),
        Index(
            "index_entry_once",
            "master_id",
            unique=True,
            postgresql_where=text("dropped_at IS NULL"),
        ),
    )

    entry: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    master_id: UUID = Field(foreign_key="master.id")
    version: str = VERSION
    codes: int
    chain: bytes = Field(sa_column=column.octets())
    added_at: datetime = Field(sa_column=column.instant())
    dropped_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class IndexSegment(SQLModel, table=True):
    """The codes of one minute: 32 bytes for each second whose bit is set in `kept`."""

    __tablename__ = "index_segment"
    __table_args__ = (
        CheckConstraint("seg >= 0", name="index_segment_counts_from_zero"),
        CheckConstraint("kept > 0 AND kept < 1::bigint << 60", name="index_segment_is_a_minute"),
        CheckConstraint(
            "octet_length(codes) = 32 * bit_count(kept::bit(64))",
            name="index_segment_has_what_it_keeps",
        ),
    )

    entry: int = Field(
        sa_column=Column(
            BigInteger, ForeignKey("index_entry.entry", ondelete="CASCADE"), primary_key=True
        )
    )
    seg: int = Field(primary_key=True)
    kept: int = Field(sa_column=Column(BigInteger, nullable=False))
    codes: bytes = Field(sa_column=column.octets())
