"""Sealed, first price (一次报价): one bid each, opened together; the highest pays its bid.

What the four sealed methods share is here. A bid can be readable for the exchange alone, or be a
commitment and a text that nobody can read before the opening.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from contracts.refusal import Refusal
from listings.auctions import awarding, steps
from listings.auctions.awarding import Ranked
from listings.auctions.methods import english
from listings.auctions.model import Bid, Book, Case, Change, Entry, Method, Outcome, Standing
from listings.auctions.refusals import AlreadyBid, BadSale

BIDS = "bids"  # in a standing's own: paddle → amount of its bid, null while sealed


def read_terms(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read floor and whether a bid may be replaced before the close."""
    odd = sorted(set(sale.get("terms", {})) - {"replaceable"})
    if odd:
        raise BadSale("These terms are not of this method.", fields=odd)
    return floor_and_replaceable(sale)


def floor_and_replaceable(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read what all sealed methods have."""
    replaceable = sale.get("terms", {}).get("replaceable", True)
    if type(replaceable) is not bool:
        raise BadSale("Replaceable is true or false.", fields=["replaceable"])
    return {"floor_minor": steps.whole(sale["floor_minor"]), "replaceable": replaceable}


def propose(book: Book, standing: Standing, bid: Bid) -> Change:
    """Take a bid into the box; it replaces the bidder's earlier one."""
    bids, paddle = standing.own.get(BIDS, {}), str(bid.paddle)
    if paddle in bids and not book.terms["replaceable"]:
        raise AlreadyBid("You have bid.")
    amount = bid.content.get("amount_minor")
    if amount is not None:
        book.mechanism.check(book, bid.content)
    own = {**standing.own, BIDS: {**bids, paddle: amount}}
    return Change(None, None, None, own)


def least_minor(_book: Book, _standing: Standing) -> int | None:
    """Return nothing: nobody is told what would lead."""
    return None


def exposure(book: Book, standing: Standing) -> Mapping[int, int]:
    """Return every bidder with its bid; of a sealed one only the cap of the auction is known."""
    cap = book.admission.get("cap_minor") or 0
    return {
        int(paddle): cap if amount is None else amount
        for paddle, amount in standing.own.get(BIDS, {}).items()
    }


def unbound(_book: Book, _standing: Standing) -> Mapping[int, int]:
    """Return nobody: quotes bind nobody (意向)."""
    return {}


def counting(book: Book, case: Case) -> list[Entry]:
    """Return the bids that count: each paddle's latest, if it could have been a bid in clear."""
    return [entry for entry in awarding.latest(case) if _holds(book, entry)]


def ranking(book: Book, case: Case) -> list[Ranked]:
    """Rank by amount."""
    ranked = [Ranked(entry, entry.bid.content["amount_minor"]) for entry in counting(book, case)]
    key = partial(awarding.tie_key, book, case)
    return sorted(ranked, key=lambda one: (-one.amount_minor, *key(one.entry)))


def decide(book: Book, case: Case) -> Outcome:
    """Sell to the highest for its bid."""
    return awarding.sell(book, case, ranking(book, case), awarding.own_amount)


def _holds(book: Book, entry: Entry) -> bool:
    if not entry.bid.content:
        return False
    try:
        book.mechanism.check(book, entry.bid.content)
    except Refusal:
        return False
    return True


def second_price(book: Book, case: Case, ranked: Sequence[Ranked], _winner: Ranked) -> int:
    """Pay the second bid, at least reserve and floor."""
    second = ranked[1].amount_minor if len(ranked) > 1 else 0
    return max(second, case.reserve_minor or 0, int(book.terms["floor_minor"]))


METHOD = Method(
    code="sealed",
    zh="一次报价",
    en="One sealed bid",
    amounts=("secret", "sealed"),
    closings=("fixed",),
    has_reserve=True,
    ties=("sequence", "lottery"),
    defaults=("next-best", "none"),
    keys=frozenset(),
    read_terms=read_terms,
    propose=propose,
    least_minor=least_minor,
    exposure=exposure,
    check=english.check,
    decide=decide,
)
