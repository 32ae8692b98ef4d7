"""Packages (组合竞价): each bidder names packages of cells, of which it gets one or none.

The winners and their prices are worked out by a solver after the close and stand in the log as
`solved`; here they are checked in whole numbers and fractions alone, and taken. The rule text is
`listings/bundles/RULES.md`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import partial
from typing import Any

from contracts.money import AmountOutOfRange
from contracts.refusal import Kind, Refusal
from listings.auctions import awarding, steps
from listings.auctions.model import Bid, Book, BrokenLog, Case, Change, Method, Outcome, Standing
from listings.auctions.refusals import BadSale
from listings.bundles import certificate, posing
from listings.bundles.posing import Posed

BIDS = "bids"  # in a standing's own: paddle → the dearest of its packages, null while sealed
MOST_PACKAGES = 200
# Sums of all bids stay far below 2^53, beyond which floating-point numbers do not tell them apart.
MOST_PACKAGE_MINOR = 10**12
LONGEST_SOLVE_S = 3_600
TERMS: Mapping[str, Any] = {
    "cuts": {},
    "non_exclusive": None,
    "reserve_minor": 0,
    "reserves": {},
    "most_packages": MOST_PACKAGES,
    "most_cells": None,
    "least_winners": 1,
    "secondary": "cells",
    "payments": "core",
    "time_limit_s": 60,
}


class UnknownCell(Refusal):
    """A package names a cell that is not sold here."""

    kind, code = Kind.INVALID, "unknown-cell"
    hint = "Take the codes of cells from GET /v1/auctions/{id}/cells."


class BadPackage(Refusal):
    """A package breaks a rule of the auction, or the same cells are named twice in one bid."""

    kind, code = Kind.CONFLICT, "bad-package"
    hint = "Keep to `most_packages` and `most_cells`; of one space name one mode; name a set once."


class BelowReserve(Refusal):
    """A package is bid for below the sum of the reserves of its cells."""

    kind, code = Kind.CONFLICT, "below-reserve"
    hint = "Bid `least_minor` or more for the package, under a new bid id."


def read_terms(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read how the rights are cut, what reserves and caps there are, and how is paid."""
    given = sale.get("terms", {})
    odd = sorted(set(given) - set(TERMS))
    if odd:
        raise BadSale("These terms are not of this method.", fields=odd)
    terms = {**TERMS, **given}
    return {
        "floor_minor": steps.whole(sale["floor_minor"]),
        "cuts": _cuts(terms["cuts"]),
        "non_exclusive": _non_exclusive(terms["non_exclusive"]),
        "reserve_minor": _count(terms, "reserve_minor", least=0, most=MOST_PACKAGE_MINOR),
        "reserves": _reserves(terms["reserves"]),
        "most_packages": _count(terms, "most_packages", least=1, most=MOST_PACKAGES),
        "most_cells": _maybe(terms, "most_cells"),
        "least_winners": _count(terms, "least_winners", least=1, most=100),
        "secondary": _one_of(terms, "secondary", ("cells", "winners", "none")),
        "payments": _one_of(terms, "payments", ("core", "bids")),
        "time_limit_s": _count(terms, "time_limit_s", least=1, most=LONGEST_SOLVE_S),
    }


def check(book: Book, content: Mapping[str, Any]) -> None:
    """Check packages against cells, caps and reserves.

    Raises:
        BadPackage, UnknownCell, AmountOutOfRange, BelowReserve: by the rule broken.
    """
    packages = content["packages"]
    most = book.terms["most_packages"]
    sets = {frozenset(package["cells"]) for package in packages}
    if len(packages) > most or len(sets) < len(packages):
        raise BadPackage("Too many packages, or the same cells twice.", most_packages=most)
    cells = {cell["code"]: cell for cell in book.terms["cells"]}
    for place, package in enumerate(packages):
        _check_cells(book, cells, package["cells"], place)
        _check_amount(book, cells, package, place)


def propose(book: Book, standing: Standing, bid: Bid) -> Change:
    """Take a list of packages into the box; it replaces the bidder's earlier one."""
    worth = None
    if "packages" in bid.content:
        check(book, bid.content)
        worth = max(package["amount_minor"] for package in bid.content["packages"])
    own = {**standing.own, BIDS: {**standing.own.get(BIDS, {}), str(bid.paddle): worth}}
    return Change(None, None, None, own)


def least_minor(_book: Book, _standing: Standing) -> int | None:
    """Return nothing: what would win depends on everybody's packages."""
    return None


def exposure(book: Book, standing: Standing) -> Mapping[int, int]:
    """Return every bidder with the dearest of its packages: it gets one at most."""
    cap = book.admission.get("cap_minor") or 0
    return {
        int(paddle): cap if amount is None else amount
        for paddle, amount in standing.own.get(BIDS, {}).items()
    }


def decide(book: Book, case: Case) -> Outcome:
    """Take what was solved, once it is checked.

    Raises:
        BrokenLog: nothing was solved, or what was does not follow from the bids.
    """
    if case.solved is None:
        raise BrokenLog("the packages are not solved")
    out = frozenset(case.solved.get("out", ()))
    if not out <= case.out:
        raise BrokenLog("a bidder was left out that is not in default")
    posed = posed_by(book, case, out)
    fault = certificate.fault(posed, case.solved)
    if fault:
        raise BrokenLog(f"the solution does not hold: {fault}")
    awards = [award for award in certificate.awards(case.solved)
              if award["paddle"] not in case.out]  # fmt: skip
    if awards:
        return Outcome("sold", None, awards, [])
    if not posed.named:
        return awarding.nothing(case)
    return Outcome("unsold", "defaulted" if case.out else "reserve-not-met", [], [])


def posed_by(book: Book, case: Case, out: Iterable[int]) -> Posed:
    """Return the problem of the bids that count, without those of some paddles."""
    bids = posing.latest(case.entries, out=out, check=partial(holds, book))
    return posing.pose(book.terms, bids, seed=case.seed or b"")


def holds(book: Book, content: Mapping[str, Any]) -> bool:
    """Tell whether what came out of a seal could have been a bid."""
    if "packages" not in content:
        return False
    try:
        check(book, content)
    except Refusal:
        return False
    return True


def _check_cells(
    book: Book, cells: Mapping[str, Mapping[str, Any]], codes: list[str], place: int
) -> None:
    odd = [code for code in codes if code not in cells]
    if odd:
        raise UnknownCell("A package names what is not sold here.", package=place, cells=odd[:10])
    most = book.terms["most_cells"]
    spaces = {cells[code]["space"] for code in codes}
    if len(spaces) < len(codes) or (most is not None and len(codes) > most):
        raise BadPackage("A package is too large, or names a cell in two modes.",
                         package=place, most_cells=most)  # fmt: skip


def _check_amount(
    book: Book,
    cells: Mapping[str, Mapping[str, Any]],
    package: Mapping[str, Any],
    place: int,
) -> None:
    if package["amount_minor"] > MOST_PACKAGE_MINOR:
        raise AmountOutOfRange("The amount is too high.", most_minor=MOST_PACKAGE_MINOR)
    least = posing.least(book.terms, [cells[code] for code in package["cells"]])
    if package["amount_minor"] < least:
        raise BelowReserve("The package is below its reserve.", package=place, least_minor=least)


def _cuts(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping) or set(given) - {"territories", "media", "days"}:
        raise BadSale("Cuts are territories, media and days.", fields=["cuts"])
    territories, media = given.get("territories"), given.get("media", [])
    return {
        "territories": None if territories is None else _groups(territories),
        "media": _groups(media),
        "days": sorted({_day(one) for one in _texts(given.get("days", []))}),
    }


def _groups(given: Any) -> list[list[str]]:
    return [sorted(set(_texts(one))) for one in _listed(given)]


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) > 300:
        raise BadSale("Cuts are lists.", fields=["cuts"])
    return list(value)


def _texts(value: Any) -> list[str]:
    found = _listed(value)
    if any(not isinstance(one, str) for one in found):
        raise BadSale("Cuts name codes and days.", fields=["cuts"])
    return found


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadSale("A day of the cuts cannot be read.", fields=["cuts"]) from error


def _non_exclusive(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping) or set(given) - {"copies", "reserve_minor"}:
        raise BadSale("Non-exclusive cells have copies and a reserve.", fields=["non_exclusive"])
    terms = {"copies": None, "reserve_minor": 0, **given}
    reserve = _count(terms, "reserve_minor", least=0, most=MOST_PACKAGE_MINOR)
    return {"copies": _maybe(terms, "copies"), "reserve_minor": reserve}


def _reserves(given: Any) -> dict[str, int]:
    if not isinstance(given, Mapping) or any(not isinstance(code, str) for code in given):
        raise BadSale("Reserves are amounts by cell.", fields=["reserves"])
    return {code: _count(given, code, least=0, most=MOST_PACKAGE_MINOR) for code in sorted(given)}


def _maybe(terms: Mapping[str, Any], name: str) -> int | None:
    return None if terms[name] is None else _count(terms, name, least=1, most=100_000)


def _count(terms: Mapping[str, Any], name: str, *, least: int, most: int) -> int:
    value = terms[name]
    if type(value) is not int or not least <= value <= most:
        raise BadSale(f"A whole number from {least} to {most} is wanted.", fields=[name])
    return value


def _one_of(terms: Mapping[str, Any], name: str, known: Iterable[str]) -> str:
    if terms[name] not in known:
        raise BadSale(f"{name} is one of {', '.join(known)}.", fields=[name])
    return str(terms[name])


METHOD = Method(
    code="package",
    zh="组合竞价",
    en="Packages of rights",
    amounts=("secret", "sealed"),
    closings=("fixed",),
    has_reserve=False,
    ties=("lottery",),
    defaults=("next-best",),
    keys=frozenset(),
    read_terms=read_terms,
    propose=propose,
    least_minor=least_minor,
    exposure=exposure,
    check=check,
    decide=decide,
)
