"""Sub-licences: a grant never exceeds what its grantor holds, as a law and in the database."""

from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.rights import algebra
from contracts.titles import queries, rules, sublicence
from contracts.titles.rules import NIL, Lot, Taken
from contracts.titles.sublicence import ExceedsHolding, Holding
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import granted, offered, owned, raw
from tests.contracts.works_factory import child

OWNER = 0
PARTIES = 4


@dataclass(frozen=True)
class Grant:
    """A grant of a made-up register: who to whom, under what."""

    id: UUID
    grantor: int
    grantee: int
    under: UUID
    lot: Lot


# On each axis every code lies in the one before it, so that one lot often lies in another.
NESTED = {
    "media": [["satellite", "cable"], ["satellite"], ["satellite.pay"]],
    "territories": [["CN", "JP"], ["CN"], ["CN-GD"]],
    "languages": [["zh", "en"], ["zh"], ["zh:dubbed"]],
    "last_day": ["2027-01-03", "2027-01-02", "2027-01-01"],
    "exclusivity": ["exclusive", "sole", "non-exclusive"],
    "runs_max": [None, 4, 2, 1],
}
UNITS = [(0, 2**30), (2**20, 2**21), (2**20 + 1024, 2**20 + 2048)]


@st.composite
def lots(draw: st.DrawFn) -> Lot:
    """A lot from a small world; nested choices, in any order."""
    chosen = {axis: draw(st.sampled_from(nested)) for axis, nested in NESTED.items()}
    deep = draw(st.integers(0, 3))
    said = wire(**{**chosen, "excluded": [], "first_day": "2027-01-01", "sublicence_depth": deep})
    return rules.lots([said], units=draw(st.sampled_from(UNITS)))[0]


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[int, int, Lot]]:
    """Grants in turn: the owner's widest first, then ever shallower ones from anybody to anybody.

    Most of them license on what the step before granted, narrowed on an axis at most.
    """
    wide = wire(
        media=["satellite", "cable"], territories=["CN", "JP"], excluded=[],
        languages=["zh", "en"], first_day="2027-01-01", last_day="2027-01-03",
        runs_max=draw(st.sampled_from([None, 2, 4])), sublicence_depth=draw(st.integers(1, 3)),
    )  # fmt: skip
    said, asked = wide, [(OWNER, 1, rules.lots([wide], units=rules.WHOLE)[0])]
    for _ in range(draw(st.integers(1, 8))):
        grantor = draw(st.sampled_from([1, asked[-1][1], *range(1, PARTIES)]))
        axis = draw(st.sampled_from(sorted(NESTED)))
        deep = draw(st.integers(0, 3))
        said = {**said, axis: draw(st.sampled_from(NESTED[axis])), "sublicence_depth": deep}
        (asked_now,) = rules.lots([said], units=draw(st.sampled_from(UNITS)))
        asked.append((grantor, draw(st.integers(1, PARTIES - 1)), asked_now))
    return asked


def held(register: list[Grant], grantor: int) -> list[Holding]:
    """What a party may license on, read from the made-up register as the queries read it."""
    return [
        Holding(
            grant.id, grant.lot.box, grant.lot.units, grant.lot.sublicence_depth,
            sum(one.lot.box.runs_max or 0 for one in register if one.under == grant.id),
            tuple(
                Taken("x", "effective", one.lot.box, one.under, one.lot.units)
                for one in register if one.under == grant.id
            ),
        )
        for grant in register if grant.grantee == grantor and grant.lot.sublicence_depth >= 1
    ]  # fmt: skip


def inside(parent: Lot, lot: Lot) -> bool:
    """Tell, by the algebra, whether one lot lies in another."""
    return (
        algebra.covers(parent.box, lot.box)
        and parent.units[0] <= lot.units[0]
        and lot.units[1] <= parent.units[1]
        and parent.sublicence_depth > lot.sublicence_depth
    )


def runs_left(register: list[Grant], parent: Grant, lot: Lot) -> bool:
    most = parent.lot.box.runs_max
    spent = sum(one.lot.box.runs_max or 0 for one in register if one.under == parent.id)
    return most is None or spent + (lot.box.runs_max or most + 1) <= most


def played(asked: list[tuple[int, int, Lot]]) -> list[Grant]:
    """Let parties grant in turn; what the rule refuses must be beyond every single holding."""
    register: list[Grant] = []
    for number, (grantor, grantee, lot) in enumerate(asked, 1):
        under = NIL
        if grantor != OWNER:
            try:
                (under,) = sublicence.grounds(held(register, grantor), [lot])
            except ExceedsHolding:
                assert not any(
                    inside(one.lot, lot) and runs_left(register, one, lot)
                    for one in register if one.grantee == grantor
                )  # fmt: skip
                continue
        register.append(Grant(UUID(int=number), grantor, grantee, under, lot))
    return register


@given(steps())
def test_a_grant_never_exceeds_what_its_grantor_holds(asked: list[tuple[int, int, Lot]]) -> None:
    register = played(asked)
    by_id = {grant.id: grant for grant in register}
    for grant in register:
        if grant.under == NIL:
            assert grant.grantor == OWNER
            continue
        parent = by_id[grant.under]
        assert parent.grantee == grant.grantor
        assert inside(parent.lot, grant.lot)


@settings(max_examples=300)
@given(steps())
def test_what_is_licensed_on_takes_no_more_runs_than_there_are(
    asked: list[tuple[int, int, Lot]],
) -> None:
    register = played(asked)
    for parent in register:
        below = [one.lot.box.runs_max for one in register if one.under == parent.id]
        if parent.lot.box.runs_max is not None:
            assert None not in below
            assert sum(runs or 0 for runs in below) <= parent.lot.box.runs_max


@given(steps())
def test_no_chain_of_sub_licences_is_longer_than_its_first_grant_allows(
    asked: list[tuple[int, int, Lot]],
) -> None:
    register = played(asked)
    by_id = {grant.id: grant for grant in register}
    for grant in register:
        length, top = 0, grant
        while top.under != NIL:
            length, top = length + 1, by_id[top.under]
        assert length <= top.lot.sublicence_depth


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Lot, Lot]:
    """Two lots that differ on two axes at most."""
    one, other = draw(lots()), draw(lots())
    changed = draw(st.lists(st.sampled_from(sorted(NESTED)), max_size=2))
    deep = {"sublicence_depth": draw(st.integers(0, 3))}
    said = {**one.wire, **{axis: other.wire[axis] for axis in changed}, **deep}
    return one, rules.lots([said], units=draw(st.sampled_from([one.units, other.units])))[0]


@settings(max_examples=800)
@given(pairs())
def test_the_axes_that_exceed_are_none_exactly_when_the_holding_covers(
    pair: tuple[Lot, Lot],
) -> None:
    one, two = pair
    holding = Holding(UUID(int=1), one.box, one.units, one.sublicence_depth)
    assert (sublicence.exceeding(holding, two) == ()) is inside(one, two)


def lot(**changes: object) -> Lot:
    return rules.lots([wire(**changes)], units=rules.WHOLE)[0]


def holding(number: int, given: Lot, *live: Lot) -> Holding:
    return Holding(
        UUID(int=number), given.box, given.units, given.sublicence_depth, 0,
        tuple(Taken("x", "held", one.box) for one in live),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "axis"),
    [
        ({"media": ["satellite", "cable"]}, "media"),
        ({"territories": ["CN", "HK"], "excluded": []}, "territories"),
        ({"languages": ["zh", "en"]}, "languages"),
        ({"last_day": "2029-01-01"}, "window"),
        ({"runs_max": 4}, "runs"),
        ({"runs_max": None}, "runs"),
        ({"sublicence_depth": 2}, "sublicence_depth"),
        ({"right": "network-transmission", "media": ["iptv"]}, "right"),
    ],
)
def test_the_refusal_names_the_axis_that_goes_beyond(changes: dict[str, object], axis: str) -> None:
    with pytest.raises(ExceedsHolding) as refused:
        sublicence.grounds([holding(1, lot(sublicence_depth=2))], [lot(**changes)])
    (told,) = refused.value.data["holdings"]
    assert axis in told["exceeds"]
    assert (told["grant"], refused.value.data["place"]) == (str(UUID(int=1)), 0)


def test_neither_a_stricter_licence_nor_a_whole_series_is_licensed_on() -> None:
    weak = holding(1, lot(sublicence_depth=1, exclusivity="non-exclusive"))
    (part,) = rules.lots([wire(sublicence_depth=1)], units=(2**20, 2**21))
    for held_one, asked, axis in (
        (weak, lot(exclusivity="sole"), "exclusivity"),
        (holding(2, part), rules.lots([wire()], units=(2**20, 2**22))[0], "work"),
        (holding(2, part), rules.lots([wire()], units=(0, 2**21))[0], "work"),
    ):
        assert sublicence.exceeding(held_one, asked) == (axis,)


def test_of_several_holdings_the_first_that_is_free_is_taken() -> None:
    wide, asked = lot(sublicence_depth=1), lot()
    narrow = lot(sublicence_depth=1, media=["satellite.pay"])
    found = sublicence.grounds(
        [holding(1, narrow), holding(2, wide, asked), holding(3, wide)], [asked]
    )
    assert found == [UUID(int=3)]


def test_two_holdings_that_cover_only_together_do_not_do() -> None:
    parts = [lot(sublicence_depth=1, media=[f"satellite.{way}"]) for way in ("free", "pay")]
    with pytest.raises(ExceedsHolding):
        sublicence.grounds([holding(at, part) for at, part in enumerate(parts, 1)], [lot()])


def test_the_lots_of_one_offer_share_the_runs_of_their_holding() -> None:
    asked = [lot(media=[f"satellite.{way}"], runs_max=2) for way in ("free", "pay")]
    with pytest.raises(ExceedsHolding) as refused:
        sublicence.grounds([holding(1, lot(sublicence_depth=1))], asked)
    assert refused.value.data["place"] == 1


async def test_a_licensee_licenses_on_inside_its_grant(session: AsyncSession) -> None:
    owner, series = await owned(session)
    episode = await child(session, series, kind="episode", now=NOW)
    dealer, buyer = await party(session, now=NOW), await party(session, now=NOW)
    (held_one,) = await granted(
        session, series, wire(sublicence_depth=1), grantor=owner, licensee=dealer
    )
    part = wire(media=["satellite.pay"], runs_max=1)
    (on,) = await offered(session, episode, part, grantor=dealer)
    assert on.under == held_one.id
    with pytest.raises(rules.RightsAlreadyGranted):  # two sub-licences are kept apart
        await offered(session, series, wire(runs_max=1), grantor=dealer)
    with pytest.raises(ExceedsHolding):
        await offered(session, series, wire(territories=["JP"]), grantor=dealer)
    with pytest.raises(rules.RightsNotHeld):
        await offered(session, series, wire(), grantor=buyer)
    with pytest.raises(rules.RightsAlreadyGranted):  # the owner has sold it
        await offered(session, episode, wire(), grantor=owner)


async def test_without_leave_to_license_on_there_is_nothing_to_offer(
    session: AsyncSession,
) -> None:
    owner, series = await owned(session)
    dealer = await party(session, now=NOW)
    await granted(session, series, wire(), grantor=owner, licensee=dealer)
    assert await queries.holdings(session, series, dealer.id) == []
    with pytest.raises(rules.RightsNotHeld):
        await offered(session, series, wire(), grantor=dealer)


async def test_only_what_is_effective_is_licensed_on(session: AsyncSession) -> None:
    owner, series = await owned(session)
    dealer = await party(session, now=NOW)
    held_only = {"grantee_id": dealer.id, "state": "held", "source": "hold:x"}
    await raw(session, series, wire(sublicence_depth=1), grantor=owner, **held_only)
    with pytest.raises(rules.RightsNotHeld):
        await offered(session, series, wire(), grantor=dealer)


@pytest.mark.parametrize(
    "changes",
    [
        {"media": ["satellite", "cable"]},
        {"territories": ["CN", "JP"]},
        {"languages": ["*"]},
        {"last_day": "2029-06-30"},
        {"runs_max": None},
        {"runs_max": 9},
        {"sublicence_depth": 1},
        {"right": "network-transmission", "media": ["iptv"]},
    ],
)
async def test_the_database_alone_keeps_a_sub_licence_inside_its_parent(
    session: AsyncSession, changes: dict[str, object]
) -> None:
    owner, series = await owned(session)
    dealer = await party(session, now=NOW)
    (parent,) = await granted(
        session, series, wire(sublicence_depth=1, exclusivity="sole"), grantor=owner,
        licensee=dealer,
    )  # fmt: skip
    fits = wire(exclusivity="sole")
    with pytest.raises(DBAPIError, match="exceeds what its grantor holds"):
        await raw(session, series, {**fits, **changes}, grantor=dealer, under=parent.id)
    with pytest.raises(DBAPIError, match="exceeds what its grantor holds"):
        await raw(session, series, wire(), grantor=dealer, under=parent.id)  # 独占 under 排他
    with pytest.raises(DBAPIError, match="exceeds what its grantor holds"):
        await raw(session, series, fits, grantor=owner, under=parent.id)  # another's holding
    await raw(session, series, fits, grantor=dealer, under=parent.id)
