"""Steps of bidding (加价幅度): fixed, in basis points, or by a table of prices (pure)."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from contracts.money import MOST_MINOR, WHOLE_BP, AmountOutOfRange
from listings.auctions.refusals import BadSale

MOST_ROWS = 100
FIELDS = {
    "fixed": {"kind", "minor"},
    "bp": {"kind", "bp", "least_minor"},
    "table": {"kind", "rows"},
}


def size(step: Mapping[str, Any], price: int) -> int:
    """Return the step at a price, in minor units."""
    if step["kind"] == "fixed":
        return int(step["minor"])
    if step["kind"] == "bp":
        return max(int(step["least_minor"]), -(-price * int(step["bp"]) // WHOLE_BP))
    return int([row[1] for row in step["rows"] if row[0] <= price][-1])


def after(step: Mapping[str, Any], price: int) -> int:
    """Return the price one step up; it never falls when the price rises."""
    return price + size(step, price)


def read(value: Any) -> dict[str, Any]:
    """Read a step from a sale's wire.

    Raises:
        BadSale: its form is not one of the three, or a dearer price could ask less than a cheaper.
        AmountOutOfRange: a step is below 1 or beyond the limit.
    """
    if not isinstance(value, Mapping) or set(value) != FIELDS.get(str(value.get("kind"))):
        raise BadSale("The step is fixed, in basis points, or a table.", fields=["step"])
    if value["kind"] == "fixed":
        return {"kind": "fixed", "minor": whole(value["minor"])}
    if value["kind"] == "bp":
        least = whole(value["least_minor"])
        if type(value["bp"]) is not int or not 1 <= value["bp"] <= WHOLE_BP:
            raise BadSale("A step is 1 to 10000 basis points.", fields=["bp"])
        return {"kind": "bp", "bp": value["bp"], "least_minor": least}
    return {"kind": "table", "rows": _rows(value["rows"])}


def whole(value: Any, *, least: int = 1) -> int:
    """Return an amount of a sale's wire.

    Raises:
        AmountOutOfRange: it is no whole number between `least` and the limit.
    """
    if type(value) is not int or not least <= value <= MOST_MINOR:
        raise AmountOutOfRange(
            "Amounts are whole minor units within the limits.",
            least_minor=least,
            most_minor=MOST_MINOR,
        )
    return value


def _rows(value: Any) -> list[list[int]]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MOST_ROWS:
        raise BadSale("A table of steps has rows.", most=MOST_ROWS, fields=["rows"])
    if any(not isinstance(row, list | tuple) or len(row) != 2 for row in value):
        raise BadSale("A row is a price and its step.", fields=["rows"])
    rows = [[whole(row[0], least=0), whole(row[1])] for row in value]
    if rows[0][0] != 0 or any(low[0] >= high[0] for low, high in pairwise(rows)):
        raise BadSale("The prices of the table rise from 0.", fields=["rows"])
    if any(low[1] > high[1] + 1 for low, high in pairwise(rows)):
        raise BadSale("A dearer price may not ask less than a cheaper one.", fields=["rows"])
    return rows
