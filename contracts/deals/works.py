"""What terms say of each of their works, one or several (pure; whoever verifies reads them too)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from contracts.money import EXPONENTS, Money


def worth(said: Mapping[str, Any]) -> list[tuple[UUID, Money]]:
    """Return the works of a contract's terms, each with its part of the price; none of one work."""
    price = said["consideration"]
    places = EXPONENTS[price["currency"]]
    return [
        (UUID(line["work"]), Money(int(Decimal(line["amount"]).scaleb(places)), price["currency"]))
        for line in price.get("lines", ())
    ]


def assets(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what a contract's terms say of each work's listing and master; of one work, one."""
    return [one["asset"] for one in said["works"]] if "works" in said else [said["asset"]]
