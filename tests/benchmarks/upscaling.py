"""Where native pictures and pictures scaled up by two lie in fine detail, on real clips.

    python -m tests.benchmarks.upscaling FOLDER [TABLE]

Each clip of the folder is taken as filmed and halved (native: what one sample sees is sharp, as in
a master that is filmed in its own raster), halved and blurred (soft lenses), and halved and scaled
up again by each kernel, then encoded. The table has the detail of one picture each in basis points;
the last line printed tells how many of each kind lie below the threshold.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from listings.masters import gateway
from listings.masters.measures import detail
from listings.masters.measures.samples import Coding, chain_patches, words

WIDE, TALL = 640, 352  # even halves, and no larger than the smallest clip
HALF = f"scale={WIDE // 2}:{TALL // 2}:flags=area"
UP = f"{HALF},scale={WIDE}:{TALL}:flags="
KINDS = {
    "native, as filmed": f"crop={WIDE}:{TALL}",
    "native, halved by area": "scale=trunc(iw/4)*2:trunc(ih/4)*2:flags=area",
    "native, halved by bicubic": "scale=trunc(iw/4)*2:trunc(ih/4)*2:flags=bicubic",
    "soft, blurred by 0.7": "scale=trunc(iw/4)*2:trunc(ih/4)*2:flags=area,gblur=0.7",
    "soft, blurred by 1.2": "scale=trunc(iw/4)*2:trunc(ih/4)*2:flags=area,gblur=1.2",
    **{f"up by {kernel}": f"crop={WIDE}:{TALL},{UP}{kernel}"
       for kernel in ("lanczos", "spline", "bicubic", "bilinear")},
    "up by lanczos, sharpened": f"crop={WIDE}:{TALL},{UP}lanczos,unsharp=5:5:1",
    "up by lanczos, grain": f"crop={WIDE}:{TALL},{UP}lanczos,noise=alls=4:allf=t",
}  # fmt: skip
ENCODERS = {
    "ffv1": ("-c:v", "ffv1", "-pix_fmt", "yuv422p10le"),
    "prores hq": ("-c:v", "prores_ks", "-profile:v", "3", "-pix_fmt", "yuv422p10le"),
    "h264 crf 18": ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18",
                    "-pix_fmt", "yuv420p10le"),
}  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1])
    rows = [
        (kind, encoder, clip.stem, measured(clip, kind, encoder))
        for clip in sorted(folder.glob("*.mp4"))
        for kind in KINDS
        for encoder in ENCODERS
    ]
    if len(sys.argv) > 2:
        with Path(sys.argv[2]).open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [("kind", "encoder", "clip", "detail_bp"), *rows]
            )
    for kind in KINDS:
        found = sorted(value for name, _, _, value in rows if name == kind and value is not None)
        least, middle, most = (int(each) for each in np.percentile(found, [0, 50, 100]))
        sys.stdout.write(f"{kind:28} n={len(found):3} {least:6} {middle:6} {most:6}\n")
    suspected = {kind: below(rows, kind) for kind in KINDS}
    told = {"threshold_bp": detail.UPSCALED_BP, "below": suspected}
    sys.stdout.write(json.dumps(told) + "\n")


def below(rows: list[tuple[str, str, str, int | None]], kind: str) -> str:
    """Return how many of a kind would be suspected, of how many that can be judged."""
    found = [value for name, _, _, value in rows if name == kind and value is not None]
    return f"{sum(value < detail.UPSCALED_BP for value in found)}/{len(found)}"


def measured(clip: Path, kind: str, encoder: str) -> int | None:
    """Return the detail of one picture of a clip after what was done to it."""
    with tempfile.TemporaryDirectory() as folder:
        coded, raw = Path(folder) / "coded.mkv", Path(folder) / "raw"
        ffmpeg("-ss", "1.5", "-i", str(clip), "-an", "-frames:v", "1", "-vf", KINDS[kind],
               *ENCODERS[encoder], str(coded))  # fmt: skip
        ffmpeg("-i", str(coded), "-vf", chain_patches(Coding(10)), "-f", "rawvideo", str(raw))
        content = raw.read_bytes()
    wide, tall = size(clip, kind)
    [luma] = words(content, 10, tall, wide)
    return detail.detail_bp(luma.astype(np.float32))


def size(clip: Path, kind: str) -> tuple[int, int]:
    if "halved" not in kind and "blurred" not in kind:
        return WIDE, TALL
    with av.open(str(clip)) as container:
        video = container.streams.video[0].codec_context
        return video.width // 4 * 2, video.height // 4 * 2


def ffmpeg(*arguments: str) -> None:
    subprocess.run([gateway.ffmpeg(), "-v", "error", "-nostdin", "-y", *arguments], check=True)


if __name__ == "__main__":
    main()
