"""How an award is paid: read, hashed, priced, and worked out alike by both programs."""

from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.deals import instalments, opening, pricing, templates
from contracts.deals.instalments import BadInstalments
from contracts.money import Money
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import Refusal
from listings.auctions import payment, rulebook, verify_auction
from listings.auctions.refusals import BadSale
from settlement.plans import rules as plans
from tests.listings import auctions_cases as cases
from tests.settlement.fees_factory import flat
from tests.settlement.test_plans import shares

PARTS = [{"share_bp": 3_000, "due_days": 5}, {"share_bp": 7_000, "due_days": 180}]
IN_PARTS: dict[str, Any] = {
    "model": "instalments", "parts": PARTS, "rate_bp": 300, "security": "银行保函 GC-2026-001",
}  # fmt: skip
SHARED: dict[str, Any] = {"model": "guarantee-share", "share_bp": 1_250}
SELLING = tuple(kind for kind in (*cases.KINDS, "package") if kind != "intent")


@st.composite
def plans_of_payment(draw: st.DrawFn) -> dict[str, Any]:
    """A schedule: shares of a hundredth at least, so that parts of any floor from 1.00 are some."""
    cuts = sorted(draw(st.sets(st.integers(1, 99), min_size=1, max_size=11)))
    shares = [(b - a) * 100 for a, b in pairwise([0, *cuts, 100])]
    days = sorted(draw(st.sets(st.integers(1, 3_650), min_size=len(shares), max_size=len(shares))))
    return {
        "model": "instalments",
        "parts": [{"share_bp": s, "due_days": d} for s, d in zip(shares, days, strict=True)],
        "rate_bp": draw(st.integers(0, 2_400)),
        "security": "",
    }


def read(kind: str = "english", **changes: Any) -> Any:
    return rulebook.read_sale(cases.sale(kind, **changes), barred=frozenset(), now=cases.NOW)


@pytest.mark.parametrize("way", [IN_PARTS, SHARED], ids=["in-parts", "shared"])
@pytest.mark.parametrize("kind", SELLING)
def test_every_method_that_awards_carries_a_way_of_paying_in_its_hash(
    kind: str, way: dict[str, Any]
) -> None:
    plain, paid = cases.document(kind), cases.document(kind, payment=way)
    assert "payment" not in plain and "payment" not in plain["texts"]
    assert paid["payment"] == way and read(kind, payment=way).public["payment"] == way
    assert rulebook.read(paid).payment == way
    assert rulebook.read(paid).sha256 != rulebook.read(plain).sha256
    assert paid["texts"]["payment"] and paid["texts"]["payment_zh"]
    assert verify_auction.Book(paid).payment == way


def test_what_is_published_reads_as_the_same_way_of_paying() -> None:
    sale = read(payment={**IN_PARTS, "security": " 银行保函  GC-2026-001 "})
    assert sale.payment == IN_PARTS
    again = rulebook.read_sale(sale.public, barred=frozenset(), now=cases.NOW)
    assert again == sale


def test_the_rulebook_says_in_both_languages_what_is_due_and_when() -> None:
    said = cases.document(payment=IN_PARTS)["texts"]
    assert "30.00 % within 5 days, 70.00 % within 180 days" in said["payment"]
    assert "5日内付30.00%、180日内付70.00%" in said["payment_zh"]
    assert "GC-2026-001" in said["payment"] and "GC-2026-001" in said["payment_zh"]
    assert "12.50 %" in cases.document(payment=SHARED)["texts"]["payment"]


@pytest.mark.parametrize(
    "way",
    [
        {**IN_PARTS, "parts": PARTS[:1]},
        {**IN_PARTS, "parts": [PARTS[0], PARTS[0]]},
        {**IN_PARTS, "parts": [PARTS[1], PARTS[0]]},
        {**IN_PARTS, "parts": [{**PARTS[0], "share_bp": 2_999}, PARTS[1]]},
        {**IN_PARTS, "parts": [{**PARTS[0], "share_bp": 30.0}, PARTS[1]]},
        {**IN_PARTS, "rate_bp": 2_401},
        {**IN_PARTS, "rate_bp": None},
        {**IN_PARTS, "security": "\u202e"},
        {**IN_PARTS, "amount_minor": 100_000},
        {"model": "instalments"},
        {**SHARED, "share_bp": 0},
        {**SHARED, "share_bp": 10_001},
        {**SHARED, "guarantee_minor": 5},
        {**SHARED, "parts": PARTS},
        {"model": "per-run", "per_run_minor": 5, "runs_paid": 2},
        {"model": "flat"},
        {},
        "in two parts",
    ],
    ids=range(18),
)  # fmt: skip
def test_a_way_of_paying_that_does_not_hold_is_refused(way: Any) -> None:
    with pytest.raises(Refusal) as refused:
        read(payment=way)
    assert refused.value.code in ("bad-sale", "bad-instalments", "bad-price")


def test_quotes_that_bind_nobody_have_no_way_of_paying() -> None:
    with pytest.raises(BadSale):
        read("intent", payment=IN_PARTS)
    with pytest.raises(verify_auction.Bad):
        verify_auction.Book({**cases.document("intent"), "payment": IN_PARTS})


def test_a_floor_of_which_a_part_would_be_nothing_is_refused() -> None:
    tiny = [{"share_bp": 1, "due_days": 5}, {"share_bp": 9_999, "due_days": 9}]
    assert read(floor_minor=10_000, payment={**IN_PARTS, "parts": tiny})
    with pytest.raises(BadInstalments):
        read(floor_minor=9_999, payment={**IN_PARTS, "parts": tiny})


@pytest.mark.parametrize(
    "change",
    [
        {"model": "flat"}, {"rate_bp": 2_401}, {"security": None}, {"parts": PARTS[:1]},
        {"parts": [{**PARTS[0], "share_bp": 1}, PARTS[1]]}, {"more": 1},
        {"parts": [{**PARTS[0], "due_days": 180}, PARTS[1]]},
    ],
    ids=["model", "rate", "security", "one-part", "not-whole", "more", "same-day"],
)  # fmt: skip
def test_the_second_program_refuses_what_the_rules_would_never_write(
    change: dict[str, Any],
) -> None:
    document = cases.document(payment=IN_PARTS)
    with pytest.raises(verify_auction.Bad):
        verify_auction.Book({**document, "payment": {**IN_PARTS, **change}})


@given(plans_of_payment(), st.integers(100, 10**13))
def test_both_programs_divide_an_award_alike_and_lose_nothing(
    way: dict[str, Any], amount: int
) -> None:
    sale = {"payment": way, "method": "english", "currency": "CNY", "floor_minor": 100}
    schedule = payment.schedule(payment.read(sale))
    assert schedule is not None
    dues = instalments.dues(Money(amount, "CNY"), schedule)
    assert sum(due.amount.amount_minor for due in dues) == amount
    assert all(due.amount.amount_minor > 0 for due in dues)
    assert verify_auction.paid_in(way, amount) == [
        [due.amount.amount_minor, due.due_days, due.interest.amount_minor] for due in dues
    ]


@given(plans_of_payment(), st.integers(100, 10**11), shares(), st.integers(0, 10_000))
def test_the_payees_of_an_award_get_in_parts_what_they_would_get_at_once(
    way: dict[str, Any], amount: int, owners: dict[UUID, int], rate_bp: int
) -> None:
    schedule = instalments.read(way)
    dues = instalments.dues(Money(amount, "CNY"), schedule)
    whole = plans.parts(
        Money(amount, "CNY"),
        charge=flat(Money(amount, "CNY"), rate_bp),
        exchange_id=EXCHANGE_PARTY_ID,
        shares=owners,
    )
    steps = plans.divided(whole, [due.amount for due in dues])
    for place, one in enumerate(whole):
        got = [step[place].amount.amount_minor for step in steps]
        assert sum(got) == one.amount.amount_minor
        assert min(got) >= 0


@pytest.mark.parametrize("way", [None, IN_PARTS, SHARED], ids=["at-once", "in-parts", "shared"])
def test_the_price_of_an_award_is_the_award(way: dict[str, Any] | None) -> None:
    award = {
        "amount_minor": 123_456_789, "currency": "CNY",
        "price": None if way is None else payment.price(way, 123_456_789),
    }  # fmt: skip
    price = opening.price_of(award)
    assert price.due == Money(123_456_789, "CNY")
    assert price.model == (way or {"model": pricing.FLAT})["model"]


def test_every_licence_that_an_auction_leads_to_has_a_clause_for_every_way_of_paying() -> None:
    current = [one for one in templates.TEMPLATES if one.kind == "licence" and not one.is_retired]
    assert current
    for template in current:
        assert set(payment.MODELS) <= set(templates.priced(template))
