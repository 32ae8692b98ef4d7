"""Rights as plain sets of cells: a second model, written without the one it is compared with.

A cell is one use: one leaf on every axis and one tick of time. Everything here is done with sets of
tuples, one cell at a time, so that it is obviously right and slow.
"""

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import product

from contracts.rights import region
from contracts.rights.region import Box, Region

Cell = tuple[int, int, int, int, int]
Cells = frozenset[Cell]

WIDTHS = (3, 2, 2, 3)  # leaves of the small world: units, uses, languages, territories
TICKS = 5
WORLD = Box(units=0b111, uses=0b11, languages=0b11, territories=0b111, start=0, end=TICKS)


def of_boxes(boxes: Iterable[Box]) -> Cells:
    """Return every cell of every box."""
    found: set[Cell] = set()
    for box in boxes:
        axes = (box.units, box.uses, box.languages, box.territories)
        found.update(product(*map(leaves, axes), range(box.start, box.end)))
    return frozenset(found)


def of_region(given: Region) -> Cells:
    """Return every cell of a region, read from its tree."""
    return of_boxes(region.boxes(given))


def leaves(mask: int) -> list[int]:
    """Return the places of the bits of a mask."""
    return [place for place in range(mask.bit_length()) if mask >> place & 1]


def random_box(dice: random.Random) -> Box:
    """Return a box of the small world; one in twenty holds nothing."""
    start = dice.randrange(TICKS)
    units, uses, languages, territories = (dice.randrange(1, 1 << width) for width in WIDTHS)
    if dice.random() < 0.05:
        units, start = dice.choice([(0, start), (units, TICKS)])
    end = min(start + dice.choice([1, 1, 2, TICKS]), TICKS)
    return Box(units, uses, territories, languages, start, end)


def random_boxes(dice: random.Random) -> list[Box]:
    """Return up to four boxes; half of them stand on the leaves of one before."""
    made: list[Box] = []
    for _ in range(dice.randint(0, 4)):
        box = random_box(dice)
        if made and dice.random() < 0.5:
            box = replace(dice.choice(made), start=box.start, end=box.end)
        made.append(box)
    return made


def random_pair(dice: random.Random) -> tuple[list[Box], list[Box]]:
    """Return two lists of boxes; one pair in eight says the same set in two ways."""
    one = random_boxes(dice)
    if dice.random() < 0.125:
        return one, shuffled_pieces(of_boxes(one), dice)
    return one, random_boxes(dice)


def shuffled_pieces(cells: Cells, dice: random.Random) -> list[Box]:
    """Return the cells as boxes of one cell each, in an order of chance: another way to say it."""
    pieces = [
        Box(1 << unit, 1 << use, 1 << territory, 1 << language, tick, tick + 1)
        for unit, use, language, territory, tick in cells
    ]
    dice.shuffle(pieces)
    return pieces
