"""Fine detail of native crops: what half the raster could not carry; blocks, blur, texture (pure).

A picture scaled up by two has nothing beyond half the Nyquist frequency but rests of the filter
and the noise of the coding. The crop is cut into windows; the energy just beyond that frequency is
set against the energy just below it, where there is any.

Source: ITU-R BT.500 knows no such measure, the bands are our own (see `upscaling.csv`); blur after
Marziliano et al. (2002), spatial information after ITU-T P.910.
"""

from typing import Any

import numpy as np

from listings.masters.measures.samples import Flags, Floats, Patches

WINDOW = 128  # samples to a side of what is transformed at once
BELOW = (0.15, 0.24)  # cycles a sample, the larger of both directions; 0.25 is half Nyquist
ABOVE = (0.27, 0.45)
LEAST_POWER = 4.0  # of ten-bit code values squared: less is the noise of coding, no detail
# On five real clips with detail (`upscaling.csv`, made by `tests/benchmarks/upscaling.py`) none of
# 45 native pictures lies below, and each of 30 that were scaled up by Lanczos, spline or bicubic
# and coded without visible loss does. Bilinear, strong compression and grain hide it; of 30
# pictures through soft lenses 5 lie below, so this is a doubt and no proof.
UPSCALED_BP = 300
MOST_BLOCKS = 10_000
BLOCK = 8  # samples to a side of the transforms of most codecs
WIDEST = 64  # samples of an edge: what takes longer is shading
EDGE = 88.0  # ten-bit code values, a tenth of the range: what is smaller is texture

_HANN = np.hanning(WINDOW + 1)[:WINDOW].astype(np.float32)
_TAPER = _HANN[:, None] * _HANN[None, :]


def _band(low: float, high: float) -> Flags:
    down, across = np.abs(np.fft.fftfreq(WINDOW)), np.fft.rfftfreq(WINDOW)
    frequency = np.maximum(down[:, None], across[None, :])
    return np.asarray((frequency >= low) & (frequency < high))


_BELOW, _ABOVE = _band(*BELOW), _band(*ABOVE)
_POWER = float((_TAPER**2).sum())


def patches_of(patches: Patches) -> list[dict[str, Any]]:
    """Return one dict of integers for each crop."""
    scale = np.float32(2.0 ** (10 - patches.coding.depth))
    return [
        {"at_ms": at, **_patch(luma.astype(np.float32) * scale)}
        for luma, at in zip(patches.luma, patches.at_ms, strict=True)
    ]


def upscaled_bp(patches: list[dict[str, Any]]) -> int | None:
    """Return the share of the crops that lack fine detail; None where none could be judged."""
    known = [patch["detail_bp"] for patch in patches if patch["detail_bp"] is not None]
    lacking = sum(1 for detail in known if detail < UPSCALED_BP)
    return lacking * 10_000 // len(known) if known else None


def detail_bp(luma: Floats) -> int | None:
    """Return the energy beyond half Nyquist as a share of that just below it, at most 10,000.

    `luma` has ten-bit code values. None for a crop that is too small or has no detail at all.
    """
    tall, wide = (side // WINDOW for side in luma.shape)
    if not tall or not wide:
        return None
    whole = luma[: tall * WINDOW, : wide * WINDOW]
    windows = whole.reshape(tall, WINDOW, wide, WINDOW).swapaxes(1, 2).reshape(-1, WINDOW, WINDOW)
    below = above = 0.0
    for window in windows:
        seen = np.fft.rfft2((window - window.mean()) * _TAPER)
        power = seen.real**2 + seen.imag**2
        below += float(power[_BELOW].mean()) / _POWER
        above += float(power[_ABOVE].mean()) / _POWER
    if below / len(windows) < LEAST_POWER:
        return None
    return min(10_000, int(10_000 * above / below))


def _patch(luma: Floats) -> dict[str, int | None]:
    across, down = np.abs(np.diff(luma, axis=1)), np.abs(np.diff(luma, axis=0))
    return {
        "detail_bp": detail_bp(luma),
        "block_x100": max(_blocks(across.mean(axis=0)), _blocks(down.mean(axis=1))),
        "blur_x100": _blur_x100(luma),
        "si_x100": _spatial_x100(luma),
    }


def _blocks(steps: Floats) -> int:
    """Return the mean step across the borders of blocks against that elsewhere, in hundredths."""
    if len(steps) < 2 * BLOCK:
        return 100
    phases = np.array([steps[at::BLOCK].mean() for at in range(BLOCK)])
    worst = int(phases.argmax())
    rest = float(np.delete(phases, worst).mean())
    if not rest:
        return MOST_BLOCKS if phases[worst] else 100
    return min(MOST_BLOCKS, round(100 * float(phases[worst]) / rest))


def _blur_x100(luma: Floats) -> int:
    """Return the mean width of clear edges in hundredths of a sample; 0 where there are none."""
    found = [_edges(luma), _edges(np.ascontiguousarray(luma.T))]
    count = sum(each for each, _ in found)
    return sum(width for _, width in found) * 100 // count if count else 0


def _edges(luma: Floats) -> tuple[int, int]:
    """Return how many clear edges lie along the rows, and how many samples wide they all are."""
    rising = np.diff(luma, axis=1) > 0
    turns = np.ones(luma.shape, np.bool_)  # a run from one turn to the next only rises or falls
    turns[:, 1:-1] = rising[:, 1:] != rising[:, :-1]
    at = np.flatnonzero(turns)
    clear = np.abs(np.diff(luma.ravel()[at])) >= EDGE
    wide = np.diff(at)
    clear &= (at[1:] % luma.shape[1] != 0) & (wide <= WIDEST)
    return int(np.count_nonzero(clear)), int(wide[clear].sum())


def _spatial_x100(luma: Floats) -> int:
    """Return the spatial information: the deviation of the Sobel edges, 8-bit code values."""
    rows = luma[:-2] + 2 * luma[1:-1] + luma[2:]
    columns = luma[:, :-2] + 2 * luma[:, 1:-1] + luma[:, 2:]
    edges = np.hypot(rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2])
    return round(float(edges.std(dtype=np.float64)) * 100 / 4)
