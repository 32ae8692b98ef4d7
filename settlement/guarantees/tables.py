"""Rows of letters of guarantee.

Migration 0066 adds the triggers: what a letter says and its scan stay as they were handed in, and
what counts as a deposit is what the deposit says when the transaction commits.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money
from settlement.guarantees.rules import Letter, Offer


class Guarantee(SQLModel, table=True):
    """A letter of guarantee (保函) or standby letter of credit that stands for a deposit."""

    __tablename__ = "guarantee"
    __table_args__ = (
        ForeignKeyConstraint(
            ["auction_id", "party_id"],
            ["deposit.auction_id", "deposit.party_id"],
            name="guarantee_of_deposit",
        ),
        CheckConstraint(
            "form IN ('letter-of-guarantee', 'standby-letter-of-credit')",
            name="guarantee_form_is_known",
        ),
        CheckConstraint(
            "state IN ('offered', 'accepted', 'refused', 'released', 'demanded', 'paid', "
            "'expired')",
            name="guarantee_state_is_known",
        ),
        CheckConstraint("beneficiary IN ('exchange', 'seller')", name="guarantee_for_whom"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="guarantee_currency_is_a_code"),
        CheckConstraint(
            "amount_minor >= 1 AND demanded_minor BETWEEN 0 AND amount_minor",
            name="guarantee_amounts",
        ),
        CheckConstraint(
            "(issuer_bic IS NOT NULL OR issuer_cnaps IS NOT NULL) "
            "AND coalesce(issuer_bic ~ '^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$', true) "
            "AND coalesce(issuer_cnaps ~ '^[0-9]{12}$', true)",
            name="guarantee_issuer_has_a_code",
        ),
        CheckConstraint(
            "char_length(issuer) BETWEEN 1 AND 200 AND char_length(number) BETWEEN 1 AND 100 "
            "AND char_length(demand_terms) BETWEEN 1 AND 2000",
            name="guarantee_texts",
        ),
        CheckConstraint("octet_length(scan) BETWEEN 5 AND 700000", name="guarantee_has_a_scan"),
        CheckConstraint(
            "scan_sha256 = encode(sha256(scan), 'hex')", name="guarantee_scan_is_what_was_hashed"
        ),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="guarantee_sha256_is_hex"),
        CheckConstraint("offered_by <> decided_by", name="guarantee_needs_two_people"),
        CheckConstraint(
            "(decided_by IS NULL) = (decided_at IS NULL) "
            "AND (state NOT IN ('accepted', 'refused', 'demanded', 'paid') "
            "OR decided_by IS NOT NULL)",
            name="guarantee_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (refused_reason IS NOT NULL)", name="guarantee_refused_why"
        ),
        CheckConstraint(
            "(state IN ('demanded', 'paid')) = (demanded_minor > 0) "
            "AND (demanded_minor > 0) = (movement_id IS NOT NULL)",
            name="guarantee_demanded_by_two_people",
        ),
        CheckConstraint(
            "(state IN ('released', 'paid', 'expired', 'refused')) = (ended_at IS NOT NULL)",
            name="guarantee_ended_when",
        ),
        Index(
            "ix_guarantee_one_live",
            "auction_id",
            "party_id",
            unique=True,
            postgresql_where=text("state IN ('offered', 'accepted', 'demanded')"),
        ),
        Index("ix_guarantee_deposit", "auction_id", "party_id"),
    )

    id: UUID = Field(primary_key=True)
    auction_id: UUID
    party_id: UUID
    form: str
    issuer: str
    issuer_bic: str | None = None
    issuer_cnaps: str | None = None
    number: str
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    valid_until: date
    demand_terms: str
    beneficiary: str
    scan: bytes = Field(sa_column=column.octets())
    scan_sha256: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    state: str
    offered_by: UUID = Field(foreign_key="person.id")
    offered_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    refused_reason: str | None = None
    demanded_minor: int = Field(default=0, sa_column=column.minor())
    movement_id: UUID | None = Field(default=None, foreign_key="deposit_movement.id")
    paid_reference: str | None = None  # of the bank, where it paid the seller and not us
    ended_by: UUID | None = Field(default=None, foreign_key="person.id")
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    def letter(self) -> Letter:
        """The value that the rules know."""
        return Letter(
            form=self.form,
            issuer=self.issuer,
            issuer_bic=self.issuer_bic,
            issuer_cnaps=self.issuer_cnaps,
            number=self.number,
            amount=Money(self.amount_minor, self.currency),
            valid_until=self.valid_until,
            demand_terms=self.demand_terms,
            beneficiary=self.beneficiary,
        )

    def offer(self) -> Offer:
        """The value of all that was handed in."""
        return Offer(self.id, self.auction_id, self.party_id, self.letter(), self.scan)
