"""The part of the picture that is in use: lines that are dark in every sample are bars (pure)."""

from dataclasses import dataclass

import numpy as np

from listings.masters.measures.samples import Flags, Samples

# A line of a bar may bear a subtitle or a logo, so a tenth of it may be bright.
SPARE = 10
DARK = 24  # of 219 steps above black in 8 bits: about a tenth of the signal, as for black pictures


@dataclass(frozen=True, slots=True)
class Used:
    """Which rows and which columns of the picture were used by any sample."""

    rows: Flags
    columns: Flags


def used_in(samples: Samples) -> Used:
    """Return what all samples together use."""
    coding = samples.coding
    bright = (DARK + (0 if coding.range == "pc" else 16)) << (coding.depth - 8)
    tall, wide = samples.planes.shape[2:]
    rows, columns = np.zeros(tall, np.bool_), np.zeros(wide, np.bool_)
    for picture in samples.planes[:, 0]:
        lit = picture >= bright
        rows |= np.count_nonzero(lit, axis=1) * SPARE > wide
        columns |= np.count_nonzero(lit, axis=0) * SPARE > tall
    return Used(rows, columns)


def joined(one: Used | None, other: Used | None) -> Used | None:
    """Return what two pieces together use."""
    if one is None or other is None:
        return one or other
    return Used(one.rows | other.rows, one.columns | other.columns)


def active_bp(used: Used | None) -> dict[str, int] | None:
    """Return the bars as shares of the width and the height; None where all is dark."""
    if used is None or not used.rows.any() or not used.columns.any():
        return None
    (left, right), (top, bottom) = _bars(used.columns), _bars(used.rows)
    return {"left_bp": left, "right_bp": right, "top_bp": top, "bottom_bp": bottom}


def _bars(used: Flags) -> tuple[int, int]:
    lines = np.flatnonzero(used)
    first, last, count = int(lines[0]), int(lines[-1]), len(used)
    return first * 10_000 // count, (count - 1 - last) * 10_000 // count
