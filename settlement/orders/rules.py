"""What staff may ask of the ledger by hand (手工凭证, 红冲, 换汇, 冻结, 结账), as data (pure).

An order is plain JSON: what to do and why. Its canonical bytes are what another person approves.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.money import EXPONENTS, Money
from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as ledger
from settlement.ledger.rules import Line

JOURNAL, REVERSAL, EXCHANGE = "journal", "reversal", "exchange"
MARK, CLOSE = "mark", "close"
MANUAL = "journal.manual"  # what a journal made by hand is called in the books
MOST_LINES = 100
# Each of these is kept equal to something outside the ledger, by the slice that it belongs to.
KEPT_ELSEWHERE = (
    "deposit:", "forfeited:", "bank:", "fx:", ledger.SUSPENSE_BANK, ledger.PSP_IN_TRANSIT,
    "tax:wht:",
)  # fmt: skip
# These are about nobody and nothing else; every other account is made of items (明细), and a line
# by hand on it names the one that it explains.
FREE = (ledger.COMMISSION, "expense:", "equity:")
# Accounts about nobody, which open on demand; every other has to be there already.
GENERAL = (
    ledger.PSP_CLEARING,
    ledger.COMMISSION,
    ledger.BANK_FEES,
    ledger.PSP_FEES,
    ledger.OPENING_MONEY,
)
# Other journals belong to an invoice, a payout, a deposit, which would not follow a reversal.
REVERSIBLE = (MANUAL, "fx.exchanged")


class JournalUnbalanced(Refusal):
    """Debits and credits of a journal made by hand are not equal."""

    kind, code = Kind.INVALID, "journal-unbalanced"
    hint = "Two lines or more that move something and add up to nothing; `off_minor` is left over."


class JournalInTwoCurrencies(Refusal):
    """A journal made by hand is in more than one currency."""

    kind, code = Kind.INVALID, "journal-in-two-currencies"
    hint = "Make one journal for each currency, or order an exchange at a quote."


class AccountNotByHand(Refusal):
    """An account is not there, or is kept equal to something outside the ledger."""

    kind, code = Kind.CONFLICT, "account-not-by-hand"
    hint = (
        "Use an account of the trial balance that is no deposit, bank or position; money in "
        "suspense at the bank is released on the page of the bank."
    )


class JournalItemNotNamed(Refusal):
    """The account is made of items: the line names none, or more than is left of the one named."""

    kind, code = Kind.CONFLICT, "journal-item-not-named"
    hint = (
        "Name in `explains` the key of the journal that put it there (as the account's statement "
        "shows it), and move back at most `left_minor`."
    )


class JournalStays(Refusal):
    """A journal cannot be reversed by hand: what it belongs to would not follow."""

    kind, code = Kind.CONFLICT, "journal-stays"
    hint = "Undo it where it was made (a refund, a release), or book what is right by hand."


def content(order_id: UUID, kind: str, what: Mapping[str, Any], reason: str) -> bytes:
    """Return the canonical bytes of an order: all that it will do, and why."""
    return canonical.dumps(
        {"order": str(order_id), "kind": kind, "what": dict(what), "reason": reason}
    )


def line(code: str, amount_minor: int) -> Line:
    """Return a line of the ledger from a stored code, whose currency stands last.

    Raises:
        AccountNotByHand: the code names no currency of the exchange.
    """
    plain, _, currency = code.rpartition(":")
    if not plain or currency not in EXPONENTS:
        raise AccountNotByHand("The code names no currency.", account=code)
    return plain, Money(amount_minor, currency)


def journal_lines(what: Mapping[str, Any]) -> list[Line]:
    """Return the lines of a journal made by hand.

    Raises:
        AccountNotByHand: an account is kept equal to something outside the ledger.
        JournalInTwoCurrencies, JournalUnbalanced: see there.
    """
    lines = [line(each["account"], each["amount_minor"]) for each in what["lines"]]
    check_not_kept(lines)
    currencies = sorted({amount.currency for _, amount in lines})
    if len(currencies) > 1:
        raise JournalInTwoCurrencies("The lines are in two currencies.", currencies=currencies)
    off = ledger.imbalance(lines)
    if off or sum(1 for _, amount in lines if amount.amount_minor) < 2:
        raise JournalUnbalanced("Debits and credits are not equal.", off_minor=off)
    return lines


def check_not_kept(lines: Iterable[Line]) -> None:
    """Check that no account is kept equal to something outside the ledger.

    Raises:
        AccountNotByHand: one is.
    """
    for plain, _ in lines:
        if plain.startswith(KEPT_ELSEWHERE):
            raise AccountNotByHand("The account is kept elsewhere.", account=plain)


def explained(what: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Return what a journal by hand moves of each item, by the account's stored code and the key.

    Raises:
        JournalItemNotNamed: a line on an account that is made of items names none.
    """
    moved: dict[tuple[str, str], int] = {}
    for each in what["lines"]:
        code, key = each["account"], each.get("explains")
        if code.startswith(FREE) or not each["amount_minor"]:
            continue
        if not key:
            raise JournalItemNotNamed("The line names no item.", account=code)
        moved[code, key] = moved.get((code, key), 0) + each["amount_minor"]
    return moved


def check_item(code: str, moved_minor: int, *, left_minor: int) -> None:
    """Check that a line moves an item back, and at most what is left of it.

    Args:
        code: the account.
        moved_minor: what the line does to it, debit positive.
        left_minor: what the item did to it, less what was explained before; nothing for no item.

    Raises:
        JournalItemNotNamed: it moves more, or away from nothing.
    """
    if moved_minor * left_minor >= 0 or abs(moved_minor) > abs(left_minor):
        raise JournalItemNotNamed(
            "There is not as much left of this item.",
            account=code, left_minor=left_minor, currency=code.rpartition(":")[2],
        )  # fmt: skip


def check_known(lines: Iterable[Line], known: Iterable[str]) -> None:
    """Check that every account is there, or is a general one that opens on demand.

    Raises:
        AccountNotByHand: one is neither.
    """
    there = set(known)
    for plain, amount in lines:
        code = ledger.account_code(plain, amount.currency)
        if plain not in GENERAL and code not in there:
            raise AccountNotByHand("There is no such account.", account=code)


def check_reversible(kind: str) -> None:
    """Check that a journal of this kind may be reversed by hand.

    Raises:
        JournalStays: an invoice, a payout or a deposit would not follow.
    """
    if kind not in REVERSIBLE:
        raise JournalStays("This journal is not reversed by hand.", journal_kind=kind)
