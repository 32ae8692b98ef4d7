"""Tiles: the tree and its leaves as files that never change, and proofs made of them alone (pure).

A tile holds up to 256 hashes of one level out of eight, a bundle the leaves below one lowest tile.
A file of 256 is full and final; the last one of a row is partial, and its name says how wide it is,
so that a longer log adds files and changes none.

Source: C2SP tlog-tiles.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from contracts.log import merkle
from contracts.log.merkle import HASH_BYTES, Lookup, Node
from contracts.refusal import Kind, Refusal

HEIGHT = 8
WIDTH = 1 << HEIGHT
MOST_LEAF_BYTES = (1 << 16) - 1
MOST_LEVEL = 63
ENTRIES = "entries"
_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)

Read = Callable[["Tile"], bytes]


class NoSuchTile(Refusal):
    """The path names no tile, or one that the log does not have."""

    kind, code = Kind.UNKNOWN, "no-such-tile"
    hint = "Tiles are tile/<level>/<index>[.p/<width>], leaves tile/entries/…; see C2SP tlog-tiles."


class BadBundle(Refusal):
    """The bytes are not a bundle of leaves of the expected width."""

    kind, code = Kind.MALFORMED, "bad-entry-bundle"
    hint = "A bundle is its leaves in order, each after its length as two bytes, big end first."


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One file: a tile of a level (0 up), or with level None the bundle of leaves."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Its path below the log's prefix."""
        level = ENTRIES if self.level is None else str(self.level)
        part = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{_number(self.index)}{part}"

    @property
    def full(self) -> "Tile":
        """The same file once nothing can be added to it."""
        return Tile(self.level, self.index)

    @property
    def start(self) -> int:
        """The place of its first hash (or leaf) among those of its level."""
        return self.index * WIDTH

    @property
    def nodes(self) -> list[Node]:
        """The subtrees whose hashes it holds, left to right."""
        level = HEIGHT * (self.level or 0)
        return [Node(level, self.start + place) for place in range(self.width)]


def parse(path: str) -> Tile:
    """Read a path as `Tile.path` writes it.

    Raises:
        NoSuchTile: it is of no other tile's form, or not the shortest one.
    """
    found = _PATH.fullmatch(path)
    if found is not None:
        level = None if found["level"] == ENTRIES else int(found["level"])
        index = int(found["index"].replace("x", "").replace("/", ""))
        tile = Tile(level, index, int(found["width"] or WIDTH))
        if tile.width <= WIDTH and (level or 0) <= MOST_LEVEL and tile.path == path:
            return tile
    raise NoSuchTile("This path names no tile.")


def grown(old: int, new: int) -> Iterator[Tile]:
    """Yield every file that a log of `new` leaves has and one of `old` leaves does not.

    Bundles come before tiles and lower levels before higher ones.
    """
    yield from _row(None, old, new)
    level = 0
    while new:
        yield from _row(level, old, new)
        level, old, new = level + 1, old >> HEIGHT, new >> HEIGHT


def holding(node: Node, size: int) -> Tile:
    """Return the tile of a log of `size` leaves in which the hash of a complete subtree is found.

    Raises:
        NoSuchTile: the subtree reaches beyond the log.
    """
    level, above = divmod(node.level, HEIGHT)
    index = (node.index << above) // WIDTH
    width = min(WIDTH, (size >> (HEIGHT * level)) - index * WIDTH)
    if (node.index << above) % WIDTH + (1 << above) > width:
        raise NoSuchTile("The log is not that long.", size=size)
    return Tile(level, index, width)


def lookup(size: int, read: Read) -> Lookup:
    """Return what knows the hash of every complete subtree of `size` leaves, by reading tiles.

    With it the functions of `merkle` prove from files alone. Each tile is read once.
    """
    fetch = cache(read)

    def find(node: Node) -> bytes:
        tile = holding(node, size)
        count = 1 << node.level % HEIGHT
        first = (node.index * count) % WIDTH
        held = fetch(tile)
        places = range(first * HASH_BYTES, (first + count) * HASH_BYTES, HASH_BYTES)
        return merkle.perfect_root([held[place : place + HASH_BYTES] for place in places])

    return find


def encode(leaves: Sequence[bytes]) -> bytes:
    """Return a bundle of these leaves.

    Raises:
        ValueError: a leaf is longer than 65,535 bytes (ours have some 300).
    """
    if any(len(leaf) > MOST_LEAF_BYTES for leaf in leaves):
        raise ValueError("a leaf is too long for a bundle")
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def decode(bundle: bytes, width: int) -> list[bytes]:
    """Return the leaves of a bundle of this width.

    Raises:
        BadBundle: it holds fewer or more, or ends within one.
    """
    leaves, place = [], 0
    while place < len(bundle):
        begin = place + 2
        place = begin + int.from_bytes(bundle[place:begin], "big")
        leaves.append(bundle[begin:place])
    if place != len(bundle) or len(leaves) != width:
        raise BadBundle("The bundle does not hold its leaves.", width=width)
    return leaves


def narrowed(content: bytes, tile: Tile) -> bytes:
    """Return a partial file, cut from the content of the full one.

    Raises:
        BadBundle: the content is not that of the full file.
    """
    if tile.level is None:
        return encode(decode(content, WIDTH)[: tile.width])
    if len(content) != WIDTH * HASH_BYTES:
        raise BadBundle("The tile is not whole.", width=WIDTH)
    return content[: tile.width * HASH_BYTES]


def _row(level: int | None, old: int, new: int) -> Iterator[Tile]:
    """Yield the files of one row that came with the entries from `old` up to `new` on it."""
    for index in range(old // WIDTH, -(-new // WIDTH) if new > old else 0):
        yield Tile(level, index, min(WIDTH, new - index * WIDTH))


def _number(index: int) -> str:
    """Return 1234067 as x001/x234/067."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    return "/".join(groups)
