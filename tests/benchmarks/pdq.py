"""PDQ, the peer's picture hash: 256 signs of a picture's DCT against their median, and a quality.

Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019):
luma, two passes of a box filter each way, 64x64 by decimation, DCT-II of 16x16 low frequencies
without the lowest row and column, median; quality is the sum of gradients. vPDQ compares bags of
frames: a query matches when 80 % of its frames of quality 50 or more are within 31 bits.
"""

import numpy as np
import numpy.typing as npt

SIDE, KEPT = 64, 16
NEAR_BITS, LEAST_QUALITY, LEAST_SHARE = 31, 50, 0.8
Floats = npt.NDArray[np.float32]


def hashes(luma: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the hashes, uint8 (frames, 32), and qualities, 0..100, of frames (frames, h, w)."""
    small = _small(luma.astype(np.float32))
    order, place = np.arange(1, KEPT + 1)[:, None], np.arange(SIDE)[None, :]
    basis = np.sqrt(2 / SIDE) * np.cos(np.pi / 2 / SIDE * order * (2 * place + 1))
    spectrum = (basis @ small @ basis.T).reshape(len(luma), KEPT * KEPT)
    middle = np.sort(spectrum, axis=1)[:, KEPT * KEPT // 2 - 1 : KEPT * KEPT // 2]
    # The published program writes the highest frequency first.
    return np.packbits((spectrum > middle)[:, ::-1], axis=1), _quality(small)


def same(
    here: npt.NDArray[np.uint8], there: npt.NDArray[np.uint8],
    quality_here: npt.NDArray[np.int64], quality_there: npt.NDArray[np.int64],
) -> float:  # fmt: skip
    """Return vPDQ's measure: the share of good query frames within 31 bits of a good other one."""
    ours, theirs = here[quality_here >= LEAST_QUALITY], there[quality_there >= LEAST_QUALITY]
    if not len(ours) or not len(theirs):
        return 0.0
    apart = np.bitwise_count(ours[:, None] ^ theirs[None]).sum(axis=2)
    return float((apart.min(axis=1) <= NEAR_BITS).mean())


def _small(frames: Floats) -> Floats:
    for _ in range(2):
        for axis in (2, 1):
            frames = _box(frames, axis)
    rows, columns = (
        ((np.arange(SIDE) + 0.5) * frames.shape[axis] / SIDE).astype(int) for axis in (1, 2)
    )
    return frames[:, rows][:, :, columns]


def _box(frames: Floats, axis: int) -> Floats:
    """Return the mean over a window as wide as half of what becomes one sample."""
    size = frames.shape[axis]
    window = (size + 2 * SIDE - 1) // (2 * SIDE)
    after = (window + 2) // 2
    total = np.insert(np.cumsum(frames, axis, dtype=np.float64), 0, 0, axis=axis)
    index = np.arange(size)
    first = np.maximum(index - (window - after), 0)
    last = np.minimum(index + after, size)
    count = (last - first).reshape([-1 if a == axis else 1 for a in range(3)])
    summed = np.take(total, last, axis) - np.take(total, first, axis)
    mean: Floats = (summed / count).astype(np.float32)
    return mean


def _quality(small: Floats) -> npt.NDArray[np.int64]:
    down = np.abs(np.trunc(np.diff(small, axis=1) * 100 / 255)).sum(axis=(1, 2))
    across = np.abs(np.trunc(np.diff(small, axis=2) * 100 / 255)).sum(axis=(1, 2))
    return np.minimum(100, ((down + across) / 90).astype(np.int64))
