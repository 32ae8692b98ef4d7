"""Every operation of the HTTP contract, asked by nobody, by strangers, and with garbage."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from exchange import keys, openapi
from exchange.context import Context
from settlement.fees import gateway as fees
from tests.contracts import avails_factory
from tests.contracts.log_factory import seal_all
from tests.exchange import documents_factory, uploads_factory
from tests.exchange.endpoints_world import (
    STRANGERS,
    files_of_a_work,
    ids_of,
    open_clients,
    screener_of,
)
from tests.exchange.evidence_factory import settled_trade

DOCUMENT = openapi.document()
METHODS = ("get", "put", "post", "patch", "delete", "head", "options")
# What anybody may ask. The event from Stripe carries a signature instead, a screener its link.
PUBLIC = {
    "get_health", "get_readiness", "register_party", "create_session", "get_auction", "list_bids",
    "get_receipt_key", "get_listing", "get_listing_proof", "search_listings", "list_facts",
    "follow_feed", "follow_auction", "get_auction_log", "list_auction_methods",
    "get_fees", "quote_fees", "get_fee_schedule",
    "list_templates", "get_template",
    "get_published_checkpoint", "get_tile", "get_log_policy",
    "get_authority_certificate", "get_revocation_list", "get_root",
    "get_checkpoint", "get_consistency", "get_log_key", "list_leaves", "get_proof",
    "receive_stripe_event", "describe_uploads", "open_screener", "stream_screener",
    "get_listing_picture", "get_opening", "get_cells", "get_solution",
    "get_disclosure", "list_disclosures", "get_incidents", "verify_contract", "get_escrow_key",
}  # fmt: skip
# Clients name what they create, so these tell that an id is taken, and nothing more; a verified
# broadcaster may bid in any auction.
TELL_AN_ID_IS_TAKEN = {
    "create_api_key", "register_work", "draft_listing", "import_avails", "register_opening_key",
    "open_to_offers", "ask_for_proposals", "make_offer",
}  # fmt: skip
# What is free of a published work is told to everybody who has signed in, never whose the rest is.
ABOUT_PUBLISHED = {"get_availability", "get_availability_calendar"}
OPEN_TO_STRANGERS = (
    PUBLIC - {"get_listing", "get_listing_proof", "get_listing_picture", "get_disclosure"}
    | {"place_bid", "apply_for_admission", "get_deposit_agreement", "print_deposit_agreement"}
    | {"draw_up_deposit_agreement"}
    | ABOUT_PUBLISHED
)
# Nobody is shown the one (a draft is not in the log); the other is a file, which this world did
# not publish (tests/exchange/test_log_site_api.py reads it).
# Its auctions ask for no deposit (tests/exchange/test_templates_api.py reads the agreement).
# Nothing was delivered in it (tests/exchange/test_deals_deliveries.py asks for keys).
# Its price is one sum (tests/exchange/test_royalties_api.py reads statements).
SHOWN_TO_NOBODY = {
    "get_listing_proof", "get_tile", "get_released_keys",
    "get_deposit_agreement", "print_deposit_agreement",
    "print_royalty_statement", "export_royalty_statements",
}  # fmt: skip
INSIDERS = ("licensor", "licensee", "auditor")
GARBAGE: Mapping[str, bytes] = {
    "nothing": b"",
    "cut": b'{"email": "a',
    "not UTF-8": b'{"email": "\xff\xfe"}',
    "a name twice": b'{"email": "a", "email": "b"}',
    "not a number": b'{"amount_minor": NaN, "country": Infinity}',
    "a long number": b'{"amount_minor": ' + b"9" * 5000 + b"}",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "an array": b"[]",
    "null": b"null",
    "NUL": b'{"email": "\\u0000", "password": "\\u0000", "\\u0000": 1}',
    "half a surrogate pair": b'{"\\ud800": "\\udfff", "email": "\\ud800"}',
    "many names": b"{" + b",".join(b'"n%d": 1' % n for n in range(20_000)) + b"}",
    "long": b" " * 1_100_000 + b"{}",
}
MALFORMED = ("cut", "not UTF-8", "a name twice", "not a number", "a long number", "deep")
SPILLED = re.compile(r"Traceback|psycopg|sqlalchemy|SELECT |INSERT |File \"", re.IGNORECASE)


@dataclass(frozen=True)
class Operation:
    """One operation of the contract."""

    name: str
    method: str
    path: str
    described: dict[str, Any]

    @property
    def has_id(self) -> bool:
        return "{" in self.path

    @property
    def takes_json(self) -> bool:
        return "application/json" in self._contents() and self.name != "receive_stripe_event"

    @property
    def queries(self) -> set[str]:
        given = self.described.get("parameters", [])
        return {one["name"] for one in given if one["in"] == "query"}

    def address(self, ids: Mapping[str, str]) -> str:
        """The path with these ids, and with ids of nothing in the place of others."""
        known = {"at_ms": "0", "picture": "poster", "holder": "seller", "currency": "CNY"}
        known |= {"template_id": "licence-zh-en", "version": "1", "name": "root"}
        known |= {"number": "1", "contract_no": "UHDX-2026-0000-0000-0000-0000", "form": "pdf"}
        known |= {"sha256": fees.shipped()["uhdx-2026"].sha256}
        known |= ids
        return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], str(uuid4())), self.path)

    def content(self) -> Any:
        """The example that the contract shows."""
        if not self.takes_json:
            return {}
        schema = self._contents()["application/json"]["schema"]
        shape = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        return shape["examples"][0]

    def headers(self) -> dict[str, str]:
        if "/uploads" not in self.path:
            return {}
        whole = {"Upload-Offset": "0", "Upload-Length": "9"}
        return {**uploads_factory.PART, **whole} if self.method != "options" else {}

    def _contents(self) -> dict[str, Any]:
        found: dict[str, Any] = self.described.get("requestBody", {}).get("content", {})
        return found


def operations() -> list[Operation]:
    return [
        Operation(described["operationId"], method, path, described)
        for path, item in DOCUMENT["paths"].items()
        for method, described in item.items()
        if method in METHODS
    ]


def each(chosen: list[Operation]) -> Any:
    return pytest.mark.parametrize("asked", chosen, ids=[one.name for one in chosen])


PRIVATE = [one for one in operations() if one.name not in PUBLIC]
OF_SOMEBODY = [one for one in operations() if one.has_id and one.name not in OPEN_TO_STRANGERS]
READ_BY_ID = [
    one for one in operations()
    if one.has_id and one.method in ("get", "head") and one.name not in SHOWN_TO_NOBODY
]  # fmt: skip
LISTS = [one for one in operations() if "limit" in one.queries]


@dataclass(frozen=True)
class World:
    """A settled trade with the ids of all its things, and clients of those who look at it."""

    ids: dict[str, str]
    clients: dict[str, httpx.AsyncClient]

    async def ask(self, who: str, asked: Operation, ids: Mapping[str, str]) -> httpx.Response:
        """Ask with the content of the contract's example; the feed is not waited for."""
        given: dict[str, Any] = {"json": asked.content()}
        if asked.method in ("get", "head", "options"):
            known = {"idle_s": 0, "from": "2027-01-01", "until": "2027-12-31"} | {
                "sha256": "0" * 64
            }
            given = {"params": {name: known[name] for name in known if name in asked.queries}}
        if asked.name == "append_to_upload":
            given = {"content": b"a part"}
        if asked.name == "import_avails":
            given = {"content": avails_factory.sample("TPT-test_v1.9.xlsx")}
        return await self.clients[who].request(
            asked.method.upper(), asked.address(ids), headers=asked.headers(), **given
        )


@pytest.fixture(scope="module")
async def world(context: Context) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        trade = await settled_trade(context.db, context.settings)
        clients = await open_clients(stack, context, trade)
        async with context.db.transaction() as session:
            ids = await ids_of(context, session, trade)
        await seal_all(context.db, keys.log_signer(context.settings))
        key = str(uuid4())
        async with context.db.transaction() as session:
            await session.execute(
                text(
                    "INSERT INTO api_key SELECT :id, person_id, party_id, 'other', prefix, "
                    "sha256(:secret), last4, scopes, expires_at, revoked_at, created_at "
                    "FROM api_key WHERE party_id = :party LIMIT 1"
                ),
                {"id": key, "secret": key.encode(), "party": trade.licensor.id},
            )
        context.objects.put(f"derived/{ids['master_id']}/thumbs.json", b"[0]")
        context.objects.put(f"derived/{ids['master_id']}/thumbs/0.jpg", b"a picture")
        upload = await uploads_factory.started(clients["licensor"])
        avails = await clients["licensor"].put(
            f"/v1/avails/imports/{key}", content=avails_factory.sample("TPT-test_v1.9.xlsx")
        )
        assert avails.status_code == 201, avails.text
        made = {"api_key": key, "upload": upload.rsplit("/", 1)[-1], "import_id": key}
        document = await documents_factory.filed(clients["licensor"], ids["work_id"])
        made |= await files_of_a_work(clients["licensor"], ids["work_id"])
        made |= await screener_of(context, clients["licensor"], ids["master_id"])
        yield World({**ids, **made, "document_id": document.rsplit("/", 1)[-1]}, clients)


# Which of the world's ids stands for a name in an address, where it is not the one of that name.
BY_NAME = {
    "get_cells": {"auction_id": "package_auction"},
    "get_solution": {"auction_id": "package_auction"},
    "get_receipt": {"auction_id": "sold_auction", "bid_id": "won_bid"},
    "get_auction_log": {"auction_id": "closed_auction"},
    "record_work_event": {"code": "event"},
}
BY_PATH = {
    "/deposits/": {"party_id": "depositor"},
    "/api-keys/": {"key_id": "api_key"},
    "/uploads/": {"master_id": "upload"},
    "/agreements/": {"session_id": "agreement_session"},
    "/avails.": {"work_id": "offered_work"},
}


def ids_for(world: World, asked: Operation) -> dict[str, str]:
    meant = dict(BY_NAME.get(asked.name, {}))
    for part, others in BY_PATH.items():
        if part in asked.path:
            meant |= others
    return world.ids | {name: world.ids[other] for name, other in meant.items()}


def refused(answer: httpx.Response) -> tuple[int, str]:
    """The status and code of an answer that says no as every no is said."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:500])
    if not answer.content:  # to HEAD
        return answer.status_code, ""
    assert answer.headers["content-type"] == "application/problem+json"
    assert not SPILLED.search(answer.text)
    assert len(answer.content) < 10_000
    problem = answer.json()
    assert problem["hint"] and not problem["code"].startswith("http-"), problem
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["code"]


@each(PRIVATE)
async def test_nobody_is_asked_to_sign_in(world: World, asked: Operation) -> None:
    told = refused(await world.ask("nobody", asked, ids_for(world, asked)))
    assert told in ((401, "sign-in-needed"), (401, ""))


@each([one for one in operations() if one.name in PUBLIC])
async def test_what_is_public_asks_nobody_to_sign_in(world: World, asked: Operation) -> None:
    answer = await world.ask("nobody", asked, ids_for(world, asked))
    assert "sign-in-needed" not in answer.text
    assert answer.status_code != 403 and answer.status_code < 500, answer.text


@each(OF_SOMEBODY)
async def test_strangers_cannot_tell_what_is_there_from_what_is_not(
    world: World, asked: Operation
) -> None:
    for who in STRANGERS:
        told = refused(await world.ask(who, asked, ids_for(world, asked)))
        if asked.name in TELL_AN_ID_IS_TAKEN and told[0] != 403:
            assert told == (409, "id-reused"), who
            continue
        assert told[0] in (403, 404), (who, told)
        assert told == refused(await world.ask(who, asked, {})), who


@each(READ_BY_ID)
async def test_those_whose_things_they_are_read_them(world: World, asked: Operation) -> None:
    ids = ids_for(world, asked)
    told = [(await world.ask(who, asked, ids)).status_code for who in INSIDERS]
    assert 200 in told, told


@each([one for one in operations() if one.method in ("put", "post", "patch", "delete")])
async def test_garbage_is_refused_and_breaks_nothing(world: World, asked: Operation) -> None:
    headers = {**asked.headers(), "Content-Type": "application/json"}
    for name, content in GARBAGE.items():
        told = refused(
            await world.clients["holder"].request(
                asked.method.upper(), asked.address({}), content=content, headers=headers
            )
        )
        if asked.takes_json and name in MALFORMED:
            assert told == (400, "malformed"), name
        if asked.takes_json and name == "long":
            assert told == (413, "body-too-large")


@each([one for one in operations() if one.has_id and one.method != "head"])
async def test_what_is_no_id_is_refused(world: World, asked: Operation) -> None:
    name = re.findall(r"\{(\w+)\}", asked.path)[0]
    for odd in ("1", "%00", "..%2f..%2fme", "x" * 5000, "%F0%9F%98%80"):
        refused(await world.ask("holder", asked, {name: odd}))


@each(LISTS)
async def test_odd_limits_and_cursors_are_refused(world: World, asked: Operation) -> None:
    for query in ("limit=0", "limit=-1", "limit=1e9", "limit=99999999999999999999", "after=%00x"):
        answer = await world.clients["auditor"].get(f"{asked.address(world.ids)}?{query}")
        assert refused(answer) == (422, "invalid-content"), query


@each([one for one in operations() if one.path.startswith("/v1/")])
async def test_another_method_is_refused_with_those_that_fit(
    world: World, asked: Operation
) -> None:
    answer = await world.clients["holder"].request("PROPFIND", asked.address({}))
    assert refused(answer) == (405, "method-not-allowed")
    assert answer.headers["allow"]
