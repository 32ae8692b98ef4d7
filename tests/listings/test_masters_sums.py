"""The sums of a file that streams in: SHA-256 and chunk root, set down and taken up again."""

import hashlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listings.masters import chunks, digest
from listings.masters.chunks import CHUNK, BadState, Running
from listings.masters.digest import Engine, Sha256

SIZES = [1, 63, 64, 65, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 77, 8 * CHUNK]
# Lengths around the borders of blocks of 64 bytes, where padding and buffers change.
PIECES = st.lists(st.binary(max_size=200), max_size=12)


def content(size: int) -> bytes:
    return hashlib.shake_128(b"seed").digest(size)


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word: split at the largest power of two below the count."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + root_of(leaves[:half]) + root_of(leaves[half:])).digest()


def plainly(whole: bytes) -> tuple[str, str]:
    leaves = [whole[start : start + CHUNK] for start in range(0, len(whole), CHUNK)]
    return hashlib.sha256(whole).hexdigest(), root_of(leaves).hex()


@given(PIECES)
def test_a_hash_taken_up_after_every_piece_is_that_of_the_whole(pieces: list[bytes]) -> None:
    running = Sha256()
    for piece in pieces:
        running = Sha256.resumed(running.state(), running.length)
        running.update(piece)
    assert running.digest() == hashlib.sha256(b"".join(pieces)).digest()


@given(PIECES)
def test_asking_for_the_hash_changes_nothing(pieces: list[bytes]) -> None:
    asked, silent = Sha256(), Sha256()
    for piece in pieces:
        asked.update(piece)
        asked.digest()
        silent.update(piece)
    assert asked.state() == silent.state()


@pytest.mark.parametrize("engine", [digest.openssl, digest.compiled])
def test_both_engines_agree_with_hashlib(
    engine: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = engine()
    monkeypatch.setattr(digest, "engine", lambda: chosen)
    for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 4096, 70_001):
        running = Sha256()
        running.update(content(size))
        assert running.digest() == hashlib.sha256(content(size)).digest(), size


def test_an_engine_that_hashes_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "openssl", lambda: lambda words, _blocks: words)
    digest.engine.cache_clear()
    try:
        assert digest.engine() is digest.compiled()
    finally:
        digest.engine.cache_clear()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("block", [4 * 1024**2, 777_777])
def test_the_sums_are_those_of_the_whole_file(size: int, block: int) -> None:
    whole = content(size)
    blocks = [whole[start : start + block] for start in range(0, size, block)]
    found = chunks.sums(blocks)
    assert (found.bytes, (found.sha256, found.chunk_root)) == (size, plainly(whole))


@settings(max_examples=25)  # four mebibytes each
@given(cuts=st.lists(st.integers(1, 4 * CHUNK), min_size=1, max_size=5))
def test_sums_taken_up_by_another_process_after_any_cut_are_the_same(cuts: list[int]) -> None:
    whole, running, at = content(4 * CHUNK + 99), Running(), 0
    for cut in [*sorted(cuts), len(whole)]:
        running = Running.resumed(running.state())
        running.update(whole[at:cut])
        at = max(at, cut)
    found = running.sums()
    assert (found.sha256, found.chunk_root) == plainly(whole)


def test_what_is_set_down_stays_small() -> None:
    running = Running()
    running.update(content(7 * CHUNK + 63))
    assert len(running.state()) < 400
    # A file of 2 TiB less one chunk has a subtree for each of 21 bits.
    assert chunks.merkle.frontier(2**21 - 1)[-1].level == 0
    assert len(chunks.merkle.frontier(2**21 - 1)) * 32 < 700


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\x01" + bytes(7),
        struct.pack(">BQ", 2, 0) + bytes(64 + 1),
        struct.pack(">BQ", 1, 2**63) + bytes(65),
    ],
    ids=["nothing", "cut", "another version", "another length"],
)
def test_a_state_that_is_none_is_not_taken_up(broken: bytes) -> None:
    with pytest.raises(BadState):
        Running.resumed(broken)


def test_one_flipped_byte_changes_both_sums() -> None:
    whole = bytearray(content(2 * CHUNK + 5))
    before = chunks.sums([bytes(whole)])
    whole[CHUNK + 1] ^= 1
    after = chunks.sums([bytes(whole)])
    assert before.sha256 != after.sha256 and before.chunk_root != after.chunk_root
