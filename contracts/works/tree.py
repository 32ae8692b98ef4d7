"""The tree that works stand in: what may stand below what, and which numbers each owns (pure).

A tree's root (a series, a film) owns the numbers [0, 2^30). A node's block is cut into 1024 equal
parts: part 0 is kept for the node itself, part k (1 to 1023) is its k-th child's, so that rights in
a series are rights in every season, episode and edit in it, those added later too. Blocks of one
tree are nested or apart.
"""

from typing import Protocol

from contracts.refusal import Kind, Refusal

WHOLE = 2**30
PARTS = 1024
MOST_CHILDREN = PARTS - 1
DEEPEST = 3  # levels below the root: season, episode, edit; 1024^3 is the whole
Block = tuple[int, int]
_WITH_EDITS = ("edit",)  # 版本: director's cut, dubbed, trimmed for broadcast
BELOW = {
    "series": ("season", "episode", "edit"),
    "season": ("episode", "edit"),
    "episode": _WITH_EDITS,
    "edit": (),
    "film": _WITH_EDITS,
    "documentary": ("season", "episode", "edit"),
    "sports": ("season", "episode", "edit"),
    "variety": ("season", "episode", "edit"),
    "animation": ("season", "episode", "edit"),
    "other": _WITH_EDITS,
}
NEEDS_PARENT = ("season", "edit")  # what is nothing on its own


class WorkCannotNest(Refusal):
    """A work of this kind does not stand below one of that kind."""

    kind, code = Kind.INVALID, "work-cannot-nest"
    hint = "Nest series, season, episode, edit in this order; `below` names what may stand there."


class WorkNeedsParent(Refusal):
    """A season (季) or an edit (版本) is part of another work."""

    kind, code = Kind.INVALID, "work-needs-parent"
    hint = "Send `parent_id`: the series of the season, the work that the edit is one of."


class WorkTreeTooDeep(Refusal):
    """The tree would have more than three levels below its root."""

    kind, code = Kind.INVALID, "work-tree-too-deep"
    hint = "Register the edit directly below the episode or film that it is an edit of."


class WorkTreeFull(Refusal):
    """The parent has as many children as it can have."""

    kind, code = Kind.CONFLICT, "work-tree-full"
    hint = "Group further parts below a season, or begin a tree of their own."


class Placed(Protocol):
    """What has a block: a work."""

    @property
    def unit_first(self) -> int:
        """The first number."""
        ...

    @property
    def unit_after(self) -> int:
        """The number after the last."""
        ...


def units(work: Placed) -> Block:
    """Return the block of a work: the first number and the number after the last."""
    return work.unit_first, work.unit_after


def part(block: Block, number: int) -> Block:
    """Return the block of the child of this number, 1 to 1023.

    Raises:
        WorkTreeTooDeep: the parent's block is a single number.
        WorkTreeFull: the number is beyond 1023.
    """
    first, after = block
    size = (after - first) // PARTS
    if size == 0:
        raise WorkTreeTooDeep("Nothing stands below this work.", deepest=DEEPEST)
    if number > MOST_CHILDREN:
        raise WorkTreeFull("The parent has no place left.", most=MOST_CHILDREN)
    return first + number * size, first + (number + 1) * size


def next_part(parent: Block, last: Block | None) -> Block:
    """Return the block after that of the parent's last child; `last` is None for the first child.

    Raises:
        WorkTreeTooDeep: the parent's block is a single number.
        WorkTreeFull: the parent has 1023 children.
    """
    if last is None:
        return part(parent, 1)
    return part(parent, (last[0] - parent[0]) // (last[1] - last[0]) + 1)


def check_nesting(kind: str, *, parent_kind: str | None) -> None:
    """Let a work of this kind stand where it was put; `parent_kind` is None at the root.

    Raises:
        WorkNeedsParent: a season or an edit without a parent.
        WorkCannotNest: a work of this kind does not stand below one of that kind.
    """
    if parent_kind is None:
        if kind in NEEDS_PARENT:
            raise WorkNeedsParent("A season or an edit is part of another work.", work_kind=kind)
    elif kind not in BELOW[parent_kind]:
        raise WorkCannotNest(
            "A work of this kind does not stand below one of that kind.",
            work_kind=kind,
            parent_kind=parent_kind,
            below=list(BELOW[parent_kind]),
        )
