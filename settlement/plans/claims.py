"""Claims under a deal beyond its price: each a settlement of its own, divided as the price was."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.money import Money
from contracts.parties import service as parties
from settlement.fees import queries as fees
from settlement.fees import rules as fee_rules
from settlement.fees.rules import BUYER, SELLER
from settlement.plans import queries, rules, service
from settlement.plans.rules import COMMISSION, INTERESTS, SERVICE_FEE, Part, SoFar
from settlement.plans.tables import Settlement, SettlementLine


async def claim(
    session: AsyncSession,
    claim_id: UUID,
    *,
    of: UUID,
    kind: str,
    amount: Money,
    part: int | None = None,
    now: datetime,
) -> Settlement:
    """Plan a claim under a deal: who gets which part, by the rates of the deal's own plan.

    The parts of the price and of all its royalties together are those of their sum; interest
    (利息、违约金) is divided by itself, and the exchange takes nothing of it.

    Args:
        session: the open transaction.
        claim_id: a fresh id; invoices, payouts and journals of the claim go by it.
        of: the deal, whose price was planned.
        kind: `royalties`, `interest` or `deferral`.
        amount: positive, in the deal's currency.
        part: the instalment that interest is on, where it is on one.
        now: the instant.

    Raises:
        Unknown: the deal has no settlement.
    """
    base = await service.locked(session, of)
    first = [_part(line, base) for line in await queries.lines(session, of)]
    if kind in INTERESTS:
        first = [replace(first[0], rate_bp=0), *first[1:]]
    earlier = await queries.claims(session, of)
    counted = [
        one
        for one in (base, *earlier)
        if one.kind != SERVICE_FEE and (one.kind in INTERESTS) == (kind in INTERESTS)
    ]
    so_far = await _so_far(session, counted)
    commission = 0
    if kind not in INTERESTS:
        to_date = Money(so_far.gross_minor + amount.amount_minor, amount.currency)
        commission = await _commission(session, base, to_date, rate_bp=first[0].rate_bp)
    parts = rules.further(amount, first=first, so_far=so_far, commission_minor=commission)
    made = _row(base, claim_id, kind=kind, amount=amount, part=part, now=now)
    await service.add(session, made, parts)
    return made


async def charge_buyer(
    session: AsyncSession, claim_id: UUID, *, of: UUID, now: datetime
) -> Settlement:
    """Plan the buyer's fee of a deal (买方服务费): it owes the exchange, which keeps all of it.

    Raises:
        Unknown: the deal has no settlement.
        ValueError: its buyer owes no fee (a bug, not a refusal).
    """
    base = await service.locked(session, of)
    row = await fees.find_of(session, of)
    if row is None or not row.buyer_minor:
        raise ValueError("this buyer owes no fee")
    schedule = await fees.named(session, row.schedule_sha256)
    charge = fee_rules.of_settlement(schedule, BUYER, row.agreed(), gross=await _whole(session, of))
    exchange = await parties.ensure_exchange(session, now=now)
    made = _row(base, claim_id, kind=SERVICE_FEE, amount=charge.amount, part=None, now=now)
    made.licensor_id = exchange.id
    await service.add(session, made, rules.charged(charge, exchange_id=exchange.id))
    return made


async def _whole(session: AsyncSession, deal_id: UUID) -> Money:
    """Return the price that a deal's settlements make together."""
    parts = await queries.parts_of(session, deal_id)
    return Money(sum(one.gross_minor for one in parts), parts[0].currency)


async def _commission(
    session: AsyncSession, base: Settlement, to_date: Money, *, rate_bp: int
) -> int:
    """Return what the exchange takes of all proceeds to date, by the fees that the deal agreed.

    A settlement from before fees were agreed has a flat rate.
    """
    row = await fees.find_of(session, base.deal_id)
    if row is None:
        return to_date.share(rate_bp).amount_minor
    schedule = await fees.named(session, row.schedule_sha256)
    charge = fee_rules.of_settlement(schedule, SELLER, row.agreed(), gross=to_date)
    return charge.amount.amount_minor


async def _so_far(session: AsyncSession, settlements: Sequence[Settlement]) -> SoFar:
    wanted = select(SettlementLine).where(
        col(SettlementLine.deal_id).in_([one.deal_id for one in settlements])
    )
    commission, got = 0, dict[UUID, int]()
    for line in await session.scalars(wanted):
        if line.kind == COMMISSION:
            commission += line.amount_minor
        else:
            got[line.payee_id] = got.get(line.payee_id, 0) + line.amount_minor
    return SoFar(sum(one.gross_minor for one in settlements), commission, got)


def _part(line: SettlementLine, base: Settlement) -> Part:
    return Part(
        payee_id=line.payee_id,
        kind=line.kind,
        basis_minor=line.basis_minor,
        rate_bp=line.rate_bp,
        amount=Money(line.amount_minor, base.currency),
        reason=line.reason,
    )


def _row(
    base: Settlement, claim_id: UUID, *, kind: str, amount: Money, part: int | None, now: datetime
) -> Settlement:
    return Settlement(
        deal_id=claim_id,
        of_deal=base.deal_id,
        kind=kind,
        part=part,
        work_id=base.work_id,
        licensor_id=base.licensor_id,
        licensee_id=base.licensee_id,
        gross_minor=amount.amount_minor,
        currency=amount.currency,
        terms_sha256=base.terms_sha256,
        state=rules.AWAITING_PAYMENT,
        planned_at=now,
    )
