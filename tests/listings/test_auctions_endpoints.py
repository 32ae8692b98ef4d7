import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request

from contracts import canonical, ids
from contracts.money import MOST_MINOR
from exchange import receipts
from exchange.api import deps
from exchange.app import create_app
from exchange.context import Context
from exchange.db import Database
from exchange.identity.rules import SCOPES, Caller, Role
from tests.conftest import NOW
from tests.listings.auctions_factory import enrol, open_auction

SOON = NOW + timedelta(seconds=1)
OPERATORS_PARTY = UUID(int=77)


@dataclass
class Room:
    """An open auction, its parties, and an HTTP client; `clock` is what the server reads."""

    client: httpx.AsyncClient
    auction: str
    listing: str
    seller: UUID
    bidders: list[UUID]
    unverified: UUID
    app: FastAPI

    async def bid(
        self, who: UUID | None, amount: Any, *, bid_id: UUID | None = None, **body: Any
    ) -> httpx.Response:
        return await self.client.put(
            f"/v1/auctions/{self.auction}/bids/{bid_id or ids.new(NOW)}",
            json={"amount_minor": amount, "currency": "CNY", **body},
            headers={"Authorization": f"Bearer {who}"} if who else {},
        )

    async def show(self) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/auctions/{self.auction}")
        assert answer.status_code == 200
        return dict(answer.json())

    def at(self, instant: datetime) -> None:
        self.app.dependency_overrides[deps.get_now] = lambda: instant


async def known_caller(request: Request) -> Caller | None:
    """Recognise a party by its id instead of a key; identity has tests of its own."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    party = UUID(header.removeprefix("Bearer "))
    role = Role.OPERATOR if party == OPERATORS_PARTY else Role.BROADCASTER
    return Caller(UUID(int=5), party, role, frozenset(SCOPES))


@pytest.fixture
async def room(context: Context, db: Database) -> AsyncIterator[Room]:
    async with db.transaction() as session:
        seller = await enrol(session, now=NOW)
        bidders = [(await enrol(session, now=NOW)).id for _ in range(3)]
        unverified = await enrol(session, now=NOW, state="registered")
        auction = await open_auction(session, seller_id=seller.id, now=NOW)
    app = create_app(context)
    app.dependency_overrides[deps.find_caller] = known_caller
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as client:
        opened = Room(
            client, str(auction.id), str(auction.listing_id), seller.id, bidders,
            unverified.id, app,
        )  # fmt: skip
        opened.at(SOON)
        yield opened


async def test_an_auction_is_shown_with_its_rules_and_the_least_that_would_lead(room: Room) -> None:
    shown = await room.show()
    book = shown.pop("rulebook")
    assert canonical.sha256_hex(canonical.dumps(book)) == shown.pop("rulebook_sha256")
    assert shown == {
        "id": room.auction, "listing_id": room.listing, "state": "open",
        "opens_at": "2026-11-22T09:00:00Z", "closes_at": "2026-11-22T09:10:00Z",
        "hard_stop_at": "2026-11-22T09:30:00Z", "currency": "CNY", "floor_minor": 100_000,
        "step_minor": 1_000, "least_minor": 100_000, "standing": None, "bids": 0, "extensions": 0,
        "method": "english", "supersedes": None, "result": None,
    }  # fmt: skip


async def test_a_bid_is_answered_with_its_number_and_leads(room: Room) -> None:
    bid_id = ids.new(NOW)
    answer = await room.bid(room.bidders[0], 120_000, bid_id=bid_id)
    assert answer.status_code == 201
    given = answer.json()
    signer = receipts.signer(room.app.state.context.settings)
    said = receipts.check(given.pop("receipt"), signer.public_pem.encode())
    assert (said["bid"], said["sequence"]) == (str(bid_id), 1)
    assert given == {
        "id": str(bid_id), "auction_id": room.auction, "amount_minor": 120_000, "currency": "CNY",
        "paddle": 1, "sequence": 1, "received_at": "2026-11-22T09:00:01Z", "leading": True,
        "closes_at": "2026-11-22T09:10:00Z",
    }  # fmt: skip
    shown = await room.show()
    assert shown["standing"] == {"bid": str(bid_id), "amount_minor": 120_000, "paddle": 1}
    assert (shown["least_minor"], shown["bids"]) == (121_000, 1)


async def test_the_same_bid_again_gets_the_first_answer(room: Room) -> None:
    bid_id = ids.new(NOW)
    first = await room.bid(room.bidders[0], 120_000, bid_id=bid_id)
    await room.bid(room.bidders[1], 130_000)
    room.at(NOW + timedelta(hours=2))
    again = await room.bid(room.bidders[0], 120_000, bid_id=bid_id)
    assert (again.status_code, again.json()) == (200, first.json())
    other = await room.bid(room.bidders[0], 140_000, bid_id=bid_id)
    assert (other.status_code, other.json()["code"]) == (409, "id-reused")


async def test_a_low_bid_and_a_late_bid_are_told_the_least_that_would_lead(room: Room) -> None:
    await room.bid(room.bidders[0], 120_000)
    low = await room.bid(room.bidders[1], 120_999)
    assert (low.status_code, low.json()["code"]) == (409, "bid-too-low")
    assert (low.json()["least_minor"], low.json()["currency"]) == (121_000, "CNY")
    room.at(NOW + timedelta(minutes=10))
    late = await room.bid(room.bidders[1], 200_000)
    assert (late.status_code, late.json()["code"]) == (409, "auction-closed")
    assert late.json()["closed_at"] == "2026-11-22T09:10:00Z"
    assert late.json()["least_minor"] == 121_000
    assert (await room.show())["bids"] == 1


async def test_an_early_bid_is_told_when_the_auction_opens(room: Room) -> None:
    room.at(NOW - timedelta(minutes=1))
    early = await room.bid(room.bidders[0], 120_000)
    assert (early.status_code, early.json()["code"]) == (409, "auction-not-open")
    assert early.json()["opens_at"] == "2026-11-22T09:00:00Z"


async def test_who_may_not_bid_is_told_why(room: Room) -> None:
    answers = [
        await room.bid(None, 120_000),
        await room.bid(OPERATORS_PARTY, 120_000),
        await room.bid(room.seller, 120_000),
        await room.bid(room.unverified, 120_000),
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (401, "sign-in-needed"),
        (403, "not-allowed"),
        (403, "own-listing"),
        (403, "bidder-not-verified"),
    ]
    assert (await room.show())["bids"] == 0


@pytest.mark.parametrize(
    "amount", [0, -1, MOST_MINOR + 1, 10**30, 1.5, 120_000.0, True, "120000", None, [1]]
)
async def test_an_amount_that_is_no_amount_is_refused(room: Room, amount: object) -> None:
    answer = await room.bid(room.bidders[0], amount)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-content")
    assert (await room.show())["bids"] == 0


@pytest.mark.parametrize(
    "raw", ['{"amount_minor": NaN, "currency": "CNY"}', '{"amount_minor": 1e6, "currency": "CNY"}',
            '{"amount_minor": 120000, "currency": "CNY"', "", "[]"],
)  # fmt: skip
async def test_a_body_that_is_no_bid_is_a_problem_document(room: Room, raw: str) -> None:
    answer = await room.client.put(
        f"/v1/auctions/{room.auction}/bids/{ids.new(NOW)}",
        content=raw,
        headers={
            "Authorization": f"Bearer {room.bidders[0]}", "Content-Type": "application/json",
        },
    )  # fmt: skip
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("malformed", "invalid-content")


async def test_currencies_and_fields_that_do_not_fit_are_refused(room: Room) -> None:
    answers = [
        await room.bid(room.bidders[0], 120_000, currency="HKD"),
        await room.bid(room.bidders[0], 120_000, currency="XXX"),
        await room.bid(room.bidders[0], 120_000, currency="cny"),
        await room.bid(room.bidders[0], 120_000, proxy_minor=5),
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (422, "wrong-currency"),
        (422, "wrong-currency"),
        (422, "invalid-content"),
        (422, "invalid-content"),
    ]


async def test_auctions_that_do_not_exist_are_unknown(room: Room) -> None:
    room.auction = str(ids.new(NOW))
    answers = [
        await room.bid(room.bidders[0], 120_000),
        await room.client.get(f"/v1/auctions/{room.auction}"),
        await room.client.get(f"/v1/auctions/{room.auction}/bids"),
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "unknown")] * 3


async def test_the_list_of_bids_names_paddles_and_marks_the_callers_own(room: Room) -> None:
    for n in range(5):
        await room.bid(room.bidders[n % 2], 120_000 + n * 1_000)
    address = f"/v1/auctions/{room.auction}/bids"
    public = (await room.client.get(address)).json()
    assert [row["sequence"] for row in public["items"]] == [1, 2, 3, 4, 5]
    assert {row["mine"] for row in public["items"]} == {False}
    assert set(public["items"][0]) == {
        "id", "paddle", "amount_minor", "sequence", "received_at", "mine",
    }  # fmt: skip
    assert public["next"] is None
    me = {"Authorization": f"Bearer {room.bidders[1]}"}
    first = (await room.client.get(address, params={"limit": 3}, headers=me)).json()
    assert [row["mine"] for row in first["items"]] == [False, True, False]
    more = {"limit": 3, "after": first["next"]}
    rest = (await room.client.get(address, params=more, headers=me)).json()
    assert [row["sequence"] for row in rest["items"]] == [4, 5]
    strange = await room.client.get(address, params={"after": str(ids.new(NOW))})
    assert strange.status_code == 404


async def test_many_bidders_at_once_leave_one_gapless_rising_sequence(room: Room) -> None:
    async def bidder(who: UUID, offset: int) -> list[dict[str, Any]]:
        answers = await asyncio.gather(
            *(room.bid(who, 100_000 + (n * 3 + offset) * 1_000) for n in range(20))
        )
        assert {answer.status_code for answer in answers} <= {201, 409}
        refused = [answer.json() for answer in answers if answer.status_code == 409]
        assert all(body["code"] == "bid-too-low" for body in refused)
        return [answer.json() for answer in answers if answer.status_code == 201]

    parts = await asyncio.gather(*(bidder(who, n) for n, who in enumerate(room.bidders)))
    acknowledged = {row["id"]: row for part in parts for row in part}
    page = (await room.client.get(f"/v1/auctions/{room.auction}/bids?limit=500")).json()["items"]
    assert [row["sequence"] for row in page] == list(range(1, len(page) + 1))
    amounts = [row["amount_minor"] for row in page]
    assert all(b - a >= 1_000 for a, b in itertools.pairwise(amounts))
    assert {row["id"] for row in page} == set(acknowledged)
    assert all(acknowledged[row["id"]]["sequence"] == row["sequence"] for row in page)
    assert (await room.show())["bids"] == len(page)


async def test_the_same_bid_sent_many_times_at_once_is_one_bid(room: Room) -> None:
    bid_id = ids.new(NOW)
    answers = await asyncio.gather(
        *(room.bid(room.bidders[0], 120_000, bid_id=bid_id) for _ in range(15))
    )
    assert sorted(a.status_code for a in answers) == [200] * 14 + [201]
    assert len({a.text for a in answers}) == 1
    assert (await room.show())["bids"] == 1


async def test_two_hundred_bids_one_after_another_take_seconds(room: Room) -> None:
    started = asyncio.get_running_loop().time()
    for n in range(200):
        answer = await room.bid(room.bidders[n % 3], 100_000 + n * 1_000)
        assert answer.status_code == 201
    assert asyncio.get_running_loop().time() - started < 20
    assert (await room.show())["bids"] == 200
