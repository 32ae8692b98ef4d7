from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listings.masters.alignment import DOUBTFUL, SURE
from listings.masters.fingerprint import CODE_BYTES, HEIGHT, PHASES, RATE, WIDTH, codes_of
from listings.recognition.relation import (
    CONFIDENCE,
    Footage,
    Near,
    Related,
    Relation,
    confidence_bp,
    relate,
)
from tests.listings.masters_media import FLOWER, FRIDAY, STREAM, ffmpeg

Luma = npt.NDArray[np.uint8]
SECOND = RATE * PHASES  # pictures of luma
TOLERANCE_MS = 400
SOUND_RATE = 8


@pytest.fixture(scope="module")
def clips() -> dict[str, Luma]:
    scale = "fps=10,scale=160:90:flags=area,format=gray"
    return {
        path.stem.split("-")[0]: np.frombuffer(
            ffmpeg("-i", str(path), "-an", "-vf", scale, "-f", "rawvideo", "-"), np.uint8
        ).reshape(-1, HEIGHT, WIDTH)
        for path in (FLOWER, FRIDAY, STREAM)
    }


@pytest.fixture(scope="module")
def film(clips: dict[str, Luma]) -> Luma:
    return np.concatenate([clips["flower"], clips["friday"]])


def footage(luma: Luma, *, audio: bytes = b"") -> Footage:
    codes = codes_of(luma)
    return Footage(video=codes.video, query=codes.query, audio=audio)


def sound(seed: int, seconds: int) -> bytes:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 2**32, seconds * SOUND_RATE, np.uint32).astype("<u4").tobytes()


def times(found: Relation) -> list[tuple[int, int, int]]:
    return [(one.here_ms, one.there_ms, one.length_ms) for one in found.segments]


def near_to(found: Relation, wanted: list[tuple[int, int, int]]) -> bool:
    return len(found.segments) == len(wanted) and bool(
        (np.abs(np.array(times(found)) - np.array(wanted)) <= TOLERANCE_MS).all()
    )


def test_the_same_bytes_are_the_same_file_and_so_is_the_same_picture_stream(film: Luma) -> None:
    one = footage(film)
    for name in ("sha256", "essence"):
        here, there = (replace(one, **{name: "ab" * 32}) for _ in "ab")
        found = relate(here, there)
        assert (found.kind, found.coverage_there_bp) == (Related.SAME_FILE, 10_000)
        assert times(found) == [(0, 0, here.length_ms)]
    assert relate(one, one).kind is Related.COPY  # nothing is known of either file


def test_all_of_it_is_a_copy(film: Luma) -> None:
    found = relate(footage(film // 2 + 40), footage(film))
    assert found.kind is Related.COPY and found.sure
    assert min(found.coverage_here_bp, found.coverage_there_bp) > 9_000
    assert near_to(found, [(0, 0, 11_000)])


def test_a_part_alone_is_an_excerpt(film: Luma) -> None:
    found = relate(footage(film[2 * SECOND : 7 * SECOND]), footage(film))
    assert found.kind is Related.EXCERPT and found.sure
    assert near_to(found, [(0, 2000, 5000)])
    assert found.coverage_here_bp > 9_000 and 3_500 < found.coverage_there_bp < 5_500


def test_a_part_inside_other_content_is_an_excerpt(clips: dict[str, Luma], film: Luma) -> None:
    inside = [clips["stream"], film[1 * SECOND : 4 * SECOND], clips["stream"]]
    found = relate(footage(np.concatenate(inside)), footage(film))
    assert found.kind is Related.EXCERPT
    start = len(clips["stream"]) * 100
    assert near_to(found, [(start, 1000, 3000)])


def test_all_of_it_among_more_contains_it(clips: dict[str, Luma], film: Luma) -> None:
    found = relate(footage(film), footage(clips["friday"]))
    assert found.kind is Related.CONTAINS and found.sure
    assert near_to(found, [(len(clips["flower"]) * 100, 0, 6000)])


def test_what_was_cut_out_parts_two_stretches(film: Luma) -> None:
    cut = np.concatenate([film[: 3 * SECOND], film[6 * SECOND :]])
    found = relate(footage(cut), footage(film))
    assert found.kind is Related.VERSIONS and found.sure
    assert near_to(found, [(0, 0, 3000), (3000, 6000, 5000)])


@pytest.mark.parametrize(
    ("turned", "mirrored", "upended"),
    [((slice(None), slice(None, None, -1)), True, False),
     ((slice(None, None, -1), slice(None)), False, True)],
)  # fmt: skip
def test_a_turned_picture_is_found_and_said_to_be_turned(
    film: Luma, turned: tuple[slice, slice], mirrored: bool, upended: bool
) -> None:
    found = relate(footage(film[(slice(None), *turned)]), footage(film))
    assert found.kind is Related.COPY
    assert (found.segments[0].mirrored, found.segments[0].upended) == (mirrored, upended)


def test_other_film_is_unrelated(clips: dict[str, Luma]) -> None:
    for one, other in (("flower", "friday"), ("friday", "stream"), ("stream", "flower")):
        found = relate(footage(clips[one]), footage(clips[other]))
        assert (found.kind, found.segments) == (Related.UNRELATED, ())


def test_where_a_search_has_seen_it_the_same_is_found(film: Luma) -> None:
    here, there = footage(film[2 * SECOND : 9 * SECOND]), footage(film)
    for offset in (1_400, 2_000, 2_700):  # a search looks once a second
        assert relate(here, there, near=[Near(offset)]) == relate(here, there)
    assert relate(here, there, near=[Near(-6_000)]).kind is Related.UNRELATED


def test_without_its_windows_a_clip_is_looked_at_as_stored(film: Luma) -> None:
    here = replace(footage(film[: 6 * SECOND]), query=None)
    assert relate(here, footage(film)).kind is Related.EXCERPT


def test_sound_alone_is_found_and_never_sure(clips: dict[str, Luma]) -> None:
    song = sound(1, 60)
    here = footage(clips["flower"], audio=song[80 * 4 : 200 * 4])
    found = relate(here, footage(clips["friday"], audio=song))
    assert (found.kind, found.sure) == (Related.SOUND_ONLY, False)
    assert abs(found.segments[0].there_ms - 80 / (11025 / 1365) * 1000) < TOLERANCE_MS
    assert found.segments[0].window is None
    silence = (1).to_bytes(4, "little") * 300
    still = relate(replace(here, audio=silence), footage(clips["friday"], audio=silence))
    assert still.kind is Related.UNRELATED


def test_a_picture_with_other_sound_is_told_from_one_with_its_own(film: Luma) -> None:
    there = footage(film, audio=sound(1, 12))
    own, other = (relate(replace(there, audio=sound(seed, 12)), there) for seed in (1, 2))
    assert (own.kind, own.segments[0].sound_bp) == (Related.COPY, 0)
    assert other.kind is Related.PICTURE_ONLY and (other.segments[0].sound_bp or 0) > 4_000
    mute = relate(footage(film), there)
    assert (mute.kind, mute.segments[0].sound_bp) == (Related.COPY, None)


def test_nothing_is_related_to_nothing() -> None:
    empty = footage(np.zeros((0, HEIGHT, WIDTH), np.uint8))
    assert relate(empty, empty).kind is Related.UNRELATED


def test_what_is_found_is_told_in_integers_and_names(film: Luma) -> None:
    told = relate(footage(film), footage(film)).as_dict()
    values = [*told.values(), *told["segments"][0].values()]
    assert not [value for value in values if isinstance(value, float)]


def random_footage(draw: np.random.Generator, frames: int) -> Footage:
    return Footage(video=draw.integers(0, 256, (frames, CODE_BYTES), np.uint8))


@given(st.integers(0, 2**32 - 1), st.integers(0, 100), st.integers(25, 100))
@settings(max_examples=20, deadline=None)
def test_a_cut_is_found_where_it_was_taken(seed: int, start: int, length: int) -> None:
    there = random_footage(np.random.default_rng(seed), 200)
    found = relate(Footage(video=there.video[start : start + length]), there)
    assert times(found) == [(0, start * 200, length * 200)]
    assert found.coverage_here_bp == 10_000
    assert found.coverage_there_bp == length * 10_000 // 200


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_unrelated_codes_are_unrelated_both_ways(seed: int) -> None:
    draw = np.random.default_rng(seed)
    one, other = (random_footage(draw, 120) for _ in "ab")
    assert relate(one, other).kind is relate(other, one).kind is Related.UNRELATED


@given(st.floats(0, 40), st.floats(0, 40))
def test_more_evidence_makes_surer(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= confidence_bp(low) <= confidence_bp(high) < 10_000
    assert dict(CONFIDENCE)[DOUBTFUL] == 5_000 and dict(CONFIDENCE)[SURE] == 9_900
