"""Logging telecasts, cancelling what was logged wrongly, agreeing how showings make runs."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking, rfc3339
from contracts.facts import service as facts
from contracts.parties.rules import clean_name
from contracts.refusal import IdReused, NotAllowed, Unknown
from contracts.runs import queries, rules
from contracts.runs.rules import Rule, RunRuleSettled
from contracts.runs.tables import RunRule, Telecast, TelecastCancelled
from contracts.titles.tables import RightsGrant
from contracts.works.tables import Work

LONGEST_CHANNEL, LONGEST_REASON = 200, 500
_GRANTED = ("effective", "ended")


class Shown(TypedDict):
    """Where and when a work was shown: the name of the channel, the aware instant at which it
    began, and the IANA zone of the channel's clock, which says to which day that belongs."""

    channel: str
    started_at: datetime
    zone: str


async def agree_rule(
    session: AsyncSession,
    work_id: UUID,
    grant_id: UUID,
    *,
    by: UUID | None,
    rule: Rule,
    now: datetime,
) -> RunRule:
    """Say how the showings of a grant make runs (重播计次规则), once; the same again is fine.

    Every rule but the plain one lets more showings into a run, so the grantor alone may say it.

    Args:
        session: the open transaction; the grant's row stays locked until it ends.
        work_id: the work of the grant.
        grant_id: an effective grant.
        by: the grantor, or None for the exchange.
        rule: the rule.
        now: the instant.

    Raises:
        Unknown: there is no such grant, or the asker did not make it.
        BadRunRule: the rule is not possible, or wider than that of the grant it was made under.
        RunRuleSettled: another rule stands.
    """
    grant = await _locked(session, work_id, grant_id)
    if by is not None and by != grant.grantor_id:
        raise Unknown("There is no such grant.")
    rules.check_rule(rule)
    above = await queries.rule_above(session, grant)
    if above is not None:
        rules.check_within(rule, above)
    row = await session.get(RunRule, (work_id, grant_id), populate_existing=True)
    if row is not None:
        if row.rule() != rule:
            raise RunRuleSettled("The grant has a run rule.", rule=asdict(row.rule()))
        return row
    row = RunRule(work_id=work_id, grant_id=grant_id, agreed_by=by, agreed_at=now, **asdict(rule))
    session.add(row)
    await session.flush()
    await _record(session, "run-rule.agreed", grant, asdict(rule), now=now)
    return row


async def log_telecast(
    session: AsyncSession,
    work_id: UUID,
    grant_id: UUID,
    telecast_id: UUID,
    *,
    by: UUID | None,
    now: datetime,
    **shown: Unpack[Shown],
) -> Telecast:
    """Log a showing (播出) under a grant; the same again changes nothing.

    Args:
        session: the open transaction; the grant's row stays locked until it ends.
        work_id: the work of the grant.
        grant_id: an effective grant, or one that has ended since.
        telecast_id: chosen by the caller.
        by: the licensee, or None for the exchange.
        now: the instant.
        shown: where, and when.

    Raises:
        Unknown: there is no such grant, or it is not the asker's.
        IdReused: the id belongs to another telecast.
        UnknownZone: the zone is not known.
        TelecastAhead: the showing has not begun.
        OutsideGrant: its day lies outside the window of the grant, or the grant had ended.
        RunBudgetSpent: it would be a run more than were licensed.
        BadName: the channel's name is empty, too long, or holds characters that cannot be seen.
    """
    grant = await _held(session, work_id, grant_id, by=by)
    row = _row(grant, telecast_id, by=by, now=now, shown=shown)
    known = await session.get(Telecast, (work_id, grant_id, telecast_id), populate_existing=True)
    if known is not None:
        return _same(known, row)
    used = await _checked(session, grant, row.showing(), now=now)
    session.add(row)
    await session.flush()
    payload = {
        "telecast": str(telecast_id),
        "channel": row.channel,
        "started_at": rfc3339.exact(row.started_at),
        "runs_used": used,
    }
    await _record(session, "telecast.logged", grant, payload, now=now)
    return row


async def cancel_telecast(
    session: AsyncSession,
    work_id: UUID,
    grant_id: UUID,
    telecast_id: UUID,
    *,
    by: UUID | None,
    reason: str,
    now: datetime,
) -> tuple[Telecast, TelecastCancelled]:
    """Say that a telecast was logged wrongly; the log keeps both, and the grantor is told.

    Raises:
        Unknown: there is no such telecast, or it is not the asker's.
        NotAllowed: the exchange logged it, and alone cancels it.
        IdReused: it was cancelled before, for another reason.
        BadName: the reason is empty, too long, or holds characters that cannot be seen.
    """
    grant = await _held(session, work_id, grant_id, by=by)
    key = (work_id, grant_id, telecast_id)
    telecast = await session.get(Telecast, key, populate_existing=True)
    if telecast is None:
        raise Unknown("There is no such telecast.")
    if by is not None and telecast.logged_by is None:
        raise NotAllowed("The exchange logged it, and alone cancels it.")
    why = clean_name(reason, field="reason", most=LONGEST_REASON)
    known = await queries.find_cancellation(session, telecast)
    if known is not None:
        if known.reason != why:
            raise IdReused("It was cancelled before.", reason=known.reason)
        return telecast, known
    row = TelecastCancelled(
        work_id=work_id, grant_id=grant_id, telecast_id=telecast_id, reason=why,
        cancelled_by=by, cancelled_at=now,
    )  # fmt: skip
    session.add(row)
    await session.flush()
    used = len((await queries.ledger(session, grant)).runs)
    payload = {"telecast": str(telecast_id), "reason": why, "runs_used": used}
    await _record(session, "telecast.cancelled", grant, payload, now=now)
    return telecast, row


def _row(
    grant: RightsGrant, telecast_id: UUID, *, by: UUID | None, now: datetime, shown: Shown
) -> Telecast:
    return Telecast(
        work_id=grant.work_id,
        grant_id=grant.id,
        id=telecast_id,
        channel=clean_name(shown["channel"], field="channel", most=LONGEST_CHANNEL),
        started_at=shown["started_at"].astimezone(UTC),
        zone=shown["zone"],
        logged_by=by,
        logged_at=now,
    )


def _same(known: Telecast, row: Telecast) -> Telecast:
    if known.model_dump(exclude={"logged_at"}) != row.model_dump(exclude={"logged_at"}):
        raise IdReused("This id belongs to another telecast.")
    return known


async def _checked(
    session: AsyncSession, grant: RightsGrant, showing: rules.Showing, *, now: datetime
) -> int:
    """Check a showing against its grant; return the runs used with it."""
    rule, before = await queries.rule_of(session, grant), await queries.showings(session, grant)
    window, ended_at = grant.box().window, grant.ended_at
    rules.check_showing(showing, window=window, ended_at=ended_at, rule=rule, now=now)
    if grant.runs_max is not None:
        given = await queries.runs_given(session, grant)
        rules.check_budget(before, showing, rule=rule, most=grant.runs_max, given=given)
    return len(rules.runs([*before, showing], rule))


async def _held(
    session: AsyncSession, work_id: UUID, grant_id: UUID, *, by: UUID | None
) -> RightsGrant:
    grant = await _locked(session, work_id, grant_id)
    if by is not None and by != grant.grantee_id:
        raise Unknown("There is no such grant.")
    return grant


async def _locked(session: AsyncSession, work_id: UUID, grant_id: UUID) -> RightsGrant:
    """Load a grant that is or was effective, and lock it: its runs are counted one at a time.

    Where runs can be licensed on, that is decided under the lock of the tree's root, which is taken
    first as it is there.
    """
    known = await session.get(RightsGrant, (work_id, grant_id))
    if known is not None and known.sublicence_depth and known.runs_max is not None:
        await locking.find_locked(session, Work, col(Work.id) == known.root_id)
    grant = await locking.find_locked(
        session, RightsGrant, col(RightsGrant.work_id) == work_id, col(RightsGrant.id) == grant_id
    )
    if grant is None or grant.state not in _GRANTED:
        raise Unknown("There is no such grant.")
    return grant


async def _record(
    session: AsyncSession,
    kind: str,
    grant: RightsGrant,
    payload: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    sides = [one for one in (grant.grantor_id, grant.grantee_id) if one is not None]
    record = {"grant": str(grant.id), "work": str(grant.work_id), **payload}
    await facts.record(session, kind, grant.id, record, parties=sorted(set(sides)), now=now)
