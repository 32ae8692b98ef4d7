"""Proving again who one is, before a decision about money (重新认证)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.identity import queries, rules, service
from exchange.identity.rules import Caller, PasswordWrong, ProofNeeded, SignInFailed
from exchange.identity.tables import PersonProof


async def prove(
    session: AsyncSession, caller: Caller, password: str, *, now: datetime
) -> PersonProof:
    """Take the caller's own password once more; the proof is good for five minutes.

    A leaked key or an unlocked screen alone decides nothing: both lack the password.

    Raises:
        PasswordWrong: it is not the caller's; the failure is counted.
        TooManyAttempts: ten attempts with the caller's address failed within 15 minutes.
    """
    person = await queries.get_person(session, caller.person_id)
    try:
        await service.checked(session, email=person.email, password=password, now=now)
    except SignInFailed as refusal:
        raise PasswordWrong("This is not your password.") from refusal
    proof = PersonProof(
        id=ids.new(now), person_id=person.id, proved_at=now, expires_at=now + rules.PROOF_LASTS
    )
    session.add(proof)
    await session.flush()
    return proof


async def need(session: AsyncSession, caller: Caller, proof_id: UUID, *, now: datetime) -> UUID:
    """Return the proof when it is the caller's and fresh. What it decides makes it spent.

    Raises:
        ProofNeeded: it is unknown, another's, or older than five minutes.
    """
    proof = await session.get(PersonProof, proof_id)
    if proof is None or proof.person_id != caller.person_id or now >= proof.expires_at:
        raise ProofNeeded("Prove again who you are.")
    return proof.id
