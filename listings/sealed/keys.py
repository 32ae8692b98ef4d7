"""Opening keys before the auction: registered by the seller, acknowledged by the three holders."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from listings.sealed import envelope, opening, queries, rules
from listings.sealed.ceremony import FalseShare
from listings.sealed.opening import Opening
from listings.sealed.rules import OpeningKeyNotReady
from listings.sealed.sharing import HOLDERS
from listings.sealed.tables import SealedAcknowledgement, SealedKey


async def register(
    session: AsyncSession,
    auction_id: UUID,
    wire: Mapping[str, Any],
    *,
    party_id: UUID,
    now: datetime,
) -> tuple[SealedKey, bool]:
    """Register the key of an auction to come; return it and whether it is new.

    Raises:
        BadOpeningKey: it is not one, or not this auction's.
        IdReused: the auction has another key, which stays.
    """
    taken = await session.get(SealedKey, auction_id)
    if taken is not None and taken.party_id != party_id:
        raise IdReused("This id is taken.")
    document = canonical.dumps(opening.read(wire, auction=auction_id))
    said = {"party_id": party_id, "document": document}
    made = await session.execute(
        insert(SealedKey)
        .values(
            auction_id=auction_id,
            key_sha256=canonical.sha256_hex(document),
            registered_at=now,
            **said,
        )
        .on_conflict_do_nothing()
        .returning(col(SealedKey.auction_id))
    )
    created = made.scalar_one_or_none() is not None
    key = await queries.get_key(session, auction_id)
    if any(getattr(key, name) != value for name, value in said.items()):
        raise IdReused("This auction has another opening key.")
    if created:
        record = {"auction": str(auction_id), "key_sha256": key.key_sha256, "party": str(party_id)}
        await facts.record(
            session, "opening.registered", auction_id, record, parties=[party_id], now=now
        )
    return key, created


async def acknowledge(
    session: AsyncSession,
    auction_id: UUID,
    holder: str,
    *,
    signature: bytes,
    party_id: UUID,
    person_id: UUID,
    now: datetime,
) -> SealedAcknowledgement:
    """Write down that a holder has its share, shown by a signature that the share made.

    The same holder again gets the first answer.

    Raises:
        Unknown: the auction has no key, or the seller's share is another party's.
        FalseShare: the signature was not made with this share, over this key.
    """
    key = await queries.get_key(session, auction_id)
    check_holder(key, holder, party_id=party_id)
    known = await queries.acknowledgements(session, auction_id)
    if holder in known:
        return known[holder]
    read = parsed(key)
    if not envelope.has_share(read.points[holder], read, signature):
        raise FalseShare("The signature was not made with this share.", holder=holder)
    await session.execute(
        insert(SealedAcknowledgement)
        .values(
            auction_id=auction_id,
            holder=holder,
            party_id=party_id,
            person_id=person_id,
            signature=signature,
            acknowledged_at=now,
        )
        .on_conflict_do_nothing()
    )
    record = {"auction": str(auction_id), "key_sha256": key.key_sha256, "holder": holder}
    await facts.record(
        session, "opening.acknowledged", auction_id, record, parties=[key.party_id], now=now
    )
    return (await queries.acknowledgements(session, auction_id))[holder]


async def use(
    session: AsyncSession, auction_id: UUID, wire: Mapping[str, Any], *, seller_id: UUID
) -> None:
    """Let an auction open with a key, if it is its own and all three holders have their shares.

    Raises:
        BadOpeningKey: it is no key of this auction.
        OpeningKeyNotReady: another key is registered, or none, or by another; or a holder has not
            acknowledged it.
    """
    document = canonical.dumps(opening.read(wire, auction=auction_id))
    key = await session.get(SealedKey, auction_id)
    if key is None or (key.document, key.party_id) != (document, seller_id):
        raise OpeningKeyNotReady("This opening key is not registered.", missing=list(HOLDERS))
    missing = rules.missing_holders(await queries.acknowledgements(session, auction_id))
    if missing:
        raise OpeningKeyNotReady("Not every holder has its share.", missing=missing)


def check_holder(key: SealedKey, holder: str, *, party_id: UUID) -> None:
    """Check that a party may act for a holder; for staff the caller has looked at the role.

    Raises:
        Unknown: there is no such holder, or it is the seller's, and the party is another.
    """
    if holder not in HOLDERS or (holder == "seller" and key.party_id != party_id):
        raise Unknown("There is no opening key of this auction.")


def parsed(key: SealedKey) -> Opening:
    """Return a registered key, read."""
    return opening.parse(canonical.loads(key.document), auction=key.auction_id)
