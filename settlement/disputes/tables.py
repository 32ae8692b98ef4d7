"""Rows of disputes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from contracts import column


class Dispute(SQLModel, table=True):
    """What a card holder contests with the bank; the provider decides nothing, the bank does."""

    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint(
            "state IN ('inquiry', 'inquiry_closed', 'received', 'under_review', 'won', 'lost')",
            name="dispute_state_is_known",
        ),
        CheckConstraint("amount_minor > 0", name="dispute_amount_is_positive"),
        CheckConstraint(
            "charged_at IS NULL OR state = 'lost'", name="dispute_charged_once_it_is_lost"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="dispute_currency_is_a_code"),
        Index(
            "ix_dispute_to_charge",
            "opened_at",
            postgresql_where=text("state = 'lost' AND charged_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    provider_id: str = Field(unique=True)
    payment_id: UUID = Field(foreign_key="payment.id", index=True)
    deal_id: UUID = Field(foreign_key="settlement.deal_id", index=True)
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    reason: str
    state: str
    drawn_minor: int = Field(default=0, sa_column=column.minor())
    evidence_due_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    opened_at: datetime = Field(sa_column=column.instant())
    closed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    charged_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
