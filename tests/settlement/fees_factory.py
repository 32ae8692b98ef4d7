"""Fees for tests: a flat charge, and schedules with tiers of their own."""

from contracts.money import Money
from settlement.fees import gateway, rules
from settlement.fees.rules import Charge, Schedule


def flat(gross: Money, rate_bp: int) -> Charge:
    """What a schedule of one rate takes of a price."""
    return Charge(gross.share(rate_bp), rate_bp, "basis")


def gemas() -> Schedule:
    """The tiered schedule that ships as an example."""
    return gateway.shipped()["gemas-2024"]


def usual() -> Schedule:
    """The exchange's own."""
    return gateway.shipped()["uhdx-2026"]


def case(sale: str, *, listed: int, deal: int) -> rules.Case:
    """A case in yuan of whole minor units."""
    return rules.Case(sale, Money(listed, "CNY"), Money(deal, "CNY"))
