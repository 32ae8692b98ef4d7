"""Vickrey (第二价格密封报价): sealed bids; the highest wins and pays the second.

Source: Vickrey (1961). The price is at least reserve and floor, and independent of the own bid.
"""

from dataclasses import replace

from listings.auctions import awarding
from listings.auctions.methods import sealed
from listings.auctions.model import Book, Case, Outcome


def decide(book: Book, case: Case) -> Outcome:
    """Sell to the highest for the second price."""
    return awarding.sell(book, case, sealed.ranking(book, case), sealed.second_price)


METHOD = replace(
    sealed.METHOD,
    code="vickrey",
    zh="第二价格密封报价",
    en="Sealed bids, second price",
    decide=decide,
)
