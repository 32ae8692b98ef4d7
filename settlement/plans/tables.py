"""Rows of settlements and their lines."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, String, text
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money


class Settlement(SQLModel, table=True):
    """The settlement (结算) of a deal's price, or of a claim under it, bound to its signed terms.

    The price, or its first part, goes by the deal's own id. A claim (a further part, royalties,
    interest) has an id of its own in
    `deal_id`, by which its invoice, payouts and journals go, and names the deal in `of_deal`.
    """

    __tablename__ = "settlement"
    __table_args__ = (
        CheckConstraint(
            "state IN ('awaiting_payment', 'funded', 'paying', 'paid_out')",
            name="settlement_state_is_known",
        ),
        CheckConstraint(
            "kind IN ('price', 'instalment', 'deferral', 'royalties', 'interest', 'service-fee')",
            name="settlement_kind_is_known",
        ),
        CheckConstraint(
            "(kind = 'price') = (of_deal IS NULL)", name="settlement_claim_is_under_a_deal"
        ),
        CheckConstraint(
            "(part IS NULL OR part >= 1) AND (kind NOT IN ('instalment', 'deferral') OR part >= 2)",
            name="settlement_part_counts",
        ),
        CheckConstraint("gross_minor > 0", name="settlement_gross_is_positive"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="settlement_currency_is_a_code"),
        CheckConstraint("licensor_id <> licensee_id", name="settlement_has_two_sides"),
        CheckConstraint("terms_sha256 ~ '^[0-9a-f]{64}$'", name="settlement_terms_sha256_is_hex"),
        Index(
            "ix_settlement_part",
            "of_deal",
            "kind",
            "part",
            unique=True,
            postgresql_where=text("part IS NOT NULL"),
        ),
        Index("ix_settlement_to_pay_out", "planned_at", postgresql_where=text("state = 'funded'")),
    )

    deal_id: UUID = Field(primary_key=True)  # of a price: the database asks for a deal's id
    of_deal: UUID | None = Field(default=None, foreign_key="deal.id")
    kind: str = Field(
        default="price", sa_column=Column(String, nullable=False, server_default=text("'price'"))
    )
    part: int | None = None  # of a price that is paid in parts: which one it is of
    work_id: UUID
    licensor_id: UUID = Field(foreign_key="party.id", index=True)
    licensee_id: UUID = Field(foreign_key="party.id", index=True)
    gross_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    terms_sha256: str
    state: str
    # Of a deal: when the time of a demand for payment ran out.
    defaulted_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    planned_at: datetime = Field(sa_column=column.instant())

    @property
    def gross(self) -> Money:
        """The whole price."""
        return Money(self.gross_minor, self.currency)

    @property
    def root_id(self) -> UUID:
        """The deal that it is of, or under."""
        return self.of_deal or self.deal_id


class SettlementLine(SQLModel, table=True):
    """One part of the price. Never changed; the lines of a settlement add up to its gross."""

    __tablename__ = "settlement_line"
    __table_args__ = (
        CheckConstraint("kind IN ('commission', 'share')", name="settlement_line_kind_is_known"),
        CheckConstraint("basis_minor >= 0", name="settlement_line_basis_is_not_negative"),
        CheckConstraint("amount_minor >= 0", name="settlement_line_is_not_negative"),
        CheckConstraint("rate_bp BETWEEN 0 AND 10000", name="settlement_line_rate_in_range"),
    )

    deal_id: UUID = Field(primary_key=True, foreign_key="settlement.deal_id")
    line: int = Field(primary_key=True)
    payee_id: UUID = Field(foreign_key="party.id", index=True)
    kind: str
    basis_minor: int = Field(sa_column=column.minor())
    rate_bp: int
    amount_minor: int = Field(sa_column=column.minor())
    reason: str
