"""Splits, taxes and royalties: the invariants 16 to 26, with exact fractions as the oracle."""

import itertools
import random
from datetime import date
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import MOST_MINOR, Money, split
from contracts.parties.rules import EXCHANGE_PARTY_ID
from settlement.plans import rules as plans
from settlement.plans.rules import SoFar
from settlement.royalties import waterfall
from settlement.royalties.waterfall import Figures, RunFee, Tier, Waterfall
from settlement.taxes import gateway as shipped
from settlement.taxes import rules as taxes
from tests.settlement.fees_factory import flat

HALF = Fraction(1, 2)
PRICES = st.integers(1, MOST_MINOR // 4)
RATES = st.integers(0, 10_000)


@st.composite
def shares(draw: st.DrawFn) -> dict[UUID, int]:
    cuts = sorted(draw(st.sets(st.integers(1, 9999), max_size=7)))
    edges = [0, *cuts, 10_000]
    parts = [after - before for before, after in itertools.pairwise(edges)]
    owners = draw(st.lists(st.uuids(), min_size=len(parts), max_size=len(parts), unique=True))
    return dict(zip(owners, parts, strict=True))


@st.composite
def weights(draw: st.DrawFn) -> list[tuple[str, int]]:
    names = draw(st.lists(st.text("abcdef", min_size=1), min_size=1, max_size=8, unique=True))
    return [(name, draw(st.integers(0, 99))) for name in names[1:]] + [(names[0], 7)]


@st.composite
def waterfalls(draw: st.DrawFn) -> Waterfall:
    tiers = tuple(
        Tier(
            f"tier-{number}",
            draw(st.sampled_from([waterfall.LICENSOR, waterfall.LICENSEE])),
            draw(st.sampled_from([waterfall.RECEIPTS, waterfall.REST])),
            draw(RATES),
            draw(st.none() | st.integers(0, 10**9)),
        )
        for number in range(draw(st.integers(0, 5)))
    )
    fee = draw(st.none() | st.builds(RunFee, st.integers(0, 10**6), st.integers(0, 50)))
    return Waterfall(tiers, "CNY", advance_minor=draw(st.integers(0, 10**9)), run_fee=fee)


def planned(price: int, rate_bp: int, owners: dict[UUID, int]) -> list[plans.Part]:
    gross = Money(price, "CNY")
    return plans.parts(
        gross, charge=flat(gross, rate_bp), exchange_id=EXCHANGE_PARTY_ID, shares=owners
    )


PERIODS = st.lists(
    st.tuples(st.integers(-(10**8), 10**9), st.integers(0, 40)), min_size=1, max_size=8
)


def to_date(periods: list[tuple[int, int]]) -> Figures:
    return Figures(sum(one for one, _ in periods), sum(runs for _, runs in periods))


@given(PRICES, RATES, shares(), st.lists(st.integers(1, 10**9), max_size=6))
def test_invariant_16_parts_and_taxes_of_every_claim_are_its_gross(
    price: int, rate_bp: int, owners: dict[UUID, int], claims: list[int]
) -> None:
    first = planned(price, rate_bp, owners)
    so_far = SoFar(
        price, first[0].amount.amount_minor,
        {part.payee_id: part.amount.amount_minor for part in first[1:]},
    )  # fmt: skip
    abroad = [rule for rule in shipped.shipped() if rule.code in taxes.WITHHELD]
    for claim in claims:
        upto = flat(Money(so_far.gross_minor + claim, "CNY"), rate_bp).amount.amount_minor
        parts = plans.further(
            Money(claim, "CNY"), first=first, so_far=so_far, commission_minor=upto
        )
        kept = [taxes.withhold(part.amount, abroad) for part in parts[1:]]
        whole = parts[0].amount.amount_minor + sum(
            one.paid.amount_minor + sum(tax.amount_minor for _, tax in one.kept) for one in kept
        )
        assert whole == claim
        assert all(part.amount.amount_minor >= 0 for part in parts)
        so_far = SoFar(
            so_far.gross_minor + claim,
            so_far.commission_minor + parts[0].amount.amount_minor,
            {part.payee_id: so_far.got[part.payee_id] + part.amount.amount_minor
             for part in parts[1:]},
        )  # fmt: skip


@given(st.integers(-(10**12), 10**12), weights())
def test_invariant_17_a_share_is_less_than_one_minor_unit_from_its_fraction(
    total: int, owners: list[tuple[str, int]]
) -> None:
    whole = sum(weight for _, weight in owners)
    parts = split(total, owners)
    for name, weight in owners:
        assert abs(parts[name] - Fraction(total * weight, whole)) < 1
        assert weight or parts[name] == 0


@given(PRICES, RATES, shares(), st.integers(1, 10**9), st.randoms())
def test_invariant_18_the_order_of_payees_does_not_matter(
    price: int, rate_bp: int, owners: dict[UUID, int], claim: int, turned: random.Random
) -> None:
    items = list(owners.items())
    turned.shuffle(items)
    one, other = planned(price, rate_bp, owners), planned(price, rate_bp, dict(items))
    assert one == other
    got = {part.payee_id: part.amount.amount_minor for part in one[1:]}
    so_far = SoFar(price, one[0].amount.amount_minor, got)
    turned_first = [one[0], *turned.sample(one[1:], len(one) - 1)]
    upto = flat(Money(price + claim, "CNY"), rate_bp).amount.amount_minor
    told = [
        {part.payee_id: part.amount for part in plans.further(
            Money(claim, "CNY"), first=first, so_far=so_far, commission_minor=upto)}
        for first in (one, turned_first)
    ]  # fmt: skip
    assert told[0] == told[1]


@given(st.integers(0, 10**12), weights())
def test_invariant_19_the_split_of_a_negative_is_the_negative_of_the_split(
    total: int, owners: list[tuple[str, int]]
) -> None:
    assert split(-total, owners) == {key: -part for key, part in split(total, owners).items()}


@given(weights(), st.lists(st.integers(0, 500), min_size=1, max_size=12))
def test_invariant_20_steps_add_up_to_the_split_of_the_whole(
    owners: list[tuple[str, int]], amounts: list[int]
) -> None:
    whole = sum(weight for _, weight in owners)
    got, so_far, clamped = dict.fromkeys(dict(owners), 0), 0, False
    for amount in amounts:
        so_far += amount
        wanted = split(so_far, owners)
        clamped = any(wanted[key] < got[key] for key in got)
        parts = plans.step(owners, got=got, up_to_minor=so_far)
        assert sum(parts.values()) == amount
        assert min(parts.values()) >= 0
        got = {key: got[key] + parts[key] for key in got}
        assert clamped or got == wanted
        assert all(abs(got[name] - Fraction(so_far * weight, whole)) < 2 for name, weight in owners)
    closing = split(so_far + 1000 * whole, owners)  # a step large enough for everybody
    last = plans.step(owners, got=got, up_to_minor=so_far + 1000 * whole)
    assert all(weight == 0 or got[name] <= closing[name] for name, weight in owners)
    assert {key: got[key] + last[key] for key in got} == closing


def test_invariant_20_a_step_that_the_paradox_would_make_negative_is_none() -> None:
    owners = [("a", 6), ("b", 6), ("c", 2)]
    before, after = split(10, owners), split(11, owners)
    assert (before["c"], after["c"]) == (2, 1)  # the Alabama paradox itself
    assert plans.step(owners, got=before, up_to_minor=11) == {"a": 0, "b": 1, "c": 0}


@given(st.integers(1, 10**12), RATES, st.lists(st.integers(0, 10**12), min_size=1, max_size=6))
def test_invariant_21_no_more_goes_back_than_was_charged(
    paid: int, rate_bp: int, refunds: list[int]
) -> None:
    charged = taxes.included(Money(paid, "CNY"), rate_bp).tax.amount_minor
    back, returned = 0, 0
    for refund in refunds:
        back = min(paid, back + refund)
        now = taxes.given_back(charged, back_minor=back, of_minor=paid)
        assert returned <= now <= charged
        assert abs(now - Fraction(charged * back, paid)) <= HALF
        returned = now
    assert taxes.given_back(charged, back_minor=paid, of_minor=paid) == charged
    with pytest.raises(ValueError, match="no more goes back"):
        taxes.given_back(charged, back_minor=paid + 1, of_minor=paid)


@given(st.integers(-(10**12), 10**12), RATES)
def test_invariant_22_net_and_vat_are_the_gross_whichever_is_agreed(
    amount: int, rate_bp: int
) -> None:
    held = taxes.included(Money(amount, "CNY"), rate_bp)
    assert held.net + held.tax == held.gross == Money(amount, "CNY")
    exact = Fraction(amount * rate_bp, 10_000 + rate_bp)
    assert abs(held.tax.amount_minor - exact) <= HALF
    on_top = taxes.added(Money(amount, "CNY"), rate_bp)
    assert on_top.net + on_top.tax == on_top.gross
    back = taxes.included(on_top.gross, rate_bp)
    assert (back.net, back.tax) == (on_top.net, on_top.tax)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=6), RATES, st.integers(0, 10_000))
def test_invariant_23_what_is_kept_back_and_what_is_paid_are_the_gross(
    amounts: list[int], one_bp: int, other_bp: int
) -> None:
    other_bp = min(other_bp, 10_000 - one_bp)
    rules = [
        taxes.TaxRule("a", "CN", "abroad", date(2026, 1, 1), None, one_bp, False, "basis"),
        taxes.TaxRule("b", "CN", "abroad", date(2026, 1, 1), None, other_bp, False, "basis"),
    ]
    for amount in amounts:
        kept = taxes.withhold(Money(amount, "CNY"), rules)
        assert kept.paid.amount_minor >= 0
        assert [rule.code for rule, _ in kept.kept] == ["a", "b"]  # each tax once
        assert kept.paid.amount_minor + sum(tax.amount_minor for _, tax in kept.kept) == amount
        assert abs(kept.kept[0][1].amount_minor - Fraction(amount * one_bp, 10_000)) <= HALF


@given(waterfalls(), PERIODS)
def test_invariant_24_an_advance_is_recouped_once_and_never_grows(
    agreed: Waterfall, periods: list[tuple[int, int]]
) -> None:
    before = agreed.advance_minor
    for end in range(1, len(periods) + 1):
        seen = to_date([(max(0, one), runs) for one, runs in periods[:end]])
        told = waterfall.reckon(agreed, seen)
        assert 0 <= told.unrecouped_minor <= before
        assert told.recouped_minor + told.unrecouped_minor == agreed.advance_minor
        assert told.payable_minor == max(0, told.earned_minor - agreed.advance_minor)
        before = told.unrecouped_minor


@given(waterfalls(), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 40))
def test_invariant_25_more_use_never_pays_less(
    agreed: Waterfall, receipts: int, more: int, runs: int
) -> None:
    less = waterfall.reckon(agreed, Figures(receipts, runs))
    told = waterfall.reckon(agreed, Figures(receipts + more, runs + 1))
    assert told.payable_minor >= less.payable_minor


@given(waterfalls(), PERIODS, st.data())
def test_invariant_25_a_period_reported_in_two_parts_gives_the_same_to_date(
    agreed: Waterfall, periods: list[tuple[int, int]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(periods) - 1))
    receipts, runs = periods[place]
    cut, first_runs = data.draw(st.integers(-(10**8), 10**9)), data.draw(st.integers(0, runs))
    parted = [
        *periods[:place], (cut, first_runs), (receipts - cut, runs - first_runs),
        *periods[place + 1 :],
    ]  # fmt: skip
    assert waterfall.reckon(agreed, to_date(parted)) == waterfall.reckon(agreed, to_date(periods))


@given(waterfalls(), PERIODS, st.data())
def test_invariant_26_a_corrected_report_asks_for_the_difference_alone(
    agreed: Waterfall, periods: list[tuple[int, int]], data: st.DataObject
) -> None:
    asked = 0
    for end in range(1, len(periods) + 1):
        payable = waterfall.reckon(agreed, to_date(periods[:end])).payable_minor
        asked += waterfall.owed(payable, before_minor=asked).due_minor
    place = data.draw(st.integers(0, len(periods) - 1))
    right = (data.draw(st.integers(0, 10**9)), data.draw(st.integers(0, 40)))
    corrected = [*periods[:place], right, *periods[place + 1 :]]
    payable = waterfall.reckon(agreed, to_date(corrected)).payable_minor
    owed = waterfall.owed(payable, before_minor=asked)
    assert asked + owed.due_minor - owed.carried_minor == payable
    assert owed.due_minor == 0 or owed.carried_minor == 0
    again = waterfall.owed(payable, before_minor=asked + owed.due_minor)
    assert again.due_minor == 0  # the same report once more asks for nothing


@given(waterfalls(), st.integers(-(10**9), 10**10))
def test_tiers_never_give_more_than_came_in_and_keep_their_caps(
    agreed: Waterfall, receipts: int
) -> None:
    taken = waterfall.takes(agreed.tiers, receipts)
    assert sum(got for _, got in taken) <= max(0, receipts)
    for tier, got in taken:
        assert 0 <= got <= (tier.cap_minor if tier.cap_minor is not None else got)


def test_a_distribution_fee_expenses_a_guarantee_and_a_split_in_their_order() -> None:
    agreed = Waterfall(
        (
            Tier("distribution-fee", waterfall.LICENSEE, waterfall.RECEIPTS, 2000),
            Tier("expenses", waterfall.LICENSEE, waterfall.REST, 10_000, cap_minor=100_000),
            Tier("licensor-half", waterfall.LICENSOR, waterfall.REST, 5000),
        ),
        "CNY",
        advance_minor=250_000,
    )
    taken = [got for _, got in waterfall.takes(agreed.tiers, 1_000_000)]
    assert taken == [200_000, 100_000, 350_000]
    told = waterfall.reckon(agreed, Figures(1_000_000, 0))
    assert (told.earned_minor, told.recouped_minor, told.payable_minor) == (
        350_000, 250_000, 100_000,
    )  # fmt: skip


def test_a_waterfall_of_another_version_has_another_hash() -> None:
    one = Waterfall((Tier("share", "licensor", "receipts", 1250),), "CNY", advance_minor=1)
    other = Waterfall((Tier("share", "licensor", "receipts", 1251),), "CNY", advance_minor=1)
    assert one.sha256 != other.sha256


def test_the_contract_of_a_guarantee_and_a_share_makes_a_waterfall() -> None:
    agreed = waterfall.of_terms(
        {"kind": "guarantee-share", "share_bp": 1250, "currency": "CNY", "amount": "500000.00"}
    )
    assert agreed is not None
    assert agreed.advance_minor == 50_000_000
    assert waterfall.reckon(agreed, Figures(500_000_000, 9)).payable_minor == 12_500_000


def test_a_contract_by_the_run_pays_for_the_runs_beyond_those_paid_for() -> None:
    agreed = waterfall.of_terms(
        {"kind": "per-run", "per_run": "300.00", "runs_paid": 4, "currency": "CNY",
         "amount": "1200.00"}
    )  # fmt: skip
    assert agreed is not None
    assert waterfall.reckon(agreed, Figures(0, 4)).payable_minor == 0
    assert waterfall.reckon(agreed, Figures(0, 6)).payable_minor == 60_000
    assert waterfall.of_terms({"kind": "fixed", "currency": "CNY", "amount": "1.00"}) is None


def test_the_rules_that_ship_say_that_nobody_has_read_the_official_text_yet() -> None:
    rules = shipped.shipped()
    today = date(2026, 11, 23)
    vat = taxes.find(rules, taxes.VAT, payer="CN", payee="CN", on=today)
    assert vat is not None and (vat.rate_bp, vat.verified) == (600, False)
    assert taxes.find(rules, taxes.WITHHELD_INCOME, payer="CN", payee="CN", on=today) is None
    abroad = taxes.find(rules, taxes.WITHHELD_INCOME, payer="CN", payee="HK", on=today)
    assert abroad is not None and abroad.rate_bp == 1000
    assert taxes.find(rules, taxes.VAT, payer="CN", payee="CN", on=date(2025, 12, 31)) is None


@pytest.mark.parametrize(
    "rows",
    [
        "a,CN,CN,2026-01-01,,10001,no,x\n",
        "a,CN,CN,2026-01-01,,1,no,\n",
        "a,CN,CN,2026-01-01,,1,no,x\na,CN,CN,2027-01-01,,1,no,x\n",
    ],
)
def test_tax_rules_out_of_range_without_basis_or_with_overlaps_are_a_bug(rows: str) -> None:
    head = "code,payer,payee,valid_from,valid_to,rate_bp,verified,legal_basis\n"
    with pytest.raises(ValueError, match=r"out of range|overlaps"):
        taxes.read_rules(head + rows)
