"""What a constraint lets through on one axis, between what it surely and what it possibly does.

An extent is a pair of sets, `inner` within the truth and the truth within `outer`. Constraints that
are understood have the two equal; one that is not has nothing inside and everything outside. So a
collision is certain where two inner sets meet, impossible where two outer sets do not, and unknown
otherwise (pure).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Protocol, Self

LOW, HIGH = -(2**80), 2**80  # beyond every instant in microseconds and every count
MOST_BOXES = 16  # of one rule; what needs more is left unread


class TooMany(Exception):
    """A logical constraint falls apart into more boxes than are compared."""


class Cut(Protocol):
    """A set on one axis."""

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left."""
        ...

    def meet(self, other: Self) -> Self:
        """Return what both hold."""
        ...

    def join(self, other: Self) -> Self:
        """Return what either holds."""
        ...

    def rest(self) -> Self:
        """Return everything else on the axis."""
        ...


@dataclass(frozen=True, slots=True)
class Bits:
    """A set of leaves as a mask, within the mask of them all."""

    mask: int
    all: int

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left."""
        return not self.mask

    def meet(self, other: "Bits") -> "Bits":
        """Return what both hold."""
        return Bits(self.mask & other.mask, self.all)

    def join(self, other: "Bits") -> "Bits":
        """Return what either holds."""
        return Bits(self.mask | other.mask, self.all)

    def rest(self) -> "Bits":
        """Return everything else on the axis."""
        return Bits(self.all & ~self.mask, self.all)


@dataclass(frozen=True, slots=True)
class Spans:
    """A set of whole numbers from `floor` on: sorted half-open spans that do not touch."""

    spans: tuple[tuple[int, int], ...]
    floor: int = LOW

    @classmethod
    def of(cls, start: int, end: int, *, floor: int = LOW) -> "Spans":
        """Return the numbers from `start` up to but not including `end`."""
        start = max(start, floor)
        return cls(((start, end),) if start < end else (), floor)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left."""
        return not self.spans

    def meet(self, other: "Spans") -> "Spans":
        """Return what both hold."""
        common = ((max(a, c), min(b, d)) for (a, b), (c, d) in product(self.spans, other.spans))
        return Spans(tuple(sorted((low, high) for low, high in common if low < high)), self.floor)

    def join(self, other: "Spans") -> "Spans":
        """Return what either holds."""
        return self.rest().meet(other.rest()).rest()

    def rest(self) -> "Spans":
        """Return everything else on the axis."""
        ends = [self.floor, *(end for span in self.spans for end in span), HIGH]
        pairs = zip(ends[::2], ends[1::2], strict=True)
        return Spans(tuple((low, high) for low, high in pairs if low < high), self.floor)


@dataclass(frozen=True, slots=True)
class Extent:
    """What is surely let through, and what possibly is."""

    inner: Cut
    outer: Cut

    @classmethod
    def exact(cls, cut: Cut) -> "Extent":
        """Return the extent of a constraint that is understood."""
        return cls(cut, cut)

    @classmethod
    def unknown(cls, everything: Cut) -> "Extent":
        """Return the extent of a constraint on an axis of which nothing is understood."""
        return cls(everything.rest(), everything)

    def meet(self, other: "Extent") -> "Extent":
        """Return what passes both."""
        return Extent(self.inner.meet(other.inner), self.outer.meet(other.outer))

    def join(self, other: "Extent") -> "Extent":
        """Return what passes either."""
        return Extent(self.inner.join(other.inner), self.outer.join(other.outer))

    def rest(self) -> "Extent":
        """Return what does not pass."""
        return Extent(self.outer.rest(), self.inner.rest())

    def holds_any(self) -> bool | None:
        """Tell whether anything passes; None where that is not known."""
        if not self.inner.is_empty:
            return True
        return False if self.outer.is_empty else None


# An axis that a box does not name lets everything through.
Box = Mapping[str, Extent]
Boxes = tuple[Box, ...]
EVERYTHING: Boxes = ({},)
DARK = Extent.unknown(Bits(1, 1))  # of an axis that means nothing to us


def dark(axis: str) -> Boxes:
    """Return the boxes of a condition that cannot be evaluated."""
    return ({axis: DARK},)


def meet(*parts: Boxes) -> Boxes:
    """Return what passes every one.

    Raises:
        TooMany: it falls apart too far.
    """
    whole = EVERYTHING
    for part in parts:
        whole = _some([_both(a, b) for a, b in product(whole, part)])
    return whole


def join(*parts: Boxes) -> Boxes:
    """Return what passes any of them.

    Raises:
        TooMany: it falls apart too far.
    """
    return _some([box for part in parts for box in part])


def rest(boxes: Boxes) -> Boxes:
    """Return what passes none of the boxes.

    Raises:
        TooMany: it falls apart too far.
    """
    return meet(*(tuple({axis: extent.rest()} for axis, extent in box.items()) for box in boxes))


def one(*parts: Boxes) -> Boxes:
    """Return what passes exactly one of them.

    Raises:
        TooMany: it falls apart too far.
    """
    alone = (
        meet(part, *(rest(other) for other in parts[:place] + parts[place + 1 :]))
        for place, part in enumerate(parts)
    )
    return join(*alone)


def _both(a: Box, b: Box) -> Box:
    common = {axis: a[axis].meet(b[axis]) for axis in a if axis in b}
    return {**a, **b, **common}


def _some(boxes: list[Box]) -> Boxes:
    """Drop boxes that are certainly empty, all but one, which says why."""
    possible = [box for box in boxes if not any(one.outer.is_empty for one in box.values())]
    kept = possible or boxes[:1]
    if len(kept) > MOST_BOXES:
        raise TooMany
    return tuple(kept)


def union(cuts: Iterable[Extent], nothing: Cut) -> Extent:
    """Return the join of extents; nothing of none."""
    whole = Extent.exact(nothing)
    for extent in cuts:
        whole = whole.join(extent)
    return whole
