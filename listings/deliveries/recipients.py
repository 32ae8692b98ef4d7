"""The keys that parties open deliveries with: registered, revoked, each a leaf of the log."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.facts import service as facts
from contracts.parties.rules import KeyTaken
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Unknown
from listings.deliveries import envelopes, queries
from listings.deliveries.tables import DeliveryKey


async def register(
    session: AsyncSession, party_id: UUID, key_id: UUID, *, public: bytes, now: datetime
) -> tuple[DeliveryKey, bool]:
    """Register a key of the party; return it, and whether it is new. The same again is the same.

    Raises:
        BadDeliveryKey: nothing can be sealed to it.
        IdReused: the id belongs to another key.
        KeyTaken: the key was registered before, under another id or by another party.
    """
    envelopes.check_public(public)
    await _lock(session, party_id)
    known = await session.get(DeliveryKey, key_id)
    if known is not None:
        if (known.party_id, known.public) != (party_id, public):
            raise IdReused("This id belongs to another key.", key=str(key_id))
        return known, False
    row = {
        "id": key_id, "party_id": party_id, "public": public, "state": "active",
        "sha256": envelopes.name_of(public), "registered_at": now,
    }  # fmt: skip
    made = await session.execute(
        insert(DeliveryKey).values(row).on_conflict_do_nothing().returning(DeliveryKey)
    )
    key = made.scalar_one_or_none()
    if key is None:
        raise KeyTaken("This public key was registered before.")
    await _record(session, "delivery-key.registered", key, now=now)
    return key, True


async def revoke(
    session: AsyncSession, party_id: UUID, key_id: UUID, *, now: datetime
) -> DeliveryKey:
    """Revoke a key of the party: nothing more is sealed to it. A second time changes nothing.

    Raises:
        Unknown: the party has no such key.
    """
    await _lock(session, party_id)
    key = await queries.find_key(session, party_id, key_id)
    if key is None:
        raise Unknown("Your organisation has no such key.", key=str(key_id))
    if key.state == "active":
        key.state, key.revoked_at = "revoked", now
        await session.flush()
        await _record(session, "delivery-key.revoked", key, now=now)
    return key


async def _lock(session: AsyncSession, party_id: UUID) -> None:
    if await locking.find_locked(session, Party, col(Party.id) == party_id) is None:
        raise Unknown("There is no such party.", party=str(party_id))


async def _record(session: AsyncSession, kind: str, key: DeliveryKey, *, now: datetime) -> None:
    said = {"party": str(key.party_id), "delivery_key": str(key.id), "public_sha256": key.sha256}
    await facts.record(session, kind, key.id, said, parties=[key.party_id], now=now)
