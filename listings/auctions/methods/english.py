"""English (多次报价, 动态报价): an ascending price, seen by everybody; the winner pays its bid.

Source: 拍卖法 art. 36 (a bid binds until a higher one stands); 国资发产权规〔2025〕17号 for bidding
in several rounds; a right of first refusal is exercised inside the auction (场内行权).
"""

from collections.abc import Mapping
from typing import Any

from contracts.money import MOST_MINOR, AmountOutOfRange, Money
from listings.auctions import awarding, closing, steps
from listings.auctions.awarding import Ranked
from listings.auctions.model import Bid, Book, Case, Change, Method, Outcome, Standing
from listings.auctions.refusals import (
    BadSale,
    BidNotAStep,
    BidTooLow,
    MatchingOnly,
    NoFirstRefusal,
    NoFreeBid,
    NothingToMatch,
)

FREE = "free"  # in a standing's own: the paddles that bid in the free period
TERMS = {"step", "multiples", "needs_free_bid"}


def read_terms(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read floor, step and the two options."""
    given = sale.get("terms", {})
    options = {name: given.get(name, False) for name in ("multiples", "needs_free_bid")}
    if set(given) - TERMS or any(type(option) is not bool for option in options.values()):
        raise BadSale("These terms are not of this method.", fields=sorted(set(given) - TERMS))
    closes = sale.get("closing") or {}
    if options["needs_free_bid"] and closes.get("kind") != "timed":
        raise BadSale("A free period belongs to timed cycles.", fields=["needs_free_bid"])
    return {**rising(sale), **options}


def rising(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read floor and step, which leave room for a raise.

    Raises:
        BadSale: there is no step, or there are two.
        AmountOutOfRange: there is no room.
    """
    given = sale.get("terms", {})
    floor = steps.whole(sale["floor_minor"])
    if ("step_minor" in sale) == ("step" in given):
        raise BadSale("Name one step.", fields=["step_minor"])
    step = given.get("step") or {"kind": "fixed", "minor": sale.get("step_minor")}
    step = steps.read(step)
    if steps.after(step, floor) > MOST_MINOR:
        raise AmountOutOfRange(
            "Floor and step are at least 1 and leave room for a raise.",
            least_minor=1,
            most_minor=MOST_MINOR,
        )
    return {"floor_minor": floor, "step": step}


def propose(book: Book, standing: Standing, bid: Bid) -> Change:
    """Judge an amount, or a match."""
    is_matching = bid.received_at >= closing.bidding_ends_at(book, standing)
    if "match" in bid.content:
        return _match(book, standing, bid, is_matching=is_matching)
    if is_matching:
        raise MatchingOnly("Bidding has ended; the right of first refusal may be exercised.")
    own = _free(book, standing, bid)
    amount = bid.content["amount_minor"]
    _high_enough(book, standing, amount)
    return Change(
        amount,
        bid.bid_id,
        bid.paddle,
        own,
        stirs=book.closing.kind == "timed" or bid.paddle != standing.leading_paddle,
    )


def least_minor(book: Book, standing: Standing) -> int | None:
    """Return the least that would lead."""
    if standing.price_minor is None:
        return int(book.terms["floor_minor"])
    return steps.after(book.terms["step"], standing.price_minor)


def exposure(_book: Book, standing: Standing) -> Mapping[int, int]:
    """Return the leader with its bid: it binds until a higher one stands."""
    if standing.leading_paddle is None or standing.price_minor is None:
        return {}
    return {standing.leading_paddle: standing.price_minor}


def check(book: Book, content: Mapping[str, Any]) -> None:
    """Refuse an amount that could not have been the first bid."""
    if content["amount_minor"] < book.terms["floor_minor"]:
        raise too_low(book, int(book.terms["floor_minor"]))


def too_low(book: Book, least: int) -> BidTooLow:
    """Return the refusal that names the least that would lead."""
    return BidTooLow(
        f"The least that would lead is {Money(least, book.currency).decimal()} {book.currency}.",
        least_minor=least,
        currency=book.currency,
    )


def reachable(least: int) -> int:
    """Return the least that would lead, while there is still room below the limit.

    Raises:
        AmountOutOfRange: the price has reached its limit.
    """
    if least > MOST_MINOR:
        raise AmountOutOfRange("The price has reached its limit.", most_minor=MOST_MINOR)
    return least


def decide(book: Book, case: Case) -> Outcome:
    """Rank each paddle's best bid; the first pays what it bid."""
    return awarding.sell(book, case, _ranking(case), awarding.own_amount)


def _high_enough(book: Book, standing: Standing, amount: int) -> None:
    least = reachable(least_minor(book, standing) or 0)
    if amount < least:
        raise too_low(book, least)
    price = book.terms["floor_minor"] if standing.price_minor is None else standing.price_minor
    step = steps.size(book.terms["step"], price)
    if book.terms["multiples"] and (amount - price) % step:
        raise BidNotAStep(
            "This auction rises by whole steps.",
            least_minor=least,
            step_minor=step,
            currency=book.currency,
        )


def _free(book: Book, standing: Standing, bid: Bid) -> Mapping[str, Any]:
    if not book.terms["needs_free_bid"]:
        return standing.own
    known = standing.own.get(FREE, [])
    end = closing.free_until(book, standing)
    if end is not None and bid.received_at >= end:
        if bid.paddle not in known:
            raise NoFreeBid("You did not bid in the free period.")
        return standing.own
    return {**standing.own, FREE: sorted({*known, bid.paddle})}


def _match(book: Book, standing: Standing, bid: Bid, *, is_matching: bool) -> Change:
    holders = book.first_refusal["holders"] if book.first_refusal else ()
    if bid.paddle not in holders:
        raise NoFirstRefusal("You hold no right of first refusal here.")
    leader = standing.leading_paddle
    if not is_matching or leader is None or leader in holders:
        raise NothingToMatch("There is nothing to match now.")
    want = bid.received_at + 2 * book.match_window
    return Change(standing.price_minor, bid.bid_id, bid.paddle, standing.own, want=want)


def _ranking(case: Case) -> list[Ranked]:
    highest, bids = 0, []
    for entry in case.entries:
        is_match = "match" in entry.bid.content
        amount = highest if is_match else entry.bid.content["amount_minor"]
        highest = max(highest, amount)
        bids.append((-amount, not is_match, entry.seq, entry))
    best: dict[int, Ranked] = {}
    for minus, _, _, entry in sorted(bids, key=lambda bid: bid[:3]):
        if entry.bid.paddle not in case.out:
            best.setdefault(entry.bid.paddle, Ranked(entry, -minus))
    return list(best.values())


METHOD = Method(
    code="english",
    zh="多次报价（增价竞价）",
    en="Ascending auction",
    amounts=("open",),
    closings=("soft", "timed"),
    has_reserve=True,
    ties=("sequence",),
    defaults=("next-best", "none"),
    keys=frozenset({"step_minor", "soft_close_s", "closing", "first_refusal"}),
    read_terms=read_terms,
    propose=propose,
    least_minor=least_minor,
    exposure=exposure,
    check=check,
    decide=decide,
)
