"""The official codes: those that ISCC publishes come out of our own pass over the file."""

from pathlib import Path

import iscc_lib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from listings.examinations import iscc, mpeg7, passing
from listings.examinations.merging import Passed
from listings.masters import gateway
from tests.listings import examinations_factory
from tests.listings.masters_media import MEDIA, ffmpeg

PICTURE, SOUND = MEDIA / "iscc/demo.mp4", MEDIA / "iscc/demo.mp3"
# Source: iscc-sdk, tests/test_video.py (demo.mp4) and tests/test_audio.py (demo.mp3).
PUBLISHED_VIDEO, PUBLISHED_AUDIO = "ISCC:EMAV4DUD6QORW4X4", "ISCC:EIAWUJFCEZZOJYVD"
ROWS = arrays.arrays(
    np.uint8, st.tuples(st.integers(0, 200), st.just(mpeg7.ROW)), elements=st.integers(0, 242)
)


@pytest.fixture(scope="module")
async def passed(tmp_path_factory: pytest.TempPathFactory) -> Passed:
    """Both published samples as the picture and the sound of one film, copied packet by packet."""
    folder = tmp_path_factory.mktemp("iscc")
    film = folder / "film.mov"
    ffmpeg(
        "-i", str(PICTURE), "-i", str(SOUND), "-map", "0:v", "-map", "1:a", "-c", "copy", str(film)
    )
    sandbox, place = await gateway.sandbox("auto"), tmp_path_factory.mktemp("pass")
    record = await examinations_factory.record_of(film, sandbox)
    return await passing.run(film, sandbox=sandbox, folder=place, record=record)


def test_the_library_conforms_to_the_standards_own_vectors() -> None:
    assert iscc_lib.conformance_selftest() is True


async def test_the_published_code_of_the_picture_comes_out_of_our_pass(passed: Passed) -> None:
    rows = mpeg7.rows(passed.signature)
    assert len(rows) == 300
    assert iscc.video(rows, 64) == PUBLISHED_VIDEO
    assert passed.iscc["video"] == iscc.video(rows, 256)


async def test_the_published_code_of_the_sound_comes_out_of_our_pass(passed: Passed) -> None:
    assert iscc.audio(passed.audio, 64) == PUBLISHED_AUDIO
    assert passed.iscc["audio"] == iscc.audio(passed.audio, 256)


async def test_the_joined_signature_is_the_one_that_ffmpeg_writes(
    passed: Passed, tmp_path: Path
) -> None:
    own = tmp_path / "own.bin"
    ffmpeg(
        "-i",
        str(PICTURE),
        "-vf",
        f"fps=5,signature=format=binary:filename={own}",
        "-f",
        "null",
        "-",
    )
    assert passed.signature == own.read_bytes()


def test_the_code_of_a_master_holds_its_units(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    path = tmp_path / "file"
    path.write_bytes(content)
    sums = iscc.Sums()
    for start in range(0, len(content), 7001):
        sums.update(content[start : start + 7001])
    units = {"meta": iscc.meta("花 Flower"), "video": PUBLISHED_VIDEO, **sums.units()}
    record = iscc.record({**units, "audio": PUBLISHED_AUDIO})
    official = iscc_lib.gen_sum_code_v0(path, 256, wide=True, add_units=True)["units"]
    assert [record["units"]["data"], record["units"]["instance"]] == official
    parts = iscc_lib.iscc_decompose(record["code"])
    assert [part[:2] for part in parts] == ["AA", "EM", "GA", "IA"]
    assert f"ISCC:{parts[1]}" == PUBLISHED_VIDEO


def test_without_the_bytes_there_are_units_and_no_code() -> None:
    record = iscc.record({"video": PUBLISHED_VIDEO})
    assert record["code"] is None and record["units"] == {"video": PUBLISHED_VIDEO}


@given(ROWS)
def test_a_signature_that_is_written_reads_back(rows: mpeg7.Rows) -> None:
    raw = mpeg7.written(rows, wide=3840, tall=2160, rate=5)
    assert np.array_equal(mpeg7.rows(raw), rows)
    assert mpeg7.vectors(rows).max(initial=0) <= 2
    with pytest.raises(ValueError):
        mpeg7.rows(raw[: len(raw) // 2])
