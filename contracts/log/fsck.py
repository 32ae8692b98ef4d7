"""Checking a whole log again: what is published by itself, and what the database holds.

Everything is recomputed from the leaves; the first thing that differs is named. One pass, in order,
in constant memory.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.facts import rules as facts
from contracts.facts.tables import Fact
from contracts.log import checkpoint, merkle, note, queries, tiles
from contracts.log.merkle import HASH_BYTES, Node
from contracts.log.rules import Mark
from contracts.log.site import Source
from contracts.log.tables import LogCheckpoint, LogEntry, LogNode, LogState
from contracts.log.tiles import BadBundle, NoSuchTile, Tile
from contracts.refusal import Kind, Refusal

AT_ONCE = 2_048  # leaves read at a time, some 600 kB


class LogFaulty(Refusal):
    """A part of the log is not what the leaves, the tree or a signature say it must be."""

    kind, code = Kind.CONFLICT, "log-faulty"
    hint = "Keep everything as it is; compare with a bundle or a checkpoint that a party has kept."


@dataclass(frozen=True, slots=True)
class Whole:
    """A log that was found without fault: its size and root, and what was looked at."""

    size: int
    root: bytes
    checked: dict[str, int]


class Tree:
    """A tree that grows by leaf hashes and keeps only its right edge."""

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.size = 0
        self._edge: dict[Node, bytes] = {}

    def append(self, hashes: Sequence[bytes]) -> dict[Node, bytes]:
        """Add leaves; return the subtrees that are complete now."""
        grown = merkle.grow(self.size, hashes, self._edge.__getitem__)
        self.size += len(hashes)
        known = self._edge | grown
        self._edge = {node: known[node] for node in merkle.frontier(self.size)}
        return grown

    @property
    def root(self) -> bytes:
        """The root of what was added."""
        return merkle.root(self.size, self._edge.__getitem__)


def check_site(source: Source, *, origin: str, trusted: Sequence[note.Verifier]) -> Whole:
    """Recompute a published log from its bundles: tiles, root and checkpoint must agree.

    Raises:
        LogFaulty: naming the first file that is missing or differs.
        BadNote, UntrustedNote: the checkpoint is none of this log's.
    """
    signed = source.checkpoint()
    if signed is None:
        return Whole(0, merkle.EMPTY_ROOT, {"tiles": 0, "bundles": 0})
    said = checkpoint.open_checkpoint(signed, origin=origin, trusted=trusted)
    tree, bundles, checked = Tree(), 0, 0
    rows: list[list[bytes]] = []
    for tile in tiles.grown(0, said.size):
        if tile.level is not None:
            break
        hashes = [merkle.leaf_hash(leaf) for leaf in _bundle(source, tile)]
        grown = tree.append(hashes)
        bundles += 1
        checked += _climb(source, rows, grown)
    for level, row in enumerate(rows):
        if row:
            _compare(source, Tile(level, (said.size >> 8 * level) // tiles.WIDTH, len(row)), row)
            checked += 1
    if tree.root != said.root:
        raise LogFaulty("The checkpoint's root is not that of the leaves.", where="checkpoint")
    return Whole(tree.size, tree.root, {"tiles": checked, "bundles": bundles})


def _bundle(source: Source, tile: Tile) -> list[bytes]:
    try:
        return tiles.decode(source.read(tile), tile.width)
    except (NoSuchTile, BadBundle) as fault:
        raise LogFaulty(fault.detail, where=tile.path) from fault


def _climb(source: Source, rows: list[list[bytes]], grown: dict[Node, bytes]) -> int:
    """Put the grown subtrees into the rows of tiles; compare the tiles that became full."""
    compared = 0
    for node, hashed in sorted(grown.items()):
        level, between = divmod(node.level, tiles.HEIGHT)
        if between:
            continue
        while len(rows) <= level:
            rows.append([])
        rows[level].append(hashed)
        if len(rows[level]) == tiles.WIDTH:
            _compare(source, Tile(level, node.index // tiles.WIDTH), rows[level])
            rows[level], compared = [], compared + 1
    return compared


def _compare(source: Source, tile: Tile, row: Sequence[bytes]) -> None:
    try:
        found = source.read(tile)
    except (NoSuchTile, BadBundle) as fault:
        raise LogFaulty(fault.detail, where=tile.path) from fault
    if len(found) != len(row) * HASH_BYTES or found != b"".join(row):
        raise LogFaulty("The tile does not hold the hashes of its leaves.", where=tile.path)


async def check_database(
    session: AsyncSession, *, origin: str, trusted: Sequence[note.Verifier], mark: Mark
) -> Whole:
    """Recompute the log from its facts: leaves, chains, stored tree, every checkpoint, the mark.

    Raises:
        LogFaulty: naming the first row that differs.
        BadNote, UntrustedNote: a checkpoint is none of this log's.
    """
    tree, heads, stored = Tree(), dict[UUID, bytes](), 0
    kept = await _checkpoints(session, origin=origin, trusted=trusted)
    async for entries in _entries(session):
        begun, grown = tree.size, dict[Node, bytes]()
        for entry, fact in entries:
            _check_leaf(entry, fact, heads, tree.size)
            grown |= tree.append([entry.leaf_hash])
            _check_root(tree, kept.pop(tree.size, None), "log_checkpoint")
            _check_root(tree, mark.root if tree.size == mark.size else None, "log.mark")
        stored += await _check_nodes(session, (begun, tree.size), grown)
    if kept:
        raise LogFaulty("A checkpoint has no leaves.", where=f"log_checkpoint {min(kept)}")
    await _check_counts(session, tree, mark, stored)
    return Whole(tree.size, tree.root, {"entries": tree.size, "nodes": stored})


async def _checkpoints(
    session: AsyncSession, *, origin: str, trusted: Sequence[note.Verifier]
) -> dict[int, bytes]:
    """Open every checkpoint; return the roots by size."""
    found = await session.execute(select(LogCheckpoint).order_by(col(LogCheckpoint.size)))
    roots = {}
    for row in found.scalars():
        said = checkpoint.open_checkpoint(row.note, origin=origin, trusted=trusted)
        if (said.size, said.root) != (row.size, row.root):
            raise LogFaulty("The row is not what was signed.", where=f"log_checkpoint {row.size}")
        roots[row.size] = row.root
    return roots


async def _entries(session: AsyncSession) -> AsyncIterator[list[tuple[LogEntry, Fact]]]:
    """Yield the leaves with their facts, some at a time."""
    after = -1
    while True:
        found = await session.execute(
            select(LogEntry, Fact)
            .join(Fact, col(Fact.id) == col(LogEntry.fact_id))
            .where(col(LogEntry.seq) > after)
            .order_by(col(LogEntry.seq))
            .limit(AT_ONCE)
            .execution_options(populate_existing=True)
        )
        rows = [(entry, fact) for entry, fact in found.all()]
        if not rows:
            return
        yield rows
        after = rows[-1][0].seq
        session.expunge_all()


def _check_leaf(entry: LogEntry, fact: Fact, heads: dict[UUID, bytes], place: int) -> None:
    """Make the leaf anew from its fact and the leaf before it on the same chain."""
    where = f"log_entry {place}"
    if entry.seq != place:
        raise LogFaulty("A number is missing.", where=where)
    before = heads.get(fact.subject)
    commitment = facts.commitment(fact.blind, fact.record)
    prev = before.hex() if before is not None else None
    leaf = facts.leaf(fact.id, fact.kind, fact.recorded_at, commitment, prev)
    if entry.leaf != leaf or entry.subject != fact.subject:
        raise LogFaulty("The leaf is not that of its fact.", where=where)
    if entry.leaf_hash != merkle.leaf_hash(leaf):
        raise LogFaulty("The hash is not that of the leaf.", where=where)
    heads[fact.subject] = entry.leaf_hash


def _check_root(tree: Tree, root: bytes | None, what: str) -> None:
    if root is not None and root != tree.root:
        raise LogFaulty("This root is not that of the leaves.", where=f"{what} {tree.size}")


async def _check_nodes(
    session: AsyncSession, span: tuple[int, int], grown: dict[Node, bytes]
) -> int:
    """Compare the subtrees that became complete with the stored ones; return how many are."""
    begun, size = span
    ranges = [(level, begun >> level, size >> level) for level in range(size.bit_length())]
    stored = await queries.stored(session, ranges)
    for node, hashed in sorted(grown.items()):
        if stored.get(node, None if queries.is_stored(node.level) else hashed) != hashed:
            raise LogFaulty(
                "A subtree's hash is missing or wrong.",
                where=f"log_node {node.level}/{node.index}",
            )
    return sum(node.level > 0 for node in stored)


async def _check_counts(session: AsyncSession, tree: Tree, mark: Mark, stored: int) -> None:
    """Compare what is counted elsewhere with the leaves there are."""
    size = (await session.execute(select(col(LogState.size)))).scalar_one()
    if size != tree.size:
        raise LogFaulty("Another size is noted than there are leaves.", where="log_state")
    nodes = (
        await session.execute(
            select(func.count()).select_from(LogNode).where(col(LogNode.level) > 0)
        )
    ).scalar_one()
    if nodes != stored:
        raise LogFaulty("There are subtrees beyond the leaves.", where="log_node")
    if mark.base > size:  # a batch that was signed and not committed is sealed again
        raise LogFaulty("The database is behind what was signed.", where="log.mark")
