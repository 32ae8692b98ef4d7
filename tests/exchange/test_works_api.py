import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from contracts import ids
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.works_factory import new_eidr, new_isan
from tests.exchange.identity_factory import signed_client

Holder = tuple[httpx.AsyncClient, Person]


def new() -> UUID:
    return ids.new(clock.now())


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return dict(answer.json())


def description(**change: Any) -> dict[str, Any]:
    return {
        "title_zh": "珠江之花",
        "title_en": "Flower of the Pearl River",
        "kind": "documentary",
        "year": 2026,
        "country": "CN",
        "eidr": None,
        "isan": None,
        "permit_no": "(粤)剧审字(2026)第001号",
        **change,
    }


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[Holder]:
    async with signed_client(context) as signed:
        yield signed


@pytest.fixture
async def other(context: Context) -> AsyncIterator[Holder]:
    async with signed_client(context) as signed:
        yield signed


async def registered(client: httpx.AsyncClient) -> str:
    path = f"/v1/works/{new()}"
    assert (await client.put(path, json=description())).status_code == 201
    return path


async def test_a_work_whose_answer_was_lost_is_answered_again(
    holder: Holder, context: Context
) -> None:
    client, person = holder
    work, eidr = new(), new_eidr()
    said = description(eidr=eidr.lower(), isan=new_isan())
    first = await client.put(f"/v1/works/{work}", json=said)
    again = await client.put(f"/v1/works/{work}", json=said)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["eidr"] == eidr
    assert first.json()["party_id"] == str(person.party_id)
    async with context.db.transaction() as session:
        facts = await session.execute(
            text("SELECT kind, parties FROM fact WHERE subject = :id"), {"id": work}
        )
        assert facts.all() == [("work.registered", [person.party_id])]


@pytest.mark.parametrize(
    "change", [{"title_en": "Another"}, {"year": 2025}, {"eidr": new_eidr()}, {"permit_no": None}]
)
async def test_another_work_under_the_same_id_is_refused(
    holder: Holder, change: dict[str, Any]
) -> None:
    client, _ = holder
    path = await registered(client)
    refused(await client.put(path, json=description(**change)), 409, "id-reused")


@pytest.mark.parametrize("number", [{"eidr": new_eidr()}, {"isan": new_isan()}])
async def test_a_work_is_registered_once_by_whomever(
    holder: Holder, other: Holder, number: dict[str, str]
) -> None:
    for client, status in ((holder[0], 201), (other[0], 409), (holder[0], 409)):
        answer = await client.put(f"/v1/works/{new()}", json=description(**number))
        assert answer.status_code == status, answer.text
    assert answer.json()["code"] == "identifier-taken"


async def test_of_two_who_register_a_work_at_once_one_is_refused(
    holder: Holder, other: Holder
) -> None:
    said = description(isan=new_isan())
    answers = await asyncio.gather(
        *(client.put(f"/v1/works/{new()}", json=said) for client, _ in (holder, other) * 3)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"eidr": "10.5240/7791-8534-2C23-9030-8610-6"}, "bad-eidr"),
        ({"isan": "0000-0000-3A8D-0000-Z-0000-0000-7"}, "bad-isan"),
        ({"permit_no": "no permit"}, "bad-permit"),
        ({"title_zh": "花\u200b"}, "bad-name"),
        ({"country": "XX"}, "unknown-country"),
        ({"year": 1800}, "bad-year"),
        ({"registration_no": "国作登字-2021-I-1"}, "bad-permit"),
        ({"dci": "a\u200bb"}, "bad-name"),
        ({"dci": ""}, "bad-name"),
        ({"kind": "season"}, "work-needs-parent"),
        ({"completed_on": "2026-02-01", "published_on": "2026-01-31"}, "bad-dates"),
        ({"published_on": "2999-01-01"}, "bad-dates"),
        ({"published_on": "2026-02-30"}, "invalid-content"),
        ({"published_on": 0}, "invalid-content"),
        ({"published_on": "2026-01-01T00:00:00Z"}, "invalid-content"),
        ({"parent_id": "none"}, "invalid-content"),
        ({"year": -1}, "invalid-content"),
        ({"year": "2026"}, "invalid-content"),
        ({"year": 10**30}, "invalid-content"),
        ({"kind": "opera"}, "invalid-content"),
        ({"party_id": "01990000-0000-7000-8000-000000000001"}, "invalid-content"),
    ],
)
async def test_a_faulty_description_is_refused_and_leaves_nothing(
    holder: Holder, change: dict[str, Any], code: str
) -> None:
    client, _ = holder
    path = f"/v1/works/{new()}"
    refused(await client.put(path, json=description(**change)), 422, code)
    refused(await client.get(path), 404, "unknown")


async def test_malformed_json_registers_nothing(holder: Holder) -> None:
    client, _ = holder
    sent = {"content": b'{"title_zh": ', "headers": {"Content-Type": "application/json"}}
    refused(await client.put(f"/v1/works/{new()}", **sent), 400, "malformed")
    refused(await client.put("/v1/works/7", json=description()), 422, "invalid-content")


async def test_only_verified_rights_holders_register_works(context: Context) -> None:
    async with signed_client(context, verified=False) as (client, _):
        answer = await client.put(f"/v1/works/{new()}", json=description())
        refused(answer, 409, "party-not-verified")
    for role in ("broadcaster", "operator"):
        async with signed_client(context, role=role) as (client, _):
            answer = await client.put(f"/v1/works/{new()}", json=description())
            refused(answer, 403, "not-allowed")


async def test_a_key_without_the_scope_registers_nothing(context: Context) -> None:
    async with signed_client(context, scopes=["read"]) as (client, _):
        answer = await client.put(f"/v1/works/{new()}", json=description())
    assert refused(answer, 403, "scope-missing")["needed"] == "list"


async def test_anothers_work_is_unknown(
    holder: Holder, other: Holder, client: httpx.AsyncClient
) -> None:
    path = await registered(holder[0])
    stranger, person = other
    shares = {"shares": [{"party_id": str(person.party_id), "share_bp": 10000}]}
    refused(await stranger.get(path), 404, "unknown")
    refused(await stranger.get(f"{path}/shares"), 404, "unknown")
    refused(await stranger.put(f"{path}/shares", json=shares), 404, "unknown")
    refused(await stranger.post(f"{path}/shares/consent"), 404, "unknown")
    refused(await stranger.put(path, json=description()), 409, "id-reused")
    assert (await stranger.get("/v1/works")).json() == {"items": [], "next": None}
    refused(await client.get(path), 401, "sign-in-needed")


async def test_ones_own_works_come_in_pages(holder: Holder) -> None:
    client, _ = holder
    paths = {await registered(client) for _ in range(3)}
    first = (await client.get("/v1/works", params={"limit": 2})).json()
    rest = (await client.get("/v1/works", params={"limit": 2, "after": first["next"]})).json()
    seen = [f"/v1/works/{item['id']}" for item in first["items"] + rest["items"]]
    assert (len(seen), set(seen), rest["next"]) == (3, paths, None)
    refused(await client.get("/v1/works", params={"limit": 0}), 422, "invalid-content")


async def test_staff_read_every_work(holder: Holder, context: Context) -> None:
    path = await registered(holder[0])
    async with signed_client(context, role="auditor") as (auditor, _):
        assert (await auditor.get(path)).status_code == 200
        assert (await auditor.get("/v1/works")).status_code == 200


async def test_a_co_owner_sees_the_work_and_agrees_to_its_part(
    holder: Holder, other: Holder
) -> None:
    (client, person), (co_owner, partner) = holder, other
    path = await registered(client)
    parts = [(person.party_id, 7000), (partner.party_id, 3000)]
    body = {"shares": [{"party_id": str(owner), "share_bp": part} for owner, part in parts]}
    declared = await client.put(f"{path}/shares", json=body)
    assert declared.status_code == 200, declared.text
    assert (await co_owner.get(path)).status_code == 200
    agreed = (await co_owner.post(f"{path}/shares/consent")).json()
    assert agreed == (await client.get(f"{path}/shares")).json()
    assert {row["party_id"]: row["share_bp"] for row in agreed["shares"]} == {
        str(owner): part for owner, part in parts
    }
    assert all(row["consented_at"] for row in agreed["shares"])


async def test_undeclared_the_registrant_owns_the_whole(holder: Holder) -> None:
    client, person = holder
    path = await registered(client)
    (whole,) = (await client.get(f"{path}/shares")).json()["shares"]
    assert (whole["party_id"], whole["share_bp"]) == (str(person.party_id), 10000)


@pytest.mark.parametrize("parts", [[9999], [5000, 5000, 1], [10000, 10000], [0], [-1], ["10000"]])
async def test_shares_that_are_no_whole_are_refused(holder: Holder, parts: list[Any]) -> None:
    client, person = holder
    path = await registered(client)
    owners = [person.party_id, *(new() for _ in parts[1:])]
    rows = [
        {"party_id": str(owner), "share_bp": part}
        for owner, part in zip(owners, parts, strict=True)
    ]
    answer = await client.put(f"{path}/shares", json={"shares": rows})
    assert answer.status_code == 422
    assert answer.json()["code"] in ("bad-shares", "invalid-content")


async def test_an_owner_named_twice_is_refused(holder: Holder) -> None:
    client, person = holder
    path = await registered(client)
    row = {"party_id": str(person.party_id), "share_bp": 5000}
    answer = await client.put(f"{path}/shares", json={"shares": [row, row]})
    refused(answer, 422, "bad-shares")


@pytest.mark.parametrize("title", ["花😀", "花\u0378"])
async def test_a_title_that_no_contract_can_print_is_refused_at_the_door(
    holder: Holder, title: str
) -> None:
    client, _ = holder
    path = f"/v1/works/{new()}"
    answer = await client.put(path, json=description(title_zh=title))
    told = refused(answer, 422, "text-cannot-be-printed")
    assert (told["field"], told["characters"]) == ("title_zh", [f"U+{ord(title[1]):04X}"])
    refused(await client.get(path), 404, "unknown")


async def test_rare_characters_that_a_contract_prints_may_stand_in_a_title(holder: Holder) -> None:
    client, _ = holder
    answer = await client.put(f"/v1/works/{new()}", json=description(title_zh="𠮷 䶮 𬭎"))
    assert (answer.status_code, answer.json()["title_zh"]) == (201, "𠮷 䶮 𬭎")


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u200d", "\ufeff", "\u3164", "\ufe0f"])
async def test_a_title_that_reads_otherwise_than_it_is_is_refused(
    holder: Holder, sign: str
) -> None:
    client, _ = holder
    for field in ("title_zh", "title_en"):
        answer = await client.put(f"/v1/works/{new()}", json=description(**{field: f"a{sign}b"}))
        assert refused(answer, 422, "bad-name")["field"] == field
