"""Negotiations in the database: versions that stay, private rooms, and deals at the end."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import queries as deals
from contracts.deals.instalments import InstalmentsNotAllowed
from contracts.facts import queries as facts
from contracts.facts.rules import SealedFact
from contracts.log.rules import may_read
from contracts.parties.rules import PartyNotVerified
from contracts.refusal import IdReused, Unknown
from contracts.titles import queries as titles
from contracts.titles import service as register
from contracts.titles.rules import RightsAlreadyGranted
from exchange import offer_verbs
from exchange.context import Context
from listings.disclosures import service as disclosures
from listings.offers import opening, queries, service
from listings.offers.rules import BadOffer, OfferExpired, OfferSuperseded, OwnRights
from listings.offers.service import Speaker
from listings.offers.tables import Offer, OfferVersion
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.listings.offers_factory import WEEK, Room, a_room, ask, open_right, say


async def accepted(session: AsyncSession, room: Room, version: OfferVersion, by: str) -> Offer:
    who = room.licensor if by == "licensor" else room.licensee
    return await service.accept(
        session, version.offer_id, party_id=who.id, version_id=version.id, sha256=version.sha256,
        now=NOW,
    )  # fmt: skip


async def react(context: Context, session: AsyncSession, offer_id: UUID) -> SealedFact:
    found = await facts.find_first_of(session, offer_id, "offer.accepted")
    assert found is not None
    fact = SealedFact(
        1, found.id, found.kind, found.subject, found.parties, canonical.loads(found.record), NOW
    )
    for _ in range(2):
        await offer_verbs.open_offered_deals(context, session, fact, NOW)
    return fact


async def test_a_counter_offer_is_accepted_and_its_version_is_what_the_contract_names(
    session: AsyncSession, context: Context
) -> None:
    room, offer_id = await a_room(session), ids.new(NOW)
    await say(session, offer_id, room, "licensee")
    works = ask(room)["works"]
    works[0]["price"] = {"guarantee_minor": 7_000_000, "share_bp": 1500}
    second = await say(session, offer_id, room, "licensor", model="guarantee-share", works=works)
    offer = await accepted(session, room, second, "licensee")
    assert (offer.state, offer.accepted_version, offer.versions) == ("accepted", second.id, 2)
    assert [grant.state for grant in await titles.grants_of_work(session, room.work.id)] == []
    await react(context, session, offer_id)
    (deal,) = await deals.deals_of(session, room.licensee.id)
    terms = canonical.loads(deal.terms)
    assert terms["award"] == {
        "offer": str(offer_id), "version": str(second.id), "version_sha256": second.sha256,
    }  # fmt: skip
    assert (deal.amount_minor, deal.listing_id, deal.offer_id) == (7_000_000, None, offer_id)
    assert terms["consideration"]["share_bp"] == 1500
    assert terms["asset"]["master_sha256"] == room.master.sha256
    assert terms["grants"][0]["media"] == ["satellite"]


async def test_an_offer_of_two_works_opens_a_deal_for_each(
    session: AsyncSession, context: Context
) -> None:
    first = await a_room(session)
    second = await a_room(session, licensor=first.licensor)
    offer_id = ids.new(NOW)
    made = await say(session, offer_id, first, "licensor", rooms=[first, second])
    await accepted(session, first, made, "licensee")
    await react(context, session, offer_id)
    found = await deals.deals_of(session, first.licensee.id)
    assert {deal.work_id for deal in found} == {first.work.id, second.work.id}
    assert len({deal.contract_no for deal in found}) == 2


async def test_the_same_version_again_is_the_one_that_is_there(session: AsyncSession) -> None:
    room, offer_id, version_id = await a_room(session), ids.new(NOW), ids.new(NOW)
    speaker = room.speaker("licensee")
    answers = [
        await service.propose(
            session, offer_id, version_id, speaker=speaker, ask=ask(room), licensee_id=None, now=at
        )
        for at in (NOW, NOW + 2 * WEEK)
    ]
    assert [new for _, new in answers] == [True, False]
    assert answers[0][0] is answers[1][0]
    with pytest.raises(IdReused):
        await service.propose(
            session, offer_id, version_id, speaker=speaker, ask=ask(room, message="x"),
            licensee_id=None, now=NOW,
        )  # fmt: skip
    other = ids.new(NOW)
    with pytest.raises(IdReused):
        await service.propose(
            session, other, version_id, speaker=speaker, ask=ask(room), licensee_id=None, now=NOW
        )


async def test_a_version_never_changes_not_even_for_the_owner_of_the_database(
    session: AsyncSession,
) -> None:
    room = await a_room(session)
    made = await say(session, ids.new(NOW), room, "licensee")
    for change in (
        "UPDATE offer_version SET sha256 = repeat('0', 64)",
        "DELETE FROM offer_version",
    ):
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(text(f"{change} WHERE id = :id"), {"id": made.id})


async def test_a_stranger_is_told_the_same_of_a_negotiation_as_of_none(
    session: AsyncSession,
) -> None:
    room, offer_id = await a_room(session), ids.new(NOW)
    made = await say(session, offer_id, room, "licensee")
    stranger = await party(session, now=NOW)
    refusals = []
    for known in (offer_id, ids.new(NOW)):
        for attempt in (
            queries.get_of(session, known, stranger.id),
            service.accept(
                session, known, party_id=stranger.id, version_id=made.id, sha256=made.sha256,
                now=NOW,
            ),
            service.decline(session, known, party_id=stranger.id, reason="", now=NOW),
            service.withdraw(
                session, known, party_id=stranger.id, version_id=made.id, now=NOW
            ),
        ):  # fmt: skip
            with pytest.raises(Unknown) as refused:
                await attempt
            refusals.append((refused.value.code, refused.value.detail, refused.value.data))
    assert refusals == [("unknown", queries.NO_OFFER, {})] * 8
    assert list(await queries.offers_of(session, stranger.id, after=offer_id, limit=9)) == []
    fact = await facts.find_first_of(session, offer_id, "offer.made")
    assert fact is not None
    assert not may_read(fact.kind, fact.parties, party=stranger.id, staff=True)
    for side in (room.licensor, room.licensee):
        assert may_read(fact.kind, fact.parties, party=side.id, staff=False)


async def test_what_runs_out_ends_at_its_instant_whether_or_not_the_clock_has_struck(
    session: AsyncSession,
) -> None:
    room, offer_id = await a_room(session), ids.new(NOW)
    made = await say(session, offer_id, room, "licensee")
    with pytest.raises(OfferExpired):
        await service.accept(
            session, offer_id, party_id=room.licensor.id, version_id=made.id, sha256=made.sha256,
            now=NOW + WEEK,
        )  # fmt: skip
    await service.expire_due(session, now=NOW + WEEK - timedelta(microseconds=1))
    offer, _ = await queries.get_of(session, offer_id, room.licensee.id)
    assert offer.state == "open"
    while await service.expire_due(session, now=NOW + WEEK):
        pass
    assert (offer.state, offer.ended_at) == ("expired", NOW + WEEK)
    ended = await facts.find_first_of(session, offer_id, "offer.ended")
    assert ended is not None
    assert canonical.loads(ended.record)["outcome"] == "expired"


async def test_a_word_withdrawn_or_declined_ends_the_negotiation_for_both(
    session: AsyncSession,
) -> None:
    room = await a_room(session)
    for side, verb in (("licensee", "withdrawn"), ("licensor", "declined")):
        offer_id = ids.new(NOW)
        made = await say(session, offer_id, room, "licensee")
        who = room.licensee if side == "licensee" else room.licensor
        for _ in range(2):
            offer = (
                await service.withdraw(
                    session, offer_id, party_id=who.id, version_id=made.id, now=NOW
                )
                if verb == "withdrawn"
                else await service.decline(
                    session, offer_id, party_id=who.id, reason="太低", now=NOW
                )
            )
        assert offer.state == verb


async def test_acceptance_names_the_bytes_that_were_read(session: AsyncSession) -> None:
    room, offer_id = await a_room(session), ids.new(NOW)
    made = await say(session, offer_id, room, "licensee")
    with pytest.raises(OfferSuperseded):
        await service.accept(
            session, offer_id, party_id=room.licensor.id, version_id=made.id, sha256="0" * 64,
            now=NOW,
        )  # fmt: skip
    assert canonical.sha256_hex(made.content) == made.sha256


async def test_rights_that_are_on_sale_elsewhere_cannot_be_accepted_meanwhile(
    session: AsyncSession,
) -> None:
    room, offer_id = await a_room(session), ids.new(NOW)
    made = await say(session, offer_id, room, "licensee")
    await register.reserve(
        session, room.work.id, grantor_id=room.licensor.id, boxes=[wire()], source="auction",
        now=NOW,
    )  # fmt: skip
    with pytest.raises(RightsAlreadyGranted):
        await accepted(session, room, made, "licensor")
    await register.release(session, room.work.id, source="auction", now=NOW)
    assert (await accepted(session, room, made, "licensor")).state == "accepted"


async def test_a_private_right_is_seen_by_whom_it_was_named_to_and_by_nobody_else(
    session: AsyncSession,
) -> None:
    room = await a_room(session, audience="counterparty")
    with pytest.raises(Unknown):
        await say(session, ids.new(NOW), room, "licensee")
    offer_id = ids.new(NOW)
    await say(session, offer_id, room, "licensor")
    await opening.close(session, room.offerable, party_id=room.licensor.id, now=NOW)
    made = await say(session, offer_id, room, "licensee", message="还价")
    assert made.number == 2
    shown = await queries.open_page(session, after=ids.new(NOW - WEEK), limit=200)
    assert room.offerable not in [one.id for one in shown]


async def test_parties_that_may_not_trade_do_not_negotiate(session: AsyncSession) -> None:
    room = await a_room(session)
    new = await party(session, kind="broadcaster", verified=False, now=NOW)
    other_holder = await party(session, now=NOW)
    for licensee, refusal in ((new, PartyNotVerified), (other_holder, Unknown)):
        with pytest.raises(refusal):
            await service.propose(
                session, ids.new(NOW), ids.new(NOW), speaker=room.speaker("licensor"),
                ask=ask(room), licensee_id=licensee.id, now=NOW,
            )  # fmt: skip
    with pytest.raises(BadOffer):
        await service.propose(
            session, ids.new(NOW), ids.new(NOW), speaker=room.speaker("licensor"),
            ask=ask(room), licensee_id=None, now=NOW,
        )  # fmt: skip


async def test_an_owner_does_not_license_its_own_work(session: AsyncSession) -> None:
    room = await a_room(session)
    shares = {room.licensor.id: 5000, room.licensee.id: 5000}
    await register.declare_shares(
        session, room.work.id, party_id=room.licensor.id, shares=shares, now=NOW
    )
    with pytest.raises(OwnRights):
        await say(session, ids.new(NOW), room, "licensee")


async def test_only_what_a_party_may_license_is_opened_to_offers(session: AsyncSession) -> None:
    room = await a_room(session)
    again = await open_right(session, room, right=wire(media=["cable"]))
    row = await queries.find_offerable(session, again)
    assert row is not None
    assert row.models == ["flat", "guarantee-share", "per-run"]
    stranger = await a_room(session)
    with pytest.raises(Unknown):
        await opening.declare(
            session, ids.new(NOW), party_id=stranger.licensor.id, work_id=room.work.id,
            opening=opening.Opening(stranger.master.id, None, wire(), ["flat"], "broadcasters"),
            now=NOW,
        )  # fmt: skip
    with pytest.raises(Unknown):
        await opening.close(session, again, party_id=stranger.licensor.id, now=NOW)


async def test_a_counter_offer_stays_with_the_licensor_it_began_with(
    session: AsyncSession,
) -> None:
    room, offer_id = await a_room(session), ids.new(NOW)
    other = await a_room(session)
    await say(session, offer_id, room, "licensee")
    with pytest.raises(BadOffer):
        await say(session, offer_id, room, "licensee", rooms=[other])
    stranger = Speaker(other.licensee.id, ids.new(NOW), "licensee")
    with pytest.raises(IdReused):
        await service.propose(
            session, offer_id, ids.new(NOW), speaker=stranger, ask=ask(room), licensee_id=None,
            now=NOW,
        )  # fmt: skip


async def test_an_offer_in_instalments_makes_a_contract_that_says_each(
    session: AsyncSession, context: Context
) -> None:
    room, offer_id = await a_room(session, models=["instalments"]), ids.new(NOW)
    made = await say(session, offer_id, room, "licensee", **in_parts(room))
    await accepted(session, room, made, "licensor")
    await react(context, session, offer_id)
    (deal,) = await deals.deals_of(session, room.licensee.id)
    terms = canonical.loads(deal.terms)
    assert (deal.amount_minor, terms["consideration"]["kind"]) == (5_000_000, "fixed")
    assert terms["consideration"]["instalments"] == [
        {"amount": "15000.00", "due_days": 5, "interest": "0.00"},
        {"amount": "35000.00", "due_days": 365, "interest": "1050.00"},
    ]
    assert "fee-in-instalments" in {clause["ref"] for clause in terms["clauses"]}


async def test_a_state_owned_licensor_agrees_only_on_what_the_rules_allow(
    session: AsyncSession,
) -> None:
    room = await a_room(session, models=["instalments"])
    await disclosures.declare_ownership(
        session, room.licensor.id, ownership="state", threshold_minor=None,
        person_id=ids.new(NOW), by_exchange=False, now=NOW,
    )  # fmt: skip
    with pytest.raises(InstalmentsNotAllowed) as refused:
        await say(session, ids.new(NOW), room, "licensee", **in_parts(room, security=""))
    assert refused.value.data["rule"] == "secured"
    made = await say(session, ids.new(NOW), room, "licensor", **in_parts(room))
    assert canonical.loads(made.content)["model"] == "instalments"


def in_parts(room: Room, **said: Any) -> dict[str, Any]:
    works = ask(room)["works"]
    works[0]["price"] = {
        "amount_minor": 5_000_000, "rate_bp": 300, "security": "银行保函", **said,
        "parts": [{"share_bp": 3000, "due_days": 5}, {"share_bp": 7000, "due_days": 365}],
    }  # fmt: skip
    return {"model": "instalments", "works": works}
