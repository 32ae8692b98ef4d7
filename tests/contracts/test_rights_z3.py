"""A theorem prover gives the same verdicts on rights: no use that one has and the other overlooks.

A use is a point of symbolic integers: the leaf on each axis, the instant, the number of its run,
and how many others it keeps out. Whether two rights clash, cover or leave something is then whether
a formula can be met at all, which z3 decides without any of the algebra.
"""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
import z3

from contracts.rights import algebra, logic, region, vocabulary
from contracts.rights.algebra import Exclusivity, RightsBox
from contracts.rights.logic import Span, Verdict
from contracts.rights.region import Box
from tests.contracts import campaign
from tests.contracts import rights_cells as cells
from tests.contracts.test_rights_cells import DAYS, random_pair

PAIRS = campaign.size(60, 1_200)
START = datetime(2027, 1, 1, tzinfo=UTC)
RIGHT, MEDIUM, TERRITORY, LANGUAGE, INSTANT, RUN, LEVEL = z3.Ints("right m t l instant run level")
UNIT, USE = z3.Ints("unit use")
STRENGTH = {Exclusivity.NON_EXCLUSIVE: 0, Exclusivity.SOLE: 1, Exclusivity.EXCLUSIVE: 2}

Capture = pytest.CaptureFixture[str]


def possible(*formulas: z3.BoolRef) -> bool:
    """Tell whether there is anything of which all formulas hold."""
    solver = z3.Solver()
    solver.add(*formulas)
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.sat)


def within(place: z3.ArithRef, mask: int) -> z3.BoolRef:
    """Say that a leaf is one of a mask, stretch by stretch."""
    return z3.Or([z3.And(low <= place, place < high) for low, high in _stretches(mask)])


def _stretches(mask: int) -> Iterator[tuple[int, int]]:
    low = 0
    while mask >> low:
        if mask >> low & 1:
            high = low
            while mask >> high & 1:
                high += 1
            yield low, high
            low = high
        else:
            low += 1


def used(box: RightsBox) -> z3.BoolRef:
    """Say that a use lies in a right."""
    return z3.And(
        vocabulary.RIGHTS[box.right].number == RIGHT,
        within(MEDIUM, box.media),
        within(TERRITORY, box.territories),
        within(LANGUAGE, box.languages),
        _hours(box.window.start) <= INSTANT,
        _hours(box.window.end) > INSTANT,
    )


def allowed(box: RightsBox) -> z3.BoolRef:
    """Say that a right allows the use for that run, and keeps others out to that level."""
    runs = box.runs_max >= RUN if box.runs_max else True
    return z3.And(used(box), RUN >= 1, runs, LEVEL >= 0, STRENGTH[box.exclusivity] >= LEVEL)


def _hours(instant: datetime) -> int:
    return int((instant - START).total_seconds()) // 3600


def offers_agree(dice: random.Random) -> bool:
    """Compare clashes, covers, meets and the owner's own use of two offers."""
    (_, a, _), (_, b, _) = random_pair(dice)
    kept_out = STRENGTH[a.exclusivity] + STRENGTH[b.exclusivity] > 0
    shut = possible(used(a), used(b), STRENGTH[a.exclusivity] == LEVEL, LEVEL == 2)
    met = algebra.overlaps(a, b)
    same = met is None or not possible(z3.Xor(used(met), z3.And(used(a), used(b))))
    return (
        (algebra.clashes(a, b) is not None) is (kept_out and possible(used(a), used(b)))
        and algebra.covers(a, b) is not possible(allowed(b), z3.Not(allowed(a)))
        and algebra.owner_may_use(a, b) is not shut
        and (met is not None) is possible(used(a), used(b))
        and same
    )


def held(boxes: Iterable[Box]) -> z3.BoolRef:
    """Say that a cell lies in one of some boxes."""
    return z3.Or(
        [
            z3.And(
                within(UNIT, box.units), within(USE, box.uses), within(TERRITORY, box.territories),
                within(LANGUAGE, box.languages), box.start <= INSTANT, box.end > INSTANT,
            )
            for box in boxes
        ]
    )  # fmt: skip


def regions_agree(dice: random.Random) -> bool:
    """Compare the meet, the difference, covering and equality of two regions."""
    one, two = cells.random_pair(dice)
    a, b, in_a, in_b = region.of(one), region.of(two), held(one), held(two)
    left, both = region.boxes(region.minus(a, b)), region.boxes(region.meet(a, b))
    return (
        not possible(z3.Xor(held(left), z3.And(in_a, z3.Not(in_b))))
        and not possible(z3.Xor(held(both), z3.And(in_a, in_b)))
        and not possible(z3.Xor(held(region.boxes(region.join(a, b))), z3.Or(in_a, in_b)))
        and region.covers(a, b) is not possible(in_b, z3.Not(in_a))
        and (a == b) is not possible(z3.Xor(in_a, in_b))
    )


def windows_agree(dice: random.Random) -> bool:
    """Compare the verdict on two rights whose windows may wait for an event."""
    (_, a, _), (_, b, _) = random_pair(dice)
    ends = [[_bounds(dice) for _ in range(2)] for _ in range(2)]
    verdict = logic.both(
        logic.of(algebra.overlaps(_timeless(a), _timeless(b)) is not None),
        logic.meets(_span(ends[0]), _span(ends[1])),
    )
    named = z3.Ints("s e t f")
    known = [
        condition
        for end, (low, high) in zip(named, (*ends[0], *ends[1]), strict=True)
        for condition in (low is None or low <= end, high is None or end <= high)
    ]
    s, e, t, f = named
    shared = z3.And(s <= INSTANT, e > INSTANT, t <= INSTANT, f > INSTANT)
    in_both = possible(_anywhen(a), _anywhen(b))
    if not (in_both and possible(*known, shared)):
        return verdict is Verdict.COMPATIBLE
    avoidable = possible(*known, z3.ForAll([INSTANT], z3.Not(shared)))
    return verdict is (Verdict.UNKNOWN if avoidable else Verdict.CONFLICT)


def _anywhen(box: RightsBox) -> z3.BoolRef:
    return z3.And(
        vocabulary.RIGHTS[box.right].number == RIGHT,
        within(MEDIUM, box.media),
        within(TERRITORY, box.territories),
        within(LANGUAGE, box.languages),
    )


def _timeless(box: RightsBox) -> RightsBox:
    whole = type(box.window)(START, START + timedelta(days=9))
    return RightsBox(
        box.right, box.media, box.territories, box.languages, whole, box.exclusivity, box.runs_max
    )


Bounds = tuple[int | None, int | None]


def _bounds(dice: random.Random) -> Bounds:
    if dice.random() < 0.5:
        fixed = dice.randint(0, DAYS)
        return fixed, fixed
    low, high = sorted([dice.randint(0, DAYS), dice.randint(0, DAYS)])
    return dice.choice([(low, high), (low, None), (None, high)])


def _span(ends: list[Bounds]) -> Span:
    (a, b), (c, d) = ends
    return Span(*(None if one is None else START + timedelta(days=one) for one in (a, b, c, d)))


def test_a_prover_gives_the_same_verdicts_on_pairs_of_offers(capsys: Capture) -> None:
    campaign.play("z3, offers", offers_agree, PAIRS, capsys)


def test_a_prover_gives_the_same_verdicts_on_pairs_of_regions(capsys: Capture) -> None:
    campaign.play("z3, regions", regions_agree, PAIRS, capsys)


def test_a_prover_gives_the_same_verdicts_on_windows_that_wait_for_an_event(
    capsys: Capture,
) -> None:
    campaign.play("z3, windows", windows_agree, PAIRS, capsys)


def test_the_prover_is_asked_about_every_leaf_of_a_mask() -> None:
    for mask in (0b1, 0b1011, 0b110, 1 << 4000 | 0b11):
        stretches = [range(low, high) for low, high in _stretches(mask)]
        assert [place for one in stretches for place in one] == cells.leaves(mask)
    assert not any(possible(within(UNIT, a), within(UNIT, b)) for a, b in product([1, 2], [4, 8]))
