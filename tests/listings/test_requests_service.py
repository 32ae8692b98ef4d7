"""Requests for proposals: answers nobody reads before the deadline, all opened together."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.facts import queries as facts
from contracts.facts.tables import Fact
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Unknown
from listings.offers import queries as offers
from listings.offers import service as offer_service
from listings.requests import queries, rules, service
from listings.requests.rules import AnswersSealed, AnswerTooShort, BadRequest, RequestOver
from listings.requests.service import Wish
from listings.requests.tables import ProposalRequest
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.listings.offers_factory import WEEK, Room, a_room, ask

DEADLINE = NOW + timedelta(days=3)
OPENED = DEADLINE + rules.OPENED_AFTER


def wish(**said: Any) -> Wish:
    fields: dict[str, Any] = {
        "title": "寻购 4K 纪录片", "text": "", "rights": [wire()], "genres": ["documentary"],
        "deadline_at": DEADLINE, "invited": None, **said,
    }  # fmt: skip
    return Wish(**fields)


async def asked(session: AsyncSession, **said: Any) -> tuple[Party, ProposalRequest]:
    asker = await party(session, kind="broadcaster", now=NOW)
    request, _ = await service.ask(
        session, ids.new(NOW), party_id=asker.id, wish=wish(**said), now=NOW
    )
    return asker, request


async def answered(
    session: AsyncSession, request: ProposalRequest, room: Room, **more: Any
) -> UUID:
    answer_id = more.pop("answer_id", ids.new(NOW))
    made, _ = await service.answer(
        session, request.id, answer_id, party_id=room.licensor.id, person_id=ids.new(NOW),
        offer=ask(room, **more.pop("said", {})), now=more.pop("now", NOW),
    )  # fmt: skip
    return made.id


async def opened(session: AsyncSession, request: ProposalRequest) -> None:
    while await service.open_due(session, now=OPENED):
        pass
    assert request.state == "opened"


async def test_answers_are_sealed_up_to_the_deadline_and_opened_together(
    session: AsyncSession,
) -> None:
    asker, request = await asked(session)
    rooms = [await a_room(session) for _ in range(2)]
    for room in rooms:
        await answered(session, request, room)
    with pytest.raises(AnswersSealed):
        await queries.opened(session, request)
    await service.open_due(session, now=OPENED - timedelta(microseconds=1))
    assert request.state == "open"
    await opened(session, request)
    found = await queries.opened(session, request)
    assert {one.party_id for one in found} == {room.licensor.id for room in rooms}
    for one in found:
        assert one.commitment == rules.commitment(
            request=request.id, party=one.party_id, content=one.content, nonce=one.nonce
        )
    ended = await facts.find_first_of(session, request.id, "request.ended")
    assert ended is not None
    assert canonical.loads(ended.record)["commitments"] == sorted(one.commitment for one in found)
    assert set(ended.parties) == {asker.id, *(room.licensor.id for room in rooms)}


async def test_no_fact_tells_how_many_have_answered_before_the_deadline(
    session: AsyncSession,
) -> None:
    _, request = await asked(session)
    room = await a_room(session)
    counted = select(col(Fact.id)).where(
        (col(Fact.subject) == request.id) | col(Fact.kind).like("request.%")
    )
    before = len((await session.scalars(counted)).all())
    await answered(session, request, room)
    assert len((await session.scalars(counted)).all()) == before


async def test_an_answer_counts_up_to_the_deadline_and_not_at_it(session: AsyncSession) -> None:
    _, request = await asked(session)
    rooms = [await a_room(session) for _ in range(2)]
    await answered(session, request, rooms[0], now=DEADLINE - timedelta(microseconds=1))
    with pytest.raises(RequestOver):
        await answered(session, request, rooms[1], now=DEADLINE)


async def test_another_answer_of_the_same_party_takes_the_place_of_the_first(
    session: AsyncSession,
) -> None:
    _, request = await asked(session)
    room = await a_room(session)
    first = await answered(session, request, room)
    second = await answered(session, request, room, said={"message": "二"})
    assert await answered(session, request, room, answer_id=first) == first
    with pytest.raises(IdReused):
        await answered(session, request, room, answer_id=first, said={"message": "三"})
    await opened(session, request)
    assert [one.id for one in await queries.opened(session, request)] == [second]


async def test_an_answer_taken_back_is_never_opened(session: AsyncSession) -> None:
    _, request = await asked(session)
    room = await a_room(session)
    made = await answered(session, request, room)
    for _ in range(2):
        await service.take_back(session, request.id, made, party_id=room.licensor.id, now=NOW)
    await opened(session, request)
    assert list(await queries.opened(session, request)) == []
    with pytest.raises(Unknown):
        await service.take_back(session, request.id, made, party_id=room.licensee.id, now=NOW)


async def test_the_answers_to_a_request_withdrawn_stay_sealed_for_good(
    session: AsyncSession,
) -> None:
    asker, request = await asked(session)
    await answered(session, request, await a_room(session))
    for _ in range(2):
        await service.withdraw(session, request.id, party_id=asker.id, now=NOW)
    await service.open_due(session, now=OPENED)
    with pytest.raises(RequestOver):
        await queries.opened(session, request)


async def test_an_opened_answer_becomes_a_negotiation_whose_first_version_it_is(
    session: AsyncSession,
) -> None:
    asker, request = await asked(session)
    room = await a_room(session, audience="counterparty")
    made, offer_id, version_id = await answered(session, request, room), ids.new(NOW), ids.new(NOW)
    turn: dict[str, Any] = {
        "offer_id": offer_id, "version_id": version_id, "party_id": asker.id, "now": OPENED,
    }  # fmt: skip
    with pytest.raises(AnswersSealed):
        await service.negotiate(session, request.id, made, **turn)
    await opened(session, request)
    for _ in range(2):
        offer = await service.negotiate(session, request.id, made, **turn)
    with pytest.raises(IdReused):
        await service.negotiate(session, request.id, made, **{**turn, "offer_id": ids.new(NOW)})
    (version,) = await offers.versions(session, offer.id)
    assert (version.by_side, offer.request_id) == ("licensor", request.id)
    after = await offer_service.accept(
        session, offer.id, party_id=asker.id, version_id=version.id, sha256=version.sha256,
        now=OPENED,
    )  # fmt: skip
    assert (after.state, after.licensee_id) == ("accepted", asker.id)


async def test_who_is_not_invited_is_told_the_same_as_of_no_request(session: AsyncSession) -> None:
    invited, stranger = await a_room(session), await a_room(session)
    _, request = await asked(session, invited=[invited.licensor.id])
    assert await answered(session, request, invited)
    words = []
    for known in (request.id, ids.new(NOW)):
        with pytest.raises(Unknown) as read:
            await queries.get_visible(session, known, stranger.licensor)
        with pytest.raises(Unknown) as written:
            await service.answer(
                session, known, ids.new(NOW), party_id=stranger.licensor.id,
                person_id=ids.new(NOW), offer=ask(stranger), now=NOW,
            )  # fmt: skip
        words += [(one.value.detail, one.value.data) for one in (read, written)]
    assert words == [(queries.NO_REQUEST, {})] * 4
    page = await queries.visible_page(session, stranger.licensor, after=UUID(int=0), limit=200)
    assert request.id not in [one.id for one in page]


async def test_an_answer_has_to_bind_beyond_the_deadline(session: AsyncSession) -> None:
    _, request = await asked(session)
    with pytest.raises(AnswerTooShort):
        await answered(session, request, await a_room(session), said={"expires_at": DEADLINE})


@pytest.mark.parametrize(
    "said",
    [
        {"title": " "},
        {"rights": []},
        {"rights": [wire()] * 21},
        {"deadline_at": NOW},
        {"deadline_at": NOW + timedelta(days=91)},
        {"invited": []},
    ],
)
async def test_requests_that_nobody_could_answer_are_refused(
    session: AsyncSession, said: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest):
        await asked(session, **said)


async def test_the_same_request_again_is_the_one_that_is_there(session: AsyncSession) -> None:
    asker, request = await asked(session)
    again, new = await service.ask(
        session, request.id, party_id=asker.id, wish=wish(), now=NOW + WEEK
    )
    assert (again, new) == (request, False)
    with pytest.raises(IdReused):
        await service.ask(session, request.id, party_id=asker.id, wish=wish(text="x"), now=NOW)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(min_size=32, max_size=32))
def test_a_commitment_holds_for_one_party_one_request_and_one_content(
    one: bytes, other: bytes, nonce: bytes
) -> None:
    names = [ids.new(NOW) for _ in range(2)]
    made = {
        rules.commitment(request=request, party=party_id, content=content, nonce=nonce)
        for request in names
        for party_id in names
        for content in {one, other}
    }
    assert len(made) == 4 * len({one, other})
