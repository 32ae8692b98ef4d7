"""The technical record of a master: what three readers saw, merged into one (pure).

Each reader is blind somewhere: PyAV gives no MXF status, MediaInfo no depth of ProRes, neither
knows AVS2 without ffmpeg's decoder. A definite value wins over silence; where both are definite and
differ, the stream's own word (PyAV, which decodes) is kept and the key is listed in `disagree`.
`readers` tells who saw what. Nothing is in the record that no reader said.
"""

import unicodedata
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from listings.masters import classes, nals
from listings.masters.tracks import TIMECODE

View = Mapping[str, Any]

WHOLE = ("container_profile", "container_settings", "duration_ms")
VIDEO = (
    "codec", "codec_tag", "profile", "width", "height", "rate", "bit_depth", "sampling",
    "primaries", "transfer", "matrix", "range", "frames", "sar", "dar", "scan", "constant_rate",
    "bitrate_bps", "start_timecode", "mastering", "max_cll", "max_fall",
)  # fmt: skip
ALONE = ("real_rate", "intra_only", "gop_frames")  # read from packets by one reader
PRESENCE = (nals.VIVID, nals.DOLBY, nals.HDR10_PLUS)
SOUND = ("codec", "channels", "sample_rate", "bits", "duration_ms", "positions")
TAGS = ("primaries", "transfer", "matrix", "range")
HDR = {"arib-std-b67": "HLG", "smpte2084": "PQ"}
SLACK = {"bitrate_bps": Fraction(1, 20), "sar": Fraction(1, 200), "dar": Fraction(1, 200)}
SLACK_MS = 40  # a frame: the readers round, and count or do not count the last one
SLACK_COLOUR = 50  # of 0.00002: MediaInfo prints four digits, and names near gamuts
MOST_TEXT = 200
MOST_INTEGER = 2**53 - 1


def merge(av: View, media: View | None, trial: View) -> dict[str, Any]:
    """Return the technical record.

    Args:
        av: what the inspector saw.
        media: what MediaInfo saw (`tracks.read`); None when it could not read the file.
        trial: what the decoder saw (`trial.read`).
    """
    seen = _Seen()
    mi = media or {}
    whole = dict(av) | {"container_profile": _pattern(av.get("operational_pattern"))}
    record = {name: seen.union(name, whole.get(name), mi.get(name)) for name in WHOLE}
    video = _video(seen, av["video"], mi.get("video") or {}, trial, mi.get("timecodes") or [])
    merged = {
        "container": av["container"],
        **record,
        "operational_pattern": av.get("operational_pattern"),
        "bytes": av["bytes"],
        "wrapper_rate": mi.get("wrapper_rate"),
        "duration": av["duration"] if av["duration_ms"] else f"{record['duration_ms'] or 0}/1000",
        "duration_ms": record["duration_ms"] or 0,
        "video": video,
        "audio": _audio(seen, av["audio"], mi.get("audio") or []),
        "subtitles": av["subtitles"] or mi.get("subtitles") or [],
        "data": av["data"],
        "attachments": av["attachments"],
        "readers": seen.readers,
        "disagree": sorted(seen.disagree),
        "blind": [] if media is not None else ["mediainfo"],
    }
    clean: dict[str, Any] = _clean(merged)
    return clean


class _Seen:
    """Who saw what, and about what they disagree."""

    def __init__(self) -> None:
        self.readers: dict[str, dict[str, Any]] = {}
        self.disagree: set[str] = set()

    def union(self, key: str, av: Any, media: Any, ffmpeg: Any = None) -> Any:
        """Note what each saw under a dotted key, and return what holds."""
        self.readers[key] = {"av": av, "mediainfo": media}
        if av is None and ffmpeg is not None:
            self.readers[key]["ffmpeg"] = ffmpeg
        stream = ffmpeg if av is None else av
        if stream is None:
            return media
        if media is not None and not same(key.rsplit(".", 1)[-1], stream, media):
            self.disagree.add(key)
        return stream

    def present(self, key: str, av: Any, media: Any) -> bool:
        """Return whether either saw it; not to see a thing is no denial."""
        self.readers[key] = {"av": bool(av), "mediainfo": media}
        return bool(av or media)


def same(name: str, one: Any, other: Any) -> bool:
    """Tell whether two readers mean the same by their words for a value."""
    return _JUDGES.get(name, lambda a, b: bool(a == b))(one, other)


def _within(name: str) -> Callable[[Any, Any], bool]:
    def near(one: Any, other: Any) -> bool:
        a, b = _fraction(one), _fraction(other)
        return abs(a - b) <= SLACK[name] * max(a, b)

    return near


def _fraction(value: Any) -> Fraction:
    return Fraction(value["num"], value["den"]) if isinstance(value, Mapping) else Fraction(value)


def _inside(one: str, other: str) -> bool:
    """Tell whether one is part of the other: "HQ" and "422 HQ", "pcm" and "pcm_s24le"."""
    first, second = one.lower(), other.lower()
    return first in second or second in first


def _gamut(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    light = all(one[key] == other[key] for key in one if "luminance" in key)
    return light and all(abs(one[key] - other[key]) <= SLACK_COLOUR for key in one)


def _instant(one: str, other: str) -> bool:
    return one.translate(_MARKS) == other.translate(_MARKS)


_MARKS = str.maketrans(";.", "::")
_JUDGES: dict[str, Callable[[Any, Any], bool]] = {
    "bitrate_bps": _within("bitrate_bps"),
    "sar": _within("sar"),
    "dar": _within("dar"),
    "duration_ms": lambda a, b: abs(a - b) <= SLACK_MS,
    "profile": _inside,
    "codec": _inside,
    "codec_tag": lambda _a, _b: True,  # the containers' own numbers: nothing to compare
    "mastering": _gamut,
    "start_timecode": _instant,
}


def _pattern(label: str | None) -> str | None:
    """Return "OP-1a" from the label of an operational pattern (SMPTE ST 377-1 annex)."""
    digits = (label or "").replace(".", "")
    if len(digits) != 32 or digits[16:24] != "0d010201":
        return None
    item, package = int(digits[24:26], 16), int(digits[26:28], 16)
    if item == 0x10:
        return "OP-Atom"
    return f"OP-{item}{'abc'[package - 1]}" if item in (1, 2, 3) and 0 < package < 4 else None


def _video(seen: _Seen, av: View, media: View, trial: View, codes: list[str]) -> dict[str, Any]:
    shaped = dict(media) | {"dar": _shape(media, media.get("sar"))}
    own = dict(av) | {"dar": av.get("dar") or _shape(av, av.get("sar"))}
    drawn = dict(trial) | {"dar": _shape(trial, trial.get("sar"))}
    video: dict[str, Any] = {
        name: seen.union(f"video.{name}", own.get(name), shaped.get(name), drawn.get(name))
        for name in VIDEO
    }
    video |= {name: av.get(name) for name in ALONE}
    video |= {
        name: seen.present(f"video.{name}", av.get(name), media.get(name)) for name in PRESENCE
    }
    video["bit_depth"] = video["bit_depth"] or 0
    video |= {"container_tags": _container(seen, av, media), "stream_tags": _stream(av, media)}
    return video | {
        "timecode_ok": _steady(video, [*codes], broken=bool(media.get("timecode_breaks"))),
        "codec_class": classes.codec_class(video, media.get("commercial")),
        "hdr": HDR.get(video["transfer"], "SDR") if video["transfer"] else None,
        "decodable": trial["decodable"],
        "undecodable": trial["undecodable"],
    }


def _shape(view: View, pixel: Mapping[str, int] | None) -> dict[str, int] | None:
    """Return the shape of the picture as it is shown."""
    if not (pixel and view.get("width") and view.get("height")):
        return None
    ratio = Fraction(view["width"] * pixel["num"], view["height"] * pixel["den"])
    return {"num": ratio.numerator, "den": ratio.denominator}


def _container(seen: _Seen, av: View, media: View) -> dict[str, Any]:
    """Return the colour tags of the container; both readers may have seen them."""
    mine, theirs = av.get("container_tags") or {}, media.get("container_tags") or {}
    return {
        name: seen.union(f"video.container_tags.{name}", mine.get(name), theirs.get(name))
        for name in TAGS
    }


def _stream(av: View, media: View) -> dict[str, Any]:
    """Return the colour tags that the stream itself carries.

    PyAV does not tell whence a tag comes; its word counts where the container has none.
    """
    wrapped = [av.get("container_tags") or {}, media.get("container_tags") or {}]
    own = media.get("stream_tags") or {}
    return {
        name: own.get(name)
        or (av.get(name) if all(tags.get(name) is None for tags in wrapped) else None)
        for name in TAGS
    }


def _steady(video: View, codes: list[str], *, broken: bool) -> bool | None:
    """Tell whether the timecodes of a file are possible ones, agree, and run on."""
    said = [code for code in (video["start_timecode"], *codes) if code]
    if not said:
        return None
    rate = video["rate"]
    most = -(-rate["num"] // rate["den"]) if rate else 120
    return not broken and all(_possible(code, most) and _instant(code, said[0]) for code in said)


def _possible(code: str, rate: int) -> bool:
    found = TIMECODE.fullmatch(code)
    if found is None:
        return False
    hours, minutes, seconds, frames = map(int, found.groups())
    return hours < 24 and minutes < 60 and seconds < 60 and frames < rate


def _audio(
    seen: _Seen, av: list[dict[str, Any]], media: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Merge sound tracks by their order; a track that one reader alone sees stands alone."""
    return [
        _sound(
            seen,
            f"audio.{at}",
            av[at] if at < len(av) else {},
            media[at] if at < len(media) else {},
        )
        for at in range(max(len(av), len(media)))
    ]


def _sound(seen: _Seen, key: str, av: View, media: View) -> dict[str, Any]:
    positions = av.get("positions")
    heard = dict(av) | {"positions": None if _nowhere(positions) else positions}
    merged = {name: seen.union(f"{key}.{name}", heard.get(name), media.get(name)) for name in SOUND}
    return merged | {
        "layout": av.get("layout"),
        "language": av.get("language", "und"),
        "start_ms": av.get("start_ms"),
        "decodable": bool(av.get("decodable")),
        "positions": merged["positions"] or [],
        "object_audio": seen.present(
            f"{key}.object_audio", av.get("object_audio"), media.get("object_audio")
        ),
    }


def _nowhere(positions: list[str] | None) -> bool:
    return not positions or all(place == "NONE" for place in positions)


def _clean(value: Any) -> Any:
    """Return what a canonical document can hold: NFC text, safe integers, no control signs."""
    if isinstance(value, Mapping):
        return {str(_clean(key)): _clean(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(part) for part in value]
    if isinstance(value, str):
        shown = "".join(sign for sign in value if unicodedata.category(sign)[0] != "C")
        return unicodedata.normalize("NFC", shown)[:MOST_TEXT]
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= MOST_INTEGER else None
    return value
