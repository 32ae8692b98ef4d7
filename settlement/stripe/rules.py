"""Decisions about what Stripe says: signatures over raw bytes, states, and what an event is about.

Source: docs.stripe.com/webhooks (signature scheme v1: HMAC-SHA256 over `timestamp.body`).
Differs from the source: events from the future are refused too; the SDK refuses only old ones.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.cardholds.rules import SeenHold
from settlement.clearing.rules import Entry
from settlement.disputes.rules import Movement, SeenDispute
from settlement.invoices.rules import FAILED, READY, SUCCEEDED, Seen
from settlement.outbound.rules import CANCEL_PAYMENT, CAPTURE_PAYMENT, CONFIRM_PAYMENT
from settlement.payouts.rules import CAPABILITIES, INACTIVE, Link, SeenAccount
from settlement.refunds.rules import SeenRefund
from settlement.sweeps.rules import SeenSweep

PROVIDER = "stripe"
TOLERANCE = timedelta(minutes=5)  # as Stripe's own libraries
LONGEST_EVENT_BYTES = 1_000_000
RETRY_FIRST_S, RETRY_MOST_S = 2, 3600
# The lists of refunds and disputes are read without any event, beginning before the last time.
RETURNS, MOVEMENTS = "returns", "movements"
LISTED_EVERY, LISTED_AGAIN = timedelta(hours=1), timedelta(minutes=5)
OVERLAP = timedelta(days=1)
# How a payment stands once a step took effect, and where the step can take effect no more.
AFTER = {
    CONFIRM_PAYMENT: {"requires_action", "processing", "requires_capture", "succeeded"},
    CAPTURE_PAYMENT: {"succeeded"},
    CANCEL_PAYMENT: {"canceled"},
}
PAST = {
    CONFIRM_PAYMENT: {"canceled"},
    CAPTURE_PAYMENT: {"canceled"},
    CANCEL_PAYMENT: {"succeeded"},
}
REFUND_MAY_FAIL = timedelta(days=30)  # a card's bank may send a refund back as late as this


class BadWebhookSignature(Refusal):
    """The event is not signed by Stripe with our secret, or its time is not near ours."""

    kind, code = Kind.MALFORMED, "bad-webhook-signature"
    hint = "Send the raw body with the Stripe-Signature header of the same delivery."


class BadEvent(Refusal):
    """The body is signed, but is no event."""

    kind, code = Kind.MALFORMED, "bad-webhook-event"
    hint = "Send a snapshot event as Stripe delivers it."


@dataclass(frozen=True, slots=True)
class Event:
    """What an event announces; only the object's id is used, its state is asked for again."""

    id: str
    type: str
    payment_intent: str | None
    payout: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """All that the provider shows of a payment now: itself, its refunds and its disputes."""

    payment: Seen
    refunds: Sequence[SeenRefund] = ()
    disputes: Sequence[SeenDispute] = ()
    hold: SeenHold | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A refund or a dispute as the provider lists it, and the payment that it is of."""

    payment: str
    refund: SeenRefund | None = None
    dispute: SeenDispute | None = None


def read_from(
    read_until: datetime | None, *, oldest_open: datetime | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return from when on refunds and disputes are to be listed; None: from the beginning.

    A refund may still fail and an open dispute may still be decided, so both are listed again for
    as long as that can happen.
    """
    if read_until is None:
        return None, None
    again = read_until - OVERLAP
    return min(again, now - REFUND_MAY_FAIL), min(again, oldest_open or again)


def check_signature(raw: bytes, header: str, *, secret: str, now: datetime) -> None:
    """Check the Stripe-Signature header over the raw bytes.

    Raises:
        BadWebhookSignature: it is absent, wrong, or more than five minutes from `now`.
    """
    stamp, signatures = _read_header(header)
    if abs(now.timestamp() - stamp) > TOLERANCE.total_seconds():
        raise BadWebhookSignature("The event's time is not near ours.")
    wanted = hmac.new(secret.encode(), b"%d." % stamp + raw, hashlib.sha256).hexdigest()
    if not any(hmac.compare_digest(wanted.encode(), given.encode()) for given in signatures):
        raise BadWebhookSignature("No signature fits the event.")


def read_event(raw: bytes) -> Event:
    """Read what an event is about.

    Raises:
        BadEvent: it is not an event.
    """
    try:
        value = json.loads(raw)
        thing = value["data"]["object"]
        payout = _text(thing["id"]) if thing["object"] == "payout" else None
        event = Event(
            _text(value["id"]), _text(value["type"]), _payment_intent(thing), payout,
            account=_account(thing),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadEvent("The body is no event.") from error
    return event


def seen(intent: Mapping[str, Any]) -> Seen:
    """Return a PaymentIntent, as the API shows it now, in our words."""
    state = {"succeeded": SUCCEEDED, "canceled": FAILED}.get(intent["status"], READY)
    received = None
    if state == SUCCEEDED:
        received = Money(int(intent["amount_received"]), str(intent["currency"]).upper())
    charge = intent.get("latest_charge")
    return Seen(
        provider_id=intent["id"],
        state=state,
        received=received,
        charge_id=charge if charge is None or isinstance(charge, str) else charge["id"],
        payment_id=_uuid((intent.get("metadata") or {}).get("payment")),
        fee=_fee(charge),
    )


def seen_hold(intent: Mapping[str, Any]) -> SeenHold:
    """Return a PaymentIntent as a deposit on a card: what is held and until when, what was taken.

    `capture_before` is told by the charge; without it the hold has no end that could be relied on.
    """
    charge, currency = intent.get("latest_charge"), intent["currency"]
    card: Mapping[str, Any] = {}
    if isinstance(charge, Mapping):
        card = (charge.get("payment_method_details") or {}).get("card") or {}
    until = card.get("capture_before")
    return SeenHold(
        provider_id=intent["id"],
        hold_id=_uuid((intent.get("metadata") or {}).get("hold")),
        status=intent["status"],
        held=_money(intent.get("amount_capturable") or 0, currency),
        received=_money(intent.get("amount_received") or 0, currency),
        capture_before=None if until is None else datetime.fromtimestamp(until, UTC),
        fee=_fee(charge),
    )


def is_after(op: str, status: str) -> bool:
    """Tell whether a payment that stands so shows that a step took effect."""
    return status in AFTER[op]


def is_past(op: str, status: str) -> bool:
    """Tell whether a payment that stands so can take a step no more, and never did."""
    return status in PAST[op]


def step_id(payment_intent: str, op: str) -> str:
    """Return the name of a step that took effect: a payment takes each of them once."""
    return f"{payment_intent}/{op.rpartition('.')[2]}"


def seen_refund(refund: Mapping[str, Any]) -> SeenRefund:
    """Return a Refund, as the API shows it now, in our words."""
    return SeenRefund(
        provider_id=refund["id"],
        amount=_money(refund["amount"], refund["currency"]),
        failed=refund["status"] in ("failed", "canceled"),
        refund_id=_uuid((refund.get("metadata") or {}).get("refund")),
    )


def seen_dispute(dispute: Mapping[str, Any]) -> SeenDispute:
    """Return a Dispute, as the API shows it now, in our words."""
    due_by = (dispute.get("evidence_details") or {}).get("due_by")
    return SeenDispute(
        provider_id=dispute["id"],
        status=dispute["status"],
        amount=_money(dispute["amount"], dispute["currency"]),
        reason=str(dispute["reason"]),
        evidence_due_at=None if due_by is None else datetime.fromtimestamp(due_by, UTC),
        opened_at=datetime.fromtimestamp(dispute["created"], UTC),
        movements=[
            Movement(
                id=moved["id"],
                amount=_money(moved["amount"], moved["currency"]),
                fee=_money(moved["fee"], moved["currency"]),
            )
            for moved in dispute["balance_transactions"]
        ],
    )


def seen_sweep(payout: Mapping[str, Any]) -> SeenSweep:
    """Return a Payout, as the API shows it now, in our words."""
    return SeenSweep(
        provider_id=payout["id"],
        status=payout["status"],
        amount=_money(payout["amount"], payout["currency"]),
        arrives_on=datetime.fromtimestamp(payout["arrival_date"], UTC).date(),
        fault=payout.get("failure_code"),
        sweep_id=_uuid((payout.get("metadata") or {}).get("sweep")),
    )


def seen_account(account: Mapping[str, Any]) -> SeenAccount:
    """Return an Account, as the API shows it now, in our words: what is not said is not there."""
    capability = (account.get("capabilities") or {}).get("transfers")
    known = capability if capability in CAPABILITIES else INACTIVE
    return SeenAccount(provider_id=account["id"], capability=known)


def seen_link(link: Mapping[str, Any]) -> Link:
    """Return an AccountLink in our words."""
    return Link(url=link["url"], until=datetime.fromtimestamp(link["expires_at"], UTC))


def entry(moved: Mapping[str, Any]) -> Entry:
    """Return a BalanceTransaction whose source is expanded; it is of its payment, or its source."""
    source = moved.get("source")
    named = source if isinstance(source, str) else None
    if isinstance(source, Mapping):
        about = source.get("payment_intent") if source["object"] == "charge" else None
        named = about if isinstance(about, str) else str(source["id"])
    return Entry(
        id=str(moved["id"]),
        kind=str(moved["type"]),
        reference=named or str(moved["id"]),
        currency=str(moved["currency"]).upper(),
        amount_minor=int(moved["amount"]),
        fee_minor=int(moved["fee"]),
        created_at=datetime.fromtimestamp(moved["created"], UTC),
        available_at=datetime.fromtimestamp(moved["available_on"], UTC),
    )


def balances(balance: Mapping[str, Any]) -> dict[str, int]:
    """Return what the provider holds of ours by currency, whatever it may be used for by now."""
    found: dict[str, int] = {}
    for part in ("available", "pending", "connect_reserved"):
        for held in balance.get(part) or ():
            code = str(held["currency"]).upper()
            found[code] = found.get(code, 0) + int(held["amount"])
    return found


def retry_s(tries: int) -> int:
    """Return the seconds until an event that could not be applied is tried again."""
    return min(RETRY_FIRST_S << 2 * min(tries, 10), RETRY_MOST_S)


def _fee(charge: Any) -> Money | None:
    """Return what was kept of a charge; None until its balance transaction is told."""
    entry = charge.get("balance_transaction") if isinstance(charge, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    return _money(entry["fee"], entry["currency"])


def _money(amount: Any, currency: Any) -> Money:
    return Money(int(amount), str(currency).upper())


def _payment_intent(thing: Mapping[str, Any]) -> str | None:
    if thing["object"] == "payment_intent":
        return _text(thing["id"])
    about = thing.get("payment_intent")
    return about if isinstance(about, str) else None


def _account(thing: Mapping[str, Any]) -> str | None:
    about = thing.get("id") if thing["object"] == "account" else None
    return None if about is None else _text(about)


def _read_header(header: str) -> tuple[int, list[str]]:
    pairs = [part.partition("=")[::2] for part in header.split(",")]
    stamps = [value for name, value in pairs if name.strip() == "t"]
    signatures = [value for name, value in pairs if name.strip() == "v1"]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit()) or not signatures:
        raise BadWebhookSignature("The Stripe-Signature header cannot be read.")
    if len(stamps[0]) > 12:
        raise BadWebhookSignature("The Stripe-Signature header cannot be read.")
    return int(stamps[0]), signatures


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 255 or "\x00" in value:
        raise TypeError("not an id")
    return value


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        return None
