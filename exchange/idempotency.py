"""Idempotency keys: the same request again is answered as the first time, and done once.

A key is taken in the transaction of what it is sent with, and its answer is written there. Whoever
sends it meanwhile waits for that transaction. What was refused changed nothing and keeps no key.

Source: draft-ietf-httpapi-idempotency-key-header, §2.
Differs from the source: another content under a used key is a 409, as for ids that clients choose.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Kind, Refusal
from exchange.tables import IdempotencyKey

KEPT = timedelta(days=30)  # whoever repeats a request does it within days; decisions stay decided
AT_ONCE = 1_000


class IdempotencyKeyReused(Refusal):
    """The idempotency key was sent with another request before."""

    kind, code = Kind.CONFLICT, "idempotency-key-reused"
    hint = "Send a new key with each new request; the first one was sent at `sent_at`."


async def take(
    session: AsyncSession, *, person_id: UUID, key: str, request_sha256: str, now: datetime
) -> IdempotencyKey | None:
    """Take a key for a request; return what the same request was answered before, or None.

    Args:
        session: the transaction of the request; while another one holds the key, this waits.
        person_id: whose key it is; others may use the same words.
        key: the key.
        request_sha256: the hash of all that the request says.
        now: the instant.

    Raises:
        IdempotencyKeyReused: it was sent with another request.
    """
    row = {"person_id": person_id, "key": key, "request_sha256": request_sha256, "made_at": now}
    made = insert(IdempotencyKey).values(row).on_conflict_do_nothing()
    taken = await session.scalar(made.returning(col(IdempotencyKey.key)))
    if taken is not None:
        return None
    wanted = select(IdempotencyKey).where(*_named(person_id, key))
    known = (await session.scalars(wanted)).one()
    if known.request_sha256 != request_sha256:
        sent_at = known.made_at.isoformat()
        raise IdempotencyKeyReused("This key was sent with another request.", sent_at=sent_at)
    return known


async def keep_answer(
    session: AsyncSession,
    *,
    person_id: UUID,
    key: str,
    status: int,
    content_type: str | None,
    answer: bytes,
) -> None:
    """Keep what a request was answered, for whoever sends it again."""
    said = {"status": status, "content_type": content_type, "answer": answer}
    await session.execute(update(IdempotencyKey).where(*_named(person_id, key)).values(said))


async def let_go(session: AsyncSession, *, person_id: UUID, key: str) -> None:
    """Give back a key whose request was refused in a transaction that stays."""
    await session.execute(delete(IdempotencyKey).where(*_named(person_id, key)))


async def forget_old(session: AsyncSession, *, now: datetime) -> int:
    """Forget keys sent 30 days ago or earlier, at most a thousand; return how many."""
    old = (
        select(IdempotencyKey.person_id, IdempotencyKey.key)
        .where(col(IdempotencyKey.made_at) <= now - KEPT)
        .order_by(col(IdempotencyKey.made_at))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.execute(old)).all()
    for person_id, key in rows:
        await let_go(session, person_id=person_id, key=key)
    return len(rows)


def _named(person_id: UUID, key: str) -> tuple[ColumnElement[bool], ...]:
    return (col(IdempotencyKey.person_id) == person_id, col(IdempotencyKey.key) == key)
