from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from listings.admissions import kinship
from listings.admissions.kinship import BANK, DIRECTOR, OWNER, Relation

PARTIES = [UUID(int=one) for one in range(8)]
NODES = [kinship.party_node(party) for party in PARTIES] + [
    kinship.shared_node(kind, value) for kind in (BANK, DIRECTOR) for value in ("一", "二", "三")
]
relations = st.lists(
    st.builds(
        Relation,
        st.sampled_from(PARTIES),
        st.sampled_from([BANK, DIRECTOR]),
        st.sampled_from(NODES),
    ),
    max_size=12,
)


def reached(start: UUID, edges: list[Relation]) -> set[str]:
    """Walk from a party over every edge, both ways: the slow and plain answer."""
    seen, waiting = set(), [kinship.party_node(start)]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        for edge in edges:
            ends = {kinship.party_node(edge.party_id), edge.node}
            if node in ends:
                waiting += ends
    return seen


@given(relations, st.sampled_from(PARTIES), st.sampled_from(PARTIES))
def test_who_is_connected_is_who_can_be_reached(
    edges: list[Relation], one: UUID, other: UUID
) -> None:
    found = kinship.related([one], [other], edges)
    expected = one != other and kinship.party_node(one) in reached(other, edges)
    assert (one in found) == expected


@given(relations, st.randoms(), st.sampled_from(PARTIES))
def test_the_order_of_declarations_makes_no_difference(
    edges: list[Relation], randomly: Random, seller: UUID
) -> None:
    shuffled = list(edges)
    randomly.shuffle(shuffled)
    assert kinship.related(PARTIES, [seller], edges) == kinship.related(PARTIES, [seller], shuffled)


@given(relations, st.sampled_from(PARTIES), st.sampled_from(PARTIES))
def test_being_connected_goes_both_ways(edges: list[Relation], one: UUID, other: UUID) -> None:
    there = kinship.related([one], [other], edges)
    back = kinship.related([other], [one], edges)
    assert bool(there) == bool(back)


@given(relations, st.builds(Relation, st.sampled_from(PARTIES), st.just(BANK),
                            st.sampled_from(NODES)))  # fmt: skip
def test_a_further_relation_never_takes_a_connection_away(
    edges: list[Relation], further: Relation
) -> None:
    before = kinship.related(PARTIES, PARTIES[:1], edges)
    assert before <= kinship.related(PARTIES, PARTIES[:1], [*edges, further])


def test_an_owner_of_less_than_a_quarter_joins_nobody() -> None:
    mother, daughter = PARTIES[:2]
    small = Relation(daughter, OWNER, kinship.party_node(mother), 2_499)
    large = Relation(daughter, OWNER, kinship.party_node(mother), 2_500)
    assert kinship.related([daughter], [mother], [small]) == frozenset()
    assert kinship.related([daughter], [mother], [large]) == {daughter}


def test_a_director_of_one_who_owns_the_other_joins_them() -> None:
    person = kinship.shared_node(DIRECTOR, "张三 110101199001011234")
    same = kinship.shared_node(OWNER, " 张三110101 1990-0101 1234")
    assert person == same
    edges = [Relation(PARTIES[0], DIRECTOR, person), Relation(PARTIES[1], OWNER, same, 5_000)]
    assert kinship.related([PARTIES[1]], [PARTIES[0]], edges) == {PARTIES[1]}


def test_spelling_of_an_account_makes_no_difference_and_its_number_is_not_kept() -> None:
    one = kinship.shared_node(BANK, "6222 0210-0109 7612 345")
    assert one == kinship.shared_node(BANK, "6222021001097612345")
    assert "6222" not in one
    assert one != kinship.shared_node(DIRECTOR, "6222021001097612345")
