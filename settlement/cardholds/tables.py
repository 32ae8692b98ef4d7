"""Rows of deposits on a card.

Migration 0066 adds the triggers: what was asked for stays, and what counts as a deposit is what the
deposit says when the transaction commits.
"""

from datetime import datetime
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


class CardHold(SQLModel, table=True):
    """A deposit on a card: held (预授权) until it is captured or let go, or charged at once."""

    __tablename__ = "card_hold"
    __table_args__ = (
        ForeignKeyConstraint(
            ["auction_id", "party_id"],
            ["deposit.auction_id", "deposit.party_id"],
            name="card_hold_of_deposit",
        ),
        CheckConstraint("mode IN ('card_hold', 'charge')", name="card_hold_mode_is_known"),
        CheckConstraint(
            "state IN ('requested', 'ready', 'held', 'drawing', 'drawn', 'releasing', 'released', "
            "'expired', 'failed')",
            name="card_hold_state_is_known",
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="card_hold_currency_is_a_code"),
        CheckConstraint(
            "amount_minor >= 1 AND captured_minor BETWEEN 0 AND amount_minor "
            "AND returned_minor BETWEEN 0 AND captured_minor",
            name="card_hold_amounts",
        ),
        CheckConstraint("(state = 'drawn') = (captured_minor > 0)", name="card_hold_drawn_is_paid"),
        CheckConstraint(
            "state NOT IN ('held', 'drawing') OR capture_before IS NOT NULL",
            name="card_hold_lasts_until",
        ),
        CheckConstraint(
            "mode = 'charge' OR needed_until IS NOT NULL", name="card_hold_is_needed_until"
        ),
        CheckConstraint("(state = 'failed') <= (fault IS NOT NULL)", name="card_hold_failed_why"),
        CheckConstraint("checks >= 0", name="card_hold_checks"),
        Index(
            "ix_card_hold_one_live",
            "auction_id",
            "party_id",
            unique=True,
            postgresql_where=text("state IN ('requested', 'ready', 'held', 'drawing')"),
        ),
        Index("ix_card_hold_deposit", "auction_id", "party_id"),
        Index(
            "ix_card_hold_unheard",
            "next_check_at",
            postgresql_where=text("state IN ('ready', 'held', 'drawing', 'releasing')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    auction_id: UUID
    party_id: UUID
    mode: str
    amount_minor: int = Field(sa_column=column.minor())
    captured_minor: int = Field(default=0, sa_column=column.minor())
    returned_minor: int = Field(default=0, sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    state: str
    fault: str | None = None
    needed_until: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    capture_before: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    payment_method: str | None = None
    provider_id: str | None = Field(default=None, unique=True)
    client_secret: str | None = None
    movement_id: UUID | None = Field(default=None, foreign_key="deposit_movement.id")
    requested_by: UUID = Field(foreign_key="person.id")
    requested_at: datetime = Field(sa_column=column.instant())
    held_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    checks: int = 0
    next_check_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    @property
    def amount(self) -> Money:
        """What was asked for."""
        return Money(self.amount_minor, self.currency)
