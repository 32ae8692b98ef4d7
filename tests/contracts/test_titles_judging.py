"""Availability: free is exactly what plain cells call free, and every no says why."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.rights import axes, region
from contracts.rights.algebra import Exclusivity
from contracts.rights.instants import micros
from contracts.rights.logic import Span
from contracts.titles import judging
from contracts.titles.judging import Answer, Match, Outcome, Severity
from contracts.titles.register import (
    OWNERS,
    Burden,
    Holding,
    Node,
    Out,
    Question,
    Register,
    Tree,
)
from contracts.window import Window
from tests.contracts import judging_cells as model
from tests.contracts.judging_cells import (
    FIRST,
    HOLDER,
    HOURS,
    NODES,
    OTHER,
    SECOND,
    SERIES,
    Promise,
    at,
    box,
)

OWNER = UUID(int=40)
KINDS = ["holdback", "blackout", "option", "first-refusal", "pledge", "mandate", "clearance"]
TREE = Tree(NODES)
nonzero = st.integers(1, 3)
strengths = st.sampled_from(Exclusivity)
blocks = st.sampled_from([(node.first, node.after) for node in NODES])
spans = st.tuples(st.integers(0, HOURS - 1), st.integers(1, HOURS)).map(
    lambda pair: (pair[0], max(pair[0] + 1, pair[1]))
)
moments = st.one_of(
    st.integers(0, HOURS).map(lambda hour: (at(hour), at(hour))),
    st.tuples(st.integers(0, HOURS), st.integers(0, 2)).map(
        lambda pair: (at(pair[0]), at(pair[0] + pair[1]))
    ),
    st.just((None, None)),
)


@st.composite
def boxes(draw: Callable[..., int]) -> region.Box:
    masks = [TREE.mask(draw(blocks)), draw(nonzero), draw(nonzero), draw(nonzero)]
    return box(*masks, *draw(spans))


@st.composite
def outs(draw: Callable[..., object], under: UUID = OWNERS) -> Out:
    state = draw(st.sampled_from(["reserved", "held", "effective"]))
    return Out(UUID(int=draw(st.integers(100, 110))), state, draw(boxes()), draw(strengths), under)


@st.composite
def promises(draw: Callable[..., object]) -> Promise:
    start, end = draw(moments), draw(moments)
    waits = None if start[0] and start[0] == start[1] and end[0] and end[0] == end[1] else "event"
    return Promise(
        UUID(int=draw(st.integers(200, 210))), draw(st.sampled_from(KINDS)), draw(blocks),
        draw(nonzero), draw(nonzero), draw(nonzero), Span(*start, *end), waits,
        draw(st.sampled_from([None, HOLDER, OTHER])),
    )  # fmt: skip


@st.composite
def holdings(draw: Callable[..., object], number: int) -> Holding:
    return Holding(
        UUID(int=number), HOLDER, draw(boxes()), draw(strengths), draw(st.integers(0, 2)),
        draw(st.one_of(st.none(), st.integers(0, 2))),
    )  # fmt: skip


@st.composite
def registers(draw: Callable[..., object]) -> Register:
    until = draw(st.one_of(st.none(), st.integers(0, HOURS).map(lambda hour: micros(at(hour)))))
    nodes = (NODES[0], replace(NODES[1], protected_until=until), NODES[2])
    return Register(
        Tree(nodes),
        owners=frozenset({OWNER}),
        holdings=[draw(holdings(1000)), draw(holdings(1001))],
        outs=[
            *draw(st.lists(outs(), max_size=3)),
            *draw(st.lists(outs(under=UUID(int=1000)), max_size=1)),
        ],
        burdens=draw(st.lists(promises(), max_size=2)),
        disagreeing=draw(st.sampled_from([(), (), (UUID(int=41),)])),
    )


@st.composite
def questions(draw: Callable[..., object]) -> Question:
    start, end = draw(spans)
    return Question(
        root_id=SERIES.work_id, units=draw(blocks), uses=draw(nonzero), territories=draw(nonzero),
        languages=draw(nonzero), window=Window(at(start), at(end)), exclusivity=draw(strengths),
        runs=draw(st.sampled_from([None, 1, 2])), depth=draw(st.integers(0, 1)),
        grantor=draw(st.sampled_from([None, OWNER, HOLDER, HOLDER, OTHER])),
        grantee=draw(st.sampled_from([None, OTHER])),
    )  # fmt: skip


def plain(**changes: object) -> Question:
    given = {
        "root_id": SERIES.work_id, "units": (SERIES.first, SERIES.after), "uses": 3,
        "territories": 3, "languages": 3, "window": Window(at(0), at(HOURS)),
        "exclusivity": Exclusivity.EXCLUSIVE,
    }  # fmt: skip
    return Question(**{**given, **changes})


def codes(answer: Answer) -> set[str]:
    return {reason.code for reason in answer.reasons}


def out(number: int = 100, **changes: object) -> Out:
    whole = box(TREE.all, 3, 3, 3, 0, HOURS)
    given = {"state": "effective", "box": whole, "exclusivity": Exclusivity.EXCLUSIVE}
    return Out(UUID(int=number), **{**given, **changes})


def promise(kind: str, **changes: object) -> Promise:
    given = {
        "units": (SERIES.first, SERIES.after), "uses": 3, "territories": 3, "languages": 3,
        "span": Span.fixed(at(0), at(1)),
    }  # fmt: skip
    return Promise(UUID(int=200), kind, **{**given, **changes})


@settings(max_examples=400, deadline=None)
@given(registers(), questions())
def test_a_cell_is_free_where_it_is_free_however_open_ends_fall(
    register: Register, question: Question
) -> None:
    answer = judging.judge(register, question)
    want = model.asked(question)
    grounds = list(model.held(register, question))
    worlds = model.worlds(register, question)
    each = len(worlds) // max(1, len(grounds))
    free: set[model.Cell] = set()
    maybe: set[model.Cell] = set()
    for start in range(0, len(worlds), max(1, each)):
        ways = worlds[start : start + each]
        free |= set.intersection(*ways)
        maybe |= set.union(*ways)
    assert model.of_region(answer.free) == free
    assert model.of_region(answer.unknown) == maybe - free
    assert (answer.outcome is Outcome.FREE) == any(
        set.intersection(*worlds[start : start + each]) == want
        for start in range(0, len(worlds), max(1, each))
    )


@settings(max_examples=300, deadline=None)
@given(registers(), questions())
def test_asked_for_all_it_says_no_only_where_no_turn_of_events_frees_all(
    register: Register, question: Question
) -> None:
    outcome = judging.judge(register, question, match=Match.ALL).outcome
    want, worlds = model.asked(question), model.worlds(register, question)
    grounds = max(1, len(list(model.held(register, question))))
    each = max(1, len(worlds) // grounds)
    by_ground = [worlds[start : start + each] for start in range(0, len(worlds), each)]
    assert outcome is not Outcome.PARTLY
    assert (outcome is Outcome.NO) == (not any(want in ways for ways in by_ground))
    assert (outcome is Outcome.FREE) == any(all(w == want for w in ways) for ways in by_ground)


@settings(max_examples=300, deadline=None)
@given(registers(), questions(), st.sampled_from(Match))
def test_every_answer_but_free_says_why_within_what_was_asked(
    register: Register, question: Question, match: Match
) -> None:
    answer = judging.judge(register, question, match=match)
    severities = {reason.severity for reason in answer.reasons}
    if answer.outcome is Outcome.FREE:
        assert Severity.BLOCKER not in severities
        assert answer.under is not None
    elif answer.outcome is Outcome.UNKNOWN:
        assert Severity.UNKNOWN in severities
    else:
        assert severities & {Severity.BLOCKER, Severity.UNKNOWN}
        assert answer.under is None
    want = model.asked(question)
    for reason in answer.reasons:
        assert model.cells(reason.box)
        assert model.cells(reason.box) <= want


@settings(max_examples=200, deadline=None)
@given(registers(), questions())
def test_what_is_not_free_for_the_owners_lies_under_a_blocker_or_a_doubt(
    register: Register, question: Question
) -> None:
    asked = replace(question, grantor=None)
    answer = judging.judge(register, asked)
    explained: set[model.Cell] = set()
    for reason in answer.reasons:
        if reason.severity is not Severity.NOTICE:
            explained |= model.cells(reason.box)
    assert model.asked(asked) - model.of_region(answer.free) == explained


@settings(max_examples=200, deadline=None)
@given(registers(), questions(), st.integers(1, 3))
def test_stretches_shorter_than_the_minimum_do_not_count(
    register: Register, question: Question, least: int
) -> None:
    free = judging.judge(register, question).free
    lasting = judging.judge(register, question, minimum=timedelta(hours=least)).free
    want = {
        (box.units, box.uses, box.territories, box.languages, box.start, box.end)
        for box in region.boxes(free)
    }
    kept = [region.Box(*one) for one in want if one[5] - one[4] >= least * 3_600_000_000]
    if question.grantor != HOLDER:  # two grounds that touch make one stretch
        assert lasting == region.of(kept)
    assert region.covers(free, lasting)


@settings(max_examples=200, deadline=None)
@given(registers(), questions(), outs())
def test_a_further_grant_never_frees_anything(
    register: Register, question: Question, further: Out
) -> None:
    before = judging.judge(register, question)
    after = judging.judge(replace(register, outs=[*register.outs, further]), question)
    assert region.covers(before.free, after.free)


def test_an_ordinary_licence_is_refused_beside_an_exclusive_one_alone() -> None:
    shared = plain(exclusivity=Exclusivity.NON_EXCLUSIVE)
    beside = Register(TREE, outs=[out(exclusivity=Exclusivity.NON_EXCLUSIVE)])
    assert judging.judge(beside, shared).outcome is Outcome.FREE
    assert judging.judge(beside, plain()).outcome is Outcome.NO
    assert codes(judging.judge(beside, plain())) == {"non-exclusive-out"}
    for strict in (Exclusivity.SOLE, Exclusivity.EXCLUSIVE):
        answer = judging.judge(Register(TREE, outs=[out(exclusivity=strict)]), shared)
        assert (answer.outcome, codes(answer)) == (Outcome.NO, {"exclusive-out"})


def test_rights_in_signature_are_named_a_hold_with_their_expiry() -> None:
    held = Register(TREE, outs=[out(state="held", expires_at=at(3))])
    (reason,) = judging.judge(held, plain()).reasons
    assert (reason.code, reason.about["state"]) == ("hold", "held")
    assert reason.about["expires_at"] == at(3).isoformat()


def test_each_promise_is_a_reason_of_its_own_name() -> None:
    for kind in KINDS:
        answer = judging.judge(Register(TREE, burdens=[promise(kind)]), plain())
        assert codes(answer) == {kind}
        assert answer.outcome is Outcome.PARTLY


def test_a_first_refusal_leaves_the_answer_open() -> None:
    burden = promise("first-refusal", span=Span.fixed(at(0), at(HOURS)))
    answer = judging.judge(Register(TREE, burdens=[burden]), plain())
    assert answer.outcome is Outcome.UNKNOWN


def test_a_promise_does_not_bind_whom_it_serves_but_a_blackout_binds_all() -> None:
    whole = Span.fixed(at(0), at(HOURS))
    mine = promise("holdback", span=whole, beneficiary=OTHER)
    assert judging.judge(Register(TREE, burdens=[mine]), plain(grantee=OTHER)).outcome is (
        Outcome.FREE
    )
    dark = replace(mine, kind="blackout")
    assert judging.judge(Register(TREE, burdens=[dark]), plain(grantee=OTHER)).outcome is (
        Outcome.NO
    )


def test_a_window_that_hangs_on_an_event_without_a_date_is_unknown() -> None:
    waiting = promise("holdback", span=Span(at(0), at(0), None, None), waits_for="theatrical")
    register = Register(TREE, burdens=[waiting])
    answer = judging.judge(register, plain(), match=Match.ALL)
    assert (answer.outcome, codes(answer)) == (Outcome.UNKNOWN, {"event-undated"})
    assert answer.reasons[0].about == {"kind": "holdback", "event": "theatrical"}
    sold = replace(register, outs=[out()])
    assert judging.judge(sold, plain(), match=Match.ALL).outcome is Outcome.NO


def test_a_child_that_no_rights_in_cover_is_named() -> None:
    held = Holding(UUID(int=9), HOLDER, box(0b010, 3, 3, 3, 0, HOURS), Exclusivity.EXCLUSIVE, 1)
    answer = judging.judge(Register(TREE, holdings=[held]), plain(grantor=HOLDER))
    named = {r.record.id for r in answer.reasons if r.code == "child-not-covered" and r.record}
    assert (answer.outcome, named) == (Outcome.PARTLY, {SERIES.work_id, SECOND.work_id})
    first = judging.judge(
        Register(TREE, holdings=[held]), plain(grantor=HOLDER, units=(FIRST.first, FIRST.after))
    )
    assert (first.outcome, first.under) == (Outcome.FREE, held.id)


def test_rights_of_a_bundle_are_free_each_out_of_a_grant_of_its_own() -> None:
    pair = [
        axes.uses("broadcasting", axes.MEDIA.all),
        axes.uses("network-transmission", axes.MEDIA.all),
    ]
    held = [
        Holding(UUID(int=9 + at), HOLDER, box(TREE.all, uses, 3, 3, 0, HOURS),
                Exclusivity.EXCLUSIVE, 1)
        for at, uses in enumerate(pair)
    ]  # fmt: skip
    asked = plain(grantor=HOLDER, uses=pair[0] | pair[1])
    answer = judging.judge(Register(TREE, holdings=held), asked)
    assert (answer.outcome, answer.under, answer.reasons) == (Outcome.FREE, None, ())
    half = replace(held[0], box=replace(held[0].box, territories=1))
    beside = replace(held[0], id=UUID(int=20), box=replace(held[0].box, territories=2))
    register = Register(TREE, holdings=[half, beside, held[1]])
    assert judging.judge(register, asked).outcome is Outcome.PARTLY


def test_what_another_grant_lacks_is_no_reason_where_one_grant_is_free() -> None:
    whole = box(TREE.all, 3, 3, 3, 0, HOURS)
    held = [Holding(UUID(int=9 + deep), HOLDER, whole, Exclusivity.SOLE, deep) for deep in (0, 1)]
    register = Register(TREE, holdings=held)
    answer = judging.judge(register, plain(grantor=HOLDER, exclusivity=Exclusivity.SOLE))
    assert (answer.outcome, answer.under, answer.reasons) == (Outcome.FREE, held[1].id, ())


def test_a_holder_without_rights_to_license_on_is_told_which_are_missing() -> None:
    whole = box(TREE.all, 3, 3, 3, 0, HOURS)
    strict, shared = Exclusivity.EXCLUSIVE, Exclusivity.NON_EXCLUSIVE
    for holding, code in [
        (Holding(UUID(int=9), HOLDER, whole, strict, 0), "sublicence-too-deep"),
        (Holding(UUID(int=9), HOLDER, whole, shared, 1), "no-exclusive-rights-in"),
        (Holding(UUID(int=9), HOLDER, whole, strict, 1, 2), "run-budget-spent"),
    ]:
        answer = judging.judge(Register(TREE, holdings=[holding]), plain(grantor=HOLDER, runs=3))
        assert (answer.outcome, codes(answer)) == (Outcome.NO, {code})
    stranger = judging.judge(Register(TREE), plain(grantor=OTHER))
    assert (stranger.outcome, codes(stranger)) == (Outcome.NO, {"no-rights-in"})


def test_co_owners_who_have_not_agreed_stand_against_exclusive_licences_alone() -> None:
    register = Register(TREE, owners=frozenset({OWNER}), disagreeing=[OTHER])
    assert codes(judging.judge(register, plain())) == {"co-owner-missing"}
    shared = plain(exclusivity=Exclusivity.NON_EXCLUSIVE)
    assert judging.judge(register, shared).outcome is Outcome.FREE


def test_nothing_is_free_beyond_the_protection_of_the_work() -> None:
    old = Node(UUID(int=1), 0, 64, protected_until=micros(at(2)))
    answer = judging.judge(Register(Tree((old,))), plain())
    assert (answer.outcome, codes(answer)) == (Outcome.PARTLY, {"beyond-protection"})
    assert model.of_region(answer.free) == {
        c for c in model.asked(plain()) if c[0] == 0 and c[4] < 2
    }


def test_two_holdings_that_only_together_cover_it_grant_no_single_licence() -> None:
    halves = [
        Holding(UUID(int=number), HOLDER, box(TREE.all, 3, mask, 3, 0, HOURS),
                Exclusivity.EXCLUSIVE, 1)
        for number, mask in ((9, 1), (10, 2))
    ]  # fmt: skip
    answer = judging.judge(Register(TREE, holdings=halves), plain(grantor=HOLDER))
    assert (answer.outcome, codes(answer)) == (Outcome.PARTLY, {"no-rights-in"})
    assert answer.free == region.of([answer.asked])


def test_a_burden_keeps_the_form_that_the_register_reads() -> None:
    burden: Burden = promise("pledge")
    assert burden.record_id == UUID(int=200)
