"""The pure laws of tiles: paths, what a growth adds, and proofs from files alone."""

import contextlib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.log import merkle, tiles
from contracts.log.merkle import Node
from contracts.log.tiles import WIDTH, BadBundle, NoSuchTile, Tile

MOST = 70_000  # the example of C2SP tlog-tiles: three levels, each with a partial tile
LEAVES = [f"leaf {index}".encode() for index in range(MOST)]


@cache
def tree() -> dict[Node, bytes]:
    return merkle.grow(0, [merkle.leaf_hash(leaf) for leaf in LEAVES], lambda _: b"")


def root(size: int) -> bytes:
    return merkle.root(size, tree().__getitem__)


def content(tile: Tile) -> bytes:
    if tile.level is None:
        return tiles.encode(LEAVES[tile.start : tile.start + tile.width])
    return b"".join(tree()[node] for node in tile.nodes)


def files(size: int) -> dict[str, bytes]:
    return {tile.path: content(tile) for tile in tiles.grown(0, size)}


def test_the_published_example_has_the_published_tiles() -> None:
    found = [tile for tile in tiles.grown(0, 70_000) if tile.level is not None]
    shape = {
        level: (
            sum(tile.width == WIDTH for tile in found if tile.level == level),
            [tile.width for tile in found if tile.level == level and tile.width < WIDTH],
        )
        for level in (0, 1, 2, 3)
    }
    assert shape == {0: (273, [112]), 1: (1, [17]), 2: (0, [1]), 3: (0, [])}
    assert [tile.path for tile in tiles.grown(0, 256) if tile.level is not None] == [
        "tile/0/000",
        "tile/1/000.p/1",
    ]


def test_the_published_index_is_written_as_published() -> None:
    assert Tile(0, 1_234_067).path == "tile/0/x001/x234/067"
    assert Tile(None, 1_234_067, 8).path == "tile/entries/x001/x234/067.p/8"


@given(st.one_of(st.none(), st.integers(0, 63)), st.integers(0, 2**62), st.integers(1, WIDTH))
def test_invariant_25_tile_paths_match_c2sp_for_random_indices(
    level: int | None, index: int, width: int
) -> None:
    path = Tile(level, index, width).path
    digits = str(index).zfill(-(-len(str(index)) // 3) * 3)
    groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    number = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    part = f".p/{width}" if width < 256 else ""
    assert path == f"tile/{'entries' if level is None else level}/{number}{part}"
    assert tiles.parse(path) == Tile(level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0", "tile/0/00", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/000.p/0",
        "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/x000/001", "tile/0/001/002", "tile/0/x001",
        "tile/0/000.p", "tile/0/000/", "/tile/0/000", "tile/0/000\n", "tile/entries", "tile/0/",
        "tile/0/../0/000", "tile/0/٠٠٠", "tile/data/000", "checkpoint", "",
    ],
)  # fmt: skip
def test_any_other_path_names_no_tile(path: str) -> None:
    with pytest.raises(NoSuchTile):
        tiles.parse(path)


@given(st.text("tile/entrisx0123456789.p", max_size=30))
def test_whatever_is_read_as_a_path_is_written_the_same(path: str) -> None:
    with contextlib.suppress(NoSuchTile):
        assert tiles.parse(path).path == path


@settings(max_examples=30)
@given(st.integers(0, 3_000), st.integers(0, 3_000))
def test_invariant_24_a_growth_adds_files_and_changes_no_full_one(one: int, other: int) -> None:
    old, new = sorted((one, other))
    before, after = files(old), files(new)
    added = {tile.path for tile in tiles.grown(old, new)}
    assert after.keys() - before.keys() == added - (added & before.keys())
    assert all(before[path] == after[path] for path in before.keys() & after.keys())
    assert {path for path in before if ".p/" not in path} <= after.keys()
    assert after.keys() <= before.keys() | added


@settings(max_examples=20)
@given(st.one_of(st.integers(1, 1_200), st.integers(65_000, MOST)))
def test_invariant_23_the_root_from_tiles_is_the_root_from_entries(size: int) -> None:
    find = tiles.lookup(size, content)
    assert merkle.root(size, find) == root(size)
    hashes = [
        merkle.leaf_hash(leaf)
        for tile in tiles.grown(0, min(size, 1_200))
        if tile.level is None
        for leaf in tiles.decode(content(tile), tile.width)
    ]
    edge = merkle.grow(0, hashes, lambda _: b"")
    assert merkle.root(len(hashes), edge.__getitem__) == root(len(hashes))


@settings(max_examples=60)
@given(st.data())
def test_invariant_22_every_proof_made_of_tiles_holds_and_no_change_of_it_does(
    data: st.DataObject,
) -> None:
    size = data.draw(st.one_of(st.integers(1, 1_200), st.integers(65_000, MOST)))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    read: list[Tile] = []

    def noted(tile: Tile) -> bytes:
        read.append(tile)
        return content(tile)

    find = tiles.lookup(size, noted)
    path = merkle.inclusion_proof(index, size, find)
    assert path == merkle.inclusion_proof(index, size, tree().__getitem__)
    hashed = merkle.leaf_hash(LEAVES[index])
    assert merkle.includes(index, size, hashed, path, root(size))
    assert len(read) <= 6  # of three levels the one with the leaf and the one at the edge
    assert all(tile.path in {one.path for one in tiles.grown(0, size)} for tile in read)
    grown = merkle.consistency_proof(old, size, find)
    assert merkle.extends(old, size, root(old), root(size), grown)
    if path:
        spoilt = list(path)
        place = data.draw(st.integers(0, len(path) - 1))
        spoilt[place] = merkle.leaf_hash(spoilt[place])
        assert not merkle.includes(index, size, hashed, spoilt, root(size))


@given(st.lists(st.binary(max_size=300), max_size=300))
def test_a_bundle_reads_back(leaves: list[bytes]) -> None:
    assert tiles.decode(tiles.encode(leaves), len(leaves)) == leaves


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.data())
def test_a_bundle_that_ends_early_or_holds_more_is_refused(
    leaves: list[bytes], data: st.DataObject
) -> None:
    bundle = tiles.encode(leaves)
    cut = data.draw(st.integers(0, len(bundle) - 1))
    for spoilt in (bundle[:cut], bundle + b"\0", bundle + b"\0\0"):
        with pytest.raises(BadBundle):
            tiles.decode(spoilt, len(leaves))


def test_the_longest_leaf_fits_and_no_longer_one() -> None:
    longest = b"x" * 65_535
    assert tiles.decode(tiles.encode([longest, b""]), 2) == [longest, b""]
    with pytest.raises(ValueError, match="too long"):
        tiles.encode([longest + b"x"])


def test_a_narrow_file_is_the_beginning_of_the_full_one() -> None:
    for level in (None, 0, 1):
        for width in (1, 7, 255):
            tile = Tile(level, 0, width)
            assert tiles.narrowed(content(tile.full), tile) == content(tile)
    with pytest.raises(BadBundle):
        tiles.narrowed(b"short", Tile(0, 0, 3))


def test_nothing_is_looked_up_beyond_the_log() -> None:
    with pytest.raises(NoSuchTile):
        tiles.holding(Node(0, 300), 300)
    with pytest.raises(NoSuchTile):
        tiles.holding(Node(8, 1), 511)
    assert tiles.holding(Node(8, 1), 512) == Tile(1, 0, 2)
