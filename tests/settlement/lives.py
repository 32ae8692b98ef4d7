"""Lives of trades for replays: what people decided, what the provider told, and what it showed.

A trade is a list of steps. A decision is played again as it was taken, with the same ids; what was
told is played again from the inbox. The provider of a replay makes nothing: it shows each payment
and payout as it stood after the step that the replay has reached, and answers an instruction with
what it once made for the same one. A bank's file is the same bytes again.
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
from settlement.deposits import service as deposits
from settlement.invoices import queries as invoices
from settlement.invoices import service as invoicing
from settlement.outbound.rules import CREATE_ACCOUNT, CREATE_REFUND, Answer, Made
from settlement.payouts import service as paying
from settlement.payouts.rules import SeenAccount
from settlement.plans import queries as plans
from settlement.stripe.rules import History
from settlement.sweeps.rules import SeenSweep
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import Staff, disputed, refunded
from tests.settlement.settlement_factory import invoiced, with_accounts
from tests.settlement.sweeps_factory import told
from tests.settlement.test_deposits_service import received
from tests.settlement.test_instalments import sold
from tests.settlement.test_stripe_service import PRICE, event, payment

Decide = Callable[[Database], Awaitable[None]]
Act = Callable[[AsyncSession], Awaitable[object]]
Happen = Callable[[FakeStripe, str], None]
Shown = History | SeenSweep | SeenAccount
FOREIGN = "re_foreign"  # begins the ids of refunds that somebody made at the provider's page


@dataclass(frozen=True)
class Step:
    """A decision of ours, or what happens to a payment at the provider and is told in events.

    A sweep takes the place of a payment where the provider pays out to us.
    """

    payment_id: UUID
    decide: Decide | None = None
    happens: Happen | None = None
    types: Sequence[str] = ()


@dataclass
class Life:
    """A trade's steps; after each of them, what the provider shows and the events that it sent."""

    name: str
    steps: Sequence[Step]
    shown: list[dict[str, Shown]] = field(default_factory=list)
    heard: list[list[str]] = field(default_factory=list)


@dataclass
class Replayed:
    """The provider as a replay meets it."""

    made: list[tuple[str, str, Mapping[str, Any]]]
    shown: dict[str, Shown] = field(default_factory=dict)

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        """Answer with what was made for the same instruction; there must be one, once."""
        same = [one for one in self.made if one[0] == op and _said(one[2]) == _said(params)]
        assert same, f"nobody gave this instruction before: {op} {params} {idem_key}"
        self.made.remove(same[0])
        return Made(same[0][1], "secret")

    async def find(self, op: str, params: Mapping[str, Any], *, intent_id: str) -> str | None:
        raise AssertionError(f"no answer was lost; why look for {op} {params} of {intent_id}?")

    async def see_payment(self, provider_id: str) -> History | None:
        found = self.shown.get(provider_id)
        return found if isinstance(found, History) else None

    async def see_payout(self, provider_id: str) -> SeenSweep | None:
        found = self.shown.get(provider_id)
        return found if isinstance(found, SeenSweep) else None

    async def see_account(self, provider_id: str) -> SeenAccount | None:
        found = self.shown.get(provider_id)
        return found if isinstance(found, SeenAccount) else None


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
    return [_event(provider_id, type) for type in step.types]


async def note(db: Database, gateway: FakeStripe, life: Life, raws: Sequence[str]) -> None:
    """Write down what the provider shows after a step, and which events it sent."""
    shown: dict[str, Shown] = {}
    for payment_id in {step.payment_id for step in life.steps}:
        provider_id = await provider_of(db, payment_id)
        seen = await gateway.see_payment(provider_id) or await gateway.see_payout(provider_id)
        if seen is not None:
            shown[provider_id] = seen
    for op, made, _ in gateway.made:
        account = await gateway.see_account(made) if op == CREATE_ACCOUNT else None
        if account is not None:
            shown[made] = account
    life.shown.append(shown)
    life.heard.append([json.loads(raw)["id"] for raw in raws])


async def provider_of(db: Database, payment_id: UUID) -> str:
    """The provider's id of a payment, a deposit on a card or a sweep; nothing before it has one."""
    asked = text(
        "SELECT provider_id FROM payment WHERE id = :id "
        "UNION ALL SELECT provider_id FROM card_hold WHERE id = :id "
        "UNION ALL SELECT provider_id FROM sweep WHERE id = :id"
    )
    async with db.sessions() as session:
        return str(await session.scalar(asked, {"id": payment_id}) or "")


def _event(provider_id: str, type: str) -> str:
    return told(provider_id, type) if type.startswith("payout.") else event(provider_id, type)


def decides(act: Act, payment_id: UUID | None = None) -> Step:
    """A decision that takes one transaction; unless it names one, it is about no card payment."""

    async def decide(db: Database) -> None:
        async with db.transaction() as session:
            await act(session)

    return Step(payment_id or ids.new(NOW), decide)


def asks(payment_id: UUID, settlement_id: UUID) -> Step:
    """The buyer asks to pay by card all that is due."""

    async def decide(db: Database) -> None:
        async with db.transaction() as session:
            invoice = await invoices.find_invoice_of_deal(session, settlement_id)
            assert invoice is not None
            await invoicing.request_payment(
                session, invoice.id, payment_id, payer_id=invoice.payer_id, method="card", now=NOW
            )

    return Step(payment_id, decide)


def pays(payment_id: UUID, received: Money, fee: Money | None = None) -> Step:
    """The card is charged, and the provider keeps a fee."""

    def happens(gateway: FakeStripe, provider_id: str) -> None:
        gateway.pay(provider_id, received)
        if fee is not None:
            gateway.fees[provider_id] = fee

    types = ("payment_intent.succeeded", "charge.succeeded")
    return Step(payment_id, happens=happens, types=types)


def pays_out(payment_id: UUID, settlement_id: UUID, people: Staff) -> Step:
    """Two people pay a settlement's payees."""
    payout_id = ids.new(NOW)

    async def decide(db: Database) -> None:
        async with db.transaction() as session:
            payout, _ = await paying.prepare(
                session, payout_id, deal_id=settlement_id, person_id=people.maker, now=NOW
            )
            decision = await decided(session, people.checker, payout.content_sha256, now=NOW)
            await paying.approve(session, payout.id, decision=decision, now=NOW)

    return Step(payment_id, decide)


def refunds(payment_id: UUID, minor: int, people: Staff) -> Sequence[Step]:
    """Two people refund a part of a card payment, and the provider tells of it."""
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
    steps = [asks(payment_id, trade.deal_id), pays(payment_id, PRICE, fee)]
    return trade.deal_id, payment_id, steps


async def _refunded(session: AsyncSession, people: Staff) -> list[Step]:
    """Refunded twice, the second time in vain, and then paid out."""
    deal_id, payment_id, steps = await _bought(session, Money(3_480_030, "CNY"))
    return [
        *steps,
        *refunds(payment_id, 10_000_001, people),
        *refunds(payment_id, 500, people),
        Step(payment_id, happens=_refund_fails, types=["refund.failed"]),
        pays_out(payment_id, deal_id, people),
    ]


async def _reversed(session: AsyncSession, people: Staff) -> list[Step]:
    """Refunded after it was paid out, in two steps: every transfer is reversed."""
    deal_id, payment_id, steps = await _bought(session)
    return [
        *steps,
        pays_out(payment_id, deal_id, people),
        *refunds(payment_id, 40_000_001, people),
        *refunds(payment_id, 80_000_000, people),
    ]


async def _lost(session: AsyncSession, people: Staff) -> list[Step]:
    """Paid out, then disputed for a part and lost."""
    deal_id, payment_id, steps = await _bought(session, Money(3_480_030, "CNY"))
    statuses = ("warning_needs_response", "needs_response", "lost")
    return [
        *steps,
        pays_out(payment_id, deal_id, people),
        *_stands(payment_id, 50_000_000, *statuses),
    ]


async def _won(session: AsyncSession, people: Staff) -> list[Step]:
    """Disputed and won, paid out, and refunded a little."""
    deal_id, payment_id, steps = await _bought(session)
    return [
        *steps,
        *_stands(payment_id, PRICE.amount_minor, "needs_response", "under_review", "won"),
        pays_out(payment_id, deal_id, people),
        *refunds(payment_id, 777, people),
    ]


async def _in_parts(session: AsyncSession, people: Staff) -> list[Step]:
    """Two instalments are paid, one of them paid out, the other refunded."""
    deal = await sold(session)
    first, second, _ = await plans.parts_of(session, deal.id)
    one, two = ids.new(NOW), ids.new(NOW)
    dues = [await invoices.find_invoice_of_deal(session, each.deal_id) for each in (first, second)]
    assert dues[0] is not None and dues[1] is not None
    return [
        asks(one, first.deal_id),
        pays(one, dues[0].due),
        asks(two, second.deal_id),
        pays(two, dues[1].due),
        pays_out(one, first.deal_id, people),
        *refunds(two, dues[1].due.amount_minor, people),
        *refunds(one, 12_345, people),
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
        asks(payment_id, trade.deal_id),
        pays(payment_id, PRICE - Money(1_500, "CNY")),
        *refunds(payment_id, 2_000, people),
        pays_out(payment_id, trade.deal_id, people),
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
        pays(payment_id, Money(5_000, "CNY")),
        *refunds(payment_id, 4_000, people),
        Step(payment_id, happens=refunded_elsewhere, types=["refund.created"]),
    ]
