"""The shapes of fapiao (发票) on the wire."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from exchange.api.decisions import EXAMPLE_HASH, EXAMPLE_ID
from exchange.api.deps import Shape
from settlement.fapiao import queries, rules
from settlement.fapiao.tables import Fapiao, FapiaoDetails

FileForm = Literal["pdf", "ofd", "xml"]
Kind = Literal["price", "commission"]
Sheet = Literal["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"]
_DETAILS = {
    "title": "示范电视台",
    "tax_id": "12100000400010275N",
    "address": "北京市复兴路1号",
    "phone": "010-12345678",
    "bank": "示范银行",
    "account": "11001234567890",
}


class FapiaoDetailsIn(Shape):
    """To whom fapiao are made out (开票信息)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_DETAILS}]})

    title: Annotated[str, Field(min_length=1, max_length=100, description="抬头")]
    tax_id: Annotated[str, Field(min_length=15, max_length=22, description="纳税人识别号")]
    address: Annotated[str, Field(max_length=100)] = ""
    phone: Annotated[str, Field(max_length=20)] = ""
    bank: Annotated[str, Field(max_length=100)] = ""
    account: Annotated[str, Field(max_length=40)] = ""


class FapiaoDetailsOut(Shape):
    """To whom a party's fapiao are made out."""

    party_id: UUID
    title: str
    tax_id: str
    address: str
    phone: str
    bank: str
    account: str
    updated_at: AwareDatetime


class FapiaoIn(Shape):
    """A fapiao of an invoice: 81 special (专票) or 82 ordinary (普票).

    Of its price the licensee buys from the licensor; of the `commission` in it (佣金), the licensor
    from the exchange.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"invoice_id": EXAMPLE_ID, "type": "82"}]}
    )

    invoice_id: UUID
    type: Literal["81", "82"]
    kind: Kind = "price"


class RedFapiaoIn(Shape):
    """A red fapiao of a red letter, with the state of its confirmation sheet (红字确认单)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"red_letter_id": EXAMPLE_ID, "confirmation": "02"}]}
    )

    red_letter_id: UUID
    confirmation: Literal["01", "02", "03", "04"]
    kind: Kind = "price"


class ConfirmationIn(Shape):
    """How a confirmation sheet went on: 04 both confirmed; 05 to 10 void."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"confirmation": "04"}]})

    confirmation: Sheet


class IssuedIn(Shape):
    """What the tax authority's platform gave: the number of twenty digits, and the day."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"number": "26112000000123456789", "issued_on": "2026-11-23"}]
        }
    )

    number: Annotated[str, Field(pattern="^[0-9]{20}$")]
    issued_on: date


class FapiaoRefusalIn(Shape):
    """Why a fapiao will not be issued."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "抬头与税号不符"}]})

    reason: Annotated[str, Field(min_length=1, max_length=rules.LONGEST_REASON, pattern=r"\S")]


class FapiaoFileOut(Shape):
    """A file that is kept of a fapiao."""

    form: FileForm
    sha256: str


class FapiaoOut(Shape):
    """A fapiao; `content` holds every field as it was asked for, `content_sha256` their hash."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "invoice_id": EXAMPLE_ID,
                    "red_letter_id": None,
                    "buyer": EXAMPLE_ID,
                    "seller": EXAMPLE_ID,
                    "kind": "price",
                    "type": "82",
                    "state": "issued",
                    "confirmation": None,
                    "total_minor": 120_000_000,
                    "tax_minor": 6_792_453,
                    "content": {"type": "82", "total": "1200000.00"},
                    "content_sha256": EXAMPLE_HASH,
                    "requested_at": "2026-11-22T09:00:00Z",
                    "number": "26112000000123456789",
                    "issued_on": "2026-11-23",
                    "refused_reason": None,
                    "files": [{"form": "pdf", "sha256": EXAMPLE_HASH}],
                }
            ]
        }
    )

    id: UUID
    invoice_id: UUID
    red_letter_id: Annotated[UUID | None, Field(description="Of a red fapiao.")]
    buyer: UUID
    seller: UUID
    kind: Kind
    type: Literal["81", "82"]
    state: Literal["requested", "issued", "refused"]
    confirmation: Sheet | None
    total_minor: int
    tax_minor: int
    content: dict[str, Any]
    content_sha256: str
    requested_at: AwareDatetime
    number: str | None
    issued_on: date | None
    refused_reason: str | None
    files: Sequence[FapiaoFileOut]


class FapiaoPage(Shape):
    """A page of fapiao."""

    items: Sequence[FapiaoOut]
    next: UUID | None


def details_out(row: FapiaoDetails) -> FapiaoDetailsOut:
    """Return details as the wire carries them."""
    return FapiaoDetailsOut.model_validate(row.model_dump(exclude={"updated_by"}))


async def out(session: AsyncSession, row: Fapiao) -> FapiaoOut:
    """Return a fapiao as the wire carries it, with the files that are kept of it."""
    left = {"content", "buyer_id", "seller_id", "requested_by", "recorded_by"}
    files = await queries.forms_of(session, row.id)
    return FapiaoOut.model_validate(
        {
            **row.model_dump(exclude=left),
            "buyer": row.buyer_id,
            "seller": row.seller_id,
            "content": queries.document_of(row),
            "files": [{"form": form, "sha256": sha256} for form, sha256 in files],
        }
    )
