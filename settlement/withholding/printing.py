"""What the page of a withholding certificate (代扣代缴凭证) says, in both languages (pure).

It is printed once the tax office's receipt is there, and then never changes: what goes back later
is another fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from contracts.deals import words
from contracts.deals.terms import separated
from contracts.money import Money, percent

TYPE = "uhdx.withholding/v1"
TAXES: Mapping[str, Mapping[str, str]] = {
    "withheld-income": {"zh": "企业所得税（源泉扣缴）", "en": "Income tax withheld at source"},
    "withheld-vat": {"zh": "增值税（代扣代缴）", "en": "VAT withheld"},
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """The tax office's receipt (完税凭证), and how much of the withheld tax it is for."""

    number: str
    issued_on: date
    remitted: Money


@dataclass(frozen=True, slots=True)
class Certified:
    """A withheld tax with all that its certificate names."""

    id: UUID
    payee: Mapping[str, str]
    payer: Mapping[str, str]
    authority: Mapping[str, str]
    country: str
    contract_no: str
    tax: str
    rule: str
    legal_basis: str
    rate_bp: int
    certificate_no: str | None
    gross: Money
    amount: Money
    withheld_on: date
    receipt: Receipt

    @property
    def number(self) -> str:
        """What the certificate is called: its day, and the end of its id."""
        return f"UHDXW-{self.withheld_on:%Y%m%d}-{str(self.id)[-12:]}"


def page(one: Certified) -> dict[str, Any]:
    """Return everything that the page shows, as JSON holds it."""
    return {
        "typ": TYPE,
        "id": str(one.id),
        "number": one.number,
        "payee": dict(one.payee),
        "payer": dict(one.payer),
        "authority": dict(one.authority),
        "country": one.country,
        "contract_no": one.contract_no,
        "tax": dict(TAXES[one.tax]),
        "rule": one.rule,
        "legal_basis": one.legal_basis,
        "rate": percent(one.rate_bp),
        "certificate_no": one.certificate_no,
        "currency": one.amount.currency,
        "gross": separated(one.gross.decimal()),
        "amount": separated(one.amount.decimal()),
        "remitted": separated(one.receipt.remitted.decimal()),
        "in_words": words.in_chinese(one.amount),
        "withheld_on": _day(one.withheld_on),
        "receipt": {
            "number": one.receipt.number,
            "issued_on": _day(one.receipt.issued_on),
        },
    }


def _day(day: date) -> dict[str, str]:
    return {"zh": f"{day.year}年{day.month}月{day.day}日", "en": day.isoformat()}
