"""Reading parties and their keys."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.parties import csr
from contracts.parties.rules import KeyNotActive
from contracts.parties.tables import Party, PartyKey
from contracts.refusal import Unknown


async def find_party(session: AsyncSession, party_id: UUID) -> Party | None:
    """Return the party, or None."""
    return await session.get(Party, party_id)


async def get_party(session: AsyncSession, party_id: UUID) -> Party:
    """Return the party.

    Raises:
        Unknown: there is none of that id.
    """
    party = await find_party(session, party_id)
    if party is None:
        raise Unknown("There is no such party.", party=str(party_id))
    return party


async def parties_page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[Party]:
    """Return parties in the order of their ids, those after `after`."""
    chosen = select(Party).where(col(Party.id) > after).order_by(col(Party.id)).limit(limit)
    return (await session.execute(chosen)).scalars().all()


async def parties_of(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Party]:
    """Return the parties of these ids, those that there are."""
    chosen = select(Party).where(col(Party.id).in_(ids))
    return {party.id: party for party in (await session.execute(chosen)).scalars()}


async def verified(session: AsyncSession, kind: str, *, limit: int) -> Sequence[Party]:
    """Return verified parties of a kind, in the order of their ids."""
    chosen = select(Party).where(col(Party.kind) == kind, col(Party.state) == "verified")
    return (await session.execute(chosen.order_by(col(Party.id)).limit(limit))).scalars().all()


async def find_key(session: AsyncSession, party_id: UUID, key_id: UUID) -> PartyKey | None:
    """Return the party's key of that id, active or revoked, or None."""
    key = await session.get(PartyKey, key_id)
    return key if key is not None and key.party_id == party_id else None


async def find_spki(session: AsyncSession, spki_sha256: str) -> PartyKey | None:
    """Return the key of that hash, whoever registered it, or None."""
    chosen = select(PartyKey).where(col(PartyKey.spki_sha256) == spki_sha256)
    return (await session.execute(chosen)).scalar_one_or_none()


async def brought_keys(session: AsyncSession) -> Sequence[PartyKey]:
    """Return the active keys whose certificates are of other authorities."""
    chosen = select(PartyKey).where(
        col(PartyKey.state) == "active", col(PartyKey.issuer).is_not(None)
    )
    return (await session.execute(chosen.order_by(col(PartyKey.id)))).scalars().all()


async def keys_of(session: AsyncSession, party_id: UUID) -> Sequence[PartyKey]:
    """Return the party's keys, active and revoked, in the order of their ids."""
    chosen = select(PartyKey).where(col(PartyKey.party_id) == party_id).order_by(col(PartyKey.id))
    return (await session.execute(chosen)).scalars().all()


async def revoked_keys(session: AsyncSession) -> Sequence[PartyKey]:
    """Return every revoked key, in the order of their ids: what a list of revoked keys names."""
    chosen = select(PartyKey).where(
        col(PartyKey.state) == "revoked", col(PartyKey.certificate_pem) != ""
    )
    chosen = chosen.order_by(col(PartyKey.id))
    return (await session.execute(chosen)).scalars().all()


async def active_key(session: AsyncSession, party_id: UUID, key_id: UUID) -> PartyKey:
    """Return the party's key if it may sign contracts.

    Raises:
        KeyNotActive: it is revoked, signs bids alone, or is not a key of this party.
    """
    key = await find_key(session, party_id, key_id)
    if key is None or key.state != "active" or not csr.signs_documents(key.public_key_pem):
        raise KeyNotActive("This key cannot sign for your organisation.", key=str(key_id))
    return key
