"""Decisions of the ledger: the chart of accounts, what a journal looks like, what a rate gives.

Amounts are signed: debit positive, credit negative.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from contracts import canonical
from contracts.money import EXPONENTS, Money
from contracts.refusal import Kind, Refusal

PSP_CLEARING = "psp:stripe:clearing"
PSP_IN_TRANSIT = "psp:stripe:in-transit"  # on its way from the provider to our bank (提现在途)
COMMISSION = "commission"
VAT_OUTPUT = "tax:vat:output"  # owed to the tax authority on what the exchange earned (销项税)
SUSPENSE_PSP = "suspense:psp"
SUSPENSE_BANK = "suspense:bank"  # money at the bank that nothing explains yet (待核销)
BANK_FEES = "expense:bank-fees"
PSP_FEES = "expense:psp-fees"  # what the payment provider keeps of each charge (手续费)
DISPUTE_RESERVE = "dispute:reserve"  # what was drawn for disputes that are not decided (争议准备)
CUSTODY_OPENING = "custody:opening"  # what lay in an escrow account before, which is others'
OPENING_MONEY = "equity:opening"  # what lay in an account before it was followed
FX_POSITION = "fx:position"  # what was taken in of a currency and not yet given (外汇头寸)
RATE_PLACES = 10
RATE_MOST = Decimal(10**10)
QUOTE_LASTS = timedelta(hours=24)  # the mid rates of a central bank are set once a day
BANK_DEPOSITS = "bank:deposits"  # the bank account that holds deposits alone (保证金专户)

Line = tuple[str, Money]


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal to be booked among others; its fields as `service.post` takes them."""

    idem_key: str
    kind: str
    actor: str
    deal_id: UUID | None
    lines: Sequence[Line]


ABOUT_PARTIES = ("receivable:", "payee:", "deposit:", "forfeited:", "recoverable:", "refund:")
_IDS = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


class JournalKeyReused(Refusal):
    """The journal's key is taken by a journal with other content."""

    kind, code = Kind.CONFLICT, "journal-key-reused"
    hint = "One effect has one key; book another effect under another key."


class LimitReached(Refusal):
    """The account would pass its limit, counting what is held of it."""

    kind, code = Kind.CONFLICT, "account-limit-reached"
    hint = "Move no more than is there and not held."


class AccountNotOpen(Refusal):
    """The account is frozen or closed."""

    kind, code = Kind.CONFLICT, "account-not-open"
    hint = "See who froze the account and why; only they or their office open it again."


class AccountUnlimited(Refusal):
    """The account records what others did: nothing is held on it, and it is never frozen."""

    kind, code = Kind.CONFLICT, "account-without-limit"
    hint = "Hold or freeze what is owed to somebody, not the record of a bank or a provider."


class AccountNotMarkable(Refusal):
    """The account is closed for good, or cannot be closed while something is on it."""

    kind, code = Kind.CONFLICT, "account-not-markable"
    hint = "Bring its balance and its holds to nothing first; a closed account stays closed."


class PeriodClosed(Refusal):
    """The books are closed at the instant at which the journal would take effect."""

    kind, code = Kind.CONFLICT, "period-closed"
    hint = "Book it in the open period, with the instant at which it happened beside."


class CloseNotLater(Refusal):
    """The books are closed up to this instant or beyond, or it has not come yet."""

    kind, code = Kind.CONFLICT, "close-not-later"
    hint = "Close up to an instant that has passed and that is later than the last close."


class HoldEnded(Refusal):
    """The hold has ended: each is captured, released or expired once."""

    kind, code = Kind.CONFLICT, "hold-ended"
    hint = "Make a new hold."


class HoldOutOfTime(Refusal):
    """The hold has run out, or has not yet."""

    kind, code = Kind.CONFLICT, "hold-out-of-time"
    hint = "Capture before it expires; make a new hold afterwards."


class HoldTooSmall(Refusal):
    """More is captured than was held, or in the other direction."""

    kind, code = Kind.CONFLICT, "hold-too-small"
    hint = "Capture at most what was held."


class AlreadyReversed(Refusal):
    """The journal has been reversed."""

    kind, code = Kind.CONFLICT, "already-reversed"
    hint = "A journal is reversed once; book what is right as a new journal."


class ReversalStays(Refusal):
    """The journal is itself a reversal."""

    kind, code = Kind.CONFLICT, "reversal-stays"
    hint = "Book again what was reversed, as a new journal."


class QuoteNotValid(Refusal):
    """The quote is of other currencies, or does not hold at this instant."""

    kind, code = Kind.CONFLICT, "quote-not-valid"
    hint = "Ask for a fresh quote of the two currencies."


class RateInvalid(Refusal):
    """The rate is not a positive decimal with ten places at most, or lasts too long."""

    kind, code = Kind.INVALID, "rate-invalid"
    hint = "Send a decimal like 7.1023, and a quote that holds for 24 hours at most."


# What the database says no with, by the name of the rule.
REFUSALS: Mapping[str, type[Refusal]] = {
    "ledger_limit": LimitReached,
    "ledger_account_open": AccountNotOpen,
    "ledger_account_limited": AccountUnlimited,
    "ledger_account_markable": AccountNotMarkable,
    "ledger_period_open": PeriodClosed,
    "ledger_close_goes_on": CloseNotLater,
    "ledger_hold_in_time": HoldOutOfTime,
    "ledger_hold_covers": HoldTooSmall,
    "ledger_hold_end_captures_or_not": HoldTooSmall,
    "ledger_hold_end_pkey": HoldEnded,
    "ledger_journal_reversal_of_key": AlreadyReversed,
}


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
    ("custody:", Opening("liability")),
    (VAT_OUTPUT, Opening("liability")),
    ("tax:wht:", Opening("liability", ceiling_minor=0)),
    ("recoverable:", Opening("asset", floor_minor=0)),
    ("refund:", Opening("liability", ceiling_minor=0)),
    ("dispute:", Opening("asset")),
    (FX_POSITION, Opening("asset")),
    ("expense:", Opening("expense")),
    ("equity:", Opening("equity")),
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


def recoverable(party_id: UUID) -> str:
    """Return the code of what a payee was paid and has to give back (应收追回)."""
    return f"recoverable:{party_id}"


def withheld(authority: str, tax: str) -> str:
    """Return the code of what was withheld for a tax authority and not remitted (代扣税款)."""
    return f"tax:wht:{authority}/{tax}"


def withheld_in_transit(authority: str, tax: str) -> str:
    """Return the code of withheld tax on its way to the authority (解缴在途)."""
    return f"tax:wht:{authority}/{tax}:in-transit"


def recoverable_tax(authority: str, tax: str) -> str:
    """Return the code of tax that was remitted for what went back since (应收退税)."""
    return f"recoverable:tax:{authority}/{tax}"


def refund_in_transit(party_id: UUID) -> str:
    """Return the code of what is on its way back to a payer (退款在途)."""
    return f"refund:{party_id}:in-transit"


def bank_account(account_id: UUID) -> str:
    """Return the code that mirrors one account of the exchange's own at a bank (银行存款)."""
    return f"bank:{account_id}"


def escrow_account(account_id: UUID) -> str:
    """Return the code that mirrors an account whose money a bank holds for others (监管账户)."""
    return f"bank:escrow:{account_id}"


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


def owner_of(code: str) -> UUID | None:
    """Return the party that an account is about: the last id in its code; None for the others.

    The record of a bank or of the payment provider is about nobody, whatever its code names.
    """
    found = _IDS.findall(code) if code.startswith(ABOUT_PARTIES) else []
    return UUID(found[-1]) if found else None


def imbalance(lines: Sequence[Line]) -> dict[str, int]:
    """Return what each currency's lines add up to, where that is not zero."""
    sums: dict[str, int] = defaultdict(int)
    for _, amount in lines:
        sums[amount.currency] += amount.amount_minor
    return {currency: total for currency, total in sums.items() if total}


def request_hash(
    kind: str,
    actor: str,
    deal_id: UUID | None,
    lines: Sequence[Line],
    more: Mapping[str, str] | None = None,
) -> bytes:
    """Return SHA-256 of a journal's content, without its time: a retry comes later.

    `more` is what the journal says beside its lines: its reason, the quote, the journal reversed.
    """
    content = {
        "kind": kind,
        "actor": actor,
        "deal": None if deal_id is None else str(deal_id),
        "lines": sorted(
            [account_code(code, amount.currency), amount.amount_minor] for code, amount in lines
        ),
        **(more or {}),
    }
    return bytes.fromhex(canonical.sha256_hex(canonical.quick(content)))


def checked(lines: Sequence[Line]) -> list[Line]:
    """Return the lines that move something.

    Raises:
        ValueError: fewer than two remain, or they do not balance (a bug, not a refusal).
    """
    moving = [(code, amount) for code, amount in lines if amount.amount_minor]
    if len(moving) < 2 or imbalance(moving):
        raise ValueError(f"a journal needs two lines and a zero sum: {imbalance(moving)}")
    return moving


@dataclass(frozen=True, slots=True)
class Quote:
    """One `base` costs `rate` of `counter`, in major units, from `quoted_at` to `valid_until`."""

    base: str
    counter: str
    rate: Decimal
    quoted_at: datetime
    valid_until: datetime


def check_quote(quote: Quote) -> None:
    """Refuse a rate that cannot be stored exactly, and one that holds too long.

    Raises:
        RateInvalid: see there.
        WrongCurrency: a currency is not handled.
    """
    Money(0, quote.base), Money(0, quote.counter)
    rate = quote.rate
    if not rate.is_finite() or not 0 < rate < RATE_MOST or rate != round(rate, RATE_PLACES):
        raise RateInvalid("A rate is positive and has ten decimals at most.", rate=str(rate))
    if quote.base == quote.counter:
        raise RateInvalid("A rate is between two currencies.", currency=quote.base)
    if not timedelta(0) < quote.valid_until - quote.quoted_at <= QUOTE_LASTS:
        raise RateInvalid("A quote holds for 24 hours at most.")


def exchanged(quote: Quote, sold: Money, *, into: str, at: datetime) -> Money:
    """Return what an amount gives in the other currency, rounded towards zero (exact arithmetic).

    Whoever changes there and back at one quote never gains.

    Raises:
        QuoteNotValid: the quote is of other currencies, or does not hold at `at`.
    """
    if not quote.quoted_at <= at < quote.valid_until:
        raise QuoteNotValid("The quote does not hold at this instant.")
    ratio = minor_ratio(quote)
    if (sold.currency, into) == (quote.counter, quote.base):
        ratio = 1 / ratio
    elif (sold.currency, into) != (quote.base, quote.counter):
        raise QuoteNotValid("The quote is of other currencies.")
    minor = int(abs(sold.amount_minor) * ratio)
    return Money(minor if sold.amount_minor >= 0 else -minor, into)


def minor_ratio(quote: Quote) -> Fraction:
    """Return how many minor units of `counter` one minor unit of `base` costs."""
    return Fraction(quote.rate) * Fraction(10) ** (EXPONENTS[quote.counter] - EXPONENTS[quote.base])


def exchange_lines(give: Line, take: str, bought: Money) -> list[Line]:
    """Return the four lines: out of one account, through both positions, into the other."""
    amount = give[1]
    return [
        give,
        (FX_POSITION, Money(-amount.amount_minor, amount.currency)),
        (FX_POSITION, bought),
        (take, Money(-bought.amount_minor, bought.currency)),
    ]
