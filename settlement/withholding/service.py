"""Withholding when a payee is paid, and giving back what was withheld of what goes back."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.calendar import day_of
from contracts.facts import service as facts
from contracts.money import Money
from settlement.residences import queries as residences
from settlement.taxes import gateway as taxes
from settlement.taxes import rules as tax_rules
from settlement.withholding import queries, rules
from settlement.withholding.rules import Back, Cut, Remaining
from settlement.withholding.tables import WithheldReturn, WithheldTax


async def reckon(
    session: AsyncSession, owed: Mapping[UUID, Money], *, payer_id: UUID, now: datetime
) -> list[Cut]:
    """Return what would be withheld of payees' gross if they were paid now, by payee.

    Args:
        session: the open transaction.
        owed: the gross of each payee.
        payer_id: the licensee.
        now: the instant; the day is that of the exchange's seat.
    """
    on = day_of(now)
    there = await residences.in_force(session, [*owed, payer_id], on=on)
    return [
        rules.cut(
            party_id,
            gross,
            payer=there[payer_id].country,
            residence=there[party_id],
            rows=taxes.shipped(),
            on=on,
        )
        for party_id, gross in sorted(owed.items())
    ]


async def keep(
    session: AsyncSession,
    cuts: Sequence[Cut],
    *,
    payout_id: UUID,
    deal_id: UUID,
    now: datetime,
) -> None:
    """Write down what an approved payout withholds; its journal is booked with the approval."""
    for one in cuts:
        if not one.kept:
            continue
        rows = [_row(one, kept, payout_id=payout_id, deal_id=deal_id, now=now) for kept in one.kept]
        session.add_all(rows)
        await session.flush()
        record = {
            "payout": str(payout_id),
            "deal": str(deal_id),
            "party": str(one.party_id),
            "gross_minor": one.gross.amount_minor,
            "currency": one.gross.currency,
            "withheld": [
                {"id": str(row.id), "tax": row.tax, "rule": row.rule, "minor": row.amount_minor}
                for row in rows
            ],
        }
        told = [one.party_id]
        await facts.record(session, "tax.withheld", payout_id, record, parties=told, now=now)


async def locked(
    session: AsyncSession, deal_id: UUID, payees: Collection[UUID]
) -> Mapping[UUID, Sequence[WithheldTax]]:
    """Return by payee what was withheld of a settlement, locked in the order of the ids.

    A remittance locks in the same order: what goes back is either not remitted, or claimed.
    """
    wanted = (
        select(WithheldTax)
        .where(col(WithheldTax.deal_id) == deal_id, col(WithheldTax.party_id).in_(payees))
        .order_by(col(WithheldTax.id))
        .with_for_update(key_share=True)
    )
    found: dict[UUID, list[WithheldTax]] = {payee: [] for payee in payees}
    for row in await session.scalars(wanted):
        found[row.party_id].append(row)
    return found


async def going_back(
    session: AsyncSession,
    rows: Sequence[WithheldTax],
    *,
    left_minor: int,
    step_minor: int,
    remitted: Collection[UUID],
) -> list[Back]:
    """Return what goes back of one payee's withheld taxes with a step of its gross.

    Args:
        session: the open transaction.
        rows: what was withheld of the payee, locked.
        left_minor: what was left of the payee's part before the step.
        step_minor: how much of it goes back now.
        remitted: those of the rows that are with the authority, or on their way.
    """
    before = await queries.returned(session, [row.id for row in rows])
    found = []
    for row in rows:
        back_minor = row.gross_minor - left_minor
        one = Remaining(row.gross_minor, row.amount_minor, back_minor, before.get(row.id, 0))
        amount = Money(rules.back(one, step_minor), row.currency)
        state = rules.CLAIMED if row.id in remitted else rules.REVERSED
        if amount.amount_minor:
            found.append(Back(row.id, row.authority, row.tax, amount, state))
    return found


async def take_back(
    session: AsyncSession, backs: Sequence[Back], *, cause: str, cause_id: UUID, now: datetime
) -> None:
    """Write down what goes back of withheld taxes; the caller books it."""
    rows = [
        WithheldReturn(
            id=ids.new(now),
            withheld_id=one.withheld_id,
            cause=cause,
            cause_id=cause_id,
            amount_minor=one.amount.amount_minor,
            state=one.state,
            created_at=now,
        )
        for one in backs
    ]
    session.add_all(rows)
    await session.flush()
    of = await queries.by_id(session, [row.withheld_id for row in rows])
    for row in rows:
        whole = of[row.withheld_id]
        record = {
            "withheld": str(row.withheld_id),
            "cause": str(cause_id),
            "party": str(whole.party_id),
            "amount_minor": row.amount_minor,
            "currency": whole.currency,
            "state": row.state,
        }
        told = [whole.party_id]
        await facts.record(session, "tax.returned", whole.payout_id, record, parties=told, now=now)


def _row(
    one: Cut, kept: rules.Kept, *, payout_id: UUID, deal_id: UUID, now: datetime
) -> WithheldTax:
    rule, on = kept.rule, day_of(now)
    period, due_on = tax_rules.falls_due(taxes.deadlines(), rule.code, on=on)
    return WithheldTax(
        id=ids.new(now),
        payout_id=payout_id,
        party_id=one.party_id,
        deal_id=deal_id,
        tax=rule.code,
        rule=rule.id,
        rate_bp=rule.rate_bp,
        legal_basis=rule.legal_basis,
        authority=rule.authority,
        country=one.country,
        certificate_no=one.certificate_no if rule.payee == one.country else None,
        gross_minor=one.gross.amount_minor,
        amount_minor=kept.amount.amount_minor,
        currency=kept.amount.currency,
        withheld_on=on,
        period=period,
        due_on=due_on,
        created_at=now,
    )
