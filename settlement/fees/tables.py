"""Rows of fee schedules announced, and of what a settlement agreed to."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money
from settlement.fees.rules import Agreed, Case


class FeeAnnouncement(SQLModel, table=True):
    """A schedule announced before the day from which it is in force. Never changed."""

    __tablename__ = "fee_announcement"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="fee_announcement_sha256_is_hex"),
        CheckConstraint(
            "char_length(schedule) BETWEEN 1 AND 500", name="fee_announcement_has_a_name"
        ),
        CheckConstraint(
            "valid_from > (announced_at AT TIME ZONE 'Asia/Shanghai')::date",
            name="fee_announcement_comes_before",
        ),
        Index("ix_fee_announcement_day", "valid_from", "announced_at"),
        Index("ix_fee_announcement_sha256", "sha256"),
    )

    id: UUID = Field(primary_key=True)
    valid_from: date
    schedule: str
    sha256: str
    content: bytes = Field(sa_column=column.octets())
    announced_by: UUID = Field(foreign_key="person.id")
    announced_at: datetime = Field(sa_column=column.instant())


class SettlementFee(SQLModel, table=True):
    """What a deal agreed about fees: by which schedule, of what, and what each side pays.

    `price_minor` is the price that was first agreed, `before_minor` the price as it was settled
    before this settlement, which adds to it. Never changed.
    """

    __tablename__ = "settlement_fee"
    __table_args__ = (
        CheckConstraint("schedule_sha256 ~ '^[0-9a-f]{64}$'", name="settlement_fee_sha256_is_hex"),
        CheckConstraint("sale IN ('bid', 'negotiated')", name="settlement_fee_sale_is_known"),
        CheckConstraint(
            "listed_minor > 0 AND price_minor > 0 AND before_minor >= 0 AND seller_minor >= 0 "
            "AND buyer_minor >= 0",
            name="settlement_fee_amounts",
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="settlement_fee_currency_is_a_code"),
    )

    deal_id: UUID = Field(primary_key=True, foreign_key="settlement.deal_id")
    schedule: str
    schedule_sha256: str
    sale: str
    listed_minor: int = Field(sa_column=column.minor())
    price_minor: int = Field(sa_column=column.minor())
    before_minor: int = Field(sa_column=column.minor())
    seller_minor: int = Field(sa_column=column.minor())
    buyer_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())

    def agreed(self) -> Agreed:
        """The value that the rules know."""
        listed, price = (Money(one, self.currency) for one in (self.listed_minor, self.price_minor))
        return Agreed(self.schedule_sha256, Case(self.sale, listed, price), self.before_minor)
