"""The terms of an assignment of economic rights (著作财产权转让, pure).

Source: 著作权法 (2020) art. 10 ¶3 (items 5 to 17 may be assigned), art. 27 ¶2 (heads).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contracts.deals import labels, templates, terms
from contracts.deals.terms import Agreed
from contracts.refusal import Kind, Refusal
from contracts.rights import vocabulary
from contracts.rights.wording import Language

FIRST_ECONOMIC, LAST_ECONOMIC = 5, 17  # items of art. 10 ¶1; those before are moral rights
FIELDS = frozenset({"right", "territories", "excluded"})
TERM: Mapping[str, str] = {
    "zh": "著作权保护期剩余的全部期间",
    "en": "all that remains of the term of protection",
}


class RightNotAssignable(Refusal):
    """Moral rights (人身权) stay with the author, and an assignment has no limit but territory."""

    kind, code = Kind.INVALID, "right-not-assignable"
    hint = "Name rights of 著作权法 art. 10 items 5 to 17, each with `territories` and `excluded`."


def build(agreed: Agreed, *, now: datetime) -> dict[str, Any]:
    """Return the terms; `agreed.rights` name `right`, `territories` and maybe `excluded`.

    The price is a fixed sum: whoever gives the right away has no statement to wait for.

    Raises:
        RightNotAssignable: a right is a moral one, unknown, or limited otherwise.
        UnknownTerritory: there is no such territory.
        ContractHeadMissing: a head that art. 27 requires is not covered.
        TextCannotBePrinted, ParameterMissing, PriceNotInTemplate: see `terms.build`.
    """
    template = templates.current(templates.ASSIGNMENT)
    return built(agreed, template=template, now=now)


def built(agreed: Agreed, *, template: templates.Template, now: datetime) -> dict[str, Any]:
    """Return the terms by a certain version of the template; see `build`."""
    listing = agreed.listing
    for wire in agreed.rights:
        _check(wire)
    clauses = template.clauses_for(agreed.price.model)
    made = {
        **terms.frame(agreed, template=template, now=now),
        "work": {"work": listing["work"], "title": dict(listing["title"])},
        "asset": {"fact": agreed.anchor["fact"], **{name: listing[name] for name in terms.ASSET}},
        "award": terms.origin_of(agreed.award),
        "grants": [dict(wire) for wire in agreed.rights],
        "wording": [{"zh": _words(wire, "zh"), "en": _words(wire, "en")} for wire in agreed.rights],
        "consideration": terms.considered(agreed.price),
        "clauses": [clause.named() for clause in clauses],
    }
    terms.check(made, clauses, article=template.article)
    return made


def _check(wire: Mapping[str, Any]) -> None:
    right = vocabulary.RIGHTS.get(str(wire.get("right")))
    economic = right is not None and FIRST_ECONOMIC <= right.number <= LAST_ECONOMIC
    if not economic or wire.keys() - FIELDS:
        raise RightNotAssignable("This cannot be assigned.", right=wire.get("right"))
    for code in (*(wire.get("territories") or ()), *(wire.get("excluded") or ())):
        vocabulary.territory(code)


def _words(wire: Mapping[str, Any], language: Language) -> dict[str, str]:
    right = vocabulary.RIGHTS[wire["right"]]
    return {
        "right": right.zh if language == "zh" else right.en,
        "item": str(right.number),
        "territory": labels.territory(wire, language),
        "term": TERM[language],
    }
