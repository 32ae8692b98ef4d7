"""The numeric anchors of HLG, PQ and BT.2020, and what a picture is told to show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.masters.measures import levels, light, pictures
from listings.masters.measures.samples import Coding, Samples

HLG = Coding(10, "arib-std-b67", "bt2020", "tv", "bt2020nc")
PQ = Coding(10, "smpte2084", "bt2020", "tv", "bt2020nc")
SDR = Coding(8, "bt709", "bt709", "tv", "bt709")
SHARES = ("r103_bp", "illegal_bp", "wide_bp", "bright_bp", "low_bits_bp")


def picture(planes, coding=HLG):
    [found] = pictures.pictures_of(Samples(planes[None].astype(np.uint16), (0,), coding))
    return found


def grey(code, size=(100, 100)):
    planes = np.full((3, *size), 512, np.uint16)
    planes[0] = code
    return planes


def coded(linear, coding, *, matrix=(0.2627, 0.0593)):
    """Return 10-bit narrow-range codes of linear BT.2020 light in HLG, shape (3, h, w)."""
    assert coding.transfer == "arib-std-b67"
    twelve = 12 * linear
    upper = light.HLG_A * np.log(np.maximum(twelve - light.HLG_B, 1e-9)) + light.HLG_C
    signal = np.where(linear <= 1 / 12, np.sqrt(3 * np.maximum(linear, 0)), upper)
    red, blue = matrix
    luma = red * signal[0] + (1 - red - blue) * signal[1] + blue * signal[2]
    cb, cr = (signal[2] - luma) / (2 - 2 * blue), (signal[0] - luma) / (2 - 2 * red)
    return np.rint(np.stack([64 + 876 * luma, 512 + 896 * cb, 512 + 896 * cr]))


@pytest.mark.parametrize(("signal", "cd"), [(0.75, 203.15), (0.5, 50.70), (1.0, 1000.0)])
def test_hlg_gives_the_light_that_the_standard_gives(signal, cd):
    scene = light.hlg_linear(np.array([signal], np.float32))
    assert light.hlg_light(scene)[0] == pytest.approx(cd, abs=0.01)


def pq_signal(of: float) -> float:
    """The PQ signal of cd/m²: the inverse EOTF of BT.2100 table 4."""
    root = (of / light.PQ_PEAK) ** light.PQ_M1
    whole = light.PQ_C1 + light.PQ_C2 * root
    return float((whole / (1 + light.PQ_C3 * root)) ** light.PQ_M2)


@pytest.mark.parametrize(("cd", "signal", "code"), [(203, 0.58069, 573), (1000, 0.75183, 723)])
def test_pq_gives_the_signal_that_the_standard_gives(cd, signal, code):
    assert pq_signal(cd) == pytest.approx(signal, abs=5e-6)
    assert light.code(pq_signal(cd)) == code
    assert light.pq_light(np.array([signal], np.float32))[0] == pytest.approx(cd, rel=1e-4)


def test_three_quarters_of_hlg_is_code_721():
    assert light.code(0.75) == 721


def test_the_matrix_to_bt709_is_made_of_the_two_sets_of_primaries():
    def to_xyz(primaries):
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
        white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
        return columns * np.linalg.solve(columns, white)

    wide = to_xyz([(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)])
    narrow = to_xyz([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)])
    assert np.allclose(light.TO_709, np.linalg.solve(narrow, wide), atol=2e-6)


def test_white_stays_white_from_one_gamut_to_the_other():
    assert np.allclose(light.TO_709.sum(axis=1), 1, atol=2e-6)


def test_r103_prefers_20_to_984_of_ten_bits():
    ends = {code: picture(grey(code))["r103_bp"] for code in (19, 20, 984, 985)}
    assert ends == {19: 10_000, 20: 0, 984: 0, 985: 10_000}


def test_codes_4_to_1019_of_ten_bits_are_legal():
    ends = {code: picture(grey(code))["illegal_bp"] for code in (3, 4, 1019, 1020)}
    assert ends == {3: 10_000, 4: 0, 1019: 0, 1020: 10_000}


def test_an_illegal_code_counts_in_the_colour_planes_too():
    planes = grey(500)
    planes[2, :10] = 1023
    assert picture(planes)["illegal_bp"] == 1_000


def test_a_grey_ramp_in_hlg_has_no_wide_picture():
    ramp = np.tile(np.arange(64, 941), (100, 1))
    found = picture(grey(ramp, ramp.shape))
    assert found["wide_bp"] == 0
    assert pictures.is_wide(found) is False


def test_a_grey_brighter_than_1000_cd_in_pq_is_light_and_no_colour():
    found = picture(grey(900), PQ)
    assert found["peak_cd100"] > 400_000
    assert found["wide_bp"] == 0


@pytest.mark.parametrize(("rows", "wide"), [(1, True), (0, False)])
def test_pure_bt2020_green_on_a_hundredth_makes_a_picture_wide(rows, wide):
    linear = np.full((3, 100, 100), 0.2)
    linear[:, :rows] = np.array([0, 1, 0])[:, None, None]
    assert pictures.is_wide(picture(coded(linear, HLG))) is wide


@pytest.mark.parametrize(("columns", "bright"), [(10, True), (9, False)])
def test_a_window_just_above_203_cd_flips_at_a_hundredth_of_the_picture(columns, bright):
    planes = grey(64, (100, 1000))
    planes[0, :, :columns] = 721
    found = picture(planes)
    assert found["bright_bp"] == columns * 10
    assert pictures.is_bright(found) is bright


def test_a_bright_picture_without_contrast_has_no_high_dynamic_range():
    found = picture(grey(800))
    assert found["bright_bp"] == 10_000
    assert pictures.is_bright(found) is False


@given(st.integers(0, 2**32 - 1))
def test_whatever_bt709_can_show_is_not_wide_when_it_is_converted(seed):
    narrow = np.random.default_rng(seed).random((3, 20, 20))
    linear = np.einsum("ij,jhw->ihw", np.linalg.inv(light.TO_709.astype(np.float64)), narrow)
    signal = np.where(
        linear <= 1 / 12,
        np.sqrt(3 * np.maximum(linear, 0)),
        light.HLG_A * np.log(np.maximum(12 * linear - light.HLG_B, 1e-9)) + light.HLG_C,
    )
    again, _ = light.light_of(signal.astype(np.float32), HLG)
    assert not light.beyond_709(again).any()


def test_sdr_has_no_share_of_wide_or_bright_pictures():
    found = picture(np.full((3, 10, 10), 128), SDR)
    assert [found[name] for name in ("wide_bp", "bright_bp", "contrast")] == [None] * 3
    assert found["peak_cd100"] == found["mean_cd100"] > 0


def test_an_unknown_transfer_leaves_the_light_unknown():
    found = picture(grey(500), Coding(10))
    assert found["peak_cd100"] is found["bright_bp"] is found["wide_bp"] is None
    assert found["r103_bp"] == 0


def test_nominal_white_of_sdr_is_100_cd():
    assert picture(np.stack([np.full((9, 9), 235), *[np.full((9, 9), 128)] * 2]), SDR)[
        "peak_cd100"
    ] == pytest.approx(10_000, abs=1)


def test_one_pixel_in_ten_thousand_makes_no_peak():
    planes = grey(400, (200, 200))
    planes[0, 0, :4] = 940
    assert picture(planes)["y_most"] == 400
    planes[0, 0, :5] = 940
    assert picture(planes)["y_most"] == 940


def test_black_of_full_range_is_code_nought():
    full = Coding(10, "arib-std-b67", "bt2020", "pc", "bt2020nc")
    found = picture(grey(0), full)
    assert found["peak_cd100"] == 0
    assert found["illegal_bp"] is None


@given(st.integers(0, 2**32 - 1), st.sampled_from([HLG, PQ]))
def test_shares_stay_within_a_whole(seed, coding):
    planes = np.random.default_rng(seed).integers(0, 1024, (3, 12, 16))
    found = picture(planes, coding)
    assert all(0 <= found[name] <= 10_000 for name in SHARES)
    assert found["y_least"] <= found["y_most"]


@given(st.integers(0, 2**32 - 1), st.sampled_from([HLG, PQ]))
def test_the_same_picture_in_twelve_bits_has_the_same_shares(seed, coding):
    planes = np.random.default_rng(seed).integers(0, 1024, (3, 12, 16))
    deep = Coding(12, coding.transfer, coding.primaries, coding.range, coding.matrix)
    ten, twelve = picture(planes, coding), picture(planes * 4, deep)
    assert [ten[name] for name in SHARES[2:4]] == [twelve[name] for name in SHARES[2:4]]
    assert ten["illegal_bp"] == twelve["illegal_bp"]
    assert abs(ten["peak_cd100"] - twelve["peak_cd100"]) <= 1


def test_a_padded_picture_uses_eight_bits():
    ramp = np.repeat(np.arange(16, 235), 100)
    assert levels.real_bits(levels.histogram((ramp * 4).astype(np.uint16), 10), 10) == 8
    assert levels.real_bits(levels.histogram((ramp * 16).astype(np.uint16), 12), 12) == 8


def test_a_ten_bit_picture_in_twelve_bits_uses_ten():
    ramp = np.repeat(np.arange(64, 940), 100)
    assert levels.real_bits(levels.histogram((ramp * 4).astype(np.uint16), 12), 12) == 10


def test_a_real_ramp_uses_all_its_bits():
    ramp = np.repeat(np.arange(64, 940), 100).astype(np.uint16)
    assert levels.real_bits(levels.histogram(ramp, 10), 10) == 10
    assert levels.low_bits_bp(levels.histogram(ramp, 10), 10) == pytest.approx(7500, abs=20)


def test_a_black_picture_does_not_tell_how_many_bits_are_real():
    assert levels.real_bits(levels.histogram(np.full(10_000, 64, np.uint16), 10), 10) is None


def test_an_eight_bit_file_has_eight_real_bits():
    assert levels.real_bits(levels.histogram(np.full(100, 16, np.uint16), 8), 8) == 8
