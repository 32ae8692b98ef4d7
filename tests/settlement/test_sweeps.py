"""Sweeps: only what is free, by two people, once; every yuan on its way has a name."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts import ids
from contracts.money import Money, WrongCurrency
from contracts.refusal import IdReused
from exchange.db import Database
from settlement.approvals.rules import AlreadyDecided, ContentChanged, Decision, SamePerson
from settlement.ledger import queries as books
from settlement.outbound.rules import CREATE_PAYOUT, Lost
from settlement.reconciliation import releasing
from settlement.reconciliation.rules import Part, ReleaseChanged
from settlement.sweeps import queries, service
from settlement.sweeps.rules import (
    Ask,
    SeenSweep,
    SweepTooLarge,
)
from tests.conftest import NOW
from tests.databases import own_database
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import closed, suspended
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import drain, settle, staff
from tests.settlement.sweeps_factory import (
    a_bank,
    bought,
    earned,
    free,
    listed,
    prepared,
    seen,
    swept,
    told,
)
from tests.settlement.test_stripe_service import PRICE, deliver

DAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    """A database of this file's own: what is free is told of the provider's whole balance."""
    with own_database(server_url, "sweeps") as url:
        yield url


@pytest.fixture
async def db(own_url: str) -> AsyncIterator[Database]:
    own = Database(own_url)
    yield own
    async with own.sessions() as session:
        assert await books.check(session) == []
        assert await queries.unexplained(session, "CNY") == 0
    await own.close()


async def test_the_balance_that_payees_wait_for_is_never_swept(db: Database) -> None:
    before = await free(db)
    trade, _ = await bought(db)
    bank, people = await a_bank(db), await staff(db)
    async with db.sessions() as session:
        found = await queries.funds(session, "CNY", now=NOW)
    assert found.available_minor >= PRICE.amount_minor
    assert await free(db) - before == 6_000_000  # the commission, and nothing of the owners'
    async with db.transaction() as session:
        with pytest.raises(SweepTooLarge) as refused:
            await prepared(session, bank.account, before + 6_000_001, people.maker)
    assert refused.value.data["most"]["amount_minor"] == before + 6_000_000
    assert trade.deal_id


async def test_what_is_pending_or_unheard_of_is_not_free(db: Database) -> None:
    left, _ = await earned(db)
    before = await free(db)
    assert before >= left
    await listed(db, -left, reference=f"ch_{ids.new(NOW).hex}")
    soon = NOW + timedelta(days=2)
    await listed(db, left, reference=f"ch_{ids.new(NOW).hex}", available_at=soon)
    assert await free(db) == before - left  # pending since
    async with db.sessions() as session:
        assert (await queries.funds(session, "CNY", now=soon)).free_minor == before


async def test_a_sweep_leaves_the_provider_and_lands_at_the_bank(db: Database) -> None:
    left, gateway = await earned(db)
    bank, people = await a_bank(db), await staff(db)
    before = await free(db)
    sweep = await swept(db, bank.account, left, people)
    assert await free(db) == before - left
    await drain(db, gateway)
    await drain(db, gateway, NOW + timedelta(days=2))
    [(_, provider_id, asked)] = [one for one in gateway.made if one[0] == CREATE_PAYOUT]
    assert (asked["amount"], asked["currency"], asked["method"]) == (left, "cny", "standard")
    assert asked["statement_descriptor"] == sweep.descriptor
    on_its_way = await seen(db, sweep.id)
    assert (on_its_way.state, on_its_way.provider_id) == ("in_transit", provider_id)
    async with db.sessions() as session:
        named = {one.id for one in await queries.on_the_way(session, "CNY")}
    assert sweep.id in named
    bank.line(left, text=f"STRIPE {sweep.descriptor} payout")
    async with db.transaction() as session:
        done = await closed(session, bank, since=0)
        assert (done.matched, done.suspended) == (1, 0)
    at_home = await seen(db, sweep.id)
    assert at_home.landed_at == NOW
    async with db.sessions() as session:
        assert sweep.id not in {one.id for one in await queries.on_the_way(session, "CNY")}
        rows = {row["code"]: row for row in await books.trial_balance(session)}
    assert rows[f"bank:{bank.account.id}:CNY"]["balance_minor"] == left


async def test_a_second_line_for_one_sweep_is_suspended(db: Database) -> None:
    left, gateway = await earned(db)
    bank = await a_bank(db)
    sweep = await swept(db, bank.account, left, await staff(db))
    await drain(db, gateway)
    for _ in range(2):
        bank.line(left, text=sweep.descriptor)
    async with db.transaction() as session:
        done = await closed(session, bank, since=0)
        assert (done.matched, done.suspended) == (1, 1)


async def test_the_bank_may_be_faster_than_the_provider(db: Database) -> None:
    """The instruction is in doubt, and the money has come: both are booked, once each."""
    left, gateway = await earned(db)
    bank = await a_bank(db)
    sweep = await swept(db, bank.account, left, await staff(db))
    lost = FakeStripe(NOW, mark=ids.new(NOW).hex)
    lost.refusal = Lost("timed out")
    await drain(db, lost)
    assert (await seen(db, sweep.id)).state == "approved"
    bank.line(left, text=sweep.descriptor)
    async with db.transaction() as session:
        assert (await closed(session, bank, since=0)).matched == 1
    async with db.sessions() as session:
        [early] = [one for one in await queries.on_the_way(session, "CNY") if one.id == sweep.id]
        assert early.on_the_way_minor == -left
    await drain(db, gateway, NOW + timedelta(hours=1))
    async with db.sessions() as session:
        assert sweep.id not in {one.id for one in await queries.on_the_way(session, "CNY")}


async def test_what_is_in_doubt_stays_reserved(db: Database) -> None:
    left, gateway = await earned(db)
    before = await free(db)
    sweep = await swept(db, (await a_bank(db)).account, left, await staff(db))
    gateway.refusal = Lost("timed out")
    await drain(db, gateway)
    for hours in (1, 7, 30):
        await drain(db, gateway, NOW + timedelta(hours=hours))
        assert await free(db) == before - left
    gateway.refusal = None
    await drain(db, gateway, NOW + timedelta(days=3))
    assert len(gateway.of(CREATE_PAYOUT, "sweep", sweep.id)) == 1
    assert await free(db) == before - left


async def test_a_sweep_that_fails_gives_the_balance_its_money_once(db: Database) -> None:
    left, gateway = await earned(db)
    before = await free(db)
    sweep = await swept(db, (await a_bank(db)).account, left, await staff(db))
    await drain(db, gateway)
    provider_id = str((await seen(db, sweep.id)).provider_id)
    gateway.payouts[provider_id] = "paid"
    await deliver(db, told(provider_id, "payout.paid"))
    await settle(db, gateway)
    assert (await seen(db, sweep.id)).state == "paid"
    gateway.payouts[provider_id] = "failed"
    for kind in ("payout.failed", "payout.updated", "payout.failed", "payout.paid"):
        await deliver(db, told(provider_id, kind))
    await settle(db, gateway)
    failed = await seen(db, sweep.id)
    assert (failed.state, failed.fault, failed.look_at) == ("failed", "account_closed", None)
    await listed(db, -left, reference=provider_id)
    await listed(db, left, reference=provider_id)
    assert await free(db) == before
    async with db.sessions() as session:
        journals = text(
            "SELECT count(*) FROM ledger_journal WHERE idem_key LIKE :key AND kind = 'sweep.failed'"
        )
        assert await session.scalar(journals, {"key": f"{provider_id}:%"}) == 1


async def test_without_any_event_a_sweep_is_asked_after(db: Database) -> None:
    left, gateway = await earned(db)
    sweep = await swept(db, (await a_bank(db)).account, left, await staff(db))
    await drain(db, gateway)
    provider_id = str((await seen(db, sweep.id)).provider_id)
    gateway.payouts[provider_id] = "failed"
    await settle(db, gateway, NOW + timedelta(minutes=59))
    assert (await seen(db, sweep.id)).state == "in_transit"
    await settle(db, gateway, NOW + timedelta(hours=1))
    assert (await seen(db, sweep.id)).state == "failed"


async def test_a_payout_made_elsewhere_is_none_of_ours(db: Database) -> None:
    foreign = SeenSweep("po_elsewhere", "paid", Money(5, "CNY"), DAY, None, None)
    async with db.transaction() as session:
        assert not await service.apply_seen(session, foreign, now=NOW)
        stranger = replace(foreign, sweep_id=ids.new(NOW))
        assert not await service.apply_seen(session, stranger, now=NOW)


async def test_another_person_decides_what_was_read(db: Database) -> None:
    left, gateway = await earned(db)
    bank, people = await a_bank(db), await staff(db)
    async with db.transaction() as session:
        sweep = await prepared(session, bank.account, left, people.maker)
        again, new = await service.prepare(
            session, sweep.id, ask=sweep.ask(), person_id=people.checker, now=NOW
        )
        assert (again.id, new) == (sweep.id, False)
        with pytest.raises(IdReused):
            await service.prepare(
                session,
                sweep.id,
                ask=Ask(bank.account.id, Money(1, "CNY")),
                person_id=people.maker,
                now=NOW,
            )
        own = await decided(session, people.maker, sweep.content_sha256, now=NOW)
        with pytest.raises(SamePerson):
            await service.approve(session, sweep.id, decision=own, now=NOW)
        other = await decided(session, people.checker, "0" * 64, now=NOW)
        with pytest.raises(ContentChanged):
            await service.approve(session, sweep.id, decision=other, now=NOW)
        no = Decision(people.checker, sweep.content_sha256)
        refused = await service.refuse(session, sweep.id, decision=no, reason="too early", now=NOW)
        assert refused.state == "refused"
        yes = await decided(session, people.checker, sweep.content_sha256, now=NOW)
        with pytest.raises(AlreadyDecided):
            await service.approve(session, sweep.id, decision=yes, now=NOW)
    await drain(db, gateway)
    assert not gateway.of(CREATE_PAYOUT, "sweep", sweep.id)


async def test_an_account_in_another_currency_takes_no_sweep(db: Database) -> None:
    bank, people = await a_bank(db, "EUR"), await staff(db)
    async with db.transaction() as session:
        with pytest.raises(WrongCurrency):
            await service.prepare(
                session,
                ids.new(NOW),
                ask=Ask(bank.account.id, Money(1, "CNY")),
                person_id=people.maker,
                now=NOW,
            )


async def test_of_two_sweeps_approved_at_once_one_finds_nothing_left(db: Database) -> None:
    await earned(db)
    bank, people = await a_bank(db), await staff(db)
    left = await free(db)
    async with db.transaction() as session:
        both = [await prepared(session, bank.account, left, people.maker) for _ in range(2)]

    async def approved(sweep_id: UUID, sha256: str) -> bool:
        async with db.transaction() as session:
            decision = await decided(session, people.checker, sha256, now=NOW)
            try:
                await service.approve(session, sweep_id, decision=decision, now=NOW)
            except SweepTooLarge:
                return False
            return True

    done = await asyncio.gather(*(approved(one.id, one.content_sha256) for one in both))
    assert sorted(done) == [False, True]
    assert await free(db) == 0


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE sweep SET state = 'approved', decided_by = :checker, decided_at = now() "
        "WHERE id = :sweep",
        "UPDATE sweep SET amount_minor = amount_minor + 1 WHERE id = :sweep",
        "DELETE FROM sweep WHERE id = :sweep",
        "INSERT INTO outbound (id, op, object_key, object_id, payload, payload_sha256, state, "
        "attempt, idem_key, tries, ever_unknown, next_at, created_at) VALUES (:new, "
        "'payout.create', 'sweep:' || :sweep, :sweep, :payload, repeat('0', 64), 'intent', 1, "
        ":new, 0, false, now(), now())",
    ],
    ids=["approve", "amount", "delete", "instruct"],
)
async def test_the_database_pays_out_nothing_that_two_people_did_not_decide(
    db: Database, attack: str
) -> None:
    left, _ = await earned(db)
    bank, people = await a_bank(db), await staff(db)
    async with db.transaction() as session:
        sweep = await prepared(session, bank.account, left, people.maker)
    asked = json.dumps({"amount": left, "currency": "cny"}).encode()
    named = {
        "sweep": sweep.id, "checker": people.checker, "new": ids.new(NOW), "payload": asked,
    }  # fmt: skip
    wanted = {name: value for name, value in named.items() if f":{name}" in attack}
    with pytest.raises(DBAPIError):
        async with db.transaction() as session:
            await session.execute(text(attack), wanted)


async def test_people_may_say_that_money_in_suspense_is_a_sweep(db: Database) -> None:
    left, gateway = await earned(db)
    bank, people = await a_bank(db), await staff(db)
    sweep = await swept(db, bank.account, left, people)
    await drain(db, gateway)
    bank.line(left, name="Clearing house")
    async with db.transaction() as session:
        assert (await closed(session, bank, since=0)).suspended == 1
        [item] = await suspended(session, bank.account)
        release, _ = await releasing.propose(
            session,
            ids.new(NOW),
            items=[item.id],
            parts=[Part("sweep", str(sweep.id), left)],
            person_id=people.maker,
            now=NOW,
        )
        decision = await decided(session, people.checker, release.sha256, now=NOW)
        await releasing.approve(session, release.id, decision=decision, now=NOW)
    assert (await seen(db, sweep.id)).landed_at == NOW
    bank.line(left, name="Clearing house")
    async with db.transaction() as session:
        await closed(session, bank, since=left)
        [other] = await suspended(session, bank.account)
        release, _ = await releasing.propose(
            session,
            ids.new(NOW),
            items=[other.id],
            parts=[Part("sweep", str(sweep.id), left)],
            person_id=people.maker,
            now=NOW,
        )
        decision = await decided(session, people.checker, release.sha256, now=NOW)
        with pytest.raises(ReleaseChanged):
            await releasing.approve(session, release.id, decision=decision, now=NOW)
