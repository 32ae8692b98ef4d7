"""Listings sold by every method: drafted, published, their rulebook frozen; secrets kept apart."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.parties.tables import Party
from listings.auctions import queries as auctions
from listings.auctions import rulebook
from listings.catalogue import service
from listings.catalogue.rules import ListingPublished
from listings.catalogue.tables import Listing
from tests.conftest import NOW
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work as new_work
from tests.listings import auctions_cases as cases
from tests.listings.masters_factory import ready_master
from tests.listings.test_catalogue_service import seller

__all__ = ["seller"]  # the fixture
# One of each form of terms; each needs a master of its own, which takes its time.
KINDS = ("timed", "proxy", "fixed", "dutch", "weighted")


async def drafted(session: AsyncSession, owner: Party, sale: dict[str, Any]) -> Listing:
    work = await new_work(session, party_id=owner.id, now=NOW)
    master = await ready_master(session, party_id=owner.id, work_id=work.id, now=NOW, seed=hash(
        sale["auction_id"]) % 2**31)  # fmt: skip
    listing, _ = await service.draft(
        session, ids.new(NOW), party_id=owner.id, work_id=work.id, master_id=master.id,
        rights=[wire()], sale=sale, now=NOW,
    )  # fmt: skip
    return listing


@pytest.mark.parametrize("kind", KINDS)
async def test_a_listing_is_published_by_every_method(
    session: AsyncSession, seller: Party, kind: str
) -> None:
    sale = cases.sale(kind, auction_id=str(ids.new(NOW)))
    listing = await drafted(session, seller, sale)
    assert listing.sale == sale
    await service.publish(session, listing.id, party_id=seller.id, now=NOW)
    auction = await auctions.get_auction(session, listing.auction_id)
    book = rulebook.read(canonical.loads(auction.rulebook))
    assert (book.method, book.sha256) == (sale["method"], auction.rulebook_sha256)
    assert book.terms.get("floor_minor", book.terms.get("price_minor")) == 100_000


async def test_a_hidden_reserve_is_nowhere_but_where_it_is_kept(
    session: AsyncSession, seller: Party
) -> None:
    amount = 918_273_645
    reserve = {"kind": "hidden", "amount_minor": amount}
    sale = cases.sale("sealed", auction_id=str(ids.new(NOW)), reserve=reserve)
    listing = await drafted(session, seller, sale)
    assert listing.sale["reserve"] == {"kind": "hidden"}
    assert listing.secret == {"reserve_minor": amount}
    await service.publish(session, listing.id, party_id=seller.id, now=NOW)
    facts = await session.execute(text("SELECT record FROM fact"))
    assert not any(str(amount).encode() in bytes(record) for (record,) in facts)
    auction = await auctions.get_auction(session, listing.auction_id)
    assert str(amount).encode() not in auction.rulebook
    commitment = canonical.loads(auction.rulebook)["reserve"]["commitment"]
    assert len(commitment) == 64


async def test_another_hidden_reserve_is_another_sale(session: AsyncSession, seller: Party) -> None:
    reserve = {"kind": "hidden", "amount_minor": 300_000}
    sale = cases.sale("sealed", auction_id=str(ids.new(NOW)), reserve=reserve)
    listing = await drafted(session, seller, sale)
    same = {
        "party_id": seller.id, "work_id": listing.work_id, "master_id": listing.master_id,
        "rights": [wire()], "now": NOW,
    }  # fmt: skip
    await service.publish(session, listing.id, party_id=seller.id, now=NOW)
    assert (await service.draft(session, listing.id, sale=sale, **same))[1] is False
    other = {**sale, "reserve": {**reserve, "amount_minor": 300_001}}
    with pytest.raises(ListingPublished):
        await service.draft(session, listing.id, sale=other, **same)
