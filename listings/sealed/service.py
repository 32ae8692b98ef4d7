"""Handing in shares and reveals after the close, and opening every bid together."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, rfc3339
from contracts.facts import service as facts
from contracts.refusal import Unknown
from listings.admissions import service as admissions
from listings.auctions import queries as auctions_read
from listings.auctions import service as auctions
from listings.auctions.tables import Auction
from listings.sealed import audit, ceremony, envelope, keys, queries, rules, sharing
from listings.sealed.rules import Found, Opened, OpeningDone, SealedBid
from listings.sealed.tables import SealedKey, SealedReveal, SealedShare

OPENED_AT_ONCE = 20  # more are opened at the next call; one transaction stays short
OPENED_IN_ONE_GO = 10  # bids: some seven milliseconds of decrypting


@dataclass(frozen=True, slots=True)
class _Case:
    """An auction about to be opened: its row is locked."""

    auction: Auction
    lot: rules.Lot
    bids: Sequence[tuple[SealedBid, UUID]]

    @property
    def standing(self) -> list[SealedBid]:
        return rules.standing(bid for bid, _ in self.bids)

    @property
    def parties(self) -> dict[UUID, UUID]:
        return {bid.bid: party for bid, party in self.bids}


async def hand_in(
    session: AsyncSession,
    auction_id: UUID,
    holder: str,
    share: int,
    *,
    party_id: UUID,
    person_id: UUID,
    now: datetime,
) -> None:
    """Take a holder's share; the second of two opens every bid. The same share again is the same.

    Raises:
        Unknown: there is no such sealed auction, or the seller's share is another party's.
        FalseShare: it is not the share of this holder.
        OpeningNotDue: the auction has not closed.
        OpeningDone: the bids are open already.
    """
    key = await queries.get_key(session, auction_id)
    keys.check_holder(key, holder, party_id=party_id)
    ceremony.check_share(keys.parsed(key), holder, share)
    case = await _locked(session, key)
    if holder in await queries.shares(session, auction_id):
        return
    rules.check_due(case.lot)
    await session.execute(
        insert(SealedShare).values(
            auction_id=auction_id,
            holder=holder,
            party_id=party_id,
            person_id=person_id,
            share=share.to_bytes(envelope.SCALAR_BYTES),
            handed_in_at=now,
        )
    )
    record = {"auction": str(auction_id), "holder": holder}
    await facts.record(session, "share.released", auction_id, record, now=now)
    shares = {
        row.holder: int.from_bytes(row.share)
        for row in (await queries.shares(session, auction_id)).values()
    }
    if len(shares) == sharing.THRESHOLD:
        await _open_with(session, case, shares, now=now)


async def reveal(
    session: AsyncSession,
    auction_id: UUID,
    bid_id: UUID,
    found: Found,
    *,
    party_id: UUID,
    person_id: UUID,
    now: datetime,
) -> None:
    """Take what a bidder itself says it had sealed; it is shown with all the others, not before.

    Raises:
        Unknown: there is no such sealed bid of this party.
        OpeningNotDue, OpeningDone, RevealOver, BidReplaced, RevealMismatch: see
            `rules.check_reveal`.
    """
    case = await _locked(session, await queries.get_key(session, auction_id))
    bid = next((bid for bid, by in case.bids if (bid.bid, by) == (bid_id, party_id)), None)
    if bid is None:
        raise Unknown("There is no such bid of yours.")
    if bid_id in await queries.reveals(session, auction_id):
        return
    rules.check_reveal(case.lot, bid, standing=case.standing, found=found, now=now)
    await session.execute(
        insert(SealedReveal).values(
            auction_id=auction_id,
            bid_id=bid_id,
            party_id=party_id,
            person_id=person_id,
            content=canonical.dumps(found.content),
            nonce=found.nonce,
            revealed_at=now,
        )
    )
    record = {"auction": str(auction_id), "bid": str(bid_id)}
    await facts.record(session, "bid.revealed", auction_id, record, parties=[party_id], now=now)


async def open_due(session: AsyncSession, *, now: datetime) -> int:
    """Open what two shares did not open in time with what bidders said; return how many."""
    rows = await session.execute(
        select(Auction, SealedKey)
        .join(SealedKey, col(SealedKey.auction_id) == col(Auction.id))
        .where(col(Auction.state) == "closed", col(Auction.result).is_(None))
        .order_by(col(Auction.closes_at))
        .limit(OPENED_AT_ONCE)
        .with_for_update(of=Auction, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    done = 0
    for auction, key in rows.all():
        if auctions_read.book(auction).secrecy["amounts"] != "sealed":
            continue  # a key was made for it and is not used
        case = await _locked(session, key)
        if case.lot.is_opened or now < case.lot.reveal_until:
            continue
        said = await queries.reveals(session, case.auction.id)
        await _reveal_all(session, case, said, rules.NOT_REVEALED, key=None, now=now)
        done += 1
    return done


async def _locked(session: AsyncSession, key: SealedKey) -> _Case:
    auction = await auctions.locked(session, key.auction_id)
    if auctions_read.book(auction).secrecy["amounts"] != "sealed":
        raise Unknown("The bids of this auction are not sealed.")
    lot = await queries.lot(session, auction, reveal_s=keys.parsed(key).reveal_s)
    return _Case(auction, lot, await queries.bids(session, auction.id))


async def _open_with(
    session: AsyncSession, case: _Case, shares: Mapping[str, int], *, now: datetime
) -> None:
    private = sharing.join(shares)
    found: dict[UUID, Found] = {}
    for number, bid in enumerate(case.standing):
        if number % OPENED_IN_ONE_GO == 0:
            await asyncio.sleep(0)  # others in this process go on meanwhile
        held = audit.unsealed(private, case.lot.auction, bid)
        if held is not None:
            found[bid.bid] = held
    told = {
        "shares": [
            {"holder": holder, "x": place, "share": _hex(shares[holder])}
            for holder, place in sharing.PLACE.items()
            if holder in shares
        ],
        "private": _hex(private),
    }
    await _reveal_all(session, case, found, rules.BROKEN, key=told, now=now)


async def _reveal_all(
    session: AsyncSession,
    case: _Case,
    found: Mapping[UUID, Found],
    missing: str,
    *,
    key: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    """Write the one event that opens every standing bid, and conclude where nothing is left."""
    if case.lot.is_opened:
        raise OpeningDone("The bids of this auction are opened.")
    first = [
        rules.opened(case.lot, bid, found.get(bid.bid), missing=missing) for bid in case.standing
    ]
    judged = await _judged(session, case, first, now=now)
    openings = [one for one in judged if one.reason is None]
    failures = [one for one in judged if one.reason is not None]
    body = {
        "openings": [one.wire() for one in openings],
        "failures": [one.wire() for one in failures],
        "key": key,
    }
    await auctions.append(session, case.auction, "revealed", body, at=now)
    book = auctions_read.book(case.auction)
    record = {
        "auction": str(case.lot.auction),
        "listing": str(case.lot.listing),
        "method": book.method,
        "opened": len(openings),
        "failed": len(failures),
        "revealed_at": rfc3339.exact(now),
    }
    await facts.record(session, "bids.revealed", case.lot.auction, record, now=now)
    for one in failures:
        await _tell_failure(session, case, one, now=now)
    if book.method != "package":  # its winners are computed first
        await auctions.conclude(session, case.lot.auction, now=now)


async def _judged(
    session: AsyncSession, case: _Case, opened: Sequence[Opened], *, now: datetime
) -> list[Opened]:
    """Put those out whose content could not have been a bid, or is above the bidder's cap."""
    book = auctions_read.book(case.auction)
    parties = [case.parties[one.bid] for one in opened]
    admitted = await admissions.loaded(session, case.auction, parties, now=now)
    caps = {one.bid: admitted[case.parties[one.bid]].cap_minor for one in opened}
    judged = []
    for one in opened:
        reason = one.found and audit.reason(book, one.found, cap_minor=caps[one.bid])
        judged.append(Opened(one.bid, one.paddle, None, reason) if reason else one)
    return judged


async def _tell_failure(
    session: AsyncSession, case: _Case, failed: Opened, *, now: datetime
) -> None:
    party = case.parties[failed.bid]
    record = {
        "auction": str(case.lot.auction),
        "listing": str(case.lot.listing),
        "bid": str(failed.bid),
        "party": str(party),
        "reason": failed.reason,
    }
    to = [case.auction.seller_id, party]
    await facts.record(session, "seal.failed", case.lot.auction, record, parties=to, now=now)


def _hex(scalar: int) -> str:
    return scalar.to_bytes(envelope.SCALAR_BYTES).hex()
