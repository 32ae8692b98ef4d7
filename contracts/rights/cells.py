"""Many boxes at once to the normal form of their union, or of what they leave of a box (pure).

The form is built axis by axis: the leaves of an axis are put into classes that the same boxes hold,
and each class is looked at once on the next axis with those boxes alone. Subtrees are numbered, so
that two are compared by their numbers. Masks are first written with one bit for each class of
leaves, of which there are tens where there are thousands of leaves.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Tree = tuple[Any, ...]
Cut = tuple[int, ...]  # a box: its mask on each axis, then start and end
Class = tuple[int, int]  # leaves, and the set (as bits) of those that hold them
_EMPTY = 0  # the number of the subtree that holds nothing


def union(cuts: Sequence[Cut]) -> Tree:
    """Return the normal form of what one or another of the boxes holds; none of them is empty."""
    return _grown(cuts, None) if cuts else ()


def rest(whole: Cut, cuts: Sequence[Cut]) -> Tree:
    """Return the normal form of what boxes leave of one in which they all lie; none is empty."""
    return _grown(cuts, whole)


def _grown(cuts: Sequence[Cut], whole: Cut | None) -> Tree:
    growth = _Growth(list(dict.fromkeys(cuts)), whole)
    return growth.trees[growth.node(0, (1 << len(growth.cuts)) - 1)]


class _Growth:
    """One normal form on its way: boxes in narrow masks, and the subtrees met so far."""

    def __init__(self, cuts: list[Cut], whole: Cut | None) -> None:
        """Write the masks of the boxes narrowly."""
        self.axes = len(whole or cuts[0]) - 2
        self.classes: list[list[int]] = []
        columns: list[Sequence[int]] = []
        self.whole: list[int] = []
        for axis in range(self.axes):
            found = _sorted_classes(cuts, axis, whole)
            self.classes.append([mask for mask, _ in found])
            columns.append(_narrow(found, len(cuts)))
            self.whole.append((1 << len(found)) - 1 if whole else 0)
        self.cuts = list(zip(*columns, strict=True)) if cuts else []
        self.spans = [(cut[-2], cut[-1]) for cut in cuts]
        self.span = whole[-2:] if whole else None
        self.trees: list[Tree] = [()]
        self.numbers: dict[tuple[int, Tree], int] = {}
        self.known: dict[tuple[int, int], int] = {}

    def node(self, axis: int, who: int) -> int:
        """Return the number of the subtree that the boxes `who` (as bits) make from an axis on."""
        key = (axis, who)
        if key not in self.known:
            made = self._spans(who) if axis == self.axes else self._inner(axis, who)
            self.known[key] = made
        return self.known[key]

    def _inner(self, axis: int, who: int) -> int:
        parts: dict[int, int] = {}
        for mask, inside in self._sorted_out(axis, who):
            below = self.node(axis + 1, inside)
            if below:
                parts[below] = parts.get(below, 0) | mask
        order = sorted((mask & -mask, mask, below) for below, mask in parts.items())
        return self._numbered(axis, tuple((mask, below) for _, mask, below in order))

    def _sorted_out(self, axis: int, who: int) -> list[Class]:
        groups: dict[int, int] = {}
        for place, bit in _bits(who):
            mask = self.cuts[place][axis]
            groups[mask] = groups.get(mask, 0) | bit
        return _refined(self.whole[axis], groups.items())

    def _spans(self, who: int) -> int:
        joined: list[tuple[int, int]] = []
        for start, end in sorted(self.spans[place] for place, _ in _bits(who)):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        spans = joined if self.span is None else _between(joined, *self.span)
        return self._numbered(self.axes, tuple(spans))

    def _numbered(self, axis: int, told: Tree) -> int:
        if not told:
            return _EMPTY
        key = (axis, told)
        if key not in self.numbers:
            self.numbers[key] = len(self.trees)
            self.trees.append(told if axis == self.axes else self._written(axis, told))
        return self.numbers[key]

    def _written(self, axis: int, told: Tree) -> Tree:
        """Return a subtree with the leaves of its axis in place of their classes."""
        classes = self.classes[axis]
        return tuple(
            (_union(classes[place] for place, _ in _bits(mask)), self.trees[below])
            for mask, below in told
        )


def _sorted_classes(cuts: Sequence[Cut], axis: int, whole: Cut | None) -> list[Class]:
    """Return the classes of an axis's leaves in the order of their lowest leaf."""
    groups: dict[int, int] = {}
    for place, cut in enumerate(cuts):
        groups[cut[axis]] = groups.get(cut[axis], 0) | 1 << place
    found = _refined(whole[axis] if whole else 0, groups.items())
    return sorted(found, key=lambda one: one[0] & -one[0])


def _refined(whole: int, groups: Iterable[Class]) -> list[Class]:
    """Put leaves into classes that the same groups hold; those of `whole` that none holds too."""
    classes: list[Class] = [(whole, 0)] if whole else []
    for mask, who in groups:
        left, cut = mask, []
        for leaves, held in classes:
            common = leaves & left
            if not common:
                cut.append((leaves, held))
                continue
            cut.append((common, held | who))
            left ^= common
            if common != leaves:
                cut.append((leaves ^ common, held))
        if left:
            cut.append((left, who))
        classes = cut
    return classes


def _narrow(classes: Sequence[Class], count: int) -> list[int]:
    """Return the mask of each box with one bit for each class."""
    masks = [0] * count
    for number, (_, who) in enumerate(classes):
        for place, _ in _bits(who):
            masks[place] |= 1 << number
    return masks


def _between(taken: Sequence[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """Return what spans that do not touch leave of one in which they lie."""
    left, at = [], start
    for other, until in taken:
        if other > at:
            left.append((at, other))
        at = until
    return [*left, (at, end)] if at < end else left


def _bits(mask: int) -> Iterator[tuple[int, int]]:
    """Yield the place and the value of each bit."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1, lowest
        mask ^= lowest


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union
