"""Rights from the wire: what an offer says, checked and resolved to a box, and written back.

Source: 著作权法 (2020) art. 10, 26 and 29 (what is not named is not granted).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from contracts.refusal import Kind, Refusal
from contracts.rights import vocabulary
from contracts.rights.algebra import Exclusivity, RightsBox
from contracts.window import BadWindow, Window

MOST_RUNS = 100_000
# Licence days outside these years are slips of the pen, and would overflow on their way to UTC.
FIRST_YEAR, LAST_YEAR = 1900, 2199
_AXES = ("media", "territories", "excluded", "languages")


class MediumNeedsAnotherRight(Refusal):
    """The medium cannot be used with the right named."""

    kind, code = Kind.INVALID, "medium-needs-another-right"
    hint = "Offer the medium under one of the rights in `needs`."


class NothingOffered(Refusal):
    """The offer names no medium, no territory or no language."""

    kind, code = Kind.INVALID, "nothing-offered"
    hint = "Name at least one medium, territory and language; what is not named is not granted."


class BadRuns(Refusal):
    """The number of runs is not a positive whole number."""

    kind, code = Kind.INVALID, "bad-runs"
    hint = f"Give between 1 and {MOST_RUNS} runs, or null for any number."


class UnknownExclusivity(Refusal):
    """The exclusivity is none of exclusive (独占), sole (排他), non-exclusive (普通)."""

    kind, code = Kind.INVALID, "unknown-exclusivity"
    hint = "Use exclusive, sole or non-exclusive."


def resolve(wire: Mapping[str, Any]) -> RightsBox:
    """Return the box that an offer means.

    Args:
        wire: right, media, territories, excluded, languages, first_day and last_day (ISO dates,
            both included, in the zone `tz`), exclusivity, runs_max.

    Raises:
        UnknownRight: art. 10 has no such right.
        RightNotLicensable: the right stays with the author.
        UnknownMedium: a medium is not in the vocabulary.
        MediumNeedsAnotherRight: a medium does not belong to the right.
        UnknownTerritory: a territory is no ISO code.
        UnknownLanguage: a language is not kept.
        NothingOffered: an axis is empty.
        BadWindow: the days run backwards, cannot be read, or the zone is unknown.
        UnknownExclusivity: none of the three.
        BadRuns: not a positive whole number.
    """
    right = vocabulary.right(wire["right"])
    media = vocabulary.media(wire["media"])
    for code in sorted(media):
        _fits(vocabulary.MEDIA[code], right)
    excluded = vocabulary.territories(wire.get("excluded") or ())
    return RightsBox(
        right=right.code,
        media=_some(media, "medium"),
        territories=_some(vocabulary.territories(wire["territories"]) - excluded, "territory"),
        languages=_some(vocabulary.languages(wire["languages"]), "language"),
        window=_window(wire),
        exclusivity=_exclusivity(wire["exclusivity"]),
        runs_max=_runs(wire.get("runs_max")),
    )


def normal(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return an offer in the one form that is stored and published: checked, sorted, no aliases.

    Groups (WRD) stay as written, so that people can read them; `resolve` of the result is the same
    box. The refusals are those of `resolve`.
    """
    resolve(wire)
    return {
        "right": wire["right"],
        "media": sorted(set(wire["media"])),
        "territories": _plain(wire["territories"], vocabulary.WORLD, vocabulary.territory),
        "excluded": _plain(wire.get("excluded") or (), vocabulary.WORLD, vocabulary.territory),
        "languages": _plain(wire["languages"], vocabulary.ANY_LANGUAGE, vocabulary.language),
        "first_day": _day(wire["first_day"]).isoformat(),
        "last_day": _day(wire["last_day"]).isoformat(),
        "tz": wire["tz"],
        "exclusivity": wire["exclusivity"],
        "runs_max": wire.get("runs_max"),
    }


def expand(wire: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one offer per right: a named bundle (播映权) in full, anything else as it is.

    Raises:
        UnknownBundle: `bundle` names none.
    """
    rest = {key: value for key, value in wire.items() if key not in ("bundle", "right", "media")}
    if not wire.get("bundle"):
        return [{**rest, "right": wire["right"], "media": list(wire["media"])}]
    return [
        {**rest, "right": part.right, "media": sorted(part.media)}
        for part in vocabulary.bundle(wire["bundle"])
    ]


def _fits(medium: vocabulary.Medium, right: vocabulary.Right) -> None:
    if right.code not in medium.rights:
        raise MediumNeedsAnotherRight(
            f"{medium.zh} is not used under {right.zh}.",
            medium=medium.code,
            right=right.code,
            needs=sorted(medium.rights),
        )


def _some(leaves: frozenset[str], axis: str) -> frozenset[str]:
    if not leaves:
        raise NothingOffered(f"No {axis} is left in the offer.", axis=axis)
    return leaves


def _window(wire: Mapping[str, Any]) -> Window:
    first, last, zone = _day(wire["first_day"]), _day(wire["last_day"]), wire["tz"]
    try:
        return Window.of_days(first, last, zone)
    except OSError as folder:  # a folder of the zone database ("Asia"), or an overlong name
        raise BadWindow("The time zone is unknown.", zone=zone[:64]) from folder


def _day(value: str | date) -> date:
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError as unreadable:
        raise BadWindow("A licence day is not an ISO date.", day=value) from unreadable
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadWindow(
            f"A licence day lies outside {FIRST_YEAR} to {LAST_YEAR}.", day=day.isoformat()
        )
    return day


def _exclusivity(value: str) -> Exclusivity:
    try:
        return Exclusivity(value)
    except ValueError as unknown:
        known = [one.value for one in Exclusivity]
        raise UnknownExclusivity(f"Exclusivity {value!r} is unknown.", known=known) from unknown


def _runs(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= MOST_RUNS:
        raise BadRuns("The number of runs is not a positive whole number.", most=MOST_RUNS)
    return value


def _plain(codes: Iterable[str], group: str, one: Any) -> list[str]:
    return sorted({code if code == group else one(code) for code in codes})
