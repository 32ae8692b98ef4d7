"""Rights from the wire: what an offer says, checked and resolved to a box, and written back.

Source: 著作权法 (2020) art. 10, 26 and 29 (what is not named is not granted).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from contracts.refusal import Kind, Refusal
from contracts.rights import axes, vocabulary
from contracts.rights.algebra import Exclusivity, RightsBox
from contracts.rights.axes import Axis
from contracts.window import BadWindow, Window

MOST_RUNS = 100_000
# Licence days outside these years are slips of the pen, and would overflow on their way to UTC.
FIRST_YEAR, LAST_YEAR = 1900, 2199
LAST_ROUND, DEEPEST_SUBLICENCE = 9, 5
# Written only when given, so that offers published before they existed keep their bytes.
_WHEN_GIVEN = ("round_no", "sublicence_depth")


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


class BadRound(Refusal):
    """The round is no number from 1 to 9."""

    kind, code = Kind.INVALID, "bad-round"
    hint = "Give 1 for the first run (首轮), 2 for the second (二轮), up to 9, or leave it out."


class BadSublicence(Refusal):
    """The depth of sub-licences is no number from 0 to 5."""

    kind, code = Kind.INVALID, "bad-sublicence"
    hint = "Give 0 to 5: how many times over the rights may be licensed on (转授权)."


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
        BadRound: the round is not from 1 to 9.
        BadSublicence: the depth is not from 0 to 5.
    """
    round_no(wire), sublicence_depth(wire)
    right, on = vocabulary.right(wire["right"]), _day(wire["first_day"])
    media = axes.MEDIA.mask(wire["media"], on=on)
    for code in axes.MEDIA.codes(media):
        _fits(vocabulary.MEDIA[code.partition(".")[0]], right)
    places, tongues = axes.TERRITORIES, axes.LANGUAGES
    without = places.mask(wire.get("excluded") or (), on=on)
    return RightsBox(
        right=right.code,
        media=_some(media, "medium"),
        territories=_some(places.mask(wire["territories"], on=on) & ~without, "territory"),
        languages=_some(tongues.mask(wire["languages"], on=on), "language"),
        window=_window(wire),
        exclusivity=_exclusivity(wire["exclusivity"]),
        runs_max=_runs(wire.get("runs_max")),
    )


def normal(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return an offer in the one form that is stored and published: checked, sorted, no aliases.

    Groups are written out as they stand on the first day (WRD stays), so that no later definition
    changes what was offered; `resolve` of the result is the same box. The refusals are those of
    `resolve`.
    """
    resolve(wire)
    on = _day(wire["first_day"])
    plain = {
        "right": wire["right"],
        "media": _plain(wire["media"], axes.MEDIA, on),
        "territories": _plain(wire["territories"], axes.TERRITORIES, on),
        "excluded": _plain(wire.get("excluded") or (), axes.TERRITORIES, on),
        "languages": _plain(wire["languages"], axes.LANGUAGES, on),
        "first_day": on.isoformat(),
        "last_day": _day(wire["last_day"]).isoformat(),
        "tz": wire["tz"],
        "exclusivity": wire["exclusivity"],
        "runs_max": wire.get("runs_max"),
    }
    return plain | {key: wire[key] for key in _WHEN_GIVEN if wire.get(key)}


def round_no(wire: Mapping[str, Any]) -> int | None:
    """Return the round (轮次) that an offer names, 1 for 首轮, or None.

    Raises:
        BadRound: it is no number from 1 to 9.
    """
    return _small(wire.get("round_no"), 1, LAST_ROUND, BadRound)


def sublicence_depth(wire: Mapping[str, Any]) -> int:
    """Return how many times over the rights may be licensed on (转授权); 0 is not at all.

    Raises:
        BadSublicence: it is no number from 0 to 5.
    """
    return _small(wire.get("sublicence_depth"), 0, DEEPEST_SUBLICENCE, BadSublicence) or 0


def window_of(first_day: str | date, last_day: str | date, zone: str) -> Window:
    """Return the window from one licence day to another, both included, in a zone.

    Raises:
        BadWindow: the days run backwards, cannot be read or lie too far away, or the zone is
            unknown.
    """
    return Window.of_days(_day(first_day), _day(last_day), zone)


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


def _some(mask: int, axis: str) -> int:
    if not mask:
        raise NothingOffered(f"No {axis} is left in the offer.", axis=axis)
    return mask


def _window(wire: Mapping[str, Any]) -> Window:
    return window_of(wire["first_day"], wire["last_day"], wire["tz"])


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


def _small(value: Any, least: int, most: int, refusal: type[Refusal]) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not least <= value <= most:
        raise refusal("The number is out of range.", least=least, most=most)
    return value


def _plain(codes: Iterable[str], axis: Axis, on: date) -> list[str]:
    return sorted({member for code in codes for member in axis.members(code, on=on)})
