"""Planning a settlement and moving it forward."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids, locking, writing
from contracts.money import WHOLE_BP, Money
from contracts.parties import service as parties
from contracts.refusal import Unknown
from contracts.titles import queries as titles
from settlement.fees import queries as fees
from settlement.fees import rules as fee_rules
from settlement.fees.rules import BUYER, NEGOTIATED, SELLER, Agreed, Case, Charge, Schedule
from settlement.fees.tables import SettlementFee
from settlement.plans import queries, rules
from settlement.plans.rules import Terms
from settlement.plans.tables import Settlement, SettlementLine


async def plan(session: AsyncSession, terms: Terms, *, now: datetime) -> Settlement:
    """Plan the settlement of an executed deal, once; a work without shares is its licensor's.

    So is what a licensee licensed on (转授权): what it owes the owners, its own licence says. The
    exchange is made a party on first use. Where the price is paid in parts, each has a settlement
    of its own; the first, which is returned, goes by the deal's id. Fees are those that the deal
    agreed, whatever is in force since; a deal that says nothing of them pays those of the day.
    """
    planned = await queries.find_settlement(session, terms.deal_id)
    if planned is not None:
        return planned
    agreed = terms.fees or await _fees_of_the_day(session, terms.gross, now=now)
    schedule = await fees.named(session, agreed.schedule_sha256)
    charge = fee_rules.of_settlement(schedule, SELLER, agreed, gross=terms.gross)
    parts = await _parts(session, terms, charge, now=now)
    amounts = terms.amounts or [terms.gross]
    steps = rules.divided(parts, amounts) if terms.amounts else [parts]
    made = [
        _row(terms, amount, part=number if terms.amounts else None, now=now)
        for number, amount in enumerate(amounts, 1)
    ]
    for settlement, step in zip(made, steps, strict=True):
        await add(session, settlement, step)
    buyer = fee_rules.of_settlement(schedule, BUYER, agreed, gross=terms.gross)
    session.add(_fee(terms.deal_id, schedule, agreed, seller=charge, buyer=buyer))
    await session.flush()
    return made[0]


async def add(session: AsyncSession, settlement: Settlement, parts: Sequence[rules.Part]) -> None:
    """Write a settlement and its lines."""
    session.add(settlement)
    await session.flush()
    lines = [_line(settlement.deal_id, number, part) for number, part in enumerate(parts, 1)]
    await writing.write_new(session, SettlementLine, lines)


async def _fees_of_the_day(session: AsyncSession, gross: Money, *, now: datetime) -> Agreed:
    _, schedule = await fees.in_force(session, currency=gross.currency, at=now)
    return Agreed(schedule.sha256, Case(NEGOTIATED, gross, gross))


async def _parts(
    session: AsyncSession, terms: Terms, charge: Charge, *, now: datetime
) -> list[rules.Part]:
    exchange = await parties.ensure_exchange(session, now=now)
    if not terms.works:
        shares = await _shares(session, terms.work_id, licensor_id=terms.licensor_id)
        return rules.parts(terms.gross, charge=charge, exchange_id=exchange.id, shares=shares)
    works = [
        (amount, await _shares(session, work_id, licensor_id=terms.licensor_id))
        for work_id, amount in terms.works
    ]
    return rules.package_parts(terms.gross, charge=charge, exchange_id=exchange.id, works=works)


async def _shares(session: AsyncSession, work_id: UUID, *, licensor_id: UUID) -> Mapping[UUID, int]:
    shares = {share.party_id: share.share_bp for share in await titles.shares(session, work_id)}
    return shares if licensor_id in shares else {licensor_id: WHOLE_BP}


async def locked(session: AsyncSession, deal_id: UUID) -> Settlement:
    """Return a settlement, locked until the transaction ends.

    Raises:
        Unknown: the deal has none.
    """
    found = await locking.find_locked(session, Settlement, col(Settlement.deal_id) == deal_id)
    if found is None:
        raise Unknown("There is no such settlement.")
    return found


async def locked_many(
    session: AsyncSession, deal_ids: Collection[UUID]
) -> Mapping[UUID, Settlement]:
    """Return settlements by deal, locked in the order of their deals' ids and read anew."""
    wanted = select(Settlement).where(col(Settlement.deal_id).in_(deal_ids))
    ordered = wanted.order_by(col(Settlement.deal_id)).with_for_update(key_share=True)
    found = await session.scalars(ordered.execution_options(populate_existing=True))
    return {settlement.deal_id: settlement for settlement in found}


async def advance(session: AsyncSession, deal_id: UUID, *, to: str) -> Settlement:
    """Move a settlement one step forward; a step already made is left as it is.

    Raises:
        ValueError: the step would leave one out (a bug, not a refusal).
    """
    settlement = await locked(session, deal_id)
    _step(settlement, to)
    await session.flush()
    return settlement


async def fund(session: AsyncSession, deal_id: UUID) -> Settlement:
    """Note that a settlement's money is here; of a buyer's fee nothing is left to pay out."""
    settlement = await advance(session, deal_id, to=rules.FUNDED)
    if settlement.kind == rules.SERVICE_FEE:
        for step in (rules.PAYING, rules.PAID_OUT):
            settlement = await advance(session, deal_id, to=step)
    return settlement


async def advance_many(
    session: AsyncSession, deal_ids: Collection[UUID], *, to: str
) -> Mapping[UUID, Settlement]:
    """Move several settlements, as `advance` moves each; return them by deal.

    Raises:
        ValueError: see `advance`.
    """
    settlements = await locked_many(session, deal_ids)
    for settlement in settlements.values():
        _step(settlement, to)
    await session.flush()
    return settlements


def _step(settlement: Settlement, to: str) -> None:
    here, there = rules.STEPS.index(settlement.state), rules.STEPS.index(to)
    if there > here + 1:
        raise ValueError(f"a settlement does not go from {settlement.state} to {to}")
    if there == here + 1:
        settlement.state = to


def _row(terms: Terms, gross: Money, *, part: int | None, now: datetime) -> Settlement:
    further = part is not None and part > 1
    return Settlement(
        deal_id=ids.new(now) if further else terms.deal_id,
        of_deal=terms.deal_id if further else None,
        kind=rules.INSTALMENT if further else rules.PRICE,
        part=part,
        work_id=terms.work_id,
        licensor_id=terms.licensor_id,
        licensee_id=terms.licensee_id,
        gross_minor=gross.amount_minor,
        currency=gross.currency,
        terms_sha256=terms.terms_sha256,
        state=rules.AWAITING_PAYMENT,
        planned_at=now,
    )


def _line(deal_id: UUID, number: int, part: rules.Part) -> dict[str, Any]:
    return {
        "deal_id": deal_id,
        "line": number,
        "payee_id": part.payee_id,
        "kind": part.kind,
        "basis_minor": part.basis_minor,
        "rate_bp": part.rate_bp,
        "amount_minor": part.amount.amount_minor,
        "reason": part.reason,
    }


def _fee(
    deal_id: UUID, schedule: Schedule, agreed: Agreed, *, seller: Charge, buyer: Charge
) -> SettlementFee:
    return SettlementFee(
        deal_id=deal_id,
        schedule=schedule.id,
        schedule_sha256=schedule.sha256,
        sale=agreed.case.sale,
        listed_minor=agreed.case.listed.amount_minor,
        price_minor=agreed.case.deal.amount_minor,
        before_minor=agreed.before_minor,
        seller_minor=seller.amount.amount_minor,
        buyer_minor=buyer.amount.amount_minor,
        currency=agreed.case.deal.currency,
    )
