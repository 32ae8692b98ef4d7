"""What an exported table holds, and how its cells are written (pure).

Amounts are exact decimals in major units, written as text: no spreadsheet rounds them. A text that
a spreadsheet would run as a formula gets an apostrophe before it.

Source: OWASP, "CSV Injection" (which first characters start a formula).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from contracts import rfc3339
from contracts.money import EXPONENTS

Cell = str | int | UUID | datetime | date | Decimal | None
Row = tuple[Cell, ...]
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "settlements": (
        "settlement", "deal", "kind", "contract_no", "state", "planned_at", "line", "payee",
        "payee_zh", "payee_en", "part", "rate_bp", "amount", "currency", "reason",
    ),
    "payouts": (
        "payout", "settlement", "state", "prepared_by", "prepared_at", "decided_by", "decided_at",
        "reason", "paid_at", "content_sha256", "payee", "account", "amount", "currency",
        "transfer_state", "provider_id",
    ),
    "invoices": (
        "invoice", "number", "settlement", "payer", "payer_zh", "payer_en", "amount", "tax",
        "tax_rate_bp", "deposit", "due", "currency", "state", "issued_at", "paid_at", "paid_by",
    ),
    "withheld": (
        "withheld", "settlement", "payout", "payee", "payee_zh", "payee_en", "country", "tax",
        "rule", "rate_bp", "gross", "amount", "currency", "withheld_on", "period", "due_on",
        "authority", "remittance", "remittance_state", "remitted", "receipt_no", "receipt_on",
        "certificate_no", "legal_basis",
    ),
    "journals": (
        "journal", "key", "kind", "actor", "settlement", "effective_at", "occurred_at", "reason",
        "reversal_of", "line", "account", "debit", "credit", "balance_after", "currency",
    ),
    "deposits": (
        "auction", "party", "party_zh", "party_en", "state", "required", "paid_in", "held",
        "released", "applied", "forfeited", "currency", "required_at", "frozen_at", "free_at",
        "return_by",
    ),
    "refunds": (
        "refund", "settlement", "payment", "payer", "payer_zh", "payer_en", "amount", "currency",
        "reason", "state", "prepared_by", "prepared_at", "decided_by", "decided_at",
        "refused_reason", "made_at", "provider_id", "content_sha256", "goes_to", "failed_at",
        "resends",
    ),
    "disputes": (
        "dispute", "provider_id", "settlement", "payment", "payer", "payer_zh", "payer_en",
        "amount", "drawn", "currency", "reason", "state", "evidence_due_at", "opened_at",
        "closed_at", "charged_at",
    ),
    "bank-lines": (
        "line", "bank_account", "bank_account_name", "statement", "seq", "booked_on", "valued_on",
        "amount", "currency", "name", "counterparty_account", "text", "bank_ref",
        "end_to_end_id", "payment_file", "return_reason",
    ),
    "suspense": (
        "item", "bank_account", "bank_account_name", "bank_line", "cause", "amount", "currency",
        "owner", "opened_at", "due_on", "state", "released_at",
    ),
    "statement": (
        "account", "name_zh", "name_en", "effective_at", "occurred_at", "kind", "key",
        "settlement", "reason", "amount", "balance", "currency",
    ),
}  # fmt: skip
# Which moment of its rows a table's period is about; a bank's line has a day and no hour.
OPENING, CLOSING = "opening", "closing"  # of an account's statement, in the place of a kind


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a table in Shanghai, both of them whole; None where it is open."""

    first: date | None
    last: date | None


_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")  # XML 1.0 has no place for these


def decimal(minor: int, currency: str) -> Decimal:
    """Return an amount in major units, with every place that its currency has."""
    return Decimal(minor).scaleb(-EXPONENTS[currency])


def written(cell: Cell) -> str:
    """Return the text of a cell; numbers as they are, all else without power over a spreadsheet."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return rfc3339.to_the_second(cell)
    text = f"{cell:f}" if isinstance(cell, Decimal) else _UNSEEN.sub("", str(cell))
    if text.startswith(_STARTS_A_FORMULA) and _NUMBER.fullmatch(text) is None:
        return f"'{text}"
    return text
