"""What may be sealed and signed next (pure).

A signature that has left this machine can never be taken back, so a key signs each size once. The
signer's *mark* says what it has signed last; it is written before the transaction that stores the
checkpoint commits. A crash in between leaves the mark ahead of the database. Nothing is lost and
nothing is stuck then: the mark also names the facts of that batch, in order. They still wait, and
the next sealer seals exactly these before anything else, which leads to the same root and, Ed25519
being deterministic, to the same signature. A database that went back further than that (a restored
backup) no longer has those facts waiting in front of the mark, and is refused: `log-would-fork`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.facts import rules as facts
from contracts.facts.kinds import KINDS
from contracts.facts.rules import Audience
from contracts.log import merkle
from contracts.refusal import Kind, Refusal


class LogWouldFork(Refusal):
    """Signing would give the log two histories: the database is not what was signed."""

    kind, code = Kind.CONFLICT, "log-would-fork"
    hint = (
        "Bring the database (or the signer's mark) back to the newest checkpoint that was signed."
    )


class SealerOvertaken(Refusal):
    """Another sealer has moved the mark since it was read."""

    kind, code = Kind.UNAVAILABLE, "sealer-overtaken"
    hint = "Seal again: the next batch starts from the new mark."


class NotSealedYet(Refusal):
    """The fact is recorded, but has no place in the log yet."""

    kind, code = Kind.UNAVAILABLE, "not-sealed-yet"
    hint = "Ask again in a second."


@dataclass(frozen=True, slots=True)
class Mark:
    """What a key has signed last.

    Attributes:
        size: the leaves of the tree.
        root: its root.
        base: the leaves before the last batch.
        facts: the facts of the last batch, in the order of their leaves.
    """

    size: int
    root: bytes
    base: int = 0
    facts: tuple[UUID, ...] = ()


# A new key's mark: it has signed nothing, so it may continue any tree.
UNMARKED = Mark(0, merkle.EMPTY_ROOT)


class Entry(NamedTuple):
    """A fact with its number and its leaf."""

    seq: int
    fact_id: UUID
    subject: UUID
    leaf: bytes
    leaf_hash: bytes


class Waiting(NamedTuple):
    """What the leaf of a fact is made of, its turn, and the newest leaf of its subject's chain."""

    fact_id: UUID
    kind: str
    subject: UUID
    parties: Sequence[UUID]
    record: bytes
    blind: bytes
    recorded_at: datetime
    turn: int
    head: bytes | None


def promised(mark: Mark, size: int) -> tuple[UUID, ...]:
    """Return the facts that must be sealed next because their root is signed; mostly none.

    Raises:
        LogWouldFork: the database holds less than what the last signed batch was built on.
    """
    if mark.size <= size:
        return ()
    if mark.base != size:
        raise LogWouldFork("The database is behind the mark.", size=size, signed=mark.size)
    return mark.facts


def check_prefix(mark: Mark, root: bytes) -> None:
    """Refuse a tree whose first `mark.size` leaves have another root than the signed one.

    Raises:
        LogWouldFork: they differ.
    """
    if mark.root != root:
        raise LogWouldFork("The database holds another history than was signed.", size=mark.size)


def check_promise(mark: Mark, after: Mark, promise: Mark) -> None:
    """Decide whether a key whose mark is `mark` may sign `promise`, made with `after` in view.

    Raises:
        SealerOvertaken: the mark has moved since.
        LogWouldFork: the promise is not larger than what is signed, and is not the same either.
    """
    if mark == promise:
        return
    if mark != after:
        raise SealerOvertaken("Another sealer has signed in the meantime.", signed=mark.size)
    if not mark.size <= promise.base < promise.size:
        raise LogWouldFork(
            "This tree does not continue what was signed.", size=promise.size, signed=mark.size
        )


def chain(
    size: int, waiting: Sequence[Waiting], reached: Mapping[int, bytes] | None = None
) -> list[Entry]:
    """Number the facts from `size` on and link each to the last leaf of its subject.

    Args:
        size: the leaves there are.
        waiting: the facts, in the order of their turn.
        reached: the last leaves of subjects that have grown since the facts were read, by the
            number that the id is: hashing an id takes longer than hashing its leaf.
    """
    heads = dict(reached or {})
    entries = []
    for seq, fact in enumerate(waiting, start=size):
        fact_id, kind, subject, _, record, blind, recorded_at, _, head = fact
        prev = heads.get(subject.int, head)
        commitment = facts.commitment(blind, record)
        leaf = facts.leaf(
            fact_id, kind, recorded_at, commitment, None if prev is None else prev.hex()
        )
        hashed = heads[subject.int] = merkle.leaf_hash(leaf)
        entries.append(Entry(seq, fact_id, subject, leaf, hashed))
    return entries


def kinds_for(*audiences: Audience) -> list[str]:
    """Return the kinds of fact with one of these audiences."""
    return [name for name, kind in KINDS.items() if kind.audience in audiences]


def may_read(kind: str, parties: Sequence[UUID], *, party: UUID | None, staff: bool) -> bool:
    """Tell whether somebody of `party` (or of the staff) may read the record of a fact."""
    audience = KINDS[kind].audience if kind in KINDS else Audience.STAFF
    if audience is Audience.PUBLIC or (staff and audience is not Audience.SIDES):
        return True
    shared = audience in (Audience.PARTIES, Audience.SIDES)
    return shared and party is not None and party in parties
