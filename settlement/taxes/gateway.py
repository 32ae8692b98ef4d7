"""The tax rules that ship with the exchange."""

from datetime import datetime
from functools import cache
from importlib import resources

from contracts.money import Money
from settlement.fees.rules import SEAT
from settlement.taxes.rules import Deadline, Taxed, TaxRule, read_deadlines, read_rules, vat_within


@cache
def shipped() -> tuple[TaxRule, ...]:
    """Return the rows of `rules.csv`."""
    file = resources.files("settlement.taxes").joinpath("rules.csv")
    return read_rules(file.read_text("utf-8"))


def find_row(id: str) -> TaxRule | None:
    """Return the shipped row of an id, or None where it ships no more."""
    return next((rule for rule in shipped() if rule.id == id), None)


@cache
def deadlines() -> tuple[Deadline, ...]:
    """Return the rows of `deadlines.csv`."""
    file = resources.files("settlement.taxes").joinpath("deadlines.csv")
    return read_deadlines(file.read_text("utf-8"))


def vat_in(gross: Money, *, at: datetime) -> Taxed:
    """Return the VAT within a price at an instant, by the civil day of the exchange's seat."""
    return vat_within(shipped(), gross, on=at.astimezone(SEAT).date())
