"""English with proxy bids (代理出价): bidders name maxima, the price rises as far as it must.

The price is a pure function of the leader's maximum and the highest losing one. An accumulator
that replays each raise makes the result depend on the order of raises (maxima 155, 188, 235, 231,
286 of A, B, A, C, A with steps of 10: 235 instead of 241).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from listings.auctions import awarding, closing, steps
from listings.auctions.awarding import Ranked
from listings.auctions.methods import english
from listings.auctions.model import Bid, Book, Case, Change, Method, Outcome, Standing
from listings.auctions.refusals import BadSale

MAX, SECOND, TOP = "max_minor", "second_minor", "top"


def read_terms(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read floor and step."""
    odd = sorted(set(sale.get("terms", {})) - {"step"})
    if odd:
        raise BadSale("These terms are not of this method.", fields=odd)
    return english.rising(sale)


def price(book: Book, first: int, second: int | None, reserve: int | None) -> int:
    """Return the price that two maxima make, in minor units."""
    floor = int(book.terms["floor_minor"])
    fair = floor if second is None else min(first, steps.after(book.terms["step"], second))
    if reserve is not None and first >= reserve:
        return max(fair, reserve, floor)
    return fair


def propose(book: Book, standing: Standing, bid: Bid) -> Change:
    """Judge a maximum."""
    if book.reserve["kind"] == "hidden" and book.reserve_minor is None:
        raise ValueError("the hidden reserve has to be known to judge a maximum")
    amount = bid.content["amount_minor"]
    first, second = standing.own.get(MAX), standing.own.get(SECOND)
    _high_enough(book, standing, bid)
    leads = first is None or bid.paddle == standing.leading_paddle or amount > first
    if first is not None and bid.paddle != standing.leading_paddle:
        second = first if amount > first else amount
    top, changed = _top(book, standing, bid)
    own = {**standing.own, MAX: amount if leads else first, SECOND: second, **top}
    return Change(
        price(book, own[MAX], second, book.reserve_minor),
        bid.bid_id if leads else standing.leading_bid,
        bid.paddle if leads else standing.leading_paddle,
        own,
        stirs=changed,
    )


def exposure(_book: Book, standing: Standing) -> Mapping[int, int]:
    """Return the leader with its maximum."""
    if standing.leading_paddle is None:
        return {}
    return {standing.leading_paddle: standing.own[MAX]}


def decide(book: Book, case: Case) -> Outcome:
    """Rank each paddle's highest maximum; the first pays what the second makes it pay."""
    entries = [entry for entry in case.entries if entry.bid.paddle not in case.out]
    best: dict[int, Ranked] = {}
    for entry in sorted(entries, key=lambda one: (-one.bid.content["amount_minor"], one.seq)):
        best.setdefault(entry.bid.paddle, Ranked(entry, entry.bid.content["amount_minor"]))
    return awarding.sell(book, case, list(best.values()), _pay)


def _pay(book: Book, case: Case, ranking: Sequence[Ranked], _winner: Ranked) -> int:
    second = ranking[1].amount_minor if len(ranking) > 1 else None
    return price(book, ranking[0].amount_minor, second, case.reserve_minor)


def _high_enough(book: Book, standing: Standing, bid: Bid) -> None:
    if bid.paddle == standing.leading_paddle:
        least = standing.own[MAX] + 1
    else:
        least = english.least_minor(book, standing) or 0
    if bid.content["amount_minor"] < english.reachable(least):
        raise english.too_low(book, least)


def _top(book: Book, standing: Standing, bid: Bid) -> tuple[dict[str, Any], bool]:
    if book.closing.top_k == 1:
        leads = bid.content["amount_minor"] > standing.own.get(MAX, 0)
        return {}, leads and bid.paddle != standing.leading_paddle
    before = closing.leads_of(standing.own)
    lead = (bid.paddle, bid.content["amount_minor"], standing.seq + 1)
    top = closing.ranked(before, lead, book.closing.top_k)
    changed = [known[0] for known in top] != [known[0] for known in before]
    return {TOP: [list(known) for known in top]}, changed


METHOD = Method(
    code="proxy",
    zh="代理出价（增价竞价）",
    en="Ascending auction with maximum bids",
    amounts=("open",),
    closings=("soft", "timed"),
    has_reserve=True,
    ties=("sequence",),
    defaults=("next-best", "none"),
    keys=frozenset({"step_minor", "soft_close_s", "closing"}),
    read_terms=read_terms,
    propose=propose,
    least_minor=english.least_minor,
    exposure=exposure,
    check=english.check,
    decide=decide,
)
