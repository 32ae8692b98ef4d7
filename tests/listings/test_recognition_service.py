"""Recognition against a real database: verdicts, publications, declarations, decisions."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.facts.tables import Fact
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Unknown
from exchange.db import Database
from listings.catalogue import service as catalogue
from listings.catalogue.tables import Listing
from listings.index import service as index
from listings.masters.tables import Master
from listings.recognition import matching, queries, relation, rules, service
from listings.recognition.finding import Indexed
from listings.recognition.gateway import PLAIN, Sight
from listings.recognition.relation import Related
from listings.recognition.rules import Claim, LooksLikeAnotherWork, RecognitionUnderReview
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import person
from tests.listings.catalogue_factory import drafted_listing
from tests.listings.recognition_factory import declared, master_of

SEEDS = iter(range(71_000, 80_000))


@dataclass(frozen=True)
class Draft:
    """Somebody's draft of a new work."""

    owner: Party
    master: Master
    listing: Listing


async def drafted(
    session: AsyncSession, *parts: tuple[int, int, int], owner: Party | None = None, **more: Any
) -> Draft:
    owner = owner or await party(session, now=NOW)
    subject = await work(session, party_id=owner.id, now=NOW)
    master = await master_of(
        session, *parts, party_id=owner.id, work_id=subject.id, now=NOW, **more
    )
    listing = await drafted_listing(session, seller=owner, now=NOW, work=subject, master=master)
    return Draft(owner, master, listing)


async def publish(session: AsyncSession, draft: Draft) -> Listing:
    return await catalogue.publish(session, draft.listing.id, party_id=draft.owner.id, now=NOW)


async def listed(session: AsyncSession, *parts: tuple[int, int, int], **more: Any) -> Draft:
    draft = await drafted(session, *parts, **more)
    await publish(session, draft)
    return draft


async def told(session: AsyncSession, kind: str, subject: UUID) -> list[Fact]:
    wanted = select(Fact).where(col(Fact.kind) == kind, col(Fact.subject) == subject)
    return list((await session.scalars(wanted)).all())


async def recognised(session: AsyncSession, master: Master) -> str:
    row = await service.recognise(session, master.id, sight=PLAIN, now=NOW)
    return row.state


async def operator(session: AsyncSession) -> UUID:
    home = await party(session, now=NOW)
    return (await person(session, party_id=home.id, role="operator", now=NOW)).id


async def test_a_picture_of_ones_own_is_clear_and_told_once(session: AsyncSession) -> None:
    draft = await drafted(session, (next(SEEDS), 0, 40))
    assert await recognised(session, draft.master) == "clear"
    assert await recognised(session, draft.master) == "clear"
    (fact,) = await told(session, "master.recognised", draft.master.id)
    assert fact.parties == [draft.owner.id]
    assert (await publish(session, draft)).state == "published"


async def test_a_copy_is_told_where_it_is_from_and_how_sure(session: AsyncSession) -> None:
    seed = next(SEEDS)
    original = await listed(session, (seed, 0, 100))
    copy = await drafted(session, (next(SEEDS), 0, 15), (seed, 20, 80))
    assert await recognised(session, copy.master) == "copy"
    (found,) = await queries.resemblances(session, copy.master.id)
    assert found.other_master_id == original.master.id
    assert (found.state, found.sure) == ("copy", True)
    (stretch,) = found.segments
    assert abs(stretch["here_ms"] - 15_000) <= 1_000
    assert abs(stretch["there_ms"] - 20_000) <= 1_000
    assert abs(stretch["length_ms"] - 60_000) <= 2_000
    with pytest.raises(LooksLikeAnotherWork) as refused:
        await publish(session, copy)
    data = refused.value.data
    assert data["listing"] == str(original.listing.id)
    assert (data["seconds"], data["length_s"]) == ({"here": 15, "there": 20}, 60)
    assert data["confidence_bp"] >= 9_000


async def test_a_short_excerpt_waits_for_staff_who_find_its_case(session: AsyncSession) -> None:
    seed = next(SEEDS)
    await listed(session, (seed, 0, 100))
    other = await drafted(session, (next(SEEDS), 0, 50), (seed, 30, 40), (next(SEEDS), 0, 50))
    with pytest.raises(RecognitionUnderReview) as refused:
        await publish(session, other)
    assert refused.value.data["case"] == str(other.master.id)
    assert refused.value.data["seconds"] == {"here": 50, "there": 30}
    first = UUID(int=other.master.id.int - 1)
    ((case, master, whose), *_) = await queries.open_cases(session, after=first, limit=5)
    assert (case.master_id, master.id, whose.id) == (
        other.master.id, other.master.id, other.owner.id,
    )  # fmt: skip


async def test_a_verdict_stays_when_the_publication_it_stops_is_undone(db: Database) -> None:
    seed = next(SEEDS)
    async with db.transaction() as session:
        await listed(session, (seed, 0, 100))
        copy = await drafted(session, (seed, 0, 60))
    with pytest.raises(LooksLikeAnotherWork):
        async with db.transaction() as session:
            await publish(session, copy)
    async with db.transaction() as session:
        row = await queries.get_recognition(session, copy.master.id)
        assert (row.state, row.opened_at) == ("copy", NOW)
        draft = await session.get_one(Listing, copy.listing.id)
        assert (draft.state, draft.epoch) == ("draft", None)


async def test_a_copy_found_at_the_last_moment_leaves_its_case(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = next(SEEDS)
    async with db.transaction() as session:
        first, copy = await drafted(session, (seed, 0, 60)), await drafted(session, (seed, 0, 50))
    reserve = catalogue.titles.reserve

    async def overtaken(session: AsyncSession, *args: Any, **more: Any) -> Any:
        monkeypatch.setattr(catalogue.titles, "reserve", reserve)
        async with db.transaction() as other:
            await publish(other, first)
        return await reserve(session, *args, **more)

    monkeypatch.setattr(catalogue.titles, "reserve", overtaken)
    with pytest.raises(LooksLikeAnotherWork):
        async with db.transaction() as session:
            await publish(session, copy)
    async with db.transaction() as session:
        assert (await queries.get_recognition(session, copy.master.id)).state == "copy"


async def test_a_publication_looks_only_at_what_was_listed_since(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listed(session, (next(SEEDS), 0, 30))
    draft = await drafted(session, (next(SEEDS), 0, 30))
    await recognised(session, draft.master)
    late = await listed(session, (next(SEEDS), 0, 30))
    looked: list[bytes] = []
    relate = relation.relate

    def watched(here: Any, there: Any, *, near: Any) -> Any:
        looked.append(there.sha256)
        return relate(here, there, near=near)

    monkeypatch.setattr(relation, "relate", watched)
    await publish(session, draft)
    assert looked == [late.master.sha256]


async def test_a_publication_that_is_rolled_back_protects_nothing(db: Database) -> None:
    seed = next(SEEDS)
    async with db.transaction() as session:
        first, copy = await drafted(session, (seed, 0, 40)), await drafted(session, (seed, 0, 40))
    async with db.sessions() as undone:
        await publish(undone, first)
        assert await queries.protected_since(undone, 0, but=copy.master.id)
        await undone.rollback()
    async with db.transaction() as session:
        assert (await publish(session, copy)).state == "published"


async def test_ones_own_earlier_listing_is_linked_as_a_version(session: AsyncSession) -> None:
    seed = next(SEEDS)
    original = await listed(session, (seed, 0, 60))
    version = await drafted(session, (seed, 0, 50), owner=original.owner)
    assert (await publish(session, version)).state == "published"
    (found,) = await queries.resemblances(session, version.master.id)
    assert (found.state, found.why) == ("clear", "own")


async def test_an_accepted_declaration_clears_its_seconds_alone(session: AsyncSession) -> None:
    seed = next(SEEDS)
    original = await listed(session, (seed, 0, 100))
    user = await drafted(session, (seed, 0, 80), (next(SEEDS), 0, 20))
    judge = await operator(session)
    for stretch, state in (((0, 40_000), "copy"), ((40_000, 40_000), "clear")):
        said = await declared(
            session, user.master, listing_id=original.listing.id, now=NOW, stretch=stretch
        )
        assert (await told(session, "declaration.made", said.id))[0].parties == [
            user.owner.id, original.owner.id,
        ]  # fmt: skip
        await recognised(session, user.master)
        await service.settle(
            session, said, outcome="accepted", reason="Seen.", person_id=judge, now=NOW
        )
        assert (await queries.get_recognition(session, user.master.id)).state == state
    assert (await publish(session, user)).state == "published"


async def test_a_rejected_declaration_changes_nothing_and_is_final(session: AsyncSession) -> None:
    seed = next(SEEDS)
    original = await listed(session, (seed, 0, 60))
    user = await drafted(session, (seed, 0, 60))
    assert await recognised(session, user.master) == "copy"
    said = await declared(session, user.master, listing_id=original.listing.id, now=NOW)
    judge = await operator(session)
    verdict = {"outcome": "rejected", "reason": "No licence.", "person_id": judge, "now": NOW}
    await service.settle(session, said, **verdict)
    await service.settle(session, said, **verdict)
    assert len(await told(session, "declaration.decided", said.id)) == 1
    with pytest.raises(rules.DeclarationDecided):
        await service.settle(session, said, **{**verdict, "outcome": "accepted"})
    with pytest.raises(rules.DeclarationDecided):
        await service.object_to(session, said, objection="Too late.", now=NOW)
    with pytest.raises(LooksLikeAnotherWork):
        await publish(session, user)


async def test_the_other_side_objects_before_staff_decide(session: AsyncSession) -> None:
    original = await listed(session, (next(SEEDS), 0, 30))
    user = await drafted(session, (next(SEEDS), 0, 30))
    said = await declared(session, user.master, listing_id=original.listing.id, now=NOW)
    assert [row.id for row in await queries.against(session, original.owner.id)] == [said.id]
    for _ in range(2):
        await service.object_to(session, said, objection="We gave no licence.", now=NOW)
    (fact,) = await told(session, "declaration.objected", said.id)
    assert json.loads(fact.record)["objection"] == "We gave no licence."
    for stranger in (await party(session, now=NOW),):
        with pytest.raises(Unknown):
            await queries.get_declaration(
                session, said.id, master_id=user.master.id, viewer=stranger.id
            )


async def test_a_declaration_is_made_once_and_about_others_alone(session: AsyncSession) -> None:
    original = await listed(session, (next(SEEDS), 0, 30))
    user = await drafted(session, (next(SEEDS), 0, 30))
    wanted = {
        "master": user.master, "listing_id": original.listing.id, "claim": Claim.ARCHIVE,
        "source": "资料 1984-0317", "stretch": (0, 5_000), "now": NOW,
    }  # fmt: skip
    id = ids.new(NOW)
    assert [(await service.declare(session, id, **wanted))[1] for _ in range(2)] == [True, False]
    with pytest.raises(IdReused):
        await service.declare(session, id, **{**wanted, "source": "another"})
    with pytest.raises(rules.NothingToDeclare):
        await service.declare(session, ids.new(NOW), **{**wanted, "master": original.master})
    with pytest.raises(Unknown):
        await service.declare(session, ids.new(NOW), **{**wanted, "listing_id": user.listing.id})


async def test_staff_clear_a_master_and_what_is_found_later_opens_its_case_again(
    session: AsyncSession,
) -> None:
    one, two = next(SEEDS), next(SEEDS)
    await listed(session, (one, 0, 100))
    user = await drafted(session, (next(SEEDS), 0, 60), (one, 0, 10), (two, 0, 10))
    assert await recognised(session, user.master) == "doubtful"
    verdict = {"outcome": "cleared", "reason": "Same studio.", "person_id": await operator(session)}
    row = await service.decide(session, user.master.id, **verdict, now=NOW)
    assert (row.state, row.reason, row.opened_at) == ("clear", "Same studio.", None)
    assert len(await told(session, "recognition.decided", user.master.id)) == 1
    with pytest.raises(rules.NothingToDecide):
        await service.decide(session, user.master.id, **verdict, now=NOW)
    assert await recognised(session, user.master) == "clear"  # a new search forgets no decision
    await listed(session, (two, 0, 100))
    with pytest.raises(RecognitionUnderReview):
        await publish(session, user)


async def test_staff_refuse_a_master(session: AsyncSession) -> None:
    seed = next(SEEDS)
    await listed(session, (seed, 0, 100))
    user = await drafted(session, (next(SEEDS), 0, 60), (seed, 0, 10))
    await recognised(session, user.master)
    verdict = {"outcome": "refused", "reason": "Taken.", "person_id": await operator(session)}
    assert (await service.decide(session, user.master.id, **verdict, now=NOW)).state == "copy"
    with pytest.raises(LooksLikeAnotherWork):
        await publish(session, user)


async def test_archive_footage_once_accepted_counts_against_nobody(session: AsyncSession) -> None:
    archive = next(SEEDS)
    first = await listed(session, (next(SEEDS), 0, 60), (archive, 0, 10))
    second = await drafted(session, (next(SEEDS), 0, 60), (archive, 0, 10))
    third = await drafted(session, (next(SEEDS), 0, 80), (archive, 0, 10))
    for draft in (second, third):
        assert await recognised(session, draft.master) == "doubtful"
    said = await declared(
        session, second.master, listing_id=first.listing.id, now=NOW, claim=Claim.ARCHIVE
    )
    judge = await operator(session)
    await service.settle(
        session, said, outcome="accepted", reason="Newsreel.", person_id=judge, now=NOW
    )
    for draft in (second, third):
        assert (await queries.get_recognition(session, draft.master.id)).state == "clear"
        assert (await publish(session, draft)).state == "published"


async def test_a_master_that_is_not_examined_is_not_searched_for(session: AsyncSession) -> None:
    draft = await drafted(session, (next(SEEDS), 0, 20))
    await service.ask_again(session, draft.master, now=NOW)
    assert len(await told(session, "recognition.asked", draft.master.id)) == 1
    draft.master.state = "examining"
    with pytest.raises(rules.MasterNotSearchable):
        await service.ask_again(session, draft.master, now=NOW)


@pytest.fixture
def by_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sight:
    """Looks with the index, however few works are listed."""
    monkeypatch.setattr(matching, "FEW", 0)
    return Sight(finder=Indexed(tmp_path))


async def test_the_index_finds_what_a_look_at_everything_finds(
    session: AsyncSession, by_index: Sight
) -> None:
    seed = next(SEEDS)
    original = await listed(session, (seed, 0, 100))
    for parts in (
        ((next(SEEDS), 0, 15), (seed, 20, 80)),
        ((next(SEEDS), 0, 60), (seed, 30, 40)),
        ((seed, 50, 53),),
    ):
        user = await drafted(session, *parts)
        found = await matching.search(session, user.master, since=0, sight=by_index)
        whole = await matching.search(session, user.master, since=0, sight=PLAIN)
        assert found.keys() == whole.keys() == {original.master.id}
        assert found[original.master.id].kind == whole[original.master.id].kind


async def test_the_index_is_asked_only_for_what_came_since(
    session: AsyncSession, by_index: Sight
) -> None:
    early, late = next(SEEDS), next(SEEDS)
    await listed(session, (early, 0, 40))
    epoch = await queries.newest_epoch(session)
    second = await listed(session, (late, 0, 40))
    user = await drafted(session, (early, 0, 40), (late, 0, 40))
    found = await matching.search(session, user.master, since=epoch, sight=by_index)
    assert found.keys() == {second.master.id}


async def test_the_same_bytes_and_what_the_index_lacks_are_looked_at_all_the_same(
    session: AsyncSession, by_index: Sight
) -> None:
    original = await listed(session, (next(SEEDS), 0, 3), sound=5)
    await index.drop(session, original.master.id, now=NOW)
    same = await drafted(session, (next(SEEDS), 0, 30))
    assert await matching.search(session, same.master, since=0, sight=by_index) == {}
    same.master.sha256 = original.master.sha256
    found = await matching.search(session, same.master, since=0, sight=by_index)
    assert found[original.master.id].kind is Related.SAME_FILE


async def test_sound_alone_is_found_by_whoever_listens(
    session: AsyncSession, by_index: Sight
) -> None:
    original = await listed(session, (next(SEEDS), 0, 40), sound=977)
    user = await drafted(session, (next(SEEDS), 0, 40), sound=977)
    assert await matching.search(session, user.master, since=0, sight=by_index) == {}
    listening = replace(by_index, listens=True)
    found = await matching.search(session, user.master, since=0, sight=listening)
    assert found[original.master.id].kind is Related.SOUND_ONLY
    await service.recognise(session, user.master.id, sight=listening, now=NOW)
    with pytest.raises(RecognitionUnderReview):
        await publish(session, user)
