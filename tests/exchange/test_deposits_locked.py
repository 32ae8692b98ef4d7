"""Deposits that a file shows and that somebody types at once: one order of locks, no deadlock.

Each of these waits at the worst place until the other one is blocked, or has gone by it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from listings.admissions import applying
from listings.admissions.tables import AdmissionRow
from settlement.collecting import rules as references
from settlement.deposits import queries, rules, service, wiring
from settlement.deposits.rules import Terms
from settlement.deposits.tables import DepositReceipt
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import signed_client
from tests.listings.catalogue_factory import published_listing
from tests.settlement.bank_factory import Bank, followed, staff

Result = TypeVar("Result")
ASKED = 90_000
PATIENCE_S, LOOK_EACH_S = 20, 0.02


@dataclass(frozen=True)
class Bidder:
    """Who applied for an auction, has its papers accepted, and owes its deposit."""

    auction_id: UUID
    party_id: UUID

    @property
    def reference(self) -> str:
        return references.spaced(references.of_deposit(self.auction_id, self.party_id))


async def bidder(session: AsyncSession, *, now: datetime) -> Bidder:
    seller = await party(session, now=now)
    listing = await published_listing(session, seller=seller, now=now)
    whose = await party(session, kind="broadcaster", now=now)
    admission = AdmissionRow(auction_id=listing.auction_id, party_id=whose.id, state="applied")
    admission.papers_checked_by, admission.papers_checked_at = await staff(session), now
    session.add(admission)
    terms = Terms(
        auction_id=listing.auction_id, party_id=whose.id, seller_id=seller.id,
        required=Money(ASKED, "EUR"), until=None, forfeits=(),
    )  # fmt: skip
    await service.require(session, terms, now=now)
    return Bidder(listing.auction_id, whose.id)


async def world(db: Database, bidders: int, banks: int) -> tuple[list[Bidder], list[Bank]]:
    async with db.transaction() as session:
        made = [await bidder(session, now=clock.now()) for _ in range(bidders)]
        return made, [Bank(await followed(session)) for _ in range(banks)]


async def is_blocked(db: Database) -> bool:
    """Whether a transaction waits for another one's lock."""
    async with db.sessions() as session:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return bool(await session.scalar(text(waiting)))


def halting(
    monkeypatch: pytest.MonkeyPatch, db: Database, module: Any, name: str, *, after: bool
) -> asyncio.Event:
    """Halt each that calls a verb, before or after it, until another halts there or is blocked.

    The event that is returned is set once somebody halts.
    """
    verb: Callable[..., Awaitable[Any]] = getattr(module, name)
    first, second = asyncio.Event(), asyncio.Event()

    async def halt() -> None:
        if first.is_set():
            second.set()
            return
        first.set()
        async with asyncio.timeout(PATIENCE_S):
            while not (second.is_set() or await is_blocked(db)):
                with suppress(TimeoutError):
                    await asyncio.wait_for(second.wait(), LOOK_EACH_S)

    async def halted(*args: Any, **more: Any) -> Any:
        if not after:
            await halt()
        done = await verb(*args, **more)
        if after:
            await halt()
        return done

    monkeypatch.setattr(module, name, halted)
    return first


async def typed(db: Database, one: Bidder) -> str | None:
    """Type a receipt by hand; the code of a refusal, if there is one."""
    now = clock.now()
    async with db.transaction() as session:
        receipt = DepositReceipt(
            id=ids.new(now), auction_id=one.auction_id, party_id=one.party_id,
            amount_minor=ASKED, reference=f"typed-{one.party_id}", credited_at=now,
            recorded_by=await staff(session), recorded_at=now,
        )  # fmt: skip
        try:
            await applying.receive_deposit(session, receipt, currency="EUR", now=now)
        except rules.DepositElsewhere as elsewhere:
            return elsewhere.code
    return None


async def imported(client: httpx.AsyncClient, bank: Bank, *whose: Bidder) -> dict[str, Any]:
    for one in whose:
        bank.line(ASKED, text=one.reference)
    answer = await client.post("/v1/bank/statements", content=bank.statement(0))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def stands(db: Database, one: Bidder) -> tuple[str, int]:
    """How a bidder stands, and what is held of its deposit."""
    async with db.sessions() as session:
        row = await session.get(AdmissionRow, (one.auction_id, one.party_id))
        deposit = await queries.find_deposit(session, one.auction_id, one.party_id)
    assert row is not None and deposit is not None
    return row.state, deposit.held_minor


async def after(halted: asyncio.Event, act: Coroutine[Any, Any, Result]) -> Result:
    """Act once somebody has halted."""
    async with asyncio.timeout(PATIENCE_S):
        await halted.wait()
    return await act


async def test_a_receipt_is_typed_while_a_file_shows_the_same_deposit(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The typist has the auction; who imports must not have the deposit by then."""
    db = context.db
    [one], [bank] = await world(db, 1, 1)
    halts = halting(monkeypatch, db, applying.deposits, "receive", after=False)
    async with signed_client(context, role="operator") as (client, _):
        refusal, told = await asyncio.gather(
            typed(db, one), after(halts, imported(client, bank, one))
        )
    assert refusal is None
    assert (told["matched"], told["suspended"]) == (0, 1)  # money for it lies elsewhere by now
    assert await stands(db, one) == ("admitted", ASKED)


async def test_a_file_shows_a_deposit_while_somebody_types_a_receipt_for_it(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who imports has the deposit; the typist must not have the auction by then."""
    db = context.db
    [one], [bank] = await world(db, 1, 1)
    halts = halting(monkeypatch, db, wiring, "receive_wire", after=True)

    async with signed_client(context, role="operator") as (client, _):
        told, refusal = await asyncio.gather(
            imported(client, bank, one), after(halts, typed(db, one))
        )
    assert (told["matched"], refusal) == (1, "deposit-elsewhere")
    assert await stands(db, one) == ("admitted", ASKED)


async def test_two_files_show_the_same_two_deposits_the_other_way_round(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = context.db
    whose, banks = await world(db, 2, 2)
    halting(monkeypatch, db, wiring, "receive_wire", after=True)
    async with signed_client(context, role="operator") as (client, _):
        told = await asyncio.gather(
            imported(client, banks[0], *whose), imported(client, banks[1], *whose[::-1])
        )
    assert sorted(one["matched"] for one in told) == [0, 2]
    assert [await stands(db, one) for one in whose] == [("admitted", ASKED)] * 2
