"""Rows of the accounts that collect, one in force for each currency."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from contracts import column


class CollectingAccount(SQLModel, table=True):
    """That wires in a currency go to one account (收款账户): proposed by one, decided by another.

    Whoever changes this turns every payment to another account, so no one person can.
    """

    __tablename__ = "collecting_account"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="collecting_account_currency_is_a_code"),
        CheckConstraint(
            "state IN ('proposed', 'approved', 'refused', 'ended')",
            name="collecting_account_state_is_known",
        ),
        CheckConstraint("proposed_by <> decided_by", name="collecting_account_needs_two_people"),
        CheckConstraint(
            "(state = 'proposed') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="collecting_account_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (reason IS NOT NULL)",
            name="collecting_account_refused_with_a_reason",
        ),
        CheckConstraint(
            "(state = 'ended') = (ended_at IS NOT NULL)", name="collecting_account_ended_when"
        ),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="collecting_account_sha256_is_hex"),
        Index(
            "ix_collecting_account_in_force",
            "currency",
            unique=True,
            postgresql_where=text("state = 'approved'"),
        ),
        Index(
            "ix_collecting_account_waiting",
            "currency",
            unique=True,
            postgresql_where=text("state = 'proposed'"),
        ),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="bank_account.id", index=True)
    currency: str = Field(sa_column=column.currency())
    state: str
    content: bytes = Field(sa_column=column.octets())
    sha256: str
    proposed_by: UUID = Field(foreign_key="person.id")
    proposed_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
