"""Admitting bidders at their first bid, and what they are bound for across auctions.

Locks are taken in one order: the auction's row (by the caller), then credit lines by party id.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.agreements import queries as agreements
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.parties.tables import Party
from listings.admissions import queries, rules
from listings.admissions.rules import Admission, Candidate, Gate
from listings.admissions.tables import AdmissionRow, CreditLine, Paddle

STOOD = text(
    "SELECT a.party_id, p.number, a.state, a.cap_minor, b.id AS block, b.until, "
    # A deposit that was in once, and is not any more: what stood for it ran out.
    "EXISTS (SELECT FROM deposit d WHERE d.auction_id = a.auction_id AND d.party_id = a.party_id "
    "  AND (d.frozen_at IS NULL OR d.held_minor < d.required_minor AND d.pledged_until <= :now)) "
    "  AS is_lapsed "
    "FROM admission a "
    "LEFT JOIN paddle p ON p.auction_id = a.auction_id AND p.party_id = a.party_id "
    "LEFT JOIN LATERAL (SELECT o.id, o.until FROM party_block o WHERE o.party_id = a.party_id "
    "  AND o.lifted_at IS NULL AND (o.until IS NULL OR o.until > :now) "
    "  AND (o.work_id IS NULL OR o.work_id = :work) "
    "  ORDER BY o.until DESC NULLS FIRST LIMIT 1) b ON true "
    "WHERE a.auction_id = :auction AND a.party_id = ANY(CAST(:parties AS uuid[]))"
)
# One statement writes the whole picture of an auction: who is not named is bound for nothing.
EXPOSE = text(
    "WITH given AS (SELECT * FROM unnest(CAST(:parties AS uuid[]), CAST(:amounts AS bigint[])) "
    "  AS g(party_id, amount_minor)), "
    "freed AS (UPDATE exposure SET amount_minor = 0 WHERE auction_id = :auction "
    "  AND amount_minor <> 0 AND NOT party_id = ANY(CAST(:parties AS uuid[]))) "
    "INSERT INTO exposure (party_id, auction_id, currency, amount_minor) "
    "SELECT party_id, :auction, :currency, amount_minor FROM given "
    "ON CONFLICT (party_id, auction_id) DO UPDATE SET amount_minor = excluded.amount_minor "
    "WHERE exposure.amount_minor <> excluded.amount_minor"
)
RELEASE = text(
    "UPDATE exposure SET amount_minor = 0 WHERE auction_id = :auction AND amount_minor <> 0 "
    "AND NOT party_id = ANY(CAST(:keep AS uuid[]))"
)

# Who may bid at once: admitted, and nothing else to look at (no deposit that lapsed, no block, no
# credit line). It is asked once for every batch of bids; `loaded` answers for everybody else.
READY = (
    "SELECT a.party_id, p.number, a.cap_minor FROM admission a "
    "JOIN paddle p ON p.auction_id = a.auction_id AND p.party_id = a.party_id "
    "WHERE a.auction_id = %(auction)s AND a.party_id = ANY(%(parties)s) AND a.state = 'admitted' "
    "AND NOT EXISTS (SELECT FROM deposit d "
    "  WHERE d.auction_id = a.auction_id AND d.party_id = a.party_id AND (d.frozen_at IS NULL "
    "  OR d.held_minor < d.required_minor AND d.pledged_until <= %(now)s)) "
    "AND NOT EXISTS (SELECT FROM party_block o "
    "  WHERE o.party_id = a.party_id AND o.lifted_at IS NULL) "
    "AND NOT EXISTS (SELECT FROM credit_line c "
    "  WHERE c.party_id = a.party_id AND c.currency = %(currency)s)"
)


class Lot(Protocol):
    """What admission reads of an auction's row."""

    id: UUID
    work_id: UUID
    seller_id: UUID
    barred: list[UUID]
    currency: str
    rulebook: bytes


async def loaded(
    session: AsyncSession, auction: Lot, parties: Collection[UUID], *, now: datetime
) -> dict[UUID, Admission]:
    """Return how each party stands in an auction whose row is locked, admitting at a first bid.

    Where the rulebook admits whoever is verified, a party that may bid gets its number here, in the
    order of `parties`. What
    credit lines leave free holds until the transaction ends: lines stay locked, in the order of
    the parties' ids, and sums are read after the locks.
    """
    gate = rules.gate(auction.rulebook)
    stood = await _stood(session, auction, parties, gate=gate, now=now)
    if gate.must_sign:
        stood = await _signed(session, auction.id, stood)
    new = [
        party
        for party in dict.fromkeys(parties)
        if party not in stood or stood[party].state == rules.RESERVED
    ]
    if new and gate.kind == rules.VERIFIED:
        states = await standings(session, auction, new, now=now)
        for party in new:
            stood[party] = await _first(session, auction, states[party], gate=gate, now=now)
    for party in new:
        stood.setdefault(party, Admission(party, None, rules.MISSING))
    return await _with_room(session, auction, stood)


def ready(rows: Sequence[tuple[UUID, int, int | None]], rulebook: bytes) -> dict[UUID, Admission]:
    """Return the admissions in the answer to READY."""
    cap = rules.gate(rulebook).cap_minor
    return {
        party: Admission(party, number, rules.ADMITTED, cap_minor=rules.least(cap, own))
        for party, number, own in rows
    }


async def expose(
    session: AsyncSession, auction_id: UUID, bound: Mapping[UUID, int], *, currency: str
) -> None:
    """Write what each party is bound for in an auction now; whoever is not named, for nothing.

    The auction's row is locked, and so are the credit lines of whoever is bound for more.
    """
    await session.execute(
        EXPOSE,
        {
            "auction": auction_id,
            "parties": list(bound),
            "amounts": list(bound.values()),
            "currency": currency,
        },
    )


async def release(session: AsyncSession, auction_id: UUID, *, keep: Collection[UUID] = ()) -> None:
    """Bind nobody any more in an auction but those to keep: winners, until their deal executes."""
    await session.execute(RELEASE, {"auction": auction_id, "keep": list(keep)})


async def free(session: AsyncSession, auction_id: UUID, party_id: UUID) -> None:
    """Bind one party no more in an auction: its deal is executed, or will never be."""
    await session.execute(
        text(
            "UPDATE exposure SET amount_minor = 0 WHERE auction_id = :auction "
            "AND party_id = :party AND amount_minor <> 0"
        ),
        {"auction": auction_id, "party": party_id},
    )


async def set_aside(
    session: AsyncSession, auction_id: UUID, parties: Collection[UUID]
) -> list[int]:
    """Set numbers aside for holders of a right of first refusal; return them in their order.

    Called before the auction's row is written: the rulebook names the numbers.
    """
    numbers = list(range(1, len(parties) + 1))
    for number, party_id in zip(numbers, parties, strict=True):
        session.add(
            AdmissionRow(
                auction_id=auction_id,
                party_id=party_id,
                state=rules.RESERVED,
                reserved_number=number,
            )
        )
    await session.flush()
    return numbers


async def standings(
    session: AsyncSession, auction: Lot, parties: Collection[UUID], *, now: datetime
) -> dict[UUID, Admission]:
    """Return as what parties stand by the register alone, before any admission.

    The operator itself is on the seller's side here: its staff and whoever is connected with it
    do not bid (拍卖法 art. 22).
    """
    barred = {auction.seller_id, *auction.barred}
    rows = await session.scalars(select(Party).where(col(Party.id).in_(parties)))
    known = {party.id: party for party in rows}
    related = await queries.related(session, parties, barred | {EXCHANGE_PARTY_ID})
    blocked = await queries.blocked(session, parties, work_id=auction.work_id, now=now)
    found = {}
    for party_id in parties:
        party = known.get(party_id)
        candidate = Candidate(
            is_broadcaster=party is not None and party.kind == "broadcaster",
            is_verified=party is not None and party.state == "verified",
            is_owner=party_id in barred,
            is_related=party_id in related,
            is_blocked=party_id in blocked,
        )
        found[party_id] = Admission(
            party_id, None, rules.standing(candidate), until=blocked.get(party_id)
        )
    return found


async def give_paddle(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, gate: Gate, now: datetime
) -> int:
    """Return a party's number; a new one is the next, or a random one where bidders are hidden.

    The auction's row is locked.
    """
    known = await queries.find_paddle(session, auction_id, party_id)
    if known is not None:
        return known
    row = await queries.find_admission(session, auction_id, party_id)
    number = None if row is None else row.reserved_number
    if number is None:
        taken = await queries.taken(session, auction_id)
        draw = secrets.randbelow(2**64)
        number = rules.hidden_number(taken, draw) if gate.is_hidden else rules.next_number(taken)
    session.add(
        Paddle(
            auction_id=auction_id,
            party_id=party_id,
            number=number,
            blind=secrets.token_bytes(32),
            admitted_at=now,
        )
    )
    await session.flush()
    return number


async def is_full(session: AsyncSession, auction_id: UUID, gate: Gate) -> bool:
    """Tell whether an auction has as many bidders as its rulebook takes."""
    if gate.most_bidders is None:
        return False
    return len(await queries.parties_of(session, auction_id)) >= gate.most_bidders


async def _first(
    session: AsyncSession, auction: Lot, admission: Admission, *, gate: Gate, now: datetime
) -> Admission:
    if admission.state != rules.ADMITTED:
        return admission
    if await is_full(session, auction.id, gate):
        return Admission(admission.party_id, None, rules.MISSING)
    party_id = admission.party_id
    number = await give_paddle(session, auction.id, party_id, gate=gate, now=now)
    row = await queries.find_admission(session, auction.id, party_id)
    if row is None:
        row = AdmissionRow(auction_id=auction.id, party_id=party_id, state=rules.ADMITTED)
        session.add(row)
    row.state = rules.ADMITTED
    await session.flush()
    return Admission(party_id, number, rules.ADMITTED, rules.least(gate.cap_minor, row.cap_minor))


async def _stood(
    session: AsyncSession, auction: Lot, parties: Collection[UUID], *, gate: Gate, now: datetime
) -> dict[UUID, Admission]:
    rows = await session.execute(
        STOOD,
        {
            "auction": auction.id,
            "parties": list(parties),
            "work": auction.work_id,
            "now": now,
        },
    )
    return {
        row.party_id: Admission(
            row.party_id,
            row.number,
            _state(row.state, is_blocked=row.block is not None, is_lapsed=row.is_lapsed),
            cap_minor=rules.least(gate.cap_minor, row.cap_minor),
            until=row.until,
        )
        for row in rows.all()
    }


def _state(state: str, *, is_blocked: bool, is_lapsed: bool) -> str:
    """Return how somebody stands whose admission is stored: one of two things may suspend it."""
    if state != rules.ADMITTED or not (is_blocked or is_lapsed):
        return state
    return rules.BLOCKED if is_blocked else rules.LAPSED


async def _signed(
    session: AsyncSession, auction_id: UUID, stood: Mapping[UUID, Admission]
) -> dict[UUID, Admission]:
    """Tell apart who still has to sign from whoever waits for something else."""
    waiting = [party for party in stood if stood[party].state == rules.WAITING]
    signed = await agreements.signed_by(session, auction_id, waiting)
    return {
        party: one
        if one.state != rules.WAITING or party in signed
        else replace(one, state=rules.UNSIGNED)
        for party, one in stood.items()
    }


async def _with_room(
    session: AsyncSession, auction: Lot, stood: dict[UUID, Admission]
) -> dict[UUID, Admission]:
    """Lock the credit lines of whoever has one and tell what each leaves for this auction."""
    wanted = [party for party in stood if stood[party].state == rules.ADMITTED]
    locked = await session.execute(
        select(col(CreditLine.party_id), col(CreditLine.limit_minor))
        .where(col(CreditLine.party_id).in_(wanted), col(CreditLine.currency) == auction.currency)
        .order_by(col(CreditLine.party_id))
        .with_for_update(key_share=True)
    )
    limits = {row[0]: row[1] for row in locked}
    if not limits:
        return stood
    elsewhere = await queries.committed_elsewhere(
        session, limits, currency=auction.currency, auction_id=auction.id
    )
    for party, limit in limits.items():
        room = limit - elsewhere.get(party, 0)
        stood[party] = rules.with_room(stood[party], room)
    return stood
