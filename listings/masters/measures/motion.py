"""Black, still and moving: a series over the ten small pictures a second (pure).

A series of two pieces that follow one another is joined exactly: only the first value of the
second piece depends on the first piece's last picture, and both pieces keep those.

Source: EBU QC (black and frozen pictures of two seconds), ITU-T P.910 (temporal information).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from listings.masters.measures import stretches
from listings.masters.measures.samples import LUMA_RATE, LUMA_SHAPE, Bytes, Flags, Luma, Numbers
from listings.masters.measures.stretches import Spans

BLACK_CODE = 26  # of full-range grey: a tenth of the signal, about 1 cd/m² in HLG, PQ and SDR alike
BLACK_SHARE_BP = 9_800
# Thousandths of a code value, mean over the picture. The same picture coded again stays below, the
# grain of a quiet camera on a tripod (one code value of 8 bits at full size) moves 47.
STILL = 20
UNKNOWN = -1  # there is no picture before the first
STEP_MS = 1000 // LUMA_RATE
CHUNK = 300  # pictures at once: 17 MB
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Motion:
    """One value for each small picture, from the `first` on.

    `dark_bp`: the share of its samples that are black; `change`: how far it is from the picture
    before, in thousandths of a code value; `spread`: the standard deviation of that difference, in
    hundredths. `head` and `tail` are the first and the last picture, shape (0 or 1, 90, 160).
    """

    first: int
    dark_bp: Numbers
    change: Numbers
    spread: Numbers
    head: Bytes
    tail: Bytes

    @property
    def end(self) -> int:
        """The number of the picture that would follow."""
        return self.first + len(self.change)


def motion_of(luma: Luma) -> Motion:
    """Measure the small pictures of one piece."""
    pictures = luma.pictures
    dark, change, spread = [_NONE], [_NONE], [_NONE]
    for at in range(0, len(pictures), CHUNK):
        before = max(0, at - 1)
        some = pictures[before : at + CHUNK]
        moved, spreads = _steps(some)
        dark.append(_dark_bp(some)[at - before :])
        change.append(moved[at - before :])
        spread.append(spreads[at - before :])
    return Motion(
        luma.first,
        np.concatenate(dark),
        np.concatenate(change),
        np.concatenate(spread),
        np.array(pictures[:1]),
        np.array(pictures[-1:]),
    )


def joined(one: Motion, other: Motion) -> Motion:
    """Return the series of two pieces of which the second follows the first."""
    change, spread = _steps(np.concatenate([one.tail, other.head]))
    return Motion(
        one.first,
        np.concatenate([one.dark_bp, other.dark_bp]),
        np.concatenate([one.change, change[1:], other.change[1:]]),
        np.concatenate([one.spread, spread[1:], other.spread[1:]]),
        one.head,
        other.tail,
    )


def black_ms(pieces: Sequence[Motion]) -> Spans:
    """Return the half-open stretches of at least two seconds that are black."""
    found = [_spans(each.dark_bp >= BLACK_SHARE_BP, each.first) for each in pieces]
    return stretches.long_enough(stretches.united(chain.from_iterable(found)))


def freeze_ms(pieces: Sequence[Motion]) -> Spans:
    """Return the stretches of at least two seconds that stand still, black ones excepted."""
    found = [_spans(_frozen(each), each.first) for each in pieces]
    return stretches.long_enough(stretches.united(chain.from_iterable(found)))


def temporal_x100(pieces: Sequence[Motion]) -> int | None:
    """Return the mean temporal information in hundredths; None for less than two pictures."""
    known = [each.spread[each.spread != UNKNOWN] for each in pieces]
    count = sum(len(each) for each in known)
    return sum(int(each.sum()) for each in known) // count if count else None


def _frozen(series: Motion) -> Flags:
    still = (series.change >= 0) & (series.change < STILL)
    frozen = still | np.append(still[1:], False)  # the picture that is repeated belongs to it
    return np.asarray(frozen & (series.dark_bp < BLACK_SHARE_BP))


def _dark_bp(pictures: Bytes) -> Numbers:
    dark = np.count_nonzero(pictures < BLACK_CODE, axis=(1, 2)).astype(np.int64)
    return np.asarray(dark * 10_000 // int(np.prod(LUMA_SHAPE)))


def _steps(pictures: Bytes) -> tuple[Numbers, Numbers]:
    """Return change and spread of each picture against the one before it."""
    change = np.full(len(pictures), UNKNOWN, np.int64)
    spread = np.full(len(pictures), UNKNOWN, np.int64)
    if len(pictures) < 2:
        return change, spread
    moved = pictures[1:].astype(np.int32)
    moved -= pictures[:-1]
    samples = moved[0].size
    total, squares = moved.sum(axis=(1, 2)), (moved * moved).sum(axis=(1, 2), dtype=np.int64)
    change[1:] = np.abs(moved).sum(axis=(1, 2)) * 1000 // samples
    variance = squares / samples - (total / samples) ** 2
    spread[1:] = np.rint(np.sqrt(np.clip(variance, 0, None)) * 100)
    return change, spread


def _spans(flags: Flags, first: int) -> Spans:
    """Return half-open spans of milliseconds where the flags are set."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [
        [int(start + first) * STEP_MS, int(end + first) * STEP_MS]
        for start, end in edges.reshape(-1, 2)
    ]
