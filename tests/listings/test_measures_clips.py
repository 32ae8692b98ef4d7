"""Every check that needs a decode, on real files: what passes it and what fails it."""

import pytest

from listings.masters.conformance import profiles, rules
from listings.masters.conformance.values import Result, Tier
from listings.masters.measures.samples import Coding
from tests.listings import conformance_factory, measures_clips
from tests.listings.measures_clips import HLG, MEDIA, PAIRS, PQ, Clip, plain


@pytest.fixture(scope="session")
def seen(tmp_path_factory):
    """Return the measures of a clip, decoded once for all tests."""
    folder, known = tmp_path_factory.mktemp("measures"), {}

    def measure(clip):
        if clip not in known:
            path = measures_clips.made(folder, f"clip-{len(known)}", clip)
            known[clip] = measures_clips.measured(path, clip)
        return known[clip]

    return measure


def pair(seen, name):
    return seen(PAIRS[name].good), seen(PAIRS[name].bad), *map(seen, PAIRS[name].others)


def each(measures, name):
    return [picture[name] for picture in measures["pictures"]]


def test_a_damaged_file_tells_decode_errors(seen):
    good, bad = pair(seen, "F04")
    assert good["decode_errors"] == 0
    assert bad["decode_errors"] > 0
    assert good["frames"] == 50


def test_woven_fields_are_interlaced_and_whole_frames_are_not(seen):
    good, bad = pair(seen, "V04")
    assert good["interlaced_bp"] <= 100
    assert bad["interlaced_bp"] >= 9_900


def test_eight_bits_in_ten_are_eight(seen):
    good, bad = pair(seen, "V07")
    assert (good["real_bits"], bad["real_bits"]) == (10, 8)


def test_black_is_found_alike_by_small_pictures_and_by_every_frame(seen):
    good, sampled, full = pair(seen, "L01")
    assert good["black_ms"] == []
    assert sampled["black_ms"] == full["black_ms"] == [[5500, 8500]]
    assert sampled["freeze_ms"] == full["freeze_ms"] == []


def test_a_freeze_is_found_alike_by_small_pictures_and_by_every_frame(seen):
    good, sampled, full = pair(seen, "L02")
    assert good["freeze_ms"] == []
    assert sampled["freeze_ms"] == full["freeze_ms"] == [[5400, 8000]]


@pytest.mark.parametrize(("check", "name"), [("L03", "r103_bp"), ("L04", "illegal_bp")])
def test_levels_beyond_the_range_are_told_by_area(seen, check, name):
    good, bad = pair(seen, check)
    assert max(each(good, name)) == 0
    assert min(each(bad, name)) == 500


def test_wide_colour_and_high_range_are_told_by_pictures(seen):
    wide, grey = pair(seen, "L05")
    assert (wide["wide_pictures_bp"], grey["wide_pictures_bp"]) == (10_000, 0)
    bright, dull = pair(seen, "L06")
    assert (bright["hdr_pictures_bp"], dull["hdr_pictures_bp"]) == (10_000, 0)


def test_a_picture_scaled_up_is_suspected(seen):
    native, scaled = pair(seen, "L07")
    assert (native["upscaled_bp"], scaled["upscaled_bp"]) == (0, 10_000)


def test_bars_are_measured(seen):
    good, bad = pair(seen, "L08")
    assert set(good["active"].values()) == {0}
    assert bad["active"] == {"left_bp": 0, "right_bp": 0, "top_bp": 1111, "bottom_bp": 1333}


def test_blocks_and_blur_are_told(seen):
    good, blocks, blurred = pair(seen, "L09")
    sharp, mosaic, soft = (found["patches"][0] for found in (good, blocks, blurred))
    assert sharp["block_x100"] < 150 < 500 < mosaic["block_x100"]
    assert sharp["blur_x100"] < 500 < 1500 < soft["blur_x100"]


def test_flashes_of_light_and_of_red_are_told(seen):
    good, light, red = pair(seen, "L10")
    assert (good["flash_ms"], good["red_flash_ms"]) == ([], [])
    assert [count > 3 for *_, count in light["flash_ms"]] == [True]
    assert (light["red_flash_ms"], red["flash_ms"]) == ([], [])
    assert [count > 3 for *_, count in red["red_flash_ms"]] == [True]


def test_loudness_and_peaks_are_measured(seen):
    good, loud = (found["sound"][0] for found in pair(seen, "A03"))
    assert abs(good["integrated_lu100"] + 2_400) <= 200
    assert loud["integrated_lu100"] > -2_200
    low, high = (found["sound"][0] for found in pair(seen, "A04"))
    assert low["true_peak_db100"] <= -200 < high["true_peak_db100"]


def test_silence_phase_and_clipping_are_measured(seen):
    good, silent = (found["sound"][0] for found in pair(seen, "A05"))
    assert good["silence_ms"] == []
    assert [[round(start, -2), round(end, -2)] for start, end in silent["silence_ms"]] == [
        [5500, 8500]
    ]
    good, opposed, equal = (found["sound"][0] for found in pair(seen, "A06"))
    assert good["antiphase_bp"] == good["mono_bp"] == 0
    assert opposed["antiphase_bp"] == equal["mono_bp"] == 10_000
    good, clipped = (found["sound"][0] for found in pair(seen, "A07"))
    assert good["clipped_samples"] == good["flat_x100"] == 0
    assert clipped["clipped_samples"] > 0


@pytest.mark.parametrize("encoder", [measures_clips.FFV1, measures_clips.PRORES])
def test_a_grey_ramp_stays_out_of_the_wide_gamut_through_an_encoder(seen, encoder):
    found = seen(Clip(plain("64+876*X/W", "640x360", rate=1), encoder=encoder))
    assert max(each(found, "wide_bp")) == 0
    assert found["wide_pictures_bp"] == 0


@pytest.mark.parametrize(("width", "share"), [(10, 100), (9, 90)])
def test_a_green_patch_flips_at_a_hundredth_of_the_area_of_a_file(seen, width, share):
    patch = f"lt(X,{width * 4})*lt(Y,40)"
    planes = "|".join(
        f"if({patch},{code},{rest})" for code, rest in ((658, 300), (189, 512), (100, 512))
    )
    found = seen(Clip(plain(planes, "400x400", rate=1), coding=HLG, encoder=measures_clips.FULL))
    assert each(found, "wide_bp") == [share]
    assert found["wide_pictures_bp"] == (10_000 if share >= 100 else 0)


@pytest.mark.parametrize(("width", "share"), [(10, 100), (9, 90)])
def test_a_bright_window_flips_at_a_hundredth_of_the_area_of_a_file(seen, width, share):
    window = f"if(lt(X,{width * 4})*lt(Y,40),721,64)"
    found = seen(Clip(plain(window, "400x400", rate=1)))
    assert each(found, "bright_bp") == [share]
    assert found["hdr_pictures_bp"] == (10_000 if share >= 100 else 0)


@pytest.mark.parametrize(("coding", "transfer"), [(HLG, "arib-std-b67"), (PQ, "smpte2084")])
def test_a_film_converted_from_bt709_has_no_wide_picture(seen, coding, transfer):
    converted = (
        f"movie={MEDIA / 'flower.mp4'},trim=duration=1,setpts=PTS-STARTPTS,fps=2,scale=960:540,"
        "format=yuv444p10le,zscale=pin=bt709:tin=bt709:min=bt709:rin=tv:"
        f"p=bt2020:t={transfer}:m=bt2020nc:r=tv:npl=203"
    )
    found = seen(Clip(converted, coding=coding, encoder=measures_clips.PRORES))
    assert found["wide_pictures_bp"] == 0
    assert max(each(found, "wide_bp")) < 100


def test_a_file_of_red_green_and_blue_is_measured_like_one_of_luma_and_colour(seen):
    rgb = Coding.of({"bit_depth": 10, "transfer": "arib-std-b67", "primaries": "bt2020",
                     "matrix": "gbr", "range": "pc"})  # fmt: skip
    patch = "lt(X,40)*lt(Y,40)"
    green = (
        f"format=gbrp10le,geq=g='if({patch},1023,200)':r='if({patch},0,200)':b='if({patch},0,200)'"
    )
    coded = ("-c:v", "ffv1", "-pix_fmt", "gbrp10le")
    found = seen(Clip(f"color=black:s=400x400:r=1:d=1,{green}", coding=rgb, encoder=coded))
    assert each(found, "wide_bp") == [100]
    assert each(found, "r103_bp") == [0]
    assert found["pictures"][0]["y_most"] == 658


def test_the_same_film_read_as_wide_without_conversion_is_wide(seen):
    assert seen(PAIRS["V04"].good)["wide_pictures_bp"] == 10_000


@pytest.mark.parametrize("check", PAIRS)
def test_a_report_passes_the_good_clip_and_not_the_bad_ones(seen, check):
    good, *bad = (judged(check, seen(clip), clip) for clip in clips(check))
    assert good is Result.PASS
    assert {Result.FAIL, Result.WARN}.issuperset(bad)


def clips(check):
    return [PAIRS[check].good, PAIRS[check].bad, *PAIRS[check].others]


def judged(check, measures, clip):
    """Judge a clip by its measures; its headers are those of a good master of that length."""
    lasts_ms = 14_000 if clip.sound or "d=14" in clip.picture else 1000
    record = conformance_factory.changed(
        conformance_factory.RECORD,
        {"duration_ms": lasts_ms, "video.scan": "progressive", "video.hdr": "HLG"},
    )
    if clip.sound is None:
        record["audio"] = []
    report = rules.judge(
        profiles.get(conformance_factory.MASTER, conformance_factory.DAY),
        record,
        measures,
        {},
        tier=Tier(clip.tier),
    )
    return conformance_factory.finding(report, check).outcome.result
