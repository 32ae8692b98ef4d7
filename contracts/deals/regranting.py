"""The register follows a deal that takes another's place: rights carried, given back, granted anew.

What both contracts grant alike stays the row that it was, under the new deal. What an amendment
leaves out comes back to the licensor; what it grants anew is judged like any sale, under the lock
of the tree, so that an amendment never takes what somebody else holds (invariant 36).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals.tables import Deal
from contracts.facts import service as facts
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import Kind, Refusal
from contracts.rights import rules as rights
from contracts.runs import queries as runs
from contracts.titles import admission, recording
from contracts.titles import queries as titles
from contracts.titles.admission import Standing
from contracts.titles.tables import LIVE, RightsGrant

Wires = Sequence[Mapping[str, Any]]


class RightsInUse(Refusal):
    """A right that an amendment would replace is licensed on, or its runs are being counted."""

    kind, code = Kind.CONFLICT, "rights-in-use"
    hint = "End what is licensed on under `grant` first; a right with counted runs stays as it is."


class _ProbedError(Exception):
    """Ends a savepoint whose writes were only a question."""


@dataclass(frozen=True, slots=True)
class _Plan:
    kept: list[RightsGrant]
    left: list[RightsGrant]
    added: Wires


def granted(deal: Deal) -> list[dict[str, Any]]:
    """Return the rights that a deal grants, as the wire carries them."""
    grants: list[dict[str, Any]] = canonical.loads(deal.terms)["grants"]
    return [
        {name: value for name, value in grant.items() if name not in ("from", "until")}
        for grant in grants
    ]


async def check(session: AsyncSession, base: Deal, successor: Deal, *, now: datetime) -> None:
    """Ask the register whether the rights could change hands at this moment; nothing is written.

    Raises:
        RightsInUse: one that would be replaced is licensed on, or has runs counted.
        Refusal: any of `contracts.titles.admission.admit`.
    """
    await admission.locked(session, base.work_id)
    if granted(base) == granted(successor):
        return
    try:
        async with session.begin_nested():
            await _regrant(session, base, successor, now=now)
            raise _ProbedError
    except _ProbedError:
        return


async def carry(session: AsyncSession, base: Deal, successor: Deal, *, now: datetime) -> None:
    """Move the effective rights of a deal to the one that takes its place, as that one grants them.

    Raises:
        RightsInUse, Refusal: see `check`.
    """
    await admission.locked(session, base.work_id)
    kept = await _regrant(session, base, successor, now=now)
    payload = {
        "work": str(successor.work_id),
        "deal": str(successor.id),
        "from_deal": str(base.id),
        "grants": [str(grant.id) for grant in kept],
    }
    sides = sorted({base.licensor_id, base.licensee_id, successor.licensee_id})
    await facts.record(session, "grant.carried", successor.id, payload, parties=sides, now=now)


async def _regrant(
    session: AsyncSession, base: Deal, successor: Deal, *, now: datetime
) -> list[RightsGrant]:
    plan = await _plan(session, base, successor)
    await _check_unused(session, plan.left)
    for grant in plan.kept:
        grant.deal_id, grant.grantee_id = successor.id, successor.licensee_id
    await session.flush()
    for grant in plan.left:
        await recording.revert(
            session, grant.work_id, grant.id,
            reason="agreement", note=successor.contract_no, by=EXCHANGE_PARTY_ID, now=now,
        )  # fmt: skip
    if plan.added:
        await _grant(session, successor, plan.added, now=now)
    return plan.kept


async def _plan(session: AsyncSession, base: Deal, successor: Deal) -> _Plan:
    """Match what stands in the register with what the new contract grants."""
    standing = [
        grant
        for grant in await titles.by_deal(session, base.work_id, base.id)
        if grant.state == "effective"
    ]
    if granted(base) == granted(successor):
        return _Plan(standing, [], [])
    wanted = [rights.normal(wire) for wire in granted(successor)]
    kept = [grant for grant in standing if grant.wire in wanted]
    found = [grant.wire for grant in kept]
    return _Plan(
        kept,
        [grant for grant in standing if grant.wire not in wanted],
        [wire for wire in wanted if wire not in found],
    )


async def _check_unused(session: AsyncSession, grants: Sequence[RightsGrant]) -> None:
    for grant in grants:
        below = await titles.under(session, grant.root_id, grant.id)
        if any(one.state in LIVE for one in below):
            raise RightsInUse("A right is licensed on.", grant=str(grant.id), why="licensed-on")
    counted = [grant.id for grant in grants if grant.runs_max is not None]
    for grant_id, used in (await runs.runs_used(session, counted)).items():
        if used:
            raise RightsInUse("Runs are counted.", grant=str(grant_id), why="runs", runs=used)


async def _grant(session: AsyncSession, deal: Deal, wires: Wires, *, now: datetime) -> None:
    work = await admission.locked(session, deal.work_id)
    standing = Standing(
        "effective", f"deal:{deal.id}", deal.licensor_id,
        grantee_id=deal.licensee_id, deal_id=deal.id, effective_at=now,
    )  # fmt: skip
    made = await admission.admit(session, work, wires, standing=standing, now=now)
    table = [{"grant": str(grant.id), **grant.wire} for grant in made]
    payload = {"deal": str(deal.id), "work": str(deal.work_id), "grants": table}
    sides = admission.involved(made)
    await facts.record(session, "grant.made", deal.id, payload, parties=sides, now=now)
