"""Commission (佣金) by a dated schedule: rates are data with their legal basis, never constants.

Source: 《中华人民共和国拍卖法》 art. 56 (the commission is what was agreed).
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from contracts.money import WHOLE_BP, Money

SELLER_COMMISSION = "seller-commission"
# The exchange's books run on the civil days of its seat.
SEAT = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate from `valid_from` up to and including `valid_to` (None: until further notice)."""

    code: str
    valid_from: date
    valid_to: date | None
    rate_bp: int
    legal_basis: str

    def holds_on(self, day: date) -> bool:
        """Tell whether the rate applies on a day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def read_schedule(table: str) -> tuple[Rate, ...]:
    """Read a fee schedule from CSV text.

    Raises:
        ValueError: a rate is out of range, has no legal basis, or two rates of a code overlap.
    """
    rates = tuple(
        Rate(
            code=row["code"],
            valid_from=date.fromisoformat(row["valid_from"]),
            valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            rate_bp=int(row["rate_bp"]),
            legal_basis=row["legal_basis"],
        )
        for row in csv.DictReader(io.StringIO(table))
    )
    for place, rate in enumerate(rates):
        if not 0 <= rate.rate_bp <= WHOLE_BP or not rate.legal_basis:
            raise ValueError(f"{rate} is out of range or has no legal basis")
        if any(_overlap(rate, other) for other in rates[:place]):
            raise ValueError(f"{rate} overlaps another rate of its code")
    return rates


def rate_on(rates: Sequence[Rate], code: str, at: datetime) -> Rate:
    """Return the rate of a code at an instant, by the civil day of the exchange's seat.

    Raises:
        ValueError: the schedule has none (a gap in the data, not a refusal).
    """
    day = at.astimezone(SEAT).date()
    for rate in rates:
        if rate.code == code and rate.holds_on(day):
            return rate
    raise ValueError(f"the fee schedule has no {code} on {day}")


def commission(gross: Money, rate: Rate) -> Money:
    """Return the commission on a price, rounded half away from zero."""
    return gross.share(rate.rate_bp)


def _overlap(one: Rate, other: Rate) -> bool:
    if one.code != other.code:
        return False
    return one.valid_from <= (other.valid_to or date.max) and other.valid_from <= (
        one.valid_to or date.max
    )
