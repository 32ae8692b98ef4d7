"""Events: recorded with the effect, delivered signed, retried, and mishandled on command."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import httpx

from exchange import clock
from exchange.standins.stripe.call import API_VERSION, Call, Options
from exchange.standins.stripe.store import Store, new_id

MISCHIEF = ("duplicate", "delay", "reorder", "drop")
# Real deliveries are retried for three days; a stand-in's day is shorter.
FIRST_RETRY_S, MOST_RETRY_S, MOST_ATTEMPTS = 0.5, 60.0, 40
# How far a reordered event falls behind; the events after it are long delivered by then.
BEHIND_S = 1.0


def announce(call: Call, type_: str, thing: Mapping[str, Any]) -> None:
    """Record an event with a snapshot of its object, and queue its deliveries."""
    event = {
        "id": new_id("event"),
        "object": "event",
        "account": None,
        "api_version": API_VERSION,
        "context": None,
        "created": call.now,
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": 1 if call.options.webhook_url else 0,
        "request": {"id": call.request, "idempotency_key": call.key},
        "type": type_,
    }
    call.store.add("event", event)
    if call.options.webhook_url:
        for wait_s in _waits(call.store):
            enqueue(call.store, str(event["id"]), wait_s=wait_s)


def enqueue(store: Store, event: str, *, wait_s: float) -> None:
    """Queue one delivery of an event."""
    due = clock.now().timestamp() + wait_s
    store.db.execute("INSERT INTO delivery (event, due) VALUES (?, ?)", (event, due))


def signature(payload: str, *, secret: str, at: int) -> str:
    """Return the `Stripe-Signature` header: HMAC-SHA-256 over `t.payload`."""
    mac = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


async def deliver_due(store: Store, options: Options, client: httpx.AsyncClient) -> int:
    """Send the deliveries that are due, in their order; return how many arrived."""
    rows = store.db.execute(
        "SELECT turn, event, attempts FROM delivery WHERE state = 'waiting' AND due <= ? "
        "ORDER BY due, turn LIMIT 20",
        (clock.now().timestamp(),),
    ).fetchall()
    arrived = 0
    for turn, event, attempts in rows:
        answer = await _send(store, options, client, event)
        arrived += answer == "200"
        with store.transaction():
            _note(store, turn, event, attempts=attempts + 1, answer=answer)
    return arrived


async def _send(store: Store, options: Options, client: httpx.AsyncClient, event: str) -> str:
    payload = json.dumps(store.find(event), indent=2)
    at = int(clock.now().timestamp())
    signed = signature(payload, secret=options.webhook_secret, at=at)
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signed}
    try:
        answer = await client.post(options.webhook_url or "", content=payload, headers=headers)
    except httpx.HTTPError as error:
        return type(error).__name__
    return "200" if answer.is_success else str(answer.status_code)


def _note(store: Store, turn: int, event: str, *, attempts: int, answer: str) -> None:
    state = "done" if answer == "200" else "waiting" if attempts < MOST_ATTEMPTS else "given up"
    wait_s = min(FIRST_RETRY_S * 2 ** (attempts - 1), MOST_RETRY_S)
    store.db.execute(
        "UPDATE delivery SET attempts = ?, state = ?, answer = ?, due = ? WHERE turn = ?",
        (attempts, state, answer, clock.now().timestamp() + wait_s, turn),
    )
    if state == "done":
        body = store.find(event)
        if body is not None:
            store.change({**body, "pending_webhooks": 0})


def _waits(store: Store) -> list[float]:
    """Return the waits of an event's deliveries: one at once, unless mischief was ordered."""
    row = store.db.execute(
        "SELECT turn, kind, seconds FROM trick WHERE target = 'event' ORDER BY turn LIMIT 1"
    ).fetchone()
    if row is None:
        return [0.0]
    turn, kind, seconds = row
    store.db.execute("DELETE FROM trick WHERE turn = ?", (turn,))
    waits: dict[str, list[float]] = {
        "duplicate": [0.0, seconds],
        "delay": [seconds],
        "reorder": [seconds or BEHIND_S],
        "drop": [],
    }
    return waits[kind]
