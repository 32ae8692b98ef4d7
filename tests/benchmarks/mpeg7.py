"""Reading the MPEG-7 video signatures that ffmpeg's `signature` filter extracts.

Source: ISO/IEC 15938-3 Amd 4, as written by ffmpeg with `format=binary`: 380 ternary differences of
regions for each frame, five of them in one byte to base 3.
Differs from the source: the coarse signatures (bags of words) and ffmpeg's own look-up are left
out; the look-up finds ratios of 1 and 2 and no positive offset.
"""

import numpy as np
import numpy.typing as npt

ELEMENTS, SIGNATURE_BYTES = 380, 76
SEGMENTS_AT, HEAD_BITS = 33 + 64 + 32 + 64 + 16 + 1 + 64, 32  # up to and the number of segments
SEGMENT_BITS = 64 + 1 + 64 + 5 * 243
FRAME_BITS = 1 + 32 + 8 + 40 + SIGNATURE_BYTES * 8
BEFORE_VECTOR = 1 + 32 + 8 + 40


def vectors(raw: bytes) -> npt.NDArray[np.int8]:
    """Return the ternary vectors of all frames: int8 in 0..2, shape (frames, 380)."""
    bits = np.unpackbits(np.frombuffer(raw, np.uint8))
    segments = _number(bits[SEGMENTS_AT : SEGMENTS_AT + HEAD_BITS])
    first = SEGMENTS_AT + HEAD_BITS + segments * SEGMENT_BITS + 1  # and one flag: compressed or not
    frames = _number(bits[129:161])
    rows = bits[first : first + frames * FRAME_BITS].reshape(frames, FRAME_BITS)
    packed = np.packbits(rows[:, BEFORE_VECTOR:], axis=1).astype(np.int16)
    digits = packed[:, :, None] // 3 ** np.arange(4, -1, -1) % 3
    return digits.reshape(frames, ELEMENTS).astype(np.int8)


def _number(bits: npt.NDArray[np.uint8]) -> int:
    return int("".join(map(str, bits)), 2)
