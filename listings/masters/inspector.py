"""Reads what a video file says of itself and prints it as JSON; run as a script in the sandbox.

Integers, text and null only: the result goes into canonical documents, which know no floats.
"""

import json
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

# Containers that masters and their copies come in; no playlists, which could name other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mxf,mpegts"
# ITU-T H.273 tables 2, 3 and 4, by ffmpeg's names; 2 is "unspecified".
PRIMARIES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020", 11: "smpte431", 12: "smpte432"}
TRANSFERS = {
    1: "bt709", 6: "smpte170m", 8: "linear", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
    16: "smpte2084", 18: "arib-std-b67",
}  # fmt: skip
MATRICES = {0: "gbr", 1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020nc", 10: "bt2020c"}
RANGES = {1: "tv", 2: "pc"}
COVER = 0x0400  # AV_DISPOSITION_ATTACHED_PIC: a poster, not a moving picture
MOST_SOUNDS = 64


def inspect(path: Path, *, most_width: int, most_height: int) -> dict[str, Any]:
    """Return the description of a file, or `{"refused": code}`.

    The size of the picture is looked at before a single frame is decoded.
    """
    try:
        container = av.open(
            str(path), options={"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        )
    except (av.FFmpegError, ValueError):
        return {"refused": "not-a-video"}
    with container:
        pictures = [v for v in container.streams.video if not int(v.disposition) & COVER]
        if not pictures:
            sound = bool(container.streams.audio) or bool(container.streams.video)
            return {"refused": "no-picture" if sound else "not-a-video"}
        video = pictures[0]
        wide, tall = video.codec_context.width, video.codec_context.height
        if max(wide, tall) > most_width or min(wide, tall) > most_height:
            return {"refused": "pixel-flood", "width": wide, "height": tall}
        if _ends_early(video, path.stat().st_size):
            return {"refused": "truncated-master"}
        if not _opens(container, video):
            return {"refused": "not-a-video"}
        return _described(container, video)


def _ends_early(video: VideoStream, size: int) -> bool:
    """Tell whether the index places a picture after the end of the file."""
    entries = video.index_entries
    return (
        any(entries[at].pos + entries[at].size > size for at in (0, len(entries) - 1))
        if len(entries)
        else False
    )


def _opens(container: Any, video: VideoStream) -> bool:
    """Tell whether a first frame can be decoded."""
    try:
        return next(container.decode(video), None) is not None
    except (av.FFmpegError, ValueError):
        return False


def _described(container: Any, video: VideoStream) -> dict[str, Any]:
    length = _length(container, video)
    return {
        "container": container.format.name,
        "duration": f"{length.numerator}/{length.denominator}",
        "duration_ms": int(length * 1000),
        "video": _video(video),
        "audio": [_audio(sound) for sound in container.streams.audio[:MOST_SOUNDS]],
    }


def _length(container: Any, video: VideoStream) -> Fraction:
    """Return the seconds of the picture; of the file where the stream does not say."""
    if video.duration and video.time_base:
        return Fraction(video.duration) * Fraction(video.time_base)
    return Fraction(container.duration or 0, 1_000_000)


def _video(video: VideoStream) -> dict[str, Any]:
    seen = video.codec_context
    rate = video.average_rate or video.guessed_rate
    layout = seen.format
    return {
        "codec": seen.name,
        "profile": video.profile,
        "width": seen.width,
        "height": seen.height,
        "rate": {"num": rate.numerator, "den": rate.denominator} if rate else None,
        "bit_depth": max((part.bits for part in layout.components), default=0) if layout else 0,
        "sampling": _sampling(layout.name if layout else ""),
        "primaries": PRIMARIES.get(int(seen.color_primaries or 2)),
        "transfer": TRANSFERS.get(int(seen.color_trc or 2)),
        "matrix": MATRICES.get(int(seen.colorspace)),
        "range": RANGES.get(int(seen.color_range or 0)),
        "frames": video.frames or None,
    }


def _sampling(pixels: str) -> str | None:
    """Return 4:2:0 and the like from the name of a pixel format."""
    planar = re.match(r"yuvj?a?4(\d)(\d)", pixels)
    if planar:
        return f"4:{planar[1]}:{planar[2]}"
    named = {"nv12": "4:2:0", "p010": "4:2:0", "p210": "4:2:2", "gray": "4:0:0", "gbr": "4:4:4"}
    return next((value for name, value in named.items() if pixels.startswith(name)), None)


def _audio(sound: AudioStream) -> dict[str, Any]:
    heard = sound.codec_context
    language = sound.metadata.get("language", "")
    return {
        "codec": heard.name,
        "channels": heard.channels,
        "layout": heard.layout.name,
        "sample_rate": heard.sample_rate,
        "language": language if re.fullmatch(r"[a-z]{2,3}", language) else "und",
    }


def main() -> None:
    """Inspect the file named first, within the raster named second and third."""
    path, wide, tall = sys.argv[1:4]
    found = inspect(Path(path), most_width=int(wide), most_height=int(tall))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
