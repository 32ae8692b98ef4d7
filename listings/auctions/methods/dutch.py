"""Dutch (降价式): the price falls by the clock until somebody takes it.

The price at an instant is a pure function of the published terms and that instant. A bid names the
tick its bidder saw: the one in force, or the one before it within the grace; it pays the price in
force when it came in.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from contracts.money import Money
from listings.auctions import awarding, steps
from listings.auctions.awarding import Ranked
from listings.auctions.methods import fixed
from listings.auctions.model import (
    Bid,
    Book,
    Case,
    Change,
    Method,
    Outcome,
    Standing,
    elapsed,
    pauses,
)
from listings.auctions.refusals import BadSale, StaleTick

TERMS = {"start_minor", "interval_s", "grace_s"}
MOST_TICKS, MOST_INTERVAL_S, MOST_GRACE_S = 10_000, 86_400, 60
Stops = Sequence[tuple[datetime, datetime]]


def read_terms(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read start, floor, decrement, interval and grace."""
    given = sale.get("terms", {})
    odd = sorted(set(given) ^ TERMS)
    if odd or "step_minor" not in sale:
        raise BadSale("The terms of a falling price are incomplete.", fields=odd or ["step_minor"])
    start, floor = steps.whole(given["start_minor"]), steps.whole(sale["floor_minor"])
    decrement = steps.whole(sale["step_minor"])
    if start <= floor or (start - floor) // decrement > MOST_TICKS:
        raise BadSale("The price falls from start to floor.", most_ticks=MOST_TICKS)
    interval, grace = given["interval_s"], given["grace_s"]
    if type(interval) is not int or not 1 <= interval <= MOST_INTERVAL_S:
        raise BadSale("The interval is out of range.", most_s=MOST_INTERVAL_S)
    if type(grace) is not int or not 0 <= grace <= min(interval, MOST_GRACE_S):
        raise BadSale("The grace is out of range.", most_s=min(interval, MOST_GRACE_S))
    return {
        "start_minor": start,
        "floor_minor": floor,
        "decrement_minor": decrement,
        "interval_s": interval,
        "grace_s": grace,
    }


def tick_at(book: Book, stops: Stops, at: datetime) -> int:
    """Return the tick in force at an instant, 0 at the opening."""
    terms = book.terms
    last = -(-(terms["start_minor"] - terms["floor_minor"]) // terms["decrement_minor"])
    tick = elapsed(book, stops, at) // timedelta(seconds=terms["interval_s"])
    return max(0, min(int(last), tick))


def price_of(book: Book, tick: int) -> int:
    """Return the price of a tick, in minor units."""
    terms = book.terms
    fallen = terms["start_minor"] - tick * terms["decrement_minor"]
    return int(max(terms["floor_minor"], fallen))


def propose(book: Book, standing: Standing, bid: Bid) -> Change:
    """Take the price in force."""
    fixed.check_free(standing)
    stops = pauses(standing)
    tick, seen = tick_at(book, stops, bid.received_at), bid.content["tick"]
    begun = tick * timedelta(seconds=book.terms["interval_s"])
    late = elapsed(book, stops, bid.received_at) - begun
    grace = timedelta(seconds=book.terms["grace_s"])
    if seen != tick and not (seen == tick - 1 and late <= grace):
        price = price_of(book, tick)
        raise StaleTick(
            f"The price is {Money(price, book.currency).decimal()} {book.currency}.",
            tick=tick,
            price_minor=price,
            currency=book.currency,
        )
    check(book, bid.content)
    return fixed.take(standing, bid, price_of(book, tick))


def least_minor(_book: Book, _standing: Standing) -> int | None:
    """Return nothing: the price asked depends on the clock; see `price_of` and `tick_at`."""
    return None


def check(book: Book, content: Mapping[str, Any]) -> None:
    """Refuse every amount but the price of the tick that was seen."""
    price = price_of(book, content["tick"])
    if content["amount_minor"] != price:
        raise fixed.wrong_price(book, price)


def decide(book: Book, case: Case) -> Outcome:
    """Sell to the taker, at the price in force when the bid came in."""
    takers = [entry for entry in case.entries if entry.bid.paddle not in case.out][:1]
    ranking = [Ranked(entry, entry.price_minor or 0) for entry in takers]
    return awarding.sell(book, case, ranking, awarding.own_amount)


METHOD = Method(
    code="dutch",
    zh="降价式竞价",
    en="Descending price",
    amounts=("open",),
    closings=("fixed",),
    has_reserve=False,
    ties=("sequence",),
    defaults=("next-best", "none"),
    keys=frozenset({"step_minor"}),
    read_terms=read_terms,
    propose=propose,
    least_minor=least_minor,
    exposure=fixed.exposure,
    check=check,
    decide=decide,
    takes=True,
)
