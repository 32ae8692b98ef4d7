"""Verbs of recognition: protect, search, judge, declare, object, decide."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.facts import service as facts
from contracts.works.tables import Work
from listings.index import service as index
from listings.masters import queries as masters
from listings.masters.tables import Master
from listings.recognition import matching, queries, rules, verdicts
from listings.recognition.gateway import Sight
from listings.recognition.rules import Claim, State
from listings.recognition.tables import Declaration, ProtectedMaster, Recognition


async def protect(
    session: AsyncSession,
    master: Master,
    *,
    listing_id: UUID,
    party_id: UUID,
    work: Work,
    epoch: int,
    now: datetime,
) -> None:
    """Let nobody else list this picture from now on; part of the publication's transaction."""
    session.add(
        ProtectedMaster(
            listing_id=listing_id,
            master_id=master.id,
            party_id=party_id,
            work_id=work.id,
            root_id=work.root_id,
            epoch=epoch,
            sha256=master.sha256,
            essence=matching.essence_of(master),
        )
    )
    await session.flush()
    await index.add(session, master.id, now=now)


async def recognise(
    session: AsyncSession, master_id: UUID, *, sight: Sight, now: datetime
) -> Recognition:
    """Search everything that is protected for a master, and write the verdict down.

    Raises:
        Unknown: there is no such master.
    """
    master = await masters.get_master(session, master_id)
    return await verdicts.look(session, master, roots=frozenset(), since=0, sight=sight, now=now)


async def check(
    session: AsyncSession, master: Master, *, root_id: UUID, sight: Sight, now: datetime
) -> int:
    """Check that a master may be listed for a work of a tree; return the epoch it was compared to.

    Only what was protected since the last search is looked at; all of it when there was none.

    Raises:
        LooksLikeAnotherWork: the picture is that of a work already listed under another title.
        RecognitionUnderReview: a person has to look first.
    """
    known = await queries.find_recognition(session, master.id)
    since = 0 if known is None else known.epoch
    newest = await queries.newest_epoch(session)
    roots = frozenset({root_id})
    if known is None or newest > since:
        row = await verdicts.look(session, master, roots=roots, since=since, sight=sight, now=now)
    else:
        row, _ = await verdicts.opened(session, master, now=now)
        await verdicts.judge(session, row, master, roots=roots, now=now)
    if row.state != State.CLEAR:
        await verdicts.refuse(session, row)
    return row.epoch


async def declare(  # noqa: PLR0913 - a declaration has that many parts, and callers name each.
    session: AsyncSession,
    declaration_id: UUID,
    *,
    master: Master,
    listing_id: UUID,
    claim: Claim,
    source: str,
    stretch: tuple[int | None, int | None],
    now: datetime,
) -> tuple[Declaration, bool]:
    """Write down what a rights holder says common seconds are; return it and whether it is new.

    Raises:
        Unknown: no such listing was ever published.
        NothingToDeclare: the listing is the declarant's own.
        BadStretch: see `rules.stretch`.
        IdReused: the id is another declaration's.
    """
    other = await queries.get_protected(session, listing_id)
    if other.party_id == master.party_id:
        raise rules.NothingToDeclare("The listing is your own.", listing=str(listing_id))
    duration = (master.probe or {}).get("duration_ms")
    here_ms, length_ms = rules.stretch(*stretch, duration_ms=duration)
    content = {
        "master_id": master.id, "party_id": master.party_id, "listing_id": listing_id,
        "claim": claim.value, "source": source, "here_ms": here_ms, "length_ms": length_ms,
    }  # fmt: skip
    made = await session.scalar(
        insert(Declaration)
        .values(
            id=declaration_id, other_master_id=other.master_id, other_party_id=other.party_id,
            state="declared", declared_at=now, **content,
        )
        .on_conflict_do_nothing()
        .returning(col(Declaration.id))
    )  # fmt: skip
    row = await queries.same_declaration(session, declaration_id, content)
    if made is not None:
        await _tell(
            session, "declaration.made", row, now=now, claim=row.claim, listing=str(listing_id)
        )
    return row, made is not None


async def object_to(
    session: AsyncSession, declaration: Declaration, *, objection: str, now: datetime
) -> Declaration:
    """Let the owner of the listed work speak against a declaration; again is the same.

    Raises:
        DeclarationDecided: it is accepted or rejected already.
    """
    row = await _locked_declaration(session, declaration)
    if row.objection == objection:
        return row
    _check_undecided(row)
    row.objection, row.objected_at = objection, now
    await session.flush()
    await _tell(session, "declaration.objected", row, now=now, objection=objection)
    return row


async def settle(
    session: AsyncSession,
    declaration: Declaration,
    *,
    outcome: str,
    reason: str,
    person_id: UUID,
    now: datetime,
) -> Declaration:
    """Accept or reject a declaration, and judge again all that it may clear; again is the same.

    Raises:
        DeclarationDecided: it was decided otherwise.
    """
    row = await _locked_declaration(session, declaration)
    if (row.state, row.reason) == (outcome, reason):
        return row
    _check_undecided(row)
    row.state, row.reason = outcome, reason
    row.decided_by, row.decided_at = person_id, now
    await session.flush()
    await _tell(session, "declaration.decided", row, now=now, outcome=outcome, reason=reason)
    beside = await queries.waiting_beside(session, [row.master_id, row.other_master_id])
    for master_id in sorted({row.master_id, *beside}):
        await verdicts.judge_again(session, master_id, now=now)
    return row


async def decide(
    session: AsyncSession,
    master_id: UUID,
    *,
    outcome: str,
    reason: str,
    person_id: UUID,
    now: datetime,
) -> Recognition:
    """Let staff clear or refuse a master; what is found later opens its case again.

    Args:
        session: the open transaction.
        master_id: the master, whose id is the case's.
        outcome: `cleared` or `refused`.
        reason: for the owner.
        person_id: who decides.
        now: the instant of the decision.

    Raises:
        Unknown: there is no such case.
        NothingToDecide: the master is clear.
    """
    row = await verdicts.locked(session, master_id)
    if row is None or row.state == State.CLEAR:
        await queries.get_recognition(session, master_id)
        raise rules.NothingToDecide("The master is clear.")
    for one in await queries.resemblances(session, master_id):
        if one.state != State.CLEAR:
            one.settled = outcome
    row.reason, row.decided_by, row.decided_at = reason, person_id, now
    await session.flush()
    payload = {"master": str(master_id), "outcome": outcome, "reason": reason}
    await facts.record(
        session, "recognition.decided", master_id, payload, parties=[row.party_id], now=now
    )
    return await verdicts.judge_again(session, master_id, now=now)


async def ask_again(session: AsyncSession, master: Master, *, now: datetime) -> None:
    """Have a master searched for anew, in the background.

    Raises:
        MasterNotSearchable: it is not examined.
    """
    rules.check_searchable(master.state)
    payload = {"master": str(master.id)}
    await facts.record(
        session, "recognition.asked", master.id, payload, parties=[master.party_id], now=now
    )


async def _tell(
    session: AsyncSession, kind: str, row: Declaration, *, now: datetime, **more: str
) -> None:
    """Record what happened to a declaration, for both sides."""
    payload = {"declaration": str(row.id), "master": str(row.master_id), **more}
    both = [row.party_id, row.other_party_id]
    await facts.record(session, kind, row.id, payload, parties=both, now=now)


def _check_undecided(row: Declaration) -> None:
    if row.state != "declared":
        raise rules.DeclarationDecided("The declaration is decided.", state=row.state)


async def _locked_declaration(session: AsyncSession, row: Declaration) -> Declaration:
    return (await locking.find_locked(session, Declaration, col(Declaration.id) == row.id)) or row
