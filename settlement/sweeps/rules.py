"""Decisions about sweeps: how much of the provider's balance is free, and what each step books.

A sweep never drains what others wait for: what is owed to payees and payers of card payments, what
open disputes may still draw, and what sweeps that nobody has an answer about may already have taken
are all left where they are.

Source: docs.stripe.com/payouts (manual payouts: pending, in_transit, paid, failed; one that was
shown as paid may still fail).
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line

PREPARED, APPROVED, REFUSED = "prepared", "approved", "refused"
IN_TRANSIT, PAID, FAILED = "in_transit", "paid", "failed"
# What the provider may have under way: its line at the bank may come at any time.
EXPECTED = (APPROVED, IN_TRANSIT, PAID)
STATES = {
    "pending": IN_TRANSIT,
    "in_transit": IN_TRANSIT,
    "paid": PAID,
    "failed": FAILED,
    "canceled": FAILED,
}
# A sweep only ever climbs, whatever is heard in whatever order.
RANK = {APPROVED: 0, IN_TRANSIT: 1, PAID: 2, FAILED: 3}
LOOK_FIRST, LOOK_AGAIN, LOOK_LATE = timedelta(hours=1), timedelta(hours=6), timedelta(days=1)
MAY_COME_BACK = timedelta(days=14)  # a bank sends a payout back within five working days
ARRIVES_WITHIN = timedelta(days=3)  # of the announced day: weekends and holidays of the bank


class SweepTooLarge(Refusal):
    """More would leave the provider than is ours and available there."""

    kind, code = Kind.CONFLICT, "sweep-too-large"
    hint = "Sweep at most `most`; the rest is owed to others, or is not available yet."


@dataclass(frozen=True, slots=True)
class Funds:
    """What there is at the provider in a currency, and who waits for it, in minor units.

    Attributes:
        available_minor: what the provider's list of movements has that may be used by now.
        pending_minor: what that list has that may not be used yet.
        ledger_minor: what the ledger has at the provider, used or not.
        owed_minor: what payees, payers and bidders are owed out of it.
        disputed_minor: what open disputes may still draw.
        instructed_minor: approved sweeps of which nobody knows yet whether they were made.
    """

    available_minor: int
    pending_minor: int
    ledger_minor: int
    owed_minor: int
    disputed_minor: int
    instructed_minor: int

    @property
    def free_minor(self) -> int:
        """What may be swept: never what others wait for, and never more than both books have."""
        usable = min(self.available_minor, self.ledger_minor - self.pending_minor)
        kept = self.owed_minor + self.disputed_minor + self.instructed_minor
        return max(0, usable - kept)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a sweep is: how much goes to which account of ours at a bank."""

    account_id: UUID
    amount: Money


@dataclass(frozen=True, slots=True)
class SeenSweep:
    """A payout as the provider shows it now; `sweep_id` is the id we gave it, if it is ours."""

    provider_id: str
    status: str
    amount: Money
    arrives_on: date
    fault: str | None
    sweep_id: UUID | None

    @property
    def state(self) -> str:
        """What the status means here; a word not known yet is on its way."""
        return STATES.get(self.status, IN_TRANSIT)


@dataclass(frozen=True, slots=True)
class Expected:
    """A sweep that a line of a statement may show; `named` are the words that a bank may repeat."""

    sweep_id: UUID
    amount_minor: int
    account_id: UUID
    named: tuple[str, ...]
    arrives_on: date | None


def check_amount(amount: Money, funds: Funds) -> None:
    """Check that a sweep takes only what is free.

    Raises:
        SweepTooLarge: less is free.
    """
    free = funds.free_minor
    if not 0 < amount.amount_minor <= free:
        raise SweepTooLarge(
            "Less is free at the provider.",
            most={"amount_minor": free, "currency": amount.currency},
        )


def content(sweep_id: UUID, ask: Ask, *, account: str, descriptor: str) -> bytes:
    """Return the canonical bytes of everything that a sweep will do."""
    said: dict[str, Any] = {
        "sweep": str(sweep_id),
        "account": str(ask.account_id),
        "number": account,
        "amount_minor": ask.amount.amount_minor,
        "currency": ask.amount.currency,
        "descriptor": descriptor,
    }
    return canonical.dumps(said)


def climbs(now: str, then: str) -> bool:
    """Tell whether a sweep may go from one state to another."""
    return RANK[then] > RANK[now]


def next_look(
    state: str, *, landed: bool, arrives_on: date | None, now: datetime
) -> datetime | None:
    """Return when the provider is asked again without being heard of; None: never."""
    if state == IN_TRANSIT:
        return now + LOOK_AGAIN
    if state != PAID or arrives_on is None:
        return None
    if landed or now.date() - arrives_on > MAY_COME_BACK:
        return None
    return now + LOOK_LATE


def named_in(said: str, expected: Expected) -> bool:
    """Tell whether the words of a statement's line name a sweep, whole and in any case."""
    words = set(re.split(r"[^A-Z0-9_]+", said.upper()))
    return any(name.upper() in words for name in expected.named)


def is_due(expected: Expected, booked_on: date | None) -> bool:
    """Tell whether a line of this day may be a sweep that was announced for another."""
    if expected.arrives_on is None or booked_on is None:
        return False
    return expected.arrives_on <= booked_on <= expected.arrives_on + ARRIVES_WITHIN


def made_lines(amount: Money) -> list[Line]:
    """Return the journal of a payout that was made: it left the balance, it is on its way."""
    return [(accounts.PSP_IN_TRANSIT, amount), (accounts.PSP_CLEARING, _minus(amount))]


def failed_lines(amount: Money) -> list[Line]:
    """Return the journal of a payout that came back: the balance has it again."""
    return [(code, _minus(moved)) for code, moved in made_lines(amount)]


def landed_lines(into: str, amount: Money) -> list[Line]:
    """Return the journal of a payout that a statement shows: it is on its way no more."""
    return [(into, amount), (accounts.PSP_IN_TRANSIT, _minus(amount))]


def _minus(amount: Money) -> Money:
    return Money(-amount.amount_minor, amount.currency)
