"""The report as PDF/A: verdict, curves, checks, and a picture of each place that was found.

The same report, measures and pictures give the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts import canonical
from contracts.deals import gateway
from listings.masters.conformance import plots
from listings.masters.conformance.plots import Band

FORM = Path(__file__).with_name("report.typ")
STANDARD = "a-3b"
MOST_PLACES, MOST_PICTURES = 12, 4  # of each finding; the JSON has the rest
IDLE = ("PASS", "NOT_APPLICABLE", "NOT_MEASURED")
TIERS = {
    "probe": "仅文件头 Headers only",
    "sampled": "抽样 Sampled, a picture a second",
    "full": "逐帧 Every picture",
}
Thumbnail = tuple[int, bytes]  # instant in ms, JPEG


async def press(
    report: Mapping[str, Any],
    *,
    subject: Sequence[tuple[str, str]],
    measures: Mapping[str, Any] | None,
    duration_ms: int,
    thumbnails: Sequence[Thumbnail],
    at: datetime,
) -> bytes:
    """Return the PDF/A-3b of a report.

    Args:
        report: the content of its canonical document.
        subject: lines that say what was judged, each a label and a text.
        measures: what curves are drawn from; None draws none.
        duration_ms: of the programme.
        thumbnails: pictures of it, in the order of time.
        at: the instant of the report; the PDF carries it.

    Raises:
        TextCannotBePrinted: a name holds a character that has no glyph.
        PressFailed: the typesetter failed or took too long.
    """
    files: dict[str, bytes] = {"main.typ": FORM.read_bytes()}
    drawn = _plots(report, measures or {}, duration_ms)
    files |= {name: svg.encode() for _, name, svg in drawn}
    findings = [_finding(each, thumbnails, files) for each in report["findings"]]
    profile, name = report["profile"], report["profile"]["name"]
    shown = {
        "sha256": canonical.sha256_hex(canonical.dumps(dict(report))),
        "conforms": report["conforms"],
        "label": report["uhd_label"],
        "facts": [
            *subject,
            ("规范 Profile", f"{name['zh']} · {name['en']} ({profile['id']})"),
            ("深度 Tier", TIERS[report["tier"]]),
            ("时间 Judged", f"{at:%Y-%m-%d %H:%M} UTC"),
        ],
        "counts": list(report["counts"].items()),
        "plots": [(title, name) for title, name, _ in drawn],
        "findings": findings,
    }
    files["report.json"] = json.dumps(shown, ensure_ascii=False).encode()
    return await gateway.set_pages(files, inputs={}, standard=STANDARD, at=at)


def _plots(
    report: Mapping[str, Any], measures: Mapping[str, Any], duration_ms: int
) -> list[tuple[str, str, str]]:
    """Return (title, file, SVG) of each curve that can be drawn."""
    titles = ("响度 Loudness", "亮度 Luminance", "色域 Gamut")
    drawn = (
        plots.loudness(
            measures, duration_ms=duration_ms, title=titles[0], wanted=wanted_loudness(report)
        ),
        plots.luminance(measures, duration_ms=duration_ms, title=titles[1]),
        plots.gamut(measures, duration_ms=duration_ms, title=titles[2]),
    )
    return [
        (title, f"plot-{number}.svg", svg)
        for number, (title, svg) in enumerate(zip(titles, drawn, strict=True))
        if svg is not None
    ]


def wanted_loudness(report: Mapping[str, Any]) -> Band | None:
    """Return the loudness that a report's profile wants, LUFS."""
    for each in report["findings"]:
        asked = each["parameters"] if each["id"] == "A03" else {}
        if "target_lu100" in asked:
            slack = asked.get("tolerance_lu100", 0)
            return Band(
                (asked["target_lu100"] - slack) / 100, (asked["target_lu100"] + slack) / 100
            )
    return None


def _finding(
    each: Mapping[str, Any], thumbnails: Sequence[Thumbnail], files: dict[str, bytes]
) -> dict[str, Any]:
    hint, note = each.get("hint") or {}, each.get("note") or {}
    idle = each["result"] in IDLE
    places = [] if idle else [tuple(place) for place in each["where"]]
    pictures = _pictures(places, thumbnails)
    files.update({f"at-{at}.jpg": jpeg for at, jpeg in pictures})
    return {
        "id": each["id"],
        "name_zh": each["name"]["zh"],
        "name_en": each["name"]["en"],
        "clause": " ".join(filter(None, (each["standard"], each["clause"]))) or "–",
        "severity": each["severity"],
        "wanted": each["wanted"] or "–",
        "seen": each["seen"] or "–",
        "by": ", ".join(each["by"]),
        "note": " ".join(filter(None, (note.get("zh"), note.get("en")))),
        "result": each["result"],
        "hint_zh": "" if idle else hint.get("zh", ""),
        "hint_en": "" if idle else hint.get("en", ""),
        "places": [_span(place) for place in places[:MOST_PLACES]],
        "more": 0 if idle else max(each["places"] - MOST_PLACES, 0),
        "pictures": [(plots.clock(at), f"at-{at}.jpg") for at, _ in pictures],
    }


def _span(place: Sequence[int]) -> str:
    return f"{plots.clock(place[0])}–{plots.clock(place[1])}"


def _pictures(places: Sequence[Sequence[int]], thumbnails: Sequence[Thumbnail]) -> list[Thumbnail]:
    """Return the picture nearest to the middle of each of the first places, each once."""
    if not thumbnails:
        return []
    chosen: dict[int, bytes] = {}
    for start, end in places[:MOST_PICTURES]:
        middle = (start + end) // 2
        at, jpeg = min(thumbnails, key=lambda one: abs(one[0] - middle))
        chosen[at] = jpeg
    return sorted(chosen.items())
