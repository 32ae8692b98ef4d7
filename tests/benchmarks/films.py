"""Codes of films that were never made, with the statistics of real ones, fast.

Shots last five seconds on average; from one second to the next a sixteenth of the bits turns over;
each bit has a density of its own between .34 and .63, as measured on real clips. A clip in question
is looked at between the kept seconds: 0.4 s beside one, a quarter of its bits differ.
"""

from collections.abc import Iterator

import numba
import numpy as np
import numpy.typing as npt

from listings.index.rules import MIRRORED, SEGMENT_S, Minute, Question
from listings.masters.fingerprint import LUMA_RATE, STATIC_BYTES

Words = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.uint8]
LENGTHS_S = (1_800, 3_600, 5_400)  # half an hour to an hour and a half
SPARE = np.uint64(1 << 56)  # the bit that no sign fills: the last of 256, as packed
AT_ONCE, BESIDE = (
    0.03,
    0.24 / 0.4,
)  # share of bits that differ at the same instant; more each second


@numba.njit(nogil=True)
def _next(state):
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    return state ^ (state << np.uint64(17))


@numba.njit(nogil=True)
def _fill(rows, seed, levels, spare):
    state = np.uint64(seed * 2 + 1) * np.uint64(0x9E3779B97F4A7C15)
    for _ in range(8):
        state = _next(state)
    for row in range(len(rows)):
        state = _next(state)
        fresh = row == 0 or (state >> np.uint64(32)) % np.uint64(5) == 0
        for word in range(4):
            if fresh:
                value = np.uint64(0)
                for level in range(5):
                    state = _next(state)
                    value = (state & value) | (levels[level, word] & (state | value))
            else:
                value = ~np.uint64(0)
                for _ in range(4):
                    state = _next(state)
                    value &= state
                value ^= rows[row - 1, word]
            rows[row, word] = value
        rows[row, 3] &= ~spare


def _levels() -> Words:
    """Masks that give each bit its density, from the lowest binary place to the highest."""
    density = np.random.default_rng(256).integers(11, 21, 256)
    place = [np.packbits((density >> level) & 1).view(np.uint64) for level in range(5)]
    return np.array(place)


_LEVELS = _levels()


def film(number: int) -> Codes:
    """Return the kept codes of a film, one a second, shape (seconds, 32); always the same."""
    rows = np.empty((LENGTHS_S[number % len(LENGTHS_S)], 4), np.uint64)
    _fill(rows, number, _LEVELS, SPARE)
    return rows.view(np.uint8)


def minutes(films: Iterator[tuple[int, Codes]]) -> Iterator[Minute]:
    """Yield what the index keeps of films: (entry, codes)."""
    for entry, codes in films:
        for seg, start in enumerate(range(0, len(codes), SEGMENT_S)):
            part = codes[start : start + SEGMENT_S]
            yield Minute(entry, seg, (1 << len(part)) - 1, part.tobytes())


def flipped(draw: np.random.Generator, codes: Codes, share: npt.NDArray[np.float64]) -> Codes:
    """Turn bits over, each row with a chance of its own; never the spare one."""
    bits = draw.random((len(codes), STATIC_BYTES * 8)) < share[:, None]
    bits[:, -1] = False
    return codes ^ np.packbits(bits, axis=1)


def question(
    draw: np.random.Generator, codes: Codes, *, first_s: float, seconds: int, noise: float,
    mirrored: bool,
) -> Question:  # fmt: skip
    """Return what is asked about a copy of a part of a film, at a phase that nobody knows."""
    number = np.arange(seconds)
    at_s = number + number * 3 % LUMA_RATE / LUMA_RATE
    place = first_s + at_s
    nearest = np.clip(np.rint(place).astype(np.int64), 0, len(codes) - 1)
    beside = AT_ONCE + BESIDE * np.abs(place - nearest)
    share = beside + noise - 2 * beside * noise
    taken = flipped(draw, codes[nearest], share)
    if mirrored:
        taken ^= MIRRORED
    return Question(taken[:, None], np.rint(at_s * 1000).astype(np.int64))
