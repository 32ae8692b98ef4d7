"""Claims under a deal beyond its price: each a settlement of its own, divided as the price was."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.money import Money
from settlement.plans import queries, rules, service
from settlement.plans.rules import COMMISSION, INTERESTS, Part, SoFar
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
    counted = [one for one in (base, *earlier) if (one.kind in INTERESTS) == (kind in INTERESTS)]
    parts = rules.further(amount, first=first, so_far=await _so_far(session, counted))
    made = Settlement(
        deal_id=claim_id,
        of_deal=of,
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
    await service.add(session, made, parts)
    return made


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
