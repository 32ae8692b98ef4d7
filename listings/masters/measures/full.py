"""What ffmpeg's own detectors say of every frame: the tier `full` (pure)."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from listings.masters.measures import stretches
from listings.masters.measures.stretches import Spans

# Short stretches are asked for, because a long one may lie across the border of two pieces. It must
# be longer than a frame: freezedetect calls frozen what is as far apart.
SHORTEST_S = 0.25
MOST = 10**7  # of a value in hundredths: what is beyond is not from a filter
MEANS = ("block", "blur", "siti.si", "siti.ti")
SCANS = {"progressive": 0, "tff": 1, "bff": 1}


def filters(*, file: str) -> str:
    """Return the filters for every frame at its full size; they write lines into `file`.

    The path must hold none of `:,;[]'\\`.
    """
    return (
        f"idet,blackdetect=d={SHORTEST_S}:pic_th=0.98:pix_th=0.1,"
        f"freezedetect=n=-60dB:d={SHORTEST_S},signalstats,siti,blockdetect,blurdetect,"
        f"metadata=print:file={file}"
    )


@dataclass(frozen=True, slots=True)
class Frames:
    """Counts, sums and stretches over all frames of a piece; sums are in hundredths.

    `scans` are the progressive and the interlaced frames; what stands still or is flat is neither.
    """

    count: int = 0
    scans: tuple[int, int] = (0, 0)
    y_least: int | None = None
    y_most: int | None = None
    sums: tuple[int, ...] = (0,) * len(MEANS)
    counts: tuple[int, ...] = (0,) * len(MEANS)
    black: tuple[tuple[int, int], ...] = ()
    freeze: tuple[tuple[int, int], ...] = ()


def joined(one: Frames, other: Frames) -> Frames:
    """Return what two pieces gave together; their order does not matter."""
    return Frames(
        one.count + other.count,
        (one.scans[0] + other.scans[0], one.scans[1] + other.scans[1]),
        _either(min, one.y_least, other.y_least),
        _either(max, one.y_most, other.y_most),
        tuple(map(sum, zip(one.sums, other.sums, strict=True))),
        tuple(map(sum, zip(one.counts, other.counts, strict=True))),
        tuple(sorted(one.black + other.black)),
        tuple(sorted(one.freeze + other.freeze)),
    )


def interlaced_bp(frames: Frames) -> int | None:
    """Return the share of interlaced frames among those that show how they were scanned."""
    known = sum(frames.scans)
    return frames.scans[1] * 10_000 // known if known else None


def black_ms(frames: Frames) -> Spans:
    """Return the black stretches of at least two seconds."""
    return stretches.long_enough(stretches.united(frames.black))


def freeze_ms(frames: Frames) -> Spans:
    """Return the frozen stretches of at least two seconds, black ones taken away."""
    black = stretches.united(frames.black)
    return stretches.long_enough(stretches.without(stretches.united(frames.freeze), black))


def summary(frames: Frames) -> dict[str, int | None]:
    """Return what all frames show on average, and the extreme codes of luma."""
    means = {
        f"{name.rpartition('.')[2]}_x100": total // count if count else None
        for name, total, count in zip(MEANS, frames.sums, frames.counts, strict=True)
    }
    return {
        "frames": frames.count,
        "y_least": frames.y_least,
        "y_most": frames.y_most,
        **means,
    }


@dataclass
class _Reading:
    at_ms: int = 0
    last_ms: int = 0
    step_ms: int = 40
    count: int = 0
    scans: list[int] = field(default_factory=lambda: [0, 0])
    y_least: int | None = None
    y_most: int | None = None
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEANS, 0))
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEANS, 0))
    since: dict[str, int] = field(default_factory=dict)
    found: dict[str, list[tuple[int, int]]] = field(
        default_factory=lambda: {"black": [], "freeze": []}
    )


def read(lines: Iterable[str]) -> Frames:
    """Return what the filters said of one piece; other lines say nothing."""
    seen = _Reading()
    for line in lines:
        name, _, text = line.strip().partition("=")
        if name.startswith("frame:"):
            _begin(seen, name)
        elif name == "lavfi.idet.multiple.current_frame":
            if text in SCANS:
                seen.scans[SCANS[text]] += 1
        elif name.startswith("lavfi."):
            value = number(text)
            if value is not None:
                _take(seen, name[6:], value)
    for kind in list(seen.since):
        _end(seen, kind, seen.last_ms + seen.step_ms)
    return Frames(
        seen.count,
        (seen.scans[0], seen.scans[1]),
        seen.y_least,
        seen.y_most,
        tuple(seen.sums.values()),
        tuple(seen.counts.values()),
        tuple(sorted(seen.found["black"])),
        tuple(sorted(seen.found["freeze"])),
    )


def number(text: str) -> float | None:
    """Return a number that a filter wrote; None for what is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < MOST else None


def _begin(seen: _Reading, text: str) -> None:
    """Take the head of a frame: `frame:3 pts:14400 pts_time:0.3`."""
    seconds = number(text.rpartition("pts_time:")[2])
    if seconds is None:
        return
    at = round(seconds * 1000)
    if seen.count and at > seen.last_ms:
        seen.step_ms = at - seen.last_ms
    seen.at_ms, seen.last_ms = at, max(seen.last_ms, at)
    seen.count += 1


def _take(seen: _Reading, key: str, value: float) -> None:
    kind, _, edge = key.removeprefix("freezedetect.").partition("_")
    if key == "signalstats.YMIN":
        seen.y_least = _either(min, seen.y_least, int(value))
    elif key == "signalstats.YMAX":
        seen.y_most = _either(max, seen.y_most, int(value))
    elif key in seen.sums:
        seen.sums[key] += round(value * 100)
        seen.counts[key] += 1
    elif kind in seen.found and edge == "start":
        seen.since[kind] = round(value * 1000)
    elif kind in seen.found and edge == "end":
        _end(seen, kind, round(value * 1000))


def _end(seen: _Reading, kind: str, end_ms: int) -> None:
    start_ms = seen.since.pop(kind, None)
    if start_ms is not None and end_ms > start_ms:
        seen.found[kind].append((start_ms, end_ms))


def _either(of: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return of(one, other)
