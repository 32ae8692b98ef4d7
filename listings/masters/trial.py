"""The decoder's word: does ffmpeg give a first picture of this file, and what does it look like?

ffmpeg knows codecs that the library of the inspector has no decoder for (AVS2, AVS3), and decodes
the examination; so whether a master can be decoded is asked of it alone.
"""

import re
from pathlib import Path
from typing import Any

from listings.masters.gateway import ffmpeg
from listings.masters.headers import FORMATS

SECONDS = 5  # of the file, in which a decoder gives a first picture or none
# What ffmpeg calls a thing that it does not know.
UNKNOWN = frozenset({"unknown", "reserved", "none", "unspecified", "N/A"})
STREAM = re.compile(r"^\s*Stream #0:\d+[^:]*: Video: (\w+)", re.MULTILINE)
RATE = re.compile(r"frame_rate: (\d+)/(\d+)")
FRAME = re.compile(r"\bn: +0 pts:.* fmt:(\w+) .*sar:(\d+)/(\d+) s:(\d+)x(\d+) i:(\w)")
COLOURS = re.compile(r"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)")
PLANAR = re.compile(r"yuvj?a?4(\d)(\d)p(\d*)")


def command(path: Path, *, most_pixels: int) -> list[str]:
    """Return the command that decodes one picture and describes it on standard error."""
    return [
        ffmpeg(), "-v", "info", "-hide_banner", "-nostdin", "-threads", "1",
        "-protocol_whitelist", "file", "-format_whitelist", FORMATS,
        "-max_pixels", str(most_pixels), "-t", str(SECONDS), "-i", f"file:{path}",
        "-map", "0:V:0", "-frames:v", "1", "-vf", "showinfo=checksum=0", "-f", "null", "-",
    ]  # fmt: skip


def read(errors: str) -> dict[str, Any]:
    """Return what the decoder saw: `decodable`, else why not, and the picture's description."""
    named = STREAM.search(errors)
    codec = named[1] if named and named[1] not in UNKNOWN else None
    frame = FRAME.search(errors)
    if frame is None:
        why = "no-decoder" if codec is None or "no decoder found" in errors else "broken"
        return {"decodable": False, "undecodable": why, "codec": codec}
    planar = PLANAR.match(frame[1])
    return {
        "decodable": True,
        "undecodable": None,
        "codec": codec,
        "width": int(frame[4]),
        "height": int(frame[5]),
        "sar": _ratio(frame[2], frame[3]),
        "rate": _ratio(*rate.groups()) if (rate := RATE.search(errors)) else None,
        "scan": "interlaced" if frame[6] in "TB" else None,
        "sampling": f"4:{planar[1]}:{planar[2]}" if planar else None,
        "bit_depth": int(planar[3] or 8) if planar else None,
        **_colours(errors),
    }


def _ratio(top: str, low: str) -> dict[str, int] | None:
    return {"num": int(top), "den": int(low)} if int(top) and int(low) else None


def _colours(errors: str) -> dict[str, Any]:
    found = COLOURS.search(errors)
    seen = found.groups() if found else (None,) * 4
    names = ("range", "matrix", "primaries", "transfer")
    return {name: None if text in UNKNOWN else text for name, text in zip(names, seen, strict=True)}
