"""Decisions about disputes: which word of the provider's means what, and what money moved (pure).

Source: docs.stripe.com/disputes/how-disputes-work: an inquiry (`warning_…`) moves no money; a
dispute draws its amount and a fee at once, and a won one brings the amount back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.money import Money
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line

INQUIRY, INQUIRY_CLOSED = "inquiry", "inquiry_closed"
RECEIVED, UNDER_REVIEW, WON, LOST = "received", "under_review", "won", "lost"
OPEN = (INQUIRY, RECEIVED, UNDER_REVIEW)
STATES = {
    "warning_needs_response": INQUIRY,
    "warning_under_review": INQUIRY,
    "warning_closed": INQUIRY_CLOSED,
    "needs_response": RECEIVED,
    "under_review": UNDER_REVIEW,
    "won": WON,
    "prevented": WON,
    "lost": LOST,
}
# A dispute only ever climbs; an inquiry may become a dispute, even once it was closed.
RANK = {INQUIRY: 0, INQUIRY_CLOSED: 1, RECEIVED: 2, UNDER_REVIEW: 3, WON: 4, LOST: 4}


@dataclass(frozen=True, slots=True)
class Movement:
    """One balance transaction of a dispute: `amount` as it changed our balance, `fee` kept."""

    id: str
    amount: Money
    fee: Money


@dataclass(frozen=True, slots=True)
class SeenDispute:
    """A dispute as the provider shows it now."""

    provider_id: str
    status: str
    amount: Money
    reason: str
    evidence_due_at: datetime | None
    opened_at: datetime
    movements: Sequence[Movement]

    @property
    def state(self) -> str:
        """What the status means here; a word not known yet is looked at by people."""
        return STATES.get(self.status, RECEIVED)

    @property
    def drawn_minor(self) -> int:
        """What the dispute has drawn and not brought back."""
        return -sum(movement.amount.amount_minor for movement in self.movements)


def climbs(now: str, then: str) -> bool:
    """Tell whether a dispute may go from one state to another."""
    return RANK[then] > RANK[now]


def taken_minor(state: str, amount_minor: int, drawn_minor: int) -> int:
    """Return what a dispute keeps from being refunded."""
    if state in (RECEIVED, UNDER_REVIEW):
        return max(amount_minor, drawn_minor)
    return max(0, drawn_minor) if state == LOST else 0


def borne(lost: Money, *, left_minor: int) -> Money:
    """Return what of a loss those who were paid bear: at most what they have not given back.

    Where a refund had gone out before, the card holder has that money twice; nobody who was paid
    has it any more, so it waits in suspense until people have claimed it.
    """
    return Money(max(0, min(lost.amount_minor, left_minor)), lost.currency)


def movement_lines(movement: Movement) -> list[Line]:
    """Return the journal of a movement: into the reserve or out of it, and the provider's fee."""
    moved, fee = movement.amount, movement.fee
    return [
        (accounts.PSP_CLEARING, moved),
        (accounts.DISPUTE_RESERVE, _minus(moved)),
        (accounts.PSP_FEES, fee),
        (accounts.PSP_CLEARING, _minus(fee)),
    ]


def lost_lines(amount: Money, debits: Sequence[Line]) -> list[Line]:
    """Return the journal of a lost dispute: those who were paid bear what the reserve held."""
    return [*debits, (accounts.DISPUTE_RESERVE, _minus(amount))]


def _minus(amount: Money) -> Money:
    return Money(-amount.amount_minor, amount.currency)
