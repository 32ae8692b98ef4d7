"""Verbs of conformance: keep what was measured, declare, judge."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.refusal import Kind, Refusal, Unknown
from listings.masters.conformance import declared as declarations
from listings.masters.conformance import profiles, queries, rules
from listings.masters.conformance.tables import (
    ConformanceReport,
    MasterDeclaration,
    MasterMeasures,
)
from listings.masters.conformance.values import Tier
from listings.masters.tables import Master

# What a fact says of a report: nothing blocks, something does, or something is unmeasured.
VERDICTS = {True: "conforms", False: "fails", None: "open"}


class MasterNotExamined(Refusal):
    """The master has no technical record yet, so there is nothing to judge."""

    kind, code = Kind.CONFLICT, "master-not-examined"
    hint = "Wait until the examination of the master has ended."


async def record(
    session: AsyncSession, master: Master, *, measures: Mapping[str, Any] | None, now: datetime
) -> ConformanceReport:
    """Keep the measures of an examination and judge the master by its usual profile.

    Args:
        session: where the master was loaded.
        master: with its technical record.
        measures: of the decode pass; None when nothing could be decoded.
        now: the instant of judging.
    """
    if measures is not None:
        row = {
            "tier": measures["tier"], "content": dict(measures), "measured_at": now,
            "sha256": canonical.sha256_hex(canonical.dumps(dict(measures))),
        }  # fmt: skip
        made = insert(MasterMeasures).values(master_id=master.id, **row)
        await session.execute(made.on_conflict_do_update(index_elements=["master_id"], set_=row))
    return await judge(session, master, profile=profiles.default(_probe(master)), now=now)


async def judge(
    session: AsyncSession, master: Master, *, profile: str, now: datetime
) -> ConformanceReport:
    """Judge a master by a profile and keep the report; the same outcome again is the same report.

    Raises:
        MasterNotExamined: it has no technical record yet.
        UnknownProfile: there is no such profile today.
    """
    report = await draft(session, master, profile=profile, now=now)
    kept = await queries.find_report(session, master.id, profile)
    if kept is not None and kept.sha256 == report.sha256:
        return kept
    row = report.model_dump()
    await session.execute(
        insert(ConformanceReport)
        .values(**row)
        .on_conflict_do_update(
            index_elements=["master_id", "profile", "sha256"], set_={"judged_at": now}
        )
    )
    await facts.record(
        session,
        "master.judged",
        master.id,
        {
            "master": str(master.id),
            "profile": profile,
            "tier": report.tier,
            "report_sha256": report.sha256,
            "verdict": VERDICTS[report.document["conforms"]],
        },
        parties=[master.party_id],
        now=now,
    )
    return report


async def draft(
    session: AsyncSession, master: Master, *, profile: str, now: datetime
) -> ConformanceReport:
    """Return the report of a master by a profile as of now, without keeping it.

    Raises:
        MasterNotExamined, UnknownProfile: see `judge`.
    """
    wanted, probe = profiles.get(profile, now.date()), _probe(master)
    measured = await queries.find_measures(session, master.id)
    told = await queries.declared(session, master.id)
    found = rules.judge(
        wanted, probe, None if measured is None else measured.content, told, tier=Tier.FULL
    )
    document = {
        **found.as_dict(),
        "subject": {
            "master": str(master.id),
            "sha256": master.sha256,
            "bytes": master.declared_bytes,
            "probe_sha256": master.probe_sha256,
            "measures_sha256": None if measured is None else measured.sha256,
            "declared": told,
        },
    }
    return ConformanceReport(
        master_id=master.id,
        profile=profile,
        sha256=canonical.sha256_hex(canonical.dumps(document)),
        tier=found.tier.value,
        uhd_label=found.uhd_label,
        document=document,
        judged_at=now,
    )


async def declare(
    session: AsyncSession,
    master_id: UUID,
    *,
    party_id: UUID,
    declared: Mapping[str, Any],
    now: datetime,
) -> Sequence[ConformanceReport]:
    """Replace what is declared of a master; it is judged again by every profile it has been.

    Raises:
        Unknown: no such master of the party.
        BadDeclaration: an unknown name, or a value of the wrong kind or out of range.
    """
    master = await locking.find_locked(session, Master, col(Master.id) == master_id)
    if master is None or master.party_id != party_id:
        raise Unknown("There is no such master.")
    row = {"content": declarations.checked(declared), "declared_at": now}
    made = insert(MasterDeclaration).values(master_id=master.id, **row)
    await session.execute(made.on_conflict_do_update(index_elements=["master_id"], set_=row))
    judged = await queries.newest_reports(session, master.id)
    return [await judge(session, master, profile=each.profile, now=now) for each in judged]


def _probe(master: Master) -> Mapping[str, Any]:
    if master.probe is None:
        raise MasterNotExamined("The master has not been examined yet.")
    return master.probe
