"""Settlements for tests: executed deals, planned and invoiced, paid, prepared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals.tables import Deal
from contracts.money import Money
from contracts.parties.tables import Party
from contracts.titles.tables import Share
from settlement.invoices import service as invoices
from settlement.invoices.rules import SUCCEEDED, Seen
from settlement.invoices.tables import Invoice
from settlement.payouts import service as payouts
from settlement.plans import service as plans
from settlement.plans.rules import Terms
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work


def said(price: Money) -> bytes:
    """The terms of a contract, as far as they say when its price is due."""
    return canonical.dumps(
        {
            "consideration": {
                "kind": "fixed", "currency": price.currency, "amount": price.decimal()
            },
            "parameters": {"due_days": 15, "late_bp_daily": 5, "cure_days": 30},
        }
    )  # fmt: skip


@dataclass(frozen=True)
class Trade:
    """A deal with its parties and its invoice."""

    deal_id: UUID
    work_id: UUID
    buyer: Party
    owners: Sequence[Party]
    invoice: Invoice

    @property
    def owner_ids(self) -> list[UUID]:
        return [owner.id for owner in self.owners]


async def executed_deal(
    session: AsyncSession,
    *,
    work_id: UUID,
    licensor_id: UUID,
    licensee_id: UUID,
    price: Money,
    now: datetime,
    auction_id: UUID | None = None,
    terms: bytes = b"{}",
) -> Deal:
    """An executed deal of its own."""
    id = ids.new(now)
    deal = Deal(
        id=id,
        work_id=work_id,
        contract_no=f"TEST-{id}",
        listing_id=ids.new(now),
        auction_id=auction_id or ids.new(now),
        licensor_id=licensor_id,
        licensee_id=licensee_id,
        terms=terms,
        terms_sha256="0" * 64,
        amount_minor=price.amount_minor,
        currency=price.currency,
        signing="executed",
        base_sha256="1" * 64,
        pdf_sha256="2" * 64,
        created_at=now,
        executed_at=now,
    )
    session.add(deal)
    await session.flush()
    return deal


async def invoiced(
    session: AsyncSession,
    *,
    price: Money,
    shares: Sequence[int] = (7000, 3000),
    terms: bytes = b"{}",
    now: datetime,
) -> Trade:
    """A deal over a work with these owners, planned and invoiced."""
    owners = [await party(session, now=now) for _ in shares or (1,)]
    buyer = await party(session, kind="broadcaster", now=now)
    film = await work(session, party_id=owners[0].id, now=now)
    for owner, share_bp in zip(owners, shares, strict=False):
        session.add(Share(work_id=film.id, party_id=owner.id, share_bp=share_bp, consented_at=now))
    await session.flush()
    deal = await executed_deal(
        session,
        work_id=film.id,
        licensor_id=owners[0].id,
        licensee_id=buyer.id,
        price=price,
        terms=terms,
        now=now,
    )
    agreed = Terms(deal.id, film.id, owners[0].id, buyer.id, price, deal.terms_sha256)
    settlement = await plans.plan(session, agreed, now=now)
    invoice = await invoices.issue(session, settlement, now=now)
    return Trade(deal.id, film.id, buyer, owners, invoice)


async def paid(
    session: AsyncSession, trade: Trade, *, now: datetime, received: Money | None = None
) -> None:
    """Pay a trade's invoice, as if the provider had shown it."""
    payment_id = ids.new(now)
    await invoices.request_payment(
        session,
        trade.invoice.id,
        payment_id,
        payer_id=trade.buyer.id,
        method="card",
        now=now,
    )
    seen = Seen(
        provider_id=f"pi_{payment_id}",
        state=SUCCEEDED,
        received=received or trade.invoice.amount,
        charge_id=f"ch_{payment_id}",
        payment_id=payment_id,
    )
    assert await invoices.apply_seen(session, seen, now=now)


async def with_accounts(session: AsyncSession, trade: Trade, *, now: datetime) -> None:
    """Give every owner an account that can be paid."""
    for owner in trade.owners:
        await payouts.open_account(session, owner.id, country="HK", now=now)
        await payouts.account_ready(session, owner.id, provider_id=f"acct_{owner.id}")
