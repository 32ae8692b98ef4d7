"""Payouts as the staff sees them: prepared by one person, approved or refused by another."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.deals import queries as deals
from exchange.api import payouts as api
from exchange.api.deps import Now, Session
from exchange.console.deciding import Decided
from exchange.console.tasks import contracts_of
from exchange.portal import money, names, render
from exchange.portal.language import Language
from exchange.portal.visitors import Staff
from settlement.batches import queries as batches
from settlement.payouts import queries as payouts
from settlement.payouts.tables import Payout

router = APIRouter(prefix="/console/payouts")
PAGE = 50


@router.get("")
async def payouts_page(
    request: Request, visitor: Staff, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show every payout, those that wait first, to be ticked for a batch."""
    found = await api.list_payouts(session=session, caller=visitor.caller, after=after, limit=PAGE)
    under = await contracts_of(session, [each.deal_id for each in found.items])
    spoken = render.speaks(request)
    shown = [
        {**await _shown(session, each, spoken), "deal": under[each.deal_id].contract_no}
        for each in found.items
    ]
    waiting = await batches.open_payouts(session, limit=PAGE)
    return render.page(
        request,
        "payouts.html",
        payouts=shown,
        next=found.next,
        open=await _open(session, waiting),
        batches=await batches.waiting(session, limit=PAGE),
        batch_id=ids.new(now),
    )


@router.get("/{payout_id}")
async def payout_page(
    request: Request, payout_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show a payout with all that its decision is about."""
    found = await api.get_payout(payout_id=payout_id, session=session, caller=visitor.caller)
    spoken = render.speaks(request)
    return render.page(
        request,
        "payout.html",
        payout=await _shown(session, found, spoken),
        deal=await deals.get_deal(session, found.deal_id),
        settlement=await money.settlement(
            session, found.deal_id, caller=visitor.caller, spoken=spoken
        ),
        prepared_by_me=found.prepared_by == visitor.caller.person_id,
    )


@router.post("/{payout_id}/{verdict}")
async def send_verdict(request: Request, payout_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly what the page showed."""
    await sent.decide(api.approve_payout, api.refuse_payout, payout_id=payout_id)
    return render.see(request, f"/console/payouts/{payout_id}")


async def _open(session: AsyncSession, waiting: Sequence[Payout]) -> list[dict[str, Any]]:
    """Return payouts that may be ticked, with what each pays together."""
    under = await contracts_of(session, [each.deal_id for each in waiting])
    paid = await payouts.transfers_of(session, [each.id for each in waiting])
    return [
        {
            "id": each.id,
            "deal": under[each.deal_id].contract_no,
            "by": await names.person(session, each.prepared_by),
            "amount_minor": sum(one.amount_minor for one in paid[each.id]),
            "currency": paid[each.id][0].currency,
        }
        for each in waiting
    ]


async def _shown(session: AsyncSession, payout: api.PayoutOut, spoken: Language) -> dict[str, Any]:
    return {
        **payout.model_dump(),
        "prepared_by_name": await names.person(session, payout.prepared_by),
        "decided_by_name": await names.person(session, payout.decided_by),
        "withheld": [
            {**each.model_dump(), "name": await names.party(session, each.party_id, spoken=spoken)}
            for each in payout.withheld
        ],
        "transfers": [
            {**each.model_dump(), "name": await names.party(session, each.party_id, spoken=spoken)}
            for each in payout.transfers
        ],
    }
