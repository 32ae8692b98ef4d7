"""How deals end: given up before they are signed, or brought to an end while in force."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals import holding, lifecycle, queries, rows, rules
from contracts.deals.tables import Deal
from contracts.parties.rules import EXCHANGE_PARTY_ID, clean_name
from contracts.titles import recording

# Why the register says that the rights came back, by how the deal ended.
REVERSIONS: Mapping[str, str] = {
    "cause": "default", "mutual": "agreement", "convenience": "termination"
}  # fmt: skip


async def decline(
    session: AsyncSession, deal_id: UUID, *, party_id: UUID, reason: str, now: datetime
) -> Deal:
    """Refuse to sign (拒签), by a side that has not signed; the rights are free, both are told.

    Again by the same side changes nothing; what it said first stays.

    Raises:
        Unknown: the party has no such deal.
        BadName: the reason is empty, too long, or holds characters that cannot be seen.
        AlreadySigned: the side has signed.
        DealDeclined, DealExpired, DealVoided, DealExecuted: nobody's signature is awaited any more.
    """
    deal = await rows.locked(session, deal_id)
    role = rows.role_of(deal, party_id)
    why = clean_name(reason, field="reason", most=rules.LONGEST_REASON)
    if deal.declined_by == party_id:
        return deal
    rules.check_voidable(deal.signing)
    if deal.signing == "voided":
        raise rules.DealVoided("The deal was voided.")
    lifecycle.check_declinable(deal.life, role=role)
    await _give_up(session, deal, "declined", declined_by=party_id, now=now)
    payload = {"deal": str(deal.id), "party": str(party_id), "role": role, "reason": why}
    await rows.tell(session, "deal.declined", deal, payload, now=now)
    return deal


async def run_out(session: AsyncSession, deal_id: UUID, *, reason: str, now: datetime) -> Deal:
    """Give up a deal that was not signed in time; one that ended otherwise stays as it is.

    Raises:
        Unknown: there is no such deal.
    """
    deal = await rows.locked(session, deal_id)
    if lifecycle.is_open(deal.life):
        await _give_up(session, deal, "ran-out", now=now)
        payload = {"deal": str(deal.id), "reason": reason}
        await rows.tell(session, "deal.expired", deal, payload, now=now)
    return deal


async def terminate(
    session: AsyncSession,
    deal: Deal,
    *,
    cause: str,
    notice: UUID | None,
    by: UUID,
    now: datetime,
) -> None:
    """End a locked deal that is in force (解除); its rights come back to the licensor.

    Args:
        session: the open transaction.
        deal: under its lock.
        cause: `cause` after a breach that was not cured, `mutual` by agreement, `convenience`
            after a notice that needs no reason.
        notice: that led to it.
        by: the party that brought it about, or the exchange where a period ran out.
        now: the instant.

    Raises:
        DealNotInForce: it is not.
    """
    lifecycle.check_in_force(deal.life)
    ended: dict[str, Any] = {"ended": "terminated", "cause": cause, "notice": notice}
    await _revert(session, deal, reason=REVERSIONS[cause], by=by, now=now)
    await _end(session, deal, ended, by=by, now=now)


async def rescind(
    session: AsyncSession, deal_id: UUID, *, reason: str, by: UUID, now: datetime
) -> Deal:
    """Undo a deal in force as a court or a tribunal ordered (撤销), by the staff; once.

    Raises:
        Unknown: there is no such deal.
        BadName: the reason is empty, too long, or holds characters that cannot be seen.
        DealNotInForce: it is not.
    """
    deal = await rows.locked(session, deal_id)
    why = clean_name(reason, field="reason", most=rules.LONGEST_REASON)
    if deal.ended == "rescinded":
        return deal
    lifecycle.check_in_force(deal.life)
    await _revert(session, deal, reason="termination", by=by, now=now)
    await _end(session, deal, {"ended": "rescinded", "reason": why}, by=by, now=now)
    return deal


async def end_with_its_rights(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """End a locked deal whose last granted right has run its time; the register needs no change."""
    await _end(session, deal, {"ended": "expired"}, by=EXCHANGE_PARTY_ID, now=now)


async def supersede(session: AsyncSession, deal: Deal, *, successor: Deal, now: datetime) -> None:
    """End a locked deal in force because its amendment was signed by everybody.

    Raises:
        DealNotInForce: it is not.
    """
    lifecycle.check_in_force(deal.life)
    ended = {"ended": "superseded", "successor": successor.id}
    await _end(session, deal, ended, by=EXCHANGE_PARTY_ID, now=now)


async def _give_up(
    session: AsyncSession,
    deal: Deal,
    step: str,
    *,
    declined_by: UUID | None = None,
    now: datetime,
) -> None:
    deal.signing = lifecycle.after(deal.life, step).signing
    deal.declined_by = declined_by
    await session.flush()
    await holding.release(session, deal, now=now)


async def _end(
    session: AsyncSession, deal: Deal, ended: Mapping[str, Any], *, by: UUID, now: datetime
) -> None:
    how: str = ended["ended"]
    step = "window-ended" if how == "expired" else how
    deal.ended = lifecycle.after(deal.life, step).end
    deal.ended_at, deal.end_cause = now, ended.get("cause")
    await session.flush()
    said = {"cause": None, "notice": None, "successor": None, "reason": None, **ended}
    payload = {
        "deal": str(deal.id),
        **{name: None if value is None else str(value) for name, value in said.items()},
        "by": str(by),
    }
    await rows.tell(session, "deal.ended", deal, payload, now=now)
    await _overtake_notices(session, deal, now=now)
    await _drop_amendment(session, deal, now=now)


async def _overtake_notices(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Settle the notices that the end of their deal came before."""
    for notice in await queries.notices_of(session, deal.id):
        if notice.outcome is None:
            notice.outcome, notice.settled_at = "overtaken", now
            await session.flush()
            payload = {
                "deal": str(deal.id), "notice": str(notice.id), "outcome": "overtaken",
                "party": None,
            }  # fmt: skip
            await rows.tell(session, "notice.settled", deal, payload, now=now)


async def _drop_amendment(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Void an amendment under signature whose base has ended: there is nothing left to amend."""
    waiting = await queries.find_amendment(session, deal.id)
    if waiting is None or not lifecycle.is_open(waiting.life) or deal.ended == "superseded":
        return
    waiting = await rows.locked(session, waiting.id)
    waiting.signing = "voided"
    await session.flush()
    payload = {"deal": str(waiting.id), "reason": "base-ended", "by": str(EXCHANGE_PARTY_ID)}
    await rows.tell(session, "deal.voided", waiting, payload, now=now)


async def _revert(
    session: AsyncSession, deal: Deal, *, reason: str, by: UUID, now: datetime
) -> None:
    """Give the rights back in the register, sub-licences with them."""
    for grant in await holding.grants(session, deal):
        if grant.state == "effective":
            await recording.revert(
                session, grant.work_id, grant.id,
                reason=reason, note=deal.contract_no, by=by, now=now,
            )  # fmt: skip
