"""What is free to sweep, where a sweep ends, and which line of a bank is one."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import Money
from settlement.bank.rules import Entry
from settlement.reconciliation import rules as matching
from settlement.reconciliation.rules import Known
from settlement.sweeps import rules
from settlement.sweeps.rules import (
    Expected,
    Funds,
    SweepTooLarge,
)

MINOR = st.integers(0, 10**12)
FUNDS = st.builds(
    Funds,
    available_minor=st.integers(-(10**12), 10**12),
    pending_minor=MINOR,
    ledger_minor=st.integers(-(10**12), 10**12),
    owed_minor=MINOR,
    disputed_minor=MINOR,
    instructed_minor=MINOR,
)
A, B = UUID(int=1), UUID(int=2)
DAY = date(2026, 11, 22)
ONE = Expected(UUID(int=3), 500, A, ("SABCDEFGHIJKLMNO", "po_1Abc"), DAY)


@given(funds=FUNDS, more=MINOR)
def test_what_is_free_never_touches_what_others_wait_for(funds: Funds, more: int) -> None:
    left = funds.available_minor - funds.free_minor
    kept = funds.owed_minor + funds.disputed_minor + funds.instructed_minor
    assert funds.free_minor >= 0
    assert funds.free_minor == 0 or left >= kept
    assert funds.free_minor == 0 or funds.ledger_minor - funds.free_minor >= kept
    for name in ("owed_minor", "disputed_minor", "instructed_minor", "pending_minor"):
        worse = replace(funds, **{name: getattr(funds, name) + more})
        assert worse.free_minor <= funds.free_minor


@given(funds=FUNDS, minor=st.integers(-5, 10**12))
def test_no_sweep_takes_more_than_is_free(funds: Funds, minor: int) -> None:
    if 0 < minor <= funds.free_minor:
        rules.check_amount(Money(minor, "CNY"), funds)
        left = replace(funds, instructed_minor=funds.instructed_minor + minor)
        assert left.free_minor == funds.free_minor - minor
        return
    with pytest.raises(SweepTooLarge) as refused:
        rules.check_amount(Money(minor, "CNY"), funds)
    assert refused.value.data["most"] == {"amount_minor": funds.free_minor, "currency": "CNY"}


@given(then=st.lists(st.sampled_from(sorted(rules.STATES)), max_size=6))
def test_a_sweep_ends_where_it_was_seen_highest_in_any_order(then: list[str]) -> None:
    def end(words: list[str]) -> str:
        state = rules.IN_TRANSIT
        for word in words:
            if rules.climbs(state, rules.STATES[word]):
                state = rules.STATES[word]
        return state

    assert end(then) == end(then[::-1]) == end(then * 2)


def entry(minor: int = 500, **said: object) -> Entry:
    return Entry(minor, booked_on=DAY, **said)


def matched(line: Entry, *sweeps: Expected, account: UUID = A) -> tuple[str, int] | None:
    known = Known({}, {}, {}, {}, {}, sweeps, account)
    found = matching.match(line, known)
    return None if found is None else (found.rule, found.score)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (entry(text="STRIPE SABCDEFGHIJKLMNO"), ("provider-payout", 100)),
        (entry(end_to_end_id="sabcdefghijklmno"), ("provider-payout", 100)),
        (entry(bank_ref="x/po_1Abc/7"), ("provider-payout", 100)),
        (entry(501, text="SABCDEFGHIJKLMNO"), None),
        (entry(text="SABCDEFGHIJKLMNOP"), None),
        (entry(name="Stripe Payments Europe"), ("provider-arrival", 90)),
        (entry(name="Somebody"), None),
        (entry(-500, name="Stripe"), None),
        (Entry(500, booked_on=DAY + timedelta(days=4), name="Stripe"), None),
        (Entry(500, booked_on=DAY - timedelta(days=1), name="Stripe"), None),
    ],
    ids=["text", "end-to-end", "provider-id", "amount", "longer-word", "arrival", "name", "debit",
         "late", "early"],
)  # fmt: skip
def test_a_line_is_a_sweep_by_its_words_or_by_amount_day_and_name(
    line: Entry, found: tuple[str, int] | None
) -> None:
    assert matched(line, ONE) == found


def test_of_two_sweeps_alike_only_the_one_named_is_matched() -> None:
    other = replace(ONE, sweep_id=UUID(int=4), named=("SZZZZZZZZZZZZZZZ",))
    assert matched(entry(name="Stripe"), ONE, other) is None
    assert matched(entry(text="SZZZZZZZZZZZZZZZ"), ONE, other) == ("provider-payout", 100)
    assert matched(entry(name="Stripe"), ONE, account=B) is None  # announced for another account
