"""The fee schedule that ships with the exchange."""

from functools import cache
from importlib import resources

from settlement.fees.rules import Rate, read_schedule


@cache
def schedule() -> tuple[Rate, ...]:
    """Return the rates of `schedule.csv`."""
    file = resources.files("settlement.fees").joinpath("schedule.csv")
    return read_schedule(file.read_text("utf-8"))
