"""Deals: the list, and one deal with its timeline, contract, terms and money."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.titles import queries as titles
from exchange import witnessing
from exchange.api import deals as api
from exchange.api import dues
from exchange.api.deps import Now, Session
from exchange.api.packaged import PackagedWorkOut
from exchange.identity.rules import Caller
from exchange.portal import lives, money, render, timeline
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language
from exchange.portal.visitors import SignedIn, Visitor
from settlement.invoices.tables import Invoice, Payment
from settlement.payouts.tables import Payout
from settlement.plans.tables import Settlement
from settlement.royalties.rules import MONTHS_OF

router = APIRouter(prefix="/deals")
PAGE = 50


@router.get("")
async def deals_page(
    request: Request, visitor: SignedIn, session: Session, after: UUID | None = None
) -> Response:
    """Show the deals of the visitor's organisation; the staff sees all."""
    found = await api.list_deals(session=session, caller=visitor.caller, after=after, limit=PAGE)
    spoken = render.speaks(request)
    deals = [
        {**deal.model_dump(), "other": _other(deal, visitor.caller, spoken)} for deal in found.items
    ]
    return render.page(request, "deals.html", deals=deals, next=found.next)


@router.get("/{deal_id}")
async def deal_page(
    request: Request, deal_id: UUID, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Show a deal to its parties and the staff."""
    caller, spoken = visitor.caller, render.speaks(request)
    deal = await api.get_deal(deal_id=deal_id, session=session, caller=caller)
    frozen = await api.get_deal_terms(deal_id=deal_id, session=session, caller=caller)
    terms = canonical.loads(bytes(frozen.body))
    about = await _about(session, deal, terms["award"])
    return render.page(
        request,
        "deal.html",
        deal=_shown(deal, visitor, spoken),
        executed=deal.executed_at is not None and _is_side(deal, visitor),
        life=await lives.shown(session, deal, terms, caller=caller, spoken=spoken),
        fresh=lives.fresh_ids(now),
        witnesses=await witnessing.of_deal(session, deal_id),
        rights=terms["grants"],
        work_id=deal.work_id,
        works=[
            {**one.model_dump(), "title": spoken.pick(one.title_zh, one.title_en)}
            for one in deal.works
        ],
        grants=await _grants(session, deal),
        title=terms["work"]["title"] if "work" in terms else _titles(deal.works),
        timeline=await timeline.entries(session, about, caller=caller, spoken=spoken),
        settlement=await money.settlement(session, deal_id, caller=caller, spoken=spoken),
        dues=await dues.list_dues(deal_id, session=session, caller=caller, now=now)
        if _is_side(deal, visitor)
        else None,
        royalties=terms["consideration"]["kind"] in MONTHS_OF and _is_side(deal, visitor),
    )


@router.post("/{deal_id}/payment-demands")
async def send_demand(
    request: Request, deal_id: UUID, visitor: SignedIn, form: Sent, session: Session, *, now: Now
) -> Response:
    """Demand payment of what is late."""
    body = shape(dues.DemandIn, text=form.text("text"))
    await dues.demand_payment(
        deal_id, form.id("notice_id"), body,
        response=Response(), session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/deals/{deal_id}")


def _titles(works: Sequence[PackagedWorkOut]) -> dict[str, str]:
    """Return how the works of a package are called together."""
    first, more = works[0], len(works) - 1
    return {
        "zh": f"{first.title_zh} 等{more + 1}部作品",
        "en": f"{first.title_en} and {more} more",
    }


async def _grants(session: AsyncSession, deal: api.DealOut) -> list[dict[str, Any]]:
    """Return the grants of a deal under which something may have been shown."""
    works = [one.work_id for one in deal.works] or [deal.work_id]
    grants = [
        grant for work_id in works for grant in await titles.by_deal(session, work_id, deal.id)
    ]
    return [
        {"id": grant.id, "work_id": grant.work_id, "right": grant.wire, "runs_max": grant.runs_max}
        for grant in grants
        if grant.state in ("effective", "ended")
    ]


def _shown(deal: api.DealOut, visitor: Visitor, spoken: Language) -> dict[str, Any]:
    sides = {side.id: _name(side, spoken) for side in (deal.licensor, deal.licensee)}
    signer = deal.next_signer
    return {
        **deal.model_dump(),
        "licensor_name": _name(deal.licensor, spoken),
        "licensee_name": _name(deal.licensee, spoken),
        "next_signer_name": "" if signer is None else sides[signer],
        "next_signer_is_me": signer == visitor.caller.party_id,
    }


def _is_side(deal: api.DealOut, visitor: Visitor) -> bool:
    """Tell whether the visitor is of a side of the deal as it stands, or of the staff."""
    return visitor.is_staff or visitor.caller.party_id in (deal.licensor.id, deal.licensee.id)


def _other(deal: api.DealOut, caller: Caller, spoken: Language) -> str:
    sides = (deal.licensor, deal.licensee)
    return " – ".join(_name(side, spoken) for side in sides if side.id != caller.party_id)


def _name(side: api.SideOut, spoken: Language) -> str:
    return spoken.pick(side.name_zh, side.name_en)


async def _about(session: AsyncSession, deal: api.DealOut, award: Mapping[str, Any]) -> list[UUID]:
    """Return the objects whose facts tell the deal's story."""
    under = select(col(Settlement.deal_id)).where(
        (col(Settlement.deal_id) == deal.id) | (col(Settlement.of_deal) == deal.id)
    )
    invoices = select(col(Invoice.id)).where(col(Invoice.deal_id).in_(under))
    payments = select(col(Payment.id)).where(col(Payment.invoice_id).in_(invoices))
    payouts = select(col(Payout.id)).where(col(Payout.deal_id).in_(under))
    agreed = [UUID(award.get("auction") or award["offer"])]
    found = [deal.id, *agreed] + ([deal.listing_id] if deal.listing_id else [])
    for wanted in (invoices, payments, payouts):
        found += (await session.scalars(wanted)).all()
    return found
