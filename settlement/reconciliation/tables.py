"""Rows of matches and their sides, and of suspended money."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column


class ReconMatch(SQLModel, table=True):
    """Entries of the bank and what they are, n to m: by a rule, or by two people."""

    __tablename__ = "recon_match"
    __table_args__ = (
        CheckConstraint(
            "rule IN ('end-to-end', 'provider-id', 'batch-id', 'invoice-number', 'by-hand', "
            "'provider-payout', 'provider-arrival', 'invoice-parts', 'deposit-reference')",
            name="recon_match_rule_is_known",
        ),
        CheckConstraint("score BETWEEN 0 AND 100", name="recon_match_score"),
        CheckConstraint(
            "state IN ('made', 'proposed', 'approved', 'refused')",
            name="recon_match_state_is_known",
        ),
        CheckConstraint(
            "(rule = 'by-hand') = (proposed_by IS NOT NULL) "
            "AND (rule = 'by-hand') = (state <> 'made')",
            name="recon_match_by_hand_has_a_proposer",
        ),
        CheckConstraint("proposed_by <> decided_by", name="recon_match_needs_two_people"),
        CheckConstraint(
            "(state IN ('approved', 'refused')) = (decided_by IS NOT NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="recon_match_decided_by_whom_and_when",
        ),
        Index("ix_recon_match_proposed", "made_at", postgresql_where=text("state = 'proposed'")),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="bank_account.id", index=True)
    rule: str
    score: int
    state: str
    content: bytes = Field(sa_column=column.octets())
    sha256: str
    proposed_by: UUID | None = Field(default=None, foreign_key="person.id")
    made_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None


class ReconSide(SQLModel, table=True):
    """One side of a match; the bank's sides and the books' sides of a match are equal in sum."""

    __tablename__ = "recon_side"
    __table_args__ = (
        CheckConstraint("side IN ('bank', 'book')", name="recon_side_is_known"),
        CheckConstraint(
            "side = 'bank' OR kind IN "
            "('invoice', 'payment', 'account', 'sweep', 'suspense', 'deposit')",
            name="recon_side_book_is_known",
        ),
        CheckConstraint(
            "side = 'book' OR kind IN ('entry', 'suspense')", name="recon_side_bank_is_known"
        ),
        CheckConstraint("amount_minor <> 0", name="recon_side_is_something"),
        Index("ix_recon_side_object", "kind", "name"),
    )

    match_id: UUID = Field(primary_key=True, foreign_key="recon_match.id")
    line: int = Field(primary_key=True)
    side: str
    kind: str
    name: str  # an id, or the account that a difference went to
    amount_minor: int = Field(sa_column=column.minor())


class SuspenseItem(SQLModel, table=True):
    """Money at the bank that nothing explains yet (待核销): whose task it is, and until when."""

    __tablename__ = "suspense_item"
    __table_args__ = (
        CheckConstraint(
            "cause IN ('unmatched', 'opening', 'overpaid')", name="suspense_item_cause_is_known"
        ),
        CheckConstraint(
            "cause <> 'overpaid' OR invoice_id IS NOT NULL",
            name="suspense_item_overpaid_for_an_invoice",
        ),
        CheckConstraint(
            "(cause = 'unmatched') = (entry_id IS NOT NULL)", name="suspense_item_is_of_an_entry"
        ),
        CheckConstraint("state IN ('open', 'released')", name="suspense_item_state_is_known"),
        CheckConstraint(
            "(state = 'released') = (released_at IS NOT NULL)", name="suspense_item_released_when"
        ),
        CheckConstraint("amount_minor <> 0", name="suspense_item_is_something"),
        Index(
            "ix_suspense_item_invoice",
            "invoice_id",
            postgresql_where=text("state = 'open' AND invoice_id IS NOT NULL"),
        ),
        Index("ix_suspense_item_open", "due_on", postgresql_where=text("state = 'open'")),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="bank_account.id", index=True)
    entry_id: UUID | None = Field(default=None, foreign_key="bank_entry.id", unique=True)
    cause: str
    # The one open invoice that the money names: a part of it, or more than was due.
    invoice_id: UUID | None = Field(default=None, foreign_key="invoice.id")
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    owner_id: UUID = Field(foreign_key="person.id")
    opened_at: datetime = Field(sa_column=column.instant())
    due_on: date = Field(sa_column=column.day())
    state: str
    match_id: UUID | None = Field(default=None, foreign_key="recon_match.id", index=True)
    released_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
