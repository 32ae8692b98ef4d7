from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from contracts.refusal import Refusal
from contracts.rights import rules as rights
from contracts.titles import rules
from tests.conftest import NOW
from tests.contracts.rights_factory import wire

FIRST, SECOND, STRANGER = (ids.new(NOW) for _ in range(3))


@pytest.mark.parametrize(
    "shares",
    [
        {},
        {FIRST: 9_999},
        {FIRST: 7_000, SECOND: 3_001},
        {FIRST: 10_000, SECOND: 0},
        {FIRST: 10_001, SECOND: -1},
        {SECOND: 10_000},
        {FIRST: True, SECOND: 9_999},
        {ids.new(NOW): 100 for _ in range(101)},
    ],
)
def test_shares_that_are_not_the_whole_are_refused(shares: dict[UUID, int]) -> None:
    with pytest.raises(rules.BadShares):
        rules.check_shares(shares, declarer=FIRST)


@given(st.lists(st.integers(1, 9_999), min_size=1, max_size=20))
def test_shares_are_right_exactly_when_they_add_up(parts: list[int]) -> None:
    shares = {ids.new(NOW): part for part in parts}
    declarer = next(iter(shares))
    if sum(parts) == 10_000:
        rules.check_shares(shares, declarer=declarer)
    else:
        with pytest.raises(rules.BadShares):
            rules.check_shares(shares, declarer=declarer)


def test_the_registrant_grants_while_no_shares_are_declared() -> None:
    rules.check_holder(FIRST, [], grantor=FIRST)
    with pytest.raises(rules.RightsNotHeld):
        rules.check_holder(FIRST, [], grantor=STRANGER)


def test_only_declared_owners_grant() -> None:
    rules.check_holder(FIRST, [FIRST, SECOND], grantor=SECOND)
    with pytest.raises(rules.RightsNotHeld):
        rules.check_holder(FIRST, [FIRST, SECOND], grantor=STRANGER)


def test_two_rights_of_an_offer_do_not_hold_the_same_use() -> None:
    one, two = rights.resolve(wire()), rights.resolve(wire(media=["satellite", "cable"]))
    apart = rights.resolve(wire(media=["cable"]))
    rules.check_apart([one, apart])
    with pytest.raises(rules.RightsOfferedTwice) as refused:
        rules.check_apart([apart, one, two])
    assert refused.value.data["places"] == [0, 2]


def test_the_refusal_names_where_two_grants_meet_and_whence_the_first_comes() -> None:
    taken = rules.Taken("listing-1", "effective", rights.resolve(wire()))
    asked = rights.resolve(
        wire(media=["satellite", "cable"], territories=["CN", "JP"], first_day="2028-12-31",
             last_day="2029-06-30", exclusivity="non-exclusive")
    )  # fmt: skip
    with pytest.raises(rules.RightsAlreadyGranted) as refused:
        rules.check_free([asked], [taken])
    assert refused.value.data == {
        "source": "listing-1",
        "state": "effective",
        "exclusivity": "exclusive",
        "overlap": {
            "right": "broadcasting",
            "media": ["satellite"],
            "territories": ["CN"],
            "languages": ["zh"],
            "start": "2028-12-30T16:00:00+00:00",
            "end": "2028-12-31T16:00:00+00:00",
        },
    }


def test_a_sole_grant_keeps_a_non_exclusive_one_out() -> None:
    taken = rules.Taken("x", "held", rights.resolve(wire(exclusivity="sole")))
    with pytest.raises(Refusal, match="taken"):
        rules.check_free([rights.resolve(wire(exclusivity="non-exclusive"))], [taken])


@pytest.mark.parametrize(
    ("exclusivity", "refuses"), [("exclusive", True), ("sole", True), ("non-exclusive", False)]
)
def test_co_owners_are_asked_for_an_exclusive_licence(exclusivity: str, refuses: bool) -> None:
    boxes = [rights.resolve(wire(exclusivity=exclusivity))]
    rules.check_consents(boxes, missing=[])
    if not refuses:
        rules.check_consents(boxes, missing=[SECOND])
        return
    with pytest.raises(rules.CoOwnerConsentMissing) as refused:
        rules.check_consents(boxes, missing=[SECOND])
    assert refused.value.data == {"owners": [str(SECOND)]}
