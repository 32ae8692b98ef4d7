"""Where a film is cut into pieces, and which samples belong to each (pure).

Every sample is decided by the absolute time of its picture, never by where a piece begins: a film
decoded in five pieces gives the same bytes as one decoded in one. A boundary is a key frame, so
that a piece begins without decoding what came before; a film whose pictures do not come at a
constant rate is one piece.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

US = 1_000_000
FINEST = Fraction(1, 500_000)  # ffmpeg seeks by microseconds: a finer time base is one piece
STREAM = "mpegts"  # its clock begins with whatever is read of it, and may jump
LEAST_RATE = 2  # pictures a second; slower films are one piece


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a film: pictures at `start` and later, before `end` (seconds from its beginning).

    `start` is None at the beginning and `end` is None at the end of the film. `zero` is when the
    first picture of the film is shown. `opens` tells whether the first picture of the piece is the
    first one in its second. `picture` and `sound` tell what of the film is decoded.
    """

    number: int = 0
    start: Fraction | None = None
    end: Fraction | None = None
    zero: Fraction | None = None
    opens: bool = True
    picture: bool = True
    sound: bool = True

    def length(self, whole: Fraction) -> Fraction:
        """Return how long the piece of a film of this length is, in seconds."""
        return max((whole if self.end is None else self.end) - (self.start or 0), Fraction(0))

    def slots(self, rate: int) -> tuple[int, int | None]:
        """Return the first sample of a steady series and the one behind its last, None if open."""
        first = 0 if self.start is None else nearest(self.start * rate)
        return first, None if self.end is None else nearest(self.end * rate)


WHOLE = (Span(),)


def nearest(value: Fraction) -> int:
    """Round half away from zero, as ffmpeg's `fps` filter does."""
    doubled = 2 * value
    whole = (abs(doubled.numerator) // doubled.denominator + 1) // 2
    return whole if value >= 0 else -whole


def divisible(record: Mapping[str, Any]) -> bool:
    """Tell whether a film of this technical record may be cut into pieces at all."""
    video = record["video"]
    rate = video.get("rate")
    if not video.get("constant_rate") or not rate or STREAM in record["container"]:
        return False
    return Fraction(rate["num"], rate["den"]) >= LEAST_RATE


def cut(found: Mapping[str, Any], record: Mapping[str, Any]) -> Sequence[Span]:
    """Return the pieces: those of the picture in order, and the sound behind them.

    Args:
        found: what `finder.py` printed: `tick` (num, den), `zero` and `keys` in ticks.
        record: the technical record.
    """
    tick = Fraction(*found["tick"])
    rate = Fraction(record["video"]["rate"]["num"], record["video"]["rate"]["den"])
    if tick < FINEST or found["zero"] is None:
        return WHOLE
    zero = found["zero"] * tick
    edges = [key * tick for key in found["keys"] if _is_plain(key * tick - zero, 1 / rate)]
    if not edges:
        return WHOLE
    bounds = [None, *edges, None]
    pictures = [
        Span(number, start, end, zero, start is None or _opens(start - zero, 1 / rate), True, False)
        for number, (start, end) in enumerate(pairwise(bounds))
    ]
    heard = Span(len(pictures), None, None, zero, True, False, True)
    return [*pictures, heard]


def _is_plain(after: Fraction, frame: Fraction) -> bool:
    """Tell whether it is beyond doubt that the picture is, or is not, the first in its second.

    Containers round times to their ticks; between half and one and a half frames there is doubt.
    """
    past = after % 1
    return after > 0 and not frame / 2 <= past <= frame * 3 / 2 and past < 1 - frame / 4


def _opens(after: Fraction, frame: Fraction) -> bool:
    return after % 1 < frame / 2


def microseconds(at: Fraction) -> str:
    """Return an instant as ffmpeg takes it, never before the picture it names."""
    return f"{-(-(at * US).numerator // (at * US).denominator)}us"


def packed(span: Span) -> dict[str, Any]:
    """Return a span as text and numbers."""
    at = {name: getattr(span, name) for name in ("start", "end", "zero")}
    return {
        "number": span.number,
        **{name: None if value is None else str(value) for name, value in at.items()},
        **{name: getattr(span, name) for name in ("opens", "picture", "sound")},
    }


def unpacked(said: Mapping[str, Any]) -> Span:
    """Return the span that was packed."""
    start, end, zero = (
        None if said[name] is None else Fraction(said[name]) for name in ("start", "end", "zero")
    )
    return Span(said["number"], start, end, zero, said["opens"], said["picture"], said["sound"])
