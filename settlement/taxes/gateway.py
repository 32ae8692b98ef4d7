"""The tax rules that ship with the exchange."""

from datetime import datetime
from functools import cache
from importlib import resources

from contracts.money import Money
from settlement.fees.rules import SEAT
from settlement.taxes.rules import Taxed, TaxRule, read_rules, vat_within


@cache
def shipped() -> tuple[TaxRule, ...]:
    """Return the rows of `rules.csv`."""
    file = resources.files("settlement.taxes").joinpath("rules.csv")
    return read_rules(file.read_text("utf-8"))


def vat_in(gross: Money, *, at: datetime) -> Taxed:
    """Return the VAT within a price at an instant, by the civil day of the exchange's seat."""
    return vat_within(shipped(), gross, on=at.astimezone(SEAT).date())
