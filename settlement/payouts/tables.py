"""Rows of payees' accounts, payouts and their transfers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    String,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money
from settlement.payouts.rules import Transfer


class PayoutAccount(SQLModel, table=True):
    """Where a party is paid: its account at the payment provider (收款账户)."""

    __tablename__ = "payout_account"
    __table_args__ = (
        CheckConstraint(
            "state IN ('requested', 'ready', 'failed')", name="payout_account_state_is_known"
        ),
        CheckConstraint(
            "(state = 'ready') = (provider_id IS NOT NULL)", name="payout_account_ready_has_an_id"
        ),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="payout_account_country_is_a_code"),
        CheckConstraint(
            "capability IN ('active', 'pending', 'inactive')",
            name="payout_account_capability_is_known",
        ),
        CheckConstraint(
            "(capability IS NULL) = (seen_at IS NULL)", name="payout_account_seen_when"
        ),
        CheckConstraint(
            "(link_url IS NULL) = (link_until IS NULL)", name="payout_account_link_until_when"
        ),
        CheckConstraint(
            "look_at IS NULL OR state = 'ready'", name="payout_account_looked_at_when_ready"
        ),
        Index("ix_payout_account_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )

    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    country: str = Field(sa_column=Column(String(2), nullable=False))
    state: str
    provider_id: str | None = Field(default=None, unique=True)
    requested_at: datetime = Field(sa_column=column.instant())
    capability: str | None = None  # to receive transfers; None until it was asked for
    seen_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    look_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    return_url: str | None = None  # a link is wanted, and leads back here
    link_url: str | None = None  # to the provider's page, for one visit
    link_until: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class Payout(SQLModel, table=True):
    """What is paid to the owners of one deal: prepared by one person, decided by another."""

    __tablename__ = "payout"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused', 'paid')", name="payout_state_is_known"
        ),
        CheckConstraint("prepared_by <> decided_by", name="payout_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="payout_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (reason IS NOT NULL)", name="payout_refused_with_a_reason"
        ),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="payout_reason_has_length"),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="payout_sha256_is_hex"),
        Index(
            "ix_payout_one_live",
            "deal_id",
            unique=True,
            postgresql_where=text("state <> 'refused'"),
        ),
        Index("ix_payout_to_decide", "prepared_at", postgresql_where=text("state = 'prepared'")),
    )

    id: UUID = Field(primary_key=True)
    deal_id: UUID = Field(foreign_key="settlement.deal_id", index=True)
    state: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    prepared_by: UUID = Field(foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None
    paid_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class PayoutTransfer(SQLModel, table=True):
    """One payee's part of a payout."""

    __tablename__ = "payout_transfer"
    __table_args__ = (
        CheckConstraint(
            "state IN ('pending', 'sending', 'made')", name="payout_transfer_state_is_known"
        ),
        CheckConstraint(
            "(state = 'made') = (provider_id IS NOT NULL)", name="payout_transfer_made_has_an_id"
        ),
        CheckConstraint(
            "(state = 'pending') = (intent_id IS NULL) "
            "OR (account ~ '^(iban|cnaps):' AND intent_id IS NULL)",
            name="payout_transfer_sent_has_an_intent",
        ),
        CheckConstraint("amount_minor > 0", name="payout_transfer_amount_is_positive"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payout_transfer_currency_is_a_code"),
    )

    payout_id: UUID = Field(primary_key=True, foreign_key="payout.id")
    party_id: UUID = Field(primary_key=True, foreign_key="party.id", index=True)
    account: str
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    state: str
    intent_id: UUID | None = Field(default=None, foreign_key="outbound.id", unique=True)
    provider_id: str | None = Field(default=None, unique=True)

    def transfer(self) -> Transfer:
        """The value that the rules know."""
        return Transfer(self.party_id, self.account, Money(self.amount_minor, self.currency))
