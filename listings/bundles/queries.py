"""Reading package auctions: cells, progress, the solution."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Unknown
from listings.auctions import logs
from listings.auctions import queries as auctions
from listings.auctions.methods import package
from listings.auctions.model import Book, Event
from listings.auctions.tables import Auction
from listings.bundles.posing import Posed
from listings.bundles.tables import BundleRun


async def find_run(session: AsyncSession, auction_id: UUID) -> BundleRun | None:
    """Return how far the solving of an auction has come, or None before it began."""
    return await session.get(BundleRun, auction_id)


async def get_book(session: AsyncSession, auction_id: UUID) -> tuple[Auction, Book]:
    """Return a package auction and its rulebook.

    Raises:
        Unknown: there is no such auction, or it does not sell packages.
    """
    auction = await auctions.get_auction(session, auction_id)
    book = auctions.book(auction)
    if book.method != package.METHOD.code:
        raise Unknown("This auction does not sell packages.")
    return auction, book


async def find_solution(session: AsyncSession, auction_id: UUID) -> Mapping[str, Any] | None:
    """Return the certificate of an auction whose result is known, or None.

    Raises:
        Unknown: there is no such package auction.
    """
    auction, _ = await get_book(session, auction_id)
    if auction.result is None:
        return None
    solved = latest(await auctions.events(session, auction_id), "solved")
    return None if solved is None else solved.body


def latest(events: Sequence[Event], kind: str) -> Event | None:
    """Return the last event of a kind, or None."""
    return next((event for event in reversed(events) if event.kind == kind), None)


def posed(book: Book, events: Sequence[Event]) -> Posed:
    """Return the problem that a solved log poses."""
    case = logs.case(book, events)
    return package.posed_by(book, case, (case.solved or {}).get("out", ()))
