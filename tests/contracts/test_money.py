"""Laws of money: exact, order-free, sign-symmetric."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import (
    MOST_MINOR,
    WHOLE_BP,
    AmountOutOfRange,
    Money,
    WrongCurrency,
    percent,
    split,
)

AMOUNTS = st.integers(-MOST_MINOR, MOST_MINOR)
WEIGHTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.integers(0, 10_000), min_size=1
).filter(lambda table: sum(table.values()) > 0)


@given(AMOUNTS, WEIGHTS)
def test_the_parts_add_up(total: int, weights: dict[str, int]) -> None:
    assert sum(split(total, list(weights.items())).values()) == total


@given(AMOUNTS, WEIGHTS)
def test_a_part_is_less_than_one_minor_unit_from_its_exact_fraction(
    total: int, weights: dict[str, int]
) -> None:
    whole = sum(weights.values())
    for key, part in split(total, list(weights.items())).items():
        assert abs(part * whole - total * weights[key]) < whole


@given(AMOUNTS, WEIGHTS, st.randoms())
def test_the_order_of_payees_does_not_matter(
    total: int, weights: dict[str, int], chance: Random
) -> None:
    shuffled = list(weights.items())
    chance.shuffle(shuffled)
    assert split(total, shuffled) == split(total, sorted(weights.items()))


@given(AMOUNTS, WEIGHTS)
def test_a_refund_splits_like_the_payment(total: int, weights: dict[str, int]) -> None:
    pairs = list(weights.items())
    assert split(-total, pairs) == {key: -part for key, part in split(total, pairs).items()}


@given(AMOUNTS, WEIGHTS)
def test_a_zero_share_gets_nothing(total: int, weights: dict[str, int]) -> None:
    parts = split(total, list(weights.items()))
    assert all(parts[key] == 0 for key, weight in weights.items() if weight == 0)


def test_amounts_are_written_by_the_currencys_exponent() -> None:
    written = [Money(5, "CNY"), Money(-123_456, "CNY"), Money(7, "JPY"), Money(1_234, "KWD")]
    assert [money.decimal() for money in written] == ["0.05", "-1234.56", "7", "1.234"]


@pytest.mark.parametrize("amount", [1.0, True, "1", None])
def test_an_amount_is_a_whole_number(amount: object) -> None:
    with pytest.raises(AmountOutOfRange):
        Money(amount, "CNY")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(WrongCurrency):
        Money(1, "CNY") + Money(1, "USD")
    with pytest.raises(WrongCurrency):
        Money(1, "XXX")


def test_more_than_anything_costs_is_refused() -> None:
    with pytest.raises(AmountOutOfRange):
        Money(MOST_MINOR + 1, "CNY")


@given(st.integers(0, MOST_MINOR), st.integers(0, 10_000))
def test_a_share_is_the_exact_rate_rounded_to_the_nearest_minor_unit(
    amount: int, rate: int
) -> None:
    part = Money(amount, "CNY").share(rate).amount_minor
    assert abs(part * 10_000 - amount * rate) * 2 <= 10_000


@pytest.mark.parametrize(
    ("bp", "text"), [(0, "0.00"), (7, "0.07"), (750, "7.50"), (WHOLE_BP, "100.00")]
)
def test_basis_points_are_written_as_a_percentage(bp: int, text: str) -> None:
    assert percent(bp) == text
