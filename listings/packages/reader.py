"""Reads what streams a sound or picture file holds and prints it as JSON; run in the sandbox.

Nothing is decoded. Lengths are exact: seconds as a fraction.
"""

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

# No playlists, which could name other files.
FORMATS = "wav,w64,aiff,caf,flac,mxf,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts"
COVER = 0x0400  # AV_DISPOSITION_ATTACHED_PIC: a poster, not a moving picture
MOST_STREAMS = 128


def read(path: Path) -> dict[str, Any] | None:
    """Return the format and the streams of a file; None when it cannot be opened."""
    try:
        opened = av.open(
            str(path),
            options={"format_whitelist": FORMATS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError):
        return None
    with opened:
        streams = [
            stream
            for stream in [*opened.streams][:MOST_STREAMS]
            if not (stream.type == "video" and int(stream.disposition) & COVER)
        ]
        return {"format": opened.format.name, "streams": [_told(stream) for stream in streams]}


def _told(stream: Any) -> dict[str, Any]:
    length = stream.duration and stream.time_base and stream.duration * Fraction(stream.time_base)
    told = {
        "kind": {"video": "picture", "audio": "sound"}.get(stream.type, "other"),
        "codec": stream.codec_context.name if stream.codec_context else None,
        "seconds": f"{length.numerator}/{length.denominator}" if length else None,
    }
    if stream.type == "audio":
        heard = stream.codec_context
        told |= {
            "channels": heard.channels,
            "layout": heard.layout.name,
            "sample_rate": heard.sample_rate,
            "format": heard.format.name if heard.format else None,
        }
    if stream.type == "video":
        seen, rate = stream.codec_context, stream.average_rate
        told |= {"width": seen.width, "height": seen.height}
        told |= {"rate": f"{rate.numerator}/{rate.denominator}" if rate else None}
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(read(Path(sys.argv[1]))))
