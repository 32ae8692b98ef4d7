"""The tax rules that ship with the exchange."""

from functools import cache
from importlib import resources

from settlement.taxes.rules import TaxRule, read_rules


@cache
def shipped() -> tuple[TaxRule, ...]:
    """Return the rows of `rules.csv`."""
    file = resources.files("settlement.taxes").joinpath("rules.csv")
    return read_rules(file.read_text("utf-8"))
