import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listings.masters import alignment, fingerprint
from listings.masters.alignment import DOUBTFUL, SURE, Alignment
from listings.masters.fingerprint import MIRROR, UPEND, Codes
from tests.listings.masters_media import ATTACKS, FLOWER, FRIDAY, STREAM, codes, copy

CLIPS = {"flower": FLOWER, "friday": FRIDAY, "stream": STREAM}
# The stream's file has 3 s alone: what is cut out of it is below the shortest clip recognised.
COPIES = [
    (clip, attack)
    for clip in CLIPS
    for attack in ATTACKS
    if (clip, attack) != ("stream", "cut out")
]


@pytest.fixture(scope="module")
def listed() -> dict[str, Codes]:
    return {name: codes(path) for name, path in CLIPS.items()}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Codes]:
    folder = tmp_path_factory.mktemp("copies")
    return {
        (clip, attack): codes(copy(CLIPS[clip], folder / f"{clip} {attack}.mp4", attack))
        for clip, attack in COPIES
    }


@pytest.mark.parametrize(("clip", "attack"), COPIES)
def test_a_copy_of_three_seconds_is_recognised_where_it_starts(
    clip: str, attack: str, listed: dict[str, Codes], copies: dict[tuple[str, str], Codes]
) -> None:
    found = alignment.align(copies[clip, attack].query, listed[clip].video)
    assert found is not None and found.score >= SURE
    assert found.mirrored == (attack == "mirrored")
    assert abs((found.there_ms - found.here_ms) - ATTACKS[attack][2]) <= 200


@pytest.mark.parametrize(("clip", "attack"), COPIES)
def test_a_copy_resembles_no_other_clip(
    clip: str, attack: str, listed: dict[str, Codes], copies: dict[tuple[str, str], Codes]
) -> None:
    for other in CLIPS.keys() - {clip}:
        found = alignment.align(copies[clip, attack].query, listed[other].video)
        assert found is None or found.score < DOUBTFUL


def test_black_and_still_pictures_resemble_nothing() -> None:
    black = fingerprint.codes_of(np.full((60, 90, 160), 16, np.uint8))
    found = alignment.align(black.query, black.video)
    assert found is None or found.score < DOUBTFUL


def test_unrelated_noise_resembles_nothing() -> None:
    draw = np.random.default_rng(5)
    clips = [fingerprint.codes_of(draw.integers(0, 256, (60, 90, 160), np.uint8)) for _ in "ab"]
    found = alignment.align(clips[0].query, clips[1].video)
    assert found is None or found.score < DOUBTFUL


@pytest.mark.parametrize("phase", range(fingerprint.PHASES))
def test_a_clip_cut_between_two_samples_is_recognised(phase: int) -> None:
    draw = np.random.default_rng(11)
    listed = draw.integers(0, 256, (30, fingerprint.CODE_BYTES), np.uint8)
    query = draw.integers(0, 256, (60, 1, fingerprint.CODE_BYTES), np.uint8)
    query[phase :: fingerprint.PHASES, 0] = listed
    found = alignment.align(query, listed)
    assert found is not None and found.score >= SURE
    assert (found.here_ms, found.there_ms, found.length_ms) == (phase * 100, 0, 6000)


def test_a_frame_counts_by_what_is_new_in_it() -> None:
    codes = np.zeros((4, fingerprint.CODE_BYTES), np.uint8)
    codes[1:, 0] = 0xFF  # black, then a picture, then the same picture, then another one
    codes[3, 1:20] = 0xFF
    assert alignment.novelty(codes).tolist() == [
        0.0, pytest.approx(8 / 255 / alignment.NEW), alignment.LEAST_WEIGHT, 1.0,
    ]  # fmt: skip


def seen_with(evidence: float, motion: float, *, length: int = 15) -> Alignment:
    return Alignment(
        evidence=evidence, motion=motion, change=0.3, distance=0.2, here=0, phase=0, there=0,
        length=length, slope=1.0, window=0, mirrored=False, upended=False,
    )  # fmt: skip


def test_a_fixed_camera_at_another_minute_is_no_copy_and_a_poor_copy_is_one() -> None:
    assert seen_with(18.4, 0.34).score < SURE <= seen_with(12.0, 0.52).score
    # The same scene for hours adds nothing to the evidence that the same scene for seconds gave.
    assert seen_with(1000.0, 0.0).score == seen_with(8.0, 0.0).score < DOUBTFUL
    # Two seconds may move alike by chance.
    assert seen_with(4.6, 0.6, length=10).score < SURE - 2


def test_nothing_is_compared_with_nothing() -> None:
    empty = fingerprint.codes_of(np.zeros((0, 90, 160), np.uint8))
    assert alignment.align(empty.query, empty.video) is None


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_mirroring_the_picture_turns_over_the_mirror_bits_alone(seed: int) -> None:
    luma = np.random.default_rng(seed).integers(0, 256, (6, 90, 160), np.uint8)
    plain, mirrored = (fingerprint.codes_of(part).video for part in (luma, luma[:, :, ::-1]))
    apart = np.bitwise_count((plain ^ MIRROR) ^ mirrored).sum()
    # Signs of coefficients that are nearly zero: 1,500 seeds gave at most 5 of 960 bits.
    assert apart <= 9


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_upending_the_picture_turns_over_the_upend_bits_alone(seed: int) -> None:
    luma = np.random.default_rng(seed).integers(0, 256, (6, 90, 160), np.uint8)
    plain, upended = (fingerprint.codes_of(part).video for part in (luma, luma[:, ::-1]))
    assert np.bitwise_count((plain ^ UPEND) ^ upended).sum() <= 9


def test_a_picture_between_bars_that_a_logo_covers_is_seen() -> None:
    draw = np.random.default_rng(3)
    luma = np.full((30, 90, 160), 16, np.uint8)
    luma[:, :, 20:140] = draw.integers(60, 256, (30, 90, 120), np.uint8)
    covered = luma.copy()
    covered[:, 4:14, 134:158] = 235
    covered[::2, 4:14, 134:158] = 200
    listed, copied = fingerprint.codes_of(luma), fingerprint.codes_of(covered)
    assert fingerprint.active_picture(covered) == fingerprint.Box(0, 1, 0, 1)
    found = alignment.align(copied.query, listed.video)
    assert found is not None and found.score >= SURE and found.length == 15


@given(st.integers(0, 2**32 - 1), st.integers(-60, 60), st.sampled_from([0.5, 0.8, 1.0]))
@settings(max_examples=15, deadline=None)
def test_brightness_and_contrast_change_few_signs(seed: int, shift: int, gain: float) -> None:
    luma = np.random.default_rng(seed).integers(64, 192, (6, 90, 160)).astype(np.float64)
    changed = np.clip((luma - 128) * gain + 128 + shift, 0, 255)
    plain, other = (fingerprint.codes_of(np.rint(x).astype(np.uint8)) for x in (luma, changed))
    apart = np.bitwise_count(plain.video[:, :32] ^ other.video[:, :32]).sum(axis=1)
    assert apart.mean() < 0.05 * 255


@given(st.integers(4, 29), st.integers(4, 29))
@settings(max_examples=20, deadline=None)
def test_bars_are_taken_away_only_when_symmetric(top: int, bottom: int) -> None:
    luma = np.random.default_rng(1).integers(60, 256, (10, 90, 160)).astype(np.uint8)
    luma[:, :top] = 16
    luma[:, 90 - bottom :] = 16
    picture = fingerprint.active_picture(luma)
    barred = abs(top - bottom) <= 1
    assert picture.top == pytest.approx(top / 90 if barred else 0)
    assert picture.bottom == pytest.approx(1 - bottom / 90 if barred else 1)


def test_a_dark_scene_is_no_bar() -> None:
    dark = np.random.default_rng(2).integers(16, 38, (20, 90, 160)).astype(np.uint8)
    assert fingerprint.active_picture(dark) == fingerprint.Box(0, 1, 0, 1)
