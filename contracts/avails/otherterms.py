"""Terms that have no column of their own: `name=value; name=value` in the column OtherTerms."""

import re
from collections.abc import Iterable, Iterator

from contracts.avails.model import Term

FREE = "OtherTerms"  # the name of a term that holds words alone
_NAME = re.compile(r"[A-Za-z][\w-]{0,63}")


def read(cell: str | None) -> Iterator[Term]:
    """Yield the terms of a cell; words that name no term are one term by themselves."""
    if not cell:
        return
    pairs = [part.partition("=") for part in cell.split(";") if part.strip()]
    if all(sign and _NAME.fullmatch(name.strip()) for name, sign, _ in pairs):
        for name, _, value in pairs:
            yield Term(name.strip(), "Text", _unescaped(value.strip()))
        return
    yield Term(FREE, "Text", cell)


def write(terms: Iterable[Term]) -> str | None:
    """Return the cell that says the terms; `read` finds them again, as text."""
    some = list(terms)
    if [term.name for term in some] == [FREE]:
        return some[0].value
    said = (f"{term.name}={_escaped(_with_currency(term))}" for term in some)
    return "; ".join(said) or None


def _with_currency(term: Term) -> str:
    return f"{term.value} {term.currency}" if term.currency else term.value


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace(";", "%3B").replace("=", "%3D")


def _unescaped(value: str) -> str:
    return value.replace("%3D", "=").replace("%3B", ";").replace("%25", "%")
