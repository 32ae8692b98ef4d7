"""Bids under seal stay unread until the opening, and staff are told what is waited for."""

import re
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.money import Money
from contracts.refusal import Refusal
from exchange import deposit_verbs
from exchange.context import Context
from exchange.db import Database
from listings.sealed import commitment
from settlement.deposits import service as deposits
from settlement.deposits.rules import Terms
from settlement.deposits.tables import DepositReceipt
from tests.conftest import NOW
from tests.exchange.identity_factory import PASSWORD, signed_client
from tests.exchange.portal_site import served
from tests.listings import admissions_factory
from tests.listings.auctions_factory import enrol
from tests.listings.sealed_factory import Room, ceremony_of, garbage, opened_room, prepared


async def test_what_was_handed_in_is_never_changed_or_taken_away(session: AsyncSession) -> None:
    room = await opened_room(session)
    sealed = room.sealed(room.bidders[0], 150_000)
    bid_id = await room.send(room.bidders[0], sealed.content)
    await room.close()
    await room.hand_in("seller")
    await room.reveal(
        room.bidders[0], bid_id, {"amount_minor": 150_000, "currency": "CNY"}, sealed.nonce
    )
    for table in ("sealed_key", "sealed_acknowledgement", "sealed_share", "sealed_reveal"):
        for change in ("DELETE FROM", "UPDATE"):
            sets = " SET auction_id = auction_id" if change == "UPDATE" else ""
            with pytest.raises(DBAPIError):
                async with session.begin_nested():
                    await session.execute(text(f"{change} {table}{sets}"))


def forms(amount_minor: int) -> list[str]:
    """Every way an amount is likely to be written down: digits, decimals, groups, hex, base64."""
    yuan = f"{amount_minor // 100}.{amount_minor % 100:02}"
    grouped = f"{amount_minor // 100:,}.{amount_minor % 100:02}"
    as_json = canonical.dumps({"amount_minor": amount_minor})[1:-1]
    digits = str(amount_minor).encode()
    encoded = {
        commitment.encoded(b"x" * shift + digits)[4:12] for shift in range(3)
    }  # whatever stands before it
    return [
        str(amount_minor), yuan, grouped, f"{amount_minor:x}", digits.hex(), as_json.hex(),
        amount_minor.to_bytes(8).hex(), *encoded,
    ]  # fmt: skip


async def dumped(session: AsyncSession) -> str:
    """Everything in the database, as its owner reads it: each row of each table as text."""
    await session.execute(text("RESET ROLE"))
    tables = await session.execute(
        text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    )
    rows = []
    for table in tables.scalars().all():
        found = await session.execute(text(f'SELECT t::text FROM "{table}" t'))
        rows += found.scalars().all()
    await session.execute(text("SET ROLE exchange_app"))
    return "\n".join(rows)


async def test_invariant_21_no_amount_can_be_read_in_the_whole_database_before_the_opening(
    session: AsyncSession,
) -> None:
    room = await opened_room(session)
    amounts = (8_675_309_417, 7_318_529_463, 9_241_753_886)
    for who, amount in zip(room.bidders, amounts, strict=True):
        await room.bid(who, amount)
    clear = {"amount_minor": amounts[0], "currency": "CNY"}
    stranger = (await enrol(session, now=NOW, state="registered")).id
    for who in (room.bidders[0], stranger):  # a mistake: the amount is sent in clear
        with pytest.raises(Refusal):
            await room.send(who, clear)
    with pytest.raises(Refusal):
        await room.send(room.bidders[0], {**room.sealed(room.bidders[0], 5).content, **clear})
    looked_for = [form for amount in amounts for form in forms(amount)]
    open_ = await dumped(session)
    assert str(room.auction.id) in open_
    assert [form for form in looked_for if form in open_] == []
    await room.close()
    await room.hand_in("seller")
    closed = await dumped(session)
    assert [form for form in looked_for if form in closed] == []
    await room.hand_in("auditor")
    opened = await dumped(session)
    hexed = [canonical.dumps({"amount_minor": amount})[1:-1].hex() for amount in amounts]
    assert all(form in opened for form in hexed)  # the search does find what is there


async def test_an_outsider_reads_the_same_bytes_with_no_bid_and_with_five(
    db: Database, client: httpx.AsyncClient
) -> None:
    async with db.transaction() as session:
        room = await opened_room(session, bidders=5)
    path = f"/v1/auctions/{room.auction.id}/opening"
    before = (await client.get(path)).content
    async with db.transaction() as session:
        room.session = session
        for who in room.bidders:
            await room.bid(who, 150_000)
    after = (await client.get(path)).content
    assert before == after
    assert b'"state":"sealed"' in after


@pytest.mark.parametrize("named", [True, False])
async def test_staff_are_told_whose_bid_did_not_open_where_the_notice_forfeits_for_that(
    context: Context, db: Database, named: bool
) -> None:
    async with db.transaction() as session:
        forfeits = ("seal-not-opened",) if named else ("collusion",)
        room = await opened_room(session, bidders=2, forfeits=list(forfeits))
        good, failed = room.bidders
        await held(session, room, failed, forfeits)
        await room.bid(good, 170_000)
        await room.send(failed, garbage(room))
        await room.close()
        await room.hand_in("seller")
        await room.hand_in("auditor")
        fact: Any = SimpleNamespace(record={"auction": str(room.auction.id)})
        await deposit_verbs.free_deposits(context, session, fact, NOW)
    async with signed_client(context, role="operator") as (_, who), served(context) as site:
        page = await signed_in(site, who.email)
    [row] = re.findall(rf"(?s)<tr>(?:(?!<tr>).)*{failed}.*?</tr>", page)
    assert ("sealed bid did not open" in row) == named
    assert ("Give a deposit back" in row) != named


async def held(session: AsyncSession, room: Room, party: UUID, forfeits: tuple[str, ...]) -> None:
    """A deposit that the bank credited."""
    terms = Terms(room.auction.id, party, room.seller, Money(5_000, "CNY"), None, forfeits)
    await deposits.require(session, terms, now=NOW)
    by = await admissions_factory.staff(session, now=NOW)
    receipt = DepositReceipt(
        id=ids.new(NOW), auction_id=room.auction.id, party_id=party, amount_minor=5_000,
        reference=f"BANK {party}", credited_at=NOW, recorded_by=by, recorded_at=NOW,
    )  # fmt: skip
    await deposits.receive(session, receipt, currency="CNY")


async def signed_in(site: str, email: str) -> str:
    """The queue as a person of the staff sees it."""
    async with httpx.AsyncClient(base_url=site, follow_redirects=True) as browser:
        await browser.post("/sign-in", data={"email": email, "password": PASSWORD})
        return (await browser.get("/console?lang=en")).text


async def test_staff_are_told_which_shares_are_waited_for(context: Context, db: Database) -> None:
    come = ceremony_of(ids.new(NOW))
    async with db.transaction() as session:
        room = await opened_room(session, bidders=1)
        await prepared(session, come, room.seller, holders=("exchange",))
        await room.bid(room.bidders[0], 170_000)
        await room.close()
        await room.hand_in("exchange")
    async with signed_client(context, role="auditor") as (_, who), served(context) as site:
        page = await signed_in(site, who.email)
    for auction, label in (
        (come.opening.auction, "Acknowledge the share"),
        (room.auction.id, "Hand in the share"),
    ):
        [row] = re.findall(rf"<tr>(?:(?!<tr>).)*{auction}.*?</tr>", page, re.DOTALL)
        assert label in row
        assert "Auditor" in row  # the exchange's own was shown, and handed in, before
    async with db.transaction() as session:
        room.session = session
        await room.hand_in("auditor")
    async with signed_client(context, role="auditor") as (_, who), served(context) as site:
        assert str(room.auction.id) not in await signed_in(site, who.email)
