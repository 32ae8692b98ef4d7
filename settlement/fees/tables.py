"""Rows of fee schedules prepared and announced, and of what a settlement agreed to."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from contracts import canonical, column
from contracts.money import Money
from settlement.fees import reading
from settlement.fees.rules import Agreed, Case, Schedule


class FeeProposal(SQLModel, table=True):
    """A schedule that one person prepared and another decides; `content` holds all of it.

    `sha256` is the schedule's own hash, by which sales will name it.
    """

    __tablename__ = "fee_proposal"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused')", name="fee_proposal_state_is_known"
        ),
        CheckConstraint("prepared_by <> decided_by", name="fee_proposal_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="fee_proposal_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (reason IS NOT NULL)", name="fee_proposal_refused_with_a_reason"
        ),
        CheckConstraint(
            "sha256 ~ '^[0-9a-f]{64}$' AND content_sha256 ~ '^[0-9a-f]{64}$'",
            name="fee_proposal_sha256_is_hex",
        ),
        CheckConstraint(
            "valid_from > (prepared_at AT TIME ZONE 'Asia/Shanghai')::date",
            name="fee_proposal_comes_before",
        ),
        Index(
            "ix_fee_proposal_waiting",
            "prepared_at",
            postgresql_where=text("state = 'prepared'"),
        ),
    )

    id: UUID = Field(primary_key=True)
    valid_from: date
    schedule: str
    sha256: str
    state: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    prepared_by: UUID = Field(foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None

    def read(self) -> Schedule:
        """The schedule that the content holds."""
        return reading.read_typed(canonical.loads(self.content)["schedule"])


class FeeAnnouncement(SQLModel, table=True):
    """A schedule announced before the day from which it is in force. Never changed.

    Who announced it approved what another had prepared; the oldest were announced by one person.
    """

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

    def read(self) -> Schedule:
        """The schedule that was announced."""
        return reading.read_typed(canonical.loads(self.content))


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
