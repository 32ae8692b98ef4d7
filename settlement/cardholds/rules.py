"""Deposits on a card decided: which may be asked for, what the provider shows, what follows (pure).

A hold is no money: it counts as a deposit while it lasts, and is booked only once it is captured. A
charge takes the money at once. What is held has to last beyond the longest the auction can run.

Source: docs.stripe.com/payments/place-a-hold-on-a-payment-method (`requires_capture`, and the
charge's `capture_before`; cards hold for seven days).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts import rfc3339
from contracts.money import Money
from contracts.refusal import Kind, Refusal

CARD_HOLD, CHARGE = "card_hold", "charge"
MODES = (CARD_HOLD, CHARGE)
REQUESTED, READY, HELD, DRAWING, DRAWN = "requested", "ready", "held", "drawing", "drawn"
RELEASING, RELEASED, EXPIRED, FAILED = "releasing", "released", "expired", "failed"
LIVE = (REQUESTED, READY, HELD, DRAWING)  # one of these at a time for each deposit
PLEDGED = (HELD, DRAWING)  # these count as the deposit
# Why one failed or was let go, as the bidder is told; the first is a refusal's code too.
TOO_SHORT, DECLINED, REFUSED = "card-hold-too-short", "card-declined", "provider-refused"
CARD_HOLDS = timedelta(days=7)
CHECK_FIRST, CHECK_MOST = timedelta(seconds=10), timedelta(hours=1)


class CardHoldTooShort(Refusal):
    """No card holds so long: the auction may run beyond what a card promises."""

    kind, code = Kind.CONFLICT, TOO_SHORT
    hint = "Charge the card or wire the deposit instead, or give a letter of guarantee if accepted."


class DepositModeNotAccepted(Refusal):
    """The rules of the auction do not accept deposits of this kind."""

    kind, code = Kind.CONFLICT, "deposit-mode-not-accepted"
    hint = "Use one of `accepted`, as the rulebook's `deposit_modes` lists them."


class DepositSecured(Refusal):
    """The deposit is in, or another card or letter of guarantee is being looked at."""

    kind, code = Kind.CONFLICT, "deposit-secured"
    hint = "A deposit counts once; read GET /v1/auctions/{id}/deposit."


@dataclass(frozen=True, slots=True)
class Ask:
    """What a bidder asks for: a hold or a charge, and the method that pays it, if it made one.

    Without a method the bidder confirms the payment at the provider, with the secret it gets.
    """

    mode: str
    payment_method: str | None = None


@dataclass(frozen=True, slots=True)
class SeenHold:
    """How the provider shows a deposit on a card; `held` can be captured, `received` was."""

    provider_id: str
    hold_id: UUID | None
    status: str
    held: Money
    received: Money
    capture_before: datetime | None = None
    fee: Money | None = None


def check_lasts(needed_until: datetime | None, *, held_until: datetime | None) -> None:
    """Check that a hold lasts beyond the auction.

    Args:
        needed_until: the longest the auction can run by its rules, with the rulebook's margin; None
            where nothing bounds it.
        held_until: until when the card holds, or can at most; None where nobody said.

    Raises:
        CardHoldTooShort: it does not last.
    """
    if needed_until is None or held_until is None or held_until <= needed_until:
        raise CardHoldTooShort(
            "The card does not hold so long.",
            needed_until=needed_until and rfc3339.exact(needed_until),
            held_until=held_until and rfc3339.exact(held_until),
        )


def check_mode(mode: str, accepted: Sequence[str]) -> None:
    """Check that the rules of the auction accept deposits of this kind.

    Raises:
        DepositModeNotAccepted: they do not.
    """
    if mode not in accepted:
        raise DepositModeNotAccepted("This is not accepted here.", accepted=list(accepted))


def next_check(checks: int, now: datetime) -> datetime:
    """Return when a payment without news is looked at again: 10 s, twice as long, at most 1 h."""
    return now + min(CHECK_FIRST * (1 << min(checks, 12)), CHECK_MOST)
