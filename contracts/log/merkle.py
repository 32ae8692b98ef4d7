"""Merkle trees over SHA-256: hashes, roots, inclusion and consistency proofs (pure).

A tree of n leaves is made of complete subtrees, one for each bit of n; `Node` names such a subtree
by its level and its place on that level. They never change once they are full, so they can be
stored, and every root and proof is put together from at most 2·log₂(n) of them.

Source: RFC 9162 §2.1 (the same hashes as RFC 6962 §2.1).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """The complete subtree over the leaves from `index·2^level` up to `(index+1)·2^level`."""

    level: int
    index: int


Lookup = Callable[[Node], bytes]
Row = tuple[int, list[bytes]]  # the place of the first on its level, and hashes side by side


def leaf_hash(leaf: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def frontier(size: int) -> list[Node]:
    """Return the complete subtrees that a tree of `size` leaves is made of, left to right."""
    return _cover(0, size)


def rows(size: int, leaf_hashes: Sequence[bytes], edge: Lookup) -> list[Row]:
    """Return what becomes complete when leaves are appended: level by level, from the leaves up.

    Args:
        size: the leaves before.
        leaf_hashes: the hashes of the new leaves, in order.
        edge: knows the hashes of `frontier(size)`.
    """
    found: list[Row] = []
    first, row = size, list(leaf_hashes)
    while row:
        level = len(found)
        found.append((first, row))
        whole = [edge(Node(level, first - 1)), *row] if first % 2 else row
        row = [node_hash(left, right) for left, right in zip(whole[::2], whole[1::2], strict=False)]
        first //= 2
    return found


def grow(size: int, leaf_hashes: Sequence[bytes], edge: Lookup) -> dict[Node, bytes]:
    """Return every subtree that becomes complete when leaves are appended; see `rows`."""
    return {
        Node(level, index): hashed
        for level, (first, row) in enumerate(rows(size, leaf_hashes, edge))
        for index, hashed in enumerate(row, start=first)
    }


def root(size: int, lookup: Lookup) -> bytes:
    """Return the root of the first `size` leaves; `lookup` knows the hashes of `frontier(size)`."""
    return _span_hash((0, size), lookup) if size else EMPTY_ROOT


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a power of two of hashes that stand side by side on one level."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def inclusion_nodes(index: int, size: int) -> list[Node]:
    """Return the subtrees whose hashes `inclusion_proof` looks up."""
    return [node for span in _inclusion_spans(index, size) for node in _cover(*span)]


def inclusion_proof(index: int, size: int, lookup: Lookup) -> list[bytes]:
    """Return the path from leaf `index` to the root of `size` leaves (RFC 9162 §2.1.3.1).

    Raises:
        ValueError: the leaf is not in the tree.
    """
    return [_span_hash(span, lookup) for span in _inclusion_spans(index, size)]


def consistency_nodes(size_1: int, size_2: int) -> list[Node]:
    """Return the subtrees whose hashes `consistency_proof` looks up."""
    return [node for span in _consistency_spans(size_1, size_2) for node in _cover(*span)]


def consistency_proof(size_1: int, size_2: int, lookup: Lookup) -> list[bytes]:
    """Return the proof that `size_2` leaves begin with the same `size_1` (RFC 9162 §2.1.4.1).

    Raises:
        ValueError: not 0 < size_1 ≤ size_2.
    """
    return [_span_hash(span, lookup) for span in _consistency_spans(size_1, size_2)]


def includes(index: int, size: int, hashed: bytes, proof: Sequence[bytes], want: bytes) -> bool:
    """Tell whether `proof` leads from the leaf's hash to the root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes(hashed, want, *proof):
        return False
    here, last, reached = index, size - 1, hashed
    for sibling in proof:
        if last == 0:
            return False
        if here % 2 == 1 or here == last:
            reached = node_hash(sibling, reached)
            while here % 2 == 0 and here != 0:
                here, last = here >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and reached == want


def extends(size_1: int, size_2: int, root_1: bytes, root_2: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the tree of `size_2` begins with the tree of `size_1` (RFC 9162 §2.1.4.2).

    Equal sizes need equal roots and an empty proof. The empty tree is never accepted as `size_1`:
    every tree extends it, so there is nothing to prove; a caller for whom that is an answer (a
    witness at its first checkpoint) decides it before asking here.
    """
    if not 0 < size_1 <= size_2 or not _are_hashes(root_1, root_2, *proof):
        return False
    if size_1 == size_2:
        return not proof and root_1 == root_2
    path = [root_1, *proof] if size_1 & (size_1 - 1) == 0 else list(proof)
    if not path:
        return False
    here, last = size_1 - 1, size_2 - 1
    while here % 2 == 1:
        here, last = here >> 1, last >> 1
    return _walk(here, last, path) == (root_1, root_2)


def _walk(here: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Rebuild the old and the new root from a consistency path; None when its length is wrong."""
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if here % 2 == 1 or here == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while here % 2 == 0 and here != 0:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        here, last = here >> 1, last >> 1
    return (old, new) if last == 0 else None


def _cover(start: int, end: int) -> list[Node]:
    """Return the complete subtrees of the leaves from `start` up to `end`, largest first.

    `start` is a multiple of the largest power of two that is at most `end - start`: so it is with
    every span that a root or a proof asks for.
    """
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def _span_hash(span: tuple[int, int], lookup: Lookup) -> bytes:
    hashes = [lookup(node) for node in _cover(*span)]
    reached = hashes.pop()
    while hashes:
        reached = node_hash(hashes.pop(), reached)
    return reached


def _inclusion_spans(index: int, size: int) -> list[tuple[int, int]]:
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    return list(_siblings(index, (0, size)))[::-1]


def _siblings(index: int, within: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the span beside the way down to the leaf, from the root on."""
    start, end = within
    while end - start > 1:
        middle = start + _half(end - start)
        if index < middle:
            yield (middle, end)
            end = middle
        else:
            yield (start, middle)
            start = middle


def _consistency_spans(size_1: int, size_2: int) -> list[tuple[int, int]]:
    if not 0 < size_1 <= size_2:
        raise ValueError("sizes are 0 < size_1 <= size_2")
    spans: list[tuple[int, int]] = []
    start, end = 0, size_2
    while end != size_1:
        middle = start + _half(end - start)
        if size_1 <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    if start != 0:  # the old tree is not one whole subtree: its right part leads the proof
        spans.append((start, end))
    return spans[::-1]


def _half(count: int) -> int:
    """Return the largest power of two smaller than `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
