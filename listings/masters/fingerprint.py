"""The picture fingerprint `u1`: what a frame looks like and how it moves, as signs (pure).

A frame's code is 40 bytes: 255 signs of the DCT of its central window (32 bytes, one spare bit) and
64 signs of the DCT of its motion (8 bytes). Five frames a second are stored, luma as coded, 160x90
by area; a clip in question is looked at ten times a second, so that a cut between two samples is no
cover. Bars are taken away only where dark, static and symmetric, because dark scenes are no bars; a
clip in question is also looked at with its bars left on, and with bars taken away more freely,
because a logo on a bar, noise and a crop hide bars. What is stored of a listed clip is the first
look alone: more looks change no stored code, and the version stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

VERSION = "u1"
RATE = 5  # codes per second
PHASES = 2  # the clip in question is sampled this many times between two codes
LUMA_RATE = RATE * PHASES
WIDTH, HEIGHT = 160, 90
STATIC_BYTES, MOTION_BYTES = 32, 8
CODE_BYTES = STATIC_BYTES + MOTION_BYTES
CHUNK = 1500  # frames taken at once: five minutes, 86 MB as float32
AROUND = RATE  # motion is the difference from the mean of one second before and after
CENTRAL = 0.70  # the stored window: clear of logos, tickers and most crops
DARK, STILL = 40.0, 4.0  # a bar's mean code value and standard deviation stay below these
NARROWEST_BAR = 2  # samples; a single dark line at the edge of a video is common
WIDEST_BAR = 1 / 3  # of the picture on one side; more is a dark scene
# Taken away freely: noise of a copy moves a bar's samples, a logo or ticker covers a part of it.
NOISY, UNCOVERED, EVEN = 12.0, 0.7, 1.5

FLAT = 0.5  # smaller coefficients are rounding, not picture: a 500th of a code value on average

Luma = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle as shares of the picture: left, right, top, bottom."""

    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Codes:
    """A clip's codes, uint8.

    `video`, shape (frames, 40), is the stored window five times a second; `query`, shape
    (2 x frames, looks, 40), all looks ten times a second.
    """

    video: Luma
    query: Luma


def _seen_through(view: Box) -> Box:
    """Return where the stored window lies in a copy that shows only `view` of the picture."""
    low, high = (1 - CENTRAL) / 2, (1 + CENTRAL) / 2
    wide, tall = view.right - view.left, view.bottom - view.top
    return Box(
        (low - view.left) / wide,
        (high - view.left) / wide,
        (low - view.top) / tall,
        (high - view.top) / tall,
    )


def _centre(share: float) -> Box:
    return Box((1 - share) / 2, (1 + share) / 2, (1 - share) / 2, (1 + share) / 2)


# What a copy may show of the picture: all of it; centre crops; 90 % into each corner; a 4:3 cut and
# a 2.39:1 cut of 16:9.
VIEWS = (
    _centre(1.0),
    _centre(0.95),
    _centre(0.90),
    _centre(0.80),
    Box(0.0, 0.9, 0.0, 0.9),
    Box(0.1, 1.0, 0.0, 0.9),
    Box(0.0, 0.9, 0.1, 1.0),
    Box(0.1, 1.0, 0.1, 1.0),
    Box(0.125, 0.875, 0.0, 1.0),
    Box(0.0, 1.0, 0.128, 0.872),
)
Frame = Literal["picture", "whole", "bare"]
# Of which part of the frame, and what of the listed picture is in that part: a tenth cut off beside
# one bar; a 4:3 picture between bars in 16:9 (also cropped by a twentieth), and a 2.39:1 one, where
# the bars were not seen.
LOOKS: tuple[tuple[Frame, Box], ...] = (
    *(("picture", view) for view in VIEWS),
    ("bare", VIEWS[0]),
    ("bare", Box(0.0, 1.0, 0.0, 0.9)),
    ("bare", Box(0.0, 1.0, 0.1, 1.0)),
    ("bare", Box(0.0, 0.9, 0.0, 1.0)),
    ("bare", Box(0.1, 1.0, 0.0, 1.0)),
    ("whole", VIEWS[0]),
    ("picture", Box(-1 / 6, 7 / 6, 0.0, 1.0)),
    ("picture", Box(-0.133, 1.133, 0.025, 0.975)),
    ("picture", Box(0.0, 1.0, -0.172, 1.172)),
)
WINDOWS = tuple((frame, _seen_through(view)) for frame, view in LOOKS)


def codes_of(luma: Luma) -> Codes:
    """Return the codes of a clip.

    Args:
        luma: uint8, shape (frames, 90, 160), ten frames a second; may be a memory map.
    """
    frames = _frames(luma)
    query = np.zeros((len(luma), len(WINDOWS), CODE_BYTES), np.uint8)
    for phase in range(PHASES):
        part = luma[phase::PHASES]
        seen = {
            place: _window_codes(part, *place)
            for place in {(frames[frame], window) for frame, window in WINDOWS}
        }
        for number, (frame, window) in enumerate(WINDOWS):
            query[phase::PHASES, number] = seen[frames[frame], window]
    return Codes(np.ascontiguousarray(query[::PHASES, 0]), query)


def active_picture(luma: Luma) -> Box:
    """Return the picture without its bars, as shares of the frame."""
    return _frames(luma)["picture"]


def _frames(luma: Luma) -> dict[Frame, Box]:
    """Return where the picture is: without dark, still, symmetric bars; bare of any; with all."""
    total, square = np.zeros((HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH))
    for chunk in _chunks(luma):
        values = chunk.astype(np.float64)
        total += values.sum(axis=0)
        square += (values**2).sum(axis=0)
    mean, squared = total / max(len(luma), 1), square / max(len(luma), 1)
    top, bottom = _bars(mean.mean(axis=1), squared.mean(axis=1))
    left, right = _bars(mean.mean(axis=0), squared.mean(axis=0))
    still = (mean < DARK) & (np.maximum(squared - mean**2, 0) < NOISY**2)
    above, below = _ends(_covered(mean, still))
    before, behind = _ends(_covered(mean.T, still.T))
    return {
        "picture": Box(left, 1 - right, top, 1 - bottom),
        "bare": Box(before, 1 - behind, above, 1 - below),
        "whole": Box(0.0, 1.0, 0.0, 1.0),
    }


def _bars(mean: npt.NDArray[np.float64], square: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the shares covered by a dark, still bar at either end; none unless symmetric."""
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    first, last = _ends((mean < DARK) & (spread < STILL))
    size = len(mean)
    if abs(first - last) * size > 1.5 or max(first, last) * size < NARROWEST_BAR - 0.5:
        return 0.0, 0.0
    return first, last


def _covered(mean: npt.NDArray[np.float64], still: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which lines are a bar, even if something lies on it: dark, still and even."""
    count = np.maximum(still.sum(axis=1), 1)
    level = (mean * still).sum(axis=1) / count
    uneven = (np.abs(mean - level[:, None]) * still).sum(axis=1) / count
    bar: npt.NDArray[np.bool_] = (still.mean(axis=1) >= UNCOVERED) & (uneven < EVEN)
    return bar


def _ends(bar: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the shares of lines that are bars at either end; none where they are too wide."""
    inside = np.flatnonzero(~bar)
    if not len(inside):
        return 0.0, 0.0
    first, last = int(inside[0]), len(bar) - 1 - int(inside[-1])
    if max(first, last) > WIDEST_BAR * len(bar):
        return 0.0, 0.0
    return first / len(bar), last / len(bar)


def _chunks(luma: Luma) -> Iterator[Luma]:
    for start in range(0, len(luma), CHUNK):
        yield np.asarray(luma[start : start + CHUNK])


def _window_codes(luma: Luma, picture: Box, window: Box) -> Luma:
    """Return (frames, 40): the signs seen through one window of the active picture."""
    wide, tall = picture.right - picture.left, picture.bottom - picture.top
    across = (picture.left + window.left * wide, picture.left + window.right * wide)
    down = (picture.top + window.top * tall, picture.top + window.bottom * tall)
    static = _project(luma, _dct_of_area(HEIGHT, *down, 32), _dct_of_area(WIDTH, *across, 32))
    small = _project(luma, _dct_of_area(HEIGHT, *down, 16), _dct_of_area(WIDTH, *across, 16))
    return np.concatenate(
        [_signs(static, 32, 255), _signs(small - _local_mean(small), 16, 64)], axis=1
    )


def _project(luma: Luma, down: Floats, across: Floats) -> Floats:
    """Return down x frame x across' for every frame; linear, so area and DCT are one step."""
    parts = [down @ chunk.astype(np.float32) @ across.T for chunk in _chunks(luma)]
    return np.concatenate(parts) if parts else np.zeros((0, len(down), len(across)), np.float32)


def _dct_of_area(size: int, start: float, end: float, points: int) -> Floats:
    """Return (points, size): average [start, end) of `size` samples to `points`, then DCT-II."""
    edges = np.linspace(start * size, end * size, points + 1)
    low, high = edges[:-1, None], edges[1:, None]
    sample = np.arange(size)[None, :]
    overlap = np.clip(np.minimum(high, sample + 1) - np.maximum(low, sample), 0, None)
    area = overlap / np.maximum(overlap.sum(axis=1, keepdims=True), 1e-9)
    order, place = np.arange(points)[:, None], np.arange(points)[None, :]
    cosine = np.cos(np.pi * order * (2 * place + 1) / (2 * points))
    both: Floats = (cosine @ area).astype(np.float32)
    return both


def _local_mean(values: Floats) -> Floats:
    """Return the mean over one second before and after each frame, shorter at the ends."""
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, 0, np.float64)])
    index = np.arange(len(values))
    first = np.maximum(index - AROUND, 0)
    after = np.minimum(index + AROUND + 1, len(values))
    mean = (total[after] - total[first]) / (after - first)[:, None, None]
    small: Floats = mean.astype(np.float32)
    return small


def _diagonal(points: int, count: int) -> npt.NDArray[np.intp]:
    """Return (row, column) of the first `count` coefficients after DC, low frequencies first."""
    rows, columns = np.indices((points, points)).reshape(2, -1)
    order = np.lexsort((columns, rows + columns))[1 : count + 1]
    return np.stack([rows[order], columns[order]])


def _signs(spectrum: Floats, points: int, count: int) -> Luma:
    rows, columns = _diagonal(points, count)
    return np.packbits(spectrum[:, rows, columns] > FLAT, axis=1)


def _turned(axis: int) -> Luma:
    """Return the bits that turn over with the picture: odd frequencies along an axis."""
    parts = [
        np.packbits(_diagonal(points, count)[axis] % 2 == 1)
        for points, count in ((32, 255), (16, 64))
    ]
    return np.concatenate(parts)


MIRROR = _turned(1)
UPEND = _turned(0)
