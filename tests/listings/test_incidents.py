"""Auctions in trouble: paused and resumed, held anew, voided, and awarded past a defaulter."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import opening
from contracts.deals import rules as deal_rules
from contracts.deals.tables import Deal
from contracts.facts import queries as facts
from contracts.parties import queries as parties
from contracts.refusal import IdReused
from listings.admissions import queries as admissions
from listings.auctions import ending
from listings.auctions import queries as auctions
from listings.auctions.refusals import AuctionPaused
from listings.auctions.tables import Auction
from listings.catalogue.tables import Listing
from listings.incidents import queries, rules, service
from listings.incidents.service import Measure, Times
from listings.incidents.tables import Incident
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.listings.auctions_factory import bid, enrol
from tests.listings.catalogue_factory import published_listing

FIRST, SECOND = ids.new(NOW), ids.new(NOW)
MINUTE = timedelta(minutes=1)
KINDS = (*rules.AT_ONCE, rules.REBID, rules.VOID, rules.DEFAULT)


async def auction_of(session: AsyncSession, **sale: Any) -> Auction:
    listing = await published_listing(
        session, seller=await party(session, now=NOW), now=NOW, **sale
    )
    return await auctions.get_auction(session, listing.auction_id)


async def report(
    session: AsyncSession, auction: Auction, kind: str, *, at: Any = NOW, **more: Any
) -> Incident:
    measure = Measure(kind, "系统时钟校准", **more)
    made, _ = await service.report(
        session, ids.new(at), auction_id=auction.id, measure=measure, person_id=FIRST, now=at
    )
    return made


async def decide(
    session: AsyncSession, incident: Incident, *, by: UUID = SECOND, outcome: str = "done",
    at: Any = NOW,
) -> Incident:  # fmt: skip
    return await service.decide(session, incident.id, outcome=outcome, person_id=by, now=at)


def later() -> Times:
    return Times(
        ids.new(NOW), NOW + timedelta(days=1), NOW + timedelta(days=1, minutes=10),
        NOW + timedelta(days=1, minutes=30),
    )  # fmt: skip


async def test_a_pause_moves_close_and_hard_stop_by_its_length(session: AsyncSession) -> None:
    auction = await auction_of(session)
    closes_at, stop = auction.closes_at, auction.hard_stop_at
    await report(session, auction, "pause", at=NOW + MINUTE)
    assert auction.state == "paused"
    buyer = await enrol(session, now=NOW)
    with pytest.raises(AuctionPaused):
        await bid(session, auction, buyer.id, 100_000, now=NOW + 2 * MINUTE)
    await ending.close_due(session, now=closes_at)
    assert auction.state == "paused"
    await report(session, auction, "resume", at=NOW + 4 * MINUTE)
    assert (auction.state, auction.closes_at - closes_at) == ("open", 3 * MINUTE)
    assert stop and auction.hard_stop_at and auction.hard_stop_at - stop == 3 * MINUTE
    await bid(session, auction, buyer.id, 100_000, now=closes_at + 2 * MINUTE)
    told = await queries.moments(session, auction.id)
    assert [one.kind for one in told] == ["paused", "resumed"]
    assert await facts.find_first_of(session, auction.id, "auction.resumed")


async def test_what_is_not_running_is_not_paused_nor_resumed_when_not_paused(
    session: AsyncSession,
) -> None:
    auction = await auction_of(session)
    with pytest.raises(rules.IncidentState):
        await report(session, auction, "resume")
    with pytest.raises(rules.IncidentState):
        await report(session, auction, "pause", at=auction.closes_at)
    await report(session, auction, "pause")
    with pytest.raises(rules.IncidentState):
        await report(session, auction, "pause")


async def test_a_pause_decided_after_a_later_bid_stands_behind_it_in_time(
    session: AsyncSession,
) -> None:
    auction = await auction_of(session)
    buyer = await enrol(session, now=NOW)
    await bid(session, auction, buyer.id, 100_000, now=NOW + 2 * MINUTE)
    await report(session, auction, "pause", at=NOW + MINUTE)
    told = await queries.moments(session, auction.id)
    assert told[0].at == NOW + 2 * MINUTE


async def test_voiding_and_bidding_anew_take_two_people(session: AsyncSession) -> None:
    auction = await auction_of(session)
    proposed = await report(session, auction, "void")
    assert (proposed.state, auction.state) == ("proposed", "open")
    with pytest.raises(rules.SecondPersonNeeded):
        await decide(session, proposed, by=FIRST)
    await decide(session, proposed, outcome="refused")
    assert auction.state == "open"
    with pytest.raises(rules.IncidentDecided):
        await decide(session, proposed)
    again = await decide(session, await report(session, auction, "void"))
    assert (again.state, auction.state) == ("done", "void")
    fact = await facts.find_first_of(session, auction.id, "auction.voided")
    assert fact and canonical.loads(fact.record)["successor"] is None


async def test_the_database_too_wants_a_second_person(session: AsyncSession) -> None:
    auction = await auction_of(session)
    proposed = await report(session, auction, "void")
    proposed.state, proposed.decided_by, proposed.decided_at = "done", FIRST, NOW
    with pytest.raises(IntegrityError, match="incident_takes_two"):
        await session.flush()


async def test_bidding_anew_is_another_auction_linked_to_the_old_one(
    session: AsyncSession,
) -> None:
    auction = await auction_of(session)
    buyer = await enrol(session, now=NOW)
    await bid(session, auction, buyer.id, 100_000, now=NOW)
    times = later()
    await decide(session, await report(session, auction, "rebid", times=times))
    made = await auctions.get_auction(session, times.auction_id)
    assert (auction.state, made.state, made.bids) == ("void", "open", 0)
    assert (made.supersedes, made.listing_id) == (auction.id, auction.listing_id)
    assert made.rulebook_sha256 != auction.rulebook_sha256
    assert made.floor_minor == auction.floor_minor
    invited = await facts.find_first_of(session, made.id, "auction.invited")
    assert invited and buyer.id in invited.parties
    assert (await queries.successor(session, auction.id)) == made.id


async def test_the_id_of_an_auction_is_not_used_twice(session: AsyncSession) -> None:
    auction = await auction_of(session)
    taken = Times(auction.id, NOW + MINUTE, NOW + 2 * MINUTE, NOW + 3 * MINUTE)
    with pytest.raises(IdReused):
        await decide(session, await report(session, auction, "rebid", times=taken))


async def test_a_hidden_reserve_goes_on_hidden(session: AsyncSession) -> None:
    auction = await auction_of(session, reserve={"kind": "hidden", "amount_minor": 150_000})
    times = later()
    await decide(session, await report(session, auction, "rebid", times=times))
    made = await auctions.get_auction(session, times.auction_id)
    assert made.secret and made.secret["reserve_minor"] == 150_000
    assert b"150000" not in made.rulebook


async def test_reported_twice_an_incident_happens_once(session: AsyncSession) -> None:
    auction = await auction_of(session)
    name, measure = ids.new(NOW), Measure("pause", "系统时钟校准")
    for new in (True, False):
        _, made = await service.report(
            session, name, auction_id=auction.id, measure=measure, person_id=FIRST, now=NOW
        )
        assert made is new
    with pytest.raises(IdReused):
        await service.report(
            session, name, auction_id=auction.id, measure=Measure("void", "别的原因"),
            person_id=FIRST, now=NOW,
        )  # fmt: skip


async def sold_to_first_of_two(session: AsyncSession, **sale: Any) -> tuple[Auction, list[UUID]]:
    auction = await auction_of(session, **sale)
    buyers = [(await enrol(session, now=NOW)).id for _ in range(2)]
    await bid(session, auction, buyers[1], 100_000, now=NOW)
    await bid(session, auction, buyers[0], 120_000, now=NOW + MINUTE)
    await ending.close(session, auction, now=auction.closes_at)
    await open_deals(session, auction)
    return auction, buyers


async def open_deals(session: AsyncSession, auction: Auction) -> list[Deal]:
    """What the reaction to `award.made` does, for each award without a contract."""
    made = []
    listing = await session.get(Listing, auction.listing_id)
    assert listing
    for fact in await facts.all_of(session, auction.id, "award.made"):
        award = {**canonical.loads(fact.record), "fact": str(fact.id)}
        if await session.get(Deal, deal_rules.deal_id_of(fact.id)) is None:
            made.append(await deal_for(session, award, fact.id, listing))
    return made


async def deal_for(
    session: AsyncSession, award: dict[str, Any], fact_id: UUID, listing: Listing
) -> Deal:
    published = await facts.find_first_of(session, listing.id, "listing.published")
    assert published
    anchor = {"fact": str(published.id), "log": "log.test"}
    return await opening.open_deal(
        session, deal_rules.deal_id_of(fact_id), work_id=listing.work_id,
        listing=canonical.loads(published.record), award=award,
        licensor=await parties.get_party(session, UUID(award["licensor"])),
        licensee=await parties.get_party(session, UUID(award["licensee"])),
        anchor=anchor, now=NOW,
    )  # fmt: skip


async def test_a_winner_who_does_not_sign_is_left_out_and_the_next_best_is_awarded(
    session: AsyncSession,
) -> None:
    auction, buyers = await sold_to_first_of_two(session, default="next-best")
    whose = {party: number for number, party in (await _paddles(session, auction)).items()}
    proposed = await report(
        session, auction, "default", at=auction.closes_at + MINUTE, paddle=whose[buyers[0]]
    )
    await decide(session, proposed, at=auction.closes_at + 2 * MINUTE)
    result = canonical.loads(auction.result or b"")
    assert [one["paddle"] for one in result["awards"]] == [whose[buyers[1]]]
    awards = await facts.all_of(session, auction.id, "award.made")
    assert len(awards) == 2
    (deal,) = await open_deals(session, auction)
    assert deal.licensee_id == buyers[1]
    assert "defaulted" in [one.kind for one in await queries.moments(session, auction.id)]
    assert all("paddle" not in one.body for one in await queries.moments(session, auction.id))


async def test_where_the_rulebook_says_so_a_default_leaves_it_unsold(
    session: AsyncSession,
) -> None:
    auction, buyers = await sold_to_first_of_two(session, default="none")
    whose = {party: number for number, party in (await _paddles(session, auction)).items()}
    proposed = await report(session, auction, "default", paddle=whose[buyers[0]])
    await decide(session, proposed, at=auction.closes_at + MINUTE)
    result = canonical.loads(auction.result or b"")
    assert (result["outcome"], result["reason"]) == ("unsold", "defaulted")


async def test_what_was_awarded_is_not_voided_any_more_nor_does_a_loser_default(
    session: AsyncSession,
) -> None:
    auction, buyers = await sold_to_first_of_two(session)
    for kind, more in (("void", {}), ("rebid", {"times": later()})):
        with pytest.raises(rules.IncidentState):
            await report(session, auction, kind, **more)
    whose = {party: number for number, party in (await _paddles(session, auction)).items()}
    proposed = await report(session, auction, "default", paddle=whose[buyers[1]])
    with pytest.raises(rules.IncidentState):
        await decide(session, proposed)


@given(st.sampled_from(KINDS), st.sampled_from(["open", "paused", "closed", "void"]), st.booleans())
def test_nothing_is_done_to_a_void_auction_and_nothing_undone_after_the_award(
    kind: str, state: str, awarded: bool
) -> None:
    try:
        rules.check_state(kind, state, awarded=awarded)
    except rules.IncidentState:
        return
    assert state != "void"
    assert awarded == (kind == "default") or kind in rules.AT_ONCE


@given(st.timedeltas(timedelta(0), timedelta(days=9)), st.booleans())
def test_a_resumed_auction_keeps_the_time_it_had(length: timedelta, stops: bool) -> None:
    close, stop = NOW + MINUTE, NOW + 9 * MINUTE if stops else None
    body = rules.resumed(closes_at=close, hard_stop_at=stop, paused_at=NOW, at=NOW + length)
    assert body["closes_at"] is not None
    moved = type(NOW).fromisoformat(body["closes_at"])
    assert moved - (NOW + length) == close - NOW
    assert (body["hard_stop_at"] is None) is not stops


def test_what_hangs_on_the_times_moves_with_them() -> None:
    sale = {
        "opens_at": "2026-12-01T00:00:00Z", "closes_at": "2026-12-02T00:05:00Z",
        "hard_stop_at": "2026-12-03T00:00:00Z", "floor_minor": 5,
        "closing": {"kind": "timed", "window_s": 300, "free_until": "2026-12-02T00:00:00Z"},
        "admission": {"kind": "applied", "until": "2026-11-30T00:00:00Z"},
    }  # fmt: skip
    times = {
        "auction_id": "x", "opens_at": "2026-12-11T00:00:00Z", "closes_at": "2026-12-12T09:05:00Z",
    }  # fmt: skip
    made = rules.moved(sale, times)
    assert made["closing"]["free_until"] == "2026-12-12T09:00:00Z"
    assert made["admission"]["until"] == "2026-12-10T00:00:00Z"
    assert "hard_stop_at" not in made
    assert made["floor_minor"] == 5


async def _paddles(session: AsyncSession, auction: Auction) -> dict[int, UUID]:
    return await admissions.parties_of(session, auction.id)
