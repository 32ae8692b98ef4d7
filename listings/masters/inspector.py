"""Reads what a video file says of itself and prints it as JSON; run as a script in the sandbox.

Integers, text and null only: the result goes into canonical documents, which know no floats. What
the file does not say is null; `technical.py` completes it by what MediaInfo and ffmpeg saw.
"""

import json
import re
import struct
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from listings.masters import cadence, headers, nals

# ITU-T H.273 tables 2, 3 and 4, by ffmpeg's names; 2 is "unspecified".
PRIMARIES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020", 11: "smpte431", 12: "smpte432"}
TRANSFERS = {
    1: "bt709", 6: "smpte170m", 8: "linear", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
    16: "smpte2084", 18: "arib-std-b67",
}  # fmt: skip
MATRICES = {0: "gbr", 1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020nc", 10: "bt2020c"}
RANGES = {1: "tv", 2: "pc"}
# libavcodec's AVFieldOrder; and the codecs whose frames are whole ones unless marked otherwise.
SCANS = {1: "progressive", 2: "interlaced", 3: "interlaced", 4: "interlaced", 5: "interlaced"}
STANDARD = tuple(
    Fraction(whole * 1000, low)
    for whole in (24, 25, 30, 48, 50, 60, 100, 120)
    for low in (1000, 1001)
)
FRAME_CODECS = frozenset({"hevc", "av1", "vvc", "vp9"})
COVER = 0x0400  # AV_DISPOSITION_ATTACHED_PIC: a poster, not a moving picture
MOST_SOUNDS = 64
VIVID = {"codec": headers.AUDIO_VIVID, "object_audio": True, "decodable": False}
MOST_STREAMS = 256  # the largest masters carry some 40
# libavutil's structures: eight rationals of primaries and white, two of luminance, two flags.
MASTERING = struct.Struct("<20i2i")
COLOURS = ("red_x", "red_y", "green_x", "green_y", "blue_x", "blue_y", "white_x", "white_y")
DYNAMIC = {"DYNAMIC_HDR_PLUS": nals.HDR10_PLUS, "DYNAMIC_HDR_VIVID": nals.VIVID,
           "DOVI_RPU_BUFFER": nals.DOLBY, "DOVI_METADATA": nals.DOLBY}  # fmt: skip
# Packets are read, not decoded: a minute of them, or as many bytes as are read in a few seconds.
MOST_SECONDS, MOST_BYTES, MOST_PACKETS = 60, 256 * 1024**2, 20_000
FIRST_PACKETS = 64  # in which a first frame comes out of any decoder
LOOKED_AT = 8  # packets searched for messages beside the picture


def inspect(path: Path, *, most_width: int, most_height: int) -> dict[str, Any]:
    """Return what PyAV and the header say of a file, or `{"refused": code}`.

    The size of the picture is looked at before a single frame is decoded.
    """
    try:
        container = av.open(
            str(path),
            options={"format_whitelist": headers.FORMATS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError):
        return {"refused": "not-a-video"}
    with container:
        if len(container.streams) > MOST_STREAMS:
            return {"refused": "stream-flood", "streams": len(container.streams)}
        pictures = [v for v in container.streams.video if not int(v.disposition) & COVER]
        if not pictures:
            sound = bool(container.streams.audio) or bool(container.streams.video)
            return {"refused": "no-picture" if sound else "not-a-video"}
        return _seen(container, pictures[0], path, (most_width, most_height))


def _seen(container: Any, video: VideoStream, path: Path, most: tuple[int, int]) -> dict[str, Any]:
    context = video.codec_context
    wide, tall = (context.width, context.height) if context else (0, 0)
    if max(wide, tall) > most[0] or min(wide, tall) > most[1]:
        return {"refused": "pixel-flood", "width": wide, "height": tall}
    if context and _ends_early(video, path.stat().st_size):
        return {"refused": "truncated-master"}
    head = headers.read(path, container.format.name)
    if head.get("external"):
        return {"refused": "external-media"}
    return _described(container, video, head, path.stat().st_size)


def _ends_early(video: VideoStream, size: int) -> bool:
    """Tell whether the index places a picture after the end of the file."""
    entries = video.index_entries
    return (
        any(entries[at].pos + entries[at].size > size for at in (0, len(entries) - 1))
        if len(entries)
        else False
    )


def _described(
    container: Any, video: VideoStream, head: dict[str, Any], size: int
) -> dict[str, Any]:
    length = _length(container, video)
    beats, picture = _packets(container, video)
    return {
        "container": container.format.name,
        "container_settings": head.get("container_settings"),
        "operational_pattern": _tag(container.metadata, "operational_pattern_ul"),
        "bytes": size,
        "duration": f"{length.numerator}/{length.denominator}",
        "duration_ms": int(length * 1000),
        "video": _video(container, video) | beats | picture | _headed(head, picture),
        "audio": _sounds(container, head),
        **_others(container),
    }


def _length(container: Any, video: VideoStream) -> Fraction:
    """Return the seconds of the picture; of the file where the stream does not say."""
    if video.duration and video.time_base:
        return Fraction(video.duration) * Fraction(video.time_base)
    return Fraction(container.duration or 0, 1_000_000)


def _video(container: Any, video: VideoStream) -> dict[str, Any]:
    seen = video.codec_context
    code = _timecode(container, video)
    if seen is None:  # no decoder: ffmpeg tells the rest
        return {"codec": None, "start_timecode": code}
    layout = seen.format
    return {
        "codec": seen.codec.canonical_name,
        "codec_tag": str(seen.codec_tag).strip("\0 ") or None,
        "profile": video.profile,
        "width": seen.width or None,
        "height": seen.height or None,
        "rate": _ratio(_rate(video)),
        "real_rate": _ratio(_standard(video.base_rate)),
        "bit_depth": max((part.bits for part in layout.components), default=0) if layout else None,
        "sampling": _sampling(layout.name if layout else ""),
        "primaries": PRIMARIES.get(int(seen.color_primaries or 2)),
        "transfer": TRANSFERS.get(int(seen.color_trc or 2)),
        "matrix": MATRICES.get(int(seen.colorspace)),
        "range": RANGES.get(int(seen.color_range or 0)),
        "frames": video.frames or None if "mp4" in container.format.name else None,
        "sar": _ratio(seen.sample_aspect_ratio),
        "dar": _ratio(seen.display_aspect_ratio),
        "scan": SCANS.get(int(seen.field_order)),
        "start_timecode": code,
    }


def _rate(video: VideoStream) -> Fraction | None:
    """Return the pictures a second; the nominal rate where the mean is off it by rounding alone."""
    mean, nominal = _standard(video.average_rate or video.guessed_rate), _standard(video.base_rate)
    near = mean and nominal and abs(mean - nominal) < nominal / 1000
    return nominal if near else mean


def _standard(rate: Fraction | None) -> Fraction | None:
    """Return the standard rate that a rate is, measured in whole milliseconds (Matroska)."""
    if not rate:
        return None
    return next((near for near in STANDARD if abs(rate - near) < near / 5000), rate)


def _ratio(value: Fraction | None) -> dict[str, int] | None:
    return {"num": value.numerator, "den": value.denominator} if value and value > 0 else None


def _timecode(container: Any, video: VideoStream) -> str | None:
    places = [container, video, *container.streams.data]
    found = (_tag(place.metadata, "timecode") for place in places)
    return next((code for code in found if code), None)


def _tag(metadata: dict[str, str], name: str) -> str | None:
    return next((text for key, text in metadata.items() if key.lower() == name), None)


def _headed(head: dict[str, Any], picture: dict[str, Any]) -> dict[str, Any]:
    """Return what the boxes around the picture say."""
    said: dict[str, Any] = {nals.DOLBY: bool(head.get(nals.DOLBY) or picture.get(nals.DOLBY))}
    if "colr" in head:
        primaries, transfer, matrix = head["colr"]
        said["container_tags"] = {
            "primaries": PRIMARIES.get(primaries),
            "transfer": TRANSFERS.get(transfer),
            "matrix": MATRICES.get(matrix),
            "range": {True: "pc", False: "tv", None: None}[head.get("full_range")],
        }
    return said


def _packets(container: Any, video: VideoStream) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a first stretch of packets: their cadence, and what the first picture says."""
    tick = Fraction(video.time_base) if video.time_base else None
    rate = _rate(video) if video.codec_context else None
    beats: list[cadence.Beat] = []
    picture = _Picture(video)
    ticks = MOST_SECONDS / tick if tick else 0
    read, first = 0, None
    try:
        for packet in container.demux(video):
            at = None
            if packet.size:
                at = packet.pts if packet.pts is not None else packet.dts
                first = at if first is None else first
                beats.append(cadence.Beat(packet.is_keyframe, at, packet.size))
                read += packet.size
            picture.look(packet)
            late = at is not None and first is not None and ticks and at - first > ticks
            if late or read > MOST_BYTES or len(beats) >= MOST_PACKETS:
                break
    except (av.FFmpegError, ValueError):
        pass  # what was read until here still tells
    keyed = video.codec_context is not None
    return cadence.cadence(beats, tick=tick, rate=rate, keyed=keyed), picture.told


class _Picture:
    """The first decoded picture, and the messages beside the first few."""

    def __init__(self, video: VideoStream) -> None:
        self.video, self.packets, self.decoded = video, 0, video.codec_context is None
        self.told: dict[str, Any] = dict.fromkeys(DYNAMIC.values(), False)

    def look(self, packet: Any) -> None:
        """Look at a packet of the track; after the first ones nothing is done."""
        self.packets += 1
        context = self.video.codec_context
        if context and self.packets <= LOOKED_AT:
            codec, extradata = context.codec.canonical_name, bytes(context.extradata or b"")
            for kind in nals.dynamic(bytes(packet), codec, extradata):
                self.told[kind] = True
        if not self.decoded and self.packets <= FIRST_PACKETS:
            self._decode(packet)

    def _decode(self, packet: Any) -> None:
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            return
        if frames:
            self.decoded = True
            self.told |= _frame(frames[0], self.video)


def _frame(frame: VideoFrame, video: VideoStream) -> dict[str, Any]:
    told: dict[str, Any] = {}
    beside: Any = frame.side_data
    for data in (beside[at] for at in range(len(beside))):
        if data.type.name == "MASTERING_DISPLAY_METADATA":
            told["mastering"] = _mastering(bytes(data))
        elif data.type.name == "CONTENT_LIGHT_LEVEL" and len(bytes(data)) >= 8:
            told["max_cll"], told["max_fall"] = struct.unpack("<2I", bytes(data)[:8])
        elif dynamic := DYNAMIC.get(data.type.name):
            told[dynamic] = True
    if frame.interlaced_frame:
        told["scan"] = "interlaced"
    elif video.codec_context.codec.canonical_name in FRAME_CODECS and not int(
        video.codec_context.field_order
    ):
        told["scan"] = "progressive"
    return told


def _mastering(data: bytes) -> dict[str, int] | None:
    """Return ST 2086 in the units that HEVC writes it in (0.00002, 0.0001 cd/m2)."""
    if len(data) < MASTERING.size:
        return None
    *numbers, has_colours, has_light = MASTERING.unpack_from(data)
    values = [Fraction(top, low) if low else None
              for top, low in zip(numbers[::2], numbers[1::2], strict=True)]  # fmt: skip
    if not has_colours or not has_light or None in values:
        return None
    *colours, least, most = [value or Fraction(0) for value in values]
    told = {f"{name}50000": round(value * 50000)
            for name, value in zip(COLOURS, colours, strict=True)}  # fmt: skip
    return {
        **told,
        "max_luminance_cd10000": round(most * 10000),
        "min_luminance_cd10000": round(least * 10000),
    }


def _sampling(pixels: str) -> str | None:
    """Return 4:2:0 and the like from the name of a pixel format."""
    planar = re.match(r"yuvj?a?4(\d)(\d)", pixels)
    if planar:
        return f"4:{planar[1]}:{planar[2]}"
    named = {"nv12": "4:2:0", "p010": "4:2:0", "p210": "4:2:2", "gray": "4:0:0", "gbr": "4:4:4"}
    return next((value for name, value in named.items() if pixels.startswith(name)), None)


def _sounds(container: Any, head: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the sound tracks; what the header calls Audio Vivid is, whatever it looks like.

    In a transport stream ffmpeg may take such a track for no sound at all.
    """
    entries, places = head.get("sounds", []), head.get("vivid_ids", [])
    heard = container.streams.audio[:MOST_SOUNDS]
    sounds = []
    for at, sound in enumerate(heard):
        vivid = sound.id in places or entries[at : at + 1] == [headers.AUDIO_VIVID]
        sounds.append(_audio(sound) | (VIVID if vivid else {"object_audio": False}))
    hidden = set(places) - {sound.id for sound in heard}
    return sounds + [{"language": "und", **VIVID} for _ in hidden]


def _audio(sound: AudioStream) -> dict[str, Any]:
    heard = sound.codec_context
    language = sound.metadata.get("language", "")
    told = {
        "language": language if re.fullmatch(r"[a-z]{2,3}", language) else "und",
        "duration_ms": _ms(sound.duration, sound.time_base),
        "start_ms": _ms(sound.start_time, sound.time_base),
        "decodable": heard is not None and bool(heard.channels and heard.sample_rate),
    }
    if heard is None:
        return told
    linear = re.match(r"pcm_[a-z](\d+)", heard.name)
    return told | {
        "codec": heard.codec.canonical_name,
        "channels": heard.channels or None,
        "layout": heard.layout.name,
        "sample_rate": heard.sample_rate or None,
        "bits": int(linear[1]) if linear else None,
        "positions": [place.name for place in heard.layout.channels],
    }


def _ms(ticks: int | None, tick: Fraction | None) -> int | None:
    return int(ticks * Fraction(tick) * 1000) if ticks is not None and tick else None


def _others(container: Any) -> dict[str, Any]:
    streams = container.streams
    return {
        "subtitles": [
            {
                "codec": text.codec_context.name if text.codec_context else None,
                "language": _tag(text.metadata, "language"),
            }
            for text in streams.subtitles[:MOST_SOUNDS]
        ],
        "data": [{"kind": _kind(stream)} for stream in streams.data[:MOST_SOUNDS]],
        "attachments": len(streams.attachments),
    }


def _kind(stream: Any) -> str:
    return "timecode" if _tag(stream.metadata, "timecode") else "unknown"


def main() -> None:
    """Inspect the file named first, within the raster named second and third."""
    path, wide, tall = sys.argv[1:4]
    found = inspect(Path(path), most_width=int(wide), most_height=int(tall))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
