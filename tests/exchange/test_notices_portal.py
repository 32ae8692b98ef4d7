"""Disclosures, incidents and screens as people use them: pages, forms, and what they read."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts import calendar, rfc3339
from contracts.parties.tables import Party
from exchange import clock, notice_verbs
from exchange.app import create_app
from exchange.context import Context
from listings.auctions import ending
from listings.auctions import queries as auctions
from listings.auctions import service as bidding
from listings.auctions.tables import Outage
from listings.catalogue.tables import Listing
from listings.disclosures import queries as disclosures
from listings.disclosures import service as disclosing
from listings.incidents import service as incidents
from listings.screens import queries as screens
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person, signed_client
from tests.listings import screens_study
from tests.listings.auctions_factory import bid, enrol
from tests.listings.catalogue_factory import drafted_listing, published_listing

HTML = {"Accept": "text/html", "Accept-Language": "en"}
FLOOR = 80_000_000
FILED = {
    "subject": "licence", "currency": "CNY", "assessed": "800000", "assessed_on": "2026-09-30",
    "assessor": "示范资产评估有限公司", "assessment_no": "评备字〔2026〕第0018号",
    "approving_body": "示范广播电视集团", "decision_no": "集团会纪〔2026〕31号",
    "summary": "4K纪录片信息网络传播权。", "extension_days": "5",
}  # fmt: skip


@asynccontextmanager
async def signed_in(
    context: Context, role: str, of: Party | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of a new person; every form carries its token."""
    async with context.db.transaction() as session:
        home = of or await party(session, now=clock.now())
        who = await person(session, party_id=home.id, role=role, now=clock.now())
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://exchange.test", headers=HTML
    ) as client:
        await client.post("/sign-in", data={"email": who.email, "password": PASSWORD})
        yield client


async def send(client: httpx.AsyncClient, page: str, to: str, **fields: str) -> httpx.Response:
    """Send a form with the token and the hidden ids of the page that shows it."""
    shown = (await client.get(page)).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown))
    return await client.post(to, data={**hidden, **fields})


async def draft(context: Context) -> tuple[Party, Listing]:
    now = clock.now()
    start = calendar.end_of(calendar.add_working_days(calendar.day_of(now), 5))
    async with context.db.transaction() as session:
        seller = await party(session, now=now)
        listing = await drafted_listing(
            session, seller=seller, now=now, floor_minor=FLOOR,
            opens_at=rfc3339.exact(start), closes_at=rfc3339.exact(start + timedelta(hours=1)),
            hard_stop_at=rfc3339.exact(start + timedelta(hours=2)),
        )  # fmt: skip
    return seller, listing


async def test_a_seller_files_the_staff_accepts_and_everybody_reads_the_notice(
    context: Context, client: httpx.AsyncClient
) -> None:
    seller, listing = await draft(context)
    at = f"/listings/{listing.id}/disclosure"
    async with (
        signed_in(context, "holder", seller) as holder,
        signed_in(context, "operator") as staff,
    ):
        owned = await send(holder, at, f"{at}/ownership", ownership="state", threshold="500000")
        assert owned.status_code == 303, owned.text
        early = await send(holder, f"/listings/{listing.id}", f"/listings/{listing.id}/publication")
        assert early.status_code == 409
        assert "A sale by a state-owned seller is disclosed first" in early.text
        filed = await send(holder, at, at, **FILED)
        assert filed.status_code == 303, filed.text
        assert (await client.get(at, headers=HTML)).status_code == 404
        assert "Review a disclosure" in (await staff.get("/console")).text
        assert at in (await staff.get("/console/disclosures")).text
        said = await send(staff, at, f"{at}/review", outcome="accepted")
        assert said.status_code == 303, said.text
        out = await send(holder, f"/listings/{listing.id}", f"/listings/{listing.id}/publication")
        assert out.status_code == 303, out.text
        assert "Change its course" in (await staff.get(at)).text
    page = await client.get(at, headers=HTML)
    assert "示范资产评估有限公司" in page.text
    assert "after 5 working days" in page.text
    board = await client.get("/disclosures", headers=HTML)
    assert at in board.text


async def test_a_floor_below_the_assessed_value_is_refused_in_words(context: Context) -> None:
    seller, listing = await draft(context)
    at = f"/listings/{listing.id}/disclosure"
    async with signed_in(context, "holder", seller) as holder:
        no = await send(holder, at, at, **{**FILED, "assessed": "900000"})
    assert no.status_code == 409
    assert "nothing is offered below its assessed value" in no.text


async def test_the_result_page_names_target_value_floor_and_price(
    context: Context, client: httpx.AsyncClient
) -> None:
    seller, listing = await draft(context)
    now = clock.now()
    at = f"/listings/{listing.id}/disclosure"
    async with (
        signed_in(context, "holder", seller) as holder,
        signed_in(context, "operator") as staff,
    ):
        await send(holder, at, at, **FILED)
        await send(staff, at, f"{at}/review", outcome="accepted")
        await send(holder, f"/listings/{listing.id}", f"/listings/{listing.id}/publication")
    async with context.db.transaction() as session:
        await disclosing.conclude(session, listing.id, bidders=2, sold=True, now=now)
        await disclosing.publicise(session, listing.id, price_minor=FLOOR + 1_00, now=now)
    text = (await client.get(at, headers=HTML)).text
    for words in ("Result of the sale", "CN¥800,000.00", "CN¥800,001.00", "Competitive bidding"):
        assert words in text
    found = (await client.get(f"/v1/listings/{listing.id}/disclosure")).json()
    assert (found["state"], found["price_minor"]) == ("publicised", FLOOR + 1_00)


async def auction_with_bids(context: Context) -> tuple[UUID, UUID]:
    now = clock.now()
    async with context.db.transaction() as session:
        seller = await party(session, now=now)
        listing = await published_listing(session, seller=seller, now=now)
        auction = await bidding.locked(session, listing.auction_id)
        for amount in (100_000, 120_000):
            await bid(session, auction, (await enrol(session, now=now)).id, amount, now=now)
    return listing.id, listing.auction_id


async def test_staff_pauses_at_once_and_two_of_them_bid_anew(
    context: Context, client: httpx.AsyncClient
) -> None:
    _, auction_id = await auction_with_bids(context)
    at = "/console/incidents"
    async with signed_in(context, "operator") as one, signed_in(context, "approver") as two:
        about = {"auction_id": str(auction_id)}
        paused = await send(one, at, at, **about, kind="pause", reason="时钟异常")
        assert paused.status_code == 303, paused.text
        told = (await client.get(f"/v1/auctions/{auction_id}/incidents")).json()
        assert [moment["kind"] for moment in told["items"]] == ["paused"]
        rebid = await send(
            one, at, at, **about, kind="rebid", reason="重新报价",
            opens_at="2026-12-20T10:00", closes_at="2026-12-20T11:00",
            hard_stop_at="2026-12-20T12:00",
        )  # fmt: skip
        assert rebid.status_code == 303, rebid.text
        waiting = re.findall(rf"{at}/([0-9a-f-]+)/decision", (await one.get(at)).text)
        assert (
            await send(one, at, f"{at}/{waiting[0]}/decision", outcome="done")
        ).status_code == 403
        done = await send(two, at, f"{at}/{waiting[0]}/decision", outcome="done")
        assert done.status_code == 303, done.text
    told = (await client.get(f"/v1/auctions/{auction_id}/incidents")).json()
    assert [moment["kind"] for moment in told["items"]] == ["paused", "voided"]
    made = (await client.get(f"/v1/auctions/{told['successor']}/incidents")).json()
    assert made["supersedes"] == str(auction_id)


async def test_outages_and_the_closes_moved_for_them_are_on_the_staffs_page(
    context: Context,
) -> None:
    _, auction_id = await auction_with_bids(context)
    async with context.db.transaction() as session:
        auction = await bidding.locked(session, auction_id)
        began, over = auction.closes_at - timedelta(seconds=9), auction.closes_at
        session.add(Outage(id=uuid4(), began_at=began, ended_at=over))
        later = rfc3339.exact(over + timedelta(minutes=5))
        stop = rfc3339.exact(over + timedelta(hours=1))
        body = {"reason": "outage", "closes_at": later, "hard_stop_at": stop}
        await bidding.append(session, auction, "extended", body, at=over)
    async with signed_in(context, "auditor") as staff:
        text = (await staff.get("/console/incidents")).text
        assert "Outages" in text
        assert over.isoformat() in text
        page = (await staff.get(f"/auctions/{auction_id}")).text
        assert "the exchange could not be reached" in page


async def test_a_void_auction_without_a_successor_frees_the_rights(context: Context) -> None:
    listing_id, auction_id = await auction_with_bids(context)
    async with context.db.transaction() as session:
        auction = await bidding.locked(session, auction_id)
        await incidents.void(session, auction, reason="权属争议", now=clock.now())
    record = {"listing": str(listing_id), "successor": None}
    await react(context, notice_verbs.end_voided, record)
    async with context.db.transaction() as session:
        listing = await session.get(Listing, listing_id)
        assert listing and listing.state == "unsold"


async def test_the_close_concludes_a_disclosure_by_the_number_of_its_bidders(
    context: Context,
) -> None:
    seller, listing = await draft(context)
    now = clock.now()
    at = f"/listings/{listing.id}/disclosure"
    async with (
        signed_in(context, "holder", seller) as holder,
        signed_in(context, "operator") as staff,
    ):
        await send(holder, at, at, **FILED)
        await send(staff, at, f"{at}/review", outcome="accepted")
        await send(holder, f"/listings/{listing.id}", f"/listings/{listing.id}/publication")
    async with context.db.transaction() as session:
        auction = await bidding.locked(session, listing.auction_id)
        alone = await enrol(session, now=now)
        await bid(session, auction, alone.id, FLOOR, now=auction.opens_at + timedelta(minutes=1))
        await ending.close(session, auction, now=auction.closes_at)
    record = {"auction": str(listing.auction_id), "listing": str(listing.id), "sold": True}
    await react(context, notice_verbs.conclude_disclosure, record)
    async with context.db.transaction() as session:
        row = await disclosures.find_disclosure(session, listing.id)
        assert row and (row.state, row.basis) == ("decided", "agreement")


async def react(context: Context, verb: Any, record: dict[str, Any]) -> None:
    """Run a reaction as the worker does, on a fact of which it reads the record alone."""

    class Told:
        def __init__(self) -> None:
            self.record = record

    async with context.db.transaction() as session:
        await verb(context, session, Told(), clock.now())


async def test_the_screens_show_leads_with_their_power_to_the_staff_alone(
    context: Context, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = screens_study.open_market(1, shill=True) + screens_study.sealed_market(1, ring=True)
    names: dict[str, str] = {}

    def named(text: str) -> str:
        return names.setdefault(text, str(uuid4()))

    known = [
        replace(
            one, auction=str(uuid4()), seller=named(one.seller), winner=named(one.winner or ""),
            bids=tuple(replace(each, party=named(each.party)) for each in one.bids),
        )
        for one in held
    ]  # fmt: skip

    async def given(_session: Any) -> Any:
        return known

    monkeypatch.setattr(screens, "held", given)
    assert (await client.get("/v1/screens")).status_code == 401
    async with signed_in(context, "operator") as staff:
        assert (await send(staff, "/console/screens", "/console/screens")).status_code == 303
        text = (await staff.get("/console/screens")).text
        for words in ("Leads, not verdicts", "Shill score", "Ticino", "100", "11", "Look at it"):
            assert words in text
        file = await staff.get("/console/screens/findings.json")
        assert any(one["is_lead"] for one in file.json()["findings"])
        chinese = await staff.get("/console/screens", headers={"Accept-Language": "zh-CN"})
        assert "这些只是线索，不是结论" in chinese.text


async def test_what_has_been_bid_is_read_as_the_screens_know_it(context: Context) -> None:
    _, auction_id = await auction_with_bids(context)
    async with context.db.transaction() as session:
        auction = await bidding.locked(session, auction_id)
        await ending.close(session, auction, now=auction.closes_at)
    async with context.db.transaction() as session:
        (held,) = [one for one in await screens.held(session) if one.auction == str(auction_id)]
        row = await auctions.get_auction(session, auction_id)
    assert held.is_open
    assert held.seller == str(row.seller_id)
    assert [bid.amount_minor for bid in held.bids] == [100_000, 120_000]
    assert held.winner == held.bids[-1].party
    assert held.bids[0].at_ms == 0


async def test_only_staff_takes_measures(context: Context) -> None:
    _, auction_id = await auction_with_bids(context)
    for role in ("holder", "broadcaster", "approver", "auditor"):
        async with signed_client(context, role=role) as (asked, _):
            where = f"/v1/auctions/{auction_id}/incidents/{uuid4()}"
            no = await asked.put(where, json={"kind": "pause", "reason": "试"})
            assert no.status_code == 403, role
