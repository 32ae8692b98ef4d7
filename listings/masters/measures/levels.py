"""Code values: legal ones, preferred ones, and how many bits of them are real (pure).

Source: EBU R 103 v3.0 (preferred range, 8-bit 5-246, 10-bit 20-984), BT.2100-2 (protected codes:
of ten bits the lowest and the highest four).
"""

import numpy as np

from listings.masters.measures.samples import Coding, Flags, Floats, Numbers, Words

PREFERRED = (5, 246)  # of 8 bits: luma and the R, G and B derived from it
PROTECTED = 1  # of 8 bits at either end: codes for synchronisation, not for pictures
LEAST_COUNT, LEAST_GROUPS = 64, 16  # samples of a group, and groups, to judge bits by
# A quarter is natural, up to 0.35 was seen; padded pictures kept 1.00 without loss, 0.47 to 0.71 in
# ProRes HQ, and mostly less than 0.4 in stronger compression, where padding is not recognised.
PADDED = 0.42
ROBUST = 10_000  # one sample in so many may lie beyond "least" and "most"


def outside_preferred(colour: Floats, coding: Coding) -> Flags:
    """Return where R′, G′ or B′ lies outside the range of R 103.

    Luma is their weighted mean: it lies outside only where one of them does. `colour` has shape
    (3, …), 0 is black and 1 nominal white. Half a code value is left to rounding.
    """
    half = 0.5 / 2 ** (coding.depth - 8)
    low, high = (PREFERRED[0] - half - 16) / 219, (PREFERRED[1] + half - 16) / 219
    least = np.minimum(np.minimum(colour[0], colour[1]), colour[2])
    most = np.maximum(np.maximum(colour[0], colour[1]), colour[2])
    return np.asarray((least < np.float32(low)) | (most > np.float32(high)))


def protected(planes: Words, coding: Coding) -> Flags:
    """Return where Y′, C′b or C′r is a protected code; shape (3, …) in, (…) out."""
    low = PROTECTED << (coding.depth - 8)
    high = (256 - PROTECTED) << (coding.depth - 8)
    # Codes below `low` wrap round to large ones: one comparison does for both ends.
    outside = (planes - np.uint16(low)) >= np.uint16(high - low)
    return np.asarray(outside[0] | outside[1] | outside[2])


def histogram(luma: Words, depth: int) -> Numbers:
    """Return how often each code value occurs, shape (2^depth,)."""
    return np.bincount(luma.ravel(), minlength=1 << depth)[: 1 << depth]


def ends(counts: Numbers) -> tuple[int, int]:
    """Return the least and the most code value, one in ten thousand left out at either end."""
    total = int(counts.sum())
    below, spare = np.cumsum(counts), total // ROBUST
    least = int(np.searchsorted(below, spare, side="right"))
    most = int(np.searchsorted(below, total - spare, side="left"))
    return least, most


def low_bits_bp(counts: Numbers, depth: int) -> int | None:
    """Return the share of samples whose bits below the eighth are not the most common ones.

    An 8-bit picture written as 10 bits has a single pattern there: 0. A real one uses all four
    about equally: 7,500. None for 8 bits.
    """
    if depth == 8:
        return None
    patterns = counts.reshape(-1, 1 << (depth - 8)).sum(axis=0)
    total = int(patterns.sum())
    return (total - int(patterns.max())) * 10_000 // total if total else None


def real_bits(counts: Numbers, depth: int) -> int | None:
    """Return how many bits of luma are used: 8 for a padded picture, else 10 or the depth.

    Codes that differ in their lowest bits alone form a group. Where each group has but one code,
    and always the one with the same lowest bits, these bits are padding. Groups count alike,
    however large, because bars and black need one code only. None for too few groups.
    """
    if depth == 8:
        return 8
    for bits in (8, 10, 12):
        if bits >= depth:
            break
        padded = _padded(counts, depth - bits)
        if padded is None:
            return None
        if padded:
            return bits
    return depth


def _padded(counts: Numbers, spare: int) -> bool | None:
    """Tell whether the lowest bits are padding."""
    groups = counts.reshape(-1, 1 << spare)
    groups = groups[groups.sum(axis=1) >= LEAST_COUNT]
    if len(groups) < LEAST_GROUPS:
        return None
    usual = int(np.bincount(groups.argmax(axis=1)).argmax())
    shares = groups[:, usual] / groups.sum(axis=1)
    return bool(np.median(shares) >= PADDED)
