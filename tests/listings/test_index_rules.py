"""What is kept, what is asked, and what counts as found."""

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.index import rules, voting
from listings.index.rules import FAR, NEAR, Candidate
from listings.index.voting import Hits
from tests.listings.index_factory import clip, film, flips, stored

MASTER = UUID(int=1)


def votes(*given: tuple[int, int, int], scene_s: int = 5, entry: int = 1) -> list[Candidate]:
    """Candidates of hits (here s, there s, bits) of a clip of 100 s with a cut every `scene_s`."""
    at_ms = np.arange(100) * 1000
    here, there, bits = (np.array(column, np.int64) for column in zip(*given, strict=True))
    none = np.zeros(len(here), np.int64)
    hits = Hits(here, none, none, none + entry, there * 1000, bits)
    found = voting.lines(hits, at_ms=at_ms, scene=np.arange(100) // scene_s)
    return voting.elect(found, living={entry: MASTER}, at_ms=at_ms, most=5)


def test_four_near_votes_on_one_line_are_a_candidate_and_three_are_none() -> None:
    line = [(each, each + 30, NEAR) for each in range(4)]
    (found,) = votes(*line)
    assert (found.offset_ms, found.votes, found.here_ms, found.length_ms) == (30_000, 4, 0, 3_000)
    assert found.asked == 64
    assert votes(*line[:3]) == []


def test_distant_votes_of_one_scene_are_one_vote() -> None:
    assert votes(*((each, each + 30, FAR) for each in range(5))) == []
    (found,) = votes(*((each, each + 30, FAR) for each in range(20)))
    assert found.votes == 4


def test_a_scene_that_has_near_votes_has_no_distant_one_besides() -> None:
    near = [(each, each + 30, NEAR) for each in range(3)]
    assert votes(*near, (3, 33, FAR), (4, 34, FAR)) == []
    (found,) = votes(*near, (5, 35, FAR))
    assert found.votes == 4


def test_a_code_votes_for_a_line_once() -> None:
    assert votes(*((each % 3, each % 3 + 30 + each // 3, NEAR) for each in range(6))) == []


def test_votes_that_are_scattered_are_no_line() -> None:
    draw = np.random.default_rng(1)
    scattered = [(each, int(draw.integers(0, 5000)), NEAR) for each in range(60)]
    assert votes(*scattered) == []


def test_votes_on_both_sides_of_the_middle_of_a_stretch_count_together() -> None:
    (found,) = votes(*((here, here + 30, NEAR) for here in range(30, 34)))
    assert (found.votes, found.here_ms) == (4, 30_000)


@given(
    st.sampled_from((9_600, 9_800, 10_000, 10_200, 10_400)), st.integers(0, 10**6),
    st.integers(0, 39), st.integers(10, 60),
)  # fmt: skip
def test_a_line_is_found_whatever_its_offset_and_slope(
    slope_bp: int, offset_s: int, first: int, length: int
) -> None:
    line = [
        (here, round(offset_s + here * slope_bp / 10_000), 30)
        for here in range(first, first + length)
    ]
    found = votes(*line)[0]
    middle = first + length // 2
    there = found.offset_ms / 1000 + found.slope * middle
    assert abs(there - (offset_s + middle * slope_bp / 10_000)) <= 2
    assert found.votes >= min(length, 8)


def test_a_long_line_is_one_candidate_with_all_its_time() -> None:
    (found,) = votes(*((here, here + 7, 20) for here in range(100)))
    assert (found.here_ms, found.length_ms) == (0, 99_000)


def test_two_parts_of_a_clip_from_two_places_of_one_work_are_two_candidates() -> None:
    first = [(here, here + 500, 20) for here in range(30)]
    second = [(here, here + 100, 20) for here in range(40, 80)]
    found = votes(*first, *second)
    assert [one.offset_ms for one in found] == [100_000, 500_000]


def test_a_shot_that_hardly_changes_gives_one_candidate() -> None:
    still = [(here, 50 + there, 25) for here in range(20) for there in range(20)]
    assert len(votes(*still)) == 1


def test_few_of_one_master_and_no_more_than_wanted_are_shown() -> None:
    at_ms = np.arange(600) * 1000
    here = np.arange(600)
    there = here + here // 40 * 1000  # fifteen stretches from fifteen places
    none = np.zeros(600, np.int64)
    hits = [Hits(here, none, none, none + entry, there * 1000, none) for entry in (1, 2, 3)]
    lines = [line for each in hits for line in voting.lines(each, at_ms=at_ms, scene=here // 5)]
    living = {entry: UUID(int=entry) for entry in (1, 2)}
    found = voting.elect(lines, living=living, at_ms=at_ms, most=7)
    assert len(found) == 7
    assert {one.master_id for one in found} == {UUID(int=1), UUID(int=2)}
    assert voting.elect(lines, living={}, at_ms=at_ms, most=7) == []


def test_what_is_kept_are_full_seconds_that_say_something() -> None:
    video = stored(film(5, 130))
    video[:40] = 0  # eight seconds of black
    video[5 * 70 : 5 * 71, 4:32] = 255
    first, second, third = rules.segments(video)
    assert [each.seg for each in (first, second, third)] == [0, 1, 2]
    assert first.kept == (1 << 60) - (1 << 8)
    assert second.kept == (1 << 60) - 1 - (1 << 10)
    assert third.kept == (1 << 10) - 1
    assert first.codes == video[40:300:5, :32].tobytes()
    assert rules.segments(video[:40]) == []
    assert rules.segments(video[:0]) == []


def test_of_a_still_picture_the_first_codes_are_asked_and_of_a_flat_one_none() -> None:
    codes = flips(np.random.default_rng(7), 60, 0.5)[:, None]
    assert rules.worth_asking(codes).all()
    codes[20:40] = codes[20]
    codes[50] = 0
    asked = rules.worth_asking(codes)[:, 0]
    assert np.flatnonzero(~asked).tolist() == [*range(26, 40), 50]
    assert rules.worth_asking(codes[:0]).shape == (0, 1)


def test_a_question_asks_a_code_every_so_often_and_every_part_of_a_second() -> None:
    question = clip(film(6, 61), seconds=60)
    assert question.codes.shape == (50, 1, 32)
    assert (question.at_ms // 1200).tolist() == list(range(50))
    assert set(question.at_ms % 1000) == set(range(0, 1000, 100))


@pytest.mark.parametrize(
    ("frames", "every_s", "asked"),
    [(0, 1, 0), (1, 1, 1), (30, 1, 30), (95, 1, 95), (305, 1, 51), (6000, 1, 500), (6000, 5, 100)],
)
def test_a_short_clip_is_asked_as_much_as_a_minute(frames: int, every_s: int, asked: int) -> None:
    question = rules.ask(np.zeros((frames, 10, 40), np.uint8), windows=(0, 4), every_s=every_s)
    assert question.codes.shape == (asked, 2, 32)
    assert len(set(question.at_ms)) == asked
    assert np.all(np.diff(question.at_ms) > 0)
    assert np.all(question.at_ms < 100 * max(frames, 1))
