"""Publishing against a real database: what it reserves, tells and refuses."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.facts.tables import Fact
from contracts.parties.tables import Party
from contracts.refusal import Unknown
from contracts.titles import queries as titles_read
from contracts.titles import rules as title_rules
from contracts.titles import service as titles
from contracts.titles.sublicence import ExceedsHolding
from contracts.works.tables import Work
from exchange.db import Database
from listings.auctions import queries as auctions
from listings.auctions.rules import BadSale
from listings.catalogue import queries, service
from listings.catalogue.tables import CatalogueEpoch, Listing
from listings.masters import queries as masters_read
from listings.recognition.rules import LooksLikeAnotherWork
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import granted
from tests.contracts.works_factory import work
from tests.listings.catalogue_factory import drafted_listing, published_listing
from tests.listings.masters_factory import ready_master
from tests.listings.test_catalogue_service import fact, seller

__all__ = ["seller"]  # the fixture


async def test_publication_reserves_opens_and_tells(session: AsyncSession, seller: Party) -> None:
    listing = await published_listing(session, seller=seller, now=NOW)
    assert (listing.state, listing.published_at) == ("published", NOW)
    (grant,) = await titles_read.grants_of_work(session, listing.work_id)
    assert (grant.state, grant.source, grant.grantor_id) == (
        "reserved", str(listing.id), seller.id,
    )  # fmt: skip
    auction = await auctions.get_auction(session, listing.auction_id)
    assert (auction.listing_id, auction.seller_id) == (listing.id, seller.id)
    (told,) = await fact(session, "listing.published", listing)
    assert told.id == listing.publication_fact
    record = json.loads(told.record)
    assert record["rights"] == [wire()]
    assert record["sale"] == listing.sale
    assert record["auction"] == str(listing.auction_id)
    assert record["title"] == {"zh": "示范作品", "en": "Demonstration Work"}
    assert len(record["fingerprint_sha256"]) == len(record["probe_sha256"]) == 64


async def test_the_published_fact_binds_work_master_picture_and_rights(
    session: AsyncSession, seller: Party
) -> None:
    listing = await published_listing(session, seller=seller, now=NOW)
    master = await masters_read.get_master(session, listing.master_id)
    (told,) = await fact(session, "listing.published", listing)
    record = json.loads(told.record)
    probe, fingerprint = (
        canonical.sha256_hex(canonical.dumps(part)) for part in (master.probe, master.fingerprint)
    )
    bound = {
        "listing": str(listing.id),
        "work": str(listing.work_id),
        "party": str(seller.id),
        "master": str(master.id),
        "master_sha256": master.sha256,
        "master_chunk_root": master.chunk_root,
        "probe_sha256": probe,
        "fingerprint_sha256": fingerprint,
        "rights": listing.rights,
        "sale": listing.sale,
        "auction": str(listing.auction_id),
    }
    assert {field: record[field] for field in bound} == bound
    assert len({master.sha256, probe, fingerprint}) == 3


async def test_publishing_twice_is_the_same_as_once(session: AsyncSession, seller: Party) -> None:
    listing = await published_listing(session, seller=seller, now=NOW)
    later = NOW + timedelta(days=1)
    repeated = await service.publish(session, listing.id, party_id=seller.id, now=later)
    assert repeated.published_at == NOW
    assert len(await fact(session, "listing.published", listing)) == 1


async def test_a_listing_is_published_by_nobody_else_before_and_after(
    session: AsyncSession, seller: Party
) -> None:
    stranger = await party(session, now=NOW)
    draft = await drafted_listing(session, seller=seller, now=NOW)
    for _ in range(2):
        with pytest.raises(Unknown):
            await service.publish(session, draft.id, party_id=stranger.id, now=NOW)
        await service.publish(session, draft.id, party_id=seller.id, now=NOW)


async def test_an_exclusive_offer_waits_for_the_co_owner(
    session: AsyncSession, seller: Party
) -> None:
    co_owner = await party(session, now=NOW)
    draft = await drafted_listing(session, seller=seller, now=NOW)
    shares = {seller.id: 7_000, co_owner.id: 3_000}
    await titles.declare_shares(session, draft.work_id, party_id=seller.id, shares=shares, now=NOW)
    with pytest.raises(title_rules.CoOwnerConsentMissing) as refused:
        await service.publish(session, draft.id, party_id=seller.id, now=NOW)
    assert refused.value.data["owners"] == [str(co_owner.id)]
    await titles.consent(session, draft.work_id, party_id=co_owner.id, now=NOW)
    assert (
        await service.publish(session, draft.id, party_id=seller.id, now=NOW)
    ).state == "published"


async def test_a_licensee_that_may_license_on_lists_what_it_holds(
    session: AsyncSession, seller: Party
) -> None:
    subject = await work(session, party_id=seller.id, now=NOW)
    dealer, stranger = await party(session, now=NOW), await party(session, now=NOW)
    (parent,) = await granted(
        session, subject, wire(sublicence_depth=1), grantor=seller, licensee=dealer
    )
    listing = await published_listing(session, seller=dealer, now=NOW, work=subject)
    (grant,) = await titles_read.by_source(session, subject.id, str(listing.id))
    assert (grant.under, grant.grantor_id) == (parent.id, dealer.id)
    with pytest.raises(ExceedsHolding):
        await published_listing(
            session, seller=dealer, now=NOW, work=subject, rights=[wire(media=["cable"])]
        )
    with pytest.raises(Unknown):
        await drafted_listing(session, seller=stranger, now=NOW, work=subject)


async def test_the_sale_must_still_be_ahead_at_publication(
    session: AsyncSession, seller: Party
) -> None:
    draft = await drafted_listing(session, seller=seller, now=NOW)
    with pytest.raises(BadSale):
        await service.publish(
            session, draft.id, party_id=seller.id, now=NOW + timedelta(minutes=10)
        )


async def test_overlapping_rights_cannot_be_listed_twice(
    session: AsyncSession, seller: Party
) -> None:
    first = await published_listing(session, seller=seller, now=NOW)
    subject = await session.get_one(Work, first.work_id)
    second = await drafted_listing(
        session, seller=seller, now=NOW, work=subject, rights=[wire(territories=["WRD"])]
    )
    with pytest.raises(title_rules.RightsAlreadyGranted) as refused:
        await service.publish(session, second.id, party_id=seller.id, now=NOW)
    assert refused.value.data["source"] == str(first.id)


async def copies(session: AsyncSession, *, seed: int) -> tuple[Listing, Listing]:
    """Two drafts of two parties with the same picture under different titles."""
    drafts = []
    for _ in range(2):
        owner = await party(session, now=NOW)
        subject = await work(session, party_id=owner.id, now=NOW)
        master = await ready_master(
            session, party_id=owner.id, work_id=subject.id, now=NOW, seed=seed
        )
        drafts.append(
            await drafted_listing(session, seller=owner, now=NOW, work=subject, master=master)
        )
    return drafts[0], drafts[1]


async def test_the_picture_of_another_work_is_refused_and_named(session: AsyncSession) -> None:
    first, copy = await copies(session, seed=6001)
    await service.publish(session, first.id, party_id=first.party_id, now=NOW)
    with pytest.raises(LooksLikeAnotherWork) as refused:
        await service.publish(session, copy.id, party_id=copy.party_id, now=NOW)
    assert refused.value.data["listing"] == str(first.id)
    assert refused.value.data["work_title"]["zh"] == "示范作品"
    assert set(refused.value.data["seconds"]) == {"here", "there"}
    assert refused.value.data["sound_bp"] == 0  # the copy carries the very same sound


async def test_the_same_work_may_be_listed_again_with_its_own_picture(
    session: AsyncSession, seller: Party
) -> None:
    first = await published_listing(session, seller=seller, now=NOW)
    entry = await queries.get_entry(session, first.id, viewer=None)
    second = await published_listing(
        session, seller=seller, now=NOW, work=entry.work, master=entry.master,
        rights=[wire(media=["cable"])],
    )  # fmt: skip
    assert second.state == "published"


async def test_of_two_copies_published_at_once_only_one_passes(db: Database) -> None:
    for seed in range(6100, 6104):
        async with db.transaction() as session:
            pair = await copies(session, seed=seed)

        async def attempt(draft: Listing) -> str:
            try:
                async with db.transaction() as session:
                    await service.publish(session, draft.id, party_id=draft.party_id, now=NOW)
                return "published"
            except LooksLikeAnotherWork as refusal:
                return str(refusal.data["listing"])

        outcomes = await asyncio.gather(*(attempt(draft) for draft in pair))
        assert outcomes.count("published") == 1
        assert str(pair[outcomes.index("published")].id) in outcomes


async def test_a_copy_that_slipped_in_after_the_first_look_is_caught_at_the_turn(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.transaction() as session:
        first, copy = await copies(session, seed=6200)
    reserve = titles.reserve

    async def overtaken(session: AsyncSession, *args: Any, **more: Any) -> Any:
        """Let the first be published while the copy is already past its first comparison."""
        monkeypatch.setattr(titles, "reserve", reserve)
        async with db.transaction() as other:
            await service.publish(other, first.id, party_id=first.party_id, now=NOW)
        return await reserve(session, *args, **more)

    monkeypatch.setattr(titles, "reserve", overtaken)
    with pytest.raises(LooksLikeAnotherWork):
        async with db.transaction() as session:
            await service.publish(session, copy.id, party_id=copy.party_id, now=NOW)
    async with db.transaction() as session:
        left = await queries.find_listing(session, copy.id)
        assert left is not None
        assert left.state == "draft"
        assert await titles_read.grants_of_work(session, copy.work_id) == []


async def test_publications_have_an_order(session: AsyncSession, seller: Party) -> None:
    one = await published_listing(session, seller=seller, now=NOW)
    two = await published_listing(session, seller=seller, now=NOW)
    assert one.epoch and two.epoch and one.epoch < two.epoch
    assert (await session.get_one(CatalogueEpoch, 1)).epoch == two.epoch


async def test_a_refused_publication_tells_nothing(db: Database) -> None:
    async with db.transaction() as session:
        seller = await party(session, now=NOW)
        draft = await drafted_listing(session, seller=seller, now=NOW)
    with pytest.raises(BadSale):
        async with db.transaction() as session:
            await service.publish(
                session, draft.id, party_id=seller.id, now=NOW + timedelta(hours=1)
            )
    async with db.transaction() as session:
        told = await session.scalar(select(func.count()).where(col(Fact.subject) == draft.id))
        assert told == 0
