"""Copies of the test clips, as they are passed around: made once for a test run."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from listings.masters import gateway
from listings.masters.fingerprint import HEIGHT, WIDTH, Codes, codes_of

MEDIA = Path(__file__).parent.parent / "media"
FLOWER, FRIDAY, STREAM = (
    MEDIA / name for name in ("flower.mp4", "friday.mp4", "stream-of-water.mp4")
)
# What is done to a copy: filter, options before the input, where it starts in the original (ms).
ATTACKS: dict[str, tuple[str, Sequence[str], int]] = {
    "720p": ("scale=1280:720,format=yuv420p", (), 0),
    "360p": ("scale=640:360", (), 0),
    "mirrored": ("hflip,scale=640:360", (), 0),
    "cropped by a tenth": ("crop=iw*0.9:ih*0.9,scale=640:360", (), 0),
    "cropped in a corner": ("crop=iw*0.9:ih*0.9:0:0,scale=640:360", (), 0),
    "cut to 4:3": ("crop=iw*0.75:ih,scale=480:360", (), 0),
    "letterboxed": ("scale=640:272,pad=640:360:0:44", (), 0),
    "darkened and noisy": ("scale=640:360,eq=gamma=0.8,noise=alls=15:allf=t", (), 0),
    "cut out": ("scale=640:360", ("-ss", "1.1"), 1100),
}


def ffmpeg(*arguments: str) -> bytes:
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-y", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def copy(source: Path, target: Path, attack: str) -> Path:
    """Encode a copy of 3 s with something done to it."""
    picture, before, _ = ATTACKS[attack]
    x264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "30")
    ffmpeg(*before, "-t", "3", "-i", str(source), "-an", "-vf", picture, *x264, str(target))
    return target


def codes(path: Path) -> Codes:
    """Decode and fingerprint outside the sandbox."""
    scale = "fps=10,scale=160:90:flags=area,format=gray"
    raw = ffmpeg("-i", str(path), "-an", "-vf", scale, "-f", "rawvideo", "-")
    return codes_of(np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH))
