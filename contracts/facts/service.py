"""Recording facts, in the transaction of what they tell."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.facts import rules
from contracts.facts.kinds import KINDS

# For one statement that writes facts beside what they tell; `:facts` comes from `batch`. Facts wait
# in the order in which they stand in the batch.
BATCH = """
fact_row AS MATERIALIZED (
  SELECT * FROM ROWS FROM (json_to_recordset(CAST(:facts AS json)) AS (
    id uuid, kind varchar, subject uuid, parties uuid[], record bytea, blind bytea,
    recorded_at timestamptz)) WITH ORDINALITY
    AS row (id, kind, subject, parties, record, blind, recorded_at, place)),
fact_made AS (
  INSERT INTO fact (id, kind, subject, parties, record, blind, recorded_at)
  SELECT id, kind, subject, parties, record, blind, recorded_at FROM fact_row),
fact_waits AS (
  INSERT INTO fact_pending (fact_id) SELECT id FROM fact_row ORDER BY place)
"""


@dataclass(frozen=True, slots=True)
class Happened:
    """One fact of a batch, as `record` takes it; `blind` is what hides its record in the log."""

    id: UUID
    kind: str
    subject: UUID
    record: bytes  # RFC 8785
    parties: Sequence[UUID]
    at: datetime
    blind: bytes

    @property
    def commitment(self) -> str:
        """What the leaf of the fact will hold of its record."""
        return rules.commitment(self.blind, self.record)


def happened(
    kind: str,
    subject: UUID,
    payload: Mapping[str, Any],
    *,
    parties: Sequence[UUID] = (),
    now: datetime,
    known: tuple[UUID, bytes] | None = None,
) -> Happened:
    """Prepare a fact for a batch; the payload holds no floats and integers below 2^53.

    Args:
        kind: as in `record`, like the next four.
        subject: the object that the fact is about.
        payload: plain JSON values.
        parties: who may read the record, when its audience is not the public.
        now: the instant of the effect.
        known: the id and the blind, where they were promised before.

    Raises:
        ValueError: the payload does not fit the schema (a bug, not a refusal).
    """
    faults = rules.faults(KINDS[kind], payload)
    if faults:
        raise ValueError(f"{kind}: {'; '.join(faults)}")
    fact_id, blind = known or (ids.new(now), secrets.token_bytes(32))
    return Happened(
        id=fact_id,
        kind=kind,
        subject=subject,
        record=canonical.quick(payload),
        parties=tuple(parties),
        at=now,
        blind=blind,
    )


def batch(several: Sequence[Happened]) -> str:
    """Return the value of `:facts` in BATCH."""
    return canonical.quick(
        [
            {
                "id": str(fact.id),
                "kind": fact.kind,
                "subject": str(fact.subject),
                "parties": [str(party) for party in fact.parties],
                "record": "\\x" + fact.record.hex(),
                "blind": "\\x" + fact.blind.hex(),
                "recorded_at": fact.at.isoformat(),
            }
            for fact in several
        ]
    ).decode()


async def record_many(session: AsyncSession, several: Sequence[Happened]) -> None:
    """Record a batch of facts in one statement, in their order."""
    if several:
        await session.execute(text(f"WITH {BATCH} SELECT 1"), {"facts": batch(several)})


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
        payload: plain JSON values exactly as the kind's schema names them; as in `happened`.
        parties: who may read the record, when its audience is not the public.
        now: the instant of the effect.

    Raises:
        ValueError: the payload does not fit the schema (a bug, not a refusal).
    """
    fact = happened(kind, subject, payload, parties=parties, now=now)
    await record_many(session, [fact])
    return fact.id
