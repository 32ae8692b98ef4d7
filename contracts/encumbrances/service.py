"""Declaring encumbrances, consenting to exceptions, lifting them; recording events."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NotRequired, TypedDict, Unpack
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import locking
from contracts.encumbrances import consents, moments, queries, rules
from contracts.encumbrances.rules import (
    EncumbranceLifted,
    EventAhead,
    EventSettled,
)
from contracts.encumbrances.tables import (
    ACTIVE,
    Encumbrance,
    EncumbranceConsent,
    WorkEvent,
    columns,
)
from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.parties.rules import clean_name
from contracts.refusal import IdReused, InvalidContent, Unknown
from contracts.titles import queries as titles
from contracts.titles.tables import LIVE, RightsGrant
from contracts.works.tables import Work

LONGEST_REFERENCE, LONGEST_REASON, LONGEST_BENEFICIARY = 100, 500, 200
_NOT_SAID = {"state", "created_at", "lifted_at", "lifted_reason"}  # by who declares


class Declared(TypedDict):
    """What is declared; `wire` is what `rules.resolve` reads."""

    kind: str
    wire: Mapping[str, Any]
    beneficiary_id: NotRequired[UUID | None]
    beneficiary_name: NotRequired[str | None]
    grant_id: NotRequired[UUID | None]
    reference: NotRequired[str | None]
    document_sha256: NotRequired[str | None]


class Agreed(TypedDict):
    """What is consented to: rights, media, territories, languages and days, as of a grant; and the
    hex SHA-256 of the document that says so."""

    wire: Mapping[str, Any]
    document_sha256: NotRequired[str | None]


async def declare(
    session: AsyncSession,
    work_id: UUID,
    encumbrance_id: UUID,
    *,
    by: UUID | None,
    now: datetime,
    **said: Unpack[Declared],
) -> Encumbrance:
    """Declare a promise or charge on a work; the same again changes nothing.

    Args:
        session: the open transaction; the row of the work's root stays locked until it ends.
        work_id: what is encumbered, with all that stands or will stand below it.
        encumbrance_id: chosen by the caller.
        by: an owner of the work, or None for the exchange, which records what others decided.
        now: the instant.
        said: what is declared; with `grant_id` the licensee of that grant benefits.

    Raises:
        Unknown: the work, the beneficiary or the grant does not exist, or is not the asker's.
        InvalidContent: it belongs to a grant and would serve another than its licensee.
        IdReused: the id belongs to an encumbrance with other content.
        BeneficiaryNeeded, ReferenceNeeded: the kind cannot be without.
        OwnersDisagree: a pledge, or a promise to somebody, to which a co-owner has not agreed.
        EncumbranceViolated: live grants to others break the promise already.
        BadName: a text is empty, too long, or holds characters that cannot be seen.
        and those of `rules.resolve`.
    """
    work = await _locked(session, work_id)
    await _need_owner(session, work, by)
    row = await _row(session, work, encumbrance_id, by=by, now=now, said=said)
    known = await session.get(Encumbrance, (work_id, encumbrance_id), populate_existing=True)
    if known is not None:
        return _same(known, row)
    rules.check_declared(
        row.kind,
        has_beneficiary=bool(row.beneficiary_id or row.beneficiary_name),
        reference=row.reference,
    )
    await _check_against_others(session, work, row, now=now)
    session.add(row)
    await session.flush()
    payload = {
        "encumbrance": str(row.id), "work": str(work_id), "kind": row.kind, "terms": row.wire,
        "beneficiary": row.beneficiary_id and str(row.beneficiary_id),
        "reference": row.reference, "document_sha256": row.document_sha256,
    }  # fmt: skip
    await _record(session, "encumbrance.declared", row, payload, now=now)
    return row


async def lift(
    session: AsyncSession,
    work_id: UUID,
    encumbrance_id: UUID,
    *,
    by: UUID | None,
    reason: str,
    now: datetime,
) -> Encumbrance:
    """Lift an encumbrance; again with the same reason changes nothing.

    Whom it serves gives it up; what an owner declared and serves nobody is lifted by an owner; the
    exchange (None) lifts any, upon documents.

    Raises:
        Unknown: there is no such encumbrance, or the asker has nothing to do with it.
        NotYoursToLift: it serves somebody else, or the exchange declared it.
        EncumbranceLifted: it was lifted before, for another reason.
        BadName: the reason is empty, too long, or holds characters that cannot be seen.
    """
    work = await _locked(session, work_id)
    row = await queries.get_encumbrance(session, work_id, encumbrance_id, viewer=by)
    owners = await queries.owners_of(session, work) if row.declared_by is not None else []
    rules.check_may_lift(
        by,
        beneficiary=row.beneficiary_id,
        is_for_somebody=bool(row.beneficiary_id or row.beneficiary_name),
        owners=owners,
    )
    why = clean_name(reason, field="reason", most=LONGEST_REASON)
    if row.state != ACTIVE:
        if row.lifted_reason == why:
            return row
        raise EncumbranceLifted("It was lifted before.", lifted_reason=row.lifted_reason)
    row.state, row.lifted_at, row.lifted_reason = "lifted", now, why
    await session.flush()
    payload = {
        "encumbrance": str(row.id), "work": str(work_id), "reason": why, "by": by and str(by),
    }  # fmt: skip
    await _record(session, "encumbrance.lifted", row, payload, now=now)
    return row


async def give_consent(
    session: AsyncSession,
    work_id: UUID,
    encumbrance_id: UUID,
    consent_id: UUID,
    *,
    by: UUID | None,
    now: datetime,
    **said: Unpack[Agreed],
) -> EncumbranceConsent:
    """Consent, as whom an encumbrance serves, to a box in which others may be; for good.

    The same again changes nothing. The asker is the beneficiary, or None for the exchange, which
    holds its document.

    Raises:
        Unknown: there is no such encumbrance, or it does not serve the asker.
        NoConsentNeeded: it serves nobody.
        EncumbranceLifted: it binds nobody any more.
        EvidenceNeeded: the exchange gave no document.
        IdReused: the id belongs to a consent with other content.
        and those of `consents.consent_of`.
    """
    await _locked(session, work_id)
    row = await queries.get_encumbrance(session, work_id, encumbrance_id, viewer=by)
    if by is not None and by != row.beneficiary_id:
        raise Unknown("There is no such encumbrance.")
    consents.consent_of(said["wire"])
    wire, document_sha256 = rules.normal(said["wire"]), said.get("document_sha256")
    rules.check_evidence(by, document_sha256=document_sha256)
    given = EncumbranceConsent(
        work_id=work_id, encumbrance_id=encumbrance_id, id=consent_id, given_by=by,
        wire=wire, document_sha256=document_sha256, given_at=now,
    )  # fmt: skip
    key = (work_id, encumbrance_id, consent_id)
    known = await session.get(EncumbranceConsent, key, populate_existing=True)
    if known is not None:
        return _same_consent(known, given)
    rules.check_asked(
        is_for_somebody=bool(row.beneficiary_id or row.beneficiary_name), lifted=row.lifted_reason
    )
    session.add(given)
    await session.flush()
    payload = {
        "consent": str(consent_id), "encumbrance": str(row.id), "work": str(work_id),
        "terms": wire, "document_sha256": document_sha256, "by": by and str(by),
    }  # fmt: skip
    await _record(session, "consent.given", row, payload, now=now)
    return given


async def record_event(
    session: AsyncSession,
    work_id: UUID,
    code: str,
    *,
    by: UUID | None,
    happened_on: date,
    reason: str | None,
    now: datetime,
) -> WorkEvent:
    """Record the day on which something happened to a work (院线首映, 首播 …), once.

    Windows that were counted from it are known from now on; whom they serve are told as the owners
    are. The exchange (None) may correct a day with a reason; the log keeps both.

    Raises:
        Unknown: there is no such work, or it is not the asker's.
        UnknownEvent: the vocabulary has no such event.
        EventAhead: the day has not come anywhere on earth.
        EventSettled: another day stands, and this is no correction by the exchange.
        BadWindow: the day lies outside the years of licences.
        BadName: the reason is empty, too long, or holds characters that cannot be seen.
    """
    work = await _locked(session, work_id)
    await _need_owner(session, work, by)
    event, day = moments.event(code), moments.day_of(happened_on)
    if day > (now + timedelta(hours=14)).date():  # UTC+14 is where days begin first
        raise EventAhead("The day has not come.", happened_on=day.isoformat())
    why = reason and clean_name(reason, field="reason", most=LONGEST_REASON)
    row = await session.get(WorkEvent, (work_id, event), populate_existing=True)
    if row is not None and row.happened_on == day:
        return row
    if row is None:
        row = WorkEvent(
            work_id=work_id, code=event, happened_on=day, recorded_by=by, recorded_at=now
        )
        session.add(row)
    elif by is not None or not why:
        raise EventSettled("The event has a day.", happened_on=row.happened_on.isoformat())
    row.happened_on, row.recorded_by, row.recorded_at, row.reason = day, by, now, why
    await session.flush()
    payload = {"work": str(work_id), "event": event, "happened_on": day.isoformat(), "reason": why}
    told = {*await queries.owners_of(session, work), *await queries.waiting(session, row)}
    await facts.record(session, "event.recorded", work_id, payload, parties=sorted(told), now=now)
    return row


async def _check_against_others(
    session: AsyncSession, work: Work, row: Encumbrance, *, now: datetime
) -> None:
    """Check an encumbrance against co-owners and against what was granted before."""
    is_for_somebody = bool(row.beneficiary_id or row.beneficiary_name)
    if rules.needs_all_owners(row.kind, by=row.declared_by, is_for_somebody=is_for_somebody):
        rules.check_agreed(await titles.consents_missing(session, work.id))
    if row.kind in rules.PROMISES:
        days = {event.code: event.happened_on for event in await queries.events(session, work.id)}
        granted = await _grants(session, row, now=now)
        rules.check_unbroken(rules.resolve(row.wire), granted, events=days)


async def _row(
    session: AsyncSession,
    work: Work,
    encumbrance_id: UUID,
    *,
    by: UUID | None,
    now: datetime,
    said: Declared,
) -> Encumbrance:
    """Return the row of what was said, with names cleaned and ids looked up."""
    grant_id, beneficiary_id = said.get("grant_id"), said.get("beneficiary_id")
    name, reference = said.get("beneficiary_name"), said.get("reference")
    if grant_id is not None:
        grant = await _grant(session, work, grant_id)
        if beneficiary_id not in (None, grant.grantee_id):
            raise InvalidContent("What belongs to a licence serves its licensee.")
        beneficiary_id = grant.grantee_id
        name = name or grant.licensee_name
    if beneficiary_id is not None:
        await parties.get_party(session, beneficiary_id)
    wire = rules.normal(said["wire"])
    return Encumbrance(
        work_id=work.id,
        id=encumbrance_id,
        root_id=work.root_id,
        units=Range(work.unit_first, work.unit_after),
        kind=said["kind"],
        declared_by=by,
        beneficiary_id=beneficiary_id,
        beneficiary_name=name and clean_name(name, field="name", most=LONGEST_BENEFICIARY),
        grant_id=grant_id,
        wire=wire,
        reference=reference and clean_name(reference, field="reference", most=LONGEST_REFERENCE),
        document_sha256=said.get("document_sha256"),
        created_at=now,
        **columns(rules.resolve(wire)),
    )


def _same(known: Encumbrance, row: Encumbrance) -> Encumbrance:
    ranges = {"rights", "media", "territories", "languages"}  # as `wire` says; the database merges
    if known.model_dump(exclude=_NOT_SAID | ranges) != row.model_dump(exclude=_NOT_SAID | ranges):
        raise IdReused("This id belongs to another encumbrance.", encumbrance=str(known.id))
    return known


def _same_consent(known: EncumbranceConsent, given: EncumbranceConsent) -> EncumbranceConsent:
    if known.model_dump(exclude={"given_at"}) != given.model_dump(exclude={"given_at"}):
        raise IdReused("This id belongs to another consent.")
    return known


async def _locked(session: AsyncSession, work_id: UUID) -> Work:
    """Load the work and lock the root of its tree, as grants do."""
    work = await session.get(Work, work_id)
    if work is None:
        raise Unknown("There is no such work.")
    await locking.find_locked(session, Work, col(Work.id) == work.root_id)
    return work


async def _need_owner(session: AsyncSession, work: Work, by: UUID | None) -> None:
    if by is not None and by not in await queries.owners_of(session, work):
        raise Unknown("There is no such work.")


async def _grant(session: AsyncSession, work: Work, grant_id: UUID) -> RightsGrant:
    """Return a live grant of the work's tree."""
    wanted = select(RightsGrant).where(
        col(RightsGrant.root_id) == work.root_id,
        col(RightsGrant.id) == grant_id,
        col(RightsGrant.state).in_(LIVE),
    )
    found = (await session.scalars(wanted)).one_or_none()
    if found is None:
        raise Unknown("There is no such grant in this work.", grant=str(grant_id))
    return found


async def _grants(session: AsyncSession, row: Encumbrance, *, now: datetime) -> list[rules.Granted]:
    """Return the live grants, in the block that a promise is about to be made of, that it binds."""
    wanted = select(RightsGrant).where(
        col(RightsGrant.root_id) == row.root_id,
        col(RightsGrant.state).in_(LIVE),
        col(RightsGrant.expires_at).is_(None) | (col(RightsGrant.expires_at) > now),
        col(RightsGrant.units).op("&&")(row.units),
    )
    found = await session.scalars(wanted.order_by(col(RightsGrant.id)))
    return [
        rules.Granted(grant.id, grant.box())
        for grant in found
        if row.kind == "blackout" or not _is_its_own(row, grant)
    ]


def _is_its_own(row: Encumbrance, grant: RightsGrant) -> bool:
    """Tell whether whom a promise serves holds the grant."""
    mine = grant.grantee_id is not None and grant.grantee_id == row.beneficiary_id
    called = grant.licensee_name is not None and grant.licensee_name == row.beneficiary_name
    return mine or called or grant.id == row.grant_id


async def _record(
    session: AsyncSession,
    kind: str,
    row: Encumbrance,
    payload: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    work = await session.get_one(Work, row.work_id)
    seen_by = {*await queries.owners_of(session, work), row.beneficiary_id} - {None}
    await facts.record(
        session, kind, row.id, payload, parties=sorted(one for one in seen_by if one), now=now
    )
