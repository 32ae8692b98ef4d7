"""Importing a file of avails: compared with what is registered, applied whole or not at all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.avails import offers, queries, rules, terms
from contracts.avails.files import Read
from contracts.avails.findings import Finding, Report, Severity, found
from contracts.avails.model import Avail
from contracts.avails.offers import Name
from contracts.avails.rules import Change, Line, What
from contracts.avails.tables import AvailImport, AvailLine
from contracts.facts import service as facts
from contracts.locking import find_locked
from contracts.parties.tables import Party
from contracts.refusal import IdReused

_CHUNK = 500  # rows in one INSERT
_KEY = ("party_id", "alid", "key")
MOST_TOLD = 2000  # changes and findings kept with an import; the counts are of all
_SHOWN_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file would change: the report with what the register adds to it, and the changes."""

    report: Report
    changes: Sequence[Change]

    def told(self) -> list[dict[str, Any]]:
        """Return the changes as plain JSON values, those that change nothing left out."""
        real = (change for change in self.changes if change.what is not What.UNCHANGED)
        return [change.as_dict() for _, change in zip(range(MOST_TOLD), real, strict=False)]


async def plan(session: AsyncSession, read: Read, *, party_id: UUID) -> Plan:
    """Return what a file would change in what a party has registered; nothing is written."""
    avails = read.document.avails
    registered = await queries.lines(session, party_id, [avail.alid for avail in avails])
    works = await _works(session, avails, party_id)
    changes = rules.merge([_line(row) for row in registered], read.document, works=works)
    told = [*read.report.findings, *_doubts(avails, works)]
    return Plan(Report.of(told), changes)


async def import_(
    session: AsyncSession,
    import_id: UUID,
    *,
    party_id: UUID,
    read: Read,
    sha256: str,
    now: datetime,
) -> tuple[AvailImport, bool]:
    """Apply a file to what a party has registered; tell whether this import is new.

    Everything is applied or nothing. The same file again, under another id, changes nothing.

    Raises:
        IdReused: the id belongs to an import of another file or another party.
        AvailsHaveErrors: the report has errors.
    """
    await find_locked(session, Party, col(Party.id) == party_id)  # one import at a time
    known = await queries.find_import(session, import_id)
    if known is not None:
        if (known.party_id, known.sha256) != (party_id, sha256):
            raise IdReused("This id belongs to another import.", avail_import=str(import_id))
        return known, False
    planned = await plan(session, read, party_id=party_id)
    _need_no_errors(planned.report)
    counts = rules.counts(planned.changes)
    row = AvailImport(
        id=import_id,
        party_id=party_id,
        sha256=sha256,
        form=read.document.form,
        version=read.document.version,
        counts=counts,
        report=_kept(planned.report),
        changes=planned.told(),
        imported_at=now,
    )
    session.add(row)
    await session.flush()
    await _write(session, planned, row)
    await facts.record(
        session,
        "avails.imported",
        import_id,
        {"import": str(import_id), "party": str(party_id), "sha256": sha256, **counts},
        parties=[party_id],
        now=now,
    )
    return row, True


def _need_no_errors(report: Report) -> None:
    errors = [one for one in report.findings if one.severity is Severity.ERROR]
    if errors:
        raise rules.AvailsHaveErrors(
            "The file has errors; nothing of it was applied.",
            errors=report.errors,
            warnings=report.warnings,
            findings=[one.as_dict() for one in errors[:_SHOWN_ERRORS]],
        )


def _kept(report: Report) -> dict[str, Any]:
    told = report.as_dict()
    return {**told, "findings": told["findings"][:MOST_TOLD]}


def _doubts(avails: Sequence[Avail], works: Mapping[str, UUID]) -> Iterator[Finding]:
    """Yield what the exchange cannot make out of a file that is right in itself."""
    for avail in avails:
        if avail.alid not in works:
            yield found("work-unmatched", avail.place, "AltID")
        for offer in avail.transactions:
            wire = terms.to_wire(offer)
            if isinstance(wire, terms.Unread):
                yield found(wire.code, offer.place, None, message=wire.said, value=wire.said)


async def _works(session: AsyncSession, avails: Sequence[Avail], party_id: UUID) -> dict[str, UUID]:
    """Return the work that each ALID is about, where one of the party's is named."""
    named: dict[str, list[Name]] = {}
    for avail in avails:
        named.setdefault(avail.alid, []).extend(offers.names_of(avail))
    known = await queries.works_named(
        session, party_id, [name for names in named.values() for name in names]
    )
    hits = {
        alid: next((known[name] for name in names if name in known), None)
        for alid, names in named.items()
    }
    return {alid: work_id for alid, work_id in hits.items() if work_id is not None}


async def _write(session: AsyncSession, planned: Plan, row: AvailImport) -> None:
    changed = [one.line for one in planned.changes if one.what is not What.UNCHANGED]
    columns = {column.name for column in AvailLine.metadata.tables["avail_line"].columns}
    for at in range(0, len(changed), _CHUNK):
        put = insert(AvailLine).values([_values(line, row) for line in changed[at : at + _CHUNK]])
        moved = {name: put.excluded[name] for name in columns.difference(_KEY)}
        await session.execute(put.on_conflict_do_update(index_elements=_KEY, set_=moved))


def _values(line: Line, row: AvailImport) -> dict[str, Any]:
    work = line.content["work"]
    return {
        "party_id": row.party_id,
        "alid": line.alid,
        "key": line.key,
        "state": line.state,
        "work_id": None if work is None else UUID(work),
        "content": dict(line.content),
        "content_sha256": line.sha256,
        "wire": line.content["rights"],
        "import_id": row.id,
        "imported_at": row.imported_at,
    }


def _line(row: AvailLine) -> Line:
    return Line(row.alid, row.key, row.content, row.state)
