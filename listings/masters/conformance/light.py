"""Checks of what the pictures show: L01 to L11 (pure), on the measures of the decode pass.

Source: EBU R 103; EBU QC 0051B; ITU-R BT.1702-3; GY/T 307-2017; the true-UHD measures of the
Beijing 8K scheme (2022), whose thresholds are not public: a share is told, and doubted at nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from listings.masters.conformance.judging import (
    Form,
    Judge,
    decimal,
    doubt,
    either,
    idle,
    inside,
    joined,
    number,
    percent,
    spans,
    unmeasured,
)
from listings.masters.conformance.values import Outcome, Subject, Wanted

COVERED = 0.9  # of the seconds of a programme that must have been sampled to speak of all of it
SECOND_MS, PATCH_MS = 1000, 5000  # how far samples and patches lie apart
_EDGES = ("left_bp", "right_bp", "top_bp", "bottom_bp")


def _still(name: str) -> Judge:
    """Return the judge of black (L01) or frozen (L02) stretches inside the programme."""

    def decide(wanted: Wanted, subject: Subject) -> Outcome:
        asked = f"< {decimal(number(wanted, 'least_ms'), 3)} s"
        found = spans(subject.measure(name))
        if found is None or not subject.duration_ms:
            return unmeasured(asked)
        places = inside(found, wanted, duration_ms=subject.duration_ms)
        seen = f"{decimal(sum(stop - start for start, stop in places), 3)} s"
        return either(not places, asked, seen, where=places)

    return Judge(decide, {"least_ms": Form.NUMBER, "head_ms": Form.NUMBER, "tail_ms": Form.NUMBER})


def _pictures(subject: Subject, name: str) -> list[tuple[int, int]] | None:
    """Return (instant, value) of each sampled picture; None unless the programme is covered."""
    return _covered(subject, subject.measure("pictures"), name, step_ms=SECOND_MS)


def _patches(subject: Subject, name: str) -> list[tuple[int, int]] | None:
    """Return (instant, value) of each native patch; None unless the programme is covered."""
    return _covered(subject, subject.measure("patches"), name, step_ms=PATCH_MS)


def _covered(
    subject: Subject, looked: Sequence[Mapping[str, Any]] | None, name: str, *, step_ms: int
) -> list[tuple[int, int]] | None:
    wanted = (name, "at_ms")
    if not looked or any((each or {}).get(key) is None for each in looked for key in wanted):
        return None
    if len(looked) < int(subject.duration_ms // step_ms * COVERED):
        return None
    return [(int(each["at_ms"]), int(each[name])) for each in looked]


def _area(name: str) -> Judge:
    """Return the judge of how much of a picture is outside preferred (L03) or legal (L04) codes."""

    def decide(wanted: Wanted, subject: Subject) -> Outcome:
        most = number(wanted, "most_area_bp")
        asked, seen = f"≤ {percent(most)}", _pictures(subject, name)
        if seen is None:
            return unmeasured(asked)
        bad = [at for at, share in seen if share > most]
        worst = max(share for _, share in seen)
        return either(not bad, asked, percent(worst), where=joined(bad, step_ms=SECOND_MS))

    return Judge(decide, {"most_area_bp": Form.NUMBER})


def _share(name: str) -> Judge:
    """Return the judge of the share of pictures that use the wide gamut (L05) or range (L06)."""

    def decide(wanted: Wanted, subject: Subject) -> Outcome:
        least, share = number(wanted, "least_bp"), subject.measure(name)
        asked = f"≥ {percent(least)}"
        if subject.video.get("hdr") == "SDR":
            return idle(asked, "SDR")
        if share is None:
            return unmeasured(asked)
        return doubt(share >= least, asked, percent(share))

    return Judge(decide, {"least_bp": Form.NUMBER})


def _upscaled(wanted: Wanted, subject: Subject) -> Outcome:
    """L07: how much of the picture lacks detail that only this raster can hold; never a proof."""
    most, share = number(wanted, "most_bp"), subject.measure("upscaled_bp")
    asked = f"≤ {percent(most)}"
    if share is None:
        return unmeasured(asked)
    note = "upscale-suspicion" if share > most else None
    return doubt(share <= most, asked, percent(share), note=note)


def _active(wanted: Wanted, subject: Subject) -> Outcome:
    """L08: bars around the picture, against the shape that was declared."""
    border, room = number(wanted, "most_border_bp"), number(wanted, "within_x100")
    shape, edges = subject.declared.get("active_ratio_x100"), subject.measure("active") or {}
    asked = f"{decimal(shape, 2)}:1" if shape else f"≤ {percent(border)}"
    wide, tall = subject.video.get("width"), subject.video.get("height")
    cut = [edges.get(name) for name in _EDGES]
    if None in cut or not wide or not tall:
        return unmeasured(asked)
    left, right, top, bottom = (int(each or 0) for each in cut)
    across, down = wide * (10_000 - left - right), tall * (10_000 - top - bottom)
    if across <= 0 or down <= 0:
        return unmeasured(asked)
    ratio = (across * 100 + down // 2) // down
    seen = f"{decimal(ratio, 2)}:1"
    if shape:
        return either(abs(ratio - shape) <= room, asked, seen)
    return doubt(max(left, right, top, bottom) <= border, asked, seen)


def _quality(wanted: Wanted, subject: Subject) -> Outcome:
    """L09: blocks, blur and spatial detail of native patches, for information."""
    limits = {"block_x100": number(wanted, "most_block_x100"),
              "blur_x100": number(wanted, "most_blur_x100")}  # fmt: skip
    asked = ", ".join(f"{name[:-5]} ≤ {decimal(most, 2)}" for name, most in limits.items())
    looked = {name: _patches(subject, name) for name in (*limits, "si_x100")}
    if any(seen is None for seen in looked.values()):
        return unmeasured(asked)
    known = {name: seen or [] for name, seen in looked.items()}
    bad = [at for name, most in limits.items() for at, value in known[name] if value > most]
    middle = {name: sorted(v for _, v in seen)[len(seen) // 2] for name, seen in known.items()}
    told = ", ".join(f"{name[:-5]} {decimal(value, 2)}" for name, value in middle.items())
    return doubt(not bad, asked, told, where=joined(sorted(set(bad)), step_ms=PATCH_MS))


def _flashes(_: Wanted, subject: Subject) -> Outcome:
    """L10: more than three flashes a second; a warning, as this is no certified test."""
    asked = "≤ 3 /s"
    general, red = subject.measure("flash_ms"), subject.measure("red_flash_ms")
    if general is None or red is None:
        return unmeasured(asked)
    places = [*(spans(general) or ()), *(spans(red) or ())]
    most = max((int(each[2]) for each in (*general, *red) if len(each) > 2), default=0)
    seen = f"{len(places)} × ({most} /s)" if places else "0"
    return doubt(not places, asked, seen, where=sorted(places), note="not-certified")


def _safe(_: Wanted, subject: Subject) -> Outcome:
    """L11: a person tells whether subtitles stay in the safe area and no logo is burnt in."""
    asked = "subtitle_safe ✓, burnt_in_logo ✗"
    safe, logo = (subject.declared.get(name) for name in ("subtitle_safe", "burnt_in_logo"))
    if False in (safe, logo is None or not logo):
        return either(False, asked, "subtitle_safe ✗" if safe is False else "burnt_in_logo ✓")
    if safe is None or logo is None:
        return unmeasured(asked)
    return either(True, asked, asked)


JUDGES: Mapping[str, Judge] = {
    "L01": _still("black_ms"),
    "L02": _still("freeze_ms"),
    "L03": _area("r103_bp"),
    "L04": _area("illegal_bp"),
    "L05": _share("wide_pictures_bp"),
    "L06": _share("hdr_pictures_bp"),
    "L07": Judge(_upscaled, {"most_bp": Form.NUMBER}),
    "L08": Judge(_active, {"most_border_bp": Form.NUMBER, "within_x100": Form.NUMBER}),
    "L09": Judge(_quality, {"most_block_x100": Form.NUMBER, "most_blur_x100": Form.NUMBER}),
    "L10": Judge(_flashes, {}),
    "L11": Judge(_safe, {}),
}
