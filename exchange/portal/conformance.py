"""Conformance of a master: the verdict, every check with its places, curves, what is declared."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession

from exchange import recognition_verbs
from exchange.api import conformance as api
from exchange.api.deps import Ctx, Now, Session
from exchange.portal import render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import Language, mark
from exchange.portal.visitors import Holder, SignedIn
from listings.masters import queries as masters
from listings.masters.conformance import declared as declarations
from listings.masters.conformance import plots, press, profiles, queries

router = APIRouter(prefix="/masters")
GROUPS: Mapping[str, str] = {
    "file": mark("The file"),
    "picture": mark("Format of the picture"),
    "light": mark("What the pictures show"),
    "sound": mark("The sound"),
    "declared": mark("What was declared"),
}
RESULTS: Mapping[str, str] = {
    "PASS": mark("passes"),
    "FAIL": mark("fails"),
    "WARN": mark("doubtful"),
    "NOT_APPLICABLE": mark("not applicable"),
    "NOT_MEASURED": mark("not measured"),
    "UNSUPPORTED": mark("cannot be decoded here"),
}
SEVERITIES: Mapping[str, str] = {
    "block": mark("blocks"),
    "major": mark("major"),
    "minor": mark("minor"),
    "info": mark("for information"),
}
TIERS: Mapping[str, str] = {
    "probe": mark("Headers alone"),
    "sampled": mark("A picture a second"),
    "full": mark("Every picture"),
}
READERS: Mapping[str, str] = {
    "av": "FFmpeg",
    "ffmpeg": "FFmpeg",
    "mediainfo": "MediaInfo",
    "decode": mark("decode pass"),
    "declared": mark("declaration"),
}
# What outcomes say that is neither a number nor a name.
SEEN = frozenset(
    {
        mark("untagged"), mark("none"), mark("broken"), mark("progressive"), mark("interlaced"),
        mark("mixed"), mark("constant"),
    }
)  # fmt: skip
TONES = {"PASS": "good", "FAIL": "bad", "WARN": "warn", "UNSUPPORTED": "warn"}
TIMES: Mapping[str, str] = {
    "feature_ms": mark("Feature"),
    "head_ms": mark("Opening titles"),
    "tail_ms": mark("End credits"),
    "permit_card_ms": mark("Permit card"),
    "title_card_ms": mark("Title card"),
    "production_permit_ms": mark("Production permit in the credits"),
    "repeat_ms": mark("Repeated from the last episode"),
    "recap_ms": mark("Recap"),
    "preview_ms": mark("Preview of the next episode"),
}
FLAGS: Mapping[str, str] = {
    "drama": mark("It is a drama series"),
    "copyright_statement": mark("The credits state the copyright"),
    "exclusivity_statement": mark("The credits state exclusive rights"),
    "clean_feed": mark("A clean feed comes with it"),
    "textless": mark("A textless version comes with it"),
    "music_and_effects": mark("Music and effects come with it"),
    "subtitle_files": mark("Subtitle files come with it"),
    "subtitle_safe": mark("Subtitles stay in the safe area"),
    "burnt_in_logo": mark("A logo is burnt in"),
    "imf": mark("It is an IMF package"),
    "imf_valid": mark("The IMF package was validated"),
}
ANSWERS = {"": None, "yes": True, "no": False}
MOST_PLACES = 6  # of a finding that a page shows, each with a picture where there are any


@router.get("/{master_id}/conformance")
async def conformance_page(
    request: Request, master_id: UUID, visitor: SignedIn, session: Session, now: Now,
    context: Ctx, *, profile: str | None = None,
) -> Response:  # fmt: skip
    """Show how a master was judged; its holder also declares and keeps reports here."""
    caller, spoken = visitor.caller, render.speaks(request)
    told = await api.get_conformance(master_id, session, caller, now, profile)
    measured = await api.get_measures(master_id, session, caller)
    master = await masters.get_master(session, master_id)
    mine = master.party_id == caller.party_id
    kept = await recognition_verbs.sight(context).instants(master_id)
    return render.page(
        request,
        "conformance.html",
        master=master,
        mine=mine,
        told=told,
        groups=_groups(told.report, spoken, kept if mine or caller.is_staff else []),
        plots=_plots(told.report, measured.content, master.probe or {}, spoken),
        profiles=_profiles(await api.list_profiles(caller, now), spoken),
        declared=(await api.get_declared(master_id, session, caller)).model_dump(),
        times=TIMES,
        flags=FLAGS,
        results=RESULTS,
        tiers=TIERS,
    )


async def verdict(session: AsyncSession, master_id: UUID) -> bool | None:
    """Return whether a master may carry the UHD label; None while that cannot be told."""
    master = await masters.get_master(session, master_id)
    report = await queries.find_report(session, master_id, profiles.default(master.probe or {}))
    return None if report is None else report.uhd_label


@router.post("/{master_id}/conformance")
async def send_judging(
    request: Request, master_id: UUID, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Judge a master by a profile, and keep the report."""
    profile = form.text("profile")
    await api.record_conformance(master_id, profile, session, visitor.caller, now)
    return render.see(request, f"/masters/{master_id}/conformance?profile={profile}")


@router.post("/{master_id}/declared")
async def send_declared(
    request: Request, master_id: UUID, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Declare what only people can tell."""
    body = shape(api.DeclaredIn, **_declared(form))
    await api.put_declared(master_id, body, session, visitor.caller, now)
    return render.see(request, f"/masters/{master_id}/conformance")


def _declared(form: Form) -> dict[str, Any]:
    """Return what a form declares: seconds as milliseconds, a ratio as hundredths."""
    told: dict[str, Any] = {name: form.basis_points(name) * 10 for name in TIMES if form.text(name)}
    told |= {name: ANSWERS.get(form.text(name)) for name in FLAGS}
    if form.text(declarations.RATIO):
        told[declarations.RATIO] = form.basis_points(declarations.RATIO)
    return told


def _profiles(found: api.Profiles, spoken: Language) -> list[tuple[str, str]]:
    return [(each.id, spoken.pick(each.name_zh, each.name_en)) for each in found.items]


def _groups(
    report: Mapping[str, Any], spoken: Language, kept: list[int]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the findings of each group, in words."""
    rows = [_finding(each, spoken, kept) for each in report["findings"]]
    grouped = [(GROUPS[name], [row for row in rows if row["group"] == name]) for name in GROUPS]
    return [(label, found) for label, found in grouped if found]


def _finding(each: Mapping[str, Any], spoken: Language, kept: list[int]) -> dict[str, Any]:
    language = "zh" if spoken.code == "zh-CN" else "en"
    graded = each["result"] in ("FAIL", "WARN")
    places = each["where"][:MOST_PLACES]
    return {
        "id": each["id"],
        "group": each["group"],
        "name": each["name"][language],
        "result": RESULTS[each["result"]],
        "tone": TONES.get(each["result"], ""),
        "severity": SEVERITIES[each["severity"]] if graded else "",
        "wanted": _worded(each["wanted"], spoken),
        "seen": _worded(each["seen"], spoken),
        "clause": f"{each['standard']} {each['clause']}",
        "verified": each["verified"],
        "by": sorted({READERS[name] for name in each["by"]}),
        "hint": each["hint"][language] if each["hint"] and graded else "",
        "note": each["note"][language] if each["note"] else "",
        "places": [_place(start, end, kept) for start, end in places],
        "more": each["places"] - len(places),
    }


def _worded(text: str, spoken: Language) -> str:
    """Return a text of the report with the names of what is declared in words."""
    for name, label in (*TIMES.items(), *FLAGS.items()):
        pattern = rf"\b{name.removesuffix('_ms')}\b"
        text = re.sub(pattern, spoken.say(label), text)
    return text


def _place(start: int, end: int, kept: list[int]) -> dict[str, Any]:
    """Return a place in words, and the instant of a picture of it where there is one."""
    middle = (start + end) // 2
    near = min(kept, key=lambda at: abs(at - middle), default=None)
    return {"said": f"{plots.clock(start)}–{plots.clock(end)}", "at_ms": near}


def _plots(
    report: Mapping[str, Any],
    measures: Mapping[str, Any] | None,
    probe: Mapping[str, Any],
    spoken: Language,
) -> list[tuple[str, Markup]]:
    """Return each curve that can be drawn, with its title."""
    if measures is None:
        return []
    length = probe.get("duration_ms") or 0
    titles = [
        spoken.say(text)
        for text in (
            mark("Loudness over time"), mark("Luminance over time"), mark("Gamut over time"),
        )
    ]  # fmt: skip
    drawn = (
        plots.loudness(
            measures, duration_ms=length, title=titles[0], wanted=press.wanted_loudness(report)
        ),
        plots.luminance(measures, duration_ms=length, title=titles[1]),
        plots.gamut(measures, duration_ms=length, title=titles[2]),
    )
    # The drawings escape every text that they are given.
    return [(t, Markup(svg)) for t, svg in zip(titles, drawn, strict=True) if svg]  # noqa: S704 - see above.
