"""The fee schedules that ship with the exchange, and the days from which they are in force."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources

from settlement.fees import reading
from settlement.fees.rules import Schedule


@cache
def shipped() -> Mapping[str, Schedule]:
    """Return by id every schedule that ships; a published one never changes."""
    return reading.read_tables(_text("schedules.csv"), _text("schedule.csv"))


@cache
def days() -> tuple[tuple[date, Schedule], ...]:
    """Return from which day which of them is in force, unless others are announced."""
    return reading.read_days(_text("in_force.csv"), shipped())


def _text(name: str) -> str:
    return resources.files("settlement.fees").joinpath(name).read_text("utf-8")
