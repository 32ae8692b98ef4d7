"""Instructions: committed with their cause, taken up by one worker at a time, concluded once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical, locking, writing
from settlement.outbound import rules
from settlement.outbound.rules import Answer, Lost, Made, Rejected, Step
from settlement.outbound.tables import Outbound


@dataclass(frozen=True, slots=True)
class Claim:
    """An instruction in a worker's hands; `tries` tells this turn from any later one."""

    id: UUID
    op: str
    params: Mapping[str, Any]
    idem_key: str
    step: Step
    tries: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One of several instructions; its fields as `intend` takes them."""

    intent_id: UUID
    object_key: str
    object_id: UUID
    params: Mapping[str, Any]


async def intend(
    session: AsyncSession,
    intent_id: UUID,
    *,
    op: str,
    object_key: str,
    object_id: UUID,
    params: Mapping[str, Any],
    now: datetime,
) -> None:
    """Write down an instruction, in the transaction of what makes it necessary.

    Args:
        session: the transaction of the cause.
        intent_id: the instruction's id; the provider's object carries it.
        op: one of `rules.OPS`.
        object_key: what it is for; there is one instruction for each, ever.
        object_id: the payment, party or payout that the answer is for.
        params: the exact request, kept byte for byte for every repetition.
        now: the instant.
    """
    one = Instruction(intent_id, object_key, object_id, params)
    await intend_many(session, op, [one], now=now)


async def intend_many(
    session: AsyncSession, op: str, several: Sequence[Instruction], *, now: datetime
) -> None:
    """Write down several instructions of one kind, as `intend` does."""
    columns = _columns(rules.fresh(op, now))
    rows = []
    for one in several:
        payload = canonical.quick(dict(one.params))
        row = {
            "id": one.intent_id,
            "op": op,
            "object_key": one.object_key,
            "object_id": one.object_id,
            "payload": payload,
            "payload_sha256": canonical.sha256_hex(payload),
            "idem_key": rules.key(one.intent_id, 1),
            "created_at": now,
        }
        rows.append(row | columns)
    await writing.write_new(session, Outbound, rows)


async def claim(session: AsyncSession, *, now: datetime) -> Claim | None:
    """Take up the instruction that is due longest; None when none is due.

    The caller commits before it calls the provider: the mark must outlive the caller.
    """
    taken = await claim_many(session, most=1, now=now)
    return taken[0] if taken else None


async def claim_many(session: AsyncSession, *, most: int, now: datetime) -> list[Claim]:
    """Take up the instructions that are due longest, at most so many, as `claim` does."""
    wanted = (
        select(Outbound)
        .where(col(Outbound.state).in_(rules.OPEN), col(Outbound.next_at) <= now)
        .order_by(col(Outbound.next_at))
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.scalars(wanted.execution_options(populate_existing=True))).all()
    claims = []
    for row in rows:
        intent, step = rules.taken_up(row.intent(), now)
        row.stand(intent)
        row.idem_key = rules.key(row.id, intent.attempt)
        claims.append(_claim(row, step))
    await writing.write_changes(session, rows)
    return claims


async def repeat(session: AsyncSession, taken: Claim, *, now: datetime) -> Claim | None:
    """Mark an instruction sent again after a look-up found nothing.

    None when it has to wait, or when another worker has taken it up since.
    """
    row = await _locked(session, taken.id)
    if row.tries != taken.tries or row.state != rules.UNKNOWN:
        return None
    intent = rules.after_empty_look(row.intent(), now)
    row.stand(intent or rules.waiting(row.intent()))
    row.idem_key = rules.key(row.id, row.attempt)
    await session.flush()
    return None if intent is None else _claim(row, Step.SEND)


async def conclude(
    session: AsyncSession, taken: Claim, answer: Answer, *, now: datetime
) -> Outbound | None:
    """Write down an answer; the row when it ended the instruction, else None.

    An answer that came too late (another worker has the instruction by now) counts only when it
    says that the object was made. A second object is never taken over: its fault is kept.
    """
    ended = await conclude_many(session, [(taken, answer)], now=now)
    return ended[0][0] if ended else None


async def conclude_many(
    session: AsyncSession, answered: Sequence[tuple[Claim, Answer]], *, now: datetime
) -> list[tuple[Outbound, Answer]]:
    """Write down several answers, as `conclude` does each; return the rows that ended, with them.

    Their locks are taken in the order of their ids.
    """
    wanted = select(Outbound).where(col(Outbound.id).in_([taken.id for taken, _ in answered]))
    found = await session.scalars(
        wanted.order_by(col(Outbound.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    rows = {row.id: row for row in found}
    ended = [
        (rows[taken.id], answer)
        for taken, answer in answered
        if _stands_after(rows[taken.id], taken, answer, now=now)
    ]
    await writing.write_changes(session, list(rows.values()))
    return ended


def _stands_after(row: Outbound, taken: Claim, answer: Answer, *, now: datetime) -> bool:
    """Take an answer over; True when it ended the instruction."""
    if row.state == rules.DONE:
        if isinstance(answer, Made) and answer.provider_id != row.provider_id:
            row.fault = f"a second object was made: {answer.provider_id}"
        return False
    if row.tries != taken.tries and not isinstance(answer, Made):
        return False
    row.stand(rules.concluded(row.intent(), answer, now))
    if isinstance(answer, Made):
        row.provider_id, row.done_at = answer.provider_id, now
    row.fault = answer.fault if isinstance(answer, Rejected | Lost) else None
    return row.state not in rules.OPEN


async def _locked(session: AsyncSession, intent_id: UUID) -> Outbound:
    return await locking.get_locked(session, Outbound, col(Outbound.id) == intent_id)


def _claim(row: Outbound, step: Step) -> Claim:
    return Claim(
        id=row.id,
        op=row.op,
        params=canonical.known(row.payload),
        idem_key=row.idem_key,
        step=step,
        tries=row.tries,
    )


def _columns(intent: rules.Intent) -> dict[str, Any]:
    return {
        "state": intent.state,
        "attempt": intent.attempt,
        "tries": intent.tries,
        "ever_unknown": intent.ever_unknown,
        "next_at": intent.next_at,
    }
