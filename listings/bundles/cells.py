"""Cells: what a listing offers, cut along every boundary a package may use (pure).

A cell is one right by some media in some territories for one span of days: one wire, within one of
the listing's. The cells of a listing hold together exactly what it offers, and no two overlap. A
cell that is offered as 独占 or 排他 may be offered as 普通 too (`non_exclusive`): the two are items
of one *space*, of which either the one is sold or the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from contracts.refusal import Kind, Refusal
from contracts.rights import axes, merging, region, rules, vocabulary
from contracts.rights.algebra import Exclusivity
from contracts.rights.region import Box
from contracts.rights.wording import Language

MOST_CELLS = 512
SHARED = "n"  # the ending of the code of a cell's non-exclusive item
_DAY = timedelta(days=1)


class BadCuts(Refusal):
    """The cuts of a package auction leave too many cells, or do not lie within what is offered."""

    kind, code = Kind.INVALID, "bad-cuts"
    hint = f"Cut into {MOST_CELLS} cells at most, at territories, media and days that are offered."


@dataclass(frozen=True, slots=True)
class _Part:
    """A cell before it has a code: the wire it lies in, and the cell itself as a wire."""

    of: int
    wire: dict[str, Any]


def listed(rights: Sequence[Mapping[str, Any]], terms: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the cells of a listing as the rulebook states them.

    Args:
        rights: the listing's rights in their normal form, which do not overlap.
        terms: the auction's terms, of which `cuts`, `non_exclusive`, `reserve_minor` and `reserves`
            are read. Where no territories are cut, each that the listing names is.

    Raises:
        BadCuts: too many cells; a day at which nothing is cut; a reserve for no cell.
        UnknownTerritory, UnknownMedium: a code of the cuts is not kept.
    """
    parts = [_Part(of, wire) for of, one in enumerate(rights) for wire in _cut(one, terms["cuts"])]
    items = [item for place, part in enumerate(parts) for item in _items(place + 1, part, terms)]
    if len(items) > MOST_CELLS:
        raise BadCuts("There are too many cells.", most=MOST_CELLS, cells=len(items))
    odd = sorted(set(terms["reserves"]) - {item["code"] for item in items})
    if odd:
        raise BadCuts("A reserve names no cell.", cells=odd[:10])
    _check_days(rights, terms["cuts"]["days"])
    return items


def rights(cells: Sequence[Mapping[str, Any]], codes: Iterable[str]) -> list[dict[str, Any]]:
    """Return the rights of some cells as few wires, each within one of the listing's."""
    wanted = set(codes)
    found: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for cell in cells:
        if cell["code"] in wanted:
            found.setdefault((cell["of"], cell["exclusivity"]), []).append(cell["right"])
    return [wire for wires in found.values() for wire in _merged(wires)]


def name(cell: Mapping[str, Any], language: Language) -> str:
    """Return a cell in words: what, where, when, and how."""
    what, where, when = (part(cell, language) for part in (right_name, place_name, days))
    how = mode_name(cell["exclusivity"], language)
    return " · ".join((what, where, when, how))


def right_name(cell: Mapping[str, Any], language: Language) -> str:
    """Return the right of a cell and its media."""
    wire = cell["right"]
    media = [getattr(vocabulary.OUTLETS[code], language) for code in wire["media"]]
    right = getattr(vocabulary.RIGHTS[wire["right"]], language)
    return f"{right}（{'、'.join(media)}）" if language == "zh" else f"{right} ({', '.join(media)})"


def place_name(cell: Mapping[str, Any], language: Language) -> str:
    """Return where a cell lies."""
    wire = cell["right"]
    join = "、" if language == "zh" else ", "
    places, without = (
        join.join(getattr(vocabulary.PLACES[code], language) for code in wire[key])
        for key in ("territories", "excluded")
    )
    if not without:
        return places
    return f"{places}（不含{without}）" if language == "zh" else f"{places} (without {without})"


def days(cell: Mapping[str, Any], language: Language) -> str:
    """Return the days of a cell, both included."""
    first, last = cell["right"]["first_day"], cell["right"]["last_day"]
    return f"{first}至{last}" if language == "zh" else f"{first} to {last}"


def mode_name(exclusivity: str, language: Language) -> str:
    """Return how a cell is licensed."""
    zh, en = {"exclusive": ("独占", "exclusive"), "sole": ("排他", "sole")}.get(
        exclusivity, ("普通", "non-exclusive")
    )
    return zh if language == "zh" else en


def _cut(wire: Mapping[str, Any], cuts: Mapping[str, Any]) -> list[dict[str, Any]]:
    box, on = rules.resolve(wire), date.fromisoformat(wire["first_day"])
    told = cuts["territories"]
    groups = [[code] for code in wire["territories"]] if told is None else told
    places = _classes(box.territories, [axes.TERRITORIES.mask(group, on=on) for group in groups])
    media = _classes(box.media, [axes.MEDIA.mask(group, on=on) for group in cuts["media"]])
    spans = _spans(wire, cuts["days"])
    return [
        _written(wire, media=ways, territories=place, first=first, last=last)
        for ways in media
        for place in places
        for first, last in spans
    ]


def _written(
    wire: Mapping[str, Any], *, media: int, territories: int, first: date, last: date
) -> dict[str, Any]:
    included, left_out = axes.TERRITORIES.said(territories)
    return {
        **wire,
        "media": sorted(axes.MEDIA.codes(media)),
        "territories": sorted(included),
        "excluded": sorted(left_out),
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
    }


def _classes(whole: int, groups: Iterable[int]) -> list[int]:
    """Return the parts of a mask that the groups tell apart, in the order of their lowest leaf."""
    parts = [whole]
    for group in groups:
        parts = [part for one in parts for part in (one & group, one & ~group) if part]
    return sorted(parts, key=lambda mask: mask & -mask)


def _spans(wire: Mapping[str, Any], cut_days: Iterable[str]) -> list[tuple[date, date]]:
    first, last = (date.fromisoformat(wire[key]) for key in ("first_day", "last_day"))
    inside = sorted({day for day in map(date.fromisoformat, cut_days) if first < day <= last})
    starts = [first, *inside]
    return list(zip(starts, [*(day - _DAY for day in inside), last], strict=True))


def _items(number: int, part: _Part, terms: Mapping[str, Any]) -> list[dict[str, Any]]:
    offered = part.wire["exclusivity"]
    is_shared = offered == Exclusivity.NON_EXCLUSIVE.value
    twin = terms["non_exclusive"]
    code = f"c{number:03}"
    items = [
        {
            "code": code,
            "space": number,
            "of": part.of,
            "exclusivity": offered,
            "copies": (twin["copies"] if twin else None) if is_shared else 1,
            "reserve_minor": terms["reserves"].get(code, terms["reserve_minor"]),
            "right": part.wire,
        }
    ]
    if twin and not is_shared:
        shared = Exclusivity.NON_EXCLUSIVE.value
        own = {"code": code + SHARED, "exclusivity": shared, "copies": twin["copies"]}
        reserve = terms["reserves"].get(code + SHARED, twin["reserve_minor"])
        right = {**part.wire, "exclusivity": shared}
        items.append({**items[0], **own, "reserve_minor": reserve, "right": right})
    return items


def _check_days(rights: Sequence[Mapping[str, Any]], cut_days: Iterable[str]) -> None:
    idle = [day for day in cut_days if all(len(_spans(wire, [day])) == 1 for wire in rights)]
    if idle:
        raise BadCuts("A day cuts nothing: no window holds it and the day before.", days=idle[:10])


def _merged(wires: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return wires that differ in media, territories and days alone as few wires."""
    boxes = [_box(wire) for wire in wires]
    return [
        _written(
            wires[0],
            media=box.uses,
            territories=box.territories,
            first=date.fromordinal(box.start),
            last=date.fromordinal(box.end - 1),
        )
        for box in merging.largest(region.of(boxes))
    ]


def _box(wire: Mapping[str, Any]) -> Box:
    """Return a wire as a box whose uses are media and whose instants are days."""
    box = rules.resolve(wire)
    first, last = (date.fromisoformat(wire[key]).toordinal() for key in ("first_day", "last_day"))
    return Box(1, box.media, box.territories, 1, first, last + 1)
