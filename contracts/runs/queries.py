"""Reading runs: what was shown under a grant, and how many runs that used."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.refusal import Unknown
from contracts.runs import rules
from contracts.runs.rules import Rule, Run, Showing
from contracts.runs.tables import RunRule, Telecast, TelecastCancelled
from contracts.titles.rules import NIL
from contracts.titles.tables import RightsGrant, Share
from contracts.works.tables import Work

PLAIN = Rule()  # each showing is a run
_CANCELLED = exists().where(
    and_(
        col(TelecastCancelled.work_id) == col(Telecast.work_id),
        col(TelecastCancelled.grant_id) == col(Telecast.grant_id),
        col(TelecastCancelled.telecast_id) == col(Telecast.id),
    )
)

# What was made under grants: a licence that stands takes all its runs from the grant it is under;
# of one that ended, or a hold that ran out, what was shown and licensed on stays taken.
_BELOW = text(
    "WITH RECURSIVE below (top, id, runs_max, stands) AS ("
    "SELECT id, id, 0, false FROM rights_grant WHERE root_id = :root AND id = ANY(:grants) "
    "UNION ALL SELECT below.top, part.id, part.runs_max, "
    "part.state IN ('reserved', 'held', 'effective') "
    "AND (part.expires_at IS NULL OR CAST(:now AS timestamptz) IS NULL OR part.expires_at > :now) "
    "FROM below JOIN rights_grant AS part ON part.root_id = :root AND part.under = below.id "
    "WHERE NOT below.stands) "
    "SELECT top, id, coalesce(runs_max, 0) AS runs, stands FROM below"
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """How the runs of a grant stand: those shown, and how many were licensed on (转授权).

    `left` is None where any number is allowed.
    """

    rule: Rule
    runs: Sequence[Run]
    left: int | None
    given: int = 0


async def runs_used(session: AsyncSession, grant_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many runs of each grant are used; 0 where nothing was shown."""
    if not grant_ids:
        return {}
    rows = await session.scalars(select(RunRule).where(col(RunRule.grant_id).in_(grant_ids)))
    rule_of = {row.grant_id: row.rule() for row in rows}
    shown: dict[UUID, list[Showing]] = defaultdict(list)
    for telecast in await _telecasts(session, col(Telecast.grant_id).in_(grant_ids), ~_CANCELLED):
        shown[telecast.grant_id].append(telecast.showing())
    return {
        grant: len(rules.runs(shown.get(grant, ()), rule_of.get(grant, PLAIN)))
        for grant in grant_ids
    }


async def runs_spent(
    session: AsyncSession, root_id: UUID, grant_ids: Sequence[UUID], *, now: datetime | None = None
) -> dict[UUID, int]:
    """Return how many runs of each grant of a tree were shown or licensed on, holds included.

    With `now`, holds that have run out by then count no more than what has ended.
    """
    if not grant_ids:
        return {}
    asked = {"root": root_id, "grants": list(grant_ids), "now": now}
    rows = (await session.execute(_BELOW, asked)).all()
    shown = await runs_used(session, [row.id for row in rows if not row.stands])
    spent = dict.fromkeys(grant_ids, 0)
    for row in rows:
        spent[row.top] += row.runs if row.stands else shown[row.id]
    return spent


async def runs_given(session: AsyncSession, grant: RightsGrant) -> int:
    """Return how many runs of a grant were licensed on."""
    used = (await runs_used(session, [grant.id]))[grant.id]
    return (await runs_spent(session, grant.root_id, [grant.id]))[grant.id] - used


async def rule_of(session: AsyncSession, grant: RightsGrant) -> Rule:
    """Return how the showings of a grant make runs."""
    row = await session.get(RunRule, (grant.work_id, grant.id), populate_existing=True)
    return PLAIN if row is None else row.rule()


async def rule_above(session: AsyncSession, grant: RightsGrant) -> Rule | None:
    """Return the rule of the grant that one was made under (转授权); None for the owners' own."""
    if grant.under == NIL:
        return None
    row = await session.scalar(select(RunRule).where(col(RunRule.grant_id) == grant.under))
    return PLAIN if row is None else row.rule()


async def showings(session: AsyncSession, grant: RightsGrant) -> list[Showing]:
    """Return what was shown under a grant, without what was cancelled."""
    found = await _telecasts(
        session,
        col(Telecast.work_id) == grant.work_id,
        col(Telecast.grant_id) == grant.id,
        ~_CANCELLED,
    )
    return [telecast.showing() for telecast in found]


async def ledger(session: AsyncSession, grant: RightsGrant) -> Ledger:
    """Return the runs of a grant, and how many are left."""
    rule, given = await rule_of(session, grant), await runs_given(session, grant)
    made = rules.runs(await showings(session, grant), rule)
    left = None if grant.runs_max is None else max(0, grant.runs_max - given - len(made))
    return Ledger(rule, made, left, given)


async def telecasts_page(
    session: AsyncSession, grant: RightsGrant, *, after: UUID, limit: int
) -> list[tuple[Telecast, TelecastCancelled | None]]:
    """Return a page of what was logged under a grant, with what was cancelled, in order of ids."""
    joined = and_(
        col(TelecastCancelled.work_id) == col(Telecast.work_id),
        col(TelecastCancelled.grant_id) == col(Telecast.grant_id),
        col(TelecastCancelled.telecast_id) == col(Telecast.id),
    )
    wanted = (
        select(Telecast, TelecastCancelled)
        .outerjoin(TelecastCancelled, joined)
        .where(
            col(Telecast.work_id) == grant.work_id,
            col(Telecast.grant_id) == grant.id,
            col(Telecast.id) > after,
        )
        .order_by(col(Telecast.id))
        .limit(limit)
    )
    return [(telecast, cancelled) for telecast, cancelled in await session.execute(wanted)]


async def find_cancellation(session: AsyncSession, telecast: Telecast) -> TelecastCancelled | None:
    """Return what says that a telecast was logged wrongly, or None."""
    key = (telecast.work_id, telecast.grant_id, telecast.id)
    return await session.get(TelecastCancelled, key, populate_existing=True)


async def get_grant(
    session: AsyncSession, work_id: UUID, grant_id: UUID, *, viewer: UUID | None
) -> RightsGrant:
    """Return a grant as a party may see it (None: staff): its two sides and the work's owners.

    Raises:
        Unknown: there is none of that id, or none that the party has to do with.
    """
    grant = await session.get(RightsGrant, (work_id, grant_id), populate_existing=True)
    if grant is None:
        raise Unknown("There is no such grant.")
    if viewer is None or viewer in (grant.grantor_id, grant.grantee_id):
        return grant
    registrant = await session.scalar(
        select(col(Work.party_id)).where(col(Work.id) == grant.root_id)
    )
    owners = select(col(Share.party_id)).where(col(Share.work_id) == grant.root_id)
    if viewer not in (registrant, *await session.scalars(owners)):
        raise Unknown("There is no such grant.")
    return grant


async def _telecasts(session: AsyncSession, *where: ColumnElement[bool]) -> list[Telecast]:
    return list(await session.scalars(select(Telecast).where(*where).order_by(col(Telecast.id))))
