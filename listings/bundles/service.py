"""Solving package auctions after their close: what is asked, how far it is, what came of it."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from listings.auctions import logs
from listings.auctions import queries as auctions
from listings.auctions import service as auctioning
from listings.auctions.methods import package
from listings.bundles import posing, queries
from listings.bundles.gateway import Asked
from listings.bundles.posing import Package
from listings.bundles.tables import BundleRun

METHOD = package.METHOD.code


async def ask(session: AsyncSession, auction_id: UUID) -> Asked | None:
    """Return what a closed auction asks of a solver; None where that is settled, or void.

    None also while sealed bids wait to be opened: their opening wakes the solver again.

    Raises:
        Unknown: there is no such auction.
        BrokenLog: it is not closed.
    """
    auction = await auctions.get_auction(session, auction_id)
    book = auctions.book(auction)
    if book.method != METHOD or auction.state != "closed" or auction.result is not None:
        return None
    events = await auctions.events(session, auction_id)
    is_opened = any(event.kind == "revealed" for event in events)
    if book.secrecy["amounts"] == "sealed" and not is_opened:
        return None
    case = logs.case(book, events)
    bids = posing.latest(case.entries, out=case.out, check=partial(package.holds, book))
    terms = canonical.loads(auction.rulebook)["terms"]
    packages = [Package(one.bid_id, one.paddle, one.content) for one in bids]
    return Asked(terms, packages, case.seed or b"", sorted(case.out))


async def begin(session: AsyncSession, auction_id: UUID, *, now: datetime) -> BundleRun:
    """Write down that a solver begins, once more if one died."""
    run = await queries.find_run(session, auction_id)
    if run is None:
        run = BundleRun(
            auction_id=auction_id, attempts=0, stage="started", begun_at=now, changed_at=now
        )
        session.add(run)
    run.attempts += 1
    run.stage, run.stage_at, run.changed_at, run.ended_at = "started", 0, now, None
    await session.flush()
    return run


async def show(
    session: AsyncSession, auction_id: UUID, *, stage: str, at: int, now: datetime
) -> None:
    """Show how far a solver has come; what is solved stays so."""
    run = await queries.find_run(session, auction_id)
    if run is not None and run.stage != "solved":
        run.stage, run.stage_at, run.changed_at = stage, at, now


async def settle(
    session: AsyncSession, auction_id: UUID, certificate: Mapping[str, Any], *, now: datetime
) -> Mapping[str, Any] | None:
    """Write a certificate into the auction's log and award by it; None where that was done before.

    A certificate that does not hold is refused by the award, and nothing of it is kept.

    Raises:
        BrokenLog: the certificate does not follow from the bids.
    """
    auction = await auctioning.locked(session, auction_id)
    if auction.state != "closed" or auction.result is not None:
        return None
    await auctioning.append(session, auction, "solved", certificate, at=now)
    result = await auctioning.conclude(session, auction_id, now=now)
    run = await queries.find_run(session, auction_id)
    if run is not None:
        run.stage, run.stage_at, run.changed_at, run.ended_at = "solved", 0, now, now
    return result
