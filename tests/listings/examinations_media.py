"""Films of six seconds that can be cut into pieces: containers and codecs that behave otherwise."""

from collections.abc import Callable
from pathlib import Path

from tests.listings.masters_media import FRIDAY, ffmpeg

SMALL = "scale=320:180"
ONCE = ("-stream_loop", "1", "-i", str(FRIDAY), "-t", "6")
Make = Callable[[Path], Path]


def open_groups(folder: Path) -> Path:
    """H.264 in MP4 whose groups of pictures lean on the ones before."""
    path = folder / "open.mp4"
    x264 = (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-x264-params",
        "keyint=40:open-gop=1:bframes=3",
    )
    ffmpeg(*ONCE, "-vf", f"{SMALL},fps=50", *x264, "-c:a", "aac", str(path))
    return path


def rounded_times(folder: Path) -> Path:
    """HEVC of 10 bits at 59.94 in Matroska, whose times are rounded to milliseconds."""
    path = folder / "rounded.mkv"
    x265 = (
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "keyint=45:min-keyint=10:log-level=none",
    )
    picture = f"{SMALL},fps=60000/1001,format=yuv420p10le"
    ffmpeg(*ONCE, "-vf", picture, *x265, "-c:a", "aac", str(path))
    return path


def late_picture(folder: Path) -> Path:
    """ProRes at 23.976 in QuickTime whose picture begins after the sound."""
    path = folder / "late.mov"
    ffmpeg(
        "-itsoffset", "0.37", *ONCE, *ONCE, "-map", "0:v", "-map", "1:a",
        "-vf", f"{SMALL},fps=24000/1001", "-c:v", "prores_ks", "-profile:v", "0",
        "-c:a", "pcm_s24le", str(path),
    )  # fmt: skip
    return path


def broadcast(folder: Path) -> Path:
    """MPEG-2 with B-frames and PCM in MXF."""
    path = folder / "broadcast.mxf"
    ffmpeg(
        *ONCE, "-vf", f"{SMALL},fps=25", "-c:v", "mpeg2video", "-g", "15", "-bf", "2",
        "-c:a", "pcm_s16le", "-ar", "48000", "-ac", "2", str(path),
    )  # fmt: skip
    return path


FILMS: dict[str, Make] = {
    "open groups": open_groups,
    "rounded times": rounded_times,
    "late picture": late_picture,
    "broadcast": broadcast,
}
