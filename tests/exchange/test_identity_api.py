import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from contracts import ids
from exchange import clock
from exchange.app import create_app
from exchange.context import Context
from exchange.identity import secret
from exchange.identity.tables import Person
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, api_key, headers, person, signed_client


def new() -> UUID:
    return ids.new(clock.now())


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return dict(answer.json())


async def somebody(context: Context, *, role: str = "holder") -> Person:
    """A person of a party of its own, committed."""
    now = clock.now()
    async with context.db.transaction() as session:
        home = await party(session, now=now)
        return await person(session, party_id=home.id, role=role, now=now)


async def sign_in(client: httpx.AsyncClient, who: Person) -> dict[str, Any]:
    answer = await client.post("/v1/sessions", json={"email": who.email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.fixture
async def who(context: Context) -> Person:
    return await somebody(context)


@pytest.fixture
async def browser(client: httpx.AsyncClient, who: Person) -> AsyncIterator[httpx.AsyncClient]:
    """A client in a browser's place: it keeps the cookie and sends the CSRF token."""
    client.headers["X-CSRF-Token"] = (await sign_in(client, who))["csrf_token"]
    yield client


def fresh(context: Context, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://exchange.test", **options)


async def test_signing_in_tells_who_one_is(client: httpx.AsyncClient, who: Person) -> None:
    answer = await client.post(
        "/v1/sessions", json={"email": who.email.upper(), "password": PASSWORD}
    )
    assert answer.status_code == 201
    assert answer.json()["person"]["id"] == str(who.id)
    assert answer.json()["party"]["id"] == str(who.party_id)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    me = (await client.get("/v1/me")).json()
    assert me["person"]["email"] == who.email
    assert me["scopes"] == ["read", "list", "bid", "deal", "money"]


async def test_an_unknown_address_and_a_wrong_password_get_one_answer(
    client: httpx.AsyncClient, who: Person
) -> None:
    wrong = await client.post("/v1/sessions", json={"email": who.email, "password": "wrong one"})
    nobody = await client.post(
        "/v1/sessions", json={"email": f"{new().hex}@example.test", "password": PASSWORD}
    )
    assert refused(wrong, 401, "sign-in-failed") == refused(nobody, 401, "sign-in-failed")
    assert "set-cookie" not in wrong.headers


async def test_after_ten_failures_even_the_right_password_waits(
    client: httpx.AsyncClient, who: Person, context: Context
) -> None:
    for _ in range(10):
        answer = await client.post("/v1/sessions", json={"email": who.email, "password": "no"})
        refused(answer, 401, "sign-in-failed")
    right = {"email": who.email, "password": PASSWORD}
    answer = await client.post("/v1/sessions", json=right)
    assert 0 < refused(answer, 429, "too-many-attempts")["retry_after_s"] <= 900
    assert 0 < int(answer.headers["retry-after"]) <= 900
    async with context.db.transaction() as session:
        await session.execute(
            text(
                "UPDATE sign_in_failures SET since = since - interval '15 minutes' "
                "WHERE email_hash = :it"
            ),
            {"it": secret.digest(who.email)},
        )
    assert (await client.post("/v1/sessions", json=right)).status_code == 201


async def test_a_success_forgets_the_failures_before_it(
    client: httpx.AsyncClient, who: Person
) -> None:
    for _ in range(2):
        for _ in range(6):
            await client.post("/v1/sessions", json={"email": who.email, "password": "no"})
        await sign_in(client, who)


async def test_a_session_ends_at_once_when_one_signs_out(browser: httpx.AsyncClient) -> None:
    stolen = dict(browser.cookies)
    assert (await browser.get("/v1/me")).status_code == 200
    assert (await browser.delete("/v1/sessions/current")).status_code == 204
    assert not browser.cookies
    browser.cookies.update(stolen)
    refused(await browser.get("/v1/me"), 401, "sign-in-needed")


@pytest.mark.parametrize("token", [None, "", "wrong", "ü"])
async def test_a_cookie_alone_changes_nothing(
    browser: httpx.AsyncClient, context: Context, token: str | None
) -> None:
    sent = {} if token is None else {"X-CSRF-Token": token.encode()}
    async with fresh(context, cookies=dict(browser.cookies), headers=sent) as forged:
        body = {"name": "k", "scopes": ["read"], "expires_at": None}
        refused(await forged.put(f"/v1/api-keys/{new()}", json=body), 403, "csrf-token")
        refused(await forged.delete("/v1/sessions/current"), 403, "csrf-token")
        assert (await forged.get("/v1/me")).status_code == 200


async def test_another_sessions_csrf_token_does_not_fit(
    browser: httpx.AsyncClient, context: Context
) -> None:
    async with fresh(context) as other:
        foreign = (await sign_in(other, await somebody(context)))["csrf_token"]
    answer = await browser.delete("/v1/sessions/current", headers={"X-CSRF-Token": foreign})
    refused(answer, 403, "csrf-token")


@pytest.mark.parametrize(
    "header", ["Basic abc", "Bearer", "Bearer ", "Bearer rx_test_short", "rx_test_x", "Bearer ü"]
)
async def test_a_broken_authorization_header_is_refused(
    client: httpx.AsyncClient, header: str
) -> None:
    answer = await client.get("/v1/me", headers={"Authorization": header.encode()})
    refused(answer, 401, "sign-in-needed")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_key_is_shown_once_and_a_lost_answer_is_answered_again(
    browser: httpx.AsyncClient, context: Context
) -> None:
    path = f"/v1/api-keys/{new()}"
    body = {"name": "挂牌系统", "scopes": ["list", "read"], "expires_at": None}
    first, again = await browser.put(path, json=body), await browser.put(path, json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    shown = first.json()["secret"]
    assert again.json() == {**first.json(), "secret": None}
    assert first.headers["cache-control"] == "no-store"
    assert shown.startswith(first.json()["prefix"])
    assert shown.endswith(first.json()["last4"])
    listed = (await browser.get("/v1/api-keys")).json()["items"]
    assert [item["secret"] for item in listed] == [None]
    async with fresh(context, headers=headers(shown)) as program:
        assert (await program.get("/v1/me")).json()["scopes"] == ["read", "list"]
    async with context.db.transaction() as session:
        kept = (
            await session.execute(text("SELECT to_jsonb(api_key)::text FROM api_key"))
        ).scalars()
        assert not any(shown in row for row in kept)


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"scopes": ["read"]}, {"expires_at": "2999-01-01T00:00:00Z"}]
)
async def test_another_key_under_the_same_id_is_refused(
    browser: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    path = f"/v1/api-keys/{new()}"
    body = {"name": "k", "scopes": ["list", "read"], "expires_at": None}
    await browser.put(path, json=body)
    refused(await browser.put(path, json={**body, **change}), 409, "id-reused")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"scopes": ["bid"]}, 403, "scope-not-allowed"),
        ({"scopes": []}, 422, "invalid-content"),
        ({"scopes": ["everything"]}, 422, "invalid-content"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "bad-expiry"),
        ({"expires_at": "2999-01-01T00:00:00"}, 422, "invalid-content"),
        ({"name": "\u2066"}, 422, "bad-name"),
        ({"secret": "chosen"}, 422, "invalid-content"),
    ],
)
async def test_a_faulty_key_is_not_made(
    browser: httpx.AsyncClient, change: dict[str, Any], status: int, code: str
) -> None:
    body = {"name": "k", "scopes": ["read"], "expires_at": None, **change}
    refused(await browser.put(f"/v1/api-keys/{new()}", json=body), status, code)
    assert (await browser.get("/v1/api-keys")).json()["items"] == []


async def test_a_revoked_key_is_refused(browser: httpx.AsyncClient, context: Context) -> None:
    path = f"/v1/api-keys/{new()}"
    body = {"name": "k", "scopes": ["read"], "expires_at": None}
    shown = (await browser.put(path, json=body)).json()["secret"]
    assert [(await browser.delete(path)).status_code for _ in range(2)] == [204, 204]
    async with fresh(context, headers=headers(shown)) as program:
        refused(await program.get("/v1/me"), 401, "sign-in-needed")


async def test_an_expired_key_is_refused(
    client: httpx.AsyncClient, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    now, who = clock.now(), await somebody(context)
    async with context.db.transaction() as session:
        past = await api_key(session, person=who, expires_at=now - timedelta(seconds=1), now=now)
        ahead = await api_key(session, person=who, expires_at=now + timedelta(hours=1), now=now)
    with caplog.at_level(logging.WARNING, "exchange.identity"):
        refused(await client.get("/v1/me", headers=headers(past)), 401, "sign-in-needed")
    assert [record.__dict__["reason"] for record in caplog.records] == ["expired-key"]
    assert past not in caplog.text
    assert (await client.get("/v1/me", headers=headers(ahead))).status_code == 200


async def test_a_suspended_person_is_refused_everywhere(
    browser: httpx.AsyncClient, context: Context, who: Person
) -> None:
    async with context.db.transaction() as session:
        key = await api_key(session, person=who, now=clock.now())
        await session.execute(
            text("UPDATE person SET state = 'suspended' WHERE id = :id"), {"id": who.id}
        )
    refused(await browser.get("/v1/me"), 401, "sign-in-needed")
    async with fresh(context) as other:
        refused(await other.get("/v1/me", headers=headers(key)), 401, "sign-in-needed")
        answer = await other.post("/v1/sessions", json={"email": who.email, "password": PASSWORD})
        refused(answer, 401, "sign-in-failed")


async def test_a_key_makes_no_key_and_revokes_itself_alone(context: Context, who: Person) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        keys = [await api_key(session, person=who, now=now) for _ in range(2)]
    async with fresh(context, headers=headers(keys[0])) as program:
        body = {"name": "k", "scopes": ["read"], "expires_at": None}
        refused(await program.put(f"/v1/api-keys/{new()}", json=body), 403, "not-allowed")
        listed = (await program.get("/v1/api-keys")).json()["items"]
        own = {item["last4"]: item["id"] for item in listed}
        refused(await program.delete(f"/v1/api-keys/{own[keys[1][-4:]]}"), 403, "not-allowed")
        assert (await program.delete(f"/v1/api-keys/{own[keys[0][-4:]]}")).status_code == 204
        refused(await program.get("/v1/me"), 401, "sign-in-needed")


async def test_anothers_key_is_unknown(browser: httpx.AsyncClient, context: Context) -> None:
    path, body = f"/v1/api-keys/{new()}", {"name": "k", "scopes": ["read"], "expires_at": None}
    await browser.put(path, json=body)
    async with fresh(context) as other:
        other.headers["X-CSRF-Token"] = (await sign_in(other, await somebody(context)))[
            "csrf_token"
        ]
        refused(await other.delete(path), 404, "unknown")
        refused(await other.put(path, json=body), 409, "id-reused")
        assert (await other.get("/v1/api-keys")).json()["items"] == []


async def test_a_key_covers_no_more_than_the_role_that_its_person_has_now(context: Context) -> None:
    async with signed_client(context, role="auditor") as (client, _):
        assert (await client.get("/v1/me")).json()["scopes"] == ["read"]


async def test_a_key_without_a_scope_is_told_which(context: Context) -> None:
    async with signed_client(context, scopes=["list"]) as (client, _):
        assert refused(await client.get("/v1/me"), 403, "scope-missing")["needed"] == "read"
