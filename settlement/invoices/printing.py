"""What the page of an invoice (账单) or of its red letter (红字) says, in both languages (pure).

The page says what was issued and never what came of it, so the same row prints the same bytes at
any time. It is no 发票: only who is licensed by the tax authority issues one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.deals import words
from contracts.deals.terms import Side, separated
from contracts.money import Money, percent
from settlement.collecting.rules import Wire, spaced
from settlement.fees.rules import SEAT

A_MOMENT = timedelta(microseconds=1)  # before the first late instant lies the last day to pay
TYPE, RED_TYPE = "uhdx.invoice/v1", "uhdx.red-letter/v1"
SUBJECTS: Mapping[str, Mapping[str, str]] = {
    "price": {"zh": "许可费", "en": "Licence fee"},
    "instalment": {"zh": "许可费（分期）", "en": "Licence fee, instalment"},
    "deferral": {"zh": "分期付款利息", "en": "Interest on an instalment"},
    "royalties": {"zh": "分成", "en": "Royalties"},
    "service-fee": {"zh": "交易服务费", "en": "Service fee of the exchange"},
    "interest": {"zh": "逾期付款违约金", "en": "Interest for late payment"},
}


@dataclass(frozen=True, slots=True)
class Issued:
    """An invoice as it was issued, with all that its page names.

    `tax` is in `gross` (价税合计); `rate_bp` is its rate, `deposit` what a deposit had paid of it.
    `due_at` is the first instant that is late; `wire` how it was to be paid by bank on that day.
    """

    id: UUID
    number: str
    issued_at: datetime
    seller: Side
    buyer: Side
    kind: str
    contract_no: str
    title: Mapping[str, str]
    gross: Money
    tax: Money
    rate_bp: int
    deposit: Money
    due_at: datetime | None = None
    wire: Wire | None = None


@dataclass(frozen=True, slots=True)
class Red:
    """What a red letter takes back of an invoice; amounts are positive.

    `code` is the tax authority's number of the reason, `kind` its words, `reason` the issuer's own.
    """

    id: UUID
    number: str
    issued_at: datetime
    amount: Money
    tax: Money
    code: str
    kind: Mapping[str, str]
    reason: str


def page(one: Issued) -> dict[str, Any]:
    """Return everything that the page of an invoice shows, as JSON holds it."""
    return {
        "typ": TYPE,
        "id": str(one.id),
        "number": one.number,
        "issued_at": rfc3339.to_the_second(one.issued_at),
        "issued_on": _day(one.issued_at),
        "seller": one.seller.named(),
        "buyer": one.buyer.named(),
        "subject": dict(SUBJECTS[one.kind]),
        "contract_no": one.contract_no,
        "title": dict(one.title),
        "currency": one.gross.currency,
        "tax_rate": percent(one.rate_bp),
        "net": _amount(one.gross - one.tax),
        "tax": _amount(one.tax),
        "gross": _amount(one.gross),
        "deposit": _amount(one.deposit) if one.deposit.amount_minor else None,
        "due": _amount(one.gross - one.deposit),
        "in_words": words.in_chinese(one.gross),
        "pay_by": None if one.due_at is None else _day(one.due_at - A_MOMENT),
        "wire": None if one.wire is None else _wire(one.wire),
    }


def red_page(one: Issued, red: Red) -> dict[str, Any]:
    """Return everything that the page of a red letter shows: what it takes back, with a minus."""
    left = one.gross - red.amount
    return {
        **page(one),
        "typ": RED_TYPE,
        "id": str(red.id),
        "number": red.number,
        "issued_at": rfc3339.to_the_second(red.issued_at),
        "issued_on": _day(red.issued_at),
        "net": _minus(red.amount - red.tax),
        "tax": _minus(red.tax),
        "gross": _minus(red.amount),
        "deposit": None,
        "due": None,
        "pay_by": None,
        "wire": None,
        "in_words": f"（负数）{words.in_chinese(red.amount)}",
        "red": {
            "invoice": str(one.id),
            "number": one.number,
            "issued_on": _day(one.issued_at),
            "gross": _amount(one.gross),
            "whole": left.amount_minor == 0,
            "code": red.code,
            "kind": dict(red.kind),
            "reason": red.reason,
        },
    }


def _wire(wire: Wire) -> dict[str, Any]:
    """Return what the payer writes into a transfer; `custody` says who holds the account."""
    return {
        "beneficiary": wire.holder,
        "account_name": wire.name,
        "number": spaced(wire.number) if wire.scheme == "iban" else wire.number,
        "bank": wire.bank_name,
        "bank_code": wire.member_id or wire.bic or "",
        "reference": spaced(wire.reference),
        "custody": wire.custody,
    }


def _minus(money: Money) -> str:
    return f"-{_amount(money)}" if money.amount_minor else _amount(money)


def _amount(money: Money) -> str:
    return separated(money.decimal())


def _day(at: datetime) -> dict[str, str]:
    day = at.astimezone(SEAT).date()
    return {"zh": f"{day.year}年{day.month}月{day.day}日", "en": day.isoformat()}
