"""When bidding ends: fixed, softly (延时), or in timed cycles (限时竞价) (pure).

Source: Ockenfels & Roth (GEB 2006): a fixed end invites late bids, an end that moves does not. The
free period and the countdown that always runs once: practice of Chinese exchanges.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from contracts import rfc3339
from listings.auctions.model import MICROSECOND, Book, Change, Standing, pauses
from listings.auctions.refusals import (
    AlreadyTaken,
    AuctionClosed,
    AuctionNotOpen,
    AuctionPaused,
)

Leads = list[tuple[int, int, int]]  # (paddle, amount, seq), the best first


def check_time(book: Book, standing: Standing, at: datetime) -> None:
    """Check that a bid received at `at` is neither early nor late nor inside a pause.

    Raises:
        AuctionNotOpen, AuctionClosed, AuctionPaused: it is.
        AlreadyTaken: it would not be late, had nobody taken it before.
    """
    if at < book.opens_at:
        raise AuctionNotOpen("The auction has not opened.", opens_at=rfc3339.exact(book.opens_at))
    if standing.phase == "ended" or at >= standing.closes_at:
        if standing.phase != "ended" and book.mechanism.takes and standing.leading_bid:
            raise AlreadyTaken("Somebody has taken it.")
        least = book.mechanism.least_minor(book, standing)
        told = {} if least is None else {"least_minor": least, "currency": book.currency}
        raise AuctionClosed(
            "The auction has closed.", closed_at=rfc3339.exact(standing.closes_at), **told
        )
    lasting = standing.paused_at is not None and at >= standing.paused_at
    if lasting or any(begun <= at < over for begun, over in pauses(standing)):
        raise AuctionPaused("The auction is paused.")


def bidding_ends_at(book: Book, standing: Standing) -> datetime:
    """Return the end of bidding in force; after it, until the close, holders may match."""
    return standing.closes_at - book.match_window


def free_until(book: Book, standing: Standing) -> datetime | None:
    """Return the end of the free period in force, moved by the pauses before it."""
    end = book.closing.free_until
    for begun, over in pauses(standing) if end is not None else ():
        if end is not None and begun < end:
            end += over - begun
    return end


def closes_at(book: Book, standing: Standing, change: Change, at: datetime) -> datetime:
    """Return the close in force after a bid accepted at `at`; it never falls, but for a take."""
    if change.ends_at is not None:
        return min(standing.closes_at, change.ends_at)
    limit = book.closing.most_extensions
    want = change.want or _want(book, standing, change, at)
    if want is None or (limit is not None and standing.extensions >= limit):
        return standing.closes_at
    if standing.hard_stop_at is not None:
        want = min(want, standing.hard_stop_at)
    return max(standing.closes_at, want)


def take_at(at: datetime) -> datetime:
    """Return the close that a take at `at` brings: the next instant."""
    return at + MICROSECOND


def ranked(leads: Leads, lead: tuple[int, int, int], top_k: int) -> Leads:
    """Return the first `top_k` paddles with one more bid among them."""
    others = [known for known in leads if known[0] != lead[0] or known[1] > lead[1]]
    mine = [] if any(known[0] == lead[0] for known in others) else [lead]
    return sorted(others + mine, key=lambda known: (-known[1], known[2]))[:top_k]


def leads_of(own: Mapping[str, object]) -> Leads:
    """Read the top as a standing keeps it."""
    rows = own.get("top", ())
    return [(row[0], row[1], row[2]) for row in rows] if isinstance(rows, list | tuple) else []


def _want(book: Book, standing: Standing, change: Change, at: datetime) -> datetime | None:
    window = timedelta(seconds=book.closing.window_s)
    moved = at + window + book.match_window
    if not change.stirs:
        return None
    if book.closing.kind == "soft":
        return moved if at > bidding_ends_at(book, standing) - window else None
    end = free_until(book, standing)
    return moved if end is not None and at >= end else None
