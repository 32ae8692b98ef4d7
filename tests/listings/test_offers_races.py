"""Races in a real PostgreSQL: one answer counts, and the first signature has the rights."""

import asyncio
from pathlib import Path
from uuid import UUID

from contracts import canonical, ids
from contracts.deals import queries as deals
from contracts.deals import service as contracts_service
from contracts.deals.rules import deal_id_of
from contracts.facts import queries as facts
from contracts.facts.rules import SealedFact
from contracts.parties.gateway import LocalAuthority
from contracts.refusal import Refusal
from contracts.titles import queries as titles
from exchange import clock, offer_verbs
from exchange.context import Context
from listings.offers import queries, service
from listings.offers.tables import OfferVersion
from tests.contracts.deals_factory import PRESS, Signatory, sign, with_key
from tests.contracts.parties_factory import party
from tests.listings.offers_factory import WEEK, Room, a_room, ask, say


async def test_of_a_counter_an_acceptance_and_a_withdrawal_at_once_one_decides(
    context: Context,
) -> None:
    for _ in range(6):
        now, offer_id = clock.now(), ids.new(clock.now())
        async with context.db.transaction() as session:
            room = await a_room(session, now=now)
            made = await say(session, offer_id, room, "licensee", now=now, expires_at=now + WEEK)
        outcomes = await asyncio.gather(
            _accept(context, room, made), _withdraw(context, room, made),
            _counter(context, room, offer_id), return_exceptions=True,
        )  # fmt: skip
        assert all(isinstance(one, Refusal | str) for one in outcomes), outcomes
        async with context.db.transaction() as session:
            offer, _ = await queries.get_of(session, offer_id, room.licensor.id)
            said = await queries.versions(session, offer_id)
        done = [one for one in outcomes if isinstance(one, str)]
        assert len(said) == offer.versions == 1 + done.count("countered")
        if offer.state == "accepted":
            assert done == ["accepted"]
            assert offer.accepted_version == made.id
        elif offer.state == "withdrawn":
            assert done == ["withdrawn"]
        else:
            assert done == ["countered"]


async def test_of_two_accepted_offers_the_deal_signed_first_has_the_rights(
    context: Context, tmp_path: Path
) -> None:
    now = clock.now()
    authority = LocalAuthority.ensure(tmp_path, now)
    room, licensor, offers = await _two_accepted(context, authority)
    found = [await _opened(context, authority, offer) for offer in offers]
    outcomes = await asyncio.gather(
        *(_sign(context, authority, deal, licensor) for deal in found), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, Refusal)]
    assert [one.code for one in refused] == ["rights-already-granted"], outcomes
    (winner,) = [one for one in outcomes if isinstance(one, UUID)]
    (loser,) = [deal for deal in found if deal != winner]
    async with context.db.transaction() as session:
        signed = await facts.find_first_of(session, winner, "deal.signed")
        assert signed is not None
        record = canonical.loads(signed.record)
        fact = SealedFact(1, signed.id, "deal.signed", winner, [], record, now)
        await offer_verbs.void_overtaken_deals(context, session, fact, clock.now())
    async with context.db.transaction() as session:
        assert (await deals.get_deal(session, winner)).signing == "licensor_signed"
        assert (await deals.get_deal(session, loser)).signing == "voided"
        told = await facts.find_first_of(session, loser, "deal.voided")
        assert told is not None
        assert canonical.loads(told.record)["reason"] == "rights-already-granted"
        assert room.licensor.id in told.parties
        grants = await titles.grants_of_work(session, room.work.id)
        assert [(grant.state, grant.deal_id) for grant in grants] == [("held", winner)]


async def test_two_clients_that_open_one_offer_open_it_once(context: Context) -> None:
    now, offer_id, version_id = clock.now(), ids.new(clock.now()), ids.new(clock.now())
    async with context.db.transaction() as session:
        room = await a_room(session, now=now)
    speaker = room.speaker("licensee")

    async def attempt() -> bool:
        async with context.db.transaction() as session:
            _, new = await service.propose(
                session, offer_id, version_id, speaker=speaker,
                ask=ask(room, expires_at=now + WEEK), licensee_id=None, now=now,
            )  # fmt: skip
        return new

    outcomes = await asyncio.gather(*(attempt() for _ in range(4)), return_exceptions=True)
    assert sorted(outcomes, key=str) == [False, False, False, True], outcomes


async def _two_accepted(
    context: Context, authority: LocalAuthority
) -> tuple[Room, Signatory, list[UUID]]:
    """Two broadcasters' offers for one exclusive right, both accepted."""
    now, offers = clock.now(), []
    async with context.db.transaction() as session:
        room = await a_room(session, now=now)
        licensor = await with_key(session, authority, room.licensor, now=now)
        rival = await party(session, kind="broadcaster", now=now)
        for each in (room, Room(**{**room.__dict__, "licensee": rival})):
            made = await say(
                session, ids.new(now), each, "licensee", now=now, expires_at=now + WEEK
            )
            await service.accept(
                session, made.offer_id, party_id=room.licensor.id, version_id=made.id,
                sha256=made.sha256, now=now,
            )  # fmt: skip
            offers.append(made.offer_id)
    return room, licensor, offers


async def _accept(context: Context, room: Room, made: OfferVersion) -> str:
    async with context.db.transaction() as session:
        await service.accept(
            session, made.offer_id, party_id=room.licensor.id, version_id=made.id,
            sha256=made.sha256, now=clock.now(),
        )  # fmt: skip
    return "accepted"


async def _withdraw(context: Context, room: Room, made: OfferVersion) -> str:
    async with context.db.transaction() as session:
        await service.withdraw(
            session, made.offer_id, party_id=room.licensee.id, version_id=made.id, now=clock.now()
        )
    return "withdrawn"


async def _counter(context: Context, room: Room, offer_id: UUID) -> str:
    now = clock.now()
    async with context.db.transaction() as session:
        await say(session, offer_id, room, "licensor", now=now, expires_at=now + WEEK)
    return "countered"


async def _opened(context: Context, authority: LocalAuthority, offer_id: UUID) -> UUID:
    """Run the reaction to the acceptance, and certify the contract."""
    async with context.db.transaction() as session:
        found = await facts.find_first_of(session, offer_id, "offer.accepted")
        assert found is not None
        record = canonical.loads(found.record)
        fact = SealedFact(1, found.id, found.kind, offer_id, [], record, clock.now())
        await offer_verbs.open_offered_deals(context, session, fact, clock.now())
    async with context.db.transaction() as session:
        deal_id = deal_id_of(fact.id)
        await contracts_service.certify(
            session, deal_id, press=PRESS, certifier=authority.certifier, now=clock.now()
        )
    return deal_id


async def _sign(context: Context, authority: LocalAuthority, deal_id: UUID, who: Signatory) -> UUID:
    async with context.db.transaction() as session:
        deal = await deals.get_deal(session, deal_id)
        await sign(session, authority, deal, who, now=clock.now())
    return deal_id
