"""Weighted score (权重报价): price and other criteria, by a formula published before.

Each criterion is scored on a straight line between two fixed points, in exact rationals. Nothing is
relative to another bid: relative scores make the order of A and B depend on C (rank reversal).
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from contracts.money import MOST_MINOR, WHOLE_BP
from contracts.refusal import InvalidContent
from listings.auctions import awarding
from listings.auctions.awarding import Ranked
from listings.auctions.methods import english, sealed
from listings.auctions.model import Book, Case, Entry, Outcome
from listings.auctions.refusals import BadSale

FIELDS = {"code", "kind", "weight_bp", "best", "worst", "title_zh", "title_en"}
MOST_CRITERIA = 20
MOST_EXACT = 2**53 - 1  # the largest integer of a canonical document
LONGEST = 200  # characters of a title or code


def read_terms(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read floor and criteria."""
    given = sale.get("terms", {})
    odd = sorted(set(given) - {"replaceable", "criteria"})
    rows = given.get("criteria")
    if odd or not isinstance(rows, list | tuple) or not 1 <= len(rows) <= MOST_CRITERIA:
        raise BadSale("Name 1 to 20 criteria.", fields=odd or ["criteria"])
    criteria = [_criterion(row) for row in rows]
    _check_whole(criteria)
    return {**sealed.floor_and_replaceable(sale), "criteria": criteria}


def parts(book: Book, content: Mapping[str, Any]) -> list[tuple[str, Fraction]]:
    """Return each criterion's part of 1, in the order of the rulebook."""
    return [(row["code"], _part(row, content)) for row in book.terms["criteria"]]


def score(book: Book, content: Mapping[str, Any]) -> Fraction:
    """Return the weighted sum of the parts, from 0 to 1."""
    shares = [Fraction(row["weight_bp"], WHOLE_BP) for row in book.terms["criteria"]]
    rows = zip(shares, parts(book, content), strict=True)
    return sum((share * part for share, (_, part) in rows), Fraction(0))


def check(book: Book, content: Mapping[str, Any]) -> None:
    """Refuse an amount below the floor, and values that are not those of the criteria."""
    english.check(book, content)
    asked = {row["code"] for row in book.terms["criteria"] if row["kind"] == "number"}
    odd = sorted(asked ^ set(content["values"]))
    if odd:
        rules = [
            {"field": f"values.{code[:60]}", "rule": "missing" if code in asked else "unknown"}
            for code in odd
        ]
        raise InvalidContent("A field breaks its rule.", errors=rules[:20])


def decide(book: Book, case: Case) -> Outcome:
    """Sell to the best score at or above the reserve, for its bid."""
    key = partial(awarding.tie_key, book, case)
    ranked = sorted(
        (_ranked(book, entry) for entry in sealed.counting(book, case)),
        key=lambda one: (-(one.score or 0), -one.amount_minor, *key(one.entry)),
    )
    return awarding.sell(book, case, ranked, awarding.own_amount)


def _ranked(book: Book, entry: Entry) -> Ranked:
    content = entry.bid.content
    return Ranked(entry, content["amount_minor"], score(book, content), tuple(parts(book, content)))


def _part(row: Mapping[str, Any], content: Mapping[str, Any]) -> Fraction:
    is_price = row["kind"] == "price"
    value = content["amount_minor"] if is_price else content["values"][row["code"]]
    line = Fraction(value - row["worst"], row["best"] - row["worst"])
    return min(max(line, Fraction(0)), Fraction(1))


def _criterion(row: Any) -> dict[str, Any]:
    if not isinstance(row, Mapping) or set(row) != FIELDS:
        raise BadSale("A criterion is incomplete.", fields=sorted(FIELDS))
    texts = [row[name] for name in ("code", "title_zh", "title_en")]
    if any(not isinstance(text, str) or not 1 <= len(text) <= LONGEST for text in texts):
        raise BadSale("A criterion has a code and a title in both languages.")
    if row["kind"] not in ("price", "number"):
        raise BadSale("A criterion is the price or a number.", fields=["kind"])
    points = (row["best"], row["worst"])
    if any(type(point) is not int or not 0 <= point <= MOST_MINOR for point in points):
        raise BadSale("Best and worst are whole numbers.", fields=["best", "worst"])
    if type(row["weight_bp"]) is not int or row["weight_bp"] < 1 or points[0] == points[1]:
        raise BadSale("A criterion weighs, and its best is not its worst.", fields=["weight_bp"])
    return {name: row[name] for name in sorted(FIELDS)}


def _check_whole(criteria: list[dict[str, Any]]) -> None:
    codes = [row["code"] for row in criteria]
    prices = [row for row in criteria if row["kind"] == "price"]
    if len(set(codes)) != len(codes) or len(prices) != 1:
        raise BadSale("The codes differ, and one criterion is the price.", fields=["criteria"])
    if sum(row["weight_bp"] for row in criteria) != WHOLE_BP:
        raise BadSale("The weights add up to 10000 basis points.", fields=["weight_bp"])
    spans = [WHOLE_BP * abs(row["best"] - row["worst"]) for row in criteria]
    if math.lcm(*spans) > MOST_EXACT:
        raise BadSale(
            "Scores between these points have no exact form; take rounder points.",
            fields=["best", "worst"],
        )


METHOD = replace(
    sealed.METHOD,
    code="weighted",
    zh="权重报价",
    en="Weighted score",
    read_terms=read_terms,
    check=check,
    decide=decide,
)
