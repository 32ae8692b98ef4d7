"""Licences made off the exchange are recorded; grants that fail come back to their grantor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.chains import queries as chains
from contracts.facts import queries as facts_read
from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.refusal import IdReused, InvalidContent, Unknown
from contracts.rights import rules as rights
from contracts.titles import admission, queries, rules
from contracts.titles.admission import Standing
from contracts.titles.tables import LIVE, RightsGrant


@dataclass(frozen=True, slots=True)
class Licensee:
    """Who holds a recorded licence: a party of the exchange, or somebody else by name."""

    party_id: UUID | None = None
    name: str | None = None


async def record_grant(  # noqa: PLR0913 - a licence has that many parts, and callers name each.
    session: AsyncSession,
    work_id: UUID,
    record_id: UUID,
    *,
    grantor_id: UUID,
    licensee: Licensee,
    boxes: Sequence[Mapping[str, Any]],
    documents: Sequence[UUID],
    now: datetime,
) -> list[RightsGrant]:
    """Enter a licence that was made off the exchange: it is effective at once, by the same rules.

    Args:
        session: the open transaction; the row of the tree's root stays locked until it ends.
        work_id: the work.
        record_id: of the record; its grants have ids of their own, the source `recorded:<id>`.
        grantor_id: who granted.
        licensee: who was licensed.
        boxes: the rights as on the wire.
        documents: filed documents of the work (`contracts.chains`) that show it.
        now: the instant.

    Raises:
        Unknown: there is no such work, licensee or filed document.
        IdReused: the record is there with other content.
        BadLicensee: neither a party nor a name is given, or both.
        InvalidContent: it is for the grantor itself.
        BadName: the name is empty, too long, or holds characters that cannot be seen.
        Refusal: any of `admission.admit`.
    """
    work = await admission.locked(session, work_id)
    standing = Standing(
        "effective", _source(record_id), grantor_id, grantee_id=licensee.party_id,
        licensee_name=rules.licensee_name(licensee.party_id, licensee.name),
        origin="recorded", effective_at=now,
    )  # fmt: skip
    papers = sorted(str(document) for document in set(documents))
    if known := await queries.by_source(session, work_id, standing.source):
        return await _same(session, known, standing, boxes, papers)
    if licensee.party_id == grantor_id:
        raise InvalidContent("A licence is for another party than its grantor.")
    if licensee.party_id is not None:
        await parties.get_party(session, licensee.party_id)
    await chains.need_filed(session, work, set(documents))
    grants = await admission.admit(session, work, boxes, standing=standing, now=now)
    payload = _record(record_id, grants, papers)
    sides = admission.involved(grants)
    await facts.record(session, "grant.recorded", grants[0].id, payload, parties=sides, now=now)
    return grants


async def is_recorded(session: AsyncSession, work_id: UUID, record_id: UUID) -> bool:
    """Tell whether a record of this id was entered, in whatever state it is now."""
    return bool(await queries.by_source(session, work_id, _source(record_id)))


async def revert(
    session: AsyncSession,
    work_id: UUID,
    grant_id: UUID,
    *,
    reason: str,
    note: str,
    by: UUID,
    now: datetime,
) -> RightsGrant:
    """End a grant before its time (权利回归): its rights, and all licensed on, are free again.

    Sub-licences under it end with it; what was only offered or held under it is given back.

    Args:
        session: the open transaction; the row of the tree's root stays locked until it ends.
        work_id: the work that the grant is in.
        grant_id: of the grant.
        reason: one of `rules.REVERSIONS`.
        note: what was found, for both sides to read; at most 500 characters.
        by: the person of the staff who decides it.
        now: the instant.

    Raises:
        Unknown: there is no such grant in the work.
        GrantNotEffective: it is not granted, or has ended otherwise.
        BadName: the note is empty, too long, or holds characters that cannot be seen.
        InvalidContent: there is no such reason.
    """
    work = await admission.locked(session, work_id)
    note = rules.reversion_note(reason, note)
    grant = await session.get(RightsGrant, (work_id, grant_id), populate_existing=True)
    if grant is None:
        raise Unknown("There is no such grant.", grant=str(grant_id))
    if (grant.state, grant.ended_reason, grant.ended_note) == ("ended", reason, note):
        return grant
    rules.check_effective(grant.state)
    below = [one for one in await queries.under(session, work.root_id, grant_id) if _live(one)]
    _end(grant, reason, now=now)
    grant.ended_note = note
    for one in below:
        _end(one, "parent-ended", now=now)
    await session.flush()
    await _record_reversion(session, grant, below, by=by, now=now)
    return grant


def _live(grant: RightsGrant) -> bool:
    return grant.state in LIVE


def _end(grant: RightsGrant, reason: str, *, now: datetime) -> None:
    grant.state = "ended" if grant.state == "effective" else "released"
    grant.ended_at, grant.ended_reason = now, reason


async def _record_reversion(
    session: AsyncSession, grant: RightsGrant, below: list[RightsGrant], *, by: UUID, now: datetime
) -> None:
    payload = {
        "work": str(grant.work_id),
        "grant": str(grant.id),
        "deal": grant.deal_id and str(grant.deal_id),
        "reason": grant.ended_reason,
        "note": grant.ended_note,
        "by": str(by),
        "ended": [_ended(one) for one in below],
    }
    sides = admission.involved([grant, *below])
    await facts.record(session, "grant.reverted", grant.id, payload, parties=sides, now=now)


def _ended(grant: RightsGrant) -> dict[str, Any]:
    deal = grant.deal_id and str(grant.deal_id)
    return {"grant": str(grant.id), "state": grant.state, "source": grant.source, "deal": deal}


def _record(record_id: UUID, grants: Sequence[RightsGrant], papers: list[str]) -> dict[str, Any]:
    first = grants[0]
    return {
        "work": str(first.work_id),
        "record": str(record_id),
        "grantor": str(first.grantor_id),
        "licensee": first.grantee_id and str(first.grantee_id),
        "licensee_name": first.licensee_name,
        "grants": [{"grant": str(grant.id), **grant.wire} for grant in grants],
        "documents": papers,
    }


async def _same(
    session: AsyncSession,
    known: list[RightsGrant],
    standing: Standing,
    boxes: Sequence[Mapping[str, Any]],
    papers: list[str],
) -> list[RightsGrant]:
    first = known[0]
    fact = await facts_read.find_first_of(session, first.id, "grant.recorded")
    shown = canonical.loads(fact.record)["documents"] if fact else []
    stands = (first.grantor_id, first.grantee_id, first.licensee_name, shown)
    given = (standing.grantor_id, standing.grantee_id, standing.licensee_name, papers)
    wires = [rights.normal(wire) for wire in boxes]
    if stands != given or [grant.wire for grant in known] != wires:
        raise IdReused("This id belongs to a record with other content.")
    return known


def _source(record_id: UUID) -> str:
    return f"recorded:{record_id}"
