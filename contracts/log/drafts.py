"""Drafts: the next batch of the log made ready, and the one that follows it (pure).

A draft says which tree it continues, by size and root. It can be made before anybody knows whether
the batch before it will stand: where the locked log is another, the draft is thrown away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.log import merkle, rules
from contracts.log.merkle import Node, Row
from contracts.log.rules import Entry, Mark, Waiting


@dataclass(frozen=True, slots=True)
class Draft:
    """The leaves of a batch, the tree that they make, and what was read ahead with them.

    Attributes:
        base: the leaves before.
        base_root: the root over them.
        facts: what is sealed, in the order of the leaves.
        entries: their numbers and leaves.
        rows: the subtrees that become complete (`merkle.rows`).
        root: the root over the leaves before and these.
        edge: the hashes that this tree is made of.
        heads: the newest leaf of each chain that has grown since the reading (`rules.chain`).
        ahead: facts that were read too and wait for the next drafts.
    """

    base: int
    base_root: bytes
    facts: Sequence[Waiting]
    entries: Sequence[Entry]
    rows: Sequence[Row]
    root: bytes
    edge: Mapping[Node, bytes]
    heads: Mapping[int, bytes]
    ahead: Sequence[Waiting]

    @property
    def size(self) -> int:
        """How many leaves there are with these."""
        return self.base + len(self.entries)

    @property
    def promise(self) -> Mark:
        """What the signer's mark says before the tree is signed."""
        facts = tuple([entry.fact_id for entry in self.entries])
        return Mark(self.size, self.root, self.base, facts)

    def continues(self, mark: Mark) -> bool:
        """Tell whether the tree that was signed last is the one that this goes on from."""
        return mark.size == self.base and mark.root == self.base_root


def first(size: int, edge: Mapping[Node, bytes], facts: Sequence[Waiting], *, limit: int) -> Draft:
    """Make the next batch of at most `limit` facts from what was read of the locked log.

    Args:
        size: the leaves there are.
        edge: the hashes of `merkle.frontier(size)`.
        facts: what waits, at least one, in the order of their turn.
        limit: how many of them are sealed now; the others are kept for the next.
    """
    return _made(size, merkle.root(size, edge.__getitem__), edge, facts, {}, limit=limit)


def following(draft: Draft, *, limit: int) -> Draft | None:
    """Make the batch after this one; None when less than a whole one was read ahead."""
    if len(draft.ahead) < limit:
        return None
    return _made(draft.size, draft.root, draft.edge, draft.ahead, draft.heads, limit=limit)


def _made(
    base: int,
    base_root: bytes,
    edge: Mapping[Node, bytes],
    facts: Sequence[Waiting],
    heads: Mapping[int, bytes],
    *,
    limit: int,
) -> Draft:
    now, later = facts[:limit], facts[limit:]
    entries = rules.chain(base, now, heads)
    rows = merkle.rows(base, [one.leaf_hash for one in entries], edge.__getitem__)
    size = base + len(entries)
    grown = {node: _hash_of(node, edge, rows) for node in merkle.frontier(size)}
    root = merkle.root(size, grown.__getitem__)
    reached = {**heads, **{one.subject.int: one.leaf_hash for one in entries}} if later else {}
    return Draft(base, base_root, now, entries, rows, root, grown, reached, later)


def _hash_of(node: Node, edge: Mapping[Node, bytes], rows: Sequence[Row]) -> bytes:
    """Return the hash of a subtree of the edge before or of one that became complete."""
    if node in edge:
        return edge[node]
    start, row = rows[node.level]
    return row[node.index - start]
