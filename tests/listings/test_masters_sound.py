"""Where a sound lies in another: laws on random codes, and real sound coded again, cut, shifted."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listings.masters import sound
from tests.conftest import ROOT
from tests.listings.masters_media import ffmpeg

MEDIA = ROOT / "tests" / "media"
FRIDAY, STREAM = MEDIA / "friday.mp4", MEDIA / "stream-of-water.mp4"
RAW = ("-ac", "1", "-ar", "11025", "-f", "chromaprint", "-fp_format", "raw", "-")
SILENCE = (627964279).to_bytes(4, "little") * 200


def codes(path: Path, *options: str) -> bytes:
    return ffmpeg("-i", str(path), "-vn", *options, *RAW)


def drawn(seed: int, count: int) -> bytes:
    return np.random.default_rng(seed).integers(0, 2**32, count, np.uint32).tobytes()


def faster(raw: bytes, factor: float) -> bytes:
    """The codes of the same sound in less time, at the same pitch."""
    numbers = np.frombuffer(raw, "<u4")
    at = np.rint(np.arange(int(len(numbers) / factor)) * factor).astype(int)
    return numbers[np.minimum(at, len(numbers) - 1)].tobytes()


@given(st.integers(0, 2**32 - 1), st.integers(0, 300), st.integers(30, 120))
@settings(max_examples=25, deadline=None)
def test_a_sound_is_found_wherever_it_stands_in_a_longer_one(
    seed: int, start: int, length: int
) -> None:
    track = drawn(seed, 420)
    (found, *rest) = sound.stretches(track[start * 4 : (start + length) * 4], track)
    assert (found.here, found.there, found.length, found.distance) == (0, start, length, 0.0)
    assert not rest


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_unrelated_sound_is_not_found(seed: int) -> None:
    assert sound.stretches(drawn(seed, 200), drawn(seed + 1, 400)) == []


def test_two_pieces_of_a_sound_are_two_stretches() -> None:
    track = drawn(4, 400)
    cut = track[: 100 * 4] + track[200 * 4 : 320 * 4]
    found = sorted(sound.stretches(cut, track), key=lambda one: one.here)
    assert [(one.here, one.there, one.length) for one in found] == [(0, 0, 100), (100, 200, 120)]


def test_silence_is_found_nowhere_and_has_no_distance() -> None:
    assert sound.stretches(SILENCE, SILENCE) == []
    span = (0, 0, 20_000)
    assert sound.along_bp(SILENCE, SILENCE, span=span, slope=1.0) is None
    assert sound.along_bp(b"", drawn(1, 99), span=span, slope=1.0) is None
    assert sound.stretches(b"", b"") == []


def test_what_repeats_over_and_over_counts_little() -> None:
    beat = drawn(5, 4)
    assert sound.stretches(beat * 20, drawn(6, 100) + beat * 40 + drawn(7, 100)) == []


@pytest.mark.parametrize("factor", [25 / 24, 24 / 25])
def test_sound_at_the_speed_of_the_other_system_is_found(factor: float) -> None:
    track = drawn(8, 800)
    (found, *_) = sound.stretches(faster(track, factor), track)
    assert found.slope == pytest.approx(factor)
    assert found.length > 0.9 * 800 / factor


def test_sound_that_became_higher_is_found_by_the_variant_played_lower() -> None:
    track = drawn(9, 400)
    higher = drawn(10, 384)  # another pitch has other codes
    assert sound.stretches(higher, track) == []
    (found, *_) = sound.stretches(higher, track, pitched=[(24 / 25, track)])
    assert found.slope == pytest.approx(25 / 24) and found.length == 384


@pytest.mark.parametrize(
    ("attack", "start"),
    [(("-c:a", "aac", "-b:a", "32k"), 0), (("-af", "volume=-15dB,lowpass=f=4000"), 0),
     (("-ss", "0.5"), 500), (("-af", "aecho=0.8:0.7:60:0.3"), 0)],
    ids=["aac at 32 kb/s", "quieter and duller", "cut", "echo"],
)  # fmt: skip
def test_a_copy_of_real_sound_is_found_where_it_starts_and_in_no_other(
    attack: tuple[str, ...], start: int, tmp_path: Path
) -> None:
    copied = tmp_path / "copy.mp4"
    ffmpeg("-i", str(FRIDAY), "-vn", *attack, str(copied))
    copy = codes(copied)
    (found, *_) = sound.stretches(copy, codes(FRIDAY))
    assert abs(found.there_ms - found.here_ms - start) <= 130
    assert sound.stretches(copy, codes(STREAM)) == []
    along = sound.along_bp(copy, codes(FRIDAY), span=(0, start, 5_000), slope=1.0)
    assert along is not None and along < 2_000


def test_along_a_picture_other_sound_is_far_away() -> None:
    found = sound.along_bp(drawn(1, 200), drawn(2, 200), span=(2_000, 4_000, 9_000), slope=1.0)
    assert found is not None and found > 4_000
