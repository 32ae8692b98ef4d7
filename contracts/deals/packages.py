"""The terms of a contract that licenses several works at one price (pure).

The price is allocated to the works to the smallest unit, so that it can be reduced by one of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.deals import templates, terms
from contracts.deals.terms import Agreed
from contracts.money import Money
from contracts.refusal import Kind, Refusal

FEWEST, MOST = 2, 200


class BadPackage(Refusal):
    """The works of a package, or what each is worth in it, do not make up the whole."""

    kind, code = Kind.INVALID, "bad-package-of-works"
    hint = "Name 2 to 200 works, each once, whose amounts in `currency` make up `amount_minor`."


@dataclass(frozen=True, slots=True)
class Part:
    """A work of a package: its listing's record and fact, the rights in it, its share of the price.

    `listing` holds what `Agreed.listing` does; `fact` is None where the work was never listed.
    """

    listing: Mapping[str, Any]
    fact: str | None
    rights: Sequence[Mapping[str, Any]]
    amount: Money


def build(agreed: Agreed, parts: Sequence[Part], *, now: datetime) -> dict[str, Any]:
    """Return the terms; `agreed.listing` and `agreed.rights` say nothing here, the parts do.

    Raises:
        BadPackage: too few works or too many, one twice, or amounts that are not the price.
        ContractHeadMissing, TextCannotBePrinted, ParameterMissing, PriceNotInTemplate: see
            `terms.build`.
    """
    _check(parts, agreed.price.due)
    template = templates.current(templates.PACKAGE)
    clauses = terms.clauses_of(agreed, template)
    framed = terms.frame(agreed, template=template, now=now)
    rights = [wire for part in parts for wire in part.rights]
    made = {
        **framed,
        "works": _works(parts),
        "award": terms.origin_of(agreed.award),
        "grants": [terms.granted(wire) for wire in rights],
        "wording": [terms.worded(wire) for wire in rights],
        "consideration": {
            **terms.considered(agreed.price),
            "lines": [
                {"work": part.listing["work"], "amount": part.amount.decimal()} for part in parts
            ],
        },
        "parameters": {**framed["parameters"], "works_count": len(parts)},
        "clauses": [clause.named() for clause in clauses],
    }
    terms.check(made, clauses, article=template.article)
    return made


def _works(parts: Sequence[Part]) -> list[dict[str, Any]]:
    made, place = [], 0
    for part in parts:
        last = place + len(part.rights)
        asset = {"fact": part.fact, **{name: part.listing[name] for name in terms.ASSET}}
        made.append(
            {
                "work": part.listing["work"],
                "title": dict(part.listing["title"]),
                "asset": asset,
                "grants": list(range(place, last)),
            }
        )
        place = last
    return made


def _check(parts: Sequence[Part], due: Money) -> None:
    works = {part.listing["work"] for part in parts}
    sums = sum(part.amount.amount_minor for part in parts)
    fits = all(
        part.rights and part.amount.currency == due.currency and part.amount.amount_minor > 0
        for part in parts
    )
    if not (FEWEST <= len(parts) <= MOST and len(works) == len(parts) and fits) or (
        sums != due.amount_minor
    ):
        raise BadPackage(
            "The works do not make up the package.",
            amount_minor=due.amount_minor, currency=due.currency,
        )  # fmt: skip
