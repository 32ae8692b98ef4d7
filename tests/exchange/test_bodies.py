"""The API's edge: content without an end, twins of a request, and what no rule foresaw."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts import ids
from exchange import clock
from exchange.api import bodies
from exchange.app import create_app
from exchange.context import Context
from exchange.demo import signer
from tests.contracts.parties_factory import code
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import PASSWORD, signed_client
from tests.exchange.uploads_factory import TUS, metadata
from tests.listings.auctions_factory import sale_of
from tests.listings.masters_factory import ready_master

JSON = {"Content-Type": "application/json"}
WORK = {"title_zh": "甲", "title_en": "A", "kind": "film", "year": 2020, "country": "CN"}
TWINS = 6


def new() -> str:
    return str(ids.new(clock.now()))


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["hint"]
    return dict(answer.json())


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 65_536


async def never() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.sleep(30)


async def offer(context: Context, owner: UUID) -> dict[str, Any]:
    """The body of a draft, for a new work and a new ready master of the party."""
    now = clock.now()
    async with context.db.transaction() as session:
        subject = await work(session, party_id=owner, now=now)
        master = await ready_master(
            session, party_id=owner, work_id=subject.id, now=now, seed=owner.int % 2**31
        )
    return {
        "work_id": str(subject.id),
        "master_id": str(master.id),
        "rights": [wire()],
        "sale": sale_of(ids.new(now), now),
    }


async def statuses(client: httpx.AsyncClient, path: str, content: Any) -> list[int]:
    """Send one request several times at once; the answers' contents must agree."""
    answers = await asyncio.gather(*(client.put(path, json=content) for _ in range(TWINS)))
    assert all(answer.json() == answers[0].json() for answer in answers)
    return sorted(answer.status_code for answer in answers)


async def test_content_without_an_end_is_cut(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/sessions", content=endless(), headers=JSON)
    assert refused(answer, 413, "body-too-large")["most_bytes"] == bodies.MOST_BYTES


async def test_content_announced_too_long_is_not_read(client: httpx.AsyncClient) -> None:
    headers = {**JSON, "Content-Length": "1000000000"}
    answer = await client.post("/v1/sessions", content=endless(), headers=headers)
    refused(answer, 413, "body-too-large")


async def test_content_of_the_longest_length_is_read(client: httpx.AsyncClient) -> None:
    content = b"{}".ljust(bodies.MOST_BYTES)
    answer = await client.post("/v1/sessions", content=content, headers=JSON)
    refused(answer, 422, "invalid-content")


async def test_content_that_does_not_come_is_not_waited_for(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "ARRIVES_WITHIN_S", 0.05)
    answer = await client.post("/v1/sessions", content=never(), headers=JSON)
    refused(answer, 400, "body-too-slow")


async def test_a_name_that_stands_twice_is_told(client: httpx.AsyncClient) -> None:
    content = b'{"email": "a@example.com", "email": "b@example.com", "password": "x"}'
    problem = refused(
        await client.post("/v1/sessions", content=content, headers=JSON), 400, "malformed"
    )
    assert problem["errors"][0]["rule"] == "a name stands twice in an object"


async def test_a_text_with_nul_is_refused_by_the_name_of_its_field(context: Context) -> None:
    """PostgreSQL holds NUL in no text: it must not come to its refusal as our fault."""
    nul = {"name_zh": "a", "name_en": "a", "scheme": "iban", "currency": "EUR", "holder": "a",
           "number": "DE89370400440532013000", "bank_name": "a\0b"}  # fmt: skip
    path = "/v1/tax-authorities/DE"
    receipt = {"bank": "transfer", "amount": {"notes": ["x", {"\0": 1}]}}
    async with signed_client(context, role="operator") as (client, _):
        for body, encoding in ((nul, "utf-8"), (nul, "utf-16")):
            sent = json.dumps(body).encode(encoding)
            answer = await client.put(path, content=sent, headers=JSON)
            [error] = refused(answer, 422, "invalid-content")["errors"]
            assert error["field"] == "body.bank_name"
        answer = await client.put(path, json=receipt)
        [error] = refused(answer, 422, "invalid-content")["errors"]
        assert error["field"] == "body.amount.notes.1"
        nobody = {"email": "a\0@example.com", "password": PASSWORD}
        refused(await client.post("/v1/sessions", json=nobody), 422, "invalid-content")
        written = {**nul, "bank_name": "a \\u0000 written out"}
        assert (await client.put(path, json=written)).status_code == 200


@pytest.mark.parametrize("written", ["100.0", "1e2", "9007199254740993.0", "-0.0", "1e999"])
async def test_an_amount_with_a_fraction_or_an_exponent_is_refused(
    context: Context, written: str
) -> None:
    content = json.dumps({"account_id": new()})[:-1] + f', "amount_minor": {written}}}'
    async with signed_client(context, role="operator") as (client, _):
        answer = await client.put(f"/v1/sweeps/{new()}", content=content, headers=JSON)
    [error] = refused(answer, 422, "invalid-content")["errors"]
    assert error["field"] == "body.amount_minor"


async def test_a_bug_is_told_as_a_problem_and_nothing_of_it(context: Context) -> None:
    app = create_app(context)

    @app.get("/v1/bug")
    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("SELECT secret")

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as client:
        answer = await client.get("/v1/bug")
        page = await client.get("/bug", headers={"Accept": "text/html"})
    refused(answer, 500, "internal-error")
    assert page.status_code == 500 and page.headers["content-type"].startswith("text/html")
    assert "internal-error" in page.text
    assert "secret" not in answer.text + page.text


async def test_no_redirect_names_the_host_that_the_client_claims(
    client: httpx.AsyncClient,
) -> None:
    refused(await client.get("/v1/listings/", headers={"Host": "evil.test"}), 404, "unknown")


async def test_the_answer_to_a_sign_in_is_not_kept_by_caches(context: Context) -> None:
    async with signed_client(context) as (client, who):
        body = {"email": who.email, "password": PASSWORD}
        answer = await client.post("/v1/sessions", json=body)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")


async def test_a_signature_outside_ascii_is_refused(context: Context) -> None:
    async with signed_client(context) as (client, _):
        path = f"/v1/deals/{new()}/signing-sessions/{new()}/signature"
        answer = await client.put(path, json={"signature_b64": "签名"})
        refused(answer, 422, "bad-signature")


async def test_lengths_of_thousands_of_digits_are_refused(context: Context) -> None:
    given = {"Upload-Metadata": metadata(filename="a.mxf", master_id=new())}
    async with signed_client(context) as (client, _):
        headers = {**TUS, **given, "Upload-Length": "9" * 5000}
        refused(await client.post("/v1/uploads", headers=headers), 400, "bad-upload-header")


async def test_twins_of_a_draft_are_one_draft(context: Context) -> None:
    async with signed_client(context) as (holder, who):
        body = await offer(context, who.party_id)
        told = await statuses(holder, f"/v1/listings/{new()}", body)
    assert told == [200] * (TWINS - 1) + [201]


async def test_twins_of_a_work_a_key_and_a_party_are_created_once(context: Context) -> None:
    once = [200] * (TWINS - 1) + [201]
    async with signed_client(context) as (holder, who):
        assert await statuses(holder, f"/v1/works/{new()}", WORK) == once
        _, csr = signer.make_key_and_csr("twins")
        path = f"/v1/parties/{who.party_id}/signing-keys/{new()}"
        assert await statuses(holder, path, {"csr_pem": csr.decode()}) == once
        assert await statuses(holder, f"/v1/parties/{new()}", sign_up_body()) == once


async def test_a_draft_id_that_another_took_meanwhile_is_refused(context: Context) -> None:
    async with signed_client(context) as (one, first), signed_client(context) as (two, second):
        path = f"/v1/listings/{new()}"
        contents = [await offer(context, who.party_id) for who in (first, second)]
        answers = await asyncio.gather(
            one.put(path, json=contents[0]), two.put(path, json=contents[1])
        )
    assert sorted(answer.status_code for answer in answers) == [201, 409]


def sign_up_body() -> dict[str, Any]:
    person = ids.new(clock.now())
    return {
        "kind": "broadcaster",
        "name_zh": "示范卫视",
        "name_en": "Demonstration Satellite TV",
        "uscc": code(person.int % 31**9),
        "person": {
            "id": str(person),
            "email": f"{person.hex}@example.test",
            "name": "采购",
            "password": PASSWORD,
        },
    }
