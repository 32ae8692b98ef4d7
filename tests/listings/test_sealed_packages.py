"""Packages that nobody can read before the opening, solved after it."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids, rfc3339
from contracts.rights import rules as rights_rules
from exchange import bundle_verbs
from exchange.context import Context
from exchange.db import Database
from listings.admissions import service as admissions
from listings.auctions import queries as auctions_read
from listings.auctions import service as auctions
from listings.auctions import verify_auction
from listings.auctions.tables import Auction
from listings.bundles import service as bundles
from listings.sealed import audit, envelope
from tests.conftest import NOW
from tests.listings.auctions_factory import enrol
from tests.listings.bundles_factory import CHINA, CUTS, HONG_KONG, WIRE
from tests.listings.sealed_factory import Room, ceremony_of, prepared
from tests.listings.test_sealed_audit import exported


async def closed_room(session: AsyncSession) -> Room:
    """A sealed package auction with three bids, closed."""
    held = ceremony_of(ids.new(NOW), plain_bytes=4096)
    seller = (await enrol(session, now=NOW, kind="rights_holder")).id
    await prepared(session, held, seller)
    sale = {
        "method": "package", "auction_id": str(held.opening.auction), "currency": "CNY",
        "floor_minor": 1_000, "opens_at": rfc3339.exact(NOW),
        "closes_at": rfc3339.exact(NOW + timedelta(minutes=10)),
        "terms": {"cuts": CUTS, "reserve_minor": 100},
        "secrecy": {"bidders": "hidden", "amounts": "sealed"}, "opening": held.wire,
    }  # fmt: skip
    auction = await auctions.open_auction(
        session, held.opening.auction, listing_id=ids.new(NOW), work_id=ids.new(NOW),
        seller_id=seller, sale=sale, now=NOW, rights=[rights_rules.normal(WIRE)],
    )  # fmt: skip
    parties = [(await enrol(session, now=NOW)).id for _ in range(3)]
    admitted = await admissions.loaded(session, auction, parties, now=NOW)
    paddles = {party: admitted[party].paddle or 0 for party in parties}
    room = Room(session, auction, held, seller, paddles)
    wishes = [[(CHINA, 10_000)], [(HONG_KONG, 10_000)], [([*CHINA, *HONG_KONG], 10_000)]]
    for party, wish in zip(parties, wishes, strict=True):
        await room.send(party, sealed(room, paddles[party], wish))
    await room.close()
    return room


async def test_sealed_packages_are_opened_by_two_holders_and_then_solved(
    context: Context, db: Database
) -> None:
    async with db.transaction() as session:
        room = await closed_room(session)
        assert await bundles.ask(session, room.auction.id) is None  # nothing is opened yet
    async with db.transaction() as session:
        room.session = session
        await room.hand_in("exchange")
        await room.hand_in("auditor")
        body = await room.revealed()
        assert body is not None
        assert (len(body["openings"]), body["failures"]) == (3, [])
        row = await session.get_one(Auction, room.auction.id)
        assert row.result is None  # the winners are computed first
    fact: Any = SimpleNamespace(subject=room.auction.id, record={"method": "package"})
    async with db.transaction() as session:
        await bundle_verbs.solve_packages(context, session, fact, NOW)
    async with db.transaction() as session:
        room.session = session
        room.auction = await session.get_one(Auction, room.auction.id)
        result = canonical.loads(room.auction.result or b"{}")
        assert result["outcome"] == "sold"
        assert {tuple(one["items"]) for one in result["awards"]} == {
            tuple(CHINA), tuple(HONG_KONG),
        }  # fmt: skip
        assert (await auctions_read.events(session, room.auction.id))[-1].kind == "awarded"
        lines = await exported(room)
        assert audit.audit(lines).faults == ()
        found = verify_auction.verify(b"".join(lines))
        assert verify_auction.dumps(found["result"]) == room.auction.result


def sealed(room: Room, paddle: int, wish: list[tuple[list[str], int]]) -> dict[str, str]:
    wire = [{"cells": cells, "amount_minor": amount} for cells, amount in wish]
    content = {"currency": "CNY", "packages": wire}
    return envelope.seal(
        room.held.opening, listing=room.auction.listing_id, paddle=paddle, content=content
    ).content
