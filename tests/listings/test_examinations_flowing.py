"""Pictures that flow through a pipe: all of them, in order, with their times, whatever happens."""

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from listings.examinations import flowing, toning

SIZE = 1000


def pictures(count: int) -> bytes:
    return b"".join(bytes([number % 251]) * SIZE for number in range(count))


def write_times(place: Path, count: int) -> None:
    lines = "".join(f"{number * 5} 1/50\n" for number in range(count))
    place.with_name(f"{place.name}.times").write_text(lines)


def write(place: Path, content: bytes, step: int) -> None:
    with place.open("wb", buffering=0) as pipe:
        for start in range(0, len(content), step):
            pipe.write(content[start : start + step])


async def taken(place: Path, content: bytes, *, batch: int, step: int) -> list[tuple[int, int]]:
    """Return (first byte, time) of every picture that came through."""
    came: list[tuple[int, int]] = []

    def take(raw: bytes, at_ms: tuple[int, ...]) -> None:
        assert len(raw) == SIZE * len(at_ms) and len(at_ms) <= batch
        came.extend((raw[SIZE * n], at) for n, at in enumerate(at_ms))

    async with flowing.flowing(place, SIZE, batch, take):
        await asyncio.to_thread(write, place, content, step)
    return came


@pytest.mark.parametrize(("count", "batch", "step"), [(1, 8, 10), (17, 4, 333), (40, 8, 4096)])
async def test_every_picture_comes_with_its_time(
    tmp_path: Path, count: int, batch: int, step: int
) -> None:
    place = tmp_path / "samples"
    write_times(place, count)
    came = await taken(place, pictures(count), batch=batch, step=step)
    assert came == [(number % 251, number * 100) for number in range(count)]


async def test_a_picture_that_was_cut_short_or_has_no_time_is_left_out(tmp_path: Path) -> None:
    place = tmp_path / "samples"
    write_times(place, 5)
    came = await taken(place, pictures(7)[:-300], batch=3, step=500)
    assert [at for _, at in came] == [0, 100, 200, 300, 400]


async def test_a_decoder_that_never_opens_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    async with flowing.flowing(tmp_path / "samples", SIZE, 4, lambda *_: None):
        pass
    assert not [one for one in threading.enumerate() if one.name.startswith("measures")]


async def test_a_fault_in_measuring_is_told_and_the_decoder_may_go_on(tmp_path: Path) -> None:
    place = tmp_path / "samples"
    write_times(place, 500)

    def take(_raw: bytes, _at_ms: tuple[int, ...]) -> None:
        raise ArithmeticError("a fault of ours")

    with pytest.raises(ArithmeticError):
        async with flowing.flowing(place, SIZE, 4, take):
            await asyncio.to_thread(write, place, pictures(500), 4096)


def test_times_are_read_as_they_were_written_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "thumbnail"
    assert flowing.times_of(place) == []
    place.with_name("thumbnail.times").write_text("0 1/50\n125 1/50\nx y\n9 1/0\n48048 1/24000\n7")
    assert flowing.times_of(place) == [0, 2500, 2002]


GREY = np.repeat(np.linspace(0, 1, 65)[:, None], 3, axis=1)


@pytest.mark.parametrize("transfer", toning.HDR)
@pytest.mark.parametrize("primaries", ["bt2020", "bt709"])
def test_grey_stays_grey_and_brighter_stays_brighter(transfer: str, primaries: str) -> None:
    seen = toning.toned(GREY, transfer, primaries)
    assert np.ptp(seen, axis=1).max() < 0.002
    assert (np.diff(seen[:, 0]) >= -1e-9).all()
    assert seen[0, 0] < 0.01 and seen[-1, 0] > 0.99


def test_diffuse_white_is_bright_and_highlights_still_differ_above_it() -> None:
    """Source: BT.2408: 203 cd/m2 is 75 % of an HLG and 58 % of a PQ signal."""
    for transfer, white in (("arib-std-b67", 0.75), ("smpte2084", 0.58)):
        levels = np.repeat(np.array([[white], [white + 0.05]]), 3, axis=1)
        at_white, above = toning.toned(levels, transfer, "bt2020")[:, 0]
        assert 0.85 < at_white < 0.98 and at_white + 0.01 < above < 1


def test_a_common_picture_is_left_as_it_is() -> None:
    assert not toning.is_needed("bt709", "bt709") and not toning.is_needed(None, None)
    assert np.allclose(toning.toned(GREY, "bt709", "bt709"), GREY)


def test_a_cube_counts_red_fastest() -> None:
    lines = toning.cube("bt709", "bt709").splitlines()
    assert lines[0] == "LUT_3D_SIZE 33" and len(lines) == 1 + 33**3
    assert lines[2].split()[1:] == ["0.00000", "0.00000"] and float(lines[2].split()[0]) > 0.03
