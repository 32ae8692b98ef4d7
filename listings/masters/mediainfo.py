"""Reads a video file with MediaInfo and prints what it says; run as a script in the sandbox.

MediaInfo follows what playlists name, to other files and over the network, even when it is given
bytes without a name. So it is told which parser to use, that of the container which the inspector
found, and never guesses. Of its some hundred fields a track those that `tracks.py` translates are
kept, as the text that they are.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pymediainfo import MediaInfo

MOST = {"General": 1, "Video": 4, "Audio": 64, "Text": 64, "Other": 64, "Image": 1, "Menu": 1}
MOST_TEXT = 300
TAGS = ("colour_range", "colour_primaries", "transfer_characteristics", "matrix_coefficients")
FIELDS = frozenset({
    "@type", "Format", "Format_Commercial_IfAny", "Format_Profile", "Format_Settings",
    "Format_AdditionalFeatures", "FrameRate", "FrameRate_Num", "FrameRate_Den", "FrameRate_Mode",
    "CodecID", "Duration", "Width", "Height", "BitDepth", "ChromaSubsampling", "ScanType",
    "FrameCount", "PixelAspectRatio", "BitRate", "HDR_Format", "HDR_Format_Compatibility",
    "MasteringDisplay_ColorPrimaries", "MasteringDisplay_Luminance", "MaxCLL", "MaxFALL",
    "Channels", "ChannelLayout", "SamplingRate", "Language", "TimeCode_FirstFrame",
    "TimeCode_Stripped", "AdmProfile", "NumberOfObjects", "Metadata_Format",
    *(f"{tag}{end}" for tag in TAGS for end in ("", "_Source", "_Original", "_Original_Source")),
})  # fmt: skip


def is_here() -> bool:
    """Tell whether MediaInfo's library can be loaded on this machine."""
    return bool(MediaInfo.can_parse())


def inspect(path: Path, container: str) -> list[dict[str, str]]:
    """Return the fields of each track, the container ("General") first.

    Args:
        path: the file.
        container: ffmpeg's name of its container.
    """
    with path.open("rb") as file:
        parser = {"File_ForceParser": _parser(container, file.read(8))}
        file.seek(0)
        text = MediaInfo.parse(file, output="JSON", mediainfo_options=parser)
    media = json.loads(str(text)).get("media") or {}
    left, kept = dict(MOST), []
    for track in media.get("track", []):
        kind = track.get("@type", "")
        left[kind] = left.get(kind, 0) - 1
        if left[kind] >= 0:
            kept.append(_fields(track))
    return kept


def _parser(container: str, start: bytes) -> str:
    if container == "mpegts":
        return "BdavMpegTs" if start[4:5] == b"G" != start[:1] else "MpegTs"
    return {"mxf": "Mxf", "matroska,webm": "Mk"}.get(container, "Mpeg4")


def _fields(track: dict[str, Any]) -> dict[str, str]:
    both = {**(track.get("extra") or {}), **track}
    return {
        name: text[:MOST_TEXT]
        for name, text in both.items()
        if name in FIELDS and isinstance(text, str)
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(inspect(Path(sys.argv[1]), sys.argv[2])))
