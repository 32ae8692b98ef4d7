"""What is known of a file from its bytes as they stream in: SHA-256 and the root of its chunks.

The chunk root (分块根) is the Merkle root over chunks of 1 MiB, the last one shorter: who holds it
can check any part of a file without the rest. All that a running hash must remember is the hashes
of complete subtrees (one for each bit of the count of chunks) and two states of SHA-256: under two
kilobytes for any file, set down after each block, so that no byte is ever read again.

Source: RFC 6962 §2.1, the tree of `contracts/log/merkle.py`.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.log import merkle
from contracts.log.merkle import HASH_BYTES, Node
from listings.masters.digest import Sha256, state_bytes

CHUNK = 1024**2
LEAF = b"\x00"  # leads every leaf (RFC 6962 §2.1)
_HEAD = struct.Struct(">BQ")
_VERSION = 1


class BadState(ValueError):
    """What was set down is no state of a running hash."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What a whole file adds up to; both sums in hex."""

    bytes: int
    sha256: str
    chunk_root: str


class Running:
    """The sums of the first `at` bytes of a file."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._whole, self._leaf = Sha256(), _new_leaf()
        self._edge: dict[Node, bytes] = {}

    @property
    def at(self) -> int:
        """How many bytes were taken in."""
        return self._whole.length

    def update(self, block: bytes | memoryview) -> None:
        """Take in the bytes that follow."""
        view = memoryview(block)
        while view:
            part = view[: CHUNK - self.at % CHUNK]
            self._whole.update(part)
            self._leaf.update(part)
            view = view[len(part) :]
            if self.at % CHUNK == 0:
                self._edge = self._grown(self.at // CHUNK - 1)
                self._leaf = _new_leaf()

    def sums(self) -> Sums:
        """Return the sums of what was taken in; more may follow."""
        count, edge = self.at // CHUNK, self._edge
        if self.at % CHUNK:
            count, edge = count + 1, self._grown(count)
        root = merkle.root(count, edge.__getitem__)
        return Sums(self.at, self._whole.digest().hex(), root.hex())

    def state(self) -> bytes:
        """Return all that `resumed` needs."""
        edge = [self._edge[node] for node in merkle.frontier(self.at // CHUNK)]
        head = _HEAD.pack(_VERSION, self.at)
        return b"".join((head, self._whole.state(), self._leaf.state(), *edge))

    @classmethod
    def resumed(cls, state: bytes) -> "Running":
        """Go on from a state that was set down.

        Raises:
            BadState: it is none.
        """
        try:
            version, at = _HEAD.unpack_from(state)
        except struct.error as short:
            raise BadState("too short") from short
        nodes, inside = merkle.frontier(at // CHUNK), len(LEAF) + at % CHUNK
        ends = [_HEAD.size]
        ends += [ends[-1] + state_bytes(at)]
        ends += [ends[-1] + state_bytes(inside)]
        if version != _VERSION or len(state) != ends[-1] + len(nodes) * HASH_BYTES:
            raise BadState("of another version or length")
        running = cls()
        running._whole = Sha256.resumed(state[ends[0] : ends[1]], at)
        running._leaf = Sha256.resumed(state[ends[1] : ends[2]], inside)
        hashes = (state[start : start + HASH_BYTES] for start in range(ends[2], len(state), 32))
        running._edge = dict(zip(nodes, hashes, strict=True))
        return running

    def _grown(self, count: int) -> dict[Node, bytes]:
        """Return the complete subtrees once the open chunk is leaf number `count`."""
        grown = merkle.grow(count, [self._leaf.digest()], self._edge.__getitem__)
        return {node: grown.get(node) or self._edge[node] for node in merkle.frontier(count + 1)}


def sums(blocks: Iterable[bytes]) -> Sums:
    """Return the sums of a file that is read in one go, in any blocks."""
    running = Running()
    for block in blocks:
        running.update(block)
    return running.sums()


def _new_leaf() -> Sha256:
    leaf = Sha256()
    leaf.update(LEAF)
    return leaf
