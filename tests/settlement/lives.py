"""Lives of trades for replays: what people decided, what the provider told, and what it showed.

A trade is a list of steps. A decision is played again as it was taken, with the same ids; what was
told is played again from the inbox. The provider of a replay makes nothing: it shows each payment
as it stood after the step that the replay has reached, and answers an instruction with what it once
made for the same one.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from exchange.db import Database
from settlement.bank import service as files
from settlement.bank.rules import message_id
from settlement.bank.tables import BankAccount
from settlement.deposits import service as deposits
from settlement.invoices import queries as invoices
from settlement.invoices import service as invoicing
from settlement.outbound.rules import CREATE_REFUND, Answer, Made
from settlement.payouts import service as paying
from settlement.plans import queries as plans
from settlement.reconciliation import releasing
from settlement.reconciliation.rules import Part
from settlement.stripe.rules import History
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import Bank, followed, imported, suspended, with_bank_account
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import Staff, disputed, refunded
from tests.settlement.settlement_factory import invoiced, with_accounts
from tests.settlement.test_deposits_service import received
from tests.settlement.test_instalments import sold
from tests.settlement.test_stripe_service import PRICE, event, payment

Decide = Callable[[Database], Awaitable[None]]
Happen = Callable[[FakeStripe, str], None]
WIRED = Money(1_000_000, "EUR")
FOREIGN = "re_foreign"  # begins the ids of refunds that somebody made at the provider's page


@dataclass(frozen=True)
class Step:
    """A decision of ours, or what happens to a payment at the provider and is told in events."""

    payment_id: UUID
    decide: Decide | None = None
    happens: Happen | None = None
    types: Sequence[str] = ()


@dataclass
class Life:
    """A trade's steps; after each of them, what the provider shows and the events that it sent."""

    name: str
    steps: Sequence[Step]
    shown: list[dict[str, History]] = field(default_factory=list)
    heard: list[list[str]] = field(default_factory=list)


@dataclass
class Replayed:
    """The provider as a replay meets it."""

    made: list[tuple[str, str, Mapping[str, Any]]]
    shown: dict[str, History] = field(default_factory=dict)

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        """Answer with what was made for the same instruction; there must be one, once."""
        same = [one for one in self.made if one[0] == op and _said(one[2]) == _said(params)]
        assert same, f"nobody gave this instruction before: {op} {params} {idem_key}"
        self.made.remove(same[0])
        return Made(same[0][1], "secret")

    async def find(self, op: str, params: Mapping[str, Any], *, intent_id: str) -> str | None:
        raise AssertionError(f"no answer was lost; why look for {op} {params} of {intent_id}?")

    async def see_payment(self, provider_id: str) -> History | None:
        return self.shown.get(provider_id)


def _said(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """An instruction without the names that each life gives anew."""
    names = {
        name: value for name, value in params.get("metadata", {}).items() if name != "intent_id"
    }
    return {**params, "metadata": {**names, "recovery": "recovery" in names}}


async def lives(session: AsyncSession, people: Staff) -> list[Life]:
    """Trades that will be paid, refunded, disputed, paid with a deposit and in parts."""
    return [
        Life(making.__name__.strip("_"), await making(session, people))
        for making in (
            _refunded,
            _reversed,
            _lost,
            _won,
            _in_parts,
            _with_deposit,
            _astray,
            _by_wire,
        )
    ]


async def live(db: Database, gateway: FakeStripe, life: Life, number: int) -> list[str]:
    """Let a step happen; return the events that tell of it, which the caller delivers."""
    step = life.steps[number]
    if step.decide is not None:
        await step.decide(db)
        return []
    assert step.happens is not None
    provider_id = await provider_of(db, step.payment_id)
    step.happens(gateway, provider_id)
    return [event(provider_id, type) for type in step.types]


async def note(db: Database, gateway: FakeStripe, life: Life, raws: Sequence[str]) -> None:
    """Write down what the provider shows after a step, and which events it sent."""
    shown: dict[str, History] = {}
    for payment_id in {step.payment_id for step in life.steps}:
        provider_id = await provider_of(db, payment_id)
        seen = await gateway.see_payment(provider_id) if provider_id else None
        if seen is not None:
            shown[provider_id] = seen
    life.shown.append(shown)
    life.heard.append([json.loads(raw)["id"] for raw in raws])


async def provider_of(db: Database, payment_id: UUID) -> str:
    """The provider's id of a payment or of a deposit on a card; nothing while there is none."""
    asked = text(
        "SELECT provider_id FROM payment WHERE id = :id "
        "UNION ALL SELECT provider_id FROM card_hold WHERE id = :id"
    )
    async with db.sessions() as session:
        return str(await session.scalar(asked, {"id": payment_id}) or "")


def _asks(payment_id: UUID, settlement_id: UUID) -> Step:
    """The buyer asks to pay by card all that is due."""

    async def decide(db: Database) -> None:
        async with db.transaction() as session:
            invoice = await invoices.find_invoice_of_deal(session, settlement_id)
            assert invoice is not None
            await invoicing.request_payment(
                session, invoice.id, payment_id, payer_id=invoice.payer_id, method="card", now=NOW
            )

    return Step(payment_id, decide)


def _pays(payment_id: UUID, received: Money, fee: Money | None = None) -> Step:
    def happens(gateway: FakeStripe, provider_id: str) -> None:
        gateway.pay(provider_id, received)
        if fee is not None:
            gateway.fees[provider_id] = fee

    types = ("payment_intent.succeeded", "charge.succeeded")
    return Step(payment_id, happens=happens, types=types)


def _pays_out(payment_id: UUID, settlement_id: UUID, people: Staff) -> Step:
    payout_id = ids.new(NOW)

    async def decide(db: Database) -> None:
        async with db.transaction() as session:
            payout, _ = await paying.prepare(
                session, payout_id, deal_id=settlement_id, person_id=people.maker, now=NOW
            )
            decision = await decided(session, people.checker, payout.content_sha256, now=NOW)
            await paying.approve(session, payout.id, decision=decision, now=NOW)

    return Step(payment_id, decide)


def _refunds(payment_id: UUID, minor: int, people: Staff) -> Sequence[Step]:
    refund_id = ids.new(NOW)

    async def decide(db: Database) -> None:
        await refunded(db, await payment(db, payment_id), minor, people, id=refund_id)

    told = ("refund.created", "charge.refunded")
    return Step(payment_id, decide), Step(payment_id, happens=_nothing_more, types=told)


def _nothing_more(_gateway: FakeStripe, _provider_id: str) -> None:
    """What is told happened when it was ordered."""


def _refund_fails(gateway: FakeStripe, provider_id: str) -> None:
    made = [one for one in gateway.made if one[2].get("payment_intent") == provider_id]
    gateway.failed.add(made[-1][1])


def _stands(payment_id: UUID, minor: int, *statuses: str) -> list[Step]:
    """A dispute goes through these states."""

    def happens_at(status: str) -> Happen:
        def happens(gateway: FakeStripe, provider_id: str) -> None:
            gateway.disputes[provider_id] = [disputed(provider_id, minor, status)]

        return happens

    told = ("charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed")
    return [
        Step(payment_id, happens=happens_at(status), types=[type])
        for status, type in zip(statuses, told, strict=True)
    ]


async def _bought(session: AsyncSession, fee: Money | None = None) -> tuple[UUID, UUID, list[Step]]:
    trade = await invoiced(session, price=PRICE, now=NOW)
    await with_accounts(session, trade, now=NOW)
    payment_id = ids.new(NOW)
    steps = [_asks(payment_id, trade.deal_id), _pays(payment_id, PRICE, fee)]
    return trade.deal_id, payment_id, steps


async def _refunded(session: AsyncSession, people: Staff) -> list[Step]:
    """Refunded twice, the second time in vain, and then paid out."""
    deal_id, payment_id, steps = await _bought(session, Money(3_480_030, "CNY"))
    return [
        *steps,
        *_refunds(payment_id, 10_000_001, people),
        *_refunds(payment_id, 500, people),
        Step(payment_id, happens=_refund_fails, types=["refund.failed"]),
        _pays_out(payment_id, deal_id, people),
    ]


async def _reversed(session: AsyncSession, people: Staff) -> list[Step]:
    """Refunded after it was paid out, in two steps: every transfer is reversed."""
    deal_id, payment_id, steps = await _bought(session)
    return [
        *steps,
        _pays_out(payment_id, deal_id, people),
        *_refunds(payment_id, 40_000_001, people),
        *_refunds(payment_id, 80_000_000, people),
    ]


async def _lost(session: AsyncSession, people: Staff) -> list[Step]:
    """Paid out, then disputed for a part and lost."""
    deal_id, payment_id, steps = await _bought(session, Money(3_480_030, "CNY"))
    statuses = ("warning_needs_response", "needs_response", "lost")
    return [
        *steps,
        _pays_out(payment_id, deal_id, people),
        *_stands(payment_id, 50_000_000, *statuses),
    ]


async def _won(session: AsyncSession, people: Staff) -> list[Step]:
    """Disputed and won, paid out, and refunded a little."""
    deal_id, payment_id, steps = await _bought(session)
    return [
        *steps,
        *_stands(payment_id, PRICE.amount_minor, "needs_response", "under_review", "won"),
        _pays_out(payment_id, deal_id, people),
        *_refunds(payment_id, 777, people),
    ]


async def _in_parts(session: AsyncSession, people: Staff) -> list[Step]:
    """Two instalments are paid, one of them paid out, the other refunded."""
    deal = await sold(session)
    first, second, _ = await plans.parts_of(session, deal.id)
    one, two = ids.new(NOW), ids.new(NOW)
    dues = [await invoices.find_invoice_of_deal(session, each.deal_id) for each in (first, second)]
    assert dues[0] is not None and dues[1] is not None
    return [
        _asks(one, first.deal_id),
        _pays(one, dues[0].due),
        _asks(two, second.deal_id),
        _pays(two, dues[1].due),
        _pays_out(one, first.deal_id, people),
        *_refunds(two, dues[1].due.amount_minor, people),
        *_refunds(one, 12_345, people),
    ]


async def _with_deposit(session: AsyncSession, people: Staff) -> list[Step]:
    """The winner's deposit becomes price, the rest is paid by card, a part goes back."""
    trade = await invoiced(session, price=PRICE, now=NOW)
    await with_accounts(session, trade, now=NOW)
    deposit = await received(session, 1_500, of=trade.buyer.id)
    auction_id, payment_id = deposit.auction_id, ids.new(NOW)

    async def becomes_price(db: Database) -> None:
        async with db.transaction() as session:
            invoice = await invoicing.locked(session, trade.invoice.id)
            await deposits.apply(session, auction_id, trade.buyer.id, invoice=invoice, now=NOW)

    return [
        Step(payment_id, becomes_price),
        _asks(payment_id, trade.deal_id),
        _pays(payment_id, PRICE - Money(1_500, "CNY")),
        *_refunds(payment_id, 2_000, people),
        _pays_out(payment_id, trade.deal_id, people),
    ]


async def _astray(session: AsyncSession, people: Staff) -> list[Step]:
    """Another amount came than was due, it is refunded, and somebody refunds at the page too."""
    _, payment_id, (asks, _) = await _bought(session)

    def refunded_elsewhere(gateway: FakeStripe, provider_id: str) -> None:
        params = {
            "payment_intent": provider_id,
            "amount": 300,
            "metadata": {"refund": str(uuid4())},
        }
        gateway.made.append((CREATE_REFUND, f"{FOREIGN}_{provider_id}", params))

    return [
        asks,
        _pays(payment_id, Money(5_000, "CNY")),
        *_refunds(payment_id, 4_000, people),
        Step(payment_id, happens=refunded_elsewhere, types=["refund.created"]),
    ]


async def _by_wire(session: AsyncSession, people: Staff) -> list[Step]:
    """Paid by wire and out by a file, beside money that nobody knew; the bank's files return."""
    bank = Bank(await followed(session))
    trade = await invoiced(session, price=WIRED, now=NOW)
    for owner in trade.owners:
        await with_bank_account(session, owner.id, currency=WIRED.currency)
    bank.line(WIRED.amount_minor, text=trade.invoice.number)
    bank.line(700, text="nobody knows")
    before, batch_id, none = bank.statement(0), ids.new(NOW), ids.new(NOW)
    opening, paid = bank.balance_minor, WIRED.amount_minor * 95 // 100  # less the commission
    bank.line(-paid, batch=message_id(batch_id))
    after = bank.statement(opening)

    def imports(raw: bytes) -> Step:
        async def decide(db: Database) -> None:
            async with db.transaction() as session:
                await imported(session, raw)

        return Step(none, decide)

    return [
        imports(before),
        _releases(none, bank.account, people),
        _pays_out(none, trade.deal_id, people),
        _files(none, batch_id, bank.account, people),
        imports(after),
    ]


def _releases(payment_id: UUID, account: BankAccount, people: Staff) -> Step:
    release_id = ids.new(NOW)

    async def decide(db: Database) -> None:
        async with db.transaction() as session:
            (item,) = await suspended(session, account)
            parts = [Part("account", "opening", item.amount_minor)]
            release, _ = await releasing.propose(
                session, release_id, items=[item.id], parts=parts, person_id=people.maker, now=NOW
            )
            decision = await decided(session, people.checker, release.sha256, now=NOW)
            await releasing.approve(session, release.id, decision=decision, now=NOW)

    return Step(payment_id, decide)


def _files(payment_id: UUID, batch_id: UUID, account: BankAccount, people: Staff) -> Step:
    async def decide(db: Database) -> None:
        async with db.transaction() as session:
            batch, _ = await files.prepare(
                session, batch_id, account_id=account.id, execute_on=NOW.date(),
                person_id=people.maker, now=NOW,
            )  # fmt: skip
            decision = await decided(session, people.checker, batch.sha256, now=NOW)
            await files.approve(session, batch.id, decision=decision, now=NOW)

    return Step(payment_id, decide)
