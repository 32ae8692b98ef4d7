"""A film decoded in pieces gives the same bytes as one decoded whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.examinations import passing, spans
from listings.examinations.merging import Passed
from listings.examinations.spans import Span
from listings.masters import gateway
from listings.masters.gateway import ChildStuck, Ended, Limits, Sandbox
from listings.masters.refusals import ExaminationTimeout, TruncatedMaster
from tests.listings import examinations_factory
from tests.listings.examinations_media import FILMS
from tests.listings.masters_media import ffmpeg


@dataclass
class Film:
    path: Path
    record: dict[str, Any]
    whole: Passed
    sandbox: Sandbox


@pytest.fixture(scope="session")
async def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Film]:
    folder, made = tmp_path_factory.mktemp("films"), {}
    sandbox = await gateway.sandbox("auto")
    for name, make in FILMS.items():
        path = make(folder)
        record = await examinations_factory.record_of(path, sandbox)
        place = tmp_path_factory.mktemp("whole")
        whole = await passing.run(path, sandbox=sandbox, folder=place, record=record)
        made[name] = Film(path, record, whole, sandbox)
    return made


def same(one: Passed, other: Passed) -> None:
    assert np.array_equal(one.codes.video, other.codes.video)
    assert np.array_equal(one.codes.query, other.codes.query)
    assert (one.audio, one.iscc, one.essence) == (other.audio, other.iscc, other.essence)
    assert one.signature == other.signature
    assert one.measures == other.measures
    pictures = [
        [(each.at_ms, each.path.read_bytes()) for each in film.thumbnails] for film in (one, other)
    ]
    assert pictures[0] == pictures[1] != []
    assert one.poster is not None and other.poster is not None
    assert one.poster.read_bytes() == other.poster.read_bytes()


@pytest.mark.parametrize("name", FILMS)
async def test_a_film_in_pieces_is_the_film_to_the_bit(
    films: dict[str, Film], name: str, tmp_path: Path
) -> None:
    film = films[name]
    cut = await passing.plan(film.path, sandbox=film.sandbox, record=film.record, every_s=1)
    assert len(cut) >= 4 and not cut[-1].picture
    joined = await examinations_factory.in_pieces(
        film.path, cut, tmp_path, sandbox=film.sandbox, record=film.record
    )
    same(film.whole, joined)
    rate = film.record["video"]["rate"]
    assert film.whole.measures["frames"] > 5 * rate["num"] / rate["den"]


class Dying:
    """A sandbox whose child is killed in the middle of its work."""

    def __init__(self, inner: Sandbox, after_s: float) -> None:
        self.inner, self.after_s = inner, after_s

    async def run(self, *given: Any, **more: Any) -> Any:
        limits: Limits = more.pop("limits")
        short = Limits(cpu_s=limits.cpu_s, wall_s=self.after_s, file_bytes=limits.file_bytes)
        return await self.inner.run(*given, limits=short, **more)


async def test_a_piece_that_was_cut_off_is_the_same_when_it_is_done_again(
    films: dict[str, Film], tmp_path: Path
) -> None:
    film = films["rounded times"]
    cut = await passing.plan(film.path, sandbox=film.sandbox, record=film.record, every_s=2)
    for number, after_s in enumerate(
        (0.15, 0.1, 0.07, 0.05, 0.03)
    ):  # a fast machine is done sooner
        sandbox, place = Dying(film.sandbox, after_s), tmp_path / f"dead-{number}"
        try:
            await examinations_factory.decode(
                film.path, cut[1], place, sandbox=sandbox, record=film.record
            )
        except ExaminationTimeout:
            break
    else:
        pytest.fail("the child was never cut off")
    joined = await examinations_factory.in_pieces(
        film.path, cut, tmp_path / "again", sandbox=film.sandbox, record=film.record
    )
    same(film.whole, joined)


async def test_a_film_whose_last_pieces_have_no_picture_is_truncated(
    films: dict[str, Film], tmp_path: Path
) -> None:
    film = films["broadcast"]
    short = tmp_path / "short.mxf"
    short.write_bytes(film.path.read_bytes()[: film.path.stat().st_size // 2])
    cut = await passing.plan(film.path, sandbox=film.sandbox, record=film.record, every_s=2)
    with pytest.raises(TruncatedMaster):
        await examinations_factory.in_pieces(
            short, cut, tmp_path / "pieces", sandbox=film.sandbox, record=film.record
        )


async def test_a_stream_and_a_film_of_changing_rate_are_one_piece(
    films: dict[str, Film], tmp_path: Path
) -> None:
    film = films["open groups"]
    stream = tmp_path / "stream.ts"
    ffmpeg("-i", str(film.path), "-c", "copy", str(stream))
    record = await examinations_factory.record_of(stream, film.sandbox)
    assert await passing.plan(stream, sandbox=film.sandbox, record=record, every_s=1) == spans.WHOLE
    changing = {**film.record, "video": {**film.record["video"], "constant_rate": False}}
    cut = await passing.plan(film.path, sandbox=film.sandbox, record=changing, every_s=1)
    assert cut == spans.WHOLE


INSTANTS = st.fractions(min_value=0, max_value=100, max_denominator=60_000)


@given(edges=st.lists(INSTANTS, min_size=1, max_size=6, unique=True), rate=st.sampled_from([5, 10]))
def test_the_samples_of_neighbours_follow_without_gap_or_overlap(
    edges: list[Fraction], rate: int
) -> None:
    bounds = [None, *sorted(edges), None]
    pieces = [Span(n, bounds[n], bounds[n + 1]) for n in range(len(bounds) - 1)]
    for before, after in pairwise(pieces):
        assert before.slots(rate)[1] == after.slots(rate)[0]
    assert pieces[0].slots(rate)[0] == 0 and pieces[-1].slots(rate)[1] is None


@given(st.fractions(max_denominator=1000))
def test_rounding_is_to_the_nearest_and_halves_go_away_from_zero(value: Fraction) -> None:
    rounded = spans.nearest(value)
    assert abs(rounded - value) <= Fraction(1, 2)
    assert spans.nearest(-value) == -rounded
    if value % 1 == Fraction(1, 2):
        assert abs(rounded) > abs(value)


@given(
    start=st.none() | INSTANTS,
    end=st.none() | INSTANTS,
    zero=st.none() | INSTANTS,
    opens=st.booleans(),
)
def test_a_span_survives_being_written_down(
    start: Fraction | None, end: Fraction | None, zero: Fraction | None, opens: bool
) -> None:
    span = Span(3, start, end, zero, opens, True, False)
    assert spans.unpacked(spans.packed(span)) == span


def test_a_boundary_in_doubt_is_not_taken() -> None:
    record = {"video": {"rate": {"num": 50, "den": 1}}, "container": "mov"}
    found = {"tick": [1, 1000], "zero": 0, "keys": [2000, 3011, 3500, 4025]}
    cut = spans.cut(found, record)
    assert [span.start for span in cut if span.picture] == [None, 2, Fraction(7, 2)]
    assert [span.opens for span in cut if span.picture] == [True, True, False]


def test_a_clock_finer_than_the_decoders_is_one_piece() -> None:
    record = {"video": {"rate": {"num": 50, "den": 1}}, "container": "mov"}
    found = {"tick": [1, 10_000_000], "zero": 0, "keys": [20_000_000]}
    assert spans.cut(found, record) == spans.WHOLE


class Sticky:
    """A sandbox in which the decoder stands still a few times before it works."""

    def __init__(self, inner: Sandbox, times: int) -> None:
        self.inner, self.left = inner, times

    async def run(self, command: Sequence[str], **asked: Any) -> Ended:
        if asked["limits"].idle_s is not None and self.left:
            self.left -= 1
            (asked["writes"] / "luma").write_bytes(b"half a picture")
            raise ChildStuck("stuck")
        return await self.inner.run(command, **asked)


async def test_a_decoder_that_stands_still_is_started_again(
    films: dict[str, Film], tmp_path: Path
) -> None:
    film = films["rounded times"]

    async def passed(times: int) -> Passed:
        folder = tmp_path / str(times)
        folder.mkdir()
        sandbox = Sticky(film.sandbox, times)
        return await passing.run(film.path, sandbox=sandbox, folder=folder, record=film.record)

    same(film.whole, await passed(2))
    with pytest.raises(ChildStuck):
        await passed(3)
