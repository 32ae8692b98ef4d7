from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import canonical
from contracts.money import MOST_MINOR, AmountOutOfRange, WrongCurrency
from contracts.refusal import Refusal
from listings.auctions import presets, rulebook, steps
from listings.auctions.mechanisms import METHODS
from listings.auctions.refusals import BadSale
from listings.auctions.rulebook import Sale
from tests.listings import auctions_cases as cases
from tests.listings.auctions_cases import NOW, at

CRITERIA = cases.sale("weighted")["terms"]["criteria"]


def read(kind: str = "english", **changes: Any) -> Sale:
    return rulebook.read_sale(cases.sale(kind, **changes), barred=frozenset(), now=NOW)


def test_the_terms_of_sale_of_old_are_read_and_given_back_as_they_were() -> None:
    wire = cases.sale(hard_stop_at="2026-11-22T17:30:00+08:00")
    sale = rulebook.read_sale(wire, barred=frozenset({UUID(int=1)}), now=NOW)
    assert sale.public == {**wire, "hard_stop_at": "2026-11-22T09:30:00Z"}
    assert (sale.closing.kind, sale.closing.window_s, sale.closing.top_k) == ("soft", 60, 1)
    assert (sale.admission["kind"], sale.secrecy["bidders"]) == ("verified", "alias")
    assert (sale.ends_by, sale.secret, sale.barred) == (at(30), {}, {UUID(int=1)})


@pytest.mark.parametrize("kind", cases.KINDS)
def test_what_is_published_reads_as_the_same_sale(kind: str) -> None:
    sale = read(kind)
    again = rulebook.read_sale(sale.public, barred=frozenset(), now=NOW)
    assert again == sale


@pytest.mark.parametrize("kind", cases.KINDS)
def test_a_rulebook_is_canonical_and_its_hash_is_of_its_bytes(kind: str) -> None:
    document = cases.document(kind)
    raw = canonical.dumps(document)
    book = rulebook.read(canonical.loads(raw))
    assert book.sha256 == canonical.sha256_hex(raw)
    assert rulebook.read(document) == book
    assert len(document) == 25


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("english", {"surprise": 1}),
        ("english", {"method": "order-book"}),
        ("english", {"method": 7}),
        ("english", {"method": "fixed"}),
        ("english", {"soft_close_s": -1}),
        ("english", {"soft_close_s": 3_601}),
        ("english", {"soft_close_s": True}),
        ("english", {"soft_close_s": None}),
        ("english", {"hard_stop_at": None}),
        ("english", {"closing": {"kind": "soft", "window_s": 9}}),
        ("english", {"soft_close_s": None, "closing": {"kind": "fixed"}}),
        ("english", {"closes_at": "2026-11-22T09:00:00Z"}),
        ("english", {"hard_stop_at": "2026-11-22T09:09:59Z"}),
        ("english", {"opens_at": "2026-11-22T09:10:00Z"}),
        ("english", {"opens_at": "2026-11-20T09:00:00Z", "closes_at": "2026-11-21T09:00:00Z"}),
        ("english", {"closes_at": "soon"}),
        ("english", {"closes_at": 12}),
        ("english", {"closes_at": "2026-11-22T09:10:00"}),
        ("english", {"auction_id": "x"}),
        ("english", {"terms": {"step": {"kind": "fixed", "minor": 5}}}),
        ("english", {"step_minor": None}),
        ("english", {"step_minor": None, "terms": {"step": {"kind": "curve"}}}),
        ("english", {"terms": {"multiples": 1}}),
        ("english", {"terms": {"needs_free_bid": True}}),
        ("english", {"terms": []}),
        ("english", {"tie": {"rule": "lottery"}}),
        ("english", {"secrecy": {"amounts": "secret"}}),
        ("english", {"reserve": {"kind": "open"}}),
        ("english", {"reserve": {"kind": "none", "amount_minor": 5}}),
        ("english", {"reserve": {"kind": "secret", "amount_minor": 5}}),
        ("english", {"preset": "multi-round"}),
        ("english", {"preset": "weighted"}),
        ("english", {"preset": "unheard"}),
        ("english", {"forfeits": ["because"]}),
        ("english", {"default": "lottery"}),
        ("english", {"admission": {"kind": "open"}}),
        ("english", {"admission": {"until": "2026-11-22T09:11:00Z"}}),
        ("english", {"admission": {"most_bidders": 1}}),
        ("english", {"opening": {}}),
        ("english", {"first_refusal": {"holders": [], "window_s": 60}}),
        ("english", {"first_refusal": {"holders": ["x"], "window_s": 60}}),
        ("english", {"first_refusal": {"holders": [str(UUID(int=1))] * 2, "window_s": 60}}),
        ("english", {"first_refusal": {"holders": [str(UUID(int=1))], "window_s": 5}}),
        ("english", {"first_refusal": {"holders": [str(UUID(int=1))], "window_s": 1_201}}),
        ("proxy", {"first_refusal": {"holders": [str(UUID(int=1))], "window_s": 60}}),
        ("timed", {"closes_at": cases.stamp(14)}),
        ("timed", {"closing": {"kind": "timed", "window_s": 0, "free_until": cases.stamp(10)}}),
        ("timed", {"closing": {"kind": "timed", "window_s": 300}}),
        ("fixed", {"reserve": {"kind": "open", "amount_minor": 200_000}}),
        ("fixed", {"terms": {"price_minor": 5}}),
        ("fixed", {"step_minor": 5}),
        ("dutch", {"terms": {}}),
        ("dutch", {"step_minor": None}),
        ("dutch", {"terms": {"start_minor": 100_000, "interval_s": 30, "grace_s": 5}}),
        ("dutch", {"terms": {"start_minor": 200_000, "interval_s": 0, "grace_s": 0}}),
        ("dutch", {"terms": {"start_minor": 200_000, "interval_s": 30, "grace_s": 31}}),
        ("sealed", {"secrecy": {"amounts": "open"}}),
        ("sealed", {"secrecy": {"amounts": "sealed"}}),
        ("sealed", {"closing": {"kind": "soft", "window_s": 60}}),
        ("sealed", {"preset": "one-shot", "terms": {"replaceable": True}}),
        ("sealed", {"terms": {"replaceable": "no"}}),
        ("intent", {"terms": {"shortlist": 0}}),
        ("weighted", {"terms": {}}),
        ("weighted", {"terms": {"criteria": CRITERIA[:1]}}),
        ("weighted", {"terms": {"criteria": [CRITERIA[0], CRITERIA[0]]}}),
        ("weighted", {"terms": {"criteria": [{**CRITERIA[0], "weight_bp": 10_000, "best": 0.5}]}}),
        ("weighted", {"terms": {"criteria": [{**CRITERIA[0], "kind": "number"}, CRITERIA[1]]}}),
        ("weighted", {"terms": {"criteria": [
            {**CRITERIA[0], "worst": 1, "best": 9_999_999_999_972},
            {**CRITERIA[1], "best": 9_999_991},
        ]}}),
    ],
)  # fmt: skip
def test_terms_of_sale_that_do_not_hold_are_refused(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(BadSale):
        read(kind, **changes)


@pytest.mark.parametrize("name", ["floor_minor", "step_minor"])
@pytest.mark.parametrize("value", [0, -5, MOST_MINOR + 1, MOST_MINOR, 1.5, True, "7"])
def test_floor_and_step_are_whole_and_leave_room(name: str, value: object) -> None:
    with pytest.raises(AmountOutOfRange):
        read(**{name: value})


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(WrongCurrency):
        read(currency="XXX")


def test_a_hidden_reserve_is_kept_apart_from_what_is_published() -> None:
    sale = read("sealed", reserve={"kind": "hidden", "amount_minor": 777_777})
    assert sale.secret == {"reserve_minor": 777_777}
    assert sale.public["reserve"] == {"kind": "hidden"}
    assert "777777" not in str(sale.public)
    commitments = [rulebook.reserve_commitment(cases.AUCTION, 777_777, bytes([n]) * 32)
                   for n in (1, 2)]  # fmt: skip
    assert commitments[0] != commitments[1]


def test_a_reserve_below_the_floor_means_nothing_and_is_refused() -> None:
    with pytest.raises(AmountOutOfRange):
        read(reserve={"kind": "open", "amount_minor": 99_999})


def test_commitments_and_paddles_go_with_the_sale() -> None:
    ids = {"auction": cases.AUCTION, "listing": cases.LISTING, "work": cases.WORK}
    for sale, more in (
        (read("sealed", tie={"rule": "lottery"}), {}),
        (read("sealed"), {"seed_commitment": "00" * 32}),
        (read("sealed", reserve={"kind": "hidden", "amount_minor": 200_000}), {}),
        (read("refusal"), {"holders": [1]}),
    ):
        with pytest.raises(ValueError, match=r"committed|paddle"):
            rulebook.rulebook(sale, **ids, **more)


def test_every_way_of_selling_has_a_preset_that_names_its_law() -> None:
    names = {preset.zh for preset in presets.PRESETS.values()}
    assert {"挂牌一口价", "协议/意向", "一次报价", "多次报价", "权重报价", "动态报价", "降价式",
            "组合竞价", "代理出价", "第二价格密封报价"} == names  # fmt: skip
    for preset in presets.PRESETS.values():
        assert preset.basis
        assert all(set(entry) == {"source", "article", "note"} for entry in preset.basis)
        if preset.method in METHODS:
            assert preset.closing in METHODS[preset.method].closings
    assert {preset.method for preset in presets.PRESETS.values()} >= set(METHODS)


def test_a_preset_stands_in_the_rulebook_with_its_basis() -> None:
    document = cases.document("timed", preset="multi-round")
    assert (document["preset"], document["method_zh"]) == ("multi-round", "多次报价")
    assert any("拍卖法" in entry["source"] for entry in document["legal_basis"])


def test_a_rulebook_of_the_first_version_is_still_read() -> None:
    old = {
        "version": 1, "auction": str(cases.AUCTION), "listing": str(cases.LISTING),
        "work": str(cases.WORK), "method": "english", "method_zh": "多次报价（增价竞价）",
        "legal_basis": "Listing for sale.", "currency": "CNY", "exponent": 2,
        "floor_minor": 100_000, "step_minor": 1_000, "opens_at": cases.stamp(0),
        "closes_at": cases.stamp(10), "soft_close_s": 60, "hard_stop_at": cases.stamp(30),
    }  # fmt: skip
    book = rulebook.read(old)
    assert book.sha256 == canonical.sha256_hex(canonical.dumps(old))
    assert (book.closing, book.terms["step"]) == (cases.book().closing, cases.book().terms["step"])


table = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 60)), min_size=1, max_size=6)


@given(table, st.integers(0, 600))
def test_a_step_that_is_accepted_never_asks_less_of_a_dearer_price(
    rows: list[tuple[int, int]], price: int
) -> None:
    wire = {"kind": "table", "rows": [list(row) for row in sorted(dict([(0, 9), *rows]).items())]}
    try:
        step = steps.read(wire)
    except Refusal:
        found = range(600)
        falls = any(steps.after(wire, p) > steps.after(wire, p + 1) for p in found)
        assert falls
        return
    assert steps.after(step, price) <= steps.after(step, price + 1)


@given(st.integers(1, 10_000), st.integers(1, 10**6), st.integers(0, 10**12))
def test_a_step_in_basis_points_is_rounded_up(bp: int, least: int, price: int) -> None:
    step = steps.read({"kind": "bp", "bp": bp, "least_minor": least})
    size = steps.size(step, price)
    assert size >= least
    assert (size - 1) * 10_000 < price * bp or size == least
    assert size * 10_000 >= price * bp
    assert steps.after(step, price) <= steps.after(step, price + 1)


def test_a_sale_without_a_hard_stop_is_bounded_by_its_announced_close() -> None:
    assert read("timed").ends_by == at(15)
    assert read("refusal", hard_stop_at=None, soft_close_s=None,
                closing={"kind": "soft", "window_s": 60}).ends_by == at(12)  # fmt: skip
    assert read("sealed").ends_by - NOW == timedelta(minutes=10)
