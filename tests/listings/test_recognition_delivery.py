from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import canonical
from listings.masters.fingerprint import CODE_BYTES, PHASES
from listings.recognition import delivery
from listings.recognition.delivery import Delivered, Outcome
from listings.recognition.relation import Footage, Related, Relation, Segment, relate

LISTED_VIDEO = {
    "width": 3840, "height": 2160, "rate": {"num": 50, "den": 1}, "bit_depth": 10,
    "sampling": "4:2:2", "primaries": "bt2020", "transfer": "arib-std-b67", "codec": "hevc",
}  # fmt: skip
STRETCH = Segment(
    here_ms=0, there_ms=0, length_ms=60_000, slope_bp=10_000, mirrored=False, upended=False,
    window=0, score_x100=3_000, confidence_bp=9_990, sound_bp=None,
)  # fmt: skip


def film(seconds: int = 60, *, seed: int = 1) -> Delivered:
    draw = np.random.default_rng(seed)
    video = draw.integers(0, 256, (seconds * 5, CODE_BYTES), np.uint8)
    return Delivered(f"{seed:02x}" * 32, LISTED_VIDEO, Footage(video=video))


def related(*segments: Segment, kind: Related = Related.COPY, sure: bool = True) -> Relation:
    return Relation(kind, segments, 10_000, 10_000, 9_990, sure=sure)


def told(relation: Relation, delivered: Delivered | None = None) -> dict[str, Any]:
    return delivery.answer(relation, delivered or film(seed=2), film())


@given(
    st.integers(0, 30), st.integers(0, 4), st.binary(max_size=40),
    st.none() | st.just("cd" * 32),
)  # fmt: skip
def test_what_is_written_is_read_again(
    codes: int, windows: int, audio: bytes, essence: str | None
) -> None:
    draw = np.random.default_rng(codes)
    video = draw.integers(0, 256, (codes, CODE_BYTES), np.uint8)
    query = draw.integers(0, 256, (codes * PHASES, windows, CODE_BYTES), np.uint8)
    audio = audio[: len(audio) // 4 * 4]
    footage = Footage(video=video, query=query if query.size else None, audio=audio,
                      sha256="ab" * 32, essence=essence)  # fmt: skip
    again = delivery.read(Delivered("ab" * 32, LISTED_VIDEO, footage).written())
    assert (again.sha256, again.footage.essence) == ("ab" * 32, essence)
    assert again.video == LISTED_VIDEO and again.footage.audio == audio
    assert np.array_equal(again.footage.video, video)
    assert (again.footage.query is None) == (footage.query is None)
    assert footage.query is None or np.array_equal(again.footage.query, footage.query)


def test_of_a_long_film_fewer_windows_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MOST_BYTES", delivery.MOST_HEADER + 300_000)
    one = film()
    query = np.repeat(one.footage.video[:, None], 19, axis=1).repeat(2, axis=0)
    sent = replace(one, footage=replace(one.footage, query=query)).written()
    assert len(sent) <= delivery.MOST_BYTES
    again = delivery.read(sent).footage.query
    assert again is not None and 1 <= again.shape[1] < 19


def test_the_same_bytes_and_the_same_picture_are_said_so() -> None:
    assert told(related(STRETCH), film())["outcome"] == Outcome.IDENTICAL
    wrapped = told(related(STRETCH, kind=Related.SAME_FILE))
    assert wrapped["outcome"] == Outcome.SAME_PICTURE


def test_all_of_it_is_the_same_content() -> None:
    answer = told(related(STRETCH))
    assert (answer["outcome"], answer["changes"], answer["missing"]) == ("same-content", [], [])


def test_what_is_missing_and_what_was_added_are_named() -> None:
    first, second = (
        replace(STRETCH, length_ms=20_000),
        replace(STRETCH, here_ms=25_000, there_ms=30_000, length_ms=30_000),
    )
    answer = told(related(first, second, kind=Related.VERSIONS))
    assert (answer["outcome"], answer["changes"]) == ("changed", ["cut", "added"])
    assert answer["missing"] == [{"from_ms": 20_000, "length_ms": 10_000}]
    assert answer["added"] == [{"from_ms": 20_000, "length_ms": 5_000},
                               {"from_ms": 55_000, "length_ms": 5_000}]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "name"),
    [({"mirrored": True}, "mirrored"), ({"upended": True}, "upended"),
     ({"slope_bp": 10_400, "length_ms": 57_692}, "speed")],
)  # fmt: skip
def test_a_picture_that_runs_or_stands_otherwise_is_changed(
    change: dict[str, Any], name: str
) -> None:
    answer = told(related(replace(STRETCH, **change)))
    assert answer["outcome"] == "changed" and name in answer["changes"]


def test_other_sound_is_a_change() -> None:
    assert told(related(STRETCH, kind=Related.PICTURE_ONLY))["changes"] == ["sound"]


def test_what_is_not_sure_is_unknown() -> None:
    assert told(related(STRETCH, sure=False))["outcome"] == "unknown"
    assert told(related(STRETCH, kind=Related.SOUND_ONLY, sure=False))["outcome"] == "unknown"


def test_nothing_alike_is_different_unless_there_is_nothing_to_see() -> None:
    nothing = Relation(Related.UNRELATED, (), 0, 0, 0, sure=False)
    assert told(nothing)["outcome"] == "different"
    flat = Delivered("ab" * 32, {}, Footage(video=np.zeros((100, CODE_BYTES), np.uint8)))
    assert told(nothing, flat)["outcome"] == "unknown"
    assert told(nothing, film(2, seed=3))["outcome"] == "unknown"


@pytest.mark.parametrize(
    ("name", "value", "less"),
    [("height", 1080, True), ("height", 4320, False), ("bit_depth", 8, True),
     ("rate", {"num": 25, "den": 1}, True), ("rate", {"num": 60, "den": 1}, False),
     ("rate", {"num": 1, "den": 0}, False), ("sampling", "4:2:0", True), ("sampling", 7, False),
     ("transfer", "bt709", True), ("transfer", "smpte2084", False), ("primaries", "bt709", True),
     ("codec", "h264", False), ("height", None, False), ("height", "tall", False)],
)  # fmt: skip
def test_what_is_less_than_listed_is_named(name: str, value: Any, less: bool) -> None:
    sent = replace(film(seed=2), video={**LISTED_VIDEO, name: value})
    named = [one["what"] for one in told(related(STRETCH), sent)["technical"]]
    assert named == ([name] if less else [])


def test_an_answer_is_a_canonical_document_without_scores() -> None:
    listed = film()
    sent = replace(listed, sha256="ef" * 32)
    answer = delivery.answer(relate(sent.footage, listed.footage), sent, listed)
    assert b"score" not in canonical.dumps(answer) and answer["segments"]
