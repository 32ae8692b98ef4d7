"""What a bid says, read strictly: whole numbers or nothing (pure).

JSON readers let NaN, `1e3`, `1.0` and `true` through as numbers; a bid is money, so here they are
refused before any rule sees them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from contracts.money import MOST_MINOR, WrongCurrency
from contracts.refusal import InvalidContent
from listings.auctions.model import Book
from listings.auctions.refusals import BidNotSealed
from listings.sealed import commitment as seals

MOST_PACKAGES, MOST_CELLS, MOST_VALUES = 200, 5_000, 50
MOST_TICK = 1_000_000
MOST_SEALED = 400_000  # base64 digits
_CURRENCY = re.compile(r"[A-Z]{3}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def read(method: str | None, raw: Any) -> dict[str, Any]:
    """Return a bid's content as it is stored: exactly the members of its form.

    Args:
        method: the auction's, or None where it is not known yet: then the members tell the form.
        raw: JSON as it was read.

    Raises:
        InvalidContent: a member is missing, unknown or not what it must be; `errors` names them.
    """
    if not isinstance(raw, Mapping):
        raise _invalid("", "a bid is an object")
    form = _form(method, raw)
    odd = sorted(set(raw) ^ set(form))
    if odd:
        raise InvalidContent(
            "A field breaks its rule.",
            errors=[
                {"field": name[:100], "rule": "missing" if name in form else "unknown"}
                for name in odd[:20]
            ],
        )
    return {name: reader(raw[name], name) for name, reader in form.items()}


def fit(book: Book, content: Mapping[str, Any]) -> dict[str, Any]:
    """Read a content against the rulebook: its form, its currency, and whether it is sealed.

    Raises:
        InvalidContent: as `read`.
        BidNotSealed: it is in clear where nobody may read it.
        BadSeal: the sealed text is not of the one length.
        WrongCurrency: it is in another currency than the auction.
    """
    is_sealed = isinstance(content, Mapping) and "sealed" in content
    if book.secrecy["amounts"] == "sealed":
        if not is_sealed:
            raise BidNotSealed("This auction takes sealed bids alone.")
        known = read(None, content)
        seals.check(known, plain_bytes=(book.opening or {})["plain_bytes"])
        return known
    if is_sealed:
        raise _invalid("sealed", "unknown")
    return clear(book, content)


def clear(book: Book, content: Mapping[str, Any]) -> dict[str, Any]:
    """Read a content in clear against the rulebook, whether or not it came sealed.

    Raises:
        InvalidContent, WrongCurrency: see `fit`.
    """
    known = read(book.method, content)
    if known.get("currency", book.currency) != book.currency:
        raise WrongCurrency(f"Bids are in {book.currency}.", wanted=book.currency)
    return known


def amount(value: Any, name: str = "amount_minor") -> int:
    """Return an amount: an integer from 1 to the limit, and no boolean.

    Raises:
        InvalidContent: it is none.
    """
    return _whole(value, name, least=1, most=MOST_MINOR)


Reader = Callable[[Any, str], Any]


def _form(method: str | None, raw: Mapping[Any, Any]) -> dict[str, Reader]:
    if any(not isinstance(name, str) for name in raw):
        raise _invalid("", "names are texts")
    if "sealed" in raw or "commitment" in raw:
        return {"commitment": _commitment, "sealed": _sealed}
    if "match" in raw and method in (None, "english"):
        return {"match": _true}
    if method == "package" or (method is None and "packages" in raw):
        return {"currency": _currency, "packages": _packages}
    form: dict[str, Reader] = {"amount_minor": amount, "currency": _currency}
    if method == "dutch" or (method is None and "tick" in raw):
        form["tick"] = _tick
    if method == "weighted" or (method is None and "values" in raw):
        form["values"] = _values
    return form


def _whole(value: Any, name: str, *, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise _invalid(name, f"a whole number from {least} to {most}")
    return value


def _currency(value: Any, name: str) -> str:
    return _text(value, name, _CURRENCY, "three capital letters")


def _commitment(value: Any, name: str) -> str:
    return _text(value, name, _HEX64, "64 hexadecimal digits in lower case")


def _sealed(value: Any, name: str) -> str:
    if isinstance(value, str) and not 4 <= len(value) <= MOST_SEALED:
        raise _invalid(name, f"4 to {MOST_SEALED} digits of base64")
    return _text(value, name, _BASE64, "base64 with its padding")


def _text(value: Any, name: str, pattern: re.Pattern[str], rule: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise _invalid(name, rule)
    return value


def _true(value: Any, name: str) -> bool:
    if value is not True:
        raise _invalid(name, "true")
    return True


def _tick(value: Any, name: str) -> int:
    return _whole(value, name, least=0, most=MOST_TICK)


def _values(value: Any, name: str) -> dict[str, int]:
    if not isinstance(value, Mapping) or len(value) > MOST_VALUES:
        raise _invalid(name, "a table of criteria")
    if any(not isinstance(code, str) for code in value):
        raise _invalid(name, "a table of criteria")
    return {
        code: _whole(one, f"{name}.{code[:60]}", least=0, most=MOST_MINOR)
        for code, one in value.items()
    }


def _packages(value: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MOST_PACKAGES:
        raise _invalid(name, f"1 to {MOST_PACKAGES} packages")
    return [_package(one, f"{name}.{place}") for place, one in enumerate(value)]


def _package(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or set(value) != {"cells", "amount_minor"}:
        raise _invalid(name, "cells and amount_minor")
    cells = value["cells"]
    if not isinstance(cells, list | tuple) or not 1 <= len(cells) <= MOST_CELLS:
        raise _invalid(f"{name}.cells", f"1 to {MOST_CELLS} cells")
    if any(not isinstance(cell, str) or not 1 <= len(cell) <= 200 for cell in cells):
        raise _invalid(f"{name}.cells", "names of cells")
    if len(set(cells)) != len(cells):
        raise _invalid(f"{name}.cells", "each cell once")
    return {
        "cells": list(cells),
        "amount_minor": amount(value["amount_minor"], f"{name}.amount_minor"),
    }


def _invalid(name: str, rule: str) -> InvalidContent:
    return InvalidContent("A field breaks its rule.", errors=[{"field": name, "rule": rule}])
