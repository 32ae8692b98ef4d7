"""Seeded schedules of the executor against the stand-in: PostgreSQL, HTTP, another process.

Everything that decides is the product's own: `send_one`, the verbs of `settlement.outbound` in real
transactions, the gateway over the SDK's asynchronous client. The stand-in's clock stands still and
is moved, so that nobody sleeps. What was paid is read in the stand-in's books.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import httpx
from sqlalchemy import create_engine, text

from contracts import ids
from exchange.db import Database
from settlement.outbound import rules
from settlement.outbound import service as outbound
from settlement.outbound.rules import Answer
from settlement.outbound.service import Claim
from settlement.outbound.tables import Outbound
from settlement.stripe.gateway import StripeGateway, open_gateway
from settlement.stripe.service import send_one
from tests.settlement.outbound_world import Killed, World
from tests.settlement.standin import API_KEY

HOUR = 3600
AMOUNT = 100  # what one instruction moves
PAID = 1_000  # a payment from which it could be moved ten times
STEPS, CALM = 80, 600
# Of ten schedules five pay a payee, two give a payer money back, two take a transfer back, and one
# pays the platform's own balance out.
KINDS = (
    *(5 * (rules.CREATE_TRANSFER,)),
    *(2 * (rules.CREATE_REFUND,)),
    *(2 * (rules.REVERSE_TRANSFER,)),
    rules.CREATE_PAYOUT,
)
SEED = "seed "
OPERATION = {
    rules.CREATE_TRANSFER: ("transfers.create", "transfers.list"),
    rules.CREATE_REFUND: ("refunds.create", "refunds.list"),
    rules.REVERSE_TRANSFER: ("transfer_reversals.create", "transfer_reversals.list"),
    rules.CREATE_PAYOUT: ("payouts.create", "payouts.list"),
    rules.CONFIRM_PAYMENT: ("payment_intents.confirm", "payment_intents.retrieve"),
    rules.CAPTURE_PAYMENT: ("payment_intents.capture", "payment_intents.retrieve"),
    rules.CANCEL_PAYMENT: ("payment_intents.cancel", "payment_intents.retrieve"),
}
_T = TypeVar("_T")


@dataclass
class Desk:
    """The verbs of the executor, each a transaction that a kill may undo."""

    db: Database
    world: World

    async def claim(self, now: datetime) -> Claim | None:
        """Take up what is due longest."""
        return await self._within(lambda session: outbound.claim(session, now=now))

    async def repeat(self, claim: Claim, now: datetime) -> Claim | None:
        """Mark it sent again after an empty look-up."""
        return await self._within(lambda session: outbound.repeat(session, claim, now=now))

    async def conclude(self, claim: Claim, answer: Answer, now: datetime) -> None:
        """Write down an answer; what follows from it in the books is tested elsewhere."""
        await self._within(lambda session: outbound.conclude(session, claim, answer, now=now))

    async def _within(self, verb: Callable[[Any], Awaitable[_T]]) -> _T:
        await self.world.stop()
        async with self.db.transaction() as session:
            done = await verb(session)
            if self.world.happens(0.02):
                self.world.killed += 1
                raise Killed
        await self.world.stop()
        return done


@dataclass
class Weathered:
    """The real gateway; hours may pass and workers die before a call and after it."""

    real: StripeGateway
    world: World

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        """Carry out an instruction, whatever befalls it."""
        await self.world.reach_the_wire()
        await self.world.tell(OPERATION[op][0], self.world.befalls(creates=True))
        answer = await self.real.create(op, params, idem_key=idem_key)
        await self.world.stop()
        return answer

    async def find(self, op: str, params: Mapping[str, Any], *, intent_id: str) -> str | None:
        """Look an instruction up."""
        await self.world.stop()
        await self.world.tell(OPERATION[op][1], self.world.befalls(creates=False))
        found = await self.real.find(op, params, intent_id=intent_id)
        await self.world.stop()
        return found

    async def see_payment(self, provider_id: str) -> Any:
        """Look at a payment; no schedule does."""
        return await self.real.see_payment(provider_id)

    async def see_payout(self, provider_id: str) -> Any:
        """Look at a payout; no schedule does."""
        return await self.real.see_payout(provider_id)

    async def see_account(self, provider_id: str) -> Any:
        """Look at a payee's account; no schedule does."""
        return await self.real.see_account(provider_id)

    async def link_account(self, provider_id: str, *, return_url: str) -> Any:
        """Make a link; no schedule does."""
        return await self.real.link_account(provider_id, return_url=return_url)

    async def returns(self, **since: Any) -> Any:
        """List what went back; no schedule does."""
        return await self.real.returns(**since)

    async def movements(self, since: Any) -> Any:
        """List how the balance moved; no schedule does."""
        return await self.real.movements(since)

    async def balances(self) -> Any:
        """Ask for the balance; no schedule does."""
        return await self.real.balances()


@dataclass(frozen=True)
class Site:
    """A stand-in, a database of instructions, and what schedules share: a payee."""

    db: Database
    gateway: StripeGateway
    desk: httpx.AsyncClient
    payee: str


@asynccontextmanager
async def site(database_url: str, base: str) -> AsyncIterator[Site]:
    """Open a stand-in whose clock stands still, and an empty table of instructions."""
    db = Database(database_url, role="none")
    gateway = open_gateway(api_key=API_KEY, api_base=base, timeout_s=60)
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=60) as desk:
        await desk.post("/_clock", json={"advance_s": 0, "still": True})
        account = await gateway._client.v1.accounts.create_async(
            {"country": "CN", "capabilities": {"transfers": {"requested": True}}}
        )
        try:
            yield Site(db, gateway, desk, account.id)
        finally:
            await gateway.close()
            await db.close()


def make_table(server_url: str, name: str) -> str:
    """Make a database with nothing but the table of instructions; return its URL."""
    with _owner(server_url) as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
        # No power fails in these schedules, and a commit need not wait for the disk.
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    url = server_url.replace("/postgres?", f"/{name}?")
    with _owner(url) as connection:
        Outbound.metadata.tables["outbound"].create(connection)
    return url


@contextmanager
def _owner(url: str) -> Iterator[Any]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


async def play(here: Site, seed: int, kinds: Sequence[str] = KINDS) -> tuple[UUID, bool, int]:
    """Play one schedule; return its instruction, whether it ended, and the workers killed."""
    rng = random.Random(seed)
    shown = (await here.desk.get("/_standin")).json()["now"]
    now = datetime.fromtimestamp(shown, UTC)
    world = World(rng, now, here.desk, told=now)
    intent_id = await _intend(here, kinds[seed % len(kinds)], now)
    desk, gateway = Desk(here.db, world), Weathered(here.gateway, world)
    if rng.random() < 0.1:  # the provider is away for more than a day, from some hour on
        world.away_until = now + timedelta(hours=rng.choice([25, 30, 40]))

    async def work() -> bool:
        return await send_one(desk, gateway, now=world.now, clock=lambda: world.now.timestamp())

    ended = False
    for step in range(STEPS + CALM):
        world.harsh = step < STEPS  # at last the weather clears
        world.passes(_pause(world, step))
        await world.move(rng.randrange(2), work)
        if not world.tasks:
            ended = await _ended(here, intent_id)
            if ended:
                break
    world.harsh = False
    for who in list(world.tasks):  # whoever is still at work ends it
        while who in world.tasks:
            await world.move(who, work)
    world.passes(HOUR)  # what comes late comes now
    await world.tell("", None)
    return intent_id, ended or await _ended(here, intent_id), world.killed


def _pause(world: World, step: int) -> int:
    if not world.tasks:
        idle = [1, 5, 60, 600, 2 * HOUR, 13 * HOUR, 30 * HOUR] if world.harsh else [7 * HOUR]
        return world.rng.choice(idle) if step else 0
    busy = [1, 5, 20] if world.at_the_wire else [1, 5, 20, 60, 600, 2 * HOUR, 30 * HOUR]
    return world.rng.choice(busy) if world.happens(0.12) else 0


async def _intend(here: Site, op: str, now: datetime) -> UUID:
    """Write an instruction down, with the payment that it moves money of."""
    if op in rules.STEPS:
        return await _intend_step(here, op, now)
    intent_id = ids.new(now)
    v1 = here.gateway._client.v1
    paid = await v1.payment_intents.create_async(
        {"amount": PAID, "currency": "cny", "confirm": True,
         "payment_method": "pm_card_bypassPending"}
    )  # fmt: skip
    names = {"deal": str(intent_id), "payout": "p", "intent_id": str(intent_id)}
    transfer = rules.transfer_params(
        amount_minor=AMOUNT,
        currency="CNY",
        account=here.payee,
        charge=str(paid.latest_charge),
        names=names,
    )
    params: Mapping[str, Any] = transfer
    if op == rules.CREATE_REFUND:
        params = rules.refund_params(payment_intent=paid.id, amount_minor=AMOUNT, names=names)
    if op == rules.REVERSE_TRANSFER:
        whole: Any = {**transfer, "amount": PAID, "metadata": {}}
        made = await v1.transfers.create_async(whole)
        params = rules.reversal_params(transfer=made.id, amount_minor=AMOUNT, names=names)
    if op == rules.CREATE_PAYOUT:
        params = rules.payout_params(
            amount_minor=AMOUNT, currency="CNY", descriptor=f"S{intent_id.hex[:15].upper()}",
            names=names,
        )  # fmt: skip
    return await _written(here, intent_id, op, params, now)


async def _intend_step(here: Site, op: str, now: datetime) -> UUID:
    """Write a step of a card's payment down: to confirm one, to take what is held, to let it go."""
    asked = rules.hold_params(
        amount_minor=PAID, currency="CNY", is_captured_at_once=False, description="保证金", names={}
    )
    payments = here.gateway._client.v1.payment_intents
    made = await payments.create_async({**asked, "metadata": {}})
    params: Mapping[str, Any] = rules.confirm_params(
        payment_intent=made.id, payment_method="pm_card_visa"
    )
    if op != rules.CONFIRM_PAYMENT:
        await payments.confirm_async(made.id, {"payment_method": "pm_card_visa"})
        params = rules.cancel_params(payment_intent=made.id)
    if op == rules.CAPTURE_PAYMENT:
        params = rules.capture_params(payment_intent=made.id, amount_minor=AMOUNT)
    return await _written(here, ids.new(now), op, params, now)


async def _written(
    here: Site, intent_id: UUID, op: str, params: Mapping[str, Any], now: datetime
) -> UUID:
    async with here.db.transaction() as session:
        await outbound.intend(
            session, intent_id, op=op, object_key=str(intent_id), object_id=intent_id,
            params=params, now=now,
        )  # fmt: skip
    return intent_id


async def _ended(here: Site, intent_id: UUID) -> bool:
    async with here.db.transaction() as session:
        return (await session.get_one(Outbound, intent_id)).state not in rules.OPEN


async def paid_in_books(here: Site) -> Counter[str]:
    """How often the stand-in's books show that each instruction moved its money."""
    journals = (await here.desk.get("/_books")).json()["journals"]
    found: Counter[str] = Counter()
    v1 = here.gateway._client.v1
    made: list[tuple[str, Any]] = []
    async for transfer in (await v1.transfers.list_async({"limit": 100})).auto_paging_iter():
        made.append((transfer.id, transfer))
        made += [(reversal.id, reversal) for reversal in transfer.reversals.data]
    async for refund in (await v1.refunds.list_async({"limit": 100})).auto_paging_iter():
        made.append((f"{refund.id}:refund", refund))
    async for payout in (await v1.payouts.list_async({"limit": 100})).auto_paging_iter():
        made.append((f"{payout.id}:payout", payout))
    for journal, thing in made:
        intent = (thing.to_dict().get("metadata") or {}).get("intent_id")
        if intent is None:
            continue  # the transfer that a reversal is of
        if max(abs(line["amount"]) for line in journals[journal]) != AMOUNT:
            raise AssertionError(f"{journal} moved another amount")
        found[intent] += 1
    return found


async def block(database_url: str, base: str, seeds: Sequence[int]) -> Counter[str]:
    """Play schedules one after another; count what became of the money, by the stand-in's books."""
    found: Counter[str] = Counter()
    async with site(database_url, base) as here:
        played = []
        for seed in seeds:
            intent_id, ended, killed = await play(here, seed)
            found["workers killed"] += killed
            found["finished"] += ended
            played.append((seed, intent_id))
            if not ended:  # what goes on would be taken up by the next schedule
                async with here.db.transaction() as session:
                    await session.delete(await session.get_one(Outbound, intent_id))
        books = await paid_in_books(here)
        for seed, intent_id in played:
            times = books[str(intent_id)]
            verdict = "lost" if not times else "once" if times == 1 else "twice or more"
            found[verdict] += 1
            if verdict != "once":
                found[f"{SEED}{seed}: {verdict}"] += 1
    return found
