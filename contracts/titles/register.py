"""Values of the register of one tree of works, as availability is judged from them (pure).

Instants are microseconds since 1970-01-01 UTC here, as in `contracts.rights.region`. The leaves of
the axis of works are the works of the tree, one bit each: a work's bit stands for what lies in its
block of numbers and in no other work's, so that a series' own bit is the episodes still to come.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol
from uuid import UUID

from contracts.rights import axes
from contracts.rights.algebra import Exclusivity
from contracts.rights.instants import AFTER, BEFORE, micros
from contracts.rights.logic import Span
from contracts.rights.region import Box
from contracts.window import Window

Block = tuple[int, int]
OWNERS = UUID(int=0)  # stands for the owners' own rights where a grant's id could stand


@dataclass(frozen=True, slots=True)
class Node:
    """A work of the tree: its block of numbers, its titles, and when its protection ends."""

    work_id: UUID
    first: int
    after: int
    title_zh: str = ""
    title_en: str = ""
    protected_until: int | None = None  # None: no date tells


@dataclass(frozen=True)
class Tree:
    """The works of a tree in the order of their blocks, parents before children."""

    nodes: tuple[Node, ...]

    @cached_property
    def all(self) -> int:
        """Return the mask of every work."""
        return (1 << len(self.nodes)) - 1

    @cached_property
    def _masks(self) -> dict[Block, int]:
        return {}

    def mask(self, block: Block) -> int:
        """Return the works whose blocks lie in a block of numbers."""
        known = self._masks.get(block)
        if known is None:
            first, after = block
            known = sum(
                1 << place
                for place, node in enumerate(self.nodes)
                if first <= node.first and node.after <= after
            )
            self._masks[block] = known
        return known

    def named(self, mask: int) -> tuple[tuple[Node, bool], ...]:
        """Return the fewest works that say a mask, each with whether all below it is meant too.

        A work that is meant with only some, or none, of its parts stands without them.
        """
        found: list[tuple[Node, bool]] = []
        for place, node in enumerate(self.nodes):
            if mask >> place & 1:
                below = self.mask((node.first, node.after))
                whole = mask & below == below
                found.append((node, whole))
                mask &= ~(below if whole else 1 << place)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Question:
    """Rights that somebody asks for: is this free?

    `units` is the block of the work asked about in the tree of `root_id`; `uses`, `territories` and
    `languages` are masks of the axes; `depth` says how many times over the rights may be licensed
    on. Without `grantor` it is asked of the owners, whoever they are.
    """

    root_id: UUID
    units: Block
    uses: int
    territories: int
    languages: int
    window: Window
    exclusivity: Exclusivity
    runs: int | None = None
    depth: int = 0
    grantor: UUID | None = None
    grantee: UUID | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """Rights in (权利来源): a grant out of which its licensee may grant on (转授权).

    `runs_left` is None where runs are not counted; `under` is the grant this one was made from.
    """

    id: UUID
    holder: UUID
    box: Box
    exclusivity: Exclusivity
    depth: int
    runs_left: int | None = None
    deal_id: UUID | None = None
    under: UUID = OWNERS


@dataclass(frozen=True, slots=True)
class Out:
    """Rights out: a live grant, in a deal's signature, offered, or effective.

    `under` is the grant it was made from, `OWNERS` for the owners' own rights.
    """

    id: UUID
    state: str
    box: Box
    exclusivity: Exclusivity
    under: UUID = OWNERS
    grantor: UUID | None = None
    grantee: UUID | None = None
    deal_id: UUID | None = None
    expires_at: datetime | None = None


class Burden(Protocol):
    """A promise or charge on works; what `contracts.encumbrances` keeps has this form."""

    @property
    def record_id(self) -> UUID:
        """The encumbrance."""
        ...

    @property
    def kind(self) -> str:
        """Its kind: holdback, blackout, option, first-refusal, pledge, mandate, clearance."""
        ...

    @property
    def units(self) -> Block:
        """The block of the works it lies on."""
        ...

    @property
    def uses(self) -> int:
        """The uses."""
        ...

    @property
    def territories(self) -> int:
        """The territories."""
        ...

    @property
    def languages(self) -> int:
        """The languages."""
        ...

    @property
    def span(self) -> Span:
        """The time, as far as it is known."""
        ...

    @property
    def waits_for(self) -> str | None:
        """The event without a date that an end is counted from."""
        ...

    @property
    def beneficiary(self) -> UUID | None:
        """Whom it serves."""
        ...


@dataclass(frozen=True)
class Register:
    """All that bears on a question: the tree, rights in, rights out, burdens, missing consents.

    `owners` are those whose own rights count as the owners'; `disagreeing` the co-owners who have
    not agreed to exclusive licences.
    """

    tree: Tree
    owners: frozenset[UUID] = frozenset()
    holdings: Sequence[Holding] = ()
    outs: Sequence[Out] = ()
    burdens: Sequence[Burden] = ()
    disagreeing: Sequence[UUID] = field(default=())


def box_of(tree: Tree, question: Question) -> Box:
    """Return the box that a question asks for."""
    window = question.window
    return Box(
        tree.mask(question.units),
        question.uses,
        question.territories,
        question.languages,
        micros(window.start),
        micros(window.end),
    )


def beyond_protection(tree: Tree) -> list[Box]:
    """Return the boxes after the end of the works' protection (保护期)."""
    ends: dict[int, int] = {}
    for place, node in enumerate(tree.nodes):
        if node.protected_until is not None:
            ends[node.protected_until] = ends.get(node.protected_until, 0) | 1 << place
    return [_everything(units, end, AFTER) for end, units in sorted(ends.items())]


def certainly(tree: Tree, burden: Burden) -> Box:
    """Return the box that a burden takes however its events fall; it may be empty."""
    span = burden.span
    start = AFTER if span.start_latest is None else micros(span.start_latest)
    end = BEFORE if span.end_earliest is None else micros(span.end_earliest)
    return _taken(tree, burden, start, end)


def possibly(tree: Tree, burden: Burden) -> Box:
    """Return the box that a burden may take, with what it certainly takes."""
    span = burden.span
    start = BEFORE if span.start_earliest is None else micros(span.start_earliest)
    end = AFTER if span.end_latest is None else micros(span.end_latest)
    return _taken(tree, burden, start, end)


def _taken(tree: Tree, burden: Burden, start: int, end: int) -> Box:
    units = tree.mask(burden.units)
    return Box(units, burden.uses, burden.territories, burden.languages, start, end)


def _everything(units: int, start: int, end: int) -> Box:
    return Box(units, axes.ALL_USES, axes.TERRITORIES.all, axes.LANGUAGES.all, start, end)
