"""Proofs of who decides, for tests."""

from datetime import datetime
from uuid import UUID

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.identity.rules import PROOF_LASTS
from exchange.identity.tables import PersonProof
from settlement.approvals.rules import Decision
from tests.exchange.identity_factory import PASSWORD


async def proof(session: AsyncSession, person_id: UUID, *, now: datetime) -> UUID:
    """A fresh proof of a person."""
    made = PersonProof(
        id=ids.new(now), person_id=person_id, proved_at=now, expires_at=now + PROOF_LASTS
    )
    session.add(made)
    await session.flush()
    return made.id


async def decided(
    session: AsyncSession, person_id: UUID, content_sha256: str, *, now: datetime
) -> Decision:
    """What a person says about a content, with a fresh proof."""
    return Decision(person_id, content_sha256, await proof(session, person_id, now=now))


async def proved(client: httpx.AsyncClient, **body: str) -> dict[str, str]:
    """The body of a decision, with the proof that its client's person gives."""
    answer = await client.post("/v1/proofs", json={"password": PASSWORD})
    assert answer.status_code == 201
    return {**body, "proof": answer.json()["proof"]}
