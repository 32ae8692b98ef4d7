"""Comparing two audio codes: the distance of Chromaprint numbers at their best alignment (pure).

Source: Chromaprint's raw fingerprint, about eight 32-bit numbers a second; unrelated sound differs
in about half of the bits. The same song in two programmes is not the same work, so this distance
stands beside the picture's evidence and refuses nothing by itself.
"""

import numpy as np
import numpy.typing as npt

CODE_BITS = 32
WHOLE_BP = 10_000
MOST_PROBE = 480  # a minute out of the middle tells as much as hours, and slides over hours quickly
SLACK = 8  # codes cut from each end, so that a second of shift can be found

Codes = npt.NDArray[np.uint32]


def distance_bp(one: bytes, other: bytes) -> int | None:
    """Return the share of bits that differ, in ten-thousandths; None when either is silent.

    The middle of the shorter sound slides along the longer one and the closest place counts:
    0 for the same sound, about 5000 for unrelated ones. It does not matter which comes first.

    Args:
        one: raw Chromaprint codes, 4 bytes each, little-endian.
        other: the same of the other sound.
    """
    shorter, longer = sorted((one, other), key=lambda codes: (len(codes), codes))
    probe, track = _middle(_codes(shorter)), _codes(longer)
    if not len(probe):
        return None
    places = np.lib.stride_tricks.sliding_window_view(track, len(probe))
    apart = min(int(np.bitwise_count(place ^ probe).sum()) for place in places)
    return apart * WHOLE_BP // (CODE_BITS * len(probe))


def _codes(raw: bytes) -> Codes:
    return np.frombuffer(raw, "<u4").astype(np.uint32)


def _middle(codes: Codes) -> Codes:
    slack = max(min(SLACK, len(codes) // 4), (len(codes) - MOST_PROBE) // 2)
    return codes[slack : len(codes) - slack]
