"""Reserving rights against a real database: the rule, the constraint behind it, and races."""

import asyncio
import random
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.facts.tables import Fact
from contracts.parties.tables import Party
from contracts.refusal import Unknown
from contracts.rights import algebra
from contracts.rights import rules as rights
from contracts.titles import queries, rules, service
from contracts.titles.tables import LANES, RightsGrant, columns
from contracts.works.rules import units
from contracts.works.tables import Work
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work

ALONGSIDE = [
    {"media": ["cable"]},
    {"territories": ["HK"], "excluded": []},
    {"languages": ["en"]},
    {"first_day": "2029-01-01", "last_day": "2029-12-31"},
    {"right": "network-transmission", "media": ["iptv"]},
]


async def owned(session: AsyncSession) -> tuple[Party, Work]:
    owner = await party(session, now=NOW)
    return owner, await work(session, party_id=owner.id, now=NOW)


async def reserved(
    session: AsyncSession, owner: Party, subject: Work, source: str, *wires: dict[str, Any]
) -> list[RightsGrant]:
    return await service.reserve(
        session, subject.id, grantor_id=owner.id, boxes=wires, source=source, now=NOW
    )


async def insert(session: AsyncSession, owner: Party, subject: Work, said: dict[str, Any]) -> None:
    """Put a grant straight into the table, past every rule."""
    lane = await session.scalar(LANES)
    assert lane is not None
    async with session.begin_nested():
        session.add(
            RightsGrant(
                work_id=subject.id, root_id=subject.root_id, units=Range(*units(subject)),
                id=ids.new(NOW), grantor_id=owner.id, source="raw",
                wire=said, created_at=NOW, **columns(rights.resolve(said), lane=lane),
            )
        )  # fmt: skip


async def test_a_reserved_box_reads_back_as_it_was(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    said = wire(territories=["WRD"], excluded=["JP"], languages=["zh", "en"], runs_max=None)
    await reserved(session, owner, subject, "a", said)
    (grant,) = await queries.grants_of_work(session, subject.id)  # read again from the database
    assert grant.box() == rights.resolve(said)
    assert grant.wire == rights.normal(said)


async def test_overlapping_rights_are_refused_with_their_source(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    await reserved(session, owner, subject, "first", wire())
    with pytest.raises(rules.RightsAlreadyGranted) as refused:
        await reserved(session, owner, subject, "second", wire(exclusivity="non-exclusive"))
    assert refused.value.data["source"] == "first"
    assert refused.value.data["overlap"]["media"] == ["satellite"]


@pytest.mark.parametrize("state", ["reserved", "held", "effective"])
async def test_rights_are_taken_from_their_reservation_on(
    session: AsyncSession, state: str
) -> None:
    owner, subject = await owned(session)
    buyer, deal = await party(session, kind="broadcaster", now=NOW), ids.new(NOW)
    await reserved(session, owner, subject, "first", wire())
    if state != "reserved":
        await service.hold(
            session, subject.id, source="first", grantee_id=buyer.id, deal_id=deal, now=NOW
        )
    if state == "effective":
        await service.make_effective(session, subject.id, deal_id=deal, now=NOW)
    with pytest.raises(rules.RightsAlreadyGranted) as refused:
        await reserved(session, owner, subject, "second", wire())
    assert (refused.value.data["state"], refused.value.data["source"]) == (state, "first")


@pytest.mark.parametrize("state", ["reserved", "held", "released"])
async def test_what_is_granted_never_goes_back(session: AsyncSession, state: str) -> None:
    owner, subject = await owned(session)
    buyer, deal = await party(session, kind="broadcaster", now=NOW), ids.new(NOW)
    await reserved(session, owner, subject, "first", wire())
    await service.hold(
        session, subject.id, source="first", grantee_id=buyer.id, deal_id=deal, now=NOW
    )
    await service.make_effective(session, subject.id, deal_id=deal, now=NOW)
    await session.flush()
    with pytest.raises(DBAPIError, match="keeps its box"):
        await session.execute(
            text("UPDATE rights_grant SET state = :state WHERE deal_id = :deal"),
            {"state": state, "deal": deal},
        )


@pytest.mark.parametrize("changes", ALONGSIDE)
async def test_rights_that_differ_on_one_axis_stand_beside_each_other(
    session: AsyncSession, changes: dict[str, Any]
) -> None:
    owner, subject = await owned(session)
    await reserved(session, owner, subject, "first", wire())
    await reserved(session, owner, subject, "second", wire(**changes))
    assert len(await queries.taken(session, subject.id)) == 2


async def test_the_same_rights_in_another_work_are_free(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    other = await work(session, party_id=owner.id, now=NOW)
    await reserved(session, owner, subject, "first", wire())
    await reserved(session, owner, other, "second", wire())


async def test_two_non_exclusive_grants_share_a_use(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    for source in ("first", "second"):
        await reserved(session, owner, subject, source, wire(exclusivity="non-exclusive"))


@pytest.mark.parametrize("second", ["exclusive", "sole", "non-exclusive"])
@pytest.mark.parametrize("first", ["exclusive", "sole", "non-exclusive"])
async def test_the_database_alone_refuses_a_double_sale(
    session: AsyncSession, first: str, second: str
) -> None:
    owner, subject = await owned(session)
    await insert(session, owner, subject, wire(exclusivity=first))
    if first == second == "non-exclusive":
        await insert(session, owner, subject, wire(exclusivity=second))
        return
    with pytest.raises(IntegrityError, match="rights_grant_no_double_sale"):
        await insert(session, owner, subject, wire(exclusivity=second))


async def test_raw_sql_cannot_sell_twice_either(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (grant,) = await reserved(session, owner, subject, "first", wire())
    columns = (
        "state, grantor_id, source, right_no, media, territories, languages, during, lane, "
        "exclusivity, wire, created_at"
    )
    with pytest.raises(IntegrityError, match="rights_grant_no_double_sale"):
        await session.execute(
            text(
                f"INSERT INTO rights_grant (work_id, id, {columns}) "
                f"SELECT work_id, :new, {columns} FROM rights_grant WHERE id = :old"
            ),
            {"new": ids.new(NOW), "old": grant.id},
        )


def drawn(dice: random.Random) -> dict[str, Any]:
    """An offer from a small world, so that about half of the pairs overlap."""
    first = dice.randint(1, 24)
    right, media = dice.choice(
        [
            ("broadcasting", ["satellite", "cable", "iptv"]),
            ("network-transmission", ["iptv", "ott"]),
        ]
    )
    return wire(
        right=right,
        media=dice.sample(media, dice.randint(1, len(media))),
        territories=dice.sample(["CN", "HK", "JP"], dice.randint(1, 3)),
        excluded=[],
        languages=dice.sample(["zh", "en"], dice.randint(1, 2)),
        first_day=f"2027-01-{first:02}",
        last_day=f"2027-01-{dice.randint(first, 28):02}",
        exclusivity=dice.choice(["exclusive", "sole", "non-exclusive"]),
    )


@pytest.mark.parametrize("seed", range(50))
async def test_the_database_and_the_rule_give_the_same_verdict(
    session: AsyncSession, seed: int
) -> None:
    dice = random.Random(seed)
    owner, subject = await owned(session)
    for _ in range(4):
        one, two = drawn(dice), drawn(dice)
        fresh = await work(session, party_id=owner.id, now=NOW)
        await insert(session, owner, fresh, one)
        try:
            await insert(session, owner, fresh, two)
            refused = False
        except IntegrityError:
            refused = True
        assert refused is (algebra.clashes(rights.resolve(one), rights.resolve(two)) is not None), (
            one,
            two,
        )
    assert subject.id


async def test_a_clash_that_only_the_database_saw_is_named_too(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, subject = await owned(session)
    await reserved(session, owner, subject, "first", wire())
    judge, calls = rules.check_free, []

    def blind_once(boxes: Any, taken: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            judge(boxes, taken)

    monkeypatch.setattr(rules, "check_free", blind_once)
    with pytest.raises(rules.RightsAlreadyGranted) as refused:
        await reserved(session, owner, subject, "second", wire())
    assert refused.value.data["source"] == "first"


async def test_of_two_who_reserve_at_once_exactly_one_wins(db: Database) -> None:
    async with db.transaction() as session:
        owner, subject = await owned(session)

    async def attempt(source: str) -> str:
        try:
            async with db.transaction() as session:
                await reserved(session, owner, subject, source, wire())
                await asyncio.sleep(0.05)
            return "won"
        except rules.RightsAlreadyGranted as refusal:
            return str(refusal.data["source"])

    names = [f"offer-{number}" for number in range(4)]
    outcomes = await asyncio.gather(*(attempt(name) for name in names))
    assert outcomes.count("won") == 1
    winner = names[outcomes.index("won")]
    assert outcomes.count(winner) == 3


async def test_a_stranger_cannot_offer_the_rights(session: AsyncSession) -> None:
    _, subject = await owned(session)
    stranger = await party(session, now=NOW)
    with pytest.raises(rules.RightsNotHeld):
        await reserved(session, stranger, subject, "x", wire())


async def test_rights_in_a_work_that_does_not_exist_are_unknown(session: AsyncSession) -> None:
    with pytest.raises(Unknown):
        await service.release(session, ids.new(NOW), source="x", now=NOW)


async def test_a_grant_lives_from_reserved_to_effective(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    buyer = await party(session, kind="broadcaster", now=NOW)
    deal = ids.new(NOW)
    await reserved(session, owner, subject, "lot", wire(), wire(media=["cable"]))
    for _ in range(2):  # a repeated step changes nothing
        held = await service.hold(
            session, subject.id, source="lot", grantee_id=buyer.id, deal_id=deal, now=NOW
        )
        assert {grant.state for grant in held} == {"held"}
    for _ in range(2):
        made = await service.make_effective(session, subject.id, deal_id=deal, now=NOW)
        assert {(grant.state, grant.grantee_id) for grant in made} == {("effective", buyer.id)}
    facts = await session.execute(
        select(col(Fact.parties)).where(col(Fact.kind) == "grant.made", col(Fact.subject) == deal)
    )
    assert facts.scalars().all() == [sorted([owner.id, buyer.id])]
    assert await service.release(session, subject.id, source="lot", now=NOW) == []
    with pytest.raises(rules.RightsAlreadyGranted):
        await reserved(session, owner, subject, "again", wire(media=["cable"]))


async def test_rights_given_back_can_be_offered_again(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    await reserved(session, owner, subject, "first", wire())
    (freed,) = await service.release(session, subject.id, source="first", now=NOW)
    assert freed.state == "released"
    await reserved(session, owner, subject, "second", wire())


async def test_a_step_out_of_order_is_refused(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    deal = ids.new(NOW)
    with pytest.raises(rules.RightsNotReserved):
        await service.make_effective(session, subject.id, deal_id=deal, now=NOW)
    await reserved(session, owner, subject, "lot", wire())
    await service.hold(
        session, subject.id, source="lot", grantee_id=owner.id, deal_id=deal, now=NOW
    )
    with pytest.raises(rules.RightsNotReserved) as refused:
        await service.hold(
            session, subject.id, source="lot", grantee_id=owner.id, deal_id=ids.new(NOW), now=NOW
        )
    assert refused.value.data["found"] == ["held"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rights_grant SET territories = '{[1000,2000)}' WHERE id = :id",
        "UPDATE rights_grant SET lane = '[1,2)', exclusivity = 'non-exclusive' WHERE id = :id",
        "DELETE FROM rights_grant WHERE id = :id",
        "UPDATE rights_grant SET state = 'held' WHERE id = :id",
    ],
)
async def test_the_register_refuses_to_be_rewritten(session: AsyncSession, change: str) -> None:
    owner, subject = await owned(session)
    (grant,) = await reserved(session, owner, subject, "first", wire())
    with pytest.raises(DBAPIError, match=r"keeps its box|append-only|held_names_its_deal"):
        await session.execute(text(change), {"id": grant.id})


async def test_a_released_grant_does_not_come_back(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (grant,) = await reserved(session, owner, subject, "first", wire())
    await service.release(session, subject.id, source="first", now=NOW)
    with pytest.raises(DBAPIError, match="keeps its box"):
        await session.execute(
            text("UPDATE rights_grant SET state = 'reserved' WHERE id = :id"), {"id": grant.id}
        )
