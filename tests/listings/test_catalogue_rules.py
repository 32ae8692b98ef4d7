from datetime import timedelta
from typing import Any

import pytest

from contracts import ids
from contracts.refusal import Refusal
from listings.catalogue import rules
from tests.conftest import NOW
from tests.contracts.rights_factory import wire
from tests.listings.auctions_factory import sale_of

SELLER, AUCTION, WORK = (ids.new(NOW) for _ in range(3))


def offered(*wires: dict[str, Any], **sale: Any) -> rules.Offer:
    return rules.offer(wires or [wire()], {**sale_of(AUCTION, NOW), **sale}, seller=SELLER, now=NOW)


def stamp(**after: float) -> str:
    return (NOW + timedelta(**after)).isoformat()


@pytest.mark.parametrize(
    ("sale", "code"),
    [
        ({"method": "dutch"}, "bad-sale"),
        ({"closes_at": stamp(minutes=-1)}, "bad-sale"),
        ({"closes_at": stamp(minutes=0), "opens_at": stamp(minutes=-5)}, "bad-sale"),
        ({"closes_at": stamp(minutes=40)}, "bad-sale"),
        ({"opens_at": stamp(minutes=10)}, "bad-sale"),
        ({"closes_at": "tomorrow"}, "bad-sale"),
        ({"soft_close_s": -1}, "bad-sale"),
        ({"auction_id": "not-a-uuid"}, "bad-sale"),
        ({"auction_id": None}, "bad-sale"),
        ({"currency": "XXX"}, "wrong-currency"),
        ({"floor_minor": 0}, "amount-out-of-range"),
        ({"floor_minor": -100}, "amount-out-of-range"),
        ({"floor_minor": 1.5}, "amount-out-of-range"),
        ({"floor_minor": 10**15}, "amount-out-of-range"),
        ({"step_minor": 0}, "amount-out-of-range"),
        ({"step_minor": -1}, "amount-out-of-range"),
        ({"hard_stop_at": stamp(days=400)}, "bad-sale-terms"),
    ],
)
def test_terms_of_sale_that_do_not_hold_are_refused(sale: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        offered(**sale)
    assert refused.value.code == code


def test_a_right_that_runs_out_before_the_sale_ends_is_refused() -> None:
    with pytest.raises(rules.BadSaleTerms) as refused:
        offered(wire(), wire(media=["cable"], first_day="2026-01-01", last_day="2026-11-21"))
    assert refused.value.data == {"place": 1}


def test_no_right_and_too_many_rights_are_refused() -> None:
    many = [wire(first_day=f"2027-{m:02}-{d:02}", last_day=f"2027-{m:02}-{d:02}")
            for m in range(1, 4) for d in range(1, 18)]  # fmt: skip
    for wires in ([], many):
        with pytest.raises(rules.TooManyRights):
            rules.offer(wires, sale_of(AUCTION, NOW), seller=SELLER, now=NOW)


def test_a_listing_does_not_offer_the_same_use_twice() -> None:
    with pytest.raises(Refusal) as refused:
        offered(wire(), wire(exclusivity="non-exclusive"))
    assert refused.value.code == "rights-offered-twice"


def test_an_offer_has_one_form_however_it_is_spelt() -> None:
    spelt = offered(wire(territories=["CN-HK", "JP"], excluded=[]), opens_at=NOW.isoformat())
    plain = offered(wire(territories=["JP", "HK", "HK"], excluded=[]))
    assert spelt == plain
    assert plain.sale["opens_at"] == "2026-11-22T09:00:00Z"


def test_a_bundle_is_stored_as_the_rights_it_stands_for() -> None:
    bundle = {**wire(), "bundle": "telecast", "right": "", "media": []}
    assert [right["right"] for right in offered(bundle).rights] == [
        "broadcasting", "network-transmission",
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["uploading", "received", "examining", "refused"])
def test_a_master_that_is_not_ready_is_not_published(state: str) -> None:
    with pytest.raises(rules.MasterNotReady) as refused:
        rules.check_ready(state)
    assert refused.value.data == {"state": state}


def test_a_master_is_listed_with_the_work_it_was_uploaded_for() -> None:
    rules.check_belongs(WORK, work=WORK)
    rules.check_belongs(None, work=WORK)
    with pytest.raises(rules.MasterOfAnotherWork):
        rules.check_belongs(ids.new(NOW), work=WORK)
