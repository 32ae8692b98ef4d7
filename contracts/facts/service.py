"""Recording facts, in the transaction of what they tell."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.facts import rules
from contracts.facts.kinds import KINDS
from contracts.facts.tables import Fact, FactPending


async def record(
    session: AsyncSession,
    kind: str,
    subject: UUID,
    payload: Mapping[str, Any],
    *,
    parties: Sequence[UUID] = (),
    now: datetime,
) -> UUID:
    """Record that something happened to `subject`; return the id of the fact.

    Args:
        session: the open transaction of the effect itself.
        kind: one of `contracts.facts.kinds.KINDS`.
        subject: the object that the fact is about; its facts form one chain in the log.
        payload: plain JSON values exactly as the kind's schema names them.
        parties: who may read the record, when its audience is not the public.
        now: the instant of the effect.

    Raises:
        ValueError: the payload does not fit the schema (a bug, not a refusal).
    """
    faults = rules.faults(KINDS[kind], payload)
    if faults:
        raise ValueError(f"{kind}: {'; '.join(faults)}")
    fact = Fact(
        id=ids.new(now),
        kind=kind,
        subject=subject,
        parties=list(parties),
        record=canonical.dumps(dict(payload)),
        blind=secrets.token_bytes(32),
        recorded_at=now,
    )
    session.add(fact)
    await session.flush()
    session.add(FactPending(fact_id=fact.id))
    await session.flush()
    return fact.id
