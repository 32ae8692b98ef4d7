"""The fields of a fapiao (发票), as whoever issues it has to enter them (pure).

Source: the fields that issuers' interfaces for fully digitalised fapiao share: type 81 (数电专票)
or 82 (数电普票), both sides with their tax ids, lines with a tax classification code of 19 digits,
amounts with two places, and a total that is the sum of the amounts and of the taxes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.money import Money
from settlement.fapiao import rules
from settlement.fapiao.rules import Details

COLUMNS = (
    "fapiao", "type", "seller_name", "seller_tax_id", "buyer_name", "buyer_tax_id",
    "buyer_address", "buyer_phone", "buyer_bank", "buyer_account", "item", "spec", "unit",
    "quantity", "unit_price", "amount", "tax_rate", "tax", "tax_code", "preferential",
    "zero_rate", "total_amount", "total_tax", "total", "remark", "blue_number",
    "red_reason_code", "confirmation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reds:
    """What makes a fapiao red: the blue one's number, and the tax authority's reason code."""

    blue_number: str
    reason_code: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a fapiao is to say: its type, to whom it is made out, how much with its tax."""

    type: str
    buyer: Details
    gross: Money
    tax: Money
    red: Reds | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A fapiao asked for. Amounts are positive; those of a red one are written with a minus."""

    id: UUID
    type: str
    seller_name: str
    seller_tax_id: str
    buyer: Details
    item: str
    tax_code: str
    net: Money
    tax: Money
    rate_bp: int
    remark: str
    red: Reds | None = None


def document(one: Asked) -> dict[str, Any]:
    """Return the fields of a fapiao, which hold until it is issued.

    Raises:
        ValueError: the tax code has not 19 digits, or the rate too many places (faults of data).
    """
    if not rules.TAX_CODE.fullmatch(one.tax_code):
        raise ValueError("a tax classification code has 19 digits")
    sign = "" if one.red is None else "-"
    amount, tax = f"{sign}{one.net.decimal()}", f"{sign}{one.tax.decimal()}"
    line = {
        "item": one.item,
        "spec": "",
        "unit": "项",
        "quantity": f"{sign}1",
        "unit_price": one.net.decimal(),
        "amount": amount,
        "tax_rate": rules.rate(one.rate_bp),
        "tax": tax if one.tax.amount_minor else "0.00",
        "tax_code": one.tax_code,
        "preferential": "0",
        "zero_rate": "" if one.rate_bp else "3",
    }
    return {
        "fapiao": str(one.id),
        "type": one.type,
        "seller": {"name": one.seller_name, "tax_id": one.seller_tax_id},
        "buyer": {
            "name": one.buyer.title,
            "tax_id": one.buyer.tax_id,
            "address": one.buyer.address,
            "phone": one.buyer.phone,
            "bank": one.buyer.bank,
            "account": one.buyer.account,
        },
        "lines": [line],
        "total_amount": amount,
        "total_tax": line["tax"],
        "total": f"{sign}{(one.net + one.tax).decimal()}",
        "currency": one.net.currency,
        "remark": one.remark,
        "red": None
        if one.red is None
        else {"blue_number": one.red.blue_number, "reason_code": one.red.reason_code},
    }


def rows(document: Mapping[str, Any], *, confirmation: str | None) -> Sequence[dict[str, str]]:
    """Return the lines of a document as rows of a table, each with the fields of the whole."""
    red = document["red"] or {"blue_number": "", "reason_code": ""}
    whole = {
        "fapiao": document["fapiao"],
        "type": document["type"],
        **{f"seller_{name}": value for name, value in document["seller"].items()},
        **{f"buyer_{name}": value for name, value in document["buyer"].items()},
        "total_amount": document["total_amount"],
        "total_tax": document["total_tax"],
        "total": document["total"],
        "remark": document["remark"],
        "blue_number": red["blue_number"],
        "red_reason_code": red["reason_code"],
        "confirmation": confirmation or "",
    }
    return [{**whole, **line} for line in document["lines"]]
