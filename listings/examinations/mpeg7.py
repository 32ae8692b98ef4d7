"""The MPEG-7 video signature, frame by frame: read, joined from pieces, written again (pure).

A row is what the standard writes of one frame, without its time: confidence (1 byte), five words
(5) and 380 ternary differences of regions, five in a byte to base 3 (76). Times are frame numbers.

Source: ISO/IEC 15938-3 Amd 4, as ffmpeg's `signature` filter writes it (`format=binary`).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

WORDS, ELEMENTS = 5, 380
ROW = 1 + WORDS + ELEMENTS // 5
ROW_BITS = 8 * ROW
COUNT_AT, SEGMENTS_AT = 129, 242  # bits
HEAD_BITS = SEGMENTS_AT + 32
FRAME_BITS = 1 + 32 + ROW_BITS
BAG = 243  # values of a word: five ternary digits
SEGMENT_BITS = 4 * 32 + 1 + WORDS * BAG
SEGMENT, STEP = 90, 45  # frames in a segment, frames between the beginnings of two
LEAST_SIDE = 32  # of a picture that can be signed

Rows = npt.NDArray[np.uint8]
Bits = npt.NDArray[np.uint8]


def rows(raw: bytes) -> Rows:
    """Return the frames of a signature, shape (frames, 82).

    Raises:
        ValueError: the signature is cut short.
    """
    bits = np.unpackbits(np.frombuffer(raw, np.uint8))
    if len(bits) < HEAD_BITS:
        raise ValueError("the signature has no head")
    frames, segments = _number(bits, COUNT_AT), _number(bits, SEGMENTS_AT)
    start = HEAD_BITS + segments * SEGMENT_BITS + 1
    if len(bits) < start + frames * FRAME_BITS:
        raise ValueError("the signature ends before its last frame")
    found = bits[start : start + frames * FRAME_BITS].reshape(frames, FRAME_BITS)
    return np.packbits(found[:, 33:], axis=1)


def vectors(frames: Rows) -> npt.NDArray[np.uint8]:
    """Return the ternary vectors of frames, 0 to 2, shape (frames, 380)."""
    packed = frames[:, 1 + WORDS :].astype(np.int16)
    digits = packed[:, :, None] // 3 ** np.arange(4, -1, -1) % 3
    return digits.reshape(len(frames), ELEMENTS).astype(np.uint8)


def written(frames: Rows, *, wide: int, tall: int, rate: int) -> bytes:
    """Return the signature of all frames as ffmpeg writes that of an undivided film.

    Args:
        frames: rows, `rate` a second from the beginning of the film.
        wide: of the picture.
        tall: of the picture.
        rate: frames a second, the unit of all times.
    """
    count = len(frames)
    segments = list(_segments(count))
    head = [(1, 32), (1, 1), (0, 16), (0, 16), (wide - 1, 16), (tall - 1, 16), (0, 32)]
    head += [(count, 32), (rate, 16), (1, 1), (0, 32), (max(count - 1, 0), 32), (len(segments), 32)]
    parts = [_bits(head), *(_segment(frames, first, last) for first, last in segments)]
    parts.append(np.zeros(1, np.uint8))  # not compressed
    times = np.arange(count, dtype=">u4").view(np.uint8).reshape(count, 4)
    flagged = np.ones((count, 1), np.uint8)
    timed = np.unpackbits(np.concatenate([times, frames], axis=1), axis=1)
    parts.append(np.concatenate([flagged, timed], axis=1).ravel())
    return np.packbits(np.concatenate(parts)).tobytes()


def _segments(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, STEP):
        yield first, min(first + SEGMENT, count) - 1


def _segment(frames: Rows, first: int, last: int) -> Bits:
    bags = np.zeros((WORDS, BAG), np.uint8)
    for word in range(WORDS):
        bags[word, frames[first : last + 1, 1 + word]] = 1
    head = _bits([(first, 32), (last, 32), (1, 1), (first, 32), (last, 32)])
    return np.concatenate([head, bags.ravel()])


def _bits(fields: list[tuple[int, int]]) -> Bits:
    text = "".join(f"{value:0{width}b}" for value, width in fields)
    return np.frombuffer(text.encode(), np.uint8) - ord("0")


def _number(bits: Bits, at: int) -> int:
    return int.from_bytes(np.packbits(bits[at : at + 32]).tobytes(), "big")
