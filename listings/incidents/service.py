"""Pausing and resuming auctions, bidding anew, voiding, and leaving out who defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking, rfc3339
from contracts.deals import lifecycle
from contracts.deals import service as deals
from contracts.deals.tables import Deal
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from contracts.titles import service as titles
from listings.admissions import queries as admissions
from listings.admissions import service as admitting
from listings.auctions import queries as auction_queries
from listings.auctions import service as auctions
from listings.auctions.tables import Auction, AuctionEvent
from listings.catalogue import rules as catalogue_rules
from listings.catalogue.tables import Listing
from listings.incidents import rules
from listings.incidents.tables import Incident


@dataclass(frozen=True, slots=True)
class Times:
    """When the auction that takes the place of another is held, and under which id."""

    auction_id: UUID
    opens_at: datetime
    closes_at: datetime
    hard_stop_at: datetime | None = None

    def wire(self) -> dict[str, Any]:
        """Return them as the terms of sale carry them."""
        stop = self.hard_stop_at
        return {
            "auction_id": str(self.auction_id),
            "opens_at": rfc3339.exact(self.opens_at),
            "closes_at": rfc3339.exact(self.closes_at),
            **({} if stop is None else {"hard_stop_at": rfc3339.exact(stop)}),
        }

    @classmethod
    def of(cls, wire: Mapping[str, Any]) -> "Times":
        """Return what `wire` wrote."""
        stop = wire.get("hard_stop_at")
        return cls(
            UUID(wire["auction_id"]),
            datetime.fromisoformat(wire["opens_at"]),
            datetime.fromisoformat(wire["closes_at"]),
            stop and datetime.fromisoformat(stop),
        )


@dataclass(frozen=True, slots=True)
class Measure:
    """What is to be done about an auction, and why; only bidding anew has times, only a default a
    paddle."""

    kind: str
    reason: str
    times: Times | None = None
    paddle: int | None = None

    def detail(self) -> dict[str, Any]:
        """Return what its kind needs, as the row keeps it."""
        if self.paddle is not None:
            return {"paddle": self.paddle}
        return {} if self.times is None else self.times.wire()


async def report(
    session: AsyncSession,
    incident_id: UUID,
    *,
    auction_id: UUID,
    measure: Measure,
    person_id: UUID,
    now: datetime,
) -> tuple[Incident, bool]:
    """Pause or resume at once, or propose what a second person decides; say whether it is new.

    Raises:
        Unknown: there is no such auction.
        IdReused: the id names another incident.
        BadIncident, IncidentState: see `rules`.
    """
    kind, reason = measure.kind, measure.reason
    rules.check_kind(kind, times=measure.times is not None, paddle=measure.paddle is not None)
    known = await locking.find_locked(session, Incident, col(Incident.id) == incident_id)
    if known is not None:
        return _same(known, auction_id, measure), False
    auction = await auctions.locked(session, auction_id)
    rules.check_state(kind, auction.state, awarded=auction.result is not None)
    incident = Incident(
        id=incident_id, auction_id=auction_id, kind=kind, reason=reason, detail=measure.detail(),
        state=rules.PROPOSED, proposed_by=person_id, proposed_at=now,
    )  # fmt: skip
    if kind in rules.AT_ONCE:
        if kind == rules.PAUSE:
            await pause(session, auction, reason=reason, now=now)
        else:
            await resume(session, auction, now=now)
        incident.state, incident.decided_by, incident.decided_at = rules.DONE, person_id, now
    session.add(incident)
    await session.flush()
    record = {
        "incident": str(incident_id),
        "auction": str(auction_id),
        "kind": kind,
        "reason": reason,
        "by": str(person_id),
    }
    await facts.record(session, "incident.proposed", auction_id, record, now=now)
    return incident, True


async def decide(
    session: AsyncSession, incident_id: UUID, *, outcome: str, person_id: UUID, now: datetime
) -> Incident:
    """Carry out what somebody else proposed, or refuse it; the same again changes nothing.

    Raises:
        Unknown: there is no such incident.
        IncidentDecided, SecondPersonNeeded, IncidentState: see `rules`.
        Refusal: any of opening an auction, or of voiding a contract.
    """
    incident = await locking.find_locked(session, Incident, col(Incident.id) == incident_id)
    if incident is None:
        raise Unknown("There is no such incident.")
    if (incident.state, incident.decided_by) == (outcome, person_id):
        return incident
    rules.check_decision(
        state=incident.state, proposed_by=incident.proposed_by, decided_by=person_id
    )
    if outcome == rules.DONE:
        await _carry_out(session, incident, now=now)
    incident.state, incident.decided_by, incident.decided_at = outcome, person_id, now
    await session.flush()
    record = {"incident": str(incident_id), "outcome": outcome, "by": str(person_id)}
    await facts.record(session, "incident.decided", incident.auction_id, record, now=now)
    return incident


async def pause(session: AsyncSession, auction: Auction, *, reason: str, now: datetime) -> None:
    """Pause a locked auction: nobody bids until it goes on.

    Raises:
        IncidentState: its end has come.
    """
    if now >= auction.closes_at:
        raise rules.IncidentState("Its end has come.", state=auction.state, awarded=False)
    at = await _after_all(session, auction, now)
    await auctions.append(session, auction, "paused", {"reason": reason}, at=at)
    record = {**_names(auction), "reason": reason}
    await facts.record(session, "auction.paused", auction.id, record, now=now)


async def resume(session: AsyncSession, auction: Auction, *, now: datetime) -> None:
    """Let a locked auction go on: close and hard stop move by the length of the pause."""
    standing, at = auction_queries.standing(auction), await _after_all(session, auction, now)
    body = rules.resumed(
        closes_at=standing.closes_at,
        hard_stop_at=standing.hard_stop_at,
        paused_at=standing.paused_at or at,
        at=at,
    )
    await auctions.append(session, auction, "resumed", body, at=at)
    await facts.record(session, "auction.resumed", auction.id, {**_names(auction), **body}, now=now)


async def void(
    session: AsyncSession,
    auction: Auction,
    *,
    reason: str,
    now: datetime,
    successor: UUID | None = None,
) -> None:
    """Void a locked auction: its bids bind nobody; without a successor its listing ends."""
    await auctions.append(session, auction, "voided", {"reason": reason}, at=now)
    await admitting.release(session, auction.id)
    record = {
        **_names(auction),
        "reason": reason,
        "successor": None if successor is None else str(successor),
    }
    await facts.record(session, "auction.voided", auction.id, record, now=now)


async def replace(
    session: AsyncSession, auction: Auction, *, times: Times, reason: str, now: datetime
) -> Auction:
    """Void a locked auction and open another of the same listing, with other times, in its place.

    Raises:
        IdReused: the new auction's id is taken.
        Refusal: any of `auctions.open_auction`.
    """
    if await auction_queries.find_auction(session, times.auction_id) is not None:
        raise IdReused("The auction's id is taken.", field="auction_id")
    listing = await session.get(Listing, auction.listing_id)
    if listing is None:
        raise Unknown("There is no such listing.")
    invited = list((await admissions.parties_of(session, auction.id)).values())
    await void(session, auction, reason=reason, now=now, successor=times.auction_id)
    sale = rules.moved(listing.sale, times.wire())
    made = await auctions.open_auction(
        session,
        times.auction_id,
        listing_id=listing.id,
        work_id=listing.work_id,
        seller_id=listing.party_id,
        sale=catalogue_rules.whole_sale(sale, listing.secret),
        now=now,
        rights=listing.rights,
        supersedes=auction.id,
    )
    record = {"auction": str(made.id), "listing": str(listing.id), "supersedes": str(auction.id)}
    await facts.record(
        session, "auction.invited", made.id, record, parties=[listing.party_id, *invited], now=now
    )
    return made


async def _carry_out(session: AsyncSession, incident: Incident, *, now: datetime) -> None:
    auction = await auctions.locked(session, incident.auction_id)
    rules.check_state(incident.kind, auction.state, awarded=auction.result is not None)
    if incident.kind == rules.VOID:
        await void(session, auction, reason=incident.reason, now=now)
    elif incident.kind == rules.REBID:
        times = Times.of(incident.detail)
        await replace(session, auction, times=times, reason=incident.reason, now=now)
    else:
        await _default(session, auction, incident, now=now)


async def _default(
    session: AsyncSession, auction: Auction, incident: Incident, *, now: datetime
) -> None:
    """Leave a winner out who does not sign, free the rights, and award by the rulebook again."""
    paddle: int = incident.detail["paddle"]
    winner = (await admissions.parties_of(session, auction.id)).get(paddle)
    deal = await _deal(session, auction, winner)
    awards = canonical.loads(auction.result or b"{}").get("awards", [])
    if deal is None or len(awards) != 1:
        raise rules.IncidentState("This paddle alone has no contract to sign.", state=auction.state)
    if lifecycle.is_open(deal.life):
        by = incident.proposed_by
        await deals.void(session, deal.id, reason="bidder-defaulted", by=by, now=now)
    body = {"paddle": paddle, "reason": incident.reason}
    await auctions.append(session, auction, "defaulted", body, at=now)
    record = {**_names(auction), "reason": incident.reason}
    await facts.record(session, "award.defaulted", auction.id, record, now=now)
    listing = await session.get(Listing, auction.listing_id)
    if listing is None:
        raise Unknown("There is no such listing.")
    result = await auctions.conclude(session, auction.id, now=now)
    if result["awards"]:
        await titles.reserve(
            session, listing.work_id, grantor_id=listing.party_id, boxes=listing.rights,
            source=str(listing.id), now=now,
        )  # fmt: skip


async def _after_all(session: AsyncSession, auction: Auction, now: datetime) -> datetime:
    """Return the instant of an event that waited for the lock: no bid before it is later."""
    latest = await session.execute(
        select(func.max(col(AuctionEvent.at))).where(col(AuctionEvent.auction_id) == auction.id)
    )
    return max(now, latest.scalar_one() or now)


async def _deal(session: AsyncSession, auction: Auction, winner: UUID | None) -> Deal | None:
    found = await session.execute(
        select(Deal).where(
            col(Deal.auction_id) == auction.id,
            col(Deal.licensee_id) == winner,
            col(Deal.signing).not_in(("voided", "expired")),
            # A winner that refuses to sign defaults; a seller that refuses makes nobody default.
            func.coalesce(col(Deal.declined_by), winner) == winner,
            col(Deal.supersedes).is_(None),
        )
    )
    return found.scalars().first()


def _names(auction: Auction) -> dict[str, str]:
    return {"auction": str(auction.id), "listing": str(auction.listing_id)}


def _same(known: Incident, auction_id: UUID, measure: Measure) -> Incident:
    said = (known.auction_id, known.kind, known.reason, known.detail)
    if said != (auction_id, measure.kind, measure.reason, measure.detail()):
        raise IdReused("This id names another incident.")
    return known
