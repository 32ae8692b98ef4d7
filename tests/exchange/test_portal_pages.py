"""The pages over HTTP: their headers, their forms, their refusals, their static files."""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from contracts import ids
from exchange import clock
from exchange.app import create_app
from exchange.context import Context
from exchange.identity.tables import Person
from exchange.portal import render
from exchange.settings import Settings
from tests.contracts.parties_factory import code, party
from tests.exchange.identity_factory import PASSWORD, person

HTML = {"Accept": "text/html", "Accept-Language": "en"}
PAGES_OF = {
    "holder": (
        "/", "/works", "/works/new", "/masters", "/masters/upload", "/listings", "/listings/new",
        "/avails", "/deals", "/money", "/money/statement", "/keys",
    ),
    "broadcaster": ("/", "/deals", "/money", "/money/statement", "/keys"),
    "operator": (
        "/", "/console", "/console/parties", "/console/settlements", "/console/payouts",
        "/console/ledger", "/console/bank", "/console/bank/statements", "/console/provider",
        "/console/provider/suspense",
    ),
}  # fmt: skip
KINDS = {"holder": "rights_holder", "broadcaster": "broadcaster"}


@asynccontextmanager
async def browser(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://exchange.test", headers=HTML
    ) as opened:
        yield opened


async def someone(context: Context, role: str) -> Person:
    now = clock.now()
    async with context.db.transaction() as session:
        home = await party(session, kind=KINDS.get(role, "rights_holder"), now=now)
        return await person(session, party_id=home.id, role=role, now=now)


@asynccontextmanager
async def signed_in(context: Context, role: str) -> AsyncIterator[httpx.AsyncClient]:
    who = await someone(context, role)
    async with browser(context) as client:
        done = await client.post("/sign-in", data={"email": who.email, "password": PASSWORD})
        assert done.status_code == 303
        yield client


def token_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


@pytest.mark.parametrize("role", PAGES_OF)
async def test_every_page_of_a_role_opens_and_allows_no_inline_code(
    context: Context, role: str
) -> None:
    async with signed_in(context, role) as client:
        for path in PAGES_OF[role]:
            answer = await client.get(path)
            assert answer.status_code == 200, path
            policy = answer.headers["content-security-policy"]
            assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", answer.text), (
                path
            )
            assert not re.search(r'(?:src|href|action)="(?:https?:)?//', answer.text), path


@pytest.mark.parametrize("role", PAGES_OF)
async def test_every_field_of_every_page_has_a_label_and_every_table_a_caption(
    context: Context, role: str
) -> None:
    async with signed_in(context, role) as client:
        for path in PAGES_OF[role]:
            text = (await client.get(path)).text
            fields = re.findall(r'<(?:input|select|textarea)\b[^>]*\bid="([^"]+)"', text)
            assert len(fields) == len(set(fields)), path
            for field in fields:
                assert f'<label for="{field}"' in text or f'for="{field}">' in text, (path, field)
            assert text.count("<table") == text.count("<caption>"), path


async def test_the_pages_speak_the_language_that_was_chosen_and_keep_it(context: Context) -> None:
    async with browser(context) as client:
        assert '<html lang="en">' in (await client.get("/sign-in")).text
        chosen = (await client.get("/sign-in?lang=zh-CN")).text
        assert '<html lang="zh-CN">' in chosen and "登录" in chosen
        assert "登录" in (await client.get("/sign-in")).text


async def test_a_page_for_signed_in_people_sends_others_to_sign_in_and_back(
    context: Context,
) -> None:
    who = await someone(context, "holder")
    async with browser(context) as client:
        sent = await client.get("/works/new")
        assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=/works/new")
        form = {"email": who.email, "password": PASSWORD, "next": "/works/new"}
        back = await client.post("/sign-in", data=form)
        assert back.headers["location"] == "/works/new"


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_signing_in_never_leads_to_another_site(context: Context, address: str) -> None:
    who = await someone(context, "broadcaster")
    async with browser(context) as client:
        form = {"email": who.email, "password": PASSWORD, "next": address}
        assert (await client.post("/sign-in", data=form)).headers["location"] == "/"


async def test_a_wrong_password_is_told_in_a_box_and_counted(context: Context) -> None:
    who = await someone(context, "holder")
    async with browser(context) as client:
        form = {"email": who.email, "password": "not the password"}
        for _ in range(10):
            told = await client.post("/sign-in", data=form, headers={"HX-Request": "true"})
            assert (told.status_code, told.headers["hx-retarget"]) == (401, "#refusal")
            assert "sign-in-failed" in told.text and "<html" not in told.text
        late = await client.post("/sign-in", data={**form, "password": PASSWORD})
        assert late.status_code == 429 and "too-many-attempts" in late.text


async def test_an_organisation_registers_on_the_page_and_signs_in(context: Context) -> None:
    now = clock.now()
    party_id, email = ids.new(now), f"{ids.new(now).hex}@example.test"
    form = {
        "party_id": str(party_id), "person_id": str(ids.new(now)), "kind": "rights_holder",
        "name_zh": "示范影业", "name_en": "Demo Pictures", "uscc": code(party_id.int % 31**9),
        "name": "版权部", "email": email, "password": "a sentence does well",
    }  # fmt: skip
    async with browser(context) as client:
        told = await client.post("/sign-up", data={**form, "name_zh": "示范😀"})
        assert told.status_code == 422 and "text-cannot-be-printed" in told.text
        done = await client.post("/sign-up", data=form)
        assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
        signed = {"email": email, "password": form["password"]}
        assert (await client.post("/sign-in", data=signed)).headers["location"] == "/works"


async def test_a_form_without_the_token_changes_nothing(context: Context) -> None:
    async with signed_in(context, "holder") as client:
        form = {"key_id": str(ids.new(clock.now())), "name": "forged", "scopes": "read"}
        told = await client.post("/keys", data=form)
        assert told.status_code == 403 and "csrf-token" in told.text
        assert "forged" not in (await client.get("/keys")).text


async def test_a_form_from_another_site_is_refused(context: Context) -> None:
    async with browser(context) as client:
        told = await client.post("/sign-in", data={}, headers={"Sec-Fetch-Site": "cross-site"})
        assert told.status_code == 403 and "foreign-form" in told.text


async def test_the_token_is_taken_from_the_field_and_from_the_header(context: Context) -> None:
    async with signed_in(context, "holder") as client:
        token = token_in((await client.get("/keys")).text)
        for name, sent, headers in (
            ("by field", {"csrf_token": token}, {}),
            ("by header", {}, {"X-CSRF-Token": token}),
        ):
            form = {"key_id": str(ids.new(clock.now())), "name": name, "scopes": "read", **sent}
            made = await client.post("/keys", data=form, headers=headers)
            assert made.status_code == 200 and 'id="secret">rx_test_' in made.text


async def test_a_key_is_shown_once_and_can_be_revoked(context: Context) -> None:
    async with signed_in(context, "broadcaster") as client:
        token, key_id = token_in((await client.get("/keys")).text), ids.new(clock.now())
        form = {
            "csrf_token": token,
            "key_id": str(key_id),
            "name": "playout",
            "scopes": ["read", "bid"],
        }
        assert "rx_test_" in (await client.post("/keys", data=form)).text
        again = await client.post("/keys", data=form)
        assert again.status_code == 200 and 'id="secret"' not in again.text
        gone = await client.post(f"/keys/{key_id}/revocation", data={"csrf_token": token})
        assert gone.status_code == 303
        assert "Revoked" in (await client.get("/keys")).text


async def test_a_refusal_names_the_field_and_its_rule(context: Context) -> None:
    async with signed_in(context, "holder") as client:
        token = token_in((await client.get("/works/new")).text)
        form = {
            "csrf_token": token, "work_id": str(ids.new(clock.now())), "title_zh": "珠江之花",
            "title_en": "Flower", "kind": "film", "year": "2026", "country": "CN",
            "eidr": "10.5240/7791-8534-2C23-9030-8610-6",
        }  # fmt: skip
        told = await client.post("/works", data=form, headers={"HX-Request": "true"})
        assert told.status_code == 422 and "bad-eidr" in told.text
        told = await client.post("/works", data={**form, "year": "soon"})
        assert told.status_code == 422 and "not a whole number" in told.text


async def test_people_get_errors_as_pages_and_programs_as_problem_documents(
    context: Context,
) -> None:
    async with browser(context) as client:
        page = await client.get("/no-such-page")
        assert page.status_code == 404 and page.headers["content-type"].startswith("text/html")
        assert "content-security-policy" in page.headers
        program = await client.get("/no-such-page", headers={"Accept": "application/json"})
        assert program.headers["content-type"] == "application/problem+json"
        api = await client.get("/v1/no-such-thing")
        assert api.headers["content-type"] == "application/problem+json"
        assert (await client.get("/listings/not-an-id")).status_code == 404


@pytest.mark.parametrize(("role", "path"), [("broadcaster", "/works"), ("holder", "/console")])
async def test_pages_of_other_roles_are_not_allowed(context: Context, role: str, path: str) -> None:
    async with signed_in(context, role) as client:
        told = await client.get(path)
        assert told.status_code == 403 and "not-allowed" in told.text


async def test_a_form_longer_than_any_is_not_read(context: Context) -> None:
    async with browser(context) as client:
        told = await client.post("/sign-in", data={"email": "x" * 100_000})
        assert told.status_code == 413


async def test_an_address_that_takes_no_form_says_so(context: Context) -> None:
    async with browser(context) as client:
        assert (await client.post("/")).status_code == 405


async def test_signing_out_ends_the_session(context: Context) -> None:
    async with signed_in(context, "holder") as client:
        token = token_in((await client.get("/keys")).text)
        assert (await client.post("/sign-out", data={"csrf_token": token})).status_code == 303
        assert (await client.get("/works")).status_code == 303


@pytest.mark.parametrize("live", [False, True], ids=["stand-in", "stripe"])
async def test_the_pages_say_when_payments_go_to_a_stand_in(context: Context, live: bool) -> None:
    base = "https://api.stripe.com" if live else "http://127.0.0.1:8001"
    settings = Settings(
        home=context.settings.home, stripe_api_base=base, stripe_api_key=SecretStr("sk_test_x")
    )
    async with browser(Context(settings, context.db)) as client:
        for path, text in (("/?lang=en", "local stand-in"), ("/?lang=zh-CN", "本地支付替身")):
            assert (text in (await client.get(path)).text) is not live


def test_the_vendored_files_are_those_of_the_lock() -> None:
    lock = json.loads((render.HERE / "vendor.lock").read_text("utf-8"))
    listed = {
        name: entry["integrity"]
        for package in lock["packages"]
        for name, entry in package["files"].items()
    }
    folder = render.STATIC / "vendor"
    assert {path.name for path in folder.iterdir()} == set(listed)
    for name, integrity in listed.items():
        digest = hashlib.sha512((folder / name).read_bytes()).digest()
        assert integrity == "sha512-" + base64.b64encode(digest).decode(), name


def test_the_lock_names_versions_licences_and_no_address() -> None:
    text = (render.HERE / "vendor.lock").read_text("utf-8")
    assert "://" not in text
    for package in json.loads(text)["packages"]:
        assert {"name", "version", "integrity", "licence", "files"} == set(package)
        assert any(name.endswith("LICENSE.txt") for name in package["files"])


async def test_static_files_are_kept_by_their_content(context: Context) -> None:
    async with browser(context) as client:
        marked = await client.get(render.asset("css/base.css"))
        assert "immutable" in marked.headers["cache-control"]
        assert (await client.get("/static/css/base.css")).headers["cache-control"] == "no-cache"
        assert (await client.get("/static/../render.py")).status_code == 404
