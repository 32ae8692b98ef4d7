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
KINDS = (JOURNAL, REVERSAL, EXCHANGE, MARK, CLOSE)
BOOKING = (JOURNAL, REVERSAL, EXCHANGE)  # those that leave a journal
MANUAL = "journal.manual"  # what a journal made by hand is called in the books
MOST_LINES = 100
# Each of these is kept equal to something outside the ledger, by the slice that it belongs to.
KEPT_ELSEWHERE = ("deposit:", "forfeited:", "bank:", "fx:")
# Accounts about nobody, which open on demand; every other has to be there already.
GENERAL = (
    ledger.PSP_CLEARING,
    ledger.COMMISSION,
    ledger.SUSPENSE_PSP,
    ledger.SUSPENSE_BANK,
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
    hint = "Use an account of the trial balance that is no deposit, bank or position."


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
    for plain, _ in lines:
        if plain.startswith(KEPT_ELSEWHERE):
            raise AccountNotByHand("The account is kept elsewhere.", account=plain)
    currencies = sorted({amount.currency for _, amount in lines})
    if len(currencies) > 1:
        raise JournalInTwoCurrencies("The lines are in two currencies.", currencies=currencies)
    off = ledger.imbalance(lines)
    if off or sum(1 for _, amount in lines if amount.amount_minor) < 2:
        raise JournalUnbalanced("Debits and credits are not equal.", off_minor=off)
    return lines


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
