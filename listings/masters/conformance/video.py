"""Checks of the picture's format: V01 to V17 (pure).

Source: GY/T 307-2017 (ITU-R BT.2020-2); GB/T 41808-2022 (BT.2100-2); GY/T 365-2023 Annex A and B.
"""

from collections.abc import Mapping
from typing import Any

from listings.masters.conformance.judging import (
    UNSEEN,
    Form,
    Judge,
    decimal,
    doubt,
    either,
    fps,
    fraction,
    idle,
    number,
    percent,
    text,
    texts,
    unmeasured,
)
from listings.masters.conformance.values import Outcome, Result, Severity, Subject, Tier, Wanted

CURVES = {"arib-std-b67": "HLG", "smpte2084": "PQ"}
TAGS = ("primaries", "transfer", "matrix", "range")
MASTERING = ("max_luminance_cd10000", "min_luminance_cd10000")


def _raster(wanted: Wanted, subject: Subject) -> Outcome:
    """V01."""
    allowed = texts(wanted, "rasters")
    asked = " / ".join(allowed)
    wide, tall = subject.video.get("width"), subject.video.get("height")
    if not wide or not tall:
        return unmeasured(asked)
    return either(f"{wide}x{tall}" in allowed, asked, f"{wide}x{tall}")


def _shape(wanted: Wanted, subject: Subject) -> Outcome:
    """V02: square pixels and the shape of the picture, which follows where only pixels are told."""
    asked = f"SAR {text(wanted, 'sar')}, DAR {text(wanted, 'dar')}"
    pixels, whole = fraction(subject.video.get("sar")), fraction(subject.video.get("dar"))
    if pixels is None:
        return unmeasured(asked)
    if whole is None:
        size = {"num": subject.video.get("width"), "den": subject.video.get("height")}
        raster = fraction(size)
        whole = raster * pixels if raster else None
    if whole is None:
        return unmeasured(asked)
    good = pixels == fraction(text(wanted, "sar")) and whole == fraction(text(wanted, "dar"))
    return either(
        good, asked,
        f"SAR {pixels.numerator}/{pixels.denominator}, DAR {whole.numerator}/{whole.denominator}",
    )  # fmt: skip


def _rate(wanted: Wanted, subject: Subject) -> Outcome:
    """V03: one of the rates; a rate below the least blocks, and so does not knowing it."""
    rates = [fraction(each) for each in texts(wanted, "rates")]
    asked = " / ".join(fps(each) for each in rates if each)
    seen = fraction(subject.video.get("rate"))
    if seen is None:
        return unmeasured(asked, severity=Severity.BLOCK)
    least = fraction(text(wanted, "least"))
    too_slow = least is not None and seen < least
    return either(
        seen in rates, asked, fps(seen), severity=Severity.BLOCK if too_slow else None
    )  # fmt: skip


def _scan(wanted: Wanted, subject: Subject) -> Outcome:
    """V04: tagged progressive, and seen to be so; every picture is looked at at tier full."""
    most = number(wanted, "most_interlaced_bp")
    asked = f"progressive, ≥ {percent(10_000 - most)}"
    tagged, share = subject.video.get("scan"), subject.measure("interlaced_bp")
    if tagged not in (None, "progressive"):
        return either(False, asked, str(tagged))
    if share is not None:
        seen = f"{tagged or 'untagged'}, {percent(10_000 - share)}"
        if share > most:
            return either(False, asked, seen)
        return doubt(bool(tagged), asked, seen)
    if tagged and subject.tier is Tier.SAMPLED:
        return Outcome(Result.WARN, asked, str(tagged), note="tag-only")
    return unmeasured(asked)


def _constant(_: Wanted, subject: Subject) -> Outcome:
    """V05: every picture lasts equally long."""
    asked, steady = "constant", subject.video.get("constant_rate")
    rate, real = (fraction(subject.video.get(name)) for name in ("rate", "real_rate"))
    if steady is None:
        return unmeasured(asked)
    told = " / ".join(fps(each) for each in (rate, real) if each)
    return either(bool(steady) and (real is None or real == rate), asked, told or UNSEEN)


def _depth(wanted: Wanted, subject: Subject) -> Outcome:
    """V06: as coded; what is really in it is V07."""
    least, seen = number(wanted, "least_bits"), subject.video.get("bit_depth")
    asked = f"≥ {least} bit"
    return either(seen >= least, asked, f"{seen} bit") if seen else unmeasured(asked)


def _real_depth(wanted: Wanted, subject: Subject) -> Outcome:
    """V07: the low bits carry something; 8-bit content padded to 10 does not."""
    least, seen = number(wanted, "least_bits"), subject.measure("real_bits")
    asked = f"≥ {least} bit"
    return either(seen >= least, asked, f"{seen} bit") if seen else unmeasured(asked)


def _sampling(wanted: Wanted, subject: Subject) -> Outcome:
    """V08."""
    return _among(wanted, "samplings", subject.video.get("sampling"))


def _among(wanted: Wanted, name: str, seen: Any) -> Outcome:
    asked = " / ".join(texts(wanted, name))
    return either(seen in texts(wanted, name), asked, str(seen)) if seen else unmeasured(asked)


def _tag(parameter: str, name: str) -> Judge:
    """Return the judge of a colour tag; untagged fails only where both readers were asked."""

    def decide(wanted: Wanted, subject: Subject) -> Outcome:
        allowed, seen = texts(wanted, parameter), subject.video.get(name)
        asked = " / ".join(map(_named, allowed))
        if not seen and not subject.asked_twice(f"video.{name}"):
            return unmeasured(asked)
        return either(seen in allowed, asked, _named(str(seen)) if seen else "untagged")

    return Judge(decide, {parameter: Form.TEXTS})


def _named(tag: str) -> str:
    return f"{CURVES[tag]} ({tag})" if tag in CURVES else tag


def _agreement(_: Wanted, subject: Subject) -> Outcome:
    """V13: container and stream tell the same colour."""
    asked, here = "container = stream", subject.video.get("stream_tags")
    there = subject.video.get("container_tags")
    if here is None or there is None:
        return unmeasured(asked)
    both = [name for name in TAGS if here.get(name) and there.get(name)]
    if not both:
        return idle(asked, note="one-source")
    apart = [f"{name}: {there[name]} ≠ {here[name]}" for name in both if here[name] != there[name]]
    if apart:
        return either(False, asked, "; ".join(apart))
    doubted = set(subject.record.get("disagree") or ()) & {f"video.{name}" for name in TAGS}
    seen = ", ".join(sorted(doubted) or [f"{name}: {here[name]}" for name in both])
    return doubt(not doubted, asked, seen, note="readers-differ" if doubted else None)


def _static(_: Wanted, subject: Subject) -> Outcome:
    """V14: PQ says what it was graded on, and its brightest pixel is not above that screen."""
    asked, video = "ST 2086, MaxCLL, MaxFALL", subject.video
    curve = video.get("hdr") or CURVES.get(str(video.get("transfer")))
    if curve is None:
        return unmeasured(asked)
    if curve != "PQ":
        return idle(asked, str(curve))
    screen, most, mean = video.get("mastering"), video.get("max_cll"), video.get("max_fall")
    if not screen or not most or not mean:
        lacking = [
            name
            for name, value in (("ST 2086", screen), ("MaxCLL", most), ("MaxFALL", mean))
            if not value
        ]
        return either(False, asked, "− " + ", ".join(lacking))
    peak = screen.get(MASTERING[0]) or 0
    seen = f"{decimal(peak, 4)} cd/m², MaxCLL {most}, MaxFALL {mean}"
    return either(most * 10_000 <= peak and mean <= most, asked, seen)


def _dynamic(_: Wanted, subject: Subject) -> Outcome:
    """V15: presence of dynamic metadata, for information."""
    asked, video = "HDR Vivid", subject.video
    names = {"hdr_vivid": "HDR Vivid", "dolby_vision": "Dolby Vision", "hdr10_plus": "HDR10+"}
    if all(video.get(name) is None for name in names):
        return unmeasured(asked)
    if video.get("hdr") == "SDR":
        return idle(asked, "SDR")
    seen = [said for name, said in names.items() if video.get(name)]
    return doubt(bool(video.get("hdr_vivid")), asked, ", ".join(seen) or "none")


def _codec(wanted: Wanted, subject: Subject) -> Outcome:
    """V16: a class that the profile takes, at the bit rate which that class has at this rate."""
    allowed, video = texts(wanted, "classes"), subject.video
    asked, seen = " / ".join(allowed), video.get("codec_class")
    if not seen:
        coded = " ".join(filter(None, (video.get("codec"), video.get("profile"))))
        return either(False, asked, coded) if coded else unmeasured(asked)
    if not str(seen).lower().startswith(tuple(each.lower() for each in allowed)):
        return either(False, asked, str(seen))
    nominal = _nominal(wanted, str(seen), subject)
    if nominal is None:
        return either(True, asked, str(seen))
    return _bit_rate(asked, str(seen), nominal, number(wanted, "tolerance_bp"), video)


def _nominal(wanted: Wanted, seen: str, subject: Subject) -> int | None:
    """Return the bits per second that a class should have (`class@50/1:500000000`)."""
    known = fraction(subject.video.get("rate"))
    for each in texts(wanted, "nominal"):
        coded, _, rest = each.partition("@")
        rate, _, bits = rest.partition(":")
        if seen.lower().startswith(coded.lower()) and fraction(rate) == known:
            return int(bits)
    return None


def _bit_rate(
    asked: str, seen: str, nominal: int, tolerance_bp: int, video: Mapping[str, Any]
) -> Outcome:
    bits = video.get("bitrate_bps")
    told = f"{asked}; {decimal(nominal, 6)} Mb/s ±{percent(tolerance_bp)}"
    if not bits:
        return unmeasured(told)
    good = abs(bits - nominal) * 10_000 <= nominal * tolerance_bp
    return either(good, told, f"{seen}, {decimal(bits // 10_000, 2)} Mb/s")


def _intra(_: Wanted, subject: Subject) -> Outcome:
    """V17: every picture stands by itself."""
    asked, alone = "I", subject.video.get("intra_only")
    if alone is None:
        return unmeasured(asked)
    frames = subject.video.get("gop_frames")
    return either(bool(alone), asked, "I" if alone else f"GOP {frames or '> 1'}")


JUDGES: Mapping[str, Judge] = {
    "V01": Judge(_raster, {"rasters": Form.TEXTS}),
    "V02": Judge(_shape, {"sar": Form.TEXT, "dar": Form.TEXT}),
    "V03": Judge(_rate, {"rates": Form.RATES, "least": Form.TEXT}),
    "V04": Judge(_scan, {"most_interlaced_bp": Form.NUMBER}),
    "V05": Judge(_constant, {}),
    "V06": Judge(_depth, {"least_bits": Form.NUMBER}),
    "V07": Judge(_real_depth, {"least_bits": Form.NUMBER}),
    "V08": Judge(_sampling, {"samplings": Form.TEXTS}),
    "V09": _tag("primaries", "primaries"),
    "V10": _tag("transfers", "transfer"),
    "V11": _tag("matrices", "matrix"),
    "V12": _tag("ranges", "range"),
    "V13": Judge(_agreement, {}),
    "V14": Judge(_static, {}),
    "V15": Judge(_dynamic, {}),
    "V16": Judge(
        _codec,
        {"classes": Form.TEXTS, "nominal": Form.TEXTS, "tolerance_bp": Form.NUMBER},
        frozenset({"nominal", "tolerance_bp"}),
    ),
    "V17": Judge(_intra, {}),
}
