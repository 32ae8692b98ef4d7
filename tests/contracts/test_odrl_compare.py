"""Comparing policies by its laws, and against brute force over every single use."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.odrl import compare, denoting, extents, moments
from contracts.odrl.denoting import COUNT, LANGUAGE, SPATIAL, TIME
from contracts.odrl.policy import (
    Atom,
    Constraint,
    Group,
    Joint,
    Modality,
    Policy,
    Rule,
    Unread,
    Value,
)
from contracts.odrl.vocabulary import ODRL, TERRITORY
from contracts.rights import axes
from contracts.rights.logic import Verdict

START = datetime(2027, 1, 1, tzinfo=UTC)
DAYS, RUNS = 3, 2
HALF = timedelta(hours=12)
PLACES, TONGUES = ("CN", "JP", "FR"), ("zh", "en")
OTHER = "urn:x:elsewhere"
Cell = tuple[str, str, datetime, int]  # a place, a language, an instant, a run
# Each end of a window, an instant between each two and outside them; one run more than is named.
INSTANTS = [START + half * HALF for half in range(-1, 2 * DAYS + 2)]
CELLS: list[Cell] = list(product((*PLACES, OTHER), (*TONGUES, OTHER), INSTANTS, range(1, RUNS + 3)))
FILM, STUDIO = frozenset({"urn:x:film"}), frozenset({"urn:x:studio"})
UNKNOWN = Unread("urn:x:weather")


def place(code: str) -> Value:
    return Value(TERRITORY + code, True)


def at(day: int) -> Value:
    return Value((START + timedelta(days=day)).isoformat(), False)


def atoms(left: str, operators: tuple[str, ...], values: st.SearchStrategy[tuple[Value, ...]]):
    return st.builds(
        lambda operator, chosen: Atom(ODRL + left, ODRL + operator, chosen),
        st.sampled_from(operators),
        values,
    )


SETS = ("isAnyOf", "isNoneOf")
ORDERS = ("lt", "lteq", "gt", "gteq", "eq", "neq")
LEAVES = st.one_of(
    atoms("spatial", SETS, st.sets(st.sampled_from(PLACES), min_size=1).map(
        lambda codes: tuple(place(code) for code in sorted(codes)))),
    atoms("language", SETS, st.sets(st.sampled_from(TONGUES), min_size=1).map(
        lambda codes: tuple(Value(code, False) for code in sorted(codes)))),
    atoms("dateTime", ORDERS[:4], st.integers(0, DAYS).map(lambda day: (at(day),))),
    atoms("count", ORDERS, st.integers(0, RUNS + 1).map(lambda n: (Value(str(n), False),))),
)  # fmt: skip


def trees(leaves: st.SearchStrategy[Constraint]) -> st.SearchStrategy[Constraint]:
    return st.recursive(
        leaves,
        lambda parts: st.builds(
            Group, st.sampled_from(Joint), st.lists(parts, min_size=1, max_size=2).map(tuple)
        ),
        max_leaves=3,
    )


@st.composite
def rules(draw: st.DrawFn, leaves: st.SearchStrategy[Constraint] = LEAVES) -> Rule:
    return Rule(
        modality=draw(st.sampled_from(Modality)),
        action=ODRL + draw(st.sampled_from(("use", "reproduce", "extract", "stream"))),
        target=FILM,
        assigner=STUDIO,
        assignee=frozenset({f"urn:x:{draw(st.sampled_from(('one', 'two')))}"}),
        constraint=draw(trees(leaves)),
        keeps_out=draw(st.sampled_from((True, False))),
    )


def policies(leaves: st.SearchStrategy[Constraint] = LEAVES) -> st.SearchStrategy[Policy]:
    return st.lists(rules(leaves), min_size=1, max_size=2).map(
        lambda made: Policy("urn:x:policy", "Agreement", tuple(made))
    )


BLURRED: st.SearchStrategy[Constraint] = st.one_of(LEAVES, LEAVES, st.just(UNKNOWN))


def holds(constraint: Constraint, cell: Cell, *, unread: bool) -> bool:
    """Tell whether a use passes, word for word, `unread` said of all that cannot be evaluated."""
    if isinstance(constraint, Unread):
        return unread
    if isinstance(constraint, Group):
        passed = [holds(part, cell, unread=unread) for part in constraint.parts]
        return {
            Joint.ALL: all(passed), Joint.ANY: any(passed), Joint.ONE: sum(passed) == 1,
        }[constraint.joint]  # fmt: skip
    where, tongue, instant, run = cell
    operator = constraint.operator.removeprefix(ODRL)
    if constraint.left in (SPATIAL, LANGUAGE):
        said = place(where).text if constraint.left == SPATIAL else tongue
        among = said in [value.text for value in constraint.values]
        return among if operator == "isAnyOf" else not among
    wanted = constraint.values[0].text
    if constraint.left == TIME:
        return ordered(operator, instant, datetime.fromisoformat(wanted))
    assert constraint.left == COUNT
    return ordered(operator, run, int(wanted))


def ordered(operator: str, a, b) -> bool:
    return {
        "lt": a < b, "lteq": a <= b, "gt": a > b, "gteq": a >= b, "eq": a == b, "neq": a != b,
    }[operator]  # fmt: skip


def actions_meet(a: str, b: str) -> bool:
    line = ["use", "reproduce", "extract"]
    return a == b or "use" in (a, b) or (a in line and b in line)


def collide(a: Rule, b: Rule, *, unread: bool) -> bool:
    """Tell whether two rules collide, by looking at every single use."""
    kinds = {a.modality, b.modality}
    if kinds == {Modality.PERMISSION}:
        faces = (a.keeps_out or b.keeps_out) and a.assignee != b.assignee
    else:
        faces = Modality.PROHIBITION in kinds and len(kinds) == 2 and a.assignee == b.assignee
    if not faces:
        return False
    shared = any(
        holds(a.constraint, cell, unread=unread) and holds(b.constraint, cell, unread=unread)
        for cell in CELLS
    )
    names = (one.action.removeprefix(ODRL) for one in (a, b))
    return actions_meet(*names) and shared


def brute(a: Policy, b: Policy, *, unread: bool = False) -> bool:
    return any(collide(one, other, unread=unread) for one, other in product(a.rules, b.rules))


def narrowed(policy: Policy, constraint: Constraint) -> Policy:
    """The policy with one more condition in each rule."""
    made = [
        replace(rule, constraint=Group(Joint.ALL, (rule.constraint, constraint)))
        for rule in policy.rules
    ]
    return replace(policy, rules=tuple(made))


@settings(max_examples=250, deadline=None)
@given(policies(), policies())
def test_what_is_understood_is_decided_as_every_single_use_says(a: Policy, b: Policy) -> None:
    wanted = Verdict.CONFLICT if brute(a, b) else Verdict.COMPATIBLE
    assert compare.compare(a, b).verdict is wanted


@settings(max_examples=200, deadline=None)
@given(policies(BLURRED), policies(BLURRED), st.booleans())
def test_a_certain_verdict_holds_whatever_the_unknown_turns_out_to_be(
    a: Policy, b: Policy, unread: bool
) -> None:
    verdict = compare.compare(a, b).verdict
    if verdict is not Verdict.UNKNOWN:
        assert (verdict is Verdict.CONFLICT) == brute(a, b, unread=unread)


@settings(deadline=None)
@given(policies(BLURRED), policies(BLURRED))
def test_the_order_of_two_policies_changes_nothing(a: Policy, b: Policy) -> None:
    assert compare.compare(a, b).verdict is compare.compare(b, a).verdict


@settings(max_examples=150, deadline=None)
@given(policies(BLURRED), policies(BLURRED))
def test_one_more_unknown_condition_never_makes_a_conflict(a: Policy, b: Policy) -> None:
    before = compare.compare(a, b).verdict
    after = compare.compare(narrowed(a, UNKNOWN), b).verdict
    if before is not Verdict.CONFLICT:
        assert after is before
    assert after is not Verdict.CONFLICT


@settings(max_examples=150, deadline=None)
@given(policies(BLURRED), policies(BLURRED), LEAVES)
def test_one_more_condition_never_makes_a_conflict(
    a: Policy, b: Policy, condition: Constraint
) -> None:
    before = compare.compare(a, b).verdict
    after = compare.compare(narrowed(a, condition), b).verdict
    assert after is not Verdict.CONFLICT or before is Verdict.CONFLICT
    assert after is Verdict.COMPATIBLE or before is not Verdict.COMPATIBLE


@settings(deadline=None)
@given(policies(BLURRED), policies(BLURRED), policies(BLURRED))
def test_one_more_rule_never_takes_a_conflict_away(a: Policy, more: Policy, b: Policy) -> None:
    if compare.compare(a, b).verdict is Verdict.CONFLICT:
        joined = replace(a, rules=a.rules + more.rules)
        assert compare.compare(joined, b).verdict is Verdict.CONFLICT


@settings(deadline=None)
@given(policies(BLURRED), policies(BLURRED))
def test_each_reason_bears_the_verdict_on_the_axes_it_names(a: Policy, b: Policy) -> None:
    found = compare.compare(a, b)
    assert found.verdict is Verdict.COMPATIBLE or found.reasons
    for reason in found.reasons:
        assert reason.verdict is found.verdict
        assert {axis.verdict for axis in reason.axes} == {found.verdict}


def test_a_condition_of_too_many_parts_is_unknown_and_not_a_conflict() -> None:
    days = [Atom(TIME, ODRL + "eq", (at(3 * day),)) for day in range(extents.MOST_BOXES + 1)]
    many = Group(Joint.ANY, tuple(days))
    rule = Rule(
        Modality.PERMISSION, ODRL + "use", FILM, STUDIO, frozenset({"urn:x:one"}), many, True
    )
    one = Policy("urn:x:a", "Agreement", (rule,))
    other = replace(one, rules=(replace(rule, assignee=frozenset({"urn:x:two"})),))
    assert compare.compare(one, other).verdict is Verdict.UNKNOWN
    fewer = replace(rule, constraint=Group(Joint.ANY, tuple(days[:-1])))
    assert compare.compare(replace(one, rules=(fewer,)), replace(
        other, rules=(replace(fewer, assignee=frozenset({"urn:x:two"})),)
    )).verdict is Verdict.CONFLICT  # fmt: skip


def within(cut: extents.Cut, axis: str, cell: Cell) -> bool:
    where, tongue, instant, run = cell
    if isinstance(cut, extents.Spans):
        micros = (instant - moments.EPOCH) // timedelta(microseconds=1)
        number = micros if axis == TIME else run
        return any(low <= number < high for low, high in cut.spans)
    assert isinstance(cut, extents.Bits)
    named = {SPATIAL: (axes.TERRITORIES, where, "AU"), LANGUAGE: (axes.LANGUAGES, tongue, "mi")}
    if axis not in named:
        return bool(cut.mask)
    of, code, unnamed = named[axis]
    return bool(cut.mask & of.mask([unnamed if code == OTHER else code]))


@settings(max_examples=200, deadline=None)
@given(trees(BLURRED), st.sampled_from(CELLS))
def test_the_truth_lies_between_what_surely_and_what_possibly_passes(
    constraint: Constraint, cell: Cell
) -> None:
    rule = Rule(Modality.PERMISSION, ODRL + "use", FILM, STUDIO, None, constraint)
    sense = denoting.Sense((Policy("urn:x:policy", "Set", (rule,)),))
    boxes = denoting.boxes_of(rule, sense)
    surely = any(all(within(e.inner, a, cell) for a, e in box.items()) for box in boxes)
    possibly = any(all(within(e.outer, a, cell) for a, e in box.items()) for box in boxes)
    either = [holds(constraint, cell, unread=unread) for unread in (False, True)]
    assert all(either) or not surely
    assert possibly or not any(either)
    if not any(isinstance(part, Unread) for part in parts_of(constraint)):
        assert surely == possibly == either[0]


def parts_of(constraint: Constraint) -> list[Constraint]:
    if not isinstance(constraint, Group):
        return [constraint]
    return [part for inside in constraint.parts for part in parts_of(inside)]
