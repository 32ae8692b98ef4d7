"""Loudness, peaks, silence, phase and clipping of one sound track, by ffmpeg's filters (pure).

Source: ITU-R BS.1770-5, EBU Tech 3341 and 3342 (as ffmpeg's `ebur128` implements them).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from listings.masters.measures import full

FILES = ("loudness", "silence", "phase")
SILENT_LU100 = -7_000  # the absolute gate of BS.1770: what is below it is not heard
SILENT_DB100 = -6_000  # a true peak that ffmpeg's three decimals show as nothing
QUIET_DB = -60.0  # of a tenth of a second: phase means nothing there
OPPOSED = -0.9  # of a phase from -1 to 1: what is left of a mono sum is 13 dB down
SAME = 0.9995  # both channels are one
FULL_DB = -0.01  # of a sample peak: nothing fits above it
FLAT_DB = 9.5  # of astats' flat factor: three equal peaks in a row; a wave alone seldom has two
LOUD_DB = -6.0  # a flat top below is a sound, not a fault
FILLING_S = 2  # whole seconds before the first three-second window is full
STEP_MS = 100
LONGEST_S = 200_000  # of a file: a time beyond is a lie


def filters(channels: int, *, files: str) -> str:
    """Return the filters for one track (one input, one output, for `-af` or a graph).

    They write lines into `files` + "-" + each of `FILES`; `read` takes the lines of all of them.
    The path must hold none of `:,;[]'\\`. A mono track has no phase.
    """
    loudness, silence, phase = (f"ametadata=print:file={files}-{name}" for name in FILES)
    main = (
        f"silencedetect=n=-60dB:d=2,{silence},ebur128=peak=true:metadata=1:framelog=quiet,"
        "astats=metadata=1:reset=1:measure_perchannel=Peak_level+Peak_count+Flat_factor"
        f":measure_overall=none,{loudness}"
    )
    if channels < 2:
        return main
    return (
        "asplit[main][pair];[pair]pan=stereo|c0=c0|c1=c1,aresample=48000,asetnsamples=n=4800:p=0,"
        "aphasemeter=video=0,astats=metadata=1:reset=1:measure_perchannel=none"
        f":measure_overall=RMS_level,{phase},anullsink;[main]{main}"
    )


@dataclass
class _Heard:
    """What the lines said so far; `now` holds the values of one tenth of a second."""

    at_ms: int = 0
    last_ms: int = 0
    integrated: int | None = None
    spread: int | None = None
    peak: float | None = None
    short_term: dict[int, int | None] = field(default_factory=dict)
    silence: list[list[int]] = field(default_factory=list)
    since: int | None = None
    clipped: int = 0
    flat: int = 0
    tops: dict[str, dict[str, float]] = field(default_factory=dict)
    phase: float | None = None
    judged: int = 0
    opposed: int = 0
    same: int = 0


def read(lines: Iterable[str], *, track: int, channels: int) -> dict[str, Any]:
    """Return the measures of a track from what its filters wrote; other lines say nothing."""
    heard = _Heard()
    for line in lines:
        name, _, text = line.strip().partition("=")
        if name.startswith("frame:"):
            _begin(heard, name)
        elif name.startswith("lavfi."):
            value = full.number(text)
            if value is not None:
                _take(heard, name[6:], value)
    _clip(heard)
    if heard.since is not None:
        _silent(heard, heard.last_ms + STEP_MS)
    stereo = channels >= 2 and heard.peak is not None
    return {
        "track": track,
        "channels": channels,
        "integrated_lu100": heard.integrated,
        "range_lu100": heard.spread,
        "true_peak_db100": _decibels(heard.peak),
        "short_term_lu100": [heard.short_term.get(at) for at in _seconds(heard)],
        "silence_ms": heard.silence if heard.peak is not None else None,
        "antiphase_bp": heard.opposed * 10_000 // max(1, heard.judged) if stereo else None,
        "mono_bp": heard.same * 10_000 // max(1, heard.judged) if stereo else None,
        "clipped_samples": heard.clipped if heard.peak is not None else None,
        "flat_x100": heard.flat if heard.peak is not None else None,
    }


def _begin(heard: _Heard, text: str) -> None:
    """Take the head of a tenth of a second: `frame:3 pts:14400 pts_time:0.3`."""
    seconds = full.number(text.rpartition("pts_time:")[2])
    if seconds is None or not 0 <= seconds <= LONGEST_S:
        return
    _clip(heard)
    heard.at_ms = round(seconds * 1000)
    heard.last_ms = max(heard.last_ms, heard.at_ms)


def _take(heard: _Heard, key: str, value: float) -> None:
    group, _, rest = key.partition(".")
    if group == "r128":
        _loudness(heard, rest, value)
    elif group == "silence_start":
        heard.since = max(0, round(value * 1000))
    elif group == "silence_end":
        _silent(heard, round(value * 1000))
    elif key == "aphasemeter.phase":
        heard.phase = value
    elif key == "astats.Overall.RMS_level":
        _phase(heard, value)
    elif group == "astats":
        channel, _, what = rest.partition(".")
        heard.tops.setdefault(channel, {})[what] = value


def _loudness(heard: _Heard, key: str, value: float) -> None:
    if key == "I":
        heard.integrated = max(SILENT_LU100, round(value * 100))
    elif key == "LRA":
        heard.spread = round(value * 100)
    elif key == "true_peak":
        heard.peak = max(heard.peak or 0.0, value)
    elif key == "S":
        second = heard.at_ms // 1000
        full = second >= FILLING_S
        heard.short_term[second] = max(SILENT_LU100, round(value * 100)) if full else None


def _silent(heard: _Heard, end_ms: int) -> None:
    if heard.since is not None and end_ms > heard.since:
        heard.silence.append([heard.since, end_ms])
    heard.since = None


def _phase(heard: _Heard, level_db: float) -> None:
    """Count a tenth of a second that is loud enough to have a phase."""
    if heard.phase is not None and level_db > QUIET_DB:
        heard.judged += 1
        heard.opposed += heard.phase < OPPOSED
        heard.same += heard.phase > SAME
    heard.phase = None


def _clip(heard: _Heard) -> None:
    """Judge the peaks of the tenth of a second that ends here."""
    for top in heard.tops.values():
        level, flat = top.get("Peak_level", -math.inf), top.get("Flat_factor", 0.0)
        if level > LOUD_DB and flat >= FLAT_DB:
            heard.flat = max(heard.flat, round(flat * 100))
            heard.clipped += round(top.get("Peak_count", 0.0)) if level >= FULL_DB else 0
    heard.tops = {}


def _seconds(heard: _Heard) -> range:
    return range(max(heard.short_term, default=-1) + 1)


def _decibels(peak: float | None) -> int | None:
    if peak is None:
        return None
    return max(SILENT_DB100, round(2000 * math.log10(peak))) if peak > 0 else SILENT_DB100
