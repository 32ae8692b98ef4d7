"""The outbound protocol: how one instruction takes effect once, whatever is lost on the way (pure).

An intent is committed with the effect that needs it, marked `sent` before the call, and afterwards
one of: done, failed, back to intent (a definite no), or unknown (nobody can tell). Once unknown, a
definite no proves nothing about the earlier call: only a look-up at the provider ends the doubt.

Source: docs.stripe.com/api/idempotent_requests (a key may be forgotten after 24 hours; a 500 is
stored under it); the payment states of Kill Bill (success, failure, unknown).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

CREATE_PAYMENT = "payment_intent.create"
CREATE_ACCOUNT = "account.create"
CREATE_TRANSFER = "transfer.create"
CREATE_REFUND = "refund.create"
REVERSE_TRANSFER = "transfer.reverse"
CREATE_PAYOUT = "payout.create"
HOLD_PAYMENT = "payment_intent.hold"
CONFIRM_PAYMENT = "payment_intent.confirm"
CAPTURE_PAYMENT = "payment_intent.capture"
CANCEL_PAYMENT = "payment_intent.cancel"
OPS = (
    CREATE_PAYMENT,
    CREATE_ACCOUNT,
    CREATE_TRANSFER,
    CREATE_REFUND,
    REVERSE_TRANSFER,
    CREATE_PAYOUT,
    HOLD_PAYMENT,
    CONFIRM_PAYMENT,
    CAPTURE_PAYMENT,
    CANCEL_PAYMENT,
)
# Steps of one payment that is at the provider already: looked up by asking how it stands.
STEPS = frozenset({CONFIRM_PAYMENT, CAPTURE_PAYMENT, CANCEL_PAYMENT})
# Instructions that move money are looked up before they are repeated. A second payment request
# whose secret nobody gets cannot be paid, a second empty account holds nothing: no need there.
LOOKED_UP = frozenset({CREATE_TRANSFER, CREATE_REFUND, REVERSE_TRANSFER, CREATE_PAYOUT}) | STEPS

INTENT, SENT, UNKNOWN, DONE, FAILED = "intent", "sent", "unknown", "done", "failed"
OPEN = (INTENT, SENT, UNKNOWN)

KEY_WINDOW = timedelta(hours=23)  # the provider keeps a key for 24 hours at least
QUARANTINE = timedelta(hours=1)  # a lost request may still be executing when its key ends
LEASE = timedelta(seconds=30)  # longer than a look-up and a call together may take
FIRST_DELAY_S, MOST_DELAY_S = 2, 6 * 3600


class Step(Enum):
    """What a worker does with an intent that it has taken up."""

    SEND = "send"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Intent:
    """Where an instruction stands; `tries` counts how often it was taken up."""

    op: str
    state: str
    attempt: int
    tries: int
    ever_unknown: bool
    first_sent_at: datetime | None
    last_sent_at: datetime | None
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Made:
    """The provider made the object."""

    provider_id: str
    client_secret: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A definite no: this call made nothing. `final`: repeating the call cannot help.

    `is_over`: nor can an earlier call have helped, or still help: the provider shows that the
    payment stands where this step is not possible any more. It ends even a doubt.
    """

    fault: str
    final: bool
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody can tell whether the call took effect."""

    fault: str


Answer = Made | Rejected | Lost


def key(intent_id: UUID, attempt: int) -> str:
    """Return the idempotency key of an attempt."""
    return f"{intent_id}:{attempt}"


def fresh(op: str, now: datetime) -> Intent:
    """Return an intent that waits for its first call."""
    return Intent(op, INTENT, 1, 0, False, None, None, now)


def taken_up(intent: Intent, now: datetime) -> tuple[Intent, Step]:
    """Return how the intent stands when a worker takes it up, and what the worker does.

    An intent found `sent` was left by a worker that died: its call may have gone out.
    """
    leased = replace(intent, tries=intent.tries + 1, next_at=now + LEASE)
    if intent.state == INTENT:
        return _sent(leased, now), Step.SEND
    doubted = replace(leased, state=UNKNOWN, ever_unknown=True)
    if intent.op in LOOKED_UP:
        return doubted, Step.LOOK
    return _repeated(doubted, now), Step.SEND


def after_empty_look(intent: Intent, now: datetime) -> Intent | None:
    """Return the intent marked sent again, or None while an old request may still be executing."""
    if _key_is_alive(intent, now) or _quarantine_is_over(intent, now):
        return _repeated(intent, now)
    return None


def waiting(intent: Intent) -> Intent:
    """Return the intent put off until its quarantine is over."""
    assert intent.last_sent_at is not None  # noqa: S101 - quarantine follows a call.
    return replace(intent, next_at=intent.last_sent_at + QUARANTINE)


def concluded(intent: Intent, answer: Answer, now: datetime) -> Intent:
    """Return how the intent stands after an answer."""
    if isinstance(answer, Made):
        return replace(intent, state=DONE)
    if isinstance(answer, Rejected) and (
        answer.is_over or (answer.final and intent.op not in LOOKED_UP)
    ):
        return replace(intent, state=FAILED)
    later = replace(intent, next_at=now + delay(intent.tries))
    if isinstance(answer, Lost):
        return replace(later, state=UNKNOWN, ever_unknown=True)
    return replace(later, state=UNKNOWN if intent.ever_unknown else INTENT)


def delay(tries: int) -> timedelta:
    """Return how long to wait after so many tries: 2 s, then four times as long, at most 6 h."""
    return timedelta(seconds=min(FIRST_DELAY_S * 4 ** min(tries - 1, 10), MOST_DELAY_S))


def _sent(intent: Intent, now: datetime) -> Intent:
    return replace(intent, state=SENT, first_sent_at=intent.first_sent_at or now, last_sent_at=now)


def _repeated(intent: Intent, now: datetime) -> Intent:
    if _key_is_alive(intent, now):
        return _sent(intent, now)
    return _sent(replace(intent, attempt=intent.attempt + 1, first_sent_at=None), now)


def _key_is_alive(intent: Intent, now: datetime) -> bool:
    return intent.first_sent_at is None or now - intent.first_sent_at < KEY_WINDOW


def _quarantine_is_over(intent: Intent, now: datetime) -> bool:
    return intent.last_sent_at is None or now - intent.last_sent_at >= QUARANTINE


def payment_params(
    *, amount_minor: int, currency: str, deal_id: UUID, description: str, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return the request that asks for a card payment; the client confirms it with its secret."""
    return {
        "amount": amount_minor,
        "currency": currency.lower(),
        "allowed_payment_method_types": ["card"],
        "description": description,
        "transfer_group": str(deal_id),
        "metadata": dict(names),
    }


def account_params(*, country: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the request that opens a payee's account, which may receive transfers only."""
    return {
        "country": country,
        "controller": {
            "fees": {"payer": "application"},
            "losses": {"payments": "application"},
            "stripe_dashboard": {"type": "express"},
        },
        "capabilities": {"transfers": {"requested": True}},
        "metadata": dict(names),
    }


def transfer_params(
    *, amount_minor: int, currency: str, account: str, charge: str | None, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return the request that pays a payee out of one charge; `names` holds deal and intent.

    `source_transaction` is the charge, not the payment intent: the transfer waits for its funds.
    None where a deposit paid a part: no charge covers it then, the provider's balance does.
    """
    source = {} if charge is None else {"source_transaction": charge}
    return {
        "amount": amount_minor,
        "currency": currency.lower(),
        "destination": account,
        **source,
        "transfer_group": names["deal"],
        "metadata": {"intent_id": names["intent_id"], "payout": names["payout"]},
    }


def refund_params(
    *, payment_intent: str, amount_minor: int, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return the request that gives a payer money back; the currency is that of the payment.

    Transfers are not pulled back with it: each is reversed by an instruction of its own.
    """
    return {
        "payment_intent": payment_intent,
        "amount": amount_minor,
        "reason": "requested_by_customer",
        "metadata": dict(names),
    }


def reversal_params(
    *, transfer: str, amount_minor: int, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return the request that takes a part of a transfer back; `transfer` goes into the path."""
    return {"transfer": transfer, "amount": amount_minor, "metadata": dict(names)}


def payout_params(
    *, amount_minor: int, currency: str, descriptor: str, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return the request that pays the platform's balance out to its account at a bank.

    `descriptor` is what the bank's statement repeats, at most 22 characters.
    """
    return {
        "amount": amount_minor,
        "currency": currency.lower(),
        "method": "standard",
        "statement_descriptor": descriptor,
        "metadata": dict(names),
    }


def hold_params(
    *,
    amount_minor: int,
    currency: str,
    is_captured_at_once: bool,
    description: str,
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Return the request that asks for a deposit on a card: held, or charged at once."""
    return {
        "amount": amount_minor,
        "currency": currency.lower(),
        "allowed_payment_method_types": ["card"],
        "capture_method": "automatic" if is_captured_at_once else "manual",
        "description": description,
        "metadata": dict(names),
    }


def confirm_params(*, payment_intent: str, payment_method: str) -> dict[str, Any]:
    """Return the request that confirms a payment with a method made beforehand, not with a card."""
    return {"payment_intent": payment_intent, "payment_method": payment_method}


def capture_params(*, payment_intent: str, amount_minor: int) -> dict[str, Any]:
    """Return the request that takes what a card holds, or a part; the rest is let go with it."""
    return {"payment_intent": payment_intent, "amount_to_capture": amount_minor}


def cancel_params(*, payment_intent: str) -> dict[str, Any]:
    """Return the request that lets go of what a card holds."""
    return {"payment_intent": payment_intent, "cancellation_reason": "abandoned"}
