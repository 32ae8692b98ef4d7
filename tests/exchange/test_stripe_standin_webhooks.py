"""The stand-in's events: signed, in order, retried, and mishandled on command."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import stripe

from tests.exchange.stripe_standin_factory import control, look, mischief, paid, payee
from tests.settlement import standin


class Inbox:
    """A webhook receiver that may refuse the first deliveries."""

    def __init__(self, refuse: int = 0) -> None:
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.bodies.append(body)
                inbox.signatures.append(self.headers["Stripe-Signature"])
                self.send_response(500 if len(inbox.bodies) <= refuse else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self) -> list[stripe.Event]:
        return [
            stripe.Webhook.construct_event(body, signature, standin.WEBHOOK_SECRET)
            for body, signature in zip(self.bodies, self.signatures, strict=True)
        ]

    async def holds(self, count: int) -> list[stripe.Event]:
        for _ in range(100):
            if len(self.bodies) >= count:
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        assert len(self.bodies) == count
        return self.events()


@contextmanager
def hooked(tmp_path: Path, refuse: int = 0) -> Iterator[tuple[str, Inbox]]:
    inbox = Inbox(refuse)
    try:
        with standin.running_standin(tmp_path, inbox.url) as url:
            yield url, inbox
    finally:
        inbox.server.shutdown()
        inbox.server.server_close()


async def test_events_arrive_signed_in_order_and_are_listed(tmp_path: Path) -> None:
    with hooked(tmp_path) as (url, inbox):
        api = standin.client(url)
        intent = await paid(api)
        events = await inbox.holds(3)
        assert [event.type for event in events] == [
            "payment_intent.created", "charge.succeeded", "payment_intent.succeeded",
        ]  # fmt: skip
        assert events[2].data.object["id"] == intent.id
        assert events[2].api_version == "2026-10-28.endive"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(inbox.bodies[0], inbox.signatures[0], "whsec_other")
        listed = await api.v1.events.list_async({"type": "payment_intent.succeeded"})
        assert [event.id for event in listed.data] == [events[2].id]
        assert listed.data[0].pending_webhooks == 0
        one = await api.v1.events.retrieve_async(events[0].id)
        assert one.data.object["status"] == "requires_payment_method"


async def test_a_refused_delivery_is_tried_again(tmp_path: Path) -> None:
    with hooked(tmp_path, refuse=2) as (url, inbox):
        await payee(standin.client(url))
        events = await inbox.holds(3)
        assert len({event.id for event in events}) == 1
        rows = look(url, "/_webhooks")["deliveries"]
        assert [(row["state"], row["attempts"]) for row in rows] == [("done", 3)]


async def test_deliveries_are_mishandled_on_command(tmp_path: Path) -> None:
    with hooked(tmp_path) as (url, inbox):
        api = standin.client(url)
        mischief(url, "duplicate")
        first = await payee(api)
        events = await inbox.holds(2)
        assert [event.data.object["id"] for event in events] == [first, first]
        assert events[0].id == events[1].id
        mischief(url, "drop")
        await payee(api)
        mischief(url, "reorder")
        third, fourth = await payee(api), await payee(api)
        events = await inbox.holds(4)
        assert [event.data.object["id"] for event in events[2:]] == [fourth, third]
        mischief(url, "delay", seconds=0.8)
        started = time.monotonic()
        await payee(api)
        await inbox.holds(5)
        assert time.monotonic() - started > 0.8
        assert len((await api.v1.events.list_async()).data) == 5
        resent = json.loads(inbox.bodies[0])["id"]
        control(url, "/_webhooks/resend", {"event": resent})
        assert (await inbox.holds(6))[5].id == resent
