"""A price in instalments: the parts are the price, interest is counted once, rules hold by law."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.deals import instalments, pricing, templates
from contracts.deals.instalments import BadInstalments, InstalmentsNotAllowed, Schedule
from contracts.money import Money

TODAY = date(2026, 11, 23)
PARTS = [{"share_bp": 3000, "due_days": 5}, {"share_bp": 7000, "due_days": 180}]
WIRE: dict[str, Any] = {
    "model": "instalments", "amount_minor": 120_000_001, "parts": PARTS, "rate_bp": 300,
    "security": "银行保函 GC-2026-001",
}  # fmt: skip


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    cuts = sorted(draw(st.sets(st.integers(1, 9999), min_size=1, max_size=11)))
    shares = [after - before for before, after in zip([0, *cuts], [*cuts, 10_000], strict=True)]
    many = len(shares)
    days = sorted(draw(st.sets(st.integers(1, 3650), min_size=many, max_size=many)))
    return Schedule(tuple(zip(shares, days, strict=True)), draw(st.integers(0, 2400)), "")


@given(schedules(), st.integers(100_000, 10**12))
def test_the_parts_are_the_price_and_each_is_within_a_unit_of_its_share(
    schedule: Schedule, minor: int
) -> None:
    dues = instalments.dues(Money(minor, "CNY"), schedule)
    assert sum(one.amount.amount_minor for one in dues) == minor
    for one, (share_bp, days) in zip(dues, schedule.parts, strict=True):
        assert abs(one.amount.amount_minor * 10_000 - minor * share_bp) <= 10_000
        assert one.due_days == days
    assert dues[0].interest.amount_minor == 0


@given(st.integers(1, 10**12), st.integers(0, 2400), st.integers(0, 3650))
def test_interest_is_within_half_a_unit_of_its_fraction(
    minor: int, rate_bp: int, days: int
) -> None:
    found = instalments.interest(Money(minor, "CNY"), rate_bp=rate_bp, days=days).amount_minor
    assert abs(found * 3_650_000 - minor * rate_bp * days) * 2 <= 3_650_000


def test_the_terms_say_the_parts_and_are_read_back_the_same() -> None:
    price = pricing.read(WIRE, currency="CNY")
    said = {
        "consideration": {
            **pricing.consideration(price),
            "currency": "CNY",
            "amount": "1200000.01",
        },
        "parameters": {"due_days": 15},
    }
    dues = instalments.of_terms(said)
    assert [one.amount.amount_minor for one in dues] == [36_000_000, 84_000_001]
    assert [one.due_days for one in dues] == [5, 180]
    # 840,000.01 at 3 % for 180 of 365 days
    assert [one.interest.amount_minor for one in dues] == [0, 1_242_740]


def test_one_sum_is_due_when_the_clause_about_the_fee_says() -> None:
    said = {"consideration": {"currency": "JPY", "amount": "5000"}, "parameters": {"due_days": 15}}
    (due,) = instalments.of_terms(said)
    assert (due.amount, due.due_days) == (Money(5000, "JPY"), 15)


def test_every_template_of_a_licence_of_one_work_prints_the_plan() -> None:
    for name in (
        templates.GENERAL, templates.EXCLUSIVE, templates.NON_EXCLUSIVE, templates.NETWORK
    ):  # fmt: skip
        clauses = templates.current(name).clauses_for("instalments")
        fee = next(one for one in clauses if one.ref == "fee-in-instalments")
        shown = fee.filled(pricing.parameters(pricing.read(WIRE, currency="CNY")))
        assert "2: 840000.01 + 12427.40 (180)" in shown["zh"]
        assert "银行保函 GC-2026-001" in shown["en"]


@pytest.mark.parametrize(
    "change",
    [
        {"parts": PARTS[:1]},
        {"parts": [*PARTS, {"share_bp": 1, "due_days": 200}]},
        {"parts": [{"share_bp": 5000, "due_days": 9}, {"share_bp": 5000, "due_days": 9}]},
        {"parts": [{"share_bp": 5000, "due_days": 0}, {"share_bp": 5000, "due_days": 9}]},
        {"parts": [{"share_bp": 5000}, {"share_bp": 5000, "due_days": 9}]},
        {"parts": [{"share_bp": True, "due_days": 1}, {"share_bp": 9999, "due_days": 9}]},
        {"parts": "3000/5"},
        {"rate_bp": 2401},
        {"rate_bp": None},
        {"security": "guarantee \N{RIGHT-TO-LEFT OVERRIDE}"},
        {"security": "x" * 121},
        {"amount_minor": 1},
    ],
    ids=[
        "one part", "more than all", "same day", "no days", "no day", "boolean", "text", "dear",
        "no rate", "hidden sign", "long", "nothing",
    ],
)  # fmt: skip
def test_what_makes_no_plan_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInstalments):
        pricing.read({**WIRE, **change}, currency="CNY")


@pytest.mark.parametrize(
    ("rule", "parts", "rate_bp", "security"),
    [
        ("first_bp", ((2999, 5), (7001, 365)), 300, "保函"),
        ("first_days", ((3000, 6), (7000, 365)), 300, "保函"),
        ("most_days", ((3000, 5), (7000, 366)), 300, "保函"),
        ("secured", ((3000, 5), (7000, 365)), 300, ""),
        ("rate_bp", ((3000, 5), (7000, 365)), 299, "保函"),
    ],
)
def test_a_state_owned_seller_is_held_to_each_rule(
    rule: str, parts: tuple[tuple[int, int], ...], rate_bp: int, security: str
) -> None:
    with pytest.raises(InstalmentsNotAllowed) as refused:
        instalments.check(Schedule(parts, rate_bp, security), regime=instalments.STATE, on=TODAY)
    assert refused.value.data["rule"] == rule
    assert "第32号" in refused.value.data["legal_basis"]


def test_what_the_rules_ask_is_enough_and_before_them_nothing_was_asked() -> None:
    least = Schedule(((3000, 5), (7000, 365)), 300, "保函")
    instalments.check(least, regime=instalments.STATE, on=TODAY)
    poor = Schedule(((1, 90), (9999, 3000)), 0, "")
    instalments.check(poor, regime=instalments.STATE, on=date(2016, 6, 23))
    instalments.check(poor, regime="other", on=TODAY)


def test_the_lending_rate_is_the_one_of_its_day() -> None:
    assert instalments.lending_rate_bp(date(2025, 5, 19)) == 310
    assert instalments.lending_rate_bp(date(2025, 5, 20)) == 300
    with pytest.raises(ValueError, match="no lending rate"):
        instalments.lending_rate_bp(date(2019, 8, 19))
