"""What is typed into the form is a sale that the rules accept, for every way of selling."""

from typing import Any
from uuid import UUID

import pytest

from contracts.refusal import InvalidContent
from exchange.api.sales import SaleIn
from exchange.portal import sales
from exchange.portal.forms import Form, shape
from exchange.portal.language import Language
from listings.auctions import presets, rulebook
from tests.conftest import NOW

AUCTION = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
TYPED = {
    "auction_id": AUCTION, "currency": "CNY", "floor": "1,000,000.00", "step": "10000",
    "opens_at": "2026-11-23T09:00", "closes_at": "2026-11-30T09:00", "soft_close_s": "60",
    "hard_stop_at": "2026-11-30T11:00", "free_until": "2026-11-30T08:55", "window_s": "300",
    "start": "2000000", "interval_s": "300", "grace_s": "2", "best_0": "3000000",
    "weight_0": "70", "criterion_zh_1": "首播前天数", "weight_1": "30", "worst_1": "180",
    "best_1": "0", "amounts": "secret", "reserve_kind": "none", "tie": "lottery",
    "admission": "applied", "deposit": "50000",
}  # fmt: skip


def typed(way: str, **changes: str) -> dict[str, Any]:
    fields = {**TYPED, "way": way, **changes}
    return sales.read(Form({name: [value] for name, value in fields.items()}))


def read(sale: dict[str, Any]) -> rulebook.Sale:
    wire = shape(SaleIn, **sale).model_dump(mode="json", exclude_none=True)
    return rulebook.read_sale(wire, barred=frozenset(), now=NOW)


@pytest.mark.parametrize("way", sales.WAYS)
def test_what_is_typed_is_a_sale(way: str) -> None:
    sale = read(typed(way))
    assert sale.method == sales.WAYS[way].method
    assert (sale.auction_id, sale.floor_minor) == (UUID(AUCTION), 100_000_000)
    assert sale.admission["deposit_minor"] == 5_000_000


def test_the_form_offers_every_method_and_names_its_preset() -> None:
    assert {way.method for way in sales.WAYS.values()} == {
        p.method for p in presets.PRESETS.values()
    }
    named = {way.preset for way in sales.WAYS.values()} - {None}
    assert named == set(presets.PRESETS) - {"dynamic"}  # typed as timed cycles; the API names it


def test_weights_and_criteria_are_read_exactly() -> None:
    criteria = typed("weighted", weight_0="66.67", weight_1="33.33")["terms"]["criteria"]
    assert [row["weight_bp"] for row in criteria] == [6_667, 3_333]
    assert (criteria[0]["worst"], criteria[0]["best"]) == (100_000_000, 300_000_000)
    assert (criteria[1]["worst"], criteria[1]["best"]) == (180, 0)


def test_rights_are_cut_into_the_windows_that_were_typed() -> None:
    given = typed(
        "package", cut_days="2028-01-01，2029-01-01", cell_reserve="10", least_winners="2"
    )
    assert given["terms"] == {
        "cuts": {"days": ["2028-01-01", "2029-01-01"]}, "reserve_minor": 1_000, "least_winners": 2,
    }  # fmt: skip
    assert read(given).terms["least_winners"] == 2


def test_a_hidden_reserve_is_not_in_what_becomes_public() -> None:
    sale = read(typed("english", reserve_kind="hidden", reserve="1234567.89"))
    assert sale.secret == {"reserve_minor": 123_456_789}
    assert "123456789" not in repr(sale.public)


def test_an_opening_key_that_is_no_json_is_told_by_its_field() -> None:
    with pytest.raises(InvalidContent) as refused:
        typed("sealed", amounts="sealed", opening="not json")
    assert refused.value.data["errors"][0]["field"] == "opening"


@pytest.mark.parametrize("way", [way for way in sales.WAYS if way != "intent"])
def test_how_the_winner_pays_is_read_from_percentages_and_days(way: str) -> None:
    in_parts = typed(
        way, payment="instalments", parts="30/5, 33.33/90，36.67/180", rate="3.10", security="保函"
    )
    assert read(in_parts).payment == {
        "model": "instalments", "rate_bp": 310, "security": "保函",
        "parts": [{"share_bp": 3_000, "due_days": 5}, {"share_bp": 3_333, "due_days": 90},
                  {"share_bp": 3_667, "due_days": 180}],
    }  # fmt: skip
    shared = typed(way, payment="guarantee-share", share="12.5")
    assert read(shared).payment == {"model": "guarantee-share", "share_bp": 1_250}
    assert read(typed(way, payment="once", parts="30/5")).payment is None


def test_quotes_ask_for_no_way_of_paying_and_days_that_are_none_are_told_by_their_field() -> None:
    spoken = Language("zh-CN")
    assert sales.payments(sales.way("intent"), spoken) == []
    assert dict(sales.payments(sales.way("dutch"), spoken))["instalments"] == "分期支付"
    with pytest.raises(InvalidContent) as refused:
        typed("english", payment="instalments", parts="30 then 70", rate="3", security="")
    assert refused.value.data["errors"][0]["field"] == "parts"


def test_an_unknown_way_is_the_plain_auction() -> None:
    assert sales.way("order-book") is sales.WAYS["english"]
