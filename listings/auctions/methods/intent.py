"""Quotes (协议, 意向报价): they bind nobody and make the list of those one negotiates with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from listings.auctions import awarding
from listings.auctions.methods import sealed
from listings.auctions.model import Book, Case, Outcome
from listings.auctions.refusals import BadSale

SHORTLIST, MOST_SHORTLIST = 5, 100


def read_terms(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read floor and the length of the list."""
    given = sale.get("terms", {})
    odd = sorted(set(given) - {"replaceable", "shortlist"})
    shortlist = given.get("shortlist", SHORTLIST)
    if odd or type(shortlist) is not int or not 1 <= shortlist <= MOST_SHORTLIST:
        raise BadSale("The shortlist names 1 to 100.", fields=odd or ["shortlist"])
    return {**sealed.floor_and_replaceable(sale), "shortlist": shortlist}


def decide(book: Book, case: Case) -> Outcome:
    """List the quotes; nothing is sold."""
    ranked = sealed.ranking(book, case)
    if not ranked:
        return awarding.nothing(case)
    return Outcome("shortlist", None, [], [one.wire() for one in ranked])


METHOD = replace(
    sealed.METHOD,
    code="intent",
    zh="意向报价（协议）",
    en="Quotes, then negotiation",
    has_reserve=False,
    read_terms=read_terms,
    exposure=sealed.unbound,
    decide=decide,
)
