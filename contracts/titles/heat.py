"""The heat map of a work: territory by month, how much of what was asked is free (pure).

One pass over what is free: a span adds its cells to the months that it begins and ends in, and a
step up and a step down to those that it fills.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime
from enum import Enum
from functools import cache
from itertools import pairwise

from contracts.rights import axes, region, rules, vocabulary
from contracts.rights.instants import micros
from contracts.rights.region import Region
from contracts.titles.judging import Answer, Severity
from contracts.window import BadWindow

MOST_ROWS, MOST_MONTHS = 50, 120
OTHERS = "*"  # the row of all that has no row of its own
Named = tuple[str, int]  # a code and the mask of its territories


class Shade(Enum):
    """How much of a territory's month is free."""

    FREE = "free"
    PARTLY = "partly"
    TAKEN = "taken"
    UNKNOWN = "unknown"  # nothing is certainly free, something may be


@dataclass(frozen=True, slots=True)
class Row:
    """A territory and its shade in each month; `code` is `*` for all that has no row of its own."""

    code: str
    shades: tuple[Shade, ...]


@dataclass(frozen=True, slots=True)
class Calendar:
    """The months, as their first days, and a row for each territory."""

    months: tuple[date, ...]
    rows: tuple[Row, ...]


def months_from(first: date, count: int) -> tuple[date, ...]:
    """Return the first days of so many months, from the month of a day on.

    Raises:
        BadWindow: they run out of the calendar.
    """
    begin = first.year * 12 + first.month - 1
    if (begin + count - 1) // 12 > MAXYEAR:
        raise BadWindow("The months lie too far away.", first=first.isoformat(), months=count)
    return tuple(date(at // 12, at % 12 + 1, 1) for at in range(begin, begin + count))


def edges_of(months: Sequence[date], zone: str) -> tuple[datetime, ...]:
    """Return the instants at which months begin in a zone, and the end of the last.

    Raises:
        BadWindow: the zone is unknown, or the months lie too far away.
    """
    days = [*months, months_from(months[-1], 2)[1]]
    return tuple(rules.window_of(day, day, zone).start for day in days)


def calendar(
    answer: Answer, *, months: Sequence[date], rows: Sequence[Named], zone: str
) -> Calendar:
    """Return the heat map of an answer.

    Args:
        answer: what is free; its question covers the months.
        months: the first days of consecutive months.
        rows: disjoint territories, as of `rows_of`.
        zone: the IANA time zone that the months begin in.
    """
    edges, asked = [micros(edge) for edge in edges_of(months, zone)], answer.asked
    each = asked.units.bit_count() * asked.uses.bit_count() * asked.languages.bit_count()
    masks = [mask & asked.territories for _, mask in rows]
    free, maybe = _filled(answer.free, masks, edges), _filled(answer.unknown, masks, edges)
    lengths = [end - start for start, end in pairwise(edges)]
    told = []
    for at, (code, _) in enumerate(rows):
        whole = each * masks[at].bit_count()
        cells = zip(lengths, free[at], maybe[at], strict=True)
        told.append(Row(code, tuple(_shade(whole * length, *two) for length, *two in cells)))
    return Calendar(tuple(months), tuple(told))


def rows_of(answer: Answer, *, within: str | None = None) -> list[Named]:
    """Return the rows of a heat map: the parts of one territory, or the countries that matter.

    Without `within` those are the countries in which something stands in the way, the most often
    first, and a last row for the rest of what was asked; never more than MOST_ROWS.

    Raises:
        UnknownTerritory: there is no such territory.
    """
    asked = answer.asked.territories
    if within is None:
        return _bounded(_by_reasons(answer), asked)
    whole = axes.TERRITORIES.mask([within]) & asked
    leaves = enumerate(axes.TERRITORIES.leaves)
    parts = [(leaf.code, 1 << place) for place, leaf in leaves if whole >> place & 1]
    return _bounded(parts, whole)


def _by_reasons(answer: Answer) -> list[Named]:
    """Return the countries that reasons name, not those that take the whole question."""
    asked = answer.asked.territories
    boxes = [r.box.territories for r in answer.reasons if r.severity is not Severity.NOTICE]
    counted = Counter(mask for mask in boxes if mask != asked)
    scored = [
        (-sum(count for other, count in counted.items() if other & mask), code, mask & asked)
        for code, mask in _countries()
        if mask & asked
    ]
    return [(code, mask) for score, code, mask in sorted(scored) if score]


def _bounded(rows: list[Named], whole: int) -> list[Named]:
    """Return so many rows that they, and a last one for the rest, are not too many."""
    if len(rows) > MOST_ROWS:
        rows = rows[: MOST_ROWS - 1]
    rest = whole
    for _, mask in rows:
        rest &= ~mask
    if rest and len(rows) == MOST_ROWS:
        rest |= rows.pop()[1]
    return [*rows, (OTHERS, rest)] if rest else rows


@cache
def _countries() -> tuple[Named, ...]:
    return tuple((code, axes.TERRITORIES.mask([code])) for code in vocabulary.TERRITORIES)


def _filled(part: Region, masks: Sequence[int], edges: Sequence[int]) -> list[list[int]]:
    """Return for each mask of territories how many cells of each month a region holds."""
    months = len(edges) - 1
    cells = [[0] * months for _ in masks]
    steps = [[0] * (months + 1) for _ in masks]
    for box in region.boxes(part):
        weight = box.units.bit_count() * box.uses.bit_count() * box.languages.bit_count()
        start, end = max(box.start, edges[0]), min(box.end, edges[-1])
        for at, mask in enumerate(masks):
            leaves = (box.territories & mask).bit_count()
            if leaves and start < end:
                _spread(cells[at], steps[at], edges, (start, end, weight * leaves))
    for row, changes in zip(cells, steps, strict=True):
        held = 0
        for month in range(months):
            held += changes[month]
            row[month] += held * (edges[month + 1] - edges[month])
    return cells


def _spread(
    cells: list[int], steps: list[int], edges: Sequence[int], span: tuple[int, int, int]
) -> None:
    """Add a span of so many cells at a time to the months that it touches."""
    start, end, weight = span
    first, last = bisect_right(edges, start) - 1, bisect_left(edges, end) - 1
    if first == last:
        cells[first] += (end - start) * weight
        return
    cells[first] += (edges[first + 1] - start) * weight
    cells[last] += (end - edges[last]) * weight
    steps[first + 1] += weight
    steps[last] -= weight


def _shade(whole: int, free: int, maybe: int) -> Shade:
    if free == whole:
        return Shade.FREE
    if free:
        return Shade.PARTLY
    return Shade.UNKNOWN if maybe else Shade.TAKEN
