"""The scan finds what comparing every pair finds, and its files survive what happens to files."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listings.index import parts, rules, scan
from listings.index.parts import Damaged
from listings.index.rules import MIRRORED, Minute
from tests.listings.index_factory import film, flips

Codes = npt.NDArray[np.uint8]
THREADS = ThreadPoolExecutor(2)
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int) -> Codes:
    """Codes of shots, of stills, of noise and of nothing at all, in some order."""
    draw = np.random.default_rng(seed)
    pieces = [np.zeros((0, 32), np.uint8)]
    for _ in range(draw.integers(1, 12)):
        length, drift = int(draw.integers(1, 60)), draw.choice([0, 0.001, 0.03, 0.06, 0.2])
        first = flips(draw, 1, draw.choice([0.0, 0.4, 0.5, 1.0]))
        steps = np.bitwise_xor.accumulate(flips(draw, length, drift), axis=0)
        pieces.append(first ^ steps)
    return np.concatenate(pieces)


def every_pair(codes: Codes, asked: Codes, far: int) -> set[tuple[int, ...]]:
    return {
        (number, place, int(bits[place]), turned)
        for number, code in enumerate(asked)
        for turned, seen in ((0, code), (1, code ^ MIRRORED))
        for bits in [np.bitwise_count(codes ^ seen).sum(axis=1)]
        for place in np.flatnonzero(bits <= far).tolist()
    }


@settings(max_examples=60)
@given(seeds, st.integers(0, 130))
def test_the_scan_finds_exactly_the_pairs_within_reach(seed: int, far: int) -> None:
    codes = drawn(seed)
    draw = np.random.default_rng(seed)
    chosen = codes[draw.integers(0, len(codes), 12)]
    asked = chosen ^ flips(draw, 12, draw.choice([0.0, 0.1, 0.3]))
    asked[::3] ^= MIRRORED
    found = scan.scan(scan.group(scan.words(codes)), scan.words(asked), far=far, threads=THREADS)
    got = list(zip(found.asked, found.place, found.bits, found.mirrored, strict=True))
    assert len(got) == len(set(got))
    assert {tuple(map(int, each)) for each in got} == every_pair(codes, asked, far)


@given(seeds)
def test_groups_hold_every_code_once_and_near_their_pivot(seed: int) -> None:
    rows = scan.words(drawn(seed))
    starts, pivots = scan.groups_of(rows)
    ends = np.append(starts[1:], len(rows))
    assert starts[0] == 0
    assert np.all(starts <= pivots) and np.all(pivots < ends)
    group = np.repeat(np.arange(len(starts)), ends - starts)
    apart = np.bitwise_count(rows ^ rows[pivots[group]]).sum(axis=1)
    assert apart.max() <= scan.REACH


def test_more_hits_than_expected_are_all_told() -> None:
    codes = np.repeat(flips(np.random.default_rng(1), 1, 0.5), 40_000, axis=0)
    found = scan.scan(scan.group(scan.words(codes)), scan.words(codes[:2]), far=0, threads=THREADS)
    assert len(found.asked) == 80_000
    assert np.array_equal(np.unique(found.place), np.arange(40_000))


def test_nothing_asked_and_nothing_kept_find_nothing() -> None:
    none = scan.words(np.zeros((0, 32), np.uint8))
    some = scan.words(film(1, 3)[:, :32])
    for kept, asked in ((none, some), (some, none)):
        assert len(scan.scan(scan.group(kept), asked, far=255, threads=THREADS).asked) == 0


@given(seeds)
def test_a_place_is_located_in_its_entry_and_second(seed: int) -> None:
    draw = np.random.default_rng(seed)
    seconds = [np.flatnonzero(draw.random(60) < 0.7) for _ in range(5)]
    counts = [len(each) for each in seconds]
    kept = [sum(1 << int(second) for second in each) for each in seconds]
    firsts = np.cumsum([0, *counts[:-1]])
    numbers = np.arange(5)
    table = np.stack([firsts, 7 + numbers, numbers, np.array(kept)], axis=1)
    entry, at_ms = scan.locate(np.arange(sum(counts)), table)
    assert entry.tolist() == np.repeat(np.arange(5) + 7, counts).tolist()
    expected = [
        1000 * (60 * number + second) for number, each in enumerate(seconds) for second in each
    ]
    assert at_ms.tolist() == expected


def minutes(seed: int, entries: int) -> list[Minute]:
    return [
        Minute(entry, segment.seg, segment.kept, segment.codes)
        for entry in range(1, entries + 1)
        for segment in rules.segments(film(seed + entry, 130)[::2])
    ]


def written(folder: Path, seed: int = 1, entries: int = 3) -> Path:
    return parts.write(
        folder, first=1, last=entries, chain=b"c" * 32, minutes=minutes(seed, entries),
        threads=THREADS,
    )  # fmt: skip


@pytest.mark.parametrize("entries", [0, 1, 3, 4])
def test_a_file_holds_what_was_written(tmp_path: Path, entries: int) -> None:
    part = parts.read(written(tmp_path, entries=entries), threads=THREADS)
    expected = minutes(1, entries)
    codes = b"".join(minute.codes for minute in expected)
    assert part.grouped.rows.tobytes() == codes
    assert [tuple(row[1:]) for row in part.segments] == [
        (minute.entry, minute.seg, minute.kept) for minute in expected
    ]
    built = scan.group(np.frombuffer(codes, np.uint64).reshape(-1, 4))
    assert np.array_equal(part.grouped.starts, built.starts)
    assert np.array_equal(part.grouped.planes, built.planes)
    assert (part.header.last, part.header.chain) == (entries, (b"c" * 32).hex())


def test_groups_that_end_where_a_file_is_cut_into_pieces_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scan.words(film(2, 130)[:300:10, :32])
    whole = parts.read(written(tmp_path / "whole"), threads=THREADS)
    monkeypatch.setattr(parts, "GROUPED_AT_ONCE", 7)
    pieces = parts.read(written(tmp_path / "pieces"), threads=THREADS)
    one, other = (
        scan.scan(each.grouped, asked, far=100, threads=THREADS) for each in (whole, pieces)
    )
    assert len(one.asked) > 20
    assert {*zip(one.asked, one.place, strict=True)} == {
        *zip(other.asked, other.place, strict=True)
    }


@settings(max_examples=40)
@given(st.data())
def test_any_flipped_bit_and_any_cut_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = written(tmp_path_factory.mktemp("flip"), entries=1)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[place:]
    path.write_bytes(whole)
    with pytest.raises(Damaged):
        parts.read(path, threads=THREADS)


_BUILD = """
import sys, time
from pathlib import Path
from concurrent.futures import ThreadPoolExecutor
from listings.index import parts
from tests.listings.test_index_scan import minutes

def slowly():
    for minute in minutes(1, 3):
        yield minute
        print("wrote", flush=True)
        time.sleep(0.3)

parts.write(Path(sys.argv[1]), first=1, last=3, chain=b"c" * 32, minutes=slowly(),
            threads=ThreadPoolExecutor(1))
"""


def test_a_writer_that_is_killed_leaves_no_file_that_anybody_would_open(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _BUILD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as builder:
        assert builder.stdout is not None
        builder.stdout.readline()
        builder.send_signal(signal.SIGKILL)
    assert builder.returncode == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.iterdir()] == [".new"]
    path = written(tmp_path)
    assert parts.read(path, threads=THREADS).header.last == 3


def test_a_reader_keeps_its_file_while_another_takes_its_place(tmp_path: Path) -> None:
    first = parts.read(written(tmp_path), threads=THREADS)
    before = first.grouped.rows.copy()
    written(tmp_path, seed=50)
    assert np.array_equal(first.grouped.rows, before)
