"""What the measures cost: processor time for a second of 4K at 50 frames, sampled once a second.

The pictures are noise, which no branch can shorten. Bound: 250 ms a second of video, a ninth of
what the decoding of such a second was measured to take.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from listings.masters.measures import active, detail, flashes, full, motion, pictures, sound
from listings.masters.measures.samples import Coding, Luma, Patches, Samples, Strobe

TIMES = 9
BOUND_MS = 250


def main() -> None:
    rng = np.random.default_rng(7)
    hlg = Coding(10, "arib-std-b67", "bt2020", "tv", "bt2020nc")
    pq = Coding(10, "smpte2084", "bt2020", "tv", "bt2020nc")
    planes = rng.integers(64, 940, (1, 3, 540, 960)).astype(np.uint16)
    crop = rng.integers(64, 940, (1, 1024, 1024)).astype(np.uint16)
    small = rng.integers(16, 235, (50, 3, 36, 64)).astype(np.uint8)
    grey = rng.integers(0, 255, (10, 90, 160)).astype(np.uint8)
    cost = {
        "sample_hlg_ms": spent(pictures.pictures_of, Samples(planes, (0,), hlg)),
        "sample_pq_ms": spent(pictures.pictures_of, Samples(planes, (0,), pq)),
        "histogram_ms": spent(pictures.histogram_of, Samples(planes, (0,), hlg)),
        "bars_ms": spent(active.used_in, Samples(planes, (0,), hlg)),
        "patch_ms": spent(detail.patches_of, Patches(crop, (0,), hlg)),
        "flashes_ms": spent(flashes.series_of, Strobe(small, 0, (50, 1), pq)),
        "motion_ms": spent(motion.motion_of, Luma(grey)),
        "sound_ms": spent(lambda lines: sound.read(lines, track=0, channels=2), heard()),
        "full_ms": spent(full.read, seen()),
    }
    sampled = ("sample_pq_ms", "histogram_ms", "bars_ms", "flashes_ms", "motion_ms", "sound_ms")
    whole = sum(cost[name] for name in sampled) + cost["patch_ms"] / 5
    told = {**cost, "second_ms": round(whole, 1), "bound_ms": BOUND_MS}
    sys.stdout.write(json.dumps(told) + "\n")


def spent(measure: Callable[[Any], object], material: Any) -> float:
    """Return the median processor time of a measure in milliseconds."""
    measure(material)
    times = []
    for _ in range(TIMES):
        start = time.process_time()
        measure(material)
        times.append(time.process_time() - start)
    return round(1000 * sorted(times)[TIMES // 2], 2)


def heard() -> list[str]:
    """Return the lines of a second of stereo."""
    keys = ["r128.M", "r128.S", "r128.I", "r128.LRA", "r128.LRA.low", "r128.LRA.high"]
    keys += ["r128.true_peaks_ch0", "r128.true_peaks_ch1", "r128.true_peak"]
    keys += [f"astats.{n}.{key}" for n in (1, 2) for key in ("Peak_level", "Flat_factor")]
    tenth = ["frame:1 pts:4800 pts_time:0.1", *(f"lavfi.{key}=-20.123" for key in keys)]
    return tenth * 10


def seen() -> list[str]:
    """Return the lines of fifty frames."""
    frame = ["frame:1 pts:1 pts_time:0.02", "lavfi.idet.multiple.current_frame=progressive"]
    return [*frame, *["lavfi.signalstats.YAVG=502.747"] * 45] * 50


if __name__ == "__main__":
    main()
