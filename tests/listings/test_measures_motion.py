"""Black, frozen and flashing pictures; parts in any order and grouping."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listings.masters.measures import collect, flashes, motion, packing, stretches
from listings.masters.measures.samples import Coding, Luma, Patches, Samples, Strobe

SDR = Coding(8, "bt709", "bt709", "tv", "bt709")
HLG = Coding(10, "arib-std-b67", "bt2020", "tv", "bt2020nc")
RNG = np.random.default_rng(4)
GRAIN = RNG.integers(60, 200, (90, 160), dtype=np.uint8)
BLACK = np.zeros((90, 160), np.uint8)


def moving(count, seed=0):
    return np.random.default_rng(seed).integers(30, 255, (count, 90, 160), dtype=np.uint8)


def series(*pictures):
    return [motion.motion_of(Luma(np.concatenate(pictures)))]


def still(picture, count):
    return np.repeat(picture[None], count, axis=0)


def strobe(values, rate=50, first=0, coding=SDR, area=1.0):
    """Return a picture of grey 100 of which a share shows these luma codes."""
    planes = np.full((len(values), 3, 36, 64), 128, np.uint8)
    planes[:, 0] = 100
    planes[:, 0, :, : round(64 * area)] = np.asarray(values)[:, None, None]
    return Strobe(planes, first, (rate, 1), coding)


def square(hertz, rate=50, seconds=3, low=40, high=200):
    at = np.arange(rate * seconds)
    return np.where((at * 2 * hertz // rate) % 2 == 0, low, high)


def flashing(*args, **kwargs):
    return flashes.flash_ms([flashes.series_of(strobe(*args, **kwargs))])


def test_two_seconds_of_black_are_found_and_less_is_not():
    assert motion.black_ms(series(moving(10), still(BLACK, 20), moving(10))) == [[1000, 3000]]
    assert motion.black_ms(series(moving(10), still(BLACK, 19), moving(10))) == []


def test_a_black_picture_may_have_a_small_light():
    lit = BLACK.copy()
    lit[:5, :28] = 255
    assert motion.black_ms(series(still(lit, 20))) == [[0, 2000]]
    lit[:5, :100] = 255
    assert motion.black_ms(series(still(lit, 20))) == []


def test_a_picture_that_stands_still_is_frozen_and_a_black_one_is_not():
    frozen = series(moving(10), still(GRAIN, 25), still(BLACK, 25), moving(5))
    assert motion.freeze_ms(frozen) == [[1000, 3500]]


def test_the_grain_of_a_quiet_camera_is_no_freeze():
    # One code value at full size is a 24th of one where 24 by 24 samples make one.
    exact = RNG.uniform(60, 200, (90, 160)) + RNG.normal(0, 1 / 24, (40, 90, 160))
    assert motion.freeze_ms(series(np.rint(exact).astype(np.uint8))) == []


def test_what_flickers_by_a_step_here_and_there_is_still_frozen():
    pictures = still(GRAIN, 30)
    pictures[::3, 0, :50] += 1
    assert motion.freeze_ms(series(pictures)) == [[0, 3000]]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=120))
def test_black_and_frozen_stretches_never_overlap(kinds):
    pictures = [(BLACK, GRAIN, moving(1, at)[0])[kind] for at, kind in enumerate(kinds)]
    found = series(np.stack(pictures))
    both = sorted(motion.black_ms(found) + motion.freeze_ms(found))
    assert all(start < end for start, end in both)
    assert all(one[1] <= other[0] for one, other in pairwise(both))


spans = st.lists(
    st.tuples(st.integers(0, 500), st.integers(1, 90)).map(lambda at: [at[0], at[0] + at[1]]),
    max_size=12,
)


@given(spans, spans)
def test_what_is_taken_away_is_gone_and_the_rest_stays(these, those):
    these, those = stretches.united(these), stretches.united(those)
    left = stretches.without(these, those)
    for at in range(600):
        here, gone, stays = (
            any(start <= at < end for start, end in among) for among in (these, those, left)
        )
        assert stays == (here and not gone)


@pytest.mark.parametrize(("hertz", "told"), [(3, False), (3.5, True), (5, True), (12.5, True)])
def test_more_than_three_flashes_a_second_are_told(hertz, told):
    assert bool(flashing(square(hertz))) is told


def test_flashes_are_counted_and_placed():
    quiet = np.full(50, 150)
    [[start, end, count]] = flashing(np.concatenate([quiet, square(5, seconds=2), quiet]))
    assert (start, count) == (1000, 5)
    assert 2_900 <= end <= 3_340  # a change is looked for a third of a second


@pytest.mark.parametrize(("area", "told"), [(0.22, False), (0.28, True)])
def test_flashes_on_less_than_a_quarter_of_the_picture_are_not_told(area, told):
    assert bool(flashing(square(5), area=area)) is told


def test_a_small_change_of_light_is_no_flash():
    assert flashing(square(5, low=150, high=160)) == []


def test_a_change_between_two_bright_pictures_is_no_flash_in_hdr():
    # HLG 0.75 (203 cd/m²) and 0.85: both above 160 cd/m².
    assert flashing(square(5, low=180, high=202), coding=HLG) == []
    assert flashing(square(5, low=100, high=202), coding=HLG) != []


def test_a_cut_a_second_is_no_flash():
    assert flashing(square(0.5, seconds=6)) == []


def test_a_panning_texture_is_no_flash():
    texture = np.random.default_rng(1).integers(20, 230, (36, 64 + 150), dtype=np.uint8)
    planes = np.full((150, 3, 36, 64), 128, np.uint8)
    planes[:, 0] = np.stack([texture[:, at : at + 64] for at in range(150)])
    assert flashes.flash_ms([flashes.series_of(Strobe(planes, 0, (50, 1), SDR))]) == []


def test_saturated_red_that_comes_and_goes_is_told_apart_from_light():
    planes = np.full((150, 3, 36, 64), 128, np.uint8)
    on = square(5) == 200
    planes[on, 0], planes[on, 1], planes[on, 2] = 63, 102, 240  # BT.709 red
    planes[~on, 0] = 118  # a grey of the same light
    found = [flashes.series_of(Strobe(planes, 0, (50, 1), SDR))]
    assert flashes.flash_ms(found) == []
    assert [count for *_, count in flashes.red_flash_ms(found)] == [5]


def test_flashes_need_no_more_than_the_frames_of_a_slow_film():
    assert flashing(square(5, rate=24), rate=24) != []
    assert flashing(square(5, rate=120), rate=120) != []


LENGTH = 23
COUNT = 7


def piece(at, size, *, seed):
    """Return the part of `size` small pictures from number `at` of one and the same film."""
    rng = np.random.default_rng(seed)
    luma = rng.integers(0, 255, (LENGTH, 90, 160), dtype=np.uint8)
    luma[5:15] = luma[5]
    small = np.full((LENGTH * 2, 3, 36, 64), 128, np.uint8)
    small[:, 0] = rng.integers(20, 230, (LENGTH * 2, 1, 1))
    planes = rng.integers(0, 1024, (LENGTH, 3, 4, 4)).astype(np.uint16)
    crops = rng.integers(0, 1024, (LENGTH, 16, 16)).astype(np.uint16)
    at_ms = tuple(range(at * 1000, (at + size) * 1000, 1000))
    here = slice(at, at + size)
    return collect.part_of(
        frames=size,
        decode_errors=at % 2,
        luma=Luma(luma[here], at),
        samples=Samples(planes[here], at_ms, HLG),
        patches=Patches(crops[here], at_ms, HLG),
        strobe=Strobe(small[2 * at : 2 * (at + size)], 2 * at, (20, 1), HLG),
        every_frame=[f"frame:{n} pts:0 pts_time:{n}" for n in range(at, at + size)],
    )


def result(part):
    return collect.measures(part, tier="full", sound=[])


def same(one, other):
    assert result(one) == result(other)
    assert packing.packed(one) == packing.packed(other)


cuts = st.sets(st.integers(1, LENGTH - 1), max_size=COUNT).map(sorted)


@settings(max_examples=12)
@given(cuts, st.randoms(use_true_random=False), st.integers(0, 9))
def test_parts_in_any_order_and_grouping_give_what_the_whole_gives(cut, shuffled, seed):
    edges = [0, *cut, LENGTH]
    parts = [piece(at, end - at, seed=seed) for at, end in pairwise(edges)]
    shuffled.shuffle(parts)
    while len(parts) > 1:
        one, other = parts.pop(), parts.pop()
        parts.insert(shuffled.randint(0, len(parts)), collect.merged([one, other]))
    whole = piece(0, LENGTH, seed=seed)
    found, wanted = result(parts[0]), result(whole)
    assert {**found, "decode_errors": 0} == {**wanted, "decode_errors": 0}


@settings(max_examples=12)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 9))
def test_merging_is_associative(one, other, seed):
    first, second = sorted((one, other + 1))
    if first == second:
        second += 1
    parts = [
        piece(at, end - at, seed=seed)
        for at, end in ((0, first), (first, second), (second, LENGTH))
    ]
    left = collect.merged([collect.merged(parts[:2]), parts[2]])
    right = collect.merged([parts[0], collect.merged(parts[1:])])
    same(left, right)


def test_nothing_merges_to_nothing():
    part = piece(3, 4, seed=1)
    same(collect.merged([collect.merged([]), part, collect.merged([])]), collect.merged([part]))
    assert result(collect.merged([]))["real_bits"] is None


def test_a_missing_piece_is_no_freeze():
    picture = still(GRAIN, 15)
    parts = [
        collect.part_of(frames=15, decode_errors=0, luma=Luma(picture, first)) for first in (0, 20)
    ]
    assert collect.measures(collect.merged(parts), tier="sampled", sound=[])["freeze_ms"] == []


@settings(max_examples=12)
@given(st.integers(1, LENGTH - 1), st.integers(0, 9))
def test_a_packed_part_is_the_same_part(at, seed):
    part = piece(at, LENGTH - at, seed=seed)
    same(packing.unpacked(packing.packed(part)), part)


def test_what_was_not_measured_is_none():
    part = collect.part_of(frames=0, decode_errors=0, luma=Luma(BLACK[None][:0]))
    found = collect.measures(part, tier="sampled", sound=[])
    unknown = {name for name, value in found.items() if value is None}
    assert unknown == {
        "black_ms", "freeze_ms", "ti_x100", "interlaced_bp", "flash_ms", "red_flash_ms", "active",
        "wide_pictures_bp", "hdr_pictures_bp", "upscaled_bp", "real_bits", "every_frame",
    }  # fmt: skip


def test_a_long_piece_is_measured_like_its_parts(monkeypatch):
    grey, small = moving(40), strobe(np.random.default_rng(5).integers(20, 230, 90))
    whole = motion.motion_of(Luma(grey)), flashes.series_of(small)
    monkeypatch.setattr(motion, "CHUNK", 7)
    monkeypatch.setattr(flashes, "CHUNK", 7)
    again = motion.motion_of(Luma(grey)), flashes.series_of(small)
    for one, other in zip(whole, again, strict=True):
        for name in one.__slots__:
            assert np.array_equal(getattr(one, name), getattr(other, name)) or name == "coding"
