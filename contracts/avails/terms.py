"""Our rights ↔ a transaction of avails: natively where Avails has words, else in terms of our own.

Natively: retail over the internet (LicenseType), territories, languages and their tracks, days, and
whether a licence is exclusive. What MovieLabs has no word for travels in terms of our own, written
out in `data/TERMS.md`: broadcasting and the other rights of 著作权法 art. 10, media and who pays
(UHDX-Right, UHDX-Media), versions of a language (UHDX-Languages), the zone of the days
(UHDX-TimeZone), 排他 (UHDX-Exclusivity), runs (UHDX-Runs), 轮次 (UHDX-Round), 转授权
(UHDX-Sublicence).
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.avails.model import Bound, Format, Term, Tongue, Transaction
from contracts.avails.zones import zone_of
from contracts.refusal import Refusal
from contracts.rights import axes, rules

Wire = dict[str, Any]
PREFIX = "UHDX-"
NO_TYPE = "Library"  # the LicenseType of what Avails has none for; the terms say what it is
NEGOTIATED = Term("Category", "Text", "Negotiated")  # every type but SVOD must say a price
WORLD, WORLD_M49 = "WRD", "001"
_GLOBAL = ("ZZ", "WW", "WORLD")  # how others write the whole world
_TRACKS = {"dubbed": "audio", "subtitled": "subtitle"}
_VERSIONS = {"audio": ("original", "dubbed"), "subtitle": ("subtitled",),
             "subdub": ("dubbed", "subtitled")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a transaction says no rights of ours: a finding's code and its words."""

    code: str
    said: str


@dataclass(frozen=True, slots=True)
class _Licence:
    right: str
    media: int


def of_wire(wire: Mapping[str, Any], *, id: str | None = None, profile: str = "UHD") -> Transaction:
    """Return the transaction that says an offer (`rules.resolve` of what it says is the same box).

    Args:
        wire: the offer as the wire carries it.
        id: the TransactionID.
        profile: the FormatProfile on offer.

    Raises:
        Refusal: as `rules.resolve` refuses the offer.
    """
    wire = rules.normal(wire)
    box = rules.resolve(wire)
    licence_type = _type_of(box.right, box.media)
    first, last = (date.fromisoformat(wire[name]) for name in ("first_day", "last_day"))
    terms = [
        Term("Exclusive", "Boolean", "false" if wire["exclusivity"] == "non-exclusive" else "true"),
        *(Term(f"{PREFIX}{name}", "Text", value) for name, value in _ours(wire, licence_type)),
    ]
    return Transaction(
        id=id,
        licence_type=licence_type,
        rights_description=None if licence_type in _retail() else box.right,
        format=Format(profile),
        territories=_places(wire["territories"]),
        excluded=_places(wire["excluded"]),
        start=Bound(first.isoformat(), first),
        end=Bound(last.isoformat(), last + timedelta(days=1)),
        allowed=() if box.languages == axes.LANGUAGES.all else tuple(_tongues(wire["languages"])),
        terms=tuple(terms if licence_type == "SVOD" else [*terms, NEGOTIATED]),
    )


def to_wire(offer: Transaction) -> Wire | Unread:
    """Return the offer that a transaction says, in normal form, or why it says none of ours."""
    days = _days(offer)
    if isinstance(days, Unread):
        return days
    right, media = _right(offer)
    said: Wire = {
        "right": right,
        "media": media,
        "territories": [WORLD if code in _GLOBAL else code for code in offer.territories],
        "excluded": [code for code in offer.excluded if code != "--"],
        "languages": _languages(offer),
        **days,
        "exclusivity": _exclusivity(offer),
        "runs_max": _number(offer, "Runs"),
        "round_no": _number(offer, "Round"),
        "sublicence_depth": _number(offer, "Sublicence"),
    }
    if not right:
        return Unread("rights-unread", f"{offer.licence_type} names no right by itself")
    read = _normal(json.dumps(said))
    return dict(read) if isinstance(read, dict) else read


@lru_cache(maxsize=4096)
def _normal(said: str) -> Wire | Unread:
    """Return an offer in normal form; a file says the same of very many transactions."""
    try:
        return rules.normal(json.loads(said))
    except Refusal as refusal:
        return Unread("rights-unread", refusal.detail)


def _type_of(right: str, media: int) -> str:
    """Return the LicenseType under which the media fit, or NO_TYPE."""
    fits = (
        name
        for name, licence in _retail().items()
        if licence.right == right and media & ~licence.media == 0
    )
    return next(fits, NO_TYPE)


def _ours(wire: Mapping[str, Any], licence_type: str) -> Iterator[tuple[str, str]]:
    """Yield what the native fields do not say."""
    media = axes.MEDIA.mask(wire["media"])
    known = _retail().get(licence_type)
    if known is None or known.media != media:
        yield "Right", wire["right"]
        yield "Media", " ".join(axes.MEDIA.codes(media))
    versions = any(":" in code or "-x-" in code for code in wire["languages"])
    if versions and axes.LANGUAGES.mask(wire["languages"]) != axes.LANGUAGES.all:
        yield "Languages", " ".join(wire["languages"])
    yield "TimeZone", wire["tz"]
    if wire["exclusivity"] == "sole":
        yield "Exclusivity", "sole"
    numbers = {"Runs": "runs_max", "Round": "round_no", "Sublicence": "sublicence_depth"}
    for name, key in numbers.items():
        if wire.get(key):
            yield name, str(wire[key])


def _places(codes: list[str]) -> tuple[str, ...]:
    return tuple(sorted(WORLD_M49 if code == WORLD else code for code in codes))


def _tongues(codes: list[str]) -> Iterator[Tongue]:
    """Yield the languages as Avails says them; a store that knows no more still knows these."""
    seen: set[Tongue] = set()
    for code in codes:
        tag, _, version = code.partition(":")
        tongue = Tongue(tag.partition("-x-")[0], _TRACKS.get(version))
        if tongue not in seen:
            seen.add(tongue)
            yield tongue


def _right(offer: Transaction) -> tuple[str, list[str]]:
    """Return the right and the media: as our terms say, else as the LicenseType means."""
    right, media = offer.term(f"{PREFIX}Right"), offer.term(f"{PREFIX}Media")
    known = _retail().get(offer.licence_type)
    if right and media:
        return right, media.split()
    return ("", []) if known is None else (known.right, list(axes.MEDIA.codes(known.media)))


def _languages(offer: Transaction) -> list[str]:
    exact = offer.term(f"{PREFIX}Languages")
    if exact:
        return exact.split()
    if offer.allowed:
        return [code for tongue in offer.allowed for code in _codes(tongue)]
    if not offer.holdback:
        return [axes.LANGUAGES.everything]
    held = [code for tongue in offer.holdback for code in _codes(tongue)]
    try:
        return list(axes.LANGUAGES.codes(axes.LANGUAGES.all & ~axes.LANGUAGES.mask(held)))
    except Refusal:  # an unknown language cannot be taken from all; the caller names it
        return held


def _codes(tongue: Tongue) -> list[str]:
    versions = _VERSIONS.get(tongue.asset or "")
    return [f"{tongue.tag}:{one}" for one in versions] if versions else [tongue.tag]


def _exclusivity(offer: Transaction) -> str:
    said = offer.term(f"{PREFIX}Exclusivity")
    if said:
        return said
    return "exclusive" if offer.term("Exclusive") == "true" else "non-exclusive"


def _number(offer: Transaction, name: str) -> Any:
    said = offer.term(f"{PREFIX}{name}")
    return int(said) if said and said.isdecimal() and len(said) < 10 else said or None


def _days(offer: Transaction) -> dict[str, str] | Unread:
    zone = offer.term(f"{PREFIX}TimeZone") or zone_of(next(iter(offer.territories), ""))
    waits = [bound.condition for bound in (offer.start, offer.end) if bound.day is None]
    if waits:
        return Unread("window-open", ", ".join(condition or "?" for condition in waits))
    first, after = _midnight(offer.start, zone), _midnight(offer.end, zone)
    if first is None or after is None:
        return Unread("window-not-days", "")
    last = after - timedelta(days=1)
    return {"first_day": first.isoformat(), "last_day": last.isoformat(), "tz": zone}


def _midnight(bound: Bound, zone: str) -> date | None:
    """Return the day whose midnight in the zone a bound is, or None when it is no midnight."""
    day, clock = bound.day, bound.clock
    if bound.offset_s is not None:
        try:
            at = bound.at(zone)
            local = at.astimezone(ZoneInfo(zone)) if at else None
        except (OverflowError, ZoneInfoNotFoundError, ValueError, OSError):
            return None
        day, clock = (local.date(), local.time()) if local else (None, clock)
    return day if clock == time.min else None


@cache
def _retail() -> Mapping[str, _Licence]:
    """Return the types of licence that say a right and media by themselves."""
    text = (files("contracts.avails") / "data" / "licences.csv").read_text("utf-8")
    return {
        row["licence_type"]: _Licence(row["right"], axes.MEDIA.mask(row["media"].split()))
        for row in csv.DictReader(text.splitlines()[1:])
        if row["right"]
    }
