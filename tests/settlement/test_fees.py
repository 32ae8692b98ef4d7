"""Fee schedules: laws of the tiers, the worked figures, days, announcements, what a deal froze."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import Money
from settlement.fees import gateway, reading, rules
from settlement.fees.reading import BadFeeSchedule
from settlement.fees.rules import BID, BUYER, NEGOTIATED, SALES, SELLER, SIDES, Schedule
from tests.conftest import NOW
from tests.settlement.fees_factory import case, gemas, usual

PRICES = st.integers(1, 1_500_000_000_000)
EDGES = sorted({row.up_to_minor for row in gemas().rows if row.up_to_minor is not None})
YUAN = 100


def minor(side: str, sale: str, *, listed: int, deal: int, by: Schedule | None = None) -> int:
    found = rules.fee(by or gemas(), side, case(sale, listed=listed, deal=deal))
    return found.amount.amount_minor


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule that holds together: rising edges, rates in any order, a minimum or none."""
    rows: list[rules.Row] = []
    for side in SIDES:
        for basis in rules.BASES:
            edges = sorted(draw(st.sets(st.integers(1, 10**10), max_size=5)))
            bounds = [0, *edges, None]
            rows += [
                rules.Row(
                    side, "any", basis, low or 0, high, draw(st.integers(0, 1_000)), True,
                    "basis", "source",
                )
                for low, high in pairwise(bounds)
            ]  # fmt: skip
    least = st.integers(0, 10**6)
    return rules.check(Schedule("x", "x", "x", "CNY", draw(least), draw(least), tuple(rows)))


def test_a_bid_sale_of_three_million_listed_and_three_point_six_paid_costs_the_worked_figures() -> (
    None
):
    of = case(BID, listed=3_000_000 * YUAN, deal=3_600_000 * YUAN)
    seller, buyer = (rules.fee(gemas(), side, of) for side in (SELLER, BUYER))
    by_basis: dict[str, int] = {}
    for step in seller.steps:
        part = step.row.rate_bp * step.amount_minor // 10_000
        by_basis[step.row.basis] = by_basis.get(step.row.basis, 0) + part
    assert by_basis == {"listed": 10_000 * YUAN, "uplift": 60_000 * YUAN}
    assert seller.amount == Money(70_000 * YUAN, "CNY")
    assert buyer.amount == Money(164_000 * YUAN, "CNY")


@pytest.mark.parametrize(
    ("side", "sale", "deal", "fee"),
    [
        pytest.param(SELLER, NEGOTIATED, 1_000_000, 5_000, id="seller-at-the-first-edge"),
        pytest.param(BUYER, NEGOTIATED, 1_000_000, 5_000, id="buyer-negotiated"),
        pytest.param(BUYER, BID, 1_000_000, 50_000, id="buyer-bid"),
        pytest.param(SELLER, NEGOTIATED, 10_000_000, 27_500, id="seller-at-the-second-edge"),
        pytest.param(SELLER, NEGOTIATED, 100_000_000, 162_500, id="seller-at-the-third-edge"),
        pytest.param(BUYER, BID, 10_000_000, 420_000, id="buyer-bid-at-the-second-edge"),
        pytest.param(BUYER, BID, 50_000_000, 1_620_000, id="buyer-bid-at-the-last-tier-seen"),
        pytest.param(BUYER, BID, 60_000_000, 1_620_000, id="nothing-above-what-could-be-read"),
        pytest.param(SELLER, BID, 10_000, 1_000, id="minimum-of-the-seller"),
        pytest.param(BUYER, NEGOTIATED, 10_000, 1_000, id="minimum-of-the-buyer"),
        pytest.param(SELLER, BID, 500, 500, id="never-more-than-the-price-brings"),
    ],
)
def test_the_shipped_example_charges(side: str, sale: str, deal: int, fee: int) -> None:
    assert minor(side, sale, listed=deal * YUAN, deal=deal * YUAN) == fee * YUAN


@given(schedules(), st.sampled_from(SIDES), st.sampled_from(SALES), PRICES, PRICES, PRICES)
def test_a_higher_price_never_costs_less(
    by: Schedule, side: str, sale: str, listed: int, one: int, other: int
) -> None:
    low, high = sorted((one, other))
    assert minor(side, sale, listed=listed, deal=low, by=by) <= minor(
        side, sale, listed=listed, deal=high, by=by
    )


@given(st.sampled_from(SIDES), st.sampled_from(SALES), st.sampled_from(EDGES))
def test_nothing_jumps_where_a_tier_ends(side: str, sale: str, edge: int) -> None:
    around = [minor(side, sale, listed=edge + by, deal=edge + by) for by in (-1, 0, 1)]
    assert all(0 <= after - before <= 1 for before, after in pairwise(around))
    raised = [minor(side, sale, listed=YUAN, deal=edge + YUAN + by) for by in (-1, 0, 1)]
    assert all(0 <= after - before <= 1 for before, after in pairwise(raised))


@given(schedules(), st.sampled_from(SIDES), PRICES, PRICES, st.randoms())
def test_the_order_of_the_rows_does_not_matter(
    by: Schedule, side: str, listed: int, deal: int, turned: random.Random
) -> None:
    rows = list(by.rows)
    turned.shuffle(rows)
    other = rules.check(replace(by, rows=tuple(rows)))
    of = {"listed": listed, "deal": deal}
    assert minor(side, BID, **of, by=by) == minor(side, BID, **of, by=other)


@given(schedules(), st.sampled_from(SIDES), st.sampled_from(SALES), PRICES, PRICES)
def test_nobody_pays_less_than_the_minimum_nor_a_seller_more_than_the_price(
    by: Schedule, side: str, sale: str, listed: int, deal: int
) -> None:
    found = minor(side, sale, listed=listed, deal=deal, by=by)
    least = by.minimum_minor(side)
    assert found >= (min(least, deal) if side == SELLER else least)
    assert side == BUYER or found <= deal


@given(schedules(), PRICES, PRICES)
def test_each_fee_is_half_a_minor_unit_from_the_exact_sum_of_its_tiers(
    by: Schedule, listed: int, deal: int
) -> None:
    free = replace(by, seller_minimum_minor=0, buyer_minimum_minor=0)
    found = rules.fee(free, BUYER, case(BID, listed=listed, deal=deal))
    exact = sum(step.row.rate_bp * step.amount_minor for step in found.steps)
    assert abs(2 * (found.amount.amount_minor * 10_000 - exact)) <= 10_000


@given(
    st.sampled_from([gemas(), usual()]), PRICES, PRICES,
    st.lists(st.integers(1, 10**9), max_size=5),
)  # fmt: skip
def test_what_comes_later_is_charged_as_if_it_had_come_at_once(
    by: Schedule, listed: int, deal: int, later: list[int]
) -> None:
    """Royalties and raised prices climb the tiers, and are never taken for uplift."""
    of = rules.Agreed(by.sha256, case(BID, listed=listed, deal=deal))
    first = rules.of_settlement(by, SELLER, of, gross=of.case.deal).amount.amount_minor
    charged, total = first, deal
    for more in later:
        raised = replace(of, before_minor=total)
        charged += rules.of_settlement(
            by, SELLER, raised, gross=Money(more, "CNY")
        ).amount.amount_minor
        total += more
    at_once = rules.of_settlement(by, SELLER, of, gross=Money(total, "CNY")).amount.amount_minor
    assert charged == at_once
    assert 0 <= charged <= total


def test_the_fee_today_is_five_percent_of_the_seller_and_names_its_legal_basis() -> None:
    _, today = rules.in_force(gateway.days(), on=NOW.date(), currency="USD")
    of = Money(120_000_001, "USD")
    agreed = rules.Agreed(today.sha256, rules.Case(NEGOTIATED, of, of))
    seller, buyer = (rules.of_settlement(today, side, agreed, gross=of) for side in SIDES)
    assert (seller.amount, seller.rate_bp) == (Money(6_000_000, "USD"), 500)
    assert "拍卖法" in seller.reason
    assert buyer.amount == Money(0, "USD")


def test_published_schedules_never_change() -> None:
    """A contract names these hashes: another text is another schedule."""
    assert {name: one.sha256[:16] for name, one in gateway.shipped().items()} == HASHES


HASHES: Mapping[str, str] = {
    "uhdx-2026": "02933eff738bb1c8",
    "gemas-2024": "4b5ae95ecece57c6",
}


def test_a_schedule_changes_at_midnight_in_beijing_and_only_for_currencies_it_serves() -> None:
    dated = [(date(2026, 1, 1), usual()), (date(2026, 7, 1), gemas())]
    before = datetime(2026, 6, 30, 15, 59, 59, tzinfo=UTC)
    after = datetime(2026, 6, 30, 16, 0, tzinfo=UTC)
    told = [
        rules.in_force(dated, on=rules.day_of(at), currency=currency)[1].id
        for at, currency in ((before, "CNY"), (after, "CNY"), (after, "USD"))
    ]
    assert told == ["uhdx-2026", "gemas-2024", "uhdx-2026"]
    with pytest.raises(ValueError, match="no fee schedule"):
        rules.in_force(dated, on=date(2025, 12, 31), currency="CNY")
    with pytest.raises(ValueError, match="is not in USD"):
        rules.fee(gemas(), SELLER, rules.Case(BID, Money(1, "USD"), Money(1, "USD")))


def changed(row: Mapping[str, Any], **names: Any) -> dict[str, Any]:
    """The JSON of the usual schedule with names of its own and with its one row changed."""
    wire = {**usual().wire(), "id": "other", **names}
    return {**wire, "rows": [{**wire["rows"][0], **row}]}


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(changed({"rate_bp": 10_001}), id="more-than-all"),
        pytest.param(changed({"rate_bp": -1}), id="less-than-nothing"),
        pytest.param(changed({"legal_basis": ""}), id="no-basis"),
        pytest.param(changed({"above_minor": 1}), id="a-gap-at-nothing"),
        pytest.param(changed({"up_to_minor": 5}, currency="CNY"), id="an-end"),
        pytest.param(changed({}, seller_minimum_minor=5), id="an-amount-without-currency"),
        pytest.param(changed({}, currency="XXX"), id="an-unknown-currency"),
        pytest.param(changed({"side": "owner"}), id="an-unknown-side"),
        pytest.param({**changed({}), "rows": []}, id="no-rows"),
        pytest.param(
            {**changed({}), "rows": [*usual().wire()["rows"]] * 2}, id="the-same-tier-twice"
        ),
        pytest.param(
            {**changed({}), "rows": [{**usual().wire()["rows"][0], "sale": sale}
                                     for sale in ("any", "bid")]}, id="a-sale-said-twice",
        ),
    ],
)  # fmt: skip
def test_a_schedule_that_does_not_hold_together_is_refused(wire: dict[str, Any]) -> None:
    with pytest.raises(BadFeeSchedule):
        reading.read_wire(wire)
