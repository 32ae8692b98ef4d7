"""What is kept of a picture for the search, what is asked, and what counts as found (pure).

One code a second of each listed master is kept (its 32 static bytes); a clip in question asks
about one code a second too, but at ever other parts of the second, because a code that was taken
0.4 s beside the kept one differs in a quarter of its bits. Whatever lies on one line through time
(there = offset + slope x here) in one listed work is a candidate, to be looked at closely.

A picture that stands still gives the same evidence again and again, and of millions of shots some
resemble one another by chance. So a distant vote counts once for each scene of the question; near
votes, which chance does not give, count each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt

from listings.masters.fingerprint import LUMA_RATE, MIRROR, RATE, STATIC_BYTES

Codes = npt.NDArray[np.uint8]
Times = npt.NDArray[np.int64]

FAR = 80  # bits that differ: 31 %; unrelated codes differ in 127.5 +- 8
NEAR = 64  # a quarter: eight standard deviations away from unrelated codes
LEAST_VOTES = 4  # on one line; background gives 1 or 2
LEAST_SET, MOST_SET = 48, 208  # signs set; flat, faded or ramped frames have fewer or more
STILL, MOST_OF_STILL = 8, 6  # bits between neighbours; codes of a still picture that are asked
SEGMENT_S = 60
LEAST_ASKED = 50  # of a clip, however short, as far as it has codes
STRIDE = 12  # looks (tenths of a second) between two codes; at 10 a minute took a second to find
TURN = 7  # tenths: with the stride, every part of a second is asked for in turn
SLOPES_BP = (10_000, 9_600, 9_800, 10_200, 10_400)
BIN_MS, LINE_MS = 1_000, 2_000  # lines lie every second and are two seconds wide
STRETCH_MS, STRETCH_STEP_MS = 64_000, 32_000  # a line is judged over a minute: slopes are coarse
BEYOND_MS = 10**12  # makes every offset positive, so that engines round it alike
SAME_MS = 3_000  # two lines that are closer than this say the same
MOST_OF_ONE = 4  # candidates in one master: a re-edited copy has several
MIRRORED = MIRROR[:STATIC_BYTES]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place in a listed master that a clip in question may show.

    The line is there_ms = offset_ms + slope x here_ms. `window` and `mirrored` say how the clip was
    looked at; `votes` of the `asked` codes of the best minute lie on the line; the votes of all its
    minutes span `here_ms` to `here_ms + length_ms` of the clip.
    """

    master_id: UUID
    offset_ms: int
    slope_bp: int
    mirrored: bool
    window: int
    votes: int
    asked: int
    here_ms: int
    length_ms: int

    @property
    def slope(self) -> float:
        """How fast the listed master runs against the clip."""
        return self.slope_bp / 10_000

    @property
    def there_ms(self) -> int:
        """Where in the listed master the stretch begins."""
        return self.offset_ms + self.here_ms * self.slope_bp // 10_000


@dataclass(frozen=True, slots=True)
class Question:
    """Codes of a clip in question and when each was taken.

    `codes` is uint8, shape (n, windows, 32); `at_ms` int64, shape (n,), ascending.
    """

    codes: Codes
    at_ms: Times


@dataclass(frozen=True, slots=True)
class Segment:
    """The codes kept of one minute; `kept` has a bit for each second that has one."""

    seg: int
    kept: int
    codes: bytes


@dataclass(frozen=True, slots=True)
class Minute:
    """A segment with the entry that it belongs to, as it is read from its row."""

    entry: int
    seg: int
    kept: int
    codes: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """Votes on one line of one listed master, over one stretch of the question.

    `bin` tells the line's offset in seconds; `strength` is the sum of the weights of its hits, and
    `moment` that of their offsets (ms) times their weights.
    """

    entry: int
    stretch: int
    window: int
    mirrored: bool
    slope_bp: int
    bin: int
    votes: int
    strength: int
    moment: int
    first_ms: int
    last_ms: int


def informative(codes: Codes) -> npt.NDArray[np.bool_]:
    """Tell which codes say something: flat and faded frames set few signs, or nearly all.

    Args:
        codes: uint8, shape (..., 32 or more).
    """
    signs = np.bitwise_count(codes[..., :STATIC_BYTES]).sum(axis=-1, dtype=np.int64)
    some: npt.NDArray[np.bool_] = (signs >= LEAST_SET) & (signs <= MOST_SET)
    return some


def worth_asking(codes: Codes) -> npt.NDArray[np.bool_]:
    """Tell which codes of a question to ask, shape (n, windows): those that say something new.

    Of a picture that stands still the first few codes are asked. Otherwise a minute of colour bars
    would rank every master with bars before the one that was copied.

    Args:
        codes: uint8, shape (n, windows, 32), in the order of time.
    """
    places = np.arange(len(codes))
    moved = np.ones(len(codes), np.bool_)
    bits = np.bitwise_count(codes[1:, 0] ^ codes[:-1, 0]).sum(axis=-1, dtype=np.int64)
    moved[1:] = bits > STILL
    since = np.maximum.accumulate(np.where(moved, places, 0)) if len(codes) else places
    return informative(codes) & (places - since < MOST_OF_STILL)[:, None]


def segments(video: Codes) -> list[Segment]:
    """Return what is kept of a master: the code at each full second, unless it says nothing.

    Args:
        video: uint8, shape (frames, 40): the stored track, five codes a second.
    """
    second = np.ascontiguousarray(video[::RATE, :STATIC_BYTES])
    useful = informative(second)
    found = []
    for seg, start in enumerate(range(0, len(second), SEGMENT_S)):
        kept = np.flatnonzero(useful[start : start + SEGMENT_S])
        if len(kept):
            bits = sum(1 << int(place) for place in kept)
            found.append(Segment(seg, bits, second[start + kept].tobytes()))
    return found


def ask(query: Codes, *, windows: Sequence[int] = (0,), every_s: int = 1) -> Question:
    """Return what to ask about a clip: a code every 1.2 seconds, or so many times that.

    A clip of less than a minute is asked as much as a minute, as far as it has codes: few seconds
    would have too few votes.

    Args:
        query: uint8, shape (frames, windows, 40): ten times a second, through every window.
        windows: the windows to ask through; each costs as much as the first.
        every_s: how many times 1.2 s lie between two codes; 5 is enough for a film copied whole.
    """
    step = max(1, min(STRIDE * every_s, len(query) // LEAST_ASKED))
    number = np.arange((len(query) + step - 1) // step)
    frames = number * step + number * TURN % min(step, LUMA_RATE)
    frames = np.minimum(frames, len(query) - 1)
    taken = np.ascontiguousarray(query[frames][:, list(windows), :STATIC_BYTES])
    return Question(taken, frames.astype(np.int64) * 1_000 // LUMA_RATE)


def scenes(codes: Codes) -> npt.NDArray[np.int64]:
    """Return the number of the scene that each code belongs to; a cut changes a quarter of it.

    Args:
        codes: uint8, shape (n, 32), in the order of time.
    """
    change = np.bitwise_count(codes[1:] ^ codes[:-1]).sum(axis=1, dtype=np.int64) > NEAR
    return np.concatenate([np.zeros(min(len(codes), 1), np.int64), np.cumsum(change)])
