"""Every operation of the HTTP contract, asked by nobody, by strangers, and with garbage."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agreements import queries as agreement_queries
from contracts.money import Money
from contracts.parties.tables import Party
from contracts.works import queries as works
from exchange import clock, keys, openapi
from exchange.app import create_app
from exchange.context import Context
from listings.admissions.tables import AdmissionRow
from listings.auctions import ending
from listings.auctions import service as bidding
from listings.catalogue.tables import Listing
from listings.disclosures import service as disclosures
from listings.incidents import service as incidents
from listings.screeners import service as screeners
from listings.screens import service as screens
from listings.sealed import keys as sealed_keys
from settlement.deposits import service as deposits
from settlement.deposits.rules import Terms as DepositTerms
from settlement.fees import gateway as fees
from tests.contracts import avails_factory
from tests.contracts.encumbrances_factory import declared, terms
from tests.contracts.log_factory import seal_all
from tests.exchange import agreements_factory, documents_factory, uploads_factory
from tests.exchange.evidence_factory import Trade, settled_trade
from tests.exchange.identity_factory import signed_client
from tests.listings import disclosures_factory
from tests.listings.bundles_factory import open_packages
from tests.listings.catalogue_factory import drafted_listing, published_listing
from tests.listings.offers_factory import negotiated
from tests.listings.recognition_factory import declared_of_another
from tests.listings.sealed_factory import ceremony_of
from tests.settlement import (
    bank_factory,
    batches_factory,
    fapiao_factory,
    orders_factory,
    pledges_factory,
    redletters_factory,
    returns_factory,
    sweeps_factory,
    withholding_factory,
)

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
STRANGERS = ("holder", "broadcaster")
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


async def files_of_a_work(licensor: httpx.AsyncClient, work_id: str) -> dict[str, str]:
    """An asset and a package of the work, by the names that paths give them."""
    asset_id, package_id = str(uuid4()), str(uuid4())
    file_id = str(
        await uploads_factory.upload(licensor, b"a part", purpose="asset", work_id=work_id)
    )
    said = {"file_id": file_id, "kind": "other", "label": "notes"}
    asset = await licensor.put(f"/v1/works/{work_id}/assets/{asset_id}", json=said)
    files = {"files": {"ASSETMAP.xml": file_id}}
    package = await licensor.put(f"/v1/works/{work_id}/packages/{package_id}", json=files)
    assert (asset.status_code, package.status_code) == (201, 201), (asset.text, package.text)
    return {"asset_id": asset_id, "package_id": package_id}


async def screener_of(
    context: Context, licensor: httpx.AsyncClient, master_id: str
) -> dict[str, str]:
    """A screener that is being watched, by the names that paths give it."""
    for name in ("poster.jpg", "sheet.jpg", "proxy.mp4"):
        context.objects.put(f"derived/{master_id}/{name}", b"taken from the master")
    where = f"/v1/masters/{master_id}/screeners/{uuid4()}"
    ends = (clock.now() + timedelta(days=1)).isoformat()
    given = await licensor.put(where, json={"viewer": "示范台", "expires_at": ends})
    assert given.status_code == 201, given.text
    screener_id, secret = given.json()["id"], given.json()["link"].rsplit("/", 1)[1]
    context.objects.put(f"derived/{master_id}/screeners/{screener_id}.mp4", b"a film")
    async with context.db.transaction() as session:
        await screeners.made(session, UUID(screener_id), good=True)
    viewing = await licensor.post(f"/v1/screeners/{secret}/viewings")
    return {"screener_id": screener_id, "secret": secret, "viewing_id": viewing.json()["id"]}


async def open_clients(
    stack: AsyncExitStack, context: Context, trade: Trade
) -> dict[str, httpx.AsyncClient]:
    async def client(role: str, of: Party | None = None) -> httpx.AsyncClient:
        opened, _ = await stack.enter_async_context(signed_client(context, role=role, of=of))
        return opened

    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    nobody = httpx.AsyncClient(transport=transport, base_url="http://exchange.test")
    return {
        "nobody": await stack.enter_async_context(nobody),
        "licensor": await client("holder", trade.licensor),
        "licensee": await client("broadcaster", trade.licensee),
        "auditor": await client("auditor"),
        **{role: await client(role) for role in STRANGERS},
    }


async def ids_of(context: Context, session: AsyncSession, trade: Trade) -> dict[str, str]:
    """The ids of everything that belongs to the trade, by the names that paths give them."""
    now, deal = clock.now(), {"deal": trade.deal.id}

    async def one(query: str) -> str:
        return str((await session.execute(text(query), deal)).scalars().first())

    published = await published_listing(session, seller=trade.licensor, now=now)
    await sealed_keys.register(
        session, published.auction_id, ceremony_of(published.auction_id).wire,
        party_id=trade.licensor.id, now=now,
    )  # fmt: skip
    over = await published_listing(session, seller=trade.licensor, now=now)
    await ending.close(session, await bidding.locked(session, over.auction_id), now=now)
    packages = await open_packages(session, seller_id=trade.licensor.id, now=now)
    pledged = await applicant(session, published.auction_id, trade)
    draft = await drafted_listing(session, seller=trade.licensor, now=now)
    work = await works.get_work(session, trade.deal.work_id)
    elsewhere = terms(territories=["JP"])
    encumbrance = await declared(session, work, trade.licensor, wire=elsewhere)
    declaration = await declared_of_another(session, draft.master_id, now=now)
    offers = await negotiated(
        session, published, licensor=trade.licensor, licensee=trade.licensee, now=now
    )
    incident = await noticed(session, draft, over.auction_id, now=now)
    banked = await bank_factory.files_of_a_bank(session, now=now)
    payment_id = await one(
        "SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id WHERE i.deal_id = :deal"
    )
    returned = await returns_factory.of_a_payment(session, UUID(payment_id), now=now)
    held = await batches_factory.of_one(session, now=now)
    returned |= await fapiao_factory.of_a_deal(session, trade.deal.id, now=now)
    returned |= await redletters_factory.of_a_claim(session, trade.deal.id, now=now)
    held |= await orders_factory.of_one(session, now=now)
    held |= await sweeps_factory.of_one(session, now=now)
    held |= await withholding_factory.of_one(session, now=now)
    return {
        **banked,
        **held,
        **pledged,
        **returned,
        **offers,
        "incident_id": incident,
        "encumbrance_id": str(encumbrance.id),
        "declaration_id": str(declaration.id),
        "deal_id": str(trade.deal.id),
        "work_id": str(trade.deal.work_id),
        "party_id": str(trade.licensor.id),
        "depositor": str(trade.licensee.id),
        "code": f"receivable:{trade.licensee.id}:CNY",
        "event": "first-broadcast",
        "auction_id": str(published.auction_id),
        "closed_auction": str(over.auction_id),
        "package_auction": str(packages.id),
        "sold_auction": await one("SELECT auction_id FROM deal WHERE id = :deal"),
        "won_bid": await one(
            "SELECT a.leading_bid FROM auction a JOIN deal d ON d.auction_id = a.id "
            "WHERE d.id = :deal"
        ),
        "listing_id": str(draft.id),
        "offered_work": str(published.work_id),
        "master_id": str(draft.master_id),
        "grant_id": await one("SELECT id FROM rights_grant WHERE deal_id = :deal"),
        "fact_id": await one("SELECT id FROM fact WHERE subject = :deal"),
        "invoice_id": await one("SELECT id FROM invoice WHERE deal_id = :deal"),
        "payout_id": await one("SELECT id FROM payout WHERE deal_id = :deal"),
        "session_id": await one("SELECT id FROM signing_session WHERE deal_id = :deal"),
        **await agreed(context, session, trade),
        "payment_id": await one(
            "SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id "
            "WHERE i.deal_id = :deal"
        ),
        "key_id": await one(
            "SELECT k.id FROM party_key k JOIN deal d ON d.licensor_id = k.party_id "
            "WHERE d.id = :deal"
        ),
    }


async def noticed(session: AsyncSession, draft: Listing, auction_id: UUID, *, now: datetime) -> str:
    """A filed disclosure, a declared owner, and a proposed incident, by the last one's id."""
    await disclosures_factory.filed(session, draft, now=now)
    await disclosures.declare_ownership(
        session, draft.party_id, ownership="state", threshold_minor=None, person_id=uuid4(),
        by_exchange=True, now=now,
    )  # fmt: skip
    await screens.run(session, now=now)
    paddle = incidents.Measure("default", "不签约", paddle=1)
    over = await bidding.locked(session, auction_id)
    over.result = over.result or b"{}"
    made, _ = await incidents.report(
        session, uuid4(), auction_id=auction_id, measure=paddle, person_id=uuid4(), now=now
    )
    return str(made.id)


async def agreed(context: Context, session: AsyncSession, trade: Trade) -> dict[str, str]:
    """The licensee's deposit agreement, signed and in the log once that is sealed."""
    now = clock.now()
    auction = await agreements_factory.asking_auction(session, seller=trade.licensor, now=now)
    made = await agreements_factory.signed(context, session, auction, trade.licensee, now=now)
    [begun] = await agreement_queries.completed_sessions(session, made.id)
    return {"agreement_id": str(made.id), "agreement_session": str(begun.id)}


async def applicant(session: AsyncSession, auction_id: UUID, trade: Trade) -> dict[str, str]:
    """The licensee has applied, was asked for a deposit, and gave a card and a letter for it."""
    session.add(AdmissionRow(auction_id=auction_id, party_id=trade.licensee.id, state="applied"))
    terms_ = DepositTerms(
        auction_id=auction_id, party_id=trade.licensee.id, seller_id=trade.licensor.id,
        required=Money(1, "CNY"), until=None, forfeits=(), modes=("charge", "guarantee"),
        ends_by=clock.now(), guarantee_days=1,
    )  # fmt: skip
    await deposits.require(session, terms_, now=clock.now())
    return await pledges_factory.of_a_deposit(
        session, auction_id, trade.licensee.id, now=clock.now()
    )


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
