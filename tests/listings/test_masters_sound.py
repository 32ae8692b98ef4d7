"""The audio distance: laws on random codes, and real sound re-encoded, cut and shifted."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.masters import sound
from tests.conftest import ROOT
from tests.listings.masters_media import ffmpeg

MEDIA = ROOT / "tests" / "media"
CODES = st.lists(st.integers(0, 2**32 - 1), max_size=60).map(
    lambda numbers: np.array(numbers, "<u4").tobytes()
)
RAW = ("-ac", "1", "-ar", "11025", "-f", "chromaprint", "-fp_format", "raw", "-")


def codes(path: Path) -> bytes:
    return ffmpeg("-i", str(path), "-vn", *RAW)


@given(CODES, CODES)
def test_it_does_not_matter_which_comes_first(one: bytes, other: bytes) -> None:
    assert sound.distance_bp(one, other) == sound.distance_bp(other, one)


@given(CODES, CODES)
def test_a_distance_is_a_share_and_silence_has_none(one: bytes, other: bytes) -> None:
    apart = sound.distance_bp(one, other)
    assert (apart is None) == (not one or not other)
    assert apart is None or 0 <= apart <= 10_000


@given(CODES.filter(bool), CODES, CODES)
def test_a_sound_is_found_wherever_it_stands_in_a_longer_one(
    one: bytes, before: bytes, after: bytes
) -> None:
    assert sound.distance_bp(one, before + one + after) == 0


@given(st.integers(0, 2**32 - 1))
def test_the_inverse_is_as_far_away_as_can_be(number: int) -> None:
    one, inverse = (np.array([value], "<u4").tobytes() for value in (number, number ^ 0xFFFFFFFF))
    assert sound.distance_bp(one, inverse) == 10_000


@pytest.mark.parametrize("clip", ["flower.mp4", "friday.mp4", "stream-of-water.mp4"])
@pytest.mark.parametrize(
    "attack",
    [("-c:a", "aac", "-b:a", "32k"), ("-af", "volume=-15dB,lowpass=f=4000"), ("-ss", "0.4")],
    ids=["aac at 32 kb/s", "quieter and duller", "cut"],
)
def test_a_copy_of_the_sound_is_nearer_than_any_other_sound(
    clip: str, attack: tuple[str, ...], tmp_path: Path
) -> None:
    copied = tmp_path / "copy.mp4"
    ffmpeg("-i", str(MEDIA / clip), "-vn", *attack, str(copied))
    copy, apart = codes(copied), {}
    for other in ("flower.mp4", "friday.mp4", "stream-of-water.mp4"):
        apart[other] = sound.distance_bp(copy, codes(MEDIA / other))
    assert apart.pop(clip) < 2_500 < min(found for found in apart.values() if found is not None)
