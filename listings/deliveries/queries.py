"""Reading deliveries, released keys and the keys that parties have for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.deals.tables import Deal
from contracts.facts.tables import Fact
from contracts.log.tables import LogEntry
from contracts.refusal import Unknown
from listings.deliveries import rules
from listings.deliveries.rules import KeyNotReleased
from listings.deliveries.tables import Delivery, DeliveryComplaint, DeliveryKey, DeliveryRelease


@dataclass(frozen=True, slots=True)
class Released:
    """A released key with the number of the leaf that tells of it, and the key it is sealed to."""

    release: DeliveryRelease
    recipient: str
    leaf: int


async def get_delivery(session: AsyncSession, deal_id: UUID, delivery_id: UUID) -> Delivery:
    """Return the delivery.

    Raises:
        Unknown: there is none.
    """
    delivery = await session.get(Delivery, (deal_id, delivery_id))
    if delivery is None:
        raise Unknown("There is no such delivery.", delivery=str(delivery_id))
    return delivery


async def of_deal(session: AsyncSession, deal_id: UUID) -> Sequence[Delivery]:
    """Return the deliveries under a deal, the latest first."""
    wanted = select(Delivery).where(col(Delivery.deal_id) == deal_id)
    return (await session.scalars(wanted.order_by(col(Delivery.number).desc()))).all()


async def complaints_of(session: AsyncSession, delivery: Delivery) -> Sequence[DeliveryComplaint]:
    """Return the complaints about a delivery that were judged, the earliest first."""
    wanted = select(DeliveryComplaint).where(
        col(DeliveryComplaint.deal_id) == delivery.deal_id,
        col(DeliveryComplaint.delivery_id) == delivery.id,
    )
    return (await session.scalars(wanted.order_by(col(DeliveryComplaint.filed_at)))).all()


async def released(session: AsyncSession, deal_id: UUID, delivery_id: UUID) -> list[Released]:
    """Return the keys that were released, each after its leaf is in the log; the earliest first.

    Raises:
        KeyNotReleased: none is in the log.
    """
    found = await session.execute(
        select(DeliveryRelease, col(DeliveryKey.sha256), col(LogEntry.seq))
        .join(DeliveryKey, col(DeliveryKey.id) == col(DeliveryRelease.key_id))
        .join(LogEntry, col(LogEntry.fact_id) == col(DeliveryRelease.fact_id))
        .where(
            col(DeliveryRelease.deal_id) == deal_id,
            col(DeliveryRelease.delivery_id) == delivery_id,
        )
        .order_by(col(LogEntry.seq))
    )
    rows = [Released(release, name, seq) for release, name, seq in found.all()]
    if not rows:
        raise KeyNotReleased("No key of this delivery is released.", delivery=str(delivery_id))
    return rows


async def is_paid(session: AsyncSession, deal_id: UUID) -> bool:
    """Tell whether the log holds that the deal was paid."""
    told = (
        select(col(Fact.id))
        .join(LogEntry, col(LogEntry.fact_id) == col(Fact.id))
        .where(col(Fact.subject) == deal_id, col(Fact.kind).in_(rules.PAID))
    )
    return (await session.scalars(told.limit(1))).first() is not None


async def find_key(session: AsyncSession, party_id: UUID, key_id: UUID) -> DeliveryKey | None:
    """Return a party's key, active or revoked, or None."""
    key = await session.get(DeliveryKey, key_id)
    return key if key is not None and key.party_id == party_id else None


async def keys_of(session: AsyncSession, party_id: UUID) -> Sequence[DeliveryKey]:
    """Return a party's keys, active and revoked, in the order of their ids."""
    wanted = select(DeliveryKey).where(col(DeliveryKey.party_id) == party_id)
    return (await session.scalars(wanted.order_by(col(DeliveryKey.id)))).all()


async def key_in_use(session: AsyncSession, party_id: UUID) -> DeliveryKey | None:
    """Return the key that content keys are sealed to: the newest that is active, or None."""
    wanted = select(DeliveryKey).where(
        col(DeliveryKey.party_id) == party_id, col(DeliveryKey.state) == "active"
    )
    newest = wanted.order_by(col(DeliveryKey.registered_at).desc(), col(DeliveryKey.id).desc())
    return (await session.scalars(newest.limit(1))).first()


async def deals_of_licensee(session: AsyncSession, party_id: UUID) -> Sequence[UUID]:
    """Return the deals that a party is the licensee of and something was delivered under."""
    wanted = (
        select(col(Deal.id))
        .where(
            col(Deal.licensee_id) == party_id,
            select(col(Delivery.id)).where(col(Delivery.deal_id) == col(Deal.id)).exists(),
        )
        .order_by(col(Deal.id))
    )
    return (await session.scalars(wanted)).all()


async def next_number(session: AsyncSession, deal_id: UUID) -> int:
    """Return the number of the next delivery under a locked deal."""
    highest = select(func.max(col(Delivery.number))).where(col(Delivery.deal_id) == deal_id)
    return ((await session.scalars(highest)).one() or 0) + 1
