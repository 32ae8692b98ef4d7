import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.works import rules, tree
from contracts.works.tree import (
    DEEPEST,
    MOST_CHILDREN,
    WHOLE,
    Block,
    WorkCannotNest,
    WorkNeedsParent,
    WorkTreeFull,
    WorkTreeTooDeep,
)

numbers = st.integers(1, MOST_CHILDREN)
ways = st.lists(numbers, max_size=DEEPEST).map(tuple)  # from the root down, child by child


def block(way: tuple[int, ...]) -> Block:
    at: Block = (0, WHOLE)
    for number in way:
        at = tree.part(at, number)
    return at


@given(ways, ways)
def test_blocks_are_nested_exactly_as_the_works_are_and_otherwise_apart(
    one: tuple[int, ...], other: tuple[int, ...]
) -> None:
    (a, b), (c, d) = block(one), block(other)
    common = range(max(a, c), min(b, d))
    if one == other[: len(one)]:
        assert a <= c < d <= b
    elif other == one[: len(other)]:
        assert c <= a < b <= d
    else:
        assert not common


@given(ways)
def test_a_block_is_aligned_and_part_of_the_whole(way: tuple[int, ...]) -> None:
    first, after = block(way)
    assert 0 <= first < after <= WHOLE
    assert first % (after - first) == 0
    assert after - first == WHOLE // 1024 ** len(way)


@given(ways.filter(lambda way: len(way) < DEEPEST))
def test_a_node_keeps_numbers_that_no_child_takes(way: tuple[int, ...]) -> None:
    first, after = block(way)
    parts = [tree.part((first, after), number) for number in (1, 2, MOST_CHILDREN)]
    assert min(part[0] for part in parts) > first
    assert max(part[1] for part in parts) == after


@given(ways, ways)
def test_no_two_nodes_begin_at_one_number(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert (one == other) == (block(one)[0] == block(other)[0])


@given(ways.filter(lambda way: len(way) < DEEPEST), numbers)
@example((), MOST_CHILDREN)
@example((1, 1), MOST_CHILDREN - 1)
def test_children_are_numbered_one_after_the_other(way: tuple[int, ...], last: int) -> None:
    parent = block(way)
    assert tree.next_part(parent, None) == tree.part(parent, 1)
    if last < MOST_CHILDREN:
        following = tree.next_part(parent, tree.part(parent, last))
        assert following == tree.part(parent, last + 1)
    else:
        with pytest.raises(WorkTreeFull):
            tree.next_part(parent, tree.part(parent, last))


@given(st.tuples(numbers, numbers, numbers))
def test_nothing_stands_more_than_three_levels_below_the_root(way: tuple[int, ...]) -> None:
    with pytest.raises(WorkTreeTooDeep):
        tree.next_part(block(way), None)


def test_every_kind_has_its_rule_and_names_only_kinds() -> None:
    assert set(tree.BELOW) == set(rules.KINDS)
    assert set(itertools.chain.from_iterable(tree.BELOW.values())) <= set(rules.KINDS)


def test_no_chain_of_kinds_is_longer_than_the_tree_is_deep() -> None:
    def levels(kind: str) -> int:
        return max((1 + levels(below) for below in tree.BELOW[kind]), default=0)

    assert max(map(levels, rules.KINDS)) == DEEPEST


@pytest.mark.parametrize(
    ("parent", "kind"),
    [
        ("series", "season"), ("season", "episode"), ("episode", "edit"), ("series", "episode"),
        ("film", "edit"), ("documentary", "edit"), ("sports", "edit"), ("other", "edit"),
        ("variety", "season"),
    ],
)  # fmt: skip
def test_what_may_stand_below_what(parent: str, kind: str) -> None:
    tree.check_nesting(kind, parent_kind=parent)


@pytest.mark.parametrize(
    ("parent", "kind"),
    [
        ("season", "season"), ("episode", "season"), ("episode", "episode"), ("edit", "edit"),
        ("film", "film"), ("series", "film"), ("series", "series"), ("film", "episode"),
    ],
)  # fmt: skip
def test_what_may_not_stand_below_what(parent: str, kind: str) -> None:
    with pytest.raises(WorkCannotNest) as told:
        tree.check_nesting(kind, parent_kind=parent)
    assert told.value.data["below"] == list(tree.BELOW[parent])


@pytest.mark.parametrize("kind", rules.KINDS)
def test_only_seasons_and_edits_need_a_parent(kind: str) -> None:
    if kind in ("season", "edit"):
        with pytest.raises(WorkNeedsParent):
            tree.check_nesting(kind, parent_kind=None)
    else:
        tree.check_nesting(kind, parent_kind=None)
