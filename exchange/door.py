"""The door for bids: the one endpoint that is answered before the framework.

`PUT /v1/auctions/{auction_id}/bids/{bid_id}` is described to FastAPI like every other
(`exchange.api.bids`) and answered here with the same documents, at a third of the work for each
bid: the path is matched first, JSON is read strictly by hand, and a caller's key is looked up once
in KNOWN_FOR_S. A key that is revoked may bid for that long.
"""

import asyncio
import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from fastapi import FastAPI, Request
from starlette.types import Receive, Scope, Send

from contracts import canonical, rfc3339
from contracts.refusal import InvalidContent, Malformed, Refusal
from exchange import clock, receipts
from exchange.api import bodies, deps, problems
from exchange.bidding import Bidding
from exchange.context import Context
from exchange.identity import secret
from exchange.identity import service as identity
from exchange.identity.rules import Caller, Role
from exchange.signing import Signing
from listings.auctions import contents
from listings.auctions.arrivals import Arrival, Placed

PATH = re.compile(r"/v1/auctions/([0-9a-fA-F-]{36})/bids/([0-9a-fA-F-]{36})")
KNOWN_FOR_S = 2.0
MOST_KNOWN = 20_000
MOST_BYTES = bodies.MOST_BYTES
ARRIVES_WITHIN_S = 10.0
BESIDE_CONTENT = ("rulebook_sha256", "signature")
_SHA256 = re.compile("[0-9a-f]{64}")
_log = logging.getLogger("exchange.door")
_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until_s: float


class BidDoor:
    """Answers bids, and remembers for a moment whose the keys are."""

    def __init__(self) -> None:
        """Prepare."""
        self._known: dict[bytes, _Known] = {}
        self._asked: dict[bytes, asyncio.Task[Caller]] = {}

    async def answer(
        self, found: re.Match[str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one bid; `found` is the match of PATH, `scope["app"]` the application."""
        app: FastAPI = scope["app"]
        try:
            body = await _read(receive)
            with app.state.bidding.receipt() as at:
                placed = await self._place(app, found, scope, body, _now(app, at))
            written = _written(placed, receipts.signer(app.state.context.settings))
        except Refusal as refusal:
            await problems.response(refusal)(scope, receive, send)
            return
        except Exception:  # noqa: BLE001 - the top of a request: a bug is a 500, never a silence.
            _log.exception("a bid failed")
            await problems.bug()(scope, receive, send)
            return
        headers = [_JSON, (b"content-length", b"%d" % len(written))]
        status = 201 if placed.is_new else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": written})

    async def _place(
        self, app: FastAPI, found: re.Match[str], scope: Scope, body: bytes, at: datetime
    ) -> Placed:
        auction_id, bid_id = _id(found[1], "auction_id"), _id(found[2], "bid_id")
        given = parsed(body, scope)
        caller = await self._caller(app, scope, at)
        caller.need("bid", Role.BROADCASTER)
        return await place(app, caller, auction_id, bid_id, given, at)

    async def _caller(self, app: FastAPI, scope: Scope, at: datetime) -> Caller:
        """Recognise who bids: a key from what is known, everything else as every endpoint does."""
        override = app.dependency_overrides.get(deps.find_caller)
        if override is not None:
            return await deps.get_caller(await override(Request(scope)))
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, key = header.partition(b" ")
        context: Context = app.state.context
        if scheme.lower() != b"bearer" or not key:
            async with context.db.transaction() as session:
                found = await deps.find_caller(Request(scope), session, at)
            return await deps.get_caller(found)
        return await self._by_key(context, key.strip().decode("latin-1"), at)

    async def _by_key(self, context: Context, key: str, at: datetime) -> Caller:
        digest, now_s = secret.digest(key), clock.ticks()
        known = self._known.get(digest)
        if known is not None and known.until_s > now_s:
            return known.caller
        asked = self._asked.get(digest)
        if asked is None:  # whoever comes meanwhile waits for the same answer
            asked = asyncio.create_task(_look_up(context, key, at))
            self._asked[digest] = asked
            asked.add_done_callback(lambda _: self._asked.pop(digest))
        caller = await asyncio.shield(asked)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[digest] = _Known(caller, now_s + KNOWN_FOR_S)
        return caller


async def _look_up(context: Context, key: str, at: datetime) -> Caller:
    async with context.db.transaction() as session:
        return await identity.caller_by_key(session, key, now=at)


async def place(
    app: FastAPI, caller: Caller, auction_id: UUID, bid_id: UUID, given: Any, at: datetime
) -> Placed:
    """Read a bid's members and hand it in; the receipt of `at` is held by whoever calls.

    Raises:
        Refusal: the bid is not read, or refused.
    """
    bidding: Bidding = app.state.bidding
    signing: Signing = app.state.signing
    if not isinstance(given, dict):
        raise InvalidContent("A field breaks its rule.", errors=[_error("body", "an object")])
    content = contents.read(
        None, {name: value for name, value in given.items() if name not in BESIDE_CONTENT}
    )
    arrival = Arrival(
        bid_id=bid_id,
        party_id=caller.party_id,
        person_id=caller.person_id,
        content=content,
        received_at=at,
        rulebook_sha256=_rulebook(given.get("rulebook_sha256")),
    )
    if given.get("signature") is not None:
        arrival = await signing.checked(auction_id, arrival, given["signature"])
    return await bidding.place(auction_id, arrival)


def _written(placed: Placed, signer: receipts.ReceiptSigner) -> bytes:
    """Return the bytes of the answer; the receipt's are those that were signed."""
    plain = canonical.quick(out(placed))
    return b'%b,"receipt":%b}' % (plain[:-1], receipts.written(placed, signer))


def out(placed: Placed) -> dict[str, Any]:
    """Return an accepted bid as the wire carries it: what hidden bidders may know of it."""
    return {
        "id": str(placed.bid_id),
        "auction_id": str(placed.auction_id),
        "amount_minor": placed.amount_minor,
        "currency": placed.currency,
        "paddle": None if placed.is_hidden else placed.paddle,
        "sequence": None if placed.is_hidden else placed.sequence,
        "received_at": rfc3339.exact(placed.received_at),
        "leading": placed.leads if placed.is_open else None,
        "closes_at": rfc3339.exact(placed.closes_at),
    }


def parsed(body: bytes, scope: Scope) -> Any:
    """Return the JSON of a body, which has one meaning.

    Raises:
        InvalidContent: the content is not announced as JSON.
        Malformed: it is none, or holds a name twice, NaN, or a number of thousands of digits.
    """
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if not kind.partition(b";")[0].strip().lower().endswith(b"json"):
        raise InvalidContent("The content is not JSON.", errors=[_error("body", "JSON")])
    try:
        return json.loads(body, object_pairs_hook=_unique, parse_constant=_not_a_number)
    except (ValueError, RecursionError) as error:
        told = error.msg if isinstance(error, json.JSONDecodeError) else "it cannot be read"
        raise Malformed(
            "The body is not well-formed JSON.", errors=[_error("body", told)]
        ) from error


async def _read(receive: Receive) -> bytes:
    """Read the whole content; most bids come in one piece with their head."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(body) <= MOST_BYTES:
        return body
    held = bytearray(body)
    try:
        async with asyncio.timeout(ARRIVES_WITHIN_S):
            while message.get("more_body", False) and len(held) <= MOST_BYTES:
                message = await receive()
                held += message.get("body", b"")
    except TimeoutError as late:
        raise bodies.BodyTooSlow(
            "The content did not arrive in time.", within_s=ARRIVES_WITHIN_S
        ) from late
    if len(held) > MOST_BYTES:
        raise bodies.BodyTooLarge("The content is too long.", most_bytes=MOST_BYTES)
    return bytes(held)


def _now(app: FastAPI, at: datetime) -> datetime:
    override = app.dependency_overrides.get(deps.get_now)
    return at if override is None else override()


def _id(text: str, name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidContent(
            "A field breaks its rule.", errors=[_error(f"path.{name}", "a UUID")]
        ) from error


def _rulebook(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or _SHA256.fullmatch(value) is None:
        errors = [_error("rulebook_sha256", "64 hexadecimal digits in lower case")]
        raise InvalidContent("A field breaks its rule.", errors=errors)
    return value


def _error(field: str, rule: str) -> dict[str, str]:
    return {"field": field, "rule": rule}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise json.JSONDecodeError("a name stands twice in an object", "", 0)
    return found


def _not_a_number(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no JSON", "", 0)
