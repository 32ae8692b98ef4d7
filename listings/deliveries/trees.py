"""Merkle trees over the parts of a file: roots as parts come, paths from the hashes of all (pure).

Source: RFC 6962 §2.1, the tree of `contracts/log/merkle.py` and of `listings/masters/chunks.py`.
"""

from collections.abc import Sequence

from contracts.log import merkle
from contracts.log.merkle import HASH_BYTES, Node


class Leaves(Sequence[bytes]):
    """The hashes of the parts of a file, 32 bytes for each."""

    def __init__(self, raw: bytes = b"") -> None:
        """Take hashes that stand one behind the other.

        Raises:
            ValueError: they do not end with a whole hash.
        """
        if len(raw) % HASH_BYTES:
            raise ValueError("hashes have 32 bytes each")
        self._raw = bytearray(raw)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._raw) // HASH_BYTES

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]  # no slices are asked for
        """Return one of them."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return bytes(self._raw[index * HASH_BYTES : (index + 1) * HASH_BYTES])

    def append(self, part: bytes) -> bytes:
        """Take in the part that follows, and return its hash."""
        hashed = merkle.leaf_hash(part)
        self._raw += hashed
        return hashed

    def root(self) -> bytes:
        """Return the root over all of them."""
        return merkle.root(len(self), self._node)

    def path(self, index: int) -> list[bytes]:
        """Return the path from one of them to the root."""
        return merkle.inclusion_proof(index, len(self), self._node)

    def written(self) -> bytes:
        """Return them one behind the other."""
        return bytes(self._raw)

    def _node(self, node: Node) -> bytes:
        first = node.index << node.level
        return merkle.perfect_root(
            [self[place] for place in range(first, first + (1 << node.level))]
        )
