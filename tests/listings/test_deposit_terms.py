"""In what a deposit may be given, and until when: the terms of sale, the rulebook, the gate."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import canonical, rfc3339
from listings.admissions import rules as admissions
from listings.auctions import deposit_terms
from listings.auctions.deposit_terms import CARD_MARGIN_H, GUARANTEE_DAYS, MODES
from listings.auctions.refusals import BadSale
from tests.conftest import NOW

CLOSES = NOW + timedelta(days=2)


@given(st.lists(st.sampled_from(MODES), min_size=1, max_size=6))
def test_what_is_read_is_read_the_same_again_and_a_wire_alone_leaves_no_trace(
    modes: list[str],
) -> None:
    found = deposit_terms.read({"deposit_modes": modes}, is_asked=True)
    if set(modes) == {"wire"}:
        assert found == {}
        return
    assert found["deposit_modes"] == [one for one in MODES if one in modes]
    assert ("card_margin_h" in found) == ("card_hold" in modes)
    assert ("guarantee_days" in found) == ("guarantee" in modes)
    assert deposit_terms.read(found, is_asked=True) == found


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"deposit_modes": []}, "deposit_modes"),
        ({"deposit_modes": "wire"}, "deposit_modes"),
        ({"deposit_modes": ["cash"]}, "deposit_modes"),
        ({"deposit_modes": ["wire"], "card_margin_h": 24}, "card_margin_h"),
        ({"guarantee_days": 5}, "guarantee_days"),
        ({"deposit_modes": ["card_hold"], "card_margin_h": 0}, "card_margin_h"),
        ({"deposit_modes": ["card_hold"], "card_margin_h": 121}, "card_margin_h"),
        ({"deposit_modes": ["guarantee"], "guarantee_days": True}, "guarantee_days"),
    ],
    ids=["none", "a text", "cash", "a margin of nothing", "days of nothing", "no hour",
         "more than a card holds", "a truth"],
)  # fmt: skip
def test_terms_that_make_no_sense_are_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(BadSale) as no:
        deposit_terms.read(wrong, is_asked=True)
    assert no.value.data["fields"] == [field]


def test_modes_go_with_a_deposit() -> None:
    with pytest.raises(BadSale):
        deposit_terms.read({"deposit_modes": ["charge"]}, is_asked=False)


def book(**changes: Any) -> bytes:
    said = {
        "closes_at": rfc3339.exact(CLOSES),
        "closing": {"kind": "soft", "window_s": 60, "most_extensions": None},
        "admission": {"kind": "applied", "deposit_minor": 1},
    }
    return canonical.dumps({**said, **changes})


@pytest.mark.parametrize(
    ("said", "longest"),
    [
        ({}, None),
        ({"hard_stop_at": rfc3339.exact(CLOSES + timedelta(hours=1))}, timedelta(hours=1)),
        ({"closing": {"kind": "soft", "window_s": 60, "most_extensions": 10}},
         timedelta(minutes=10)),
        ({"closing": {"kind": "fixed", "window_s": 0, "most_extensions": None}}, timedelta(0)),
        ({"closing": {"kind": "fixed", "window_s": 0, "most_extensions": None},
          "first_refusal": {"window_s": 3600}}, timedelta(hours=1)),
    ],
    ids=["moved without end", "a hard stop", "so many moves", "fixed", "a first refusal"],
)  # fmt: skip
def test_a_rulebook_says_how_long_its_auction_can_run_at_most(
    said: dict[str, Any], longest: timedelta | None
) -> None:
    gate = admissions.gate(book(**said))
    assert gate.ends_by == (None if longest is None else CLOSES + longest)


def test_the_gate_reads_the_modes_and_an_older_rulebook_takes_a_wire() -> None:
    old = admissions.gate(book())
    assert (old.modes, old.card_margin_h, old.guarantee_days) == (("wire",), 0, 0)
    listed = deposit_terms.read({"deposit_modes": list(MODES)}, is_asked=True)
    new = admissions.gate(book(admission={"kind": "applied", "deposit_minor": 1, **listed}))
    assert new.modes == MODES
    assert (new.card_margin_h, new.guarantee_days) == (CARD_MARGIN_H[0], GUARANTEE_DAYS[0])
