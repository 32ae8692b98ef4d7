"""Availability over HTTP: what is free, why not, and who may know whose it is."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts import ids
from contracts.encumbrances import service as encumbrances
from contracts.parties.tables import Party
from contracts.titles import recording
from contracts.titles.recording import Licensee
from contracts.titles.tables import RightsGrant
from contracts.works.tables import Work
from exchange import clock
from exchange.context import Context
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import child, work
from tests.exchange.identity_factory import signed_client
from tests.listings.catalogue_factory import published_listing

DAYS = {"from": "2027-01-01", "until": "2028-12-31"}


@dataclass(frozen=True)
class Scene:
    """A series with two episodes, the first licensed exclusively to a broadcaster, and who asks."""

    work: Work
    episodes: tuple[Work, Work]
    grant: UUID
    owner: httpx.AsyncClient
    licensee: httpx.AsyncClient
    stranger: httpx.AsyncClient
    operator: httpx.AsyncClient


@pytest.fixture
async def scene(context: Context) -> AsyncIterator[Scene]:
    now = clock.now()
    async with context.db.transaction() as session:
        owner = await party(session, now=now)
        licensee = await party(session, kind="broadcaster", now=now)
        series = await work(session, party_id=owner.id, kind="series", now=now)
        first = await child(session, series, kind="episode", now=now)
        second = await child(session, series, kind="episode", now=now)
        (grant,) = await recording.record_grant(
            session, first.id, ids.new(now), grantor_id=owner.id,
            licensee=Licensee(licensee.id), boxes=[wire()], documents=[], now=now,
        )  # fmt: skip
    async with AsyncExitStack() as stack:
        clients = [
            (await stack.enter_async_context(signed_client(context, role=role, of=of)))[0]
            for role, of in clients_of(owner, licensee)
        ]
        yield Scene(series, (first, second), grant.id, *clients)


def clients_of(owner: Party, licensee: Party) -> list[tuple[str, Party | None]]:
    return [
        ("holder", owner), ("broadcaster", licensee), ("broadcaster", None), ("operator", None),
    ]  # fmt: skip


def question(subject: Work, **changes: Any) -> dict[str, Any]:
    return {"work_id": str(subject.id), **wire(**changes)}


async def checked(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/v1/availability/check", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(client: httpx.AsyncClient, body: dict[str, Any], status: int, code: str) -> None:
    answer = await client.post("/v1/availability/check", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_what_is_free_is_said_in_one_word(scene: Scene) -> None:
    told = await checked(scene.owner, question(scene.episodes[1]))
    assert (told["outcome"], told["reasons"]) == ("free", [])


async def test_a_no_names_the_record_and_the_part_that_it_takes(scene: Scene) -> None:
    told = await checked(scene.owner, question(scene.episodes[0], last_day="2029-12-31"))
    assert told["outcome"] == "partly"
    (reason,) = told["reasons"]
    assert (reason["code"], reason["severity"]) == ("exclusive-out", "blocker")
    assert reason["record"] == {"kind": "grant", "id": str(scene.grant), "deal_id": None}
    box = reason["box"]
    assert (box["first_day"], box["last_day"]) == ("2027-01-01", "2028-12-31")
    assert box["rights"] == [{"right": "broadcasting", "media": ["satellite"]}]
    assert [part["work_id"] for part in box["works"]] == [str(scene.episodes[0].id)]
    (free,) = told["free"]
    assert (free["first_day"], free["last_day"]) == ("2029-01-01", "2029-12-31")


async def test_of_a_series_the_episodes_that_are_free_are_named(scene: Scene) -> None:
    told = await checked(scene.owner, question(scene.work))
    parts = {part["work_id"]: part["with_parts"] for part in told["free"][0]["works"]}
    assert parts == {str(scene.work.id): False, str(scene.episodes[1].id): True}
    covered = await checked(scene.owner, {**question(scene.work), "match": "cover-all"})
    assert covered["outcome"] == "no"


async def test_territories_are_taken_in_the_notation_of_the_trade(scene: Scene) -> None:
    text = question(scene.episodes[0], territories="+WRD -CN -US", excluded=[])
    told = await checked(scene.owner, text)
    assert told["outcome"] == "free"
    assert (told["free"][0]["territories"], told["free"][0]["excluded"]) == (["WRD"], ["CN", "US"])
    await refused(scene.owner, question(scene.work, territories="-CN"), 422, "bad-notation")


async def test_owners_sides_and_staff_see_the_record_and_nobody_else_may_ask(scene: Scene) -> None:
    body = question(scene.episodes[0])
    for client in (scene.owner, scene.licensee, scene.operator):
        (reason,) = (await checked(client, body))["reasons"]
        assert reason["record"]["id"] == str(scene.grant)
    await refused(scene.stranger, body, 404, "unknown")
    for path in ("availability", "availability/calendar"):
        answer = await scene.stranger.get(f"/v1/works/{scene.work.id}/{path}", params=DAYS)
        assert answer.status_code in (404, 422)


async def test_of_a_published_work_strangers_learn_what_stands_there_never_whose(
    context: Context, scene: Scene
) -> None:
    async with context.db.transaction() as session:
        seller = await party(session, now=clock.now())
        listing = await published_listing(session, seller=seller, now=clock.now())
        subject = await session.get(Work, listing.work_id)
        assert subject is not None
    told = await checked(scene.stranger, question(subject))
    (reason,) = told["reasons"]
    assert (reason["code"], reason["about"]["state"]) == ("hold", "reserved")
    assert reason["record"] == {"kind": "grant", "id": None, "deal_id": None}
    assert str(listing.party_id) not in str(told)


async def test_only_oneself_can_be_asked_about_as_the_grantor(scene: Scene) -> None:
    body = question(scene.episodes[0])
    owner = str(scene.work.party_id)
    await refused(scene.licensee, {**body, "grantor_id": owner}, 404, "unknown")
    assert (await checked(scene.owner, {**body, "grantor_id": owner}))["outcome"] == "no"


async def test_a_minimum_longer_than_the_window_is_refused(scene: Scene) -> None:
    body = question(scene.work, last_day="2027-01-31")
    await refused(scene.owner, {**body, "minimum_days": 32}, 422, "bad-window")
    assert (await checked(scene.owner, {**body, "minimum_days": 31}))["outcome"] == "partly"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"right": "no-such"}, "unknown-right"),
        ({"media": ["no-such"]}, "unknown-medium"),
        ({"territories": ["ZZ"]}, "unknown-territory"),
        ({"languages": []}, "nothing-offered"),
        ({"first_day": "2029-01-01"}, "bad-window"),
        ({"tz": "Asia"}, "bad-window"),
        ({"right": "", "media": []}, "invalid-content"),
        ({"match": "some"}, "invalid-content"),
        ({"minimum_days": -1}, "invalid-content"),
        ({"sublicence_depth": 6}, "invalid-content"),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    scene: Scene, changes: dict[str, Any], code: str
) -> None:
    await refused(scene.owner, {**question(scene.work), **changes}, 422, code)


async def test_a_bundle_is_asked_about_as_all_its_rights(scene: Scene) -> None:
    body = question(scene.episodes[1], right="", media=[])
    told = await checked(scene.owner, {**body, "bundle": "telecast"})
    assert told["outcome"] == "free"
    assert len(told["free"][0]["rights"]) > 1


async def test_the_list_tells_what_is_free_of_a_work(scene: Scene) -> None:
    path = f"/v1/works/{scene.episodes[0].id}/availability"
    asked = {**DAYS, "right": "broadcasting", "medium": ["satellite"], "territory": "CN"}
    told = (await scene.owner.get(path, params=asked)).json()
    assert told["outcome"] == "partly"  # other languages are free
    longer = {**asked, "until": "2029-12-31"}
    for minimum, count in ((365, 2), (366, 1)):  # the year after the licence is 365 days long
        found = (await scene.owner.get(path, params={**longer, "minimum_days": minimum})).json()
        assert len(found["free"]) == count
    too_long = await scene.owner.get(path, params={**asked, "minimum_days": 732})
    assert too_long.json()["code"] == "bad-window"
    zh = (await scene.owner.get(path, params={**asked, "language": "zh"})).json()
    assert (zh["outcome"], zh["free"]) == ("no", [])
    assert zh["reasons"][0]["record"]["id"] == str(scene.grant)


async def test_the_calendar_tells_territory_by_month(scene: Scene) -> None:
    path = f"/v1/works/{scene.episodes[0].id}/availability/calendar"
    asked = {"from": "2028-11-05", "months": 4, "right": "broadcasting", "medium": "satellite",
             "language": "zh"}  # fmt: skip
    told = (await scene.owner.get(path, params=asked)).json()
    assert told["months"] == ["2028-11-01", "2028-12-01", "2029-01-01", "2029-02-01"]
    rows = {row["territory"]: row["shades"] for row in told["rows"]}
    assert rows["CN"] == ["taken", "taken", "free", "free"]
    assert rows["*"] == ["free"] * 4
    inside = (await scene.owner.get(path, params={**asked, "within": "CN"})).json()
    assert {row["territory"] for row in inside["rows"]} >= {"CN-GD", "CN-BJ"}
    assert all(row["shades"][0] == "taken" for row in inside["rows"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"months": 121}, "invalid-content"),
        ({"months": 0}, "invalid-content"),
        ({"from": "2199-06-01", "months": 12}, "bad-window"),
        ({"from": "9999-12-01"}, "bad-window"),
        ({"tz": "Asia"}, "bad-window"),
        ({"within": "ZZ"}, "unknown-territory"),
        ({"territory": "-US"}, "bad-notation"),
        ({"no_such": "1"}, "invalid-content"),
    ],
)
async def test_a_calendar_that_cannot_be_drawn_is_refused(
    scene: Scene, changes: dict[str, Any], code: str
) -> None:
    path = f"/v1/works/{scene.work.id}/availability/calendar"
    answer = await scene.owner.get(path, params={"from": "2027-01-01", **changes})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


async def test_the_list_and_the_check_mean_the_same_by_a_group_and_by_who_asks(
    context: Context, scene: Scene
) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        kept = await session.get_one(RightsGrant, (scene.episodes[0].id, scene.grant))
        where = {"right": "broadcasting", "media": ["satellite"], "territories": ["GB"]}
        days = {"first_day": "2019-06-01", "last_day": "2019-06-30", "tz": "Asia/Shanghai"}
        await encumbrances.declare(
            session, scene.work.id, ids.new(now), by=scene.work.party_id, now=now, kind="option",
            beneficiary_id=kept.grantee_id, wire={**where, **days, "languages": ["zh"]},
        )  # fmt: skip
    body = question(scene.work, **{**where, **days, "territories": ["EU"], "excluded": []})
    path = f"/v1/works/{scene.work.id}/availability"
    told = {"right": "broadcasting", "medium": "satellite", "language": "zh", "territory": "EU"}
    for client, outcome, shade in (
        (scene.owner, "partly", "taken"),  # GB was in the EU then
        (scene.licensee, "free", "free"),  # whose option it is
    ):
        assert (await checked(client, body))["outcome"] == outcome
        asked = {**told, "from": days["first_day"], "until": days["last_day"]}
        assert (await client.get(path, params=asked)).json()["outcome"] == outcome
        asked = {**told, "from": days["first_day"], "months": 1, "within": "GB"}
        rows = (await client.get(f"{path}/calendar", params=asked)).json()["rows"]
        assert {row["shades"][0] for row in rows} == {shade}
