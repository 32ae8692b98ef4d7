"""Subtitles by their content: SRT, WebVTT, TTML and IMSC (pure).

Source: WebVTT (W3C) §4; TTML2 (W3C) §12.3.1 time expressions; IMSC 1.2 (W3C) §6. SRT has no
standard: the form that SubRip writes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from listings.packages import markup
from listings.packages.markup import BadMarkup
from listings.packages.refusals import NotASubtitle

MOST_BYTES = 16 * 1024**2
MOST_CUES = 100_000
LONGEST_S = 48 * 3600
ARROW = re.compile(
    r"(?:(\d{1,3}):)?([0-5]\d):([0-5]\d)[,.](\d{3})[ \t]+-->[ \t]+"
    r"(?:(\d{1,3}):)?([0-5]\d):([0-5]\d)[,.](\d{3})(?:[ \t].*)?"
)
TTML = "http://www.w3.org/ns/ttml"
PARAMETER = f"{{{TTML}#parameter}}"
IMSC = re.compile(r"http://www\.w3\.org/ns/ttml/profile/imsc1(?:\.[12])?/(?:text|image)")
EBU = "{urn:ebu:tt:metadata}conformsToStandard"
CLOCK = re.compile(r"(\d{2,3}):([0-5]\d):([0-5]\d|60)(?:\.(\d{1,9})|:(\d{2,3}))?")
OFFSET = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?(h|ms|m|s|f|t)")
ENCODINGS = ("utf-8-sig", "gb18030")


@dataclass(frozen=True, slots=True)
class Cue:
    """When a subtitle is shown."""

    begin: Fraction
    end: Fraction


def read(content: bytes) -> dict[str, Any]:
    """Return what subtitles are: format, encoding, language where told, cues, first and last ms.

    Raises:
        NotASubtitle: they cannot be read; `at` and `why` tell where and why.
    """
    text, encoding = _decoded(content)
    start = text.lstrip()
    if start.startswith("<"):
        return _markup(content, encoding)
    if start.startswith("WEBVTT"):
        return _told("webvtt", encoding, list(_lines(text)))
    return _told("srt", encoding, list(_lines(text)))


def _decoded(content: bytes) -> tuple[str, str]:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        tries: Sequence[str] = ("utf-16",)
    else:
        tries = ENCODINGS
    if b"\x00" not in content or tries == ("utf-16",):
        for encoding in tries:
            try:
                return content.decode(encoding), encoding.removesuffix("-sig")
            except UnicodeDecodeError:
                continue
    raise NotASubtitle("The file is no text.", why="no text")


def _lines(text: str) -> Iterator[Cue]:
    """Yield the cues of SRT or WebVTT: each line with an arrow must be a good one."""
    before = Fraction(0)
    for number, line in enumerate(text.splitlines(), start=1):
        if "-->" not in line:
            continue
        found = ARROW.fullmatch(line.strip())
        if found is None:
            raise NotASubtitle("A time cannot be read.", at=f"line {number}", why="bad time")
        cue = Cue(_clock(*found.groups()[:4]), _clock(*found.groups()[4:]))
        _check(cue, f"line {number}")
        if cue.begin < before:
            raise NotASubtitle("A cue begins before the one above it.", at=f"line {number}",
                               why="out of order")  # fmt: skip
        before = cue.begin
        yield cue


def _clock(hours: str | None, minutes: str, seconds: str, thousandths: str) -> Fraction:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + Fraction(int(thousandths), 1000)


def _markup(content: bytes, encoding: str) -> dict[str, Any]:
    try:
        root = markup.parse(content)
    except BadMarkup as wrong:
        raise NotASubtitle("The XML cannot be read.", why=str(wrong)) from wrong
    if markup.name(root) != "tt" or markup.namespace(root) != TTML:
        raise NotASubtitle("The root element is no tt of TTML.", why=str(root.tag)[:200])
    rates = _rates(root)
    cues = []
    for shown in root.iter(f"{{{TTML}}}p", f"{{{TTML}}}span", f"{{{TTML}}}div"):
        begin, end, length = (shown.get(name) for name in ("begin", "end", "dur"))
        if begin is None or (end is None and length is None):
            continue
        at = f"line {shown.sourceline}"
        # Times count from the beginning of what holds the element (TTML2 §12.4).
        around = [one.get("begin") for one in shown.iterancestors() if one.get("begin")]
        zero = sum((_time(one, rates, at) for one in around), Fraction(0))
        first = zero + _time(begin, rates, at)
        last = zero + _time(end, rates, at) if end is not None else first + _time(length, rates, at)
        cues.append(Cue(first, last))
        _check(cues[-1], at)
    language = root.get("{http://www.w3.org/XML/1998/namespace}lang") or None
    told = _told("imsc" if _is_imsc(root) else "ttml", encoding, cues)
    return {**told, "language": language and language[:35]}


def _is_imsc(root: Any) -> bool:
    said = [root.get(f"{PARAMETER}{name}", "") for name in ("profile", "contentProfiles")]
    said += [(one.text or "") for one in root.iter(EBU)]
    return any(IMSC.search(one) for one in said)


def _rates(root: Any) -> tuple[Fraction, Fraction]:
    """Return frames and ticks a second."""
    frames = _whole(root.get(f"{PARAMETER}frameRate"), 30)
    up, _, down = root.get(f"{PARAMETER}frameRateMultiplier", "1 1").partition(" ")
    frames *= Fraction(_whole(up, 1), _whole(down, 1))
    return frames, Fraction(_whole(root.get(f"{PARAMETER}tickRate"), 1))


def _whole(text: str | None, otherwise: int) -> Fraction:
    good = text is not None and re.fullmatch(r"[0-9]{1,9}", text) and int(text) > 0
    return Fraction(int(text or 0) if good else otherwise)


def _time(text: str | None, rates: tuple[Fraction, Fraction], at: str) -> Fraction:
    """Source: TTML2 §12.3.1."""
    clock = CLOCK.fullmatch((text or "").strip())
    if clock:
        hours, minutes, seconds, part, frames = clock.groups()
        whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        rest = Fraction(int(part), 10 ** len(part)) if part else Fraction(int(frames or 0))
        return whole + (rest if part else rest / rates[0])
    offset = OFFSET.fullmatch((text or "").strip())
    if offset is None:
        raise NotASubtitle("A time cannot be read.", at=at, why="bad time")
    whole_, part, metric = offset.groups()
    value = int(whole_) + (Fraction(int(part), 10 ** len(part)) if part else 0)
    units = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}
    return value * {**units, "f": 1 / rates[0], "t": 1 / rates[1]}[metric]


def _check(cue: Cue, at: str) -> None:
    if not cue.begin < cue.end <= LONGEST_S:
        raise NotASubtitle("A cue does not end after it begins.", at=at, why="empty cue")


def _told(form: str, encoding: str, cues: Sequence[Cue]) -> dict[str, Any]:
    if not cues:
        raise NotASubtitle("There is no cue in the file.", why="no cue")
    if len(cues) > MOST_CUES:
        raise NotASubtitle("There are too many cues.", why="too many", most=MOST_CUES)
    return {
        "format": form,
        "encoding": encoding,
        "language": None,
        "cues": len(cues),
        "first_ms": int(min(cue.begin for cue in cues) * 1000),
        "last_ms": int(max(cue.end for cue in cues) * 1000),
    }
