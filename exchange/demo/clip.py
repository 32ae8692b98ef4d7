"""The demo's footage: a clip of UHD HLG shape made from a small one, and a 720p copy of a master.

The pictures are scaled up: the file has the form of a UHD master (3840x2160, 50 progressive
pictures, 10 bits, BT.2020, HLG), not its detail.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from listings.masters import gateway

Progress = Callable[[int, int], None]

RATE = 50
MOST_COPY_S = 30  # enough to be recognised, whatever the length of the master
KEPT_ERRORS = 2000  # characters of what ffmpeg said, for the exception
TO_HLG = (
    "fps=50,zscale=w=3840:h=2160:filter=lanczos:matrixin=709:transferin=709:primariesin=709:"
    "rangein=limited:matrix=2020_ncl:transfer=arib-std-b67:primaries=2020:range=limited,"
    "format=yuv420p10le"
)
# Sets the tags of the stream and, with atc-sei 18, the alternative transfer that says HLG.
X265 = (
    "log-level=error:keyint=50:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc:"
    "range=limited:atc-sei=18"
)
HDR_TO_SDR = (
    "fps=25,scale=1280:720:flags=bicubic,zscale=transfer=linear:npl=203,tonemap=hable,"
    "zscale=transfer=709:matrix=709:primaries=709:range=limited,format=yuv420p"
)
PLAIN = "fps=25,scale=1280:720:flags=bicubic,format=yuv420p"


def make_uhd_hlg(source: Path, target: Path, *, seconds: int, progress: Progress) -> None:
    """Encode the first `seconds` of a clip as 2160p50 10-bit BT.2020/HLG HEVC with AAC sound.

    Args:
        source: a BT.709 clip.
        target: written whole or not at all.
        seconds: how much of the clip to take; a shorter clip is taken whole.
        progress: told (pictures done, pictures in all).

    Raises:
        ChildProcessError: ffmpeg failed; the message is what it said.
    """
    picture = ["-vf", TO_HLG, "-c:v", "libx265", "-preset", "ultrafast", "-crf", "28"]
    picture += ["-x265-params", X265, "-tag:v", "hvc1"]
    tags = ["-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc"]
    tags += ["-color_range", "tv"]
    command = ["-t", str(seconds), "-i", f"file:{source}", "-map", "0:v:0", "-map", "0:a:0?"]
    _encode([*command, *picture, *tags], target, total=seconds * RATE, progress=progress)


def make_720p_copy(source: Path, target: Path) -> None:
    """Encode (the first half minute of) a master as 720p25 SDR H.264, as copies are passed around.

    Raises:
        ChildProcessError: ffmpeg failed; the message is what it said.
    """
    command = ["-t", str(MOST_COPY_S), "-i", f"file:{source}", "-map", "0:v:0", "-map", "0:a:0?"]
    codec = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26"]
    try:
        _encode([*command, "-vf", HDR_TO_SDR, *codec], target, total=1, progress=_nothing)
    except ChildProcessError:  # no colour tags to convert from, or SDR already
        _encode([*command, "-vf", PLAIN, *codec], target, total=1, progress=_nothing)


def _nothing(_done: int, _total: int) -> None:
    """Take a progress report that nobody asked for."""


def _encode(arguments: Sequence[str], target: Path, *, total: int, progress: Progress) -> None:
    """Run ffmpeg into a temporary file beside the target, then rename it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part.mp4")
    os.close(handle)
    part = Path(name)
    sound = ["-c:a", "aac", "-ar", "48000", "-ac", "2"]
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-y", "-progress", "pipe:1"]
    command += [*arguments, *sound, "-movflags", "+faststart", "-f", "mp4", str(part)]
    try:
        _run(command, total=total, progress=progress)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _run(command: Sequence[str], *, total: int, progress: Progress) -> None:
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 - our own command on our own files, no shell.
            command, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as encoder,
    ):
        for line in encoder.stdout or ():
            key, _, value = line.strip().partition("=")
            if key == "frame" and value.isdigit():
                progress(min(int(value), total), total)
        if encoder.wait() != 0:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")
            raise ChildProcessError(said[-KEPT_ERRORS:])
    progress(total, total)
