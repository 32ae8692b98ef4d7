"""What an exported table holds, and how its cells are written (pure).

Amounts are exact decimals in major units, written as text: no spreadsheet rounds them. A text that
a spreadsheet would run as a formula gets an apostrophe before it.

Source: OWASP, "CSV Injection" (which first characters start a formula).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from contracts import rfc3339
from contracts.money import EXPONENTS

Cell = str | int | UUID | datetime | Decimal | None
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
    "journals": (
        "journal", "key", "kind", "actor", "settlement", "effective_at", "occurred_at", "reason",
        "reversal_of", "line", "account", "debit", "credit", "balance_after", "currency",
    ),
}  # fmt: skip
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
