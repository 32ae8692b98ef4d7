"""The provider's balance beside the ledger: every difference has a name and an age."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.settings import Settings
from settlement.clearing import queries, rules
from settlement.clearing.rules import Entry, ProviderUneven, Sums
from settlement.clearing.tables import PspCutoff, PspItem
from settlement.ledger import queries as books
from settlement.ledger import rules as accounts
from settlement.stripe import balancing, watching
from settlement.stripe.gateway import StripeGateway
from tests.conftest import NOW
from tests.databases import own_database
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import settle
from tests.settlement.standin import API_KEY, running_standin
from tests.settlement.test_stripe_standin import (
    approve,
    asked,
    confirm,
    gateway,
    until_paid_out,
    until_ready,
)
from tests.settlement.test_stripe_standin_returns import ordered, until_back

HOUR = timedelta(hours=1)
AUTH = {"Authorization": f"Bearer {API_KEY}"}
REFERENCES = st.sampled_from(["pi_1", "pi_2", "tr_1", "re_1", "du_1", "po_1", "po_2", "txn_9"])
KEYS = st.builds("{}:{}".format, REFERENCES, st.sampled_from(["received", "fee", "made"])) | (
    st.sampled_from(["release:a:1", "release:b:1", "manual:7"])
)
MINOR = st.integers(-5, 5)


@given(journals=st.lists(st.tuples(KEYS, MINOR)), entries=st.lists(st.tuples(REFERENCES, MINOR)))
def test_the_items_are_the_whole_difference(
    journals: list[tuple[str, int]], entries: list[tuple[str, int]]
) -> None:
    items = rules.differing(rules.summed(journals, entries))
    ledger, provider = (sum(minor for _, minor in one) for one in (journals, entries))
    assert sum(item.difference_minor for item in items) == ledger - provider
    assert all(item.difference_minor for item in items)
    assert rules.differing(rules.summed(journals[::-1], entries[::-1])) == items


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("pi_1:received", "pi_1"),
        ("pi_1:fee", "pi_1"),
        ("du_1:txn_2", "du_1"),
        ("re_1:refund.made", "re_1"),
        ("release:0199:1", "release:0199:1"),
        ("pious:1", "pious:1"),
    ],
)
def test_a_journal_is_of_the_object_that_its_key_begins_with(key: str, named: str) -> None:
    assert rules.reference(key) == named


def test_a_payout_released_by_two_people_is_paired_with_the_one_of_its_amount() -> None:
    payouts = {"po_1": Sums("po_1", 0, -500), "po_2": Sums("po_2", 0, -700)}
    released = Sums("release:a:1", -500, 0)
    assert rules.differing({**payouts, "release:a:1": released}) == [payouts["po_2"]]
    twice = {**payouts, "po_3": Sums("po_3", 0, -500), "release:a:1": released}
    assert len(rules.differing(twice)) == 4  # which of the two was it?


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    """A database of this file's own: the provider's balance is compared with the whole of it."""
    with own_database(server_url, "clearing") as url:
        yield url


@pytest.fixture(scope="module")
async def own(own_url: str, settings: Settings) -> AsyncIterator[Context]:
    db = Database(own_url)
    yield Context(settings, db)
    await db.close()


async def items(context: Context) -> dict[str, PspItem]:
    async with context.db.sessions() as session:
        return {item.reference: item for item in await queries.open_items(session)}


async def compared(context: Context, stripe: StripeGateway, hours: int) -> PspCutoff:
    now = clock.now() + hours * HOUR
    (cutoff,) = await balancing.compare(context.db, stripe, now=now)
    async with context.db.sessions() as session:
        assert await books.check(session) == []
    return cutoff


async def shown_by_ledger(context: Context) -> int:
    async with context.db.sessions() as session:
        code = accounts.account_code(accounts.PSP_CLEARING, "CNY")
        rows = await books.trial_balance(session)
    return int(next(row["balance_minor"] for row in rows if row["code"] == code))


async def test_invariant_32_ledger_is_provider_at_each_cut_off_or_items_name_the_difference(
    own: Context, tmp_path: Path
) -> None:
    """A card payment with its fee, a payout, a refund with reversals; no event ever comes."""
    with running_standin(tmp_path) as base:
        async with (
            gateway(base) as stripe,
            httpx.AsyncClient(base_url=base, trust_env=False, headers=AUTH) as desk,
        ):
            trade, payment = await asked(own)
            known = await until_ready(own, stripe, payment)
            await confirm(base, known)
            early = await compared(own, stripe, 0)  # the ledger has not heard of it
            assert set(await items(own)) == {known.provider_id}
            assert early.items == 1
            assert early.open_minor == -early.provider_minor < 0
            await settle(own.db, stripe, clock.now() + HOUR)
            paid = await compared(own, stripe, 1)
            assert (paid.items, paid.open_minor) == (0, 0)
            assert paid.ledger_minor == paid.provider_minor == await shown_by_ledger(own)
            await approve(own, trade)
            await until_paid_out(own, stripe, trade)
            refund = await ordered(own, payment.id)
            await until_back(own, stripe, refund.id)
            assert (await compared(own, stripe, 2)).items == 0
            last = await returned_unheard(own, stripe, desk, str(known.provider_id))
            shown = (await desk.get("/_books")).json()
    assert last.provider_minor == shown["accounts"]["platform"]["cny"]


async def returned_unheard(
    own: Context, stripe: StripeGateway, desk: httpx.AsyncClient, provider_id: str
) -> PspCutoff:
    """A refund made elsewhere and a dispute: each has a name until it is heard of."""
    given = {"payment_intent": provider_id, "amount": "777"}
    foreign = (await desk.post("/v1/refunds", data=given)).json()["id"]
    behind = await compared(own, stripe, 3)
    (item,) = (await items(own)).values()
    assert (item.reference, item.ledger_minor, item.provider_minor) == (foreign, 0, -777)
    assert behind.open_minor == 777
    again = await compared(own, stripe, 4)  # the same item, older
    assert (again.entries, again.items) == (behind.entries, 1)
    assert (await items(own))[foreign].id == item.id
    intent = (await desk.get(f"/v1/payment_intents/{provider_id}")).json()
    await desk.post("/_disputes", json={"charge": intent["latest_charge"]})
    assert (await compared(own, stripe, 5)).items == 2
    assert await watching.watch_due(own.db, stripe, now=clock.now() + 6 * HOUR) == 1
    last = await compared(own, stripe, 6)
    assert (last.items, last.open_minor) == (0, 0)
    assert last.ledger_minor == await shown_by_ledger(own)
    return last


@dataclass
class Forgetful(FakeStripe):
    """Shows a balance, with what it had before; its list may leave out what moved last."""

    before: dict[str, int] = field(default_factory=dict)
    leaves_out: bool = False

    async def movements(self, since: datetime | None) -> list[Entry]:
        return [] if self.leaves_out else await super().movements(since)

    async def balances(self) -> dict[str, int]:
        held = await super().balances()
        return {
            code: held.get(code, 0) + self.before.get(code, 0) for code in {*held, *self.before}
        }


def moved(minor: int, *, reference: str) -> Entry:
    return Entry(f"txn_{ids.new(NOW).hex}", "charge", reference, "SGD", minor, 0, NOW, NOW)


async def last(session: AsyncSession, currency: str) -> PspCutoff:
    return next(one for one in await queries.cutoffs(session) if one.currency == currency)


async def test_a_list_that_does_not_make_the_balance_concludes_nothing(own: Context) -> None:
    """The movement that a first list leaves out is found by listing all once more."""
    mark = ids.new(NOW).hex
    held = await entries_before(own)
    mine_ = [moved(500, reference=f"pi_{mark}")]
    provider = Forgetful(NOW, moved=mine_, before=held, leaves_out=True)
    with pytest.raises(ProviderUneven):
        await balancing.compare(own.db, provider, now=NOW)
    async with own.db.sessions() as session:
        assert [one for one in await queries.cutoffs(session) if one.currency == "SGD"] == []
    provider.leaves_out = False
    await balancing.compare(own.db, provider, now=NOW)
    await balancing.compare(own.db, provider, now=NOW)
    async with own.db.sessions() as session:
        cutoff = await last(session, "SGD")
        mine = (await queries.open_items(session))[-1]
    assert (cutoff.entries, cutoff.provider_minor, cutoff.items) == (1, 500, 1)
    assert (mine.reference, mine.opened_at, mine.closed_at) == (f"pi_{mark}", NOW, None)
    assert mine.due_on > NOW.date()


async def entries_before(own: Context) -> dict[str, int]:
    async with own.db.sessions() as session:
        return {code: one[0] for code, one in (await queries.listed_by_currency(session)).items()}


async def test_not_even_the_database_takes_a_cut_off_that_names_less(own: Context) -> None:
    async with own.db.sessions() as session:
        cutoff = PspCutoff(
            id=ids.new(NOW), at=NOW, currency="CNY", entries=0, ledger_minor=5, provider_minor=0,
            open_minor=5, items=1,
        )  # fmt: skip
        session.add(cutoff)
        with pytest.raises(DBAPIError, match="does not name"):
            await session.flush()


@pytest.mark.parametrize("table", ["psp_entry", "psp_cutoff", "psp_item"])
async def test_what_was_compared_is_not_rewritten(own: Context, table: str) -> None:
    async with own.db.sessions() as session:
        if not await session.scalar(text(f"SELECT count(*) FROM {table}")):
            pytest.fail("nothing was compared yet")
        with pytest.raises(DBAPIError):
            await session.execute(text(f"DELETE FROM {table}"))


async def test_a_day_has_one_comparison_whatever_number_of_workers(own: Context) -> None:
    provider = Forgetful(NOW, before=await entries_before(own))
    late = NOW + timedelta(days=400)
    assert await balancing.compare_due(own.db, provider, now=late) >= 1
    assert await balancing.compare_due(own.db, provider, now=late + HOUR) == 0
    assert await balancing.compare_due(own.db, provider, now=late + timedelta(days=1)) >= 1
