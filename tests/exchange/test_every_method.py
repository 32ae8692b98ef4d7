"""Every way of selling as people go it: typed, published, bid for on the page, closed, replayed.

Sealed ciphers and packages are composed on pages of their own, and have tests of their own.
"""

import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts import canonical, ids
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.portal import sales
from exchange.portal.forms import Form
from exchange.portal.language import ZONE
from listings.auctions import ending, verify_auction
from listings.auctions import queries as auctions
from listings.catalogue import service as catalogue
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work
from tests.exchange.test_portal_pages import HTML, signed_in
from tests.listings.masters_factory import ready_master

# What two bidders type into the form, and what becomes of it.
TYPED: dict[str, tuple[list[dict[str, str]], str, int | None]] = {
    "english": ([{"amount": "1000"}, {"amount": "1200"}], "sold", 120_000),
    "timed": ([{"amount": "1000"}, {"amount": "1200"}], "sold", 120_000),
    "proxy": ([{"amount": "1000"}, {"amount": "2000"}], "sold", 110_000),
    "fixed": ([{}], "sold", 100_000),
    "dutch": ([{}], "sold", 200_000),
    "sealed": ([{"amount": "1500"}, {"amount": "1200"}], "sold", 150_000),
    "vickrey": ([{"amount": "1500"}, {"amount": "1200"}], "sold", 120_000),
    "weighted": (
        [
            {"amount": "2000", "value_criterion-1": "180"},
            {"amount": "1500", "value_criterion-1": "0"},
        ],
        "sold",
        150_000,
    ),
    "intent": ([{"amount": "1500"}, {"amount": "1200"}], "shortlist", None),
}


class Fields(HTMLParser):
    """The inputs of the form that bids."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "form":
            self._inside = (named.get("action") or "").endswith("/bids")
        elif tag == "input" and self._inside and named.get("name"):
            self.found[str(named["name"])] = named.get("value") or ""


def typed(way: str, now: datetime) -> dict[str, Any]:
    """The terms of sale as the form sends them: open for a second, until tomorrow."""
    here = now.astimezone(ZONE)

    def at(delta: timedelta) -> str:
        return (here + delta).replace(tzinfo=None).isoformat()

    day, window = timedelta(days=1), timedelta(seconds=300)
    fields = {
        "way": way, "auction_id": str(ids.new(now)), "currency": "CNY", "floor": "1000",
        "step": "100", "opens_at": at(timedelta(seconds=-1)), "closes_at": at(day),
        "soft_close_s": "60", "hard_stop_at": at(day * 2), "free_until": at(day - window),
        "window_s": "300", "start": "2000", "interval_s": "3600", "grace_s": "2", "best_0": "3000",
        "weight_0": "60", "criterion_zh_1": "首播前天数", "weight_1": "40", "worst_1": "180",
        "best_1": "0", "amounts": "secret", "reserve_kind": "none", "tie": "sequence",
    }  # fmt: skip
    return sales.read(Form({name: [value] for name, value in fields.items()}))


async def published(db: Database, way: str) -> UUID:
    now = clock.now()
    async with db.transaction() as session:
        seller = await party(session, kind="rights_holder", now=now)
        made = await work(session, party_id=seller.id, now=now)
        seed = ids.new(now).int % 2**31
        master = await ready_master(
            session, party_id=seller.id, work_id=made.id, now=now, seed=seed
        )
        draft, _ = await catalogue.draft(
            session,
            ids.new(now),
            party_id=seller.id,
            work_id=made.id,
            master_id=master.id,
            rights=[wire()],
            sale=typed(way, now),
            now=now,
        )
        await catalogue.publish(session, draft.id, party_id=seller.id, now=now)
    return draft.auction_id


async def bid(client: httpx.AsyncClient, auction_id: UUID, given: dict[str, str]) -> None:
    page = await client.get(f"/auctions/{auction_id}")
    assert page.status_code == 200
    form = Fields()
    form.feed(page.text)
    assert form.found["bid_id"], "the page shows no form that bids"
    sent = await client.post(f"/auctions/{auction_id}/bids", data={**form.found, **given})
    assert sent.status_code == 303, sent.text
    again = await client.get(f"/auctions/{auction_id}")
    assert "yours" in again.text  # one's own bid is shown to oneself, whatever is secret


async def closed(db: Database, auction_id: UUID) -> None:
    async with db.transaction() as session:
        auction = await auctions.get_auction(session, auction_id)
        await ending.close(session, auction, now=max(auction.closes_at, clock.now()))


@pytest.mark.parametrize("way", TYPED)
async def test_a_way_of_selling_from_the_form_to_a_result_that_replays(
    context: Context, db: Database, way: str
) -> None:
    bids, outcome, pays = TYPED[way]
    auction_id = await published(db, way)
    for given in bids:
        async with signed_in(context, "broadcaster") as client:
            await bid(client, auction_id, given)
    await closed(db, auction_id)
    async with signed_in(context, "broadcaster") as client:
        for language in ("en", "zh-CN"):
            page = await client.get(
                f"/auctions/{auction_id}", headers={**HTML, "Accept-Language": language}
            )
            assert page.status_code == 200
        shown = (await client.get(f"/v1/auctions/{auction_id}")).json()
        log = await client.get(f"/v1/auctions/{auction_id}/log")
        listing = await client.get(f"/listings/{shown['listing_id']}")
        assert listing.status_code == 200
    result = shown["result"]
    assert result["outcome"] == outcome
    assert [award["amount_minor"] for award in result["awards"]] == ([] if pays is None else [pays])
    found = verify_auction.verify(log.content)
    assert canonical.dumps(found["result"]) == canonical.dumps(result)


@pytest.mark.parametrize("way", ["sealed", "vickrey", "weighted", "intent"])
async def test_before_the_close_an_outsider_sees_the_same_with_and_without_bids(
    context: Context, db: Database, way: str
) -> None:
    auction_id = await published(db, way)
    path = f"/v1/auctions/{auction_id}"
    async with signed_in(context, "broadcaster") as outsider:

        async def seen() -> list[str]:
            asked = (
                path,
                f"{path}/bids",
                f"/auctions/{auction_id}",
                f"/auctions/{auction_id}/live",
            )
            answers = [(await outsider.get(one)).text for one in asked]
            return [re.sub(CHANGING, "", answer) for answer in answers]

        before = await seen()
        for given in TYPED[way][0]:
            async with signed_in(context, "broadcaster") as client:
                await bid(client, auction_id, given)
        assert await seen() == before


# A page names the instant it was made, where the feed goes on, and a new id for the next bid.
CHANGING = r'data-now="[^"]*"|data-after="[^"]*"|name="bid_id" value="[^"]*"'
