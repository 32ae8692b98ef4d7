"""MediaInfo's words for a file, translated into those of the technical record (pure)."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from listings.masters import nals

Track = Mapping[str, str]

CODECS = {
    "AVC": "h264", "HEVC": "hevc", "ProRes": "prores", "VC-3": "dnxhd", "JPEG 2000": "jpeg2000",
    "MPEG Video": "mpeg2video", "AV1": "av1", "VVC": "vvc", "AVS2 Video": "avs2",
    "AVS3 Video": "avs3", "AVS2": "avs2", "AVS3": "avs3", "MPEG-4 Visual": "mpeg4",
    "JPEG": "mjpeg", "VP9": "vp9", "FFV1": "ffv1",
}  # fmt: skip
SOUND_CODECS = {
    "PCM": "pcm", "AAC": "aac", "AC-3": "ac3", "E-AC-3": "eac3", "AC-4": "ac4", "MLP FBA": "truehd",
    "Opus": "opus", "FLAC": "flac", "Vorbis": "vorbis", "DTS": "dts", "Dolby E": "dolby_e",
}  # fmt: skip
PRIMARIES = {"BT.709": "bt709", "BT.2020": "bt2020", "BT.601 NTSC": "smpte170m",
             "BT.601 PAL": "bt470bg", "DCI P3": "smpte431", "Display P3": "smpte432"}  # fmt: skip
TRANSFERS = {"BT.709": "bt709", "PQ": "smpte2084", "HLG": "arib-std-b67", "Linear": "linear",
             "BT.2020 (10-bit)": "bt2020-10", "BT.2020 (12-bit)": "bt2020-12",
             "BT.601": "smpte170m", "sRGB/sYCC": "iec61966-2-1"}  # fmt: skip
MATRICES = {"BT.709": "bt709", "BT.2020 non-constant": "bt2020nc", "BT.2020 constant": "bt2020c",
            "BT.601": "smpte170m", "BT.470 System B/G": "bt470bg", "Identity": "gbr"}  # fmt: skip
RANGES = {"Limited": "tv", "Full": "pc"}
SCANS = {"Progressive": "progressive", "Interlaced": "interlaced", "MBAFF": "interlaced",
         "PAFF": "interlaced", "Mixed": "mixed"}  # fmt: skip
TAGS = {
    "primaries": ("colour_primaries", PRIMARIES),
    "transfer": ("transfer_characteristics", TRANSFERS),
    "matrix": ("matrix_coefficients", MATRICES),
    "range": ("colour_range", RANGES),
}
# Chromaticities in units of 0.00002, red, green, blue, white (ITU-R BT.2020, BT.709; SMPTE EG 432).
D65 = (15635, 16450)
NAMED = {
    "BT.2020": (35400, 14600, 8500, 39850, 6550, 2300, *D65),
    "BT.709": (32000, 16500, 15000, 30000, 7500, 3000, *D65),
    "Display P3": (34000, 16000, 13250, 34500, 7500, 3000, *D65),
    "DCI P3": (34000, 16000, 13250, 34500, 7500, 3000, 15700, 17550),
}
CORNERS = ("red", "green", "blue", "white")
PLACES = {"L": "FL", "R": "FR", "C": "FC", "M": "FC", "LFE": "LFE", "Ls": "SL", "Rs": "SR",
          "Lb": "BL", "Rb": "BR", "Lss": "SL", "Rss": "SR", "Cb": "BC", "Tfl": "TFL", "Tfr": "TFR",
          "Tbl": "TBL", "Tbr": "TBR", "Tsl": "TSL", "Tsr": "TSR", "Lw": "WL",
          "Rw": "WR"}  # fmt: skip
OBJECTS = ("Atmos", "JOC", "16-ch", "DTS:X", "MPEG-H", "Audio Vivid", "ADM")
TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)[:;.](\d{2,3})")


def read(tracks: Sequence[Track]) -> dict[str, Any]:
    """Return MediaInfo's view of a file, in the shape of the inspector's; null: it did not say."""
    whole = next((track for track in tracks if track.get("@type") == "General"), {})
    mxf = whole.get("Format") == "MXF"
    video = next((track for track in tracks if track.get("@type") == "Video"), None)
    times = [track for track in tracks if track.get("@type") == "Other" and _code(track)]
    return {
        "container_profile": whole.get("Format_Profile"),
        "container_settings": whole.get("Format_Settings") if mxf else None,
        "wrapper_rate": _rate(whole),
        "duration_ms": _ms((video or {}).get("Duration") or whole.get("Duration")),
        "video": _video(video, times) if video else {},
        "audio": [_audio(track, whole) for track in tracks if track.get("@type") == "Audio"],
        "subtitles": [
            {"codec": track.get("Format"), "language": track.get("Language")}
            for track in tracks
            if track.get("@type") == "Text"
        ],
        "timecodes": [_code(track) for track in times],
    }


def _video(track: Track, times: Sequence[Track]) -> dict[str, Any]:
    form = track.get("Format", "")
    hdr = f"{track.get('HDR_Format', '')} / {track.get('HDR_Format_Compatibility', '')}"
    return {
        "codec": CODECS.get(form, form.lower().removeprefix("v_") or None),
        "codec_tag": track.get("CodecID"),
        "commercial": track.get("Format_Commercial_IfAny"),
        "profile": _profile(track),
        "width": _whole(track.get("Width")),
        "height": _whole(track.get("Height")),
        "rate": _rate(track),
        "bit_depth": _whole(track.get("BitDepth")),
        "sampling": (track.get("ChromaSubsampling") or "")[:5] or None,
        **{name: known.get(track.get(key, "")) for name, (key, known) in TAGS.items()},
        "frames": _whole(track.get("FrameCount")),
        "sar": _nearest(track.get("PixelAspectRatio")),
        "scan": SCANS.get(track.get("ScanType", "")),
        "constant_rate": {"CFR": True, "VFR": False}.get(track.get("FrameRate_Mode", "")),
        "bitrate_bps": _whole(track.get("BitRate")),
        "start_timecode": _code(times[0]) if times else None,
        "mastering": _mastering(track),
        "max_cll": _leading(track.get("MaxCLL")),
        "max_fall": _leading(track.get("MaxFALL")),
        nals.VIVID: "Vivid" in hdr,
        nals.DOLBY: "Dolby Vision" in hdr,
        nals.HDR10_PLUS: "HDR10+" in hdr or "2094 App 4" in hdr,
        "container_tags": _tags(track, "Container"),
        "stream_tags": _tags(track, "Stream"),
        "timecode_breaks": any(time.get("TimeCode_Stripped") == "No" for time in times),
    }


def _profile(track: Track) -> str | None:
    """Return the profile; "RI" (any raster) says that VC-3 is DNxHR, not which."""
    profile = track.get("Format_Profile")
    return None if profile == "RI" else profile


def _tags(track: Track, where: str) -> dict[str, str | None]:
    """Return the colour tags that stand in the container, or in the stream."""
    found: dict[str, str | None] = dict.fromkeys(TAGS)
    for name, (key, known) in TAGS.items():
        for end in ("", "_Original"):
            if where in track.get(f"{key}{end}_Source", ""):
                found[name] = known.get(track.get(f"{key}{end}", ""))
    return found


def _audio(track: Track, whole: Track) -> dict[str, Any]:
    form = track.get("Format", "")
    told = " ".join(
        track.get(key, "")
        for key in ("Format", "Format_Commercial_IfAny", "Format_AdditionalFeatures", "AdmProfile")
    )
    objects = any(word in told for word in OBJECTS) or bool(_whole(track.get("NumberOfObjects")))
    places = track.get("ChannelLayout", "").split()
    return {
        "codec": _sound(form, track),
        "channels": _whole(track.get("Channels")),
        "sample_rate": _whole(track.get("SamplingRate")),
        "bits": _whole(track.get("BitDepth")),
        "duration_ms": _ms(track.get("Duration")),
        "object_audio": objects
        or track.get("CodecID", "").lower() == "av3a"
        or "ADM" in whole.get("Metadata_Format", ""),
        "positions": [PLACES.get(place, place) for place in places] or None,
    }


def _sound(form: str, track: Track) -> str | None:
    if form == "MPEG Audio":
        return {"Layer 2": "mp2", "Layer 3": "mp3"}.get(track.get("Format_Profile", ""))
    if track.get("CodecID", "").lower() == "av3a":
        return "av3a"
    return SOUND_CODECS.get(form, form.lower() or None)


def _code(track: Track) -> str | None:
    """Return a first timecode that reads like one."""
    code = track.get("TimeCode_FirstFrame", "")
    return code if TIMECODE.fullmatch(code) else None


def _whole(text: str | None) -> int | None:
    """Return a whole number; MediaInfo joins alternatives ("48000 / 24000"), the first counts."""
    first = (text or "").split("/")[0].strip().split(".")[0]
    good = first.isascii() and first.isdigit() and len(first) < 16
    return int(first) or None if good else None


def _leading(text: str | None) -> int | None:
    """Return the number before a unit."""
    return _whole((text or "").split(" ")[0])


def _number(text: str | None) -> Fraction | None:
    good = re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text or "")
    return Fraction(good[0]) if good else None


def _ms(text: str | None) -> int | None:
    seconds = _number(text)
    return int(seconds * 1000) if seconds else None


def _nearest(text: str | None) -> dict[str, int] | None:
    value = _number(text)
    ratio = value.limit_denominator(100) if value else None
    return {"num": ratio.numerator, "den": ratio.denominator} if ratio else None


def _rate(track: Track) -> dict[str, int] | None:
    """Return a rate as a fraction; 23.976 and its kin are multiples of 1000/1001."""
    top, low = _whole(track.get("FrameRate_Num")), _whole(track.get("FrameRate_Den"))
    if top and low:
        return {"num": Fraction(top, low).numerator, "den": Fraction(top, low).denominator}
    value = _number(track.get("FrameRate"))
    if not value:
        return None
    ntsc = Fraction(round(value * Fraction(1001, 1000)) * 1000, 1001)
    exact = next(
        (near for near in (Fraction(round(value)), ntsc) if abs(near - value) < Fraction(2, 1000)),
        value,
    )
    return {"num": exact.numerator, "den": exact.denominator} if exact else None


def _mastering(track: Track) -> dict[str, int] | None:
    """Read ST 2086: a named gamut or its corners, and "min: 0.0001 cd/m2, max: 1000 cd/m2"."""
    gamut = track.get("MasteringDisplay_ColorPrimaries", "")
    light = re.fullmatch(
        r"min: ([\d.]+) cd/m2, max: ([\d.]+) cd/m2", track.get("MasteringDisplay_Luminance", "")
    )
    corners = NAMED.get(gamut) or tuple(
        round(Fraction(text) * 50000) for text in re.findall(r"[xy]=(\d\.\d+)", gamut)
    )
    least, most = (_number(text) for text in light.groups()) if light else (None, None)
    if len(corners) != 8 or least is None or most is None:
        return None
    names = [f"{corner}_{axis}50000" for corner in CORNERS for axis in "xy"]
    return {
        **dict(zip(names, corners, strict=True)),
        "max_luminance_cd10000": round(most * 10000),
        "min_luminance_cd10000": round(least * 10000),
    }
