"""What one sampled picture shows: levels, light and colour, as the integers of a report (pure)."""

from typing import Any

import numpy as np

from listings.masters.measures import levels, light
from listings.masters.measures.samples import HDR, Coding, Floats, Numbers, Samples, Words, share_bp

WHITE = 203.0  # cd/m², HDR reference white (BT.2408)
DARKEST = 1e-4  # cd/m²: what is darker is black
TRUE_CONTRAST = 10_000
LEAST_SHARE_BP = 100  # of a picture: a hundredth makes it wide, or bright
ROBUST = 10_000  # one pixel in so many may lie beyond "least" and "most"
ROWS = 36  # of a picture at once, so that what is computed stays in the cache
SDR_WIDE = ("bt2020-10", "bt2020-12", "bt709")  # transfers of SDR with BT.2020 primaries


def pictures_of(samples: Samples) -> list[dict[str, Any]]:
    """Return one dict of integers for each sample; None where the coding leaves it open."""
    return [
        _picture(planes, at, samples.coding)
        for planes, at in zip(samples.planes, samples.at_ms, strict=True)
    ]


def histogram_of(samples: Samples) -> Numbers:
    """Return how often each luma code occurs in all samples, shape (2^depth,)."""
    depth = samples.coding.depth
    return levels.histogram(samples.planes[:, 0], depth)


def is_wide(picture: dict[str, Any]) -> bool | None:
    """Tell whether a picture really uses BT.2020."""
    return None if picture["wide_bp"] is None else bool(picture["wide_bp"] >= LEAST_SHARE_BP)


def is_bright(picture: dict[str, Any]) -> bool | None:
    """Tell whether a picture really uses a high dynamic range."""
    if picture["bright_bp"] is None:
        return None
    enough = picture["bright_bp"] >= LEAST_SHARE_BP
    return bool(enough and picture["contrast"] >= TRUE_CONTRAST)


def _picture(planes: Words, at_ms: int, coding: Coding) -> dict[str, Any]:
    counts = levels.histogram(planes[0], coding.depth)
    least, most = levels.ends(counts)
    outside = illegal = wide = 0
    shown = np.empty(planes.shape[1:], np.float32)
    for top in range(0, planes.shape[1], ROWS):
        rows = planes[:, top : top + ROWS]
        colour = light.signal(rows, coding)
        outside += int(np.count_nonzero(levels.outside_preferred(colour, coding)))
        illegal += int(np.count_nonzero(levels.protected(rows, coding)))
        if coding.transfer is not None:
            linear, shown[top : top + ROWS] = light.light_of(colour, coding)
            if _may_be_wide(coding):
                wide += int(np.count_nonzero(light.beyond_709(linear)))
    total = planes[0].size
    return {
        "at_ms": at_ms,
        "y_least": least,
        "y_most": most,
        "r103_bp": share_bp(outside, total),
        "illegal_bp": None if coding.range == "pc" else share_bp(illegal, total),
        "wide_bp": share_bp(wide, total) if _may_be_wide(coding) else None,
        **_shown(shown, coding),
        "low_bits_bp": levels.low_bits_bp(counts, coding.depth),
    }


def _may_be_wide(coding: Coding) -> bool:
    return coding.primaries == "bt2020" and coding.transfer in (*HDR, *SDR_WIDE)


def _shown(shown: Floats, coding: Coding) -> dict[str, int | None]:
    """Return what the luminance of a picture, cd/m², says."""
    if coding.transfer is None:
        return dict.fromkeys(("bright_bp", "contrast", "peak_cd100", "mean_cd100"))
    flat = shown.ravel()
    spare = flat.size // ROBUST
    sides = np.partition(flat, (spare, flat.size - 1 - spare))
    darkest, brightest = float(sides[spare]), float(sides[flat.size - 1 - spare])
    hdr = coding.transfer in HDR
    bright = share_bp(int(np.count_nonzero(flat > WHITE)), flat.size)
    return {
        "bright_bp": bright if hdr else None,
        "contrast": int(brightest / max(darkest, DARKEST)) if hdr else None,
        "peak_cd100": round(brightest * 100),
        "mean_cd100": round(float(flat.mean(dtype=np.float64)) * 100),
    }
