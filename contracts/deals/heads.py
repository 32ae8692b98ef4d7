"""The heads that a written contract must have, licence and assignment apart (pure).

Source: 著作权法 (2020) art. 26 ¶2 items (1) to (6) for licences (许可使用合同), art. 27 ¶2 items
(1) to (6) for assignments (权利转让合同). Two heads are common to both, so they are ten together.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from contracts.refusal import Kind, Refusal

LICENCE, ASSIGNMENT = 26, 27
Terms = Mapping[str, Any]
HEADS: Mapping[int, Mapping[str, tuple[int, str]]] = {
    LICENCE: {
        "right-kind": (1, "许可使用的权利种类"),
        "exclusivity": (2, "许可使用的权利是专有使用权或者非专有使用权"),
        "territory-and-term": (3, "许可使用的地域范围、期间"),
        "remuneration": (4, "付酬标准和办法"),
        "breach": (5, "违约责任"),
        "others": (6, "双方认为需要约定的其他内容"),
    },
    ASSIGNMENT: {
        "work-title": (1, "作品的名称"),
        "assigned-right-and-territory": (2, "转让的权利种类、地域范围"),
        "price": (3, "转让价金"),
        "payment-date-and-method": (4, "交付转让价金的日期和方式"),
        "breach": (5, "违约责任"),
        "others": (6, "双方认为需要约定的其他内容"),
    },
}


class Covering(Protocol):
    """A clause, as far as heads go."""

    @property
    def heads(self) -> Sequence[str]:
        """The heads that the clause covers."""


class ContractHeadMissing(Refusal):
    """The contract lacks a head that 著作权法 art. 26 or 27 requires."""

    kind, code = Kind.INVALID, "contract-head-missing"
    hint = (
        "Supply the head named in `missing`; `article` and `items` say where the law asks for it."
    )


def require(terms: Terms, clauses: Iterable[Covering], *, article: int) -> None:
    """Let only terms pass that have every head of the article, in data and in a clause.

    Raises:
        ContractHeadMissing: one is missing; each is named with its article and item.
    """
    lacking = missing(terms, clauses, article=article)
    if lacking:
        first, name = HEADS[article][lacking[0]]
        raise ContractHeadMissing(
            f"The contract lacks a head of 著作权法 art. {article} ¶2 ({first}): {name}.",
            missing=lacking,
            article=f"著作权法 art. {article}",
            items=[HEADS[article][head][0] for head in lacking],
        )


def missing(terms: Terms, clauses: Iterable[Covering], *, article: int) -> list[str]:
    """Return the heads of the article that the data or the clauses do not supply, in its order."""
    written = {head for clause in clauses for head in clause.heads}
    return [
        head for head in HEADS[article] if head not in written or not _GIVEN.get(head, _yes)(terms)
    ]


def _yes(_terms: Terms) -> bool:
    return True


def _each(*names: str) -> Callable[[Terms], bool]:
    """Return a rule: there are grants, and each names all of these."""

    def given(terms: Terms) -> bool:
        grants = terms["grants"]
        return bool(grants) and all(grant.get(name) for grant in grants for name in names)

    return given


def _priced(terms: Terms) -> bool:
    return bool(terms["consideration"].get("amount"))


def _payable(terms: Terms) -> bool:
    return bool(terms["parameters"].get("due_days"))


def _titled(terms: Terms) -> bool:
    return all(terms["work"]["title"].get(language) for language in ("zh", "en"))


_GIVEN: Mapping[str, Callable[[Terms], bool]] = {
    "right-kind": _each("right"),
    "exclusivity": _each("exclusivity"),
    "territory-and-term": _each("territories", "from"),
    "remuneration": _priced,
    "work-title": _titled,
    "assigned-right-and-territory": _each("right", "territories"),
    "price": _priced,
    "payment-date-and-method": _payable,
}
