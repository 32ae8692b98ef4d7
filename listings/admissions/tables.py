"""Rows of admissions: applications, paddles, credit lines, exposure, blocks and relations.

Migration 0026 adds triggers: a paddle stays, a relation or block only ever ends, once.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column
from listings.admissions.kinship import Relation


class Paddle(SQLModel, table=True):
    """The number (号牌) under which the public sees a bidder in one auction."""

    __tablename__ = "paddle"
    __table_args__ = (
        UniqueConstraint("auction_id", "number", name="paddle_number"),
        CheckConstraint("number >= 1", name="paddle_from_one"),
        CheckConstraint("octet_length(blind) IN (0, 32)", name="paddle_blind_has_length"),
    )

    auction_id: UUID = Field(primary_key=True, foreign_key="auction.id")
    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    number: int
    # Opens the commitment to the party in the log; empty on paddles older than the log.
    blind: bytes = Field(
        default=b"", sa_column=Column(LargeBinary, nullable=False, server_default=text("''::bytea"))
    )
    admitted_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class AdmissionRow(SQLModel, table=True):
    """How a party stands in one auction (准入): set aside, applied, admitted, refused, suspended.

    A place is set aside before the auction's row is written, in the same transaction.
    """

    __tablename__ = "admission"
    __table_args__ = (
        CheckConstraint(
            "state IN ('reserved', 'applied', 'admitted', 'refused', 'suspended')",
            name="admission_state_is_known",
        ),
        CheckConstraint("cap_minor >= 1", name="admission_cap_is_positive"),
        CheckConstraint("reserved_number >= 1", name="admission_reserved_from_one"),
        CheckConstraint(
            "state NOT IN ('refused', 'suspended') OR reason IS NOT NULL",
            name="admission_refused_with_a_reason",
        ),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="admission_reason_is_short"),
        CheckConstraint(
            "(state = 'suspended') = (suspended_at IS NOT NULL)", name="admission_suspended_when"
        ),
        CheckConstraint(
            "(papers_checked_by IS NULL) = (papers_checked_at IS NULL)",
            name="admission_checked_by_whom_and_when",
        ),
        Index("admission_waiting", "applied_at", postgresql_where=text("state = 'applied'")),
        Index("admission_of_party", "party_id"),
    )

    auction_id: UUID = Field(
        sa_column=Column(
            Uuid(),
            ForeignKey("auction.id", deferrable=True, initially="DEFERRED"),
            primary_key=True,
        )
    )
    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    state: str
    reserved_number: int | None = None
    cap_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    application: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    applied_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    papers_checked_by: UUID | None = Field(default=None, foreign_key="person.id")
    papers_checked_at: datetime | None = Field(
        default=None, sa_column=column.instant(nullable=True)
    )
    suspended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None


class CreditLine(SQLModel, table=True):
    """The most a party may be bound for over all auctions in one currency (授信额度)."""

    __tablename__ = "credit_line"
    __table_args__ = (
        CheckConstraint("limit_minor >= 0", name="credit_line_is_not_negative"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="credit_line_currency"),
    )

    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    currency: str = Field(sa_column=Column(String(3), primary_key=True))
    limit_minor: int = Field(sa_column=column.minor())
    set_by: UUID = Field(foreign_key="person.id")
    set_at: datetime = Field(sa_column=column.instant())


class Exposure(SQLModel, table=True):
    """What a party is bound for in one auction now; written under the auction's row lock."""

    __tablename__ = "exposure"
    __table_args__ = (
        CheckConstraint("amount_minor >= 0", name="exposure_is_not_negative"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="exposure_currency"),
    )

    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    auction_id: UUID = Field(primary_key=True, foreign_key="auction.id", index=True)
    currency: str = Field(sa_column=column.currency())
    amount_minor: int = Field(sa_column=column.minor())


class PartyBlock(SQLModel, table=True):
    """A party that may not bid (拉黑), for a time or for good; for one work, or for all."""

    __tablename__ = "party_block"
    __table_args__ = (
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="party_block_reason"),
        CheckConstraint("until > placed_at", name="party_block_lasts"),
        CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by IS NULL)", name="party_block_lifted_by_one"
        ),
        Index("party_block_active", "party_id", postgresql_where=text("lifted_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id")
    work_id: UUID | None = None
    reason: str
    until: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    placed_by: UUID | None = Field(default=None, foreign_key="person.id")  # null: by rule
    placed_at: datetime = Field(sa_column=column.instant())
    lifted_by: UUID | None = Field(default=None, foreign_key="person.id")
    lifted_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class PartyRelation(SQLModel, table=True):
    """A connection of a party (关联关系), declared by staff or by the party's papers."""

    __tablename__ = "party_relation"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('owner', 'director', 'bank-account', 'key', 'address')",
            name="party_relation_kind_is_known",
        ),
        CheckConstraint(
            "(kind = 'owner') = (share_bp IS NOT NULL) AND share_bp BETWEEN 1 AND 10000",
            name="party_relation_owner_has_a_share",
        ),
        CheckConstraint(
            "node ~ '^(party:[0-9a-f-]{36}|(person|bank-account|key|address):[0-9a-f]{64})$'",
            name="party_relation_node_has_form",
        ),
        CheckConstraint("char_length(evidence) BETWEEN 1 AND 500", name="party_relation_evidence"),
        CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL)", name="party_relation_ended_by_one"
        ),
        Index("party_relation_from", "party_node", postgresql_where=text("ended_at IS NULL")),
        Index("party_relation_to", "node", postgresql_where=text("ended_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id")
    party_node: str  # the node of `party_id`, so that both ends are looked up alike
    kind: str
    node: str
    share_bp: int | None = None
    evidence: str
    declared_by: UUID = Field(foreign_key="person.id")
    declared_at: datetime = Field(sa_column=column.instant())
    ended_by: UUID | None = Field(default=None, foreign_key="person.id")
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    def relation(self) -> Relation:
        """The value that the rules know."""
        return Relation(self.party_id, self.kind, self.node, self.share_bp)
