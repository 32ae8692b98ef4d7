"""The form that bids, by method of sale: what it shows, and what was typed as a bid's content."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from exchange.api.auctions import AuctionOut
from exchange.portal.forms import Form
from listings.auctions import closing, queries
from listings.auctions.methods import dutch
from listings.auctions.model import Book, Standing, elapsed, pauses
from listings.auctions.tables import Auction

# How a bid is typed; what is composed from cells or sealed in the browser has a page of its own.
FORMS: Mapping[str, str] = {
    "english": "amount",
    "proxy": "maximum",
    "sealed": "amount",
    "vickrey": "amount",
    "intent": "amount",
    "weighted": "weighted",
    "fixed": "take",
    "dutch": "take",
    "package": "package",
}
MATCH = "match"


def shown(auction: Auction, out: AuctionOut, *, now: datetime) -> dict[str, Any]:
    """Return what the page needs beside the figures: the form, the price now, the rules."""
    if auction.standing is None:  # held before auctions had logs: only its result is shown
        return {"form": None, "price_minor": None, "tick": None, "falls_at": None}
    book, standing = queries.book(auction), queries.standing(auction)
    price, tick = _price(book, standing, now)
    return {
        "form": _form(book, standing, now) if out.state == "open" else None,
        "price_minor": price,
        "tick": tick,
        "falls_at": _falls_at(book, standing, tick, now),
    }


def content(form: Form) -> dict[str, Any]:
    """Return the content of the bid that was typed.

    Raises:
        InvalidContent: a field cannot be read.
    """
    kind, currency = form.text("kind"), form.text("currency")
    if kind == MATCH:
        return {"match": True}
    given: dict[str, Any] = {
        "amount_minor": form.minor("amount", currency),
        "currency": currency,
    }
    if form.text("tick"):
        given["tick"] = form.whole("tick")
    if kind == "weighted":
        codes = form.many("criterion")
        given["values"] = {code: form.whole(f"value_{code}") for code in codes}
    return given


def _form(book: Book, standing: Standing, now: datetime) -> str:
    if book.secrecy["amounts"] == "sealed":
        return "sealed"
    if book.first_refusal is not None and now >= closing.bidding_ends_at(book, standing):
        return MATCH
    return FORMS[book.method]


def _price(book: Book, standing: Standing, now: datetime) -> tuple[int | None, int | None]:
    """Return the price in force where the clock or the seller names it, and the tick."""
    if book.method == "fixed":
        return int(book.terms["price_minor"]), None
    if book.method != "dutch":
        return None, None
    tick = dutch.tick_at(book, pauses(standing), standing.paused_at or now)
    return dutch.price_of(book, tick), tick


def _falls_at(book: Book, standing: Standing, tick: int | None, now: datetime) -> datetime | None:
    """Return when the price falls next; None where it does not, or stands still."""
    if tick is None or standing.paused_at is not None:
        return None
    if dutch.price_of(book, tick) == book.terms["floor_minor"]:
        return None
    interval = timedelta(seconds=book.terms["interval_s"])
    return now + (tick + 1) * interval - elapsed(book, pauses(standing), now)
