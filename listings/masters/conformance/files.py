"""Checks of the file and its wrapping: F01 to F06 (pure).

Source: GY/T 365-2023 cl. 6; GY/T 357-2021 cl. 10; GY/T 364-2023 cl. 5.5; SMPTE ST 378 (OP1a).
"""

from collections.abc import Mapping
from math import ceil

from listings.masters.conformance.judging import (
    UNSEEN,
    Form,
    Judge,
    either,
    fraction,
    idle,
    number,
    text,
    texts,
    unmeasured,
)
from listings.masters.conformance.values import Outcome, Result, Subject, Wanted

# Operational pattern labels differ in the version of the registry (byte 8) and in what else the
# pattern says (byte 15); bytes 13 and 14 say "one item, one package".
OP1A = ("060e2b34", "0d0102010101")
MOV_PROFILES = ("quicktime", "qt")


def kind(record: Mapping[str, object]) -> str:
    """Return mxf, mov, mp4, mkv, mpegts, or the first word of what the reader says."""
    name = str(record.get("container") or "").lower()
    profile = str(record.get("container_profile") or "").lower()
    if name.startswith("mov,mp4"):
        return "mov" if profile.startswith(MOV_PROFILES) else "mp4"
    if name.startswith("matroska"):
        return "mkv"
    return name.split(",")[0].split("_")[0] or "unknown"


def _container(wanted: Wanted, subject: Subject) -> Outcome:
    """F01: an MXF of operational pattern 1a, or a container that the profile also takes."""
    found, allowed = kind(subject.record), texts(wanted, "containers")
    asked = " / ".join(each.upper() for each in allowed)
    if "patterns" in wanted and "mxf" in allowed:
        asked = asked.replace("MXF", "MXF " + " / ".join(texts(wanted, "patterns")))
    if found in texts(wanted, "alternatives"):
        return idle(asked, found.upper())
    if found not in allowed:
        return either(False, asked, found.upper())
    if found != "mxf" or "patterns" not in wanted:
        return either(True, asked, found.upper())
    return _pattern(asked, texts(wanted, "patterns"), subject.record)


def _pattern(asked: str, allowed: tuple[str, ...], record: Mapping[str, object]) -> Outcome:
    said = str(record.get("container_profile") or "")
    label = str(record.get("operational_pattern") or "").replace(".", "").lower()
    if not said and not label:
        return unmeasured(asked)
    one_a = label.startswith(OP1A[0]) and label[16:].startswith(OP1A[1])
    good = said in allowed or ("OP-1a" in allowed and one_a)
    return either(good, asked, f"MXF {said or label}")


def _header(wanted: Wanted, subject: Subject) -> Outcome:
    """F02: the header partition is closed and complete."""
    asked, seen = text(wanted, "settings"), subject.record.get("container_settings")
    if kind(subject.record) != "mxf":
        return idle(asked)
    return either(seen == asked, asked, str(seen)) if seen else unmeasured(asked)


def _alternative(wanted: Wanted, subject: Subject) -> Outcome:
    """F03: where MOV or IMF is taken instead; an IMF package is validated by itself."""
    allowed, found = texts(wanted, "containers"), kind(subject.record)
    asked = " / ".join(each.upper() for each in allowed)
    if not allowed:
        return idle(UNSEEN, found.upper())
    valid = subject.declared.get("imf_valid")
    if isinstance(valid, bool) and "imf" in allowed:
        return either(valid, asked, "IMF")
    if found == "mxf":
        # A track file of a package looks like any MXF: only the package's own check can tell.
        return unmeasured(asked) if subject.declared.get("imf") else idle(asked, "MXF")
    return either(found in allowed, asked, found.upper())


def _integrity(wanted: Wanted, subject: Subject) -> Outcome:
    """F04: the whole file was decoded and nothing in it was broken."""
    most, asked = number(wanted, "most_errors"), f"≤ {number(wanted, 'most_errors')}"
    if subject.broken:
        return either(False, asked, "broken")
    errors, frames = subject.measure("decode_errors"), subject.measure("frames")
    if errors is None or frames is None:
        return unmeasured(asked)
    return either(errors <= most and frames > 0, asked, f"{errors} ({frames} frames)")


def _length(wanted: Wanted, subject: Subject) -> Outcome:
    """F05: sound and picture start together and last equally long, within frames."""
    allowed, rate = number(wanted, "within_frames"), fraction(subject.video.get("rate"))
    asked = f"±{allowed} frame"
    if not subject.audio:
        return idle(asked)
    ends = [sound.get("duration_ms") for sound in subject.audio]
    starts = [sound.get("start_ms") for sound in subject.audio]
    if not rate or not subject.duration_ms or None in ends or None in starts:
        return unmeasured(asked)
    room = ceil(allowed * 1000 / rate) + 1  # both were cut to whole milliseconds
    off = max(abs(int(end or 0) - subject.duration_ms) for end in ends)
    late = max(abs(int(start or 0)) for start in starts)
    seen = f"A−V {off} ms, start {late} ms"
    return either(off <= room and late <= room, asked, seen)


def _timecode(_: Wanted, subject: Subject) -> Outcome:
    """F06: a start timecode is there and runs on."""
    asked, start = "hh:mm:ss:ff", subject.video.get("start_timecode")
    if not start:
        if subject.asked_twice("video.start_timecode"):
            return either(False, asked, "none")
        return unmeasured(asked)
    steady = subject.video.get("timecode_ok")
    if steady is None:
        return Outcome(Result.WARN, asked, str(start), note="timecode-start-only")
    return either(bool(steady), asked, str(start))


JUDGES: Mapping[str, Judge] = {
    "F01": Judge(
        _container,
        {"containers": Form.TEXTS, "patterns": Form.TEXTS, "alternatives": Form.TEXTS},
        frozenset({"patterns", "alternatives"}),
    ),
    "F02": Judge(_header, {"settings": Form.TEXT}),
    "F03": Judge(_alternative, {"containers": Form.TEXTS}, frozenset({"containers"})),
    "F04": Judge(_integrity, {"most_errors": Form.NUMBER}),
    "F05": Judge(_length, {"within_frames": Form.NUMBER}),
    "F06": Judge(_timecode, {}),
}
