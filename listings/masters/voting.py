"""Which lines through time are worth a close look: pairs of like codes vote for them (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from listings.masters.fingerprint import (
    CODE_BYTES,
    MIRROR,
    PHASES,
    RATE,
    STATIC_BYTES,
    UPEND,
    Luma,
)

STATIC_BITS, MOTION_BITS = 255, 64
EVEN, SPREAD = 0.34, 0.12  # distance that speaks neither way; distance that adds one unit
TURNS = np.stack([np.zeros_like(MIRROR), MIRROR, UPEND, MIRROR ^ UPEND])
SLOPES = (1.0, 0.96, 0.98, 1.02, 1.04, 0.94, 0.92, 0.90, 1.06, 1.08, 1.10)
SHORT = RATE * 5  # over less than five seconds no speed can be told from another
PROBES = 480  # frames of the clip in question that vote
NEAR_PROBES = 96
LINES = 48  # lines looked at closely
LOOK, MOVE = 0.3, 2.0  # what a vote weighs by likeness of look and of motion
MOST_VOTES = 2_000_000  # a fixed camera makes every pair alike
CHUNK = 4_000_000  # pairs compared at once
JITTER = RATE  # a search by one code a second may be off by that much

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


class Line(NamedTuple):
    """there = slope x here + offset, in codes, seen through a window, turned or not."""

    slope: float
    offset: float
    window: int
    turn: int


@dataclass(frozen=True, slots=True)
class Votes:
    """Pairs of like codes: frame and place, how seen (window x turns + turn), and their weight."""

    frame: Indices
    place: Indices
    view: Indices
    weight: Floats
    slopes: tuple[float, ...]

    def lines(self, free: npt.NDArray[np.bool_]) -> list[Line]:
        """Return the lines with most votes of the frames that are free."""
        kept = free[self.frame]
        if not kept.any():
            return []
        frame, place = self.frame[kept] / PHASES, self.place[kept]
        view, weight = self.view[kept], self.weight[kept]
        elected = []
        for slope in self.slopes:
            offset = np.rint(place - slope * frame).astype(np.intp)
            lowest = int(offset.min())
            span = int(offset.max()) - lowest + 1
            tally = np.bincount(view * span + (offset - lowest), weights=weight)
            top = (
                np.argpartition(tally, -LINES)[-LINES:] if len(tally) > LINES else range(len(tally))
            )
            elected += [
                (float(tally[key]), Line(slope, float(key % span + lowest), *divmod(
                    int(key) // span, len(TURNS))))
                for key in top
                if tally[key] > 0
            ]  # fmt: skip
        elected.sort(key=lambda one: -one[0])
        return [line for _, line in elected[:LINES]]


def votes(query: Luma, listed: Luma, weight: Floats) -> Votes:
    """Return the votes of frames of the clip in question, taken evenly, for places of the listed.

    Args:
        query: uint8 (frames, windows, 40), ten a second.
        listed: uint8 (frames, 40), five a second.
        weight: how much each listed frame counts.
    """
    looks = _different(query)
    probes = np.unique(np.linspace(0, len(query) - 1, PROBES).astype(np.intp))
    each = max(1, CHUNK // (len(listed) * len(looks)))
    least = MOST_VOTES * each // len(probes)
    parts = [
        _voted(query, listed, weight, probes[first : first + each], looks, most=least)
        for first in range(0, len(probes), each)
    ]
    frame, place, view, strength = (np.concatenate(one) for one in zip(*parts, strict=True))
    slopes = SLOPES if len(query) > SHORT * PHASES else SLOPES[:1]
    return Votes(frame, place, view, strength, slopes)


def votes_near(query: Luma, listed: Luma, near: Sequence[tuple[float, float]]) -> Votes:
    """Return votes for given lines (slope, offset in codes) and those beside them alone.

    So few pairs are compared that it takes milliseconds, however long the clips are.
    """
    looks = _different(query)
    weight = np.ones(len(listed))
    parts = []
    for slope, offset in near:
        first, last = sorted(((0 - offset) / slope, (len(listed) - offset) / slope))
        low, high = max(0.0, first) * PHASES, min(len(query) - 1.0, last * PHASES)
        count = NEAR_PROBES if low <= high else 0
        for frame in np.unique(np.linspace(low, high, count).astype(np.intp)):
            middle = round(slope * frame / PHASES + offset)
            start = max(0, middle - JITTER)
            beside = slice(start, max(start, middle + JITTER + 1))
            at, place, view, strength = _voted(
                query, listed[beside], weight[beside], np.array([frame]), looks, most=MOST_VOTES
            )
            parts.append((at, place + start, view, strength))
    if not parts:
        parts = [(np.zeros(0, np.intp),) * 3 + (np.zeros(0),)]
    frame, place, view, strength = (np.concatenate(one) for one in zip(*parts, strict=True))
    return Votes(frame, place, view, strength, tuple({slope for slope, _ in near}))


def distance(left: Luma, right: Luma) -> npt.NDArray[np.int64]:
    """Return the number of differing bits along the last axis."""
    bits: npt.NDArray[np.int64] = np.bitwise_count(left ^ right).sum(axis=-1, dtype=np.int64)
    return bits


def _different(query: Luma) -> Indices:
    """Return the windows that do not repeat an earlier one: without bars, several are the same."""
    sample = query[:: max(1, len(query) // 8)]
    kept: list[int] = []
    for window in range(query.shape[1]):
        if not any(np.array_equal(sample[:, window], sample[:, one]) for one in kept):
            kept.append(window)
    return np.array(kept, np.intp)


def _voted(
    query: Luma, listed: Luma, weight: Floats, probes: Indices, looks: Indices, *, most: int
) -> tuple[Indices, Indices, Indices, Floats]:
    codes = query[probes[:, None], looks[None, :]].reshape(-1, CODE_BYTES)
    found = [_alike(codes, listed ^ turn, weight, most=most // len(TURNS)) for turn in TURNS]
    row = np.concatenate([one[0] for one in found])
    turn = np.repeat(np.arange(len(TURNS)), [len(one[0]) for one in found])
    view = looks[row % len(looks)] * len(TURNS) + turn
    place, strength = (np.concatenate([one[part] for one in found]) for part in (1, 2))
    return probes[row // len(looks)], place, view, strength


def _alike(
    codes: Luma, listed: Luma, weight: Floats, *, most: int
) -> tuple[Indices, Indices, Floats]:
    """Return (row, place, strength) of pairs of codes that speak for each other."""
    apart = _apart(codes, listed)
    row, place = np.nonzero(apart < EVEN * STATIC_BITS)
    if len(row) > most:
        chosen = np.argpartition(apart[row, place], most)[:most]
        row, place = row[chosen], place[chosen]
    gain = np.minimum((EVEN - apart[row, place] / STATIC_BITS) / SPREAD, 1) * weight[place]
    moving = listed[place, STATIC_BYTES:]
    moved = 1 - 2 * distance(codes[row, STATIC_BYTES:], moving) / MOTION_BITS
    return row, place, LOOK * gain + MOVE * np.where(weight[place] > 0, moved, 0.0)


def _apart(seen: Luma, listed: Luma) -> npt.NDArray[np.uint16]:
    """Return the differing bits of every pair of pictures, shape (seen, listed)."""
    here, there = (
        np.ascontiguousarray(c[:, :STATIC_BYTES]).view(np.uint64) for c in (seen, listed)
    )
    bits = np.zeros((len(seen), len(listed)), np.uint16)
    for word in range(here.shape[1]):
        bits += np.bitwise_count(here[:, word, None] ^ there[None, :, word])
    return bits
