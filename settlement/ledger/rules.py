"""Decisions of the ledger: the chart of accounts, and what a journal must look like.

Amounts are signed: debit positive, credit negative.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import Kind, Refusal

PSP_CLEARING = "psp:stripe:clearing"
COMMISSION = "commission"
SUSPENSE_PSP = "suspense:psp"
BANK_DEPOSITS = "bank:deposits"  # the bank account that holds deposits alone (保证金专户)

Line = tuple[str, Money]


class JournalKeyReused(Refusal):
    """The journal's key is taken by a journal with other content."""

    kind, code = Kind.CONFLICT, "journal-key-reused"
    hint = "One effect has one key; book another effect under another key."


@dataclass(frozen=True, slots=True)
class Opening:
    """What an account is opened with: its kind and the limits of its balance."""

    kind: str
    floor_minor: int | None = None
    ceiling_minor: int | None = None


# What payees and bidders are owed and what buyers owe can never change sides; accounts that mirror
# what others did (psp, bank, suspense) have no limit, because an outside fact cannot be refused.
CHART: tuple[tuple[str, Opening], ...] = (
    ("psp:", Opening("asset")),
    ("bank:", Opening("asset")),
    ("deposit:", Opening("liability", ceiling_minor=0)),
    ("forfeited:", Opening("liability", ceiling_minor=0)),
    ("receivable:", Opening("asset", floor_minor=0)),
    ("payee:", Opening("liability", ceiling_minor=0)),
    ("commission", Opening("income", ceiling_minor=0)),
    ("suspense:", Opening("liability")),
)


def receivable(party_id: UUID) -> str:
    """Return the code of what a buyer owes (应收)."""
    return f"receivable:{party_id}"


def payee_held(party_id: UUID) -> str:
    """Return the code of what a payee will be owed once the buyer has paid."""
    return f"payee:{party_id}:held"


def payee_due(party_id: UUID) -> str:
    """Return the code of what a payee is owed (应付)."""
    return f"payee:{party_id}:due"


def payee_in_transit(party_id: UUID) -> str:
    """Return the code of what is on its way to a payee (在途)."""
    return f"payee:{party_id}:in-transit"


def deposit(auction_id: UUID, party_id: UUID) -> str:
    """Return the code of what is held of a bidder's deposit (保证金)."""
    return f"deposit:{auction_id}:{party_id}"


def deposit_returning(party_id: UUID) -> str:
    """Return the code of deposits on their way back to a bidder (退还在途)."""
    return f"deposit:{party_id}:returning"


def forfeited(auction_id: UUID, party_id: UUID) -> str:
    """Return the code of a forfeited deposit that is still to be distributed."""
    return f"forfeited:{auction_id}:{party_id}"


def opening(code: str) -> Opening:
    """Return how an account of this code is opened.

    Raises:
        ValueError: the chart of accounts has no such code (a bug, not a refusal).
    """
    for prefix, how in CHART:
        if code.startswith(prefix):
            return how
    raise ValueError(f"account code {code!r} is not in the chart of accounts")


def account_code(code: str, currency: str) -> str:
    """Return the stored code: an account lives in one currency, named last."""
    return f"{code}:{currency}"


def imbalance(lines: Sequence[Line]) -> dict[str, int]:
    """Return what each currency's lines add up to, where that is not zero."""
    sums: dict[str, int] = defaultdict(int)
    for _, amount in lines:
        sums[amount.currency] += amount.amount_minor
    return {currency: total for currency, total in sums.items() if total}


def request_hash(kind: str, actor: str, deal_id: UUID | None, lines: Sequence[Line]) -> bytes:
    """Return SHA-256 of a journal's content, without its time: a retry comes later."""
    content = {
        "kind": kind,
        "actor": actor,
        "deal": None if deal_id is None else str(deal_id),
        "lines": sorted(
            [account_code(code, amount.currency), amount.amount_minor] for code, amount in lines
        ),
    }
    return bytes.fromhex(canonical.sha256_hex(canonical.dumps(content)))


def checked(lines: Sequence[Line]) -> list[Line]:
    """Return the lines that move something.

    Raises:
        ValueError: fewer than two remain, or they do not balance (a bug, not a refusal).
    """
    moving = [(code, amount) for code, amount in lines if amount.amount_minor]
    if len(moving) < 2 or imbalance(moving):
        raise ValueError(f"a journal needs two lines and a zero sum: {imbalance(moving)}")
    return moving
