"""Laws of refunds that are sent again: books, ways, and what is approved."""

from collections.abc import Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import canonical
from contracts.money import Money
from settlement.ledger.rules import Line
from settlement.refunds import rules
from settlement.refunds.rules import (
    Ask,
    PaymentNotRefundable,
    RefundNotFailed,
)

PAYER, AMOUNT = UUID(int=7), st.integers(1, 10**12).map(lambda minor: Money(minor, "CNY"))


def moved(*journals: list[Line]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for code, money in (line for journal in journals for line in journal):
        found[code.partition(":")[0]] = found.get(code.partition(":")[0], 0) + money.amount_minor
        found[code] = found.get(code, 0) + money.amount_minor
    return {code: minor for code, minor in found.items() if minor}


@given(amount=AMOUNT)
def test_what_failed_and_was_sent_again_leaves_the_books_as_if_it_had_arrived_at_once(
    amount: Money,
) -> None:
    """Each journal makes nothing out of nothing; all of them together are one refund."""
    made = rules.made_lines(PAYER, amount)
    failure = [rules.failed_lines(PAYER, amount), rules.owed_lines(PAYER, amount)]
    again = rules.approved_lines(PAYER, amount, rules.resent_lines(PAYER, amount))
    for lines in (made, *failure, again):
        assert sum(money.amount_minor for _, money in lines) == 0
    assert moved(made, *failure, again, rules.made_lines(PAYER, amount)) == moved(made)
    assert moved(*failure, made, again) == {}


@given(amount=AMOUNT, state=st.sampled_from(["prepared", "approved", "refused", "made"]))
def test_only_what_failed_is_sent_again_and_a_card_alone_may_change_its_way(
    amount: Money, state: str
) -> None:
    with pytest.raises(RefundNotFailed):
        rules.check_failed(state, first=None)
    with pytest.raises(RefundNotFailed):
        rules.check_failed("failed", first=PAYER)
    rules.check_failed("failed", first=None)
    ways = [
        (Ask(PAYER, amount, "x", way, again), by_card)
        for way in (rules.TO_CARD, rules.TO_PAYER, rules.TO_VERIFIED)
        for again in (None, PAYER)
        for by_card in (True, False)
    ]
    for ask, by_card in ways:
        fits = by_card == (ask.goes_to == rules.TO_CARD)
        fits = fits or (by_card and ask.resends is not None)
        if fits:
            rules.check_way(ask, by_card=by_card)
        else:
            with pytest.raises(PaymentNotRefundable):
                rules.check_way(ask, by_card=by_card)


def test_what_is_sent_again_is_said_in_what_is_approved() -> None:
    """And a refund that sends nothing again has the content that it always had."""
    ask = Ask(PAYER, Money(5, "CNY"), "x")
    plain = canonical.loads(rules.content(PAYER, ask, provider_id="pi_1", debits=[]))
    again = Ask(PAYER, Money(5, "CNY"), "x", resends=UUID(int=8))
    said = canonical.loads(rules.content(PAYER, again, provider_id="pi_1", debits=[]))
    assert "resends" not in plain
    assert said == {**plain, "resends": str(UUID(int=8))}
