"""Encumbrances, consents and events over HTTP."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts import ids
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.encumbrances_factory import SHA256, terms, undated
from tests.exchange.identity_factory import signed_client

Signed = tuple[httpx.AsyncClient, Person]


def new() -> UUID:
    return ids.new(clock.now())


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return dict(answer.json())


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[Signed]:
    async with signed_client(context) as signed:
        yield signed


@pytest.fixture
async def bank(context: Context) -> AsyncIterator[Signed]:
    async with signed_client(context, role="broadcaster") as signed:
        yield signed


@pytest.fixture
async def operator(context: Context) -> AsyncIterator[Signed]:
    async with signed_client(context, role="operator") as signed:
        yield signed


@pytest.fixture
async def work(holder: Signed) -> str:
    path = f"/v1/works/{new()}"
    said = {"title_zh": "珠江之花", "title_en": "Flower of the Pearl River",
            "kind": "documentary", "year": 2026, "country": "CN"}  # fmt: skip
    assert (await holder[0].put(path, json=said)).status_code == 201
    return path


def pledge(to: Person) -> dict[str, Any]:
    return {
        **terms(last_day=None), "kind": "pledge",
        "beneficiary_id": str(to.party_id), "reference": "著质登字-2026-0001",
    }  # fmt: skip


async def test_an_encumbrance_whose_answer_was_lost_is_answered_again(
    holder: Signed, work: str
) -> None:
    client, person = holder
    path, said = f"{work}/encumbrances/{new()}", {**terms(), "kind": "blackout"}
    first, again = await client.put(path, json=said), await client.put(path, json=said)
    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert first.json() == again.json() == (await client.get(path)).json()
    told = first.json()
    assert told["declared_by"] == str(person.party_id)
    assert told["terms"] == {
        **terms(right=None), "rights": ["broadcasting"], "excluded": [],
    }  # fmt: skip
    assert (told["starts_at"], told["ends_at"]) == ("2026-12-31T16:00:00Z", "2027-12-31T16:00:00Z")
    refused(await client.put(path, json={**said, "kind": "clearance"}), 409, "id-reused")


async def test_a_window_is_told_once_its_event_has_a_day(holder: Signed, work: str) -> None:
    client, _ = holder
    path = f"{work}/encumbrances/{new()}"
    told = (await client.put(path, json={**undated(), "kind": "blackout"})).json()
    assert (told["starts_at"], told["waits_for"]) == (None, "theatrical-release")
    event, day = f"{work}/events/theatrical-release", {"happened_on": "2026-08-31"}
    assert (await client.get(f"{work}/events")).json() == {"items": []}
    for _ in range(2):
        assert (await client.put(event, json=day)).json()["happened_on"] == "2026-08-31"
    told = (await client.get(path)).json()
    assert told["waits_for"] is None
    assert (told["starts_at"], told["ends_at"]) == ("2026-08-30T16:00:00Z", "2027-02-27T16:00:00Z")
    listed = (await client.get(f"{work}/encumbrances")).json()
    assert listed == {"items": [told], "next": None}
    assert [one["code"] for one in (await client.get(f"{work}/events")).json()["items"]] == [
        "theatrical-release"
    ]


async def test_the_exchange_alone_corrects_the_day_of_an_event(
    holder: Signed, operator: Signed, work: str
) -> None:
    path, reason = f"{work}/events/delivery", "交接单日期有误"
    assert (await holder[0].put(path, json={"happened_on": "2026-08-31"})).status_code == 200
    other = {"happened_on": "2026-09-01", "reason": reason}
    refused(await holder[0].put(path, json=other), 409, "event-settled")
    corrected = await operator[0].put(path, json=other)
    assert (corrected.status_code, corrected.json()["reason"]) == (200, reason)
    refused(await holder[0].put(path, json={"happened_on": "2199-01-01"}), 422, "event-ahead")
    refused(
        await holder[0].put(f"{work}/events/apocalypse", json={"happened_on": "2026-08-31"}),
        422, "unknown-event",
    )  # fmt: skip


async def test_a_pledgee_sees_its_pledge_consents_and_lifts_it(
    holder: Signed, bank: Signed, operator: Signed, work: str
) -> None:
    path = f"{work}/encumbrances/{new()}"
    said = pledge(bank[1])
    refused(await holder[0].put(path, json={**said, "reference": None}), 422, "reference-needed")
    assert (await holder[0].put(path, json=said)).json()["ends_at"] is None
    assert (await bank[0].get(path)).status_code == 200
    assert len((await bank[0].get(f"{work}/encumbrances")).json()["items"]) == 1
    refused(await bank[0].get(f"{work}/events"), 404, "unknown")

    consent, box = f"{path}/consents/{new()}", terms()
    first, again = await bank[0].put(consent, json=box), await bank[0].put(consent, json=box)
    assert (first.status_code, again.status_code) == (201, 200), first.text
    other = f"{path}/consents/{new()}"
    refused(await bank[0].put(consent, json=terms(media=["cable"])), 409, "id-reused")
    refused(await holder[0].put(other, json=box), 404, "unknown")
    refused(await operator[0].put(other, json=box), 422, "evidence-needed")
    filed = await operator[0].put(other, json={**box, "document_sha256": SHA256})
    assert (filed.status_code, filed.json()["given_by"]) == (201, None)
    listed = (await holder[0].get(f"{path}/consents", params={"limit": 1})).json()
    assert listed["next"] == listed["items"][0]["id"]

    reason = {"reason": "主债权已清偿"}
    refused(await holder[0].post(f"{path}/lift", json=reason), 403, "not-yours-to-lift")
    assert (await bank[0].post(f"{path}/lift", json=reason)).json()["state"] == "lifted"
    assert (await bank[0].post(f"{path}/lift", json=reason)).status_code == 200
    refused(await bank[0].post(f"{path}/lift", json={"reason": "x"}), 409, "encumbrance-lifted")
    late = f"{path}/consents/{new()}"
    refused(await bank[0].put(late, json=box), 409, "encumbrance-lifted")


async def test_an_encumbrance_is_no_business_of_strangers(
    holder: Signed, bank: Signed, context: Context, work: str
) -> None:
    path = f"{work}/encumbrances/{new()}"
    await holder[0].put(path, json={**terms(), "kind": "blackout"})
    async with signed_client(context) as (stranger, _):
        told = [
            await stranger.get(path),
            await stranger.get(f"{work}/encumbrances"),
            await stranger.get(f"{path}/consents"),
            await stranger.get(f"{work}/events"),
            await stranger.put(
                f"{work}/encumbrances/{new()}", json={**terms(), "kind": "blackout"}
            ),
            await stranger.post(f"{path}/lift", json={"reason": "x"}),
            await stranger.put(f"{path}/consents/{new()}", json=terms()),
            await stranger.put(f"{work}/events/delivery", json={"happened_on": "2026-08-31"}),
            await bank[0].get(path),
            await bank[0].get(f"{work}/encumbrances"),
        ]
    for answer in told:
        refused(answer, 404, "unknown")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "curse"}, "invalid-content"),
        ({"kind": "holdback"}, "beneficiary-needed"),
        ({"media": ["telepathy"]}, "unknown-medium"),
        ({"media": ["cinema"]}, "medium-needs-another-right"),
        ({"media": "satellite"}, "invalid-content"),
        ({"media": []}, "nothing-offered"),
        ({"right": "airing"}, "unknown-right"),
        ({"right": "attribution"}, "right-not-licensable"),
        ({"territories": ["XX"]}, "unknown-territory"),
        ({"languages": ["qqq"]}, "unknown-language"),
        ({"languages": ["zh"] * 301}, "invalid-content"),
        ({"first_day": 20270101}, "invalid-content"),
        ({"first_day": "1066-10-14"}, "bad-window"),
        ({"last_day": "2026-12-31"}, "bad-window"),
        ({"tz": "Asia"}, "bad-window"),
        ({"tz": "\u0000"}, "invalid-content"),
        ({"end": {"event": "delivery"}}, "bad-window"),
        ({"last_day": None, "end": {"event": "x"}}, "unknown-event"),
        ({"last_day": None, "end": {"event": "delivery", "lag": "PT1H"}}, "bad-lag"),
        ({"last_day": None, "end": {"event": "delivery", "lag": 6}}, "invalid-content"),
        ({"last_day": None, "end": {}}, "invalid-content"),
        ({"beneficiary_name": "\u0000"}, "invalid-content"),
        ({"beneficiary_name": "x" * 300}, "bad-name"),
        ({"document_sha256": "AB" * 32}, "invalid-content"),
        ({"surprise": 1}, "invalid-content"),
    ],
)
async def test_what_cannot_be_declared_is_refused_with_its_code(
    holder: Signed, work: str, change: dict[str, Any], code: str
) -> None:
    said = {**terms(), "kind": "blackout", **change}
    refused(await holder[0].put(f"{work}/encumbrances/{new()}", json=said), 422, code)


async def test_a_party_that_does_not_exist_benefits_from_nothing(holder: Signed, work: str) -> None:
    for field in ("beneficiary_id", "grant_id"):
        said = {**terms(), "kind": "option", field: str(new())}
        refused(await holder[0].put(f"{work}/encumbrances/{new()}", json=said), 404, "unknown")
