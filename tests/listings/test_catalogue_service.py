"""Drafting, ending and finding listings against a real database."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.facts.tables import Fact
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Refusal, Unknown
from contracts.titles import queries as titles_read
from exchange.db import Database
from listings.catalogue import queries, rules, service
from listings.catalogue.queries import Search
from listings.catalogue.tables import Listing
from listings.masters import service as masters
from listings.masters.rules import Ask
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work
from tests.listings.auctions_factory import sale_of
from tests.listings.catalogue_factory import drafted_listing, published_listing
from tests.listings.masters_factory import ready_master

FIRST = UUID(int=ids.new(NOW).int >> 80 << 80)  # pages start here, before all that is made at NOW


async def again(session: AsyncSession, draft: Listing, **changes: Any) -> tuple[Listing, bool]:
    """Send the draft's content once more, changed or not."""
    content: dict[str, Any] = {
        "party_id": draft.party_id, "work_id": draft.work_id, "master_id": draft.master_id,
        "rights": draft.rights, "sale": draft.sale, "now": NOW,
    }  # fmt: skip
    return await service.draft(session, draft.id, **{**content, **changes})


async def fact(session: AsyncSession, kind: str, listing: Listing) -> list[Fact]:
    found = await session.scalars(
        select(Fact).where(col(Fact.kind) == kind, col(Fact.subject) == listing.id)
    )
    return list(found)


@pytest.fixture
async def seller(session: AsyncSession) -> Party:
    return await party(session, now=NOW)


async def test_the_same_draft_again_is_the_same_draft(session: AsyncSession, seller: Party) -> None:
    draft = await drafted_listing(session, seller=seller, now=NOW)
    same, created = await again(session, draft)
    assert (same.id, created) == (draft.id, False)


async def test_a_draft_may_be_replaced_and_a_published_listing_not(
    session: AsyncSession, seller: Party
) -> None:
    draft = await drafted_listing(session, seller=seller, now=NOW)
    changed, created = await again(session, draft, rights=[wire(runs_max=9)])
    assert (changed.rights[0]["runs_max"], created) == (9, False)
    await service.publish(session, draft.id, party_id=seller.id, now=NOW)
    with pytest.raises(rules.ListingPublished):
        await again(session, draft, rights=[wire()])
    # What was published can be sent again, even when its sale is long over.
    same, _ = await again(session, draft, rights=[wire(runs_max=9)], now=NOW + timedelta(days=90))
    assert same.state == "published"


async def test_ids_of_another_tenant_are_unknown_or_taken(
    session: AsyncSession, seller: Party
) -> None:
    draft = await drafted_listing(session, seller=seller, now=NOW)
    other = await party(session, now=NOW)
    own = await work(session, party_id=other.id, now=NOW)
    sale = sale_of(ids.new(NOW), NOW)
    with pytest.raises(IdReused):
        await again(session, draft, party_id=other.id)
    with pytest.raises(Unknown):
        await service.publish(session, draft.id, party_id=other.id, now=NOW)
    for work_id in (draft.work_id, own.id):  # another's work; one's own work with another's master
        with pytest.raises(Unknown):
            await service.draft(
                session, ids.new(NOW), party_id=other.id, work_id=work_id,
                master_id=draft.master_id, rights=[wire()], sale=sale, now=NOW,
            )  # fmt: skip


async def test_two_listings_do_not_share_an_auction(session: AsyncSession, seller: Party) -> None:
    first = await drafted_listing(session, seller=seller, now=NOW)
    with pytest.raises(IdReused):
        await drafted_listing(session, seller=seller, now=NOW, auction_id=first.auction_id)


async def test_two_drafts_of_one_id_at_once_end_as_one(db: Database) -> None:
    async with db.transaction() as session:
        seller = await party(session, now=NOW)
        draft = await drafted_listing(session, seller=seller, now=NOW)
        fresh = Listing(**{**draft.model_dump(), "id": ids.new(NOW), "auction_id": ids.new(NOW)})
        fresh.sale = {**draft.sale, "auction_id": str(fresh.auction_id)}

    async def attempt() -> str:
        try:
            async with db.transaction() as session:
                _, created = await again(session, fresh)
                return "created" if created else "same"
        except IdReused:
            return "taken"

    outcomes = await asyncio.gather(*(attempt() for _ in range(4)))
    assert outcomes.count("created") == 1


async def test_a_master_still_examined_is_drafted_but_not_published(
    session: AsyncSession, seller: Party
) -> None:
    subject = await work(session, party_id=seller.id, now=NOW)
    master = await ready_master(session, party_id=seller.id, work_id=subject.id, now=NOW, seed=5001)
    master.state = "examining"
    draft = await drafted_listing(session, seller=seller, now=NOW, work=subject, master=master)
    with pytest.raises(rules.MasterNotReady):
        await service.publish(session, draft.id, party_id=seller.id, now=NOW)


async def test_an_unfinished_upload_is_not_drafted_with_and_stays_free_to_end(
    session: AsyncSession, seller: Party
) -> None:
    subject = await work(session, party_id=seller.id, now=NOW)
    wish = Ask(ids.new(NOW), subject.id, "master.mxf", 1000)
    master, _ = await masters.create_upload(session, wish, party_id=seller.id, now=NOW)
    with pytest.raises(rules.MasterNotReady):
        await drafted_listing(session, seller=seller, now=NOW, work=subject, master=master)
    later = NOW + timedelta(days=8)
    assert master.id in await masters.drop_expired(session, limit=10_000, now=later)


async def test_a_master_of_another_work_is_refused(session: AsyncSession, seller: Party) -> None:
    other = await work(session, party_id=seller.id, now=NOW)
    master = await ready_master(session, party_id=seller.id, work_id=other.id, now=NOW, seed=5002)
    with pytest.raises(rules.MasterOfAnotherWork):
        await drafted_listing(session, seller=seller, now=NOW, master=master)


async def test_a_listing_without_a_buyer_gives_its_rights_back(
    session: AsyncSession, seller: Party
) -> None:
    listing = await published_listing(session, seller=seller, now=NOW)
    for _ in range(2):
        ended = await service.unsold(session, listing.id, now=NOW)
    assert (ended.state, ended.ended_at) == ("unsold", NOW)
    assert await titles_read.taken(session, listing.work_id) == []
    assert len(await fact(session, "listing.ended", listing)) == 1


async def test_a_sold_listing_keeps_its_rights_for_the_deal(
    session: AsyncSession, seller: Party
) -> None:
    listing = await published_listing(session, seller=seller, now=NOW)
    await service.sold(session, listing.id, now=NOW)
    (taken,) = await titles_read.taken(session, listing.work_id)
    assert taken.state == "reserved"
    assert (await service.unsold(session, listing.id, now=NOW)).state == "sold"
    assert len(await titles_read.taken(session, listing.work_id)) == 1


async def test_a_draft_cannot_end(session: AsyncSession, seller: Party) -> None:
    draft = await drafted_listing(session, seller=seller, now=NOW)
    with pytest.raises(Unknown):
        await service.sold(session, draft.id, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        "rights = '[]'::jsonb",
        "sale = jsonb_set(sale, '{floor_minor}', '1')",
        "state = 'draft', published_at = NULL, epoch = NULL, publication_fact = NULL",
        "master_id = work_id",
    ],
)
async def test_the_database_keeps_what_was_published(
    session: AsyncSession, seller: Party, change: str
) -> None:
    listing = await published_listing(session, seller=seller, now=NOW)
    with pytest.raises(DBAPIError, match="keeps its word"):
        await session.execute(
            text(f"UPDATE listing SET {change} WHERE id = :id"),
            {"id": listing.id},
        )


@pytest.mark.parametrize("floor", ["0", "-5"])
async def test_the_database_refuses_a_price_that_is_none(
    session: AsyncSession, seller: Party, floor: str
) -> None:
    draft = await drafted_listing(session, seller=seller, now=NOW)
    with pytest.raises(DBAPIError, match="listing_sale_has_terms"):
        await session.execute(
            text("UPDATE listing SET sale = jsonb_set(sale, '{floor_minor}', :n) WHERE id = :id"),
            {"id": draft.id, "n": floor},
        )


async def test_the_public_sees_what_is_published_and_the_party_its_drafts(
    session: AsyncSession, seller: Party
) -> None:
    draft = await drafted_listing(session, seller=seller, now=NOW)
    public = await published_listing(session, seller=seller, now=NOW)
    page = await queries.public_page(session, after=FIRST, limit=1000)
    seen = {entry.listing.id for entry in page}
    assert public.id in seen
    assert draft.id not in seen
    mine = await queries.of_party(session, seller.id, after=FIRST, limit=10)
    assert {entry.listing.id for entry in mine} == {draft.id, public.id}
    assert (await queries.get_entry(session, draft.id, viewer=seller.id)).listing.id == draft.id
    with pytest.raises(Unknown):
        await queries.get_entry(session, draft.id, viewer=None)
    with pytest.raises(Unknown):
        await queries.get_published(session, draft.id)


async def test_the_catalogue_is_searched_by_title_medium_and_territory(
    session: AsyncSession, seller: Party
) -> None:
    subject = await work(session, party_id=seller.id, now=NOW)
    subject.title_zh, subject.title_en = "百分之百%_长城", "The Whole Wall"
    await session.flush()
    listing = await published_listing(
        session, seller=seller, now=NOW, work=subject,
        rights=[wire(), wire(media=["cable"], territories=["WRD"], excluded=["CN", "JP"])],
    )  # fmt: skip

    async def found(**search: str) -> bool:
        page = await queries.public_page(session, after=FIRST, limit=1000, search=Search(**search))
        return listing.id in {entry.listing.id for entry in page}

    assert await found(q="长城")
    assert await found(q="whole wALL")
    assert await found(q="%_")
    assert not await found(q="百_之")
    assert await found(medium="cable", territory="FR")
    assert await found(medium="satellite", territory="CN")
    assert not await found(medium="cable", territory="CN")
    assert not await found(territory="JP")
    assert not await found(medium="theatrical")
    for wrong in ({"medium": "vhs"}, {"territory": "XX"}):
        with pytest.raises(Refusal):
            await found(**wrong)
