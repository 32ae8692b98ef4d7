"""The queue of what needs action, oldest first, and who can act."""

from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import calendar
from contracts.calendar import Calendar
from contracts.deals.tables import Deal
from contracts.parties.tables import Party
from exchange import jobs
from exchange.api.deps import Now, Session
from exchange.console import money_queue
from exchange.console.tasks import APPROVER, MOST, OPERATOR, contract_numbers, task, to_decide
from exchange.portal import names, render
from exchange.portal.language import Language, mark
from exchange.portal.visitors import Staff
from listings.admissions import queries as admissions
from listings.disclosures import queries as disclosures
from listings.incidents import queries as incidents
from listings.recognition import queries as recognition
from listings.sealed import queries as sealed
from listings.sealed.rules import FORFEITS
from settlement.deposits import queries as deposits
from settlement.guarantees import queries as guarantees
from settlement.invoices.tables import Invoice
from settlement.payouts.tables import Payout
from settlement.plans.tables import Settlement
from settlement.timeline import rules as timeline

router = APIRouter(prefix="/console")
FIRST = UUID(int=0)
SHARES = {"exchange": OPERATOR, "auditor": "auditor"}  # the holders among the staff


@router.get("")
async def queue_page(request: Request, visitor: Staff, session: Session, now: Now) -> Response:
    """Show what waits for a person of the staff."""
    spoken = render.speaks(request)
    tasks = [
        *await _to_verify(session, spoken),
        *await _to_compare(session, spoken),
        *await _to_review(session, spoken),
        *await _to_decide_on(session),
        *await _to_prepare(session),
        *await _to_decide(session),
        *await _of_bidders(session, spoken),
        *await _of_deposits(session, spoken),
        *await _of_letters(session, spoken),
        *await _of_sealed_bids(session),
        *await _stuck(session),
        *await money_queue.waiting(session, spoken, now=now),
        *year_to_load(calendar.loaded(), calendar.day_of(now)),
    ]
    tasks.sort(key=lambda one: one["since"])
    for one in tasks:
        one["age"] = spoken.ago(one["since"], now=now)
        one["late"] = one["due_on"] is not None and one["due_on"] < calendar.day_of(now)
        one["mine"] = one["maker"] == visitor.caller.person_id
    return render.page(request, "console.html", tasks=tasks)


def year_to_load(known: Calendar, today: date) -> list[dict[str, Any]]:
    """Return the year whose working days are to be loaded before it begins, from November on."""
    year = known.lacks(today)
    if year is None:
        return []
    return [
        task(
            mark("The working days of a year are not loaded: follow the State Council's notice"),
            "/console",
            role=OPERATOR,
            whose=str(year),
            since=calendar.start_of(date(year - 1, calendar.NOTICES_FROM_MONTH, 1)),
            due_on=date(year - 1, 12, 31),
        )
    ]


async def _to_verify(session: AsyncSession, spoken: Language) -> list[dict[str, Any]]:
    wanted = select(Party).where(col(Party.state) == "registered").order_by(col(Party.created_at))
    return [
        task(
            mark("Verify an organisation"),
            "/console/parties",
            role=OPERATOR,
            whose=spoken.pick(party.name_zh, party.name_en),
            since=party.created_at,
        )
        for party in (await session.scalars(wanted.limit(MOST))).all()
    ]


async def _to_compare(session: AsyncSession, spoken: Language) -> list[dict[str, Any]]:
    return [
        task(
            mark("Compare a master with a listed work"),
            f"/console/recognition/{row.master_id}",
            role=OPERATOR,
            whose=f"{master.filename} · {spoken.pick(party.name_zh, party.name_en)}",
            since=row.opened_at or row.searched_at,
        )
        for row, master, party in await recognition.open_cases(session, after=FIRST, limit=MOST)
    ]


async def _to_review(session: AsyncSession, spoken: Language) -> list[dict[str, Any]]:
    return [
        task(
            mark("Review a disclosure"),
            f"/listings/{row.listing_id}/disclosure",
            role=OPERATOR,
            whose=spoken.pick(work.title_zh, work.title_en),
            since=row.filed_at,
            amount=(row.floor_minor, row.currency),
        )
        for row, work in await disclosures.to_review(session, limit=MOST)
    ]


async def _to_decide_on(session: AsyncSession) -> list[dict[str, Any]]:
    return [
        task(
            mark("Decide on a measure about an auction"),
            "/console/incidents",
            role=APPROVER,
            whose=row.reason,
            since=row.proposed_at,
        )
        for row in await incidents.latest(session, limit=MOST)
        if row.state == "proposed"
    ]


async def _to_prepare(session: AsyncSession) -> list[dict[str, Any]]:
    live = select(col(Payout.deal_id)).where(col(Payout.state) != "refused")
    wanted = (
        select(Settlement, Deal, Invoice)
        .join(Deal, col(Deal.id) == func.coalesce(Settlement.of_deal, Settlement.deal_id))
        .join(Invoice, col(Invoice.deal_id) == col(Settlement.deal_id))
        .where(col(Settlement.state) == "funded", col(Settlement.deal_id).not_in(live))
        .order_by(col(Settlement.planned_at))
        .limit(MOST)
    )
    return [
        task(
            mark("Prepare a payout"),
            f"/console/settlements/{settlement.deal_id}",
            role=OPERATOR,
            whose=deal.contract_no,
            since=invoice.paid_at or settlement.planned_at,
            amount=(settlement.gross_minor, settlement.currency),
            within_days=timeline.PREPARE_WITHIN_DAYS,
        )
        for settlement, deal, invoice in (await session.execute(wanted)).all()
    ]


async def _to_decide(session: AsyncSession) -> list[dict[str, Any]]:
    wanted = (
        select(Payout, Settlement, Deal)
        .join(Settlement, col(Settlement.deal_id) == col(Payout.deal_id))
        .join(Deal, col(Deal.id) == func.coalesce(Settlement.of_deal, Settlement.deal_id))
        .where(col(Payout.state) == "prepared")
        .order_by(col(Payout.prepared_at))
        .limit(MOST)
    )
    return [
        to_decide(
            mark("Decide on a payout"),
            f"/console/payouts/{payout.id}",
            payout,
            whose=deal.contract_no,
            amount=(settlement.gross_minor, settlement.currency),
        )
        for payout, settlement, deal in (await session.execute(wanted)).all()
    ]


async def _of_bidders(session: AsyncSession, spoken: Language) -> list[dict[str, Any]]:
    """Return who waits to be admitted, and who was suspended."""
    applied, suspended = mark("Check an application to bid"), mark("A bidder was suspended")
    return [
        task(
            applied if row.state == "applied" else suspended,
            f"/console/bidders/{row.auction_id}/{row.party_id}",
            role=OPERATOR,
            whose=await names.party(session, row.party_id, spoken=spoken),
            since=since,
        )
        for row in await admissions.cases(session, limit=MOST)
        if (since := row.suspended_at or row.applied_at) is not None
        and (row.suspended_at is not None or row.papers_checked_at is None)
    ]


async def _of_deposits(session: AsyncSession, spoken: Language) -> list[dict[str, Any]]:
    """Return movements that wait for a person or the bank, and what is due back."""
    decide, record = mark("Decide on a deposit"), mark("Record that a deposit went back")
    waiting = [one for one in await deposits.waiting(session, limit=MOST) if not one.is_drawing]
    moving = {(one.auction_id, one.party_id) for one in waiting}
    tasks = [
        task(
            decide if one.state == "prepared" else record,
            f"/console/bidders/{one.auction_id}/{one.party_id}",
            role=APPROVER if one.state == "prepared" else OPERATOR,
            whose=await names.party(session, one.party_id, spoken=spoken),
            since=one.decided_at or one.prepared_at,
            within_days=timeline.DECIDE_WITHIN_DAYS,
            maker=one.prepared_by if one.state == "prepared" else None,
        )
        for one in waiting
    ]
    due = [
        one
        for one in await deposits.held(session, limit=MOST)
        if one.free_at
        and (one.held_minor or one.pledged_minor)
        and (one.auction_id, one.party_id) not in moving
    ]
    named = {one.auction_id for one in due if FORFEITS in one.forfeits}
    unopened = {auction: await sealed.failed(session, auction) for auction in named}
    back = mark("Give a deposit back")
    either = mark("A sealed bid did not open: give the deposit back, or forfeit it")
    return tasks + [
        task(
            either if one.party_id in unopened.get(one.auction_id, ()) else back,
            f"/console/bidders/{one.auction_id}/{one.party_id}",
            role=OPERATOR,
            whose=await names.party(session, one.party_id, spoken=spoken),
            since=one.free_at or one.required_at,
            amount=(one.held_minor or one.pledged_minor, one.currency),
            due_on=one.return_by,
        )
        for one in due
    ]


async def _of_letters(session: AsyncSession, spoken: Language) -> list[dict[str, Any]]:
    """Return letters of guarantee that wait for acceptance, or for what the bank pays."""
    accept, demanded = mark("Decide on a letter of guarantee"), mark("Demand under a letter")
    return [
        task(
            accept if one.state == "offered" else demanded,
            f"/console/bidders/{one.auction_id}/{one.party_id}#guarantee-{one.id}",
            role=APPROVER if one.state == "offered" else OPERATOR,
            whose=await names.party(session, one.party_id, spoken=spoken),
            since=one.offered_at,
            amount=(one.amount_minor, one.currency),
            due_on=one.valid_until if one.state == "demanded" else None,
            within_days=timeline.DECIDE_WITHIN_DAYS if one.state == "offered" else None,
        )
        for one in await guarantees.waiting(session, limit=MOST)
    ]


async def _of_sealed_bids(session: AsyncSession) -> list[dict[str, Any]]:
    """Return opening keys whose shares staff have not shown, and bids that wait for shares."""
    to_come = await sealed.unacknowledged(session, holders=tuple(SHARES), limit=MOST)
    closed = await sealed.unopened(session, holders=tuple(SHARES), limit=MOST)
    return [
        task(
            mark("Acknowledge the share of an opening key"),
            f"/auctions/{key.auction_id}/opening-key",
            role=SHARES[holder],
            whose=str(key.auction_id),
            since=key.registered_at,
        )
        for key, holder in to_come
    ] + [
        task(
            mark("Hand in the share that opens sealed bids"),
            f"/auctions/{auction.id}/opening",
            role=SHARES[holder],
            whose=str(auction.id),
            since=auction.closes_at,
        )
        for auction, holder in closed
    ]


async def _stuck(session: AsyncSession) -> list[dict[str, Any]]:
    """Return reactions that keep failing: an operator mends their cause, or voids the deal."""
    found = await jobs.stuck_reactions(session)
    numbers = await contract_numbers(session, [each.subject for each in found])
    return [
        task(
            mark("A background step keeps failing"),
            f"/deals/{each.subject}" if each.subject in numbers else "/console",
            role=OPERATOR,
            whose=f"{numbers.get(each.subject, each.subject)} · {each.reaction} × {each.attempts}",
            since=each.since,
        )
        for each in found
    ]
