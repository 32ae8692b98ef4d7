"""Regions told to people: the normal form's boxes merged into few and large ones (pure).

Differs from the normal form: what people are told are disjoint boxes with one span of time each,
the largest first; which of several equally good ways to cut a region is told, is fixed by the order
in which axes are merged.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from contracts.rights import region
from contracts.rights.region import Box, Region

# Territories first: that is the axis on which offers are told apart most finely.
_MASKS = ("territories", "languages", "uses", "units")
_Key = tuple[int, ...]


def largest(a: Region) -> list[Box]:
    """Return disjoint boxes whose union is the region, merged where two differ on one axis alone.

    They come in the order of their size (`size`), largest first.
    """
    merged, before = list(region.boxes(a)), 0
    while len(merged) != before:
        before = len(merged)
        for axis in _MASKS:
            merged = _along(merged, axis)
        merged = _in_time(merged)
    return sorted(merged, key=lambda box: (-size(box), box.start, _key(box)))


def size(box: Box) -> int:
    """Return how many cells a box has, a cell being a microsecond of one leaf of each axis."""
    cells = box.units.bit_count() * box.uses.bit_count()
    places = box.territories.bit_count() * box.languages.bit_count()
    return cells * places * (box.end - box.start)


def _key(box: Box) -> _Key:
    return box.units, box.uses, box.territories, box.languages, box.start, box.end


def _along(boxes: Iterable[Box], axis: str) -> list[Box]:
    found: dict[_Key, int] = {}
    first: dict[_Key, Box] = {}
    rest = _others(axis)
    for box in boxes:
        key = rest(box)
        found[key] = found.get(key, 0) | getattr(box, axis)
        first.setdefault(key, box)
    return [replace(box, **{axis: found[key]}) for key, box in first.items()]


def _in_time(boxes: Iterable[Box]) -> list[Box]:
    found: dict[_Key, list[Box]] = {}
    for box in sorted(boxes, key=lambda one: one.start):
        same = found.setdefault(_key(box)[:4], [])
        if same and same[-1].end == box.start:
            same[-1] = replace(same[-1], end=box.end)
        else:
            same.append(box)
    return [box for same in found.values() for box in same]


def _others(axis: str) -> Callable[[Box], _Key]:
    names = [name for name in (*_MASKS, "start", "end") if name != axis]
    return lambda box: tuple(getattr(box, name) for name in names)
