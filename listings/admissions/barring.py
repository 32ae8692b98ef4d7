"""What staff declare of parties: connections, blocks, credit lines; running auctions follow."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import locking
from contracts.money import Money
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import IdReused, Unknown
from listings.admissions import kinship, queries, rules, service
from listings.admissions.tables import AdmissionRow, CreditLine, PartyBlock, PartyRelation
from listings.auctions import queries as auctions
from listings.auctions import rules as auction_rules
from listings.auctions.tables import Auction

RUNNING = ("open", "paused")


async def declare_relation(
    session: AsyncSession, relation: PartyRelation
) -> tuple[PartyRelation, int]:
    """Declare a connection (关联关系); return it and how many admissions it suspended.

    Bids of a suspended bidder stand, and staff decide about them: its further bids are refused.

    Raises:
        IdReused: the id names another relation.
    """
    known = await session.get(PartyRelation, relation.id)
    if known is not None:
        if (known.party_id, known.relation()) != (relation.party_id, relation.relation()):
            raise IdReused("This id names another relation.")
        return known, 0
    session.add(relation)
    await session.flush()
    return relation, await _suspend_related(session, relation.party_id, now=relation.declared_at)


async def end_relation(
    session: AsyncSession, relation_id: UUID, *, person_id: UUID, now: datetime
) -> PartyRelation:
    """End a connection, once; who was suspended stays so until staff reinstate it.

    Raises:
        Unknown: there is no such relation.
    """
    row = await locking.find_locked(session, PartyRelation, col(PartyRelation.id) == relation_id)
    if row is None:
        raise Unknown("There is no such relation.")
    if row.ended_at is None:
        row.ended_at, row.ended_by = now, person_id
        await session.flush()
    return row


async def block(session: AsyncSession, given: PartyBlock) -> PartyBlock:
    """Bar a party from bidding (拉黑), everywhere or for one work; its bids so far stand.

    Raises:
        IdReused: the id names another block.
    """
    known = await session.get(PartyBlock, given.id)
    if known is None:
        session.add(given)
        await session.flush()
        return given
    same = ("party_id", "work_id", "reason", "until")
    if any(getattr(known, name) != getattr(given, name) for name in same):
        raise IdReused("This id names another block.")
    return known


async def lift_block(
    session: AsyncSession, block_id: UUID, *, person_id: UUID, now: datetime
) -> PartyBlock:
    """Lift a block, once.

    Raises:
        Unknown: there is no such block.
    """
    row = await locking.find_locked(session, PartyBlock, col(PartyBlock.id) == block_id)
    if row is None:
        raise Unknown("There is no such block.")
    if row.lifted_at is None:
        row.lifted_at, row.lifted_by = now, person_id
        await session.flush()
    return row


async def set_credit_line(
    session: AsyncSession, party_id: UUID, limit: Money, *, person_id: UUID, now: datetime
) -> CreditLine:
    """Set the most a party may be bound for over all auctions in a currency.

    It holds for bids decided from now on, and counts what the party is bound for already; a line
    below that takes nothing back.
    """
    for auction_id in await _running_with(session, party_id):
        await _expose_now(session, auction_id)
    values = {
        "party_id": party_id,
        "currency": limit.currency,
        "limit_minor": limit.amount_minor,
        "set_by": person_id,
        "set_at": now,
    }
    await session.execute(
        insert(CreditLine)
        .values(values)
        .on_conflict_do_update(
            index_elements=["party_id", "currency"],
            set_={name: values[name] for name in ("limit_minor", "set_by", "set_at")},
        )
    )
    return await session.get_one(CreditLine, (party_id, limit.currency), populate_existing=True)


async def _running_with(session: AsyncSession, party_id: UUID) -> Sequence[UUID]:
    wanted = (
        select(col(AdmissionRow.auction_id))
        .join(Auction, col(Auction.id) == col(AdmissionRow.auction_id))
        .where(col(AdmissionRow.party_id) == party_id, col(Auction.state).in_(RUNNING))
        .order_by(col(AdmissionRow.auction_id))
    )
    return (await session.scalars(wanted)).all()


async def _expose_now(session: AsyncSession, auction_id: UUID) -> None:
    """Write what an auction's bidders are bound for: it is kept only where somebody has a line."""
    auction = await locking.find_locked(session, Auction, col(Auction.id) == auction_id)
    if auction is None or auction.state not in RUNNING or auction.standing is None:
        return
    bound = auction_rules.exposure(auctions.book(auction), auctions.standing(auction))
    whose = await queries.parties_of(session, auction_id)
    by_party = {whose[paddle]: minor for paddle, minor in bound.items() if minor}
    await service.expose(session, auction_id, by_party, currency=auction.currency)


async def _suspend_related(session: AsyncSession, party_id: UUID, *, now: datetime) -> int:
    """Suspend who turns out to be connected with the seller's side in a running auction."""
    relations = await queries.relations_around(session, [party_id])
    around = {one.party_id for one in relations} | kinship.parties_named(relations)
    wanted = (
        select(col(AdmissionRow.auction_id))
        .join(Auction, col(Auction.id) == col(AdmissionRow.auction_id))
        .where(
            col(AdmissionRow.state) == rules.ADMITTED,
            col(AdmissionRow.party_id).in_(around),
            col(Auction.state).in_(RUNNING),
        )
        .distinct()
        .order_by(col(AdmissionRow.auction_id))
    )
    suspended = 0
    for auction_id in (await session.scalars(wanted)).all():
        suspended += await _suspend_in(session, auction_id, now=now)
    return suspended


async def _suspend_in(session: AsyncSession, auction_id: UUID, *, now: datetime) -> int:
    auction = await locking.find_locked(session, Auction, col(Auction.id) == auction_id)
    if auction is None or auction.state not in RUNNING:
        return 0
    admitted = select(AdmissionRow).where(
        col(AdmissionRow.auction_id) == auction_id, col(AdmissionRow.state) == rules.ADMITTED
    )
    rows = {row.party_id: row for row in await session.scalars(admitted)}
    side = {auction.seller_id, *auction.barred, EXCHANGE_PARTY_ID}
    found = await queries.related(session, list(rows), side)
    for party_id in found:
        rows[party_id].state, rows[party_id].suspended_at = rules.SUSPENDED, now
        rows[party_id].reason = "A connection with the seller's side was declared."
    await session.flush()
    return len(found)
