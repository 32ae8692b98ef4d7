"""Asking for what a deal owes: its price is planned and invoiced, whole or part by part."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import instalments, lifecycle, works
from contracts.deals.tables import Deal
from contracts.money import Money
from settlement.fees import agreeing
from settlement.fees import queries as fees
from settlement.invoices import queries, service
from settlement.invoices.rules import Due
from settlement.invoices.tables import Invoice
from settlement.plans import claims
from settlement.plans import queries as settlements
from settlement.plans import service as plans
from settlement.plans.rules import DEFERRAL, Terms


async def ask(session: AsyncSession, deal: Deal, asked: Money, *, now: datetime) -> Invoice:
    """Plan and invoice what a deal that takes effect asks for, once; return the first invoice.

    Each part has an invoice of its own, due when the contract says. The interest on a part for the
    time that the contract gives for it has one too, due with the part; it bears none itself. Of a
    deal that takes another's place the difference is asked for, which is one sum. The buyer's
    service fee has an invoice of its own: the exchange sells that service, not the licensor.
    """
    before = await queries.find_invoice_of_deal(session, deal.id)
    if before is not None:
        return before
    terms = canonical.loads(deal.terms)
    dues = instalments.of_terms(terms) if asked == deal.price else []
    await plans.plan(session, _terms(deal, asked, dues), now=now)
    days = [one.due_days for one in dues] or [terms["parameters"]["due_days"]]
    made = []
    for settlement, due_days in zip(
        await settlements.parts_of(session, deal.id), days, strict=True
    ):
        due = Due(lifecycle.cure_by(now, days=due_days), terms["parameters"]["late_bp_daily"])
        made.append(await service.issue(session, settlement, due=due, now=now))
    for part, one in enumerate(dues, 1):
        if one.interest.amount_minor:
            await _ask_interest(session, deal, part, one, now=now)
    await _ask_fee(session, deal, due_days=terms["parameters"]["due_days"], now=now)
    return made[0]


async def _ask_fee(session: AsyncSession, deal: Deal, *, due_days: int, now: datetime) -> None:
    """Ask the buyer for its fee on an invoice of the exchange's own, where it owes one."""
    agreed = await fees.find_of(session, deal.id)
    if agreed is not None and agreed.buyer_minor:
        claim = await claims.charge_buyer(session, ids.new(now), of=deal.id, now=now)
        await service.issue(session, claim, due=Due(lifecycle.cure_by(now, days=due_days)), now=now)


async def _ask_interest(
    session: AsyncSession, deal: Deal, part: int, due: instalments.Due, *, now: datetime
) -> None:
    claim = await claims.claim(
        session, ids.new(now), of=deal.id, kind=DEFERRAL, amount=due.interest, part=part, now=now
    )
    until = Due(lifecycle.cure_by(now, days=due.due_days))
    await service.issue(session, claim, due=until, now=now)


def _terms(deal: Deal, asked: Money, dues: Sequence[instalments.Due]) -> Terms:
    said: Mapping[str, Any] = {
        "deal_id": deal.id,
        "work_id": deal.work_id,
        "licensor_id": deal.licensor_id,
        "licensee_id": deal.licensee_id,
        "gross": asked,
        "terms_sha256": deal.terms_sha256,
        "works": works.worth(canonical.known(deal.terms)),
        "fees": agreeing.agreed(canonical.known(deal.terms), before=deal.price - asked),
    }
    return Terms(**said, amounts=[one.amount for one in dues] if len(dues) > 1 else ())
