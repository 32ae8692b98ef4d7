"""The algebra of rights and a model of plain sets give the same answers, case after case."""

import csv
import random
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import product
from typing import Any

import pytest

from contracts.rights import algebra, logic, region, rules
from contracts.rights.algebra import RightsBox
from contracts.rights.logic import Span, Verdict
from tests.contracts import campaign
from tests.contracts import rights_cells as cells

FIRST_DAY = date(2027, 3, 1)
DAYS = 4
WAYS = ("original", "dubbed", "subtitled")
Use = tuple[str, str, str, str, int]

Capture = pytest.CaptureFixture[str]


def _below(name: str, parent: str, code: str) -> list[str]:
    """Return the codes inside another, read from the list itself."""
    text = files("contracts.rights").joinpath("data", f"{name}.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines()[1:])
    return [row["code"] for row in rows if row[parent] == code]


EMIRATES = _below("subdivisions", "country", "AE")
PORTUGUESE = [*_below("varieties", "language", "pt"), "pt-x-other"]
# What a code means, as a person would list it.
PLACES = {
    "AE": EMIRATES, "AE-DU": ["AE-DU"], "AE-AZ": ["AE-AZ"],
    "HK": ["HK"], "CN-HK": ["HK"], "MO": ["MO"],
    "HKMT": ["HK", "MO", *_below("subdivisions", "country", "TW")],
}  # fmt: skip
TONGUES = {
    "pt": [f"{tag}:{way}" for tag in PORTUGUESE for way in WAYS],
    "pt:dubbed": [f"{tag}:dubbed" for tag in PORTUGUESE],
    "pt-BR": [f"pt-BR:{way}" for way in WAYS],
    "pt-BR:dubbed": ["pt-BR:dubbed"],
    "pt-PT:subtitled": ["pt-PT:subtitled"],
    "de": [f"de:{way}" for way in WAYS],
    "de:original": ["de:original"],
}
OUTLETS = {
    "broadcasting": {
        "satellite": ["satellite.free", "satellite.pay"],
        "satellite.pay": ["satellite.pay"],
        "free-tv": ["satellite.free", "terrestrial.free", "cable.free"],
        "cable": ["cable.free", "cable.pay"],
        "iptv.pay": ["iptv.pay"],
    },
    "network-transmission": {
        "iptv.pay": ["iptv.pay"],
        "ott.free": ["ott.free"],
        "avod": [f"{one}.free" for one in ("iptv", "cable-vod", "ott", "mobile", "web")],
    },
}


def random_wire(dice: random.Random) -> dict[str, Any]:
    right = dice.choice(list(OUTLETS))
    first = dice.randrange(DAYS)
    return {
        "right": right,
        "media": dice.sample(list(OUTLETS[right]), dice.randint(1, 2)),
        "territories": dice.sample(list(PLACES), dice.randint(1, 3)),
        "excluded": dice.sample(list(PLACES), dice.choice([0, 0, 1])),
        "languages": dice.sample(list(TONGUES), dice.randint(1, 2)),
        "first_day": (FIRST_DAY + timedelta(days=first)).isoformat(),
        "last_day": (FIRST_DAY + timedelta(days=dice.randrange(first, DAYS))).isoformat(),
        "tz": "Asia/Shanghai",
        "exclusivity": dice.choice(["exclusive", "sole", "non-exclusive"]),
        "runs_max": dice.choice([None, 1, 2]),
    }


def uses(wire: dict[str, Any]) -> set[Use]:
    """Return every use that an offer names, a day at a time."""
    places = {leaf for code in wire["territories"] for leaf in PLACES[code]}
    places -= {leaf for code in wire["excluded"] for leaf in PLACES[code]}
    media = {leaf for code in wire["media"] for leaf in OUTLETS[wire["right"]][code]}
    tongues = {leaf for code in wire["languages"] for leaf in TONGUES[code]}
    first, last = (date.fromisoformat(wire[key]) for key in ("first_day", "last_day"))
    days = range((first - FIRST_DAY).days, (last - FIRST_DAY).days + 1)
    return set(product([wire["right"]], media, places, tongues, days))


Offer = tuple[dict[str, Any], RightsBox, set[Use]]


def random_pair(dice: random.Random) -> tuple[Offer, Offer]:
    """Return two offers; every second pair is one offer with a few words changed."""
    one = _offer(dice, random_wire(dice))
    if dice.random() < 0.5:
        return one, _offer(dice, random_wire(dice))
    other = {**random_wire(dice), "right": one[0]["right"], "media": one[0]["media"]}
    kept = [key for key in other if dice.random() < 0.75]
    days = ["first_day", "last_day"] if "first_day" in kept else []
    alike = {key: one[0][key] for key in [*kept, *days] if key != "last_day" or days}
    two = _offer(dice, {**other, **alike})
    return dice.choice([(one, two), (two, one)])


def _offer(dice: random.Random, wire: dict[str, Any]) -> Offer:
    while not uses(wire):
        wire = random_wire(dice)
    return wire, rules.resolve(wire), uses(wire)


def offers_agree(dice: random.Random) -> bool:
    """Compare clashes, meets, covers and the owner's own use of two offers."""
    (one, a, in_a), (two, b, in_b) = random_pair(dice)
    common = in_a & in_b
    keeps_out = {one["exclusivity"], two["exclusivity"]} != {"non-exclusive"}
    strength = ["non-exclusive", "sole", "exclusive"].index
    as_strict = strength(one["exclusivity"]) >= strength(two["exclusivity"])
    runs = one["runs_max"] is None or (two["runs_max"] or 3) <= one["runs_max"]
    met = algebra.overlaps(a, b)
    return (
        (algebra.clashes(a, b) is not None) is (keeps_out and bool(common))
        and (met is not None) is bool(common)
        and algebra.covers(a, b) is (in_b <= in_a and as_strict and runs)
        and algebra.owner_may_use(a, b) is not (one["exclusivity"] == "exclusive" and bool(common))
        and (met is None or _volume(met) == len(common))
    )


def _volume(box: RightsBox) -> int:
    width = box.media.bit_count() * box.territories.bit_count() * box.languages.bit_count()
    return width * (box.window.end - box.window.start).days


def regions_agree(dice: random.Random) -> bool:
    """Compare join, meet, minus, covers, equality and boxes of two regions."""
    one, two = cells.random_pair(dice)
    a, b = region.of(one), region.of(two)
    in_a, in_b = cells.of_boxes(one), cells.of_boxes(two)
    joined, met, left = region.join(a, b), region.meet(a, b), region.minus(a, b)
    boxes = region.boxes(left)
    return (
        cells.of_region(joined) == in_a | in_b
        and cells.of_region(met) == in_a & in_b
        and cells.of_boxes(boxes) == in_a - in_b
        and sum(len(cells.of_boxes([box])) for box in boxes) == len(in_a - in_b)
        and region.covers(a, b) is (in_b <= in_a)
        and (a == b) is (in_a == in_b)
        and region.of(boxes) == left
        and all(not one or region.is_normal(one) for one in (a, joined, met, left))
    )


def spans_agree(dice: random.Random) -> bool:
    """Compare the verdict on two spans with every way their unknown ends may turn out."""
    a, b = [_bounds(dice) for _ in range(2)], [_bounds(dice) for _ in range(2)]
    outcomes = {
        any(s <= tick < e and t <= tick < f for tick in range(-1, DAYS + 2))
        for s, e, t, f in product(*map(_range, (*a, *b)))
    }
    verdict = logic.meets(_span(a), _span(b))
    expected = {frozenset([True]): Verdict.CONFLICT, frozenset([False]): Verdict.COMPATIBLE}
    return verdict is expected.get(frozenset(outcomes), Verdict.UNKNOWN)


Bounds = tuple[int | None, int | None]


def _bounds(dice: random.Random) -> Bounds:
    if dice.random() < 0.5:
        fixed = dice.randint(0, DAYS)
        return fixed, fixed
    low, high = sorted([dice.randint(0, DAYS), dice.randint(0, DAYS)])
    return dice.choice([(low, high), (low, None), (None, high), (None, None)])


def _range(bounds: Bounds) -> range:
    low, high = bounds
    return range(-1 if low is None else low, (DAYS + 2 if high is None else high) + 1)


def _span(ends: list[Bounds]) -> Span:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    (a, b), (c, d) = ends
    said = [None if one is None else start + timedelta(days=one) for one in (a, b, c, d)]
    return Span(*said)


def test_regions_and_sets_of_cells_agree(capsys: Capture) -> None:
    campaign.play("regions", regions_agree, campaign.size(2_000, 100_000), capsys)


def test_offers_and_sets_of_uses_agree(capsys: Capture) -> None:
    campaign.play("offers", offers_agree, campaign.size(1_000, 40_000), capsys)


def test_spans_and_all_their_completions_agree(capsys: Capture) -> None:
    campaign.play("spans", spans_agree, campaign.size(1_000, 40_000), capsys)
