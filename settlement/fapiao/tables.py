"""Rows of fapiao: to whom they are made out, those asked for and issued, their files."""

from datetime import date, datetime
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
from settlement.fapiao.rules import Details

LIVE = "state <> 'refused'"


class FapiaoDetails(SQLModel, table=True):
    """To whom a party's fapiao are made out (开票信息); one asked for keeps its own copy."""

    __tablename__ = "fapiao_details"
    __table_args__ = (
        CheckConstraint("char_length(title) BETWEEN 1 AND 100", name="fapiao_details_title"),
        CheckConstraint("tax_id ~ '^[0-9A-Z]{15,20}$'", name="fapiao_details_tax_id"),
        CheckConstraint("account ~ '^([0-9]{8,32})?$'", name="fapiao_details_account"),
    )

    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    title: str
    tax_id: str
    address: str
    phone: str
    bank: str
    account: str
    updated_by: UUID = Field(foreign_key="person.id")
    updated_at: datetime = Field(sa_column=column.instant())

    def value(self) -> Details:
        """The value that the rules know."""
        return Details(self.title, self.tax_id, self.address, self.phone, self.bank, self.account)


class Fapiao(SQLModel, table=True):
    """A fapiao of an invoice; a red one is of a red letter, and has a confirmation sheet.

    Its `kind` says whether it is of the price, which the licensor sells, or of the commission in
    it, which the exchange earns.

    `content` holds every field as it was asked for, and never changes.
    """

    __tablename__ = "fapiao"
    __table_args__ = (
        CheckConstraint("type IN ('81', '82')", name="fapiao_type_is_known"),
        CheckConstraint("kind IN ('price', 'commission')", name="fapiao_kind_is_known"),
        CheckConstraint(
            "state IN ('requested', 'issued', 'refused')", name="fapiao_state_is_known"
        ),
        CheckConstraint(
            "(state = 'issued') = (number IS NOT NULL) "
            "AND (number IS NULL) = (issued_on IS NULL) "
            "AND (state = 'issued') = (recorded_by IS NOT NULL)",
            name="fapiao_issued_with_a_number",
        ),
        CheckConstraint("number ~ '^[0-9]{20}$'", name="fapiao_number_has_twenty_digits"),
        CheckConstraint(
            "(state = 'refused') = (refused_reason IS NOT NULL)", name="fapiao_refused_why"
        ),
        CheckConstraint(
            "(red_letter_id IS NULL) = (confirmation IS NULL)", name="fapiao_red_has_a_sheet"
        ),
        CheckConstraint("confirmation ~ '^(0[1-9]|10)$'", name="fapiao_confirmation_is_known"),
        CheckConstraint(
            "state <> 'issued' OR confirmation IS NULL OR confirmation IN ('01', '04')",
            name="fapiao_red_issued_once_confirmed",
        ),
        CheckConstraint(
            "total_minor > 0 AND tax_minor BETWEEN 0 AND total_minor",
            name="fapiao_amounts_are_positive",
        ),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="fapiao_sha256_is_hex"),
        Index(
            "ix_fapiao_one_blue",
            "invoice_id",
            "kind",
            unique=True,
            postgresql_where=text(f"{LIVE} AND red_letter_id IS NULL"),
        ),
        Index(
            "ix_fapiao_one_red", "red_letter_id", "kind", unique=True, postgresql_where=text(LIVE)
        ),
    )

    id: UUID = Field(primary_key=True)
    invoice_id: UUID = Field(foreign_key="invoice.id", index=True)
    red_letter_id: UUID | None = Field(default=None, foreign_key="red_letter.id")
    buyer_id: UUID = Field(foreign_key="party.id", index=True)
    seller_id: UUID = Field(foreign_key="party.id", index=True)
    kind: str = Field(
        default="price", sa_column=Column(String, nullable=False, server_default=text("'price'"))
    )
    type: str
    state: str
    confirmation: str | None = None
    total_minor: int = Field(sa_column=column.minor())
    tax_minor: int = Field(sa_column=column.minor())
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    requested_by: UUID = Field(foreign_key="person.id")
    requested_at: datetime = Field(sa_column=column.instant())
    number: str | None = Field(default=None, unique=True)
    issued_on: date | None = None
    recorded_by: UUID | None = Field(default=None, foreign_key="person.id")
    refused_reason: str | None = None


class FapiaoFile(SQLModel, table=True):
    """A file of an issued fapiao, as it came. Never changed."""

    __tablename__ = "fapiao_file"
    __table_args__ = (
        CheckConstraint("form IN ('pdf', 'ofd', 'xml')", name="fapiao_file_form_is_known"),
        CheckConstraint(
            "octet_length(content) BETWEEN 1 AND 1000000", name="fapiao_file_has_a_size"
        ),
        CheckConstraint(
            "sha256 = encode(sha256(content), 'hex')", name="fapiao_file_is_what_was_hashed"
        ),
    )

    fapiao_id: UUID = Field(primary_key=True, foreign_key="fapiao.id")
    form: str = Field(primary_key=True)
    content: bytes = Field(sa_column=column.octets())
    sha256: str
    kept_by: UUID = Field(foreign_key="person.id")
    kept_at: datetime = Field(sa_column=column.instant())
