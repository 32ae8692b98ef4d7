"""Reading package auctions: cells, progress, the solution."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Kind, Refusal, Unknown
from listings.auctions import logs
from listings.auctions import queries as auctions
from listings.auctions.methods import package
from listings.auctions.model import Book, Event
from listings.auctions.tables import Auction
from listings.bundles.posing import Posed
from listings.bundles.tables import BundleRun


class NotSolved(Refusal):
    """The package auction has no solution yet."""

    kind, code = Kind.CONFLICT, "not-solved"
    hint = "Ask again after the close; the auction's page shows how far the solver has come."


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


async def get_solution(session: AsyncSession, auction_id: UUID) -> Mapping[str, Any]:
    """Return the certificate of an auction whose result is known.

    Raises:
        Unknown: there is no such package auction.
        NotSolved: it is not solved yet.
    """
    auction, _ = await get_book(session, auction_id)
    if auction.result is None:
        raise NotSolved("The auction is not solved yet.", state=auction.state)
    solved = latest(await auctions.events(session, auction_id), "solved")
    if solved is None:
        raise NotSolved("There was nothing to solve.", state=auction.state)
    return solved.body


def latest(events: Sequence[Event], kind: str) -> Event | None:
    """Return the last event of a kind, or None."""
    return next((event for event in reversed(events) if event.kind == kind), None)


def posed(book: Book, events: Sequence[Event]) -> Posed:
    """Return the problem that a solved log poses."""
    case = logs.case(book, events)
    return package.posed_by(book, case, (case.solved or {}).get("out", ()))
