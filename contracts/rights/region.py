"""Regions: finite unions of boxes of uses, in a normal form, so that equal sets are equal values.

A region is kept as a tree over the axes unit, use, language, territory and time. On each axis but
the last it is a tuple of (mask, what holds there) pairs: the masks are disjoint, no part is empty
and no two parts are equal; the pairs stand in the order of their lowest leaf. On the last axis it
is a tuple of half-open spans that do not touch. Every set of cells has exactly one such tree.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from contracts.rights import cells

AXES = ("units", "uses", "languages", "territories")
EMPTY: "Region" = ()

# A tree of tuples as told above; `Region` is a name for readers, its depth is not a type.
Region = tuple[Any, ...]
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A box of uses: masks of the works' leaves, of uses, territories and languages, and a span.

    `start` and `end` are microseconds since 1970-01-01 UTC, half-open. A box with an empty axis
    holds nothing.
    """

    units: int
    uses: int
    territories: int
    languages: int
    start: int
    end: int

    @property
    def is_empty(self) -> bool:
        """Tell whether the box holds no use at all."""
        axes = self.units and self.uses and self.territories and self.languages
        return not axes or self.start >= self.end

    def meet(self, other: "Box") -> "Box":
        """Return what both boxes hold; it may be empty."""
        return Box(
            self.units & other.units,
            self.uses & other.uses,
            self.territories & other.territories,
            self.languages & other.languages,
            max(self.start, other.start),
            min(self.end, other.end),
        )


def of(boxes: Iterable[Box]) -> Region:
    """Return the union of boxes."""
    return cells.union([_cut(box) for box in boxes if not box.is_empty])


def without(box: Box, boxes: Iterable[Box]) -> Region:
    """Return what a box holds and none of the others does."""
    if box.is_empty:
        return EMPTY
    met = (box.meet(other) for other in boxes)
    return cells.rest(_cut(box), [_cut(common) for common in met if not common.is_empty])


def lasting(a: Region, least: int) -> Region:
    """Return the parts of a region whose spans of time are at least so many microseconds long."""
    return _lasting(a, len(AXES), least)


def join(a: Region, b: Region) -> Region:
    """Return what one or the other holds."""
    return _combine(a, b, len(AXES), _either)


def meet(a: Region, b: Region) -> Region:
    """Return what both hold."""
    return _combine(a, b, len(AXES), _both)


def minus(a: Region, b: Region) -> Region:
    """Return what the first holds and the second does not."""
    return _combine(a, b, len(AXES), _first_only)


def is_empty(a: Region) -> bool:
    """Tell whether a region holds nothing."""
    return not a


def covers(a: Region, b: Region) -> bool:
    """Tell whether the first holds all that the second holds."""
    return not minus(b, a)


def boxes(a: Region) -> tuple[Box, ...]:
    """Return disjoint boxes whose union is the region, in the order of its normal form."""
    return tuple(_boxes(a, ()))


def is_normal(a: Region) -> bool:
    """Tell whether a value is in normal form; every function here returns one that is."""
    return _is_normal(a, len(AXES))


def _cut(box: Box) -> cells.Cut:
    return box.units, box.uses, box.languages, box.territories, box.start, box.end


def _lasting(tree: Region, depth: int, least: int) -> Region:
    if not depth:
        return tuple((start, end) for start, end in tree if end - start >= least)
    parts: dict[Region, int] = {}
    for mask, below in tree:
        _add(parts, mask, _lasting(below, depth - 1, least))
    return _ordered(parts)


def _boxes(tree: Region, masks: tuple[int, ...]) -> Iterator[Box]:
    if len(masks) == len(AXES):
        named = dict(zip(AXES, masks, strict=True))
        yield from (Box(**named, start=start, end=end) for start, end in tree)
        return
    for mask, below in tree:
        yield from _boxes(below, (*masks, mask))


def _combine(a: Region, b: Region, depth: int, time: Callable[[Spans, Spans], Spans]) -> Region:
    """Combine two trees leaf by leaf; `time` says how spans are combined (and what () means)."""
    if a == b or not a or not b:
        return _by_law(a, b, time)
    if not depth:
        return time(a, b)
    parts: dict[Region, int] = {}
    rest_b = _mask(b)
    for mask, below in a:
        left = mask
        for other, under in b:
            common = left & other
            if common:
                left &= ~other
                _add(parts, common, _combine(below, under, depth - 1, time))
        _add(parts, left, _combine(below, EMPTY, depth - 1, time) if left else EMPTY)
        rest_b &= ~mask
    if rest_b and time is _either:
        for other, under in b:
            _add(parts, other & rest_b, under)
    return _ordered(parts)


def _by_law(a: Region, b: Region, time: Callable[[Spans, Spans], Spans]) -> Region:
    """Combine trees that are equal or of which one is empty: the laws say the answer."""
    if time is _either:
        return a or b
    if time is _both:
        return a if a and b else EMPTY
    return EMPTY if b else a


def _add(parts: dict[Region, int], mask: int, below: Region) -> None:
    if mask and below:
        parts[below] = parts.get(below, 0) | mask


def _ordered(parts: dict[Region, int]) -> Region:
    if len(parts) == 1:
        ((below, mask),) = parts.items()
        return ((mask, below),)
    pairs = [(mask, below) for below, mask in parts.items()]
    return tuple(sorted(pairs, key=lambda pair: pair[0] & -pair[0]))


def _mask(tree: Region) -> int:
    mask = 0
    for one, _ in tree:
        mask |= one
    return mask


def _either(a: Spans, b: Spans) -> Spans:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(a + b):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _both(a: Spans, b: Spans) -> Spans:
    met: list[tuple[int, int]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            met.append((start, end))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(met)


def _first_only(a: Spans, b: Spans) -> Spans:
    left: list[tuple[int, int]] = []
    for start, end in a:
        at = start
        for other, until in b:
            if until <= at or other >= end:
                continue
            if other > at:
                left.append((at, other))
            at = max(at, until)
        if at < end:
            left.append((at, end))
    return tuple(left)


def _is_normal(tree: Region, depth: int) -> bool:
    if not depth:
        touching = (a[1] >= b[0] for a, b in pairwise(tree))
        return bool(tree) and all(start < end for start, end in tree) and not any(touching)
    masks = [mask for mask, _ in tree]
    apart = sum(mask.bit_count() for mask in masks) == _mask(tree).bit_count()
    lowest = [mask & -mask for mask in masks]
    distinct = len({below for _, below in tree}) == len(tree)
    below = all(mask and under and _is_normal(under, depth - 1) for mask, under in tree)
    return apart and distinct and below and lowest == sorted(lowest)
