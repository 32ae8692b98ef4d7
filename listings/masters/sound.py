"""Comparing two audio codes: where one sound lies in the other, and how far apart they are (pure).

Source: Chromaprint's raw fingerprint, about eight 32-bit numbers a second; unrelated sound differs
in about half of the bits. The same song in two programmes is not the same work, so what is found
here stands beside the picture's evidence and refuses nothing by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CODE_BITS = 32
RATE = 11025 / 1365  # codes a second: Chromaprint's samples by its hop
WHOLE_BP = 10_000
MOST_PROBE = 480  # a minute of codes taken evenly tells as much as hours
SLACK = 8  # codes: a second, by which sound may lie beside its picture, to both sides together

EVEN, SPREAD = 0.36, 0.12  # distance that speaks neither way; distance that adds one unit
LIVELY = 3  # bits that change from one code to the next in sound; in silence none do
SLOPES = (1.0, 0.98, 24 / 25, 25 / 24, 1.02)
PROBES = 640  # codes of the sound in question that vote
LINES = 12  # looked at closely
MOST_STRETCHES = 32
# Unrelated music, speech and noise reached 5.0, two halves of one film's music 14.1; three and a
# half seconds of the same sound reach 27.
FOUND = 18.0

Codes = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sounds:
    """A stretch of one sound found in another, in codes: there = slope x here + offset."""

    evidence: float
    distance: float
    here: int
    there: int
    length: int
    slope: float

    @property
    def here_ms(self) -> int:
        """Where it starts in the sound in question."""
        return round(self.here * 1000 / RATE)

    @property
    def there_ms(self) -> int:
        """Where it starts in the listed sound."""
        return round(self.there * 1000 / RATE)

    @property
    def length_ms(self) -> int:
        """How long it is in the sound in question."""
        return round(self.length * 1000 / RATE)


def stretches(
    here: bytes, there: bytes, *, pitched: Sequence[tuple[float, bytes]] = ()
) -> list[Sounds]:
    """Return where a sound is found in a listed one, the best first; silence is found nowhere.

    Args:
        here: raw Chromaprint codes of the sound in question, 4 bytes each, little-endian.
        there: the same of the listed sound.
        pitched: the sound in question played faster or slower by a factor before it was coded:
            film run at 25 instead of 24 pictures sounds higher, which no comparison of codes mends.
    """
    listed = _codes(there)
    weight = _weight(listed)
    variants = [(1.0, _codes(here)), *((factor, _codes(raw)) for factor, raw in pitched)]
    best = [_all(factor, codes, listed, weight) for factor, codes in variants]
    return max(best, key=lambda found: sum(one.evidence for one in found))


def along_bp(here: bytes, there: bytes, *, span: tuple[int, int, int], slope: float) -> int | None:
    """Return how much of the sound differs along a stretch of picture; None if either is silent.

    Args:
        here: raw Chromaprint codes of the sound in question.
        there: the same of the listed sound.
        span: where the stretch starts here and there, and how long it is here, in milliseconds.
        slope: how fast it runs.
    """
    ours, theirs = _codes(here), _codes(there)
    first, start, length = (round(part * RATE / 1000) for part in span)
    at = np.arange(first, min(first + length, len(ours)))
    at = (
        at[np.linspace(0, len(at) - 1, min(len(at), MOST_PROBE)).astype(np.intp)] if len(at) else at
    )
    apart = []
    for shift in range(-SLACK // 2, SLACK // 2 + 1):
        place = np.rint(start + shift + slope * (at - first)).astype(np.intp)
        inside = (place >= 0) & (place < len(theirs))
        one, other = ours[at[inside]], theirs[place[inside]]
        if len(one) >= SLACK and _sounds(one) and _sounds(other):
            apart.append(float(np.bitwise_count(one ^ other).mean()) / CODE_BITS)
    return round(min(apart) * WHOLE_BP) if apart else None


def _all(factor: float, ours: Codes, listed: Codes, weight: Floats) -> list[Sounds]:
    """Return the stretches of one variant, in the time of the sound as it is heard."""
    free = np.ones(len(ours), np.bool_)
    lively = _weight(ours)
    found: list[Sounds] = []
    while len(found) < MOST_STRETCHES:
        lines = _lines(ours, listed, weight, free & (lively > 0))
        tried = [_along(ours, listed, weight, free, line) for line in lines]
        best = max(filter(None, tried), key=lambda one: one.evidence, default=None)
        if best is None or best.evidence < FOUND:
            break
        found.append(best)
        free[best.here : best.here + best.length] = False
    return [
        Sounds(one.evidence, one.distance, round(one.here * factor), one.there,
               round(one.length * factor), one.slope / factor)
        for one in found
    ]  # fmt: skip


def _weight(codes: Codes) -> Floats:
    """Return how much each code counts: nothing in silence, little where the sound repeats."""
    if len(codes) < 2:
        return np.zeros(len(codes))
    change = np.bitwise_count(codes[1:] ^ codes[:-1]).astype(np.float64)
    lively = np.minimum(np.concatenate([change[:1], change]) / LIVELY, 1.0)
    _, which, count = np.unique(codes, return_inverse=True, return_counts=True)
    return lively / np.sqrt(count[which])


def _sounds(codes: Codes) -> bool:
    return bool(_weight(codes).mean() > 1 / CODE_BITS)


def _lines(
    ours: Codes, listed: Codes, weight: Floats, free: npt.NDArray[np.bool_]
) -> list[tuple[float, int]]:
    """Return the (slope, offset) lines with most votes of the codes that are free."""
    at = np.flatnonzero(free)
    if not len(at) or not len(listed):
        return []
    at = at[np.unique(np.linspace(0, len(at) - 1, PROBES).astype(np.intp))]
    apart = np.bitwise_count(ours[at][:, None] ^ listed[None, :])
    row, place = np.nonzero(apart < EVEN * CODE_BITS)
    gain = (EVEN - apart[row, place] / CODE_BITS) * weight[place]
    elected = []
    for slope in SLOPES:
        offset = np.rint(place - slope * at[row]).astype(np.intp)
        if not len(offset):
            continue
        lowest = int(offset.min())
        tally = np.bincount(offset - lowest, weights=gain)
        elected += [(float(tally[key]), (slope, int(key) + lowest))
                    for key in np.argsort(tally)[::-1][:LINES]]  # fmt: skip
    elected.sort(key=lambda one: -one[0])
    return [line for _, line in elected[:LINES]]


def _along(
    ours: Codes,
    listed: Codes,
    weight: Floats,
    free: npt.NDArray[np.bool_],
    line: tuple[float, int],
) -> Sounds | None:
    slope, offset = line
    here = np.arange(len(ours))
    there = np.rint(slope * here + offset).astype(np.intp)
    inside = (there >= 0) & (there < len(listed))
    here, there = here[inside], there[inside]
    if not len(here):
        return None
    apart = np.bitwise_count(ours[here] ^ listed[there]) / CODE_BITS
    gain = np.clip((EVEN - apart) / SPREAD, -1, 1) * np.maximum(weight[there], 0.05)
    total = np.concatenate([[0.0], np.cumsum(np.where(free[here], gain, -1e6))])
    lowest = np.minimum.accumulate(total[:-1])
    after = int(np.argmax(total[1:] - lowest)) + 1
    first = int(np.argmin(total[:after]))
    return Sounds(
        evidence=float(total[after] - total[first]),
        distance=float(apart[first:after].mean()),
        here=int(here[first]),
        there=int(there[first]),
        length=after - first,
        slope=slope,
    )


def _codes(raw: bytes) -> Codes:
    return np.frombuffer(raw, "<u4").astype(np.uint32)
