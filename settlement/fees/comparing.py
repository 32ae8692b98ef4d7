"""What a schedule changes against another, tier by tier, and which ones it takes the place of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from contracts.money import EXPONENTS
from settlement.fees import rules
from settlement.fees.rules import Row, Schedule


@dataclass(frozen=True, slots=True)
class Change:
    """A tier as it was and as it will be; None where there was none, or will be none."""

    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        """The tier that tells who pays, of what and above which amount."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a change of nothing")
        return found


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule, since when it is in force, and for prices in which currencies."""

    since: date
    schedule: Schedule
    currencies: tuple[str, ...]


def changes(before: Schedule, after: Schedule) -> tuple[Change, ...]:
    """Return the tiers that differ, of the seller first; equal ones are left out."""
    old, new = ({_place(row): row for row in one.rows} for one in (before, after))
    places = sorted(old.keys() | new.keys())
    found = (Change(old.get(place), new.get(place)) for place in places)
    return tuple(one for one in found if one.before != one.after)


def standing(
    dated: Sequence[tuple[date, Schedule]], currencies: Iterable[str], *, on: date
) -> tuple[Standing, ...]:
    """Return the schedules in force on a day, each with those of the currencies it is for."""
    found: dict[tuple[date, str], Standing] = {}
    for currency in currencies:
        one = rules.find_in_force(dated, on=on, currency=currency)
        if one is not None:
            key = one[0], one[1].sha256
            before = found[key].currencies if key in found else ()
            found[key] = Standing(*one, (*before, currency))
    return tuple(found.values())


def replaced(
    dated: Sequence[tuple[date, Schedule]], schedule: Schedule, *, on: date
) -> tuple[Standing, ...]:
    """Return what would be in force on a day without a schedule, of the currencies it serves.

    One that serves every currency may take the place of several.
    """
    return standing(dated, filter(schedule.serves, sorted(EXPONENTS)), on=on)


def _place(row: Row) -> tuple[int, int, str, int]:
    return rules.SIDES.index(row.side), rules.BASES.index(row.basis), row.sale, row.above_minor
