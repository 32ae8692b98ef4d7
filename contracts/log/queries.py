"""Reading the log: facts by number, leaves, checkpoints and proofs."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.facts import queries as facts
from contracts.facts.rules import Audience, SealedFact
from contracts.facts.tables import Fact
from contracts.log import checkpoint as checkpoints
from contracts.log import merkle, note, rules
from contracts.log.merkle import Node
from contracts.log.proof import Proof
from contracts.log.rules import NotSealedYet
from contracts.log.tables import LogCheckpoint, LogEntry, LogState
from contracts.refusal import Unknown

BEFORE_ALL = -1  # the cursor of a reader that has seen nothing; numbers start at 0
STORED_EVERY = 8  # the levels of tiles: one row for 256 leaves instead of 511
Range = tuple[int, int, int]
STORED = text(
    "WITH asked AS (SELECT * FROM unnest(CAST(:levels AS integer[]), CAST(:firsts AS bigint[]), "
    "CAST(:beyonds AS bigint[])) AS asked(level, first, beyond)) "
    "SELECT 0, entry.seq, entry.leaf_hash FROM asked JOIN log_entry AS entry "
    "ON entry.seq >= first AND entry.seq < beyond WHERE asked.level = 0 "
    "UNION ALL SELECT node.level, node.index, node.hash FROM asked JOIN log_node AS node "
    "ON node.level = asked.level AND node.index >= first AND node.index < beyond "
    "WHERE asked.level > 0"
)


@dataclass(frozen=True, slots=True)
class FactProof:
    """A fact, its leaf, and the proof that the leaf is in the log."""

    fact: Fact
    entry: LogEntry
    proof: Proof


async def size(session: AsyncSession) -> int:
    """Return how many facts have a number; they are 0 up to this, without gaps."""
    return (await session.execute(select(col(LogState.size)))).scalar_one()


async def is_anything_waiting(session: AsyncSession) -> bool:
    """Tell whether a fact waits for its number; costs nothing when none does."""
    found = await session.execute(text("SELECT EXISTS (SELECT FROM fact_pending)"))
    return bool(found.scalar_one())


async def sealed_facts(
    session: AsyncSession,
    *,
    after: int,
    limit: int,
    viewer_party: UUID | None,
    staff: bool,
    subject: UUID | None = None,
    own: bool = False,
) -> list[SealedFact]:
    """Return the facts with a number above `after` that the viewer may read, in order.

    With `own`, only those that name the viewer's party. Staff without a party is the exchange's own
    process, which hands on to each what each may read.
    """
    wanted = [col(LogEntry.seq) > after]
    if not staff:
        wanted.append(_readable_by(viewer_party))
    elif viewer_party is not None:
        wanted.append(_not_private_to_others(viewer_party))
    if own:
        wanted.append(func.array_position(col(Fact.parties), viewer_party).is_not(None))
    if subject is not None:
        wanted.append(col(LogEntry.subject) == subject)
    found = await session.execute(
        select(col(LogEntry.seq), Fact)
        .join(Fact, col(Fact.id) == col(LogEntry.fact_id))
        .where(*wanted)
        .order_by(col(LogEntry.seq))
        .limit(limit)
    )
    return [sealed(seq, fact) for seq, fact in found.all()]


async def get_sealed(session: AsyncSession, fact_id: UUID) -> SealedFact:
    """Return the fact with its number.

    Raises:
        Unknown: there is no such fact.
        NotSealedYet: it waits for its number.
    """
    fact = await facts.get_fact(session, fact_id)
    found = await session.execute(select(col(LogEntry.seq)).where(col(LogEntry.fact_id) == fact_id))
    seq = found.scalar_one_or_none()
    if seq is None:
        raise NotSealedYet("The fact waits for its number.", fact=str(fact_id))
    return sealed(seq, fact)


def sealed(seq: int, fact: Fact) -> SealedFact:
    """Return a row as the value that readers know."""
    record: Any = canonical.known(fact.record)
    return SealedFact(
        seq, fact.id, fact.kind, fact.subject, tuple(fact.parties), record, fact.recorded_at
    )


async def leaves(session: AsyncSession, *, after: int, limit: int) -> Sequence[LogEntry]:
    """Return the leaves with a number above `after`; they are public."""
    found = await session.execute(
        select(LogEntry).where(col(LogEntry.seq) > after).order_by(col(LogEntry.seq)).limit(limit)
    )
    return found.scalars().all()


async def latest_checkpoint(session: AsyncSession) -> LogCheckpoint:
    """Return the newest signed checkpoint.

    Raises:
        Unknown: nothing has been sealed yet.
    """
    found = await session.execute(
        select(LogCheckpoint).order_by(col(LogCheckpoint.size).desc()).limit(1)
    )
    newest = found.scalar_one_or_none()
    if newest is None:
        raise Unknown("The log is still empty.")
    return newest


async def first_checkpoint_over(session: AsyncSession, seq: int) -> LogCheckpoint:
    """Return the earliest checkpoint that covers the leaf `seq`; it stays the same for ever.

    Raises:
        NotSealedYet: none covers it.
    """
    found = await session.execute(
        select(LogCheckpoint)
        .where(col(LogCheckpoint.size) > seq)
        .order_by(col(LogCheckpoint.size))
        .limit(1)
    )
    earliest = found.scalar_one_or_none()
    if earliest is None:
        raise NotSealedYet("No checkpoint covers this leaf yet.", index=seq)
    return earliest


async def proof_of_fact(session: AsyncSession, fact_id: UUID) -> FactProof:
    """Return the proof that the fact is in the log, against the newest checkpoint.

    Raises:
        Unknown: there is no such fact.
        NotSealedYet: it waits for its number.
    """
    fact = await facts.get_fact(session, fact_id)
    found = await session.execute(select(LogEntry).where(col(LogEntry.fact_id) == fact_id))
    entry = found.scalar_one_or_none()
    if entry is None:
        raise NotSealedYet("The fact waits for its number.", fact=str(fact_id))
    [proof] = await proofs(session, [entry.seq], await latest_checkpoint(session))
    return FactProof(fact, entry, proof)


async def entries_about(
    session: AsyncSession, subjects: Collection[UUID]
) -> list[tuple[LogEntry, Fact]]:
    """Return every sealed fact about the objects with its leaf, in order."""
    found = await session.execute(
        select(LogEntry, Fact)
        .join(Fact, col(Fact.id) == col(LogEntry.fact_id))
        .where(col(LogEntry.subject).in_(subjects))
        .order_by(col(LogEntry.seq))
    )
    return [(entry, fact) for entry, fact in found.all()]


async def told_about(
    session: AsyncSession, subjects: Collection[UUID], *, kinds: Collection[str]
) -> list[tuple[Fact, int | None]]:
    """Return the facts of these kinds about the objects with their numbers, in order.

    Those that wait for their number come last, as they were recorded.
    """
    found = await session.execute(
        select(Fact, col(LogEntry.seq))
        .outerjoin(LogEntry, col(LogEntry.fact_id) == col(Fact.id))
        .where(col(Fact.subject).in_(subjects), col(Fact.kind).in_(kinds))
        .order_by(col(LogEntry.seq).nulls_last(), col(Fact.recorded_at), col(Fact.id))
    )
    return [(fact, seq) for fact, seq in found.all()]


async def proofs(
    session: AsyncSession, seqs: Sequence[int], checkpoint: LogCheckpoint
) -> list[Proof]:
    """Return the inclusion proofs of the leaves in the tree of the checkpoint."""
    tree_size = checkpoints.parse(note.parse(checkpoint.note)[0]).size
    wanted = {node for seq in seqs for node in merkle.inclusion_nodes(seq, tree_size)}
    known = await nodes(session, wanted)
    return [
        Proof(
            seq,
            tuple(merkle.inclusion_proof(seq, tree_size, known.__getitem__)),
            checkpoint.note,
        )
        for seq in seqs
    ]


async def consistency(session: AsyncSession, size_1: int, size_2: int) -> list[bytes]:
    """Return the proof that the tree of `size_2` begins with the tree of `size_1`.

    Raises:
        Unknown: not 0 < size_1 ≤ size_2 ≤ the log's size.
    """
    if not 0 < size_1 <= size_2 <= await size(session):
        raise Unknown("There is no such pair of trees.", size_1=size_1, size_2=size_2)
    known = await nodes(session, merkle.consistency_nodes(size_1, size_2))
    return merkle.consistency_proof(size_1, size_2, known.__getitem__)


async def nodes(session: AsyncSession, wanted: Collection[Node]) -> dict[Node, bytes]:
    """Return the hashes of complete subtrees.

    Every eighth level is stored, like in tiles; what lies between is hashed from the level below.
    """
    below = {node: _stored_below(node) for node in wanted}
    known = await stored(session, _joined(below.values()))
    return {
        node: merkle.perfect_root([known[Node(level, place)] for place in range(first, beyond)])
        for node, (level, first, beyond) in below.items()
    }


def is_stored(level: int) -> bool:
    """Tell whether subtrees of a level have rows of their own; leaves have theirs as entries."""
    return level > 0 and level % STORED_EVERY == 0


async def stored(session: AsyncSession, ranges: Collection[Range]) -> dict[Node, bytes]:
    """Return the hashes with rows of their own: level, first place, and the place beyond."""
    found = await session.execute(
        STORED,
        {
            "levels": [level for level, _, _ in ranges],
            "firsts": [first for _, first, _ in ranges],
            "beyonds": [beyond for _, _, beyond in ranges],
        },
    )
    return {Node(level, index): bytes(hashed) for level, index, hashed in found.all()}


def _stored_below(node: Node) -> Range:
    """Return the stored hashes that a subtree is made of."""
    above = node.level % STORED_EVERY
    return (node.level - above, node.index << above, (node.index + 1) << above)


def _joined(ranges: Iterable[Range]) -> list[Range]:
    """Join ranges that touch or overlap."""
    joined: list[Range] = []
    for level, first, beyond in sorted(ranges):
        if joined and joined[-1][0] == level and first <= joined[-1][2]:
            joined[-1] = (level, joined[-1][1], max(beyond, joined[-1][2]))
        else:
            joined.append((level, first, beyond))
    return joined


def _readable_by(party: UUID | None) -> ColumnElement[bool]:
    public = col(Fact.kind).in_(rules.kinds_for(Audience.PUBLIC))
    if party is None:
        return public
    of_parties = col(Fact.kind).in_(rules.kinds_for(Audience.PARTIES, Audience.SIDES))
    return or_(public, of_parties & _names(party))


def _not_private_to_others(party: UUID) -> ColumnElement[bool]:
    return or_(col(Fact.kind).not_in(rules.kinds_for(Audience.SIDES)), _names(party))


def _names(party: UUID) -> ColumnElement[bool]:
    return func.array_position(col(Fact.parties), party).is_not(None)
