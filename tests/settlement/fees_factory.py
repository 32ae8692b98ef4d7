"""Fees for tests: a flat charge, and schedules with tiers of their own."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from settlement.fees import gateway, rules, service
from settlement.fees.rules import Charge, Schedule
from settlement.fees.tables import FeeProposal
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import staff


def flat(gross: Money, rate_bp: int) -> Charge:
    """What a schedule of one rate takes of a price."""
    return Charge(gross.share(rate_bp), rate_bp, "basis")


def gemas() -> Schedule:
    """The tiered schedule that ships as an example."""
    return gateway.shipped()["gemas-2024"]


def usual() -> Schedule:
    """The exchange's own."""
    return gateway.shipped()["uhdx-2026"]


def case(sale: str, *, listed: int, deal: int) -> rules.Case:
    """A case in yuan of whole minor units."""
    return rules.Case(sale, Money(listed, "CNY"), Money(deal, "CNY"))


def own(name: str, rate_bp: int, currency: str = "SEK") -> dict[str, Any]:
    """A schedule of one rate, in a currency that no other test's announcement serves."""
    wire = usual().wire()
    row = {**wire["rows"][0], "rate_bp": rate_bp}
    return {**wire, "id": name, "currency": currency, "rows": [row]}


async def prepared(
    session: AsyncSession,
    wire: dict[str, Any],
    *,
    valid_from: date,
    maker: UUID | None = None,
    now: datetime = NOW,
) -> FeeProposal:
    """A schedule that one person prepared."""
    by = maker or await staff(session)
    said: dict[str, Any] = {"wire": wire, "valid_from": valid_from, "person_id": by, "now": now}
    return (await service.prepare(session, ids.new(now), **said))[0]


async def announced(
    session: AsyncSession, wire: dict[str, Any], *, valid_from: date, now: datetime = NOW
) -> FeeProposal:
    """A schedule that one person prepared and another approved."""
    made = await prepared(session, wire, valid_from=valid_from, now=now)
    decision = await decided(session, await staff(session), made.content_sha256, now=now)
    return await service.approve(session, made.id, decision=decision, now=now)


async def of_one(session: AsyncSession, *, now: datetime) -> dict[str, str]:
    """A schedule that waits for its decision, by the name that addresses give its id."""
    day = rules.day_of(now) + timedelta(days=30)
    made = await prepared(session, own("waits", 1), valid_from=day, now=now)
    return {"announcement_id": str(made.id)}
