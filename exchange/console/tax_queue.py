"""What waits for the staff about withheld taxes: residences, remittances, receipts."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from exchange.console.tasks import APPROVER, MOST, OPERATOR, task, to_decide
from exchange.portal import names, wording
from exchange.portal.language import Language, mark
from settlement.remittances import queries as remittances
from settlement.remittances.rules import APPROVED, PREPARED
from settlement.remittances.tables import Remittance
from settlement.residences import queries as residences

Tasks = list[dict[str, Any]]


async def waiting(session: AsyncSession, spoken: Language) -> Tasks:
    """Return all that waits about withheld taxes, each with its due day."""
    return [
        *await _residences(session, spoken),
        *await _dues(session, spoken),
        *[_remittance(row, spoken) for row in await remittances.waiting(session, limit=MOST)],
    ]


async def _residences(session: AsyncSession, spoken: Language) -> Tasks:
    return [
        to_decide(
            mark("Decide on a tax residence"),
            f"/console/tax-residences/{row.id}",
            row,
            whose=await names.party(session, row.party_id, spoken=spoken),
        )
        for row in await residences.waiting(session, limit=MOST)
    ]


async def _dues(session: AsyncSession, spoken: Language) -> Tasks:
    return [
        task(
            mark("Remit withheld tax"),
            "/console/remittances#dues",
            role=OPERATOR,
            whose=_of(one.group.authority, one.group.tax, one.group.period, spoken),
            since=one.since,
            amount=(one.amount.amount_minor, one.group.currency),
            due_on=one.due_on,
        )
        for one in await remittances.dues(session, limit=MOST)
    ]


def _remittance(row: Remittance, spoken: Language) -> dict[str, Any]:
    said = {
        PREPARED: mark("Decide on a remittance of withheld tax"),
        APPROVED: mark("Have the bank pay a remittance of withheld tax"),
    }.get(row.state, mark("Record the tax office's receipt"))
    decides = row.state == PREPARED
    return task(
        said,
        f"/console/remittances/{row.id}",
        role=APPROVER if decides else OPERATOR,
        whose=_of(row.authority, row.tax, row.period, spoken),
        since=row.paid_at or row.decided_at or row.prepared_at,
        amount=(row.amount_minor, row.currency),
        due_on=row.due_on,
        maker=row.prepared_by if decides else None,
    )


def _of(authority: str, tax: str, period: str, spoken: Language) -> str:
    """Return which tax is remitted, to whom, and of which period."""
    return f"{spoken.say(wording.WORDS[tax])} · {authority} · {period}"
