"""Changing a disclosure that runs: where its end moves, a later auction replaces the old one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar
from listings.auctions import service as auctions
from listings.auctions.tables import Auction
from listings.disclosures import progress, service
from listings.disclosures.progress import Progress
from listings.disclosures.rules import BadDisclosure
from listings.disclosures.tables import Disclosure
from listings.incidents import queries as incident_queries
from listings.incidents import rules as incident_rules
from listings.incidents import service as incidents
from listings.incidents.service import Times

MOVES = ("extend", "supplement", "resume")


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a disclosure, why, and when the auction is held then."""

    kind: str
    reason: str
    auction_id: UUID | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    hard_stop_at: datetime | None = None

    def times(self) -> Times:
        """Return the new auction's times.

        Raises:
            BadDisclosure: one is missing.
        """
        if self.auction_id is None or self.opens_at is None or self.closes_at is None:
            raise BadDisclosure("Give the new auction's id and times.", field="auction_id")
        return Times(self.auction_id, self.opens_at, self.closes_at, self.hard_stop_at)


async def change(
    session: AsyncSession, listing_id: UUID, *, change: Change, person_id: UUID, now: datetime
) -> Disclosure:
    """Extend, supplement, suspend, resume or terminate a disclosure, and its auction with it.

    Raises:
        Unknown: there is no such disclosure, or no auction any more.
        DisclosureState, ExtensionNotAnnounced, SuspensionTooLong: see `progress`.
        DisclosureTooShort: the new auction would begin too early.
        IncidentState: there are bids already, which no other auction would keep.
        Refusal: any of `auctions.open_auction`.
    """
    row = await service.get_locked(session, listing_id)
    auction_id = await incident_queries.current(session, listing_id)
    auction = None if auction_id is None else await auctions.locked(session, auction_id)
    after = _after(row, change, bids=auction.bids if auction else 0, now=now)
    if auction is not None:
        await _move(session, auction, change, after, now=now)
    return await service.change(
        session, row, after, kind=change.kind, reason=change.reason, person_id=person_id, now=now
    )


def _after(row: Disclosure, change: Change, *, bids: int, now: datetime) -> Progress:
    before, today = row.progress(), calendar.day_of(now)
    if change.kind == "extend":
        return progress.extend(row.notice(), before, bidders=bids, today=today)
    if change.kind == "supplement":
        return progress.supplement(before, today=today)
    if change.kind == "suspend":
        return progress.suspend(before, today=today)
    if change.kind == "resume":
        return progress.resume(before, today=today)
    return progress.terminate(before)


async def _move(
    session: AsyncSession, auction: Auction, change: Change, after: Progress, *, now: datetime
) -> None:
    """Pause, void or replace a locked auction as the change of its disclosure asks."""
    reason = f"disclosure: {change.reason}"
    if auction.bids and change.kind in MOVES:
        raise incident_rules.IncidentState("Bids were placed.", state=auction.state, awarded=False)
    if change.kind == "suspend":
        await incidents.pause(session, auction, reason=reason, now=now)
    elif change.kind == "terminate":
        await incidents.void(session, auction, reason=reason, now=now)
    else:
        times = change.times()
        progress.check_times(after, opens_at=times.opens_at, closes_at=times.closes_at, preset=None)
        await incidents.replace(session, auction, times=times, reason=reason, now=now)
