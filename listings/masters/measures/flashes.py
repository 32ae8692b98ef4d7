"""Flashes that may harm: opposing changes of light, or of saturated red, on a quarter of a picture.

A pixel has risen when it is at least 20 cd/m² above the darkest it was in the last third of a
second, that darkest being below 160 cd/m²; fallen the other way round. The picture flashes up or
down when a quarter more of it did the one than the other: what pans and moves does both. More than
three flashes, six changes of direction, within a second are told. No certified test: a warning.

Source: ITU-R BT.1702-3.
Differs from the source: patterns and flashes in opposite halves of a picture are not looked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from listings.masters.measures import light
from listings.masters.measures.samples import HDR, Bytes, Coding, Flags, Floats, Numbers, Strobe

STEP_CD, DARK_CD = 20.0, 160.0
RED_SHARE = 0.8  # of R in R + G + B, linear
RED_LEAST = 0.02  # of full light: black has a hue, too, but nobody sees it
AREA_BP = 2_500
MOST_CHANGES = 6  # in a second: three flashes
SDR_CD = 200.0  # the display that the limits of SDR are written for
WINDOW = 3  # a change takes at most a third of a second, or flashes are slower than the limit

CHUNK = 256  # frames at once: 30 MB

Changes = tuple[Numbers, Numbers]
_NOTHING: Changes = (np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class Series:
    """For each frame from the `first` on, by how much more of the picture rose than fell (bp).

    `general` for light, `red` for saturated red. `head` and `tail` hold as many first and last
    small frames as a change may take, from which the values at a border are computed again.
    """

    first: int
    rate: tuple[int, int]
    coding: Coding
    general: Numbers
    red: Numbers
    head: Bytes
    tail: Bytes

    @property
    def end(self) -> int:
        """The number of the frame that would follow."""
        return self.first + len(self.general)


def series_of(strobe: Strobe) -> Series:
    """Measure the frames of one piece."""
    reach = _reach(strobe.rate)
    found = [_NOTHING]
    for at in range(0, len(strobe.planes), CHUNK):
        before = max(0, at - reach)
        general, red = _changes(strobe.planes[before : at + CHUNK], strobe.coding, reach)
        found.append((general[at - before :], red[at - before :]))
    general, red = (np.concatenate(values) for values in zip(*found, strict=True))
    head, tail = np.array(strobe.planes[:reach]), np.array(strobe.planes[-reach:])
    return Series(strobe.first, strobe.rate, strobe.coding, general, red, head, tail)


def joined(one: Series, other: Series) -> Series:
    """Return the series of two pieces of which the second follows the first."""
    reach = _reach(one.rate)
    border = np.concatenate([one.tail, other.head])
    general, red = _changes(border, one.coding, reach)
    again, kept = len(one.tail), len(other.head)
    return Series(
        one.first,
        one.rate,
        one.coding,
        np.concatenate([one.general, general[again:], other.general[kept:]]),
        np.concatenate([one.red, red[again:], other.red[kept:]]),
        np.concatenate([one.head, other.head])[:reach],
        np.concatenate([one.tail, other.tail])[-reach:],
    )


def flash_ms(pieces: Sequence[Series]) -> list[list[int]]:
    """Return [start, end, most flashes in a second] where there are more than three of light."""
    return [span for each in pieces for span in _too_many(each, each.general)]


def red_flash_ms(pieces: Sequence[Series]) -> list[list[int]]:
    """Return the same for saturated red."""
    return [span for each in pieces for span in _too_many(each, each.red)]


def _reach(rate: tuple[int, int]) -> int:
    return max(1, -(-rate[0] // (rate[1] * WINDOW)))


def _changes(planes: Bytes, coding: Coding, reach: int) -> Changes:
    """Return the net share (bp) of each frame that rose in light, and in saturated red."""
    shown, red = _seen(planes, coding)
    darkest, brightest = _trailing(shown, reach, np.minimum), _trailing(shown, reach, np.maximum)
    rose = (shown - darkest >= STEP_CD) & (darkest < DARK_CD)
    fell = (brightest - shown >= STEP_CD) & (shown < DARK_CD)
    was = _trailing(red, reach, np.logical_or)
    always = _trailing(red, reach, np.logical_and)
    return _net(rose, fell), _net(red & ~always, ~red & was)


def _net(rose: Flags, fell: Flags) -> Numbers:
    up = np.count_nonzero(rose.reshape(len(rose), -1), axis=1)
    down = np.count_nonzero(fell.reshape(len(fell), -1), axis=1)
    more = (up - down).astype(np.int64)
    return np.asarray(np.sign(more) * (np.abs(more) * 10_000 // int(np.prod(rose.shape[1:]))))


def _seen(planes: Bytes, coding: Coding) -> tuple[Floats, Flags]:
    """Return the light of each pixel, cd/m², and where it is a saturated red."""
    eight = Coding(8, coding.transfer, coding.primaries, "tv", coding.matrix)
    colour = light.signal(planes.swapaxes(0, 1).astype(np.uint16), eight)
    linear, shown = light.light_of(colour, eight)
    if coding.transfer not in HDR:
        shown = shown * np.float32(SDR_CD / light.SDR_PEAK)
    total = linear[0] + linear[1] + linear[2]
    return shown, (linear[0] >= RED_SHARE * total) & (linear[0] > RED_LEAST)


def _trailing(values: Any, reach: int, worst: np.ufunc) -> Any:
    """Return the extreme of each value and the `reach` values before it, by doubling windows."""
    out, covered = values.copy(), 1
    while covered <= reach and covered < len(out):
        step = min(covered, reach + 1 - covered)
        out[step:] = worst(out[step:], out[:-step])
        covered += step
    return out


def _too_many(series: Series, net: Numbers) -> list[list[int]]:
    """Return where the direction changes more often than is allowed, joined where they overlap."""
    at = _turns(net)
    num, den = series.rate
    found: list[list[int]] = []
    for index in range(MOST_CHANGES, len(at)):
        first = int(np.searchsorted(at, at[index] - num / den, side="right"))
        count = index - first + 1
        if count <= MOST_CHANGES:
            continue
        start, end = ((int(at[edge]) + series.first) * 1000 * den // num for edge in (first, index))
        if found and start <= found[-1][1]:
            found[-1] = [found[-1][0], end, max(found[-1][2], -(-count // 2))]
        else:
            found.append([start, end, -(-count // 2)])
    return found


def _turns(net: Numbers) -> Numbers:
    """Return the frames at which a flash up follows a flash down, or the other way round."""
    sides = np.where(net >= AREA_BP, 1, np.where(net <= -AREA_BP, -1, 0))
    frames = np.flatnonzero(sides)
    turned = np.concatenate([[True], np.diff(sides[frames]) != 0]) if len(frames) else frames
    return frames[turned.astype(bool)] if len(frames) else frames
