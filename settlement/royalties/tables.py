"""Rows of usage reports and royalty statements; both are only ever added."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from contracts import column


class UsageReport(SQLModel, table=True):
    """What a licensee reported of a period; of one period the highest version counts."""

    __tablename__ = "usage_report"
    __table_args__ = (
        UniqueConstraint("deal_id", "first_day", "version", name="usage_report_is_a_version"),
        CheckConstraint("first_day <= last_day", name="usage_report_period_has_days"),
        CheckConstraint("version >= 1 AND runs >= 0", name="usage_report_counts"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="usage_report_sha256_is_hex"),
    )

    id: UUID = Field(primary_key=True)
    deal_id: UUID = Field(foreign_key="deal.id")
    first_day: date = Field(sa_column=column.day())
    last_day: date = Field(sa_column=column.day())
    version: int
    content: bytes = Field(sa_column=column.octets())
    sha256: str
    receipts_minor: int = Field(sa_column=column.minor())
    runs: int
    reported_by: UUID = Field(foreign_key="party.id")
    reported_at: datetime = Field(sa_column=column.instant())

    @property
    def period(self) -> tuple[date, date]:
        """Its first and its last day."""
        return self.first_day, self.last_day


class RoyaltyStatement(SQLModel, table=True):
    """What the reports to date earn, recoup and still ask for (分成结算单)."""

    __tablename__ = "royalty_statement"
    __table_args__ = (
        UniqueConstraint("deal_id", "number", name="royalty_statement_in_sequence"),
        CheckConstraint("number >= 1 AND runs >= 0", name="royalty_statement_counts"),
        CheckConstraint(
            "recouped_minor BETWEEN 0 AND earned_minor AND unrecouped_minor >= 0 "
            "AND payable_minor = earned_minor - recouped_minor",
            name="royalty_statement_recoups_what_was_earned",
        ),
        CheckConstraint(
            "due_minor >= 0 AND carried_minor >= 0 AND before_minor >= 0 "
            "AND before_minor + due_minor - carried_minor = payable_minor",
            name="royalty_statement_asks_for_the_difference",
        ),
        CheckConstraint(
            "(due_minor > 0) = (claim_id IS NOT NULL)", name="royalty_statement_claims_what_is_due"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="royalty_statement_currency_is_a_code"),
        CheckConstraint(
            "waterfall_sha256 ~ '^[0-9a-f]{64}$'", name="royalty_statement_waterfall_is_hex"
        ),
    )

    report_id: UUID = Field(primary_key=True, foreign_key="usage_report.id")
    deal_id: UUID = Field(foreign_key="deal.id")
    number: int
    currency: str = Field(sa_column=column.currency())
    # All periods to date together, at the versions that counted when it was made.
    receipts_minor: int = Field(sa_column=column.minor())
    runs: int
    earned_minor: int = Field(sa_column=column.minor())
    recouped_minor: int = Field(sa_column=column.minor())
    unrecouped_minor: int = Field(sa_column=column.minor())
    payable_minor: int = Field(sa_column=column.minor())
    before_minor: int = Field(sa_column=column.minor())
    due_minor: int = Field(sa_column=column.minor())
    carried_minor: int = Field(sa_column=column.minor())
    claim_id: UUID | None = Field(default=None, foreign_key="settlement.deal_id", unique=True)
    waterfall_sha256: str
    due_on: date = Field(sa_column=column.day())
    made_at: datetime = Field(sa_column=column.instant())
