"""Disclosures in the database: filed, reviewed, begun with the listing, and their result."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar, ids, rfc3339
from contracts.facts import queries as facts
from contracts.parties.tables import Party
from contracts.refusal import Unknown
from contracts.works import queries as works
from listings.auctions import queries as auctions
from listings.catalogue import service as catalogue
from listings.catalogue.tables import Listing
from listings.disclosures import gate, progress, queries, rules, running, service
from listings.disclosures.running import Change
from listings.disclosures.tables import Disclosure
from listings.incidents import queries as incident_queries
from listings.incidents.rules import IncidentState
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.listings import disclosures_factory
from tests.listings.auctions_factory import bid, enrol
from tests.listings.catalogue_factory import drafted_listing
from tests.listings.disclosures_factory import filed

PERSON = ids.new(NOW)
FLOOR = 2_000_000 * 100  # ten working days
TODAY = calendar.day_of(NOW)
LAST = calendar.add_working_days(TODAY, 10)
LAWFUL = calendar.end_of(LAST)


def times(start: datetime) -> dict[str, str]:
    return {
        "opens_at": rfc3339.exact(start),
        "closes_at": rfc3339.exact(start + timedelta(hours=1)),
        "hard_stop_at": rfc3339.exact(start + timedelta(hours=2)),
    }


async def draft(session: AsyncSession, seller: Party, **sale: Any) -> Listing:
    sale = {"floor_minor": FLOOR, **times(LAWFUL), **sale}
    return await drafted_listing(session, seller=seller, now=NOW, **sale)


async def accepted(session: AsyncSession, seller: Party, **sale: Any) -> Listing:
    listing = await draft(session, seller, **sale)
    await disclosures_factory.accepted(session, listing, now=NOW)
    return listing


async def publish(session: AsyncSession, listing: Listing, **more: Any) -> Listing:
    now = more.pop("now", NOW)
    return await catalogue.publish(session, listing.id, party_id=listing.party_id, now=now, **more)


async def own(session: AsyncSession, seller: Party, ownership: str, threshold: int | None) -> None:
    await service.declare_ownership(
        session, seller.id, ownership=ownership, threshold_minor=threshold, person_id=PERSON,
        by_exchange=False, now=NOW,
    )  # fmt: skip


async def change(session: AsyncSession, listing: Listing, kind: str, **more: Any) -> Disclosure:
    now = more.pop("now", NOW)
    return await running.change(
        session, listing.id, change=Change(kind=kind, reason="系统故障", **more), person_id=PERSON,
        now=now,
    )  # fmt: skip


async def test_a_listing_begins_its_disclosure_when_it_is_published(session: AsyncSession) -> None:
    listing = await accepted(session, await party(session, now=NOW))
    await publish(session, listing)
    row = await queries.get_disclosure(session, listing.id, viewer=None, is_staff=False)
    assert (row.state, row.started_on, row.last_on) == ("disclosed", TODAY, LAST)
    assert [step.kind for step in await queries.steps(session, listing.id)] == [
        "filed", "accepted", "disclosed",
    ]  # fmt: skip
    assert await facts.find_first_of(session, listing.id, "disclosure.begun")


async def test_bidding_before_the_last_day_is_refused_with_the_first_lawful_instant(
    session: AsyncSession,
) -> None:
    early = LAWFUL - timedelta(seconds=1)
    listing = await accepted(session, await party(session, now=NOW), **times(early))
    with pytest.raises(progress.DisclosureTooShort) as refused:
        await publish(session, listing)
    assert refused.value.data["lawful_from"] == rfc3339.exact(LAWFUL)
    assert refused.value.data["working_days"] == 10
    row = await queries.find_disclosure(session, listing.id)
    assert row and row.state == "accepted"


async def test_before_it_has_begun_only_its_party_and_the_staff_see_a_disclosure(
    session: AsyncSession,
) -> None:
    seller = await party(session, now=NOW)
    listing = await draft(session, seller)
    await filed(session, listing, now=NOW)
    await queries.get_disclosure(session, listing.id, viewer=seller.id, is_staff=False)
    await queries.get_disclosure(session, listing.id, viewer=None, is_staff=True)
    for viewer in (None, ids.new(NOW)):
        with pytest.raises(Unknown):
            await queries.get_disclosure(session, listing.id, viewer=viewer, is_staff=False)


@pytest.mark.parametrize(
    ("ownership", "threshold", "needed"),
    [
        ("state", FLOOR, True),
        ("state_controlled", FLOOR - 1, True),
        ("state", FLOOR + 1, False),
        ("state", None, False),
        ("other", None, False),
    ],
)
async def test_a_state_owned_seller_discloses_licences_from_its_own_threshold(
    session: AsyncSession, ownership: str, threshold: int | None, needed: bool
) -> None:
    seller = await party(session, now=NOW)
    await own(session, seller, ownership, threshold)
    listing = await draft(session, seller, **times(NOW))
    if not needed:
        await publish(session, listing)
        return
    with pytest.raises(rules.DisclosureNeeded):
        await publish(session, listing)


async def test_ownership_is_declared_once_and_corrected_by_the_exchange_alone(
    session: AsyncSession,
) -> None:
    seller = await party(session, now=NOW)
    await own(session, seller, "state", 5)
    await own(session, seller, "state", 5)
    with pytest.raises(rules.OwnershipDeclared):
        await own(session, seller, "other", None)
    row = await service.declare_ownership(
        session, seller.id, ownership="other", threshold_minor=None, person_id=PERSON,
        by_exchange=True, now=NOW,
    )  # fmt: skip
    assert (row.ownership, row.by_exchange) == ("other", True)
    with pytest.raises(rules.BadDisclosure):
        await own(session, await party(session, now=NOW), "other", 5)


async def test_what_is_not_accepted_or_has_changed_since_is_not_published(
    session: AsyncSession,
) -> None:
    listing = await draft(session, await party(session, now=NOW))
    await filed(session, listing, now=NOW)
    with pytest.raises(rules.DisclosureNeeded):
        await publish(session, listing)
    await service.review(
        session, listing.id, outcome="accepted", reason=None, person_id=PERSON, now=NOW
    )
    listing.sale = {**listing.sale, "floor_minor": FLOOR + 1}
    await session.flush()
    with pytest.raises(rules.DisclosureNeeded) as refused:
        await publish(session, listing)
    assert refused.value.data["state"] == "changed"


async def test_times_alone_may_change_after_the_acceptance(session: AsyncSession) -> None:
    listing = await accepted(session, await party(session, now=NOW))
    listing.sale = {**listing.sale, **times(LAWFUL + timedelta(days=1))}
    await session.flush()
    assert (await publish(session, listing)).state == "published"


async def test_a_returned_filing_says_why_and_is_filed_again(session: AsyncSession) -> None:
    listing = await draft(session, await party(session, now=NOW))
    await filed(session, listing, now=NOW)
    with pytest.raises(rules.BadDisclosure):
        await service.review(
            session, listing.id, outcome="returned", reason=None, person_id=PERSON, now=NOW
        )
    row = await service.review(
        session, listing.id, outcome="returned", reason="缺评估备案号", person_id=PERSON, now=NOW
    )
    assert row.state == "returned"
    assert (await filed(session, listing, now=NOW, assessor="另一评估公司")).state == "filed"


async def test_a_licence_that_does_not_cover_the_method_refuses_its_publication(
    session: AsyncSession,
) -> None:
    listing = await draft(session, await party(session, now=NOW), **times(NOW))
    with pytest.raises(gate.MethodNotLicensed) as refused:
        await publish(session, listing, licence="none")
    assert refused.value.data["method"] == "english"
    with pytest.raises(gate.NoticeTooShort):
        await publish(session, listing, licence="auction_house")
    assert (await publish(session, listing)).state == "published"


async def test_an_extension_moves_the_auction_to_a_later_one(session: AsyncSession) -> None:
    listing = await accepted(session, await party(session, now=NOW))
    await publish(session, listing)
    later = calendar.end_of(calendar.add_working_days(LAST, 5))
    new = ids.new(NOW)
    with pytest.raises(progress.DisclosureTooShort):
        async with session.begin_nested():
            await change(
                session, listing, "extend", auction_id=new, opens_at=LAWFUL,
                closes_at=later,
            )  # fmt: skip
    row = await change(
        session, listing, "extend", auction_id=new, opens_at=later,
        closes_at=later + timedelta(hours=1), hard_stop_at=later + timedelta(hours=2),
    )  # fmt: skip
    assert (row.extensions, progress.lawful_from(row.progress())) == (1, later)
    old = await auctions.get_auction(session, listing.auction_id)
    made = await auctions.get_auction(session, new)
    assert (old.state, made.state, made.supersedes) == ("void", "open", old.id)
    assert await incident_queries.current(session, listing.id) == new
    assert await incident_queries.successor(session, old.id) == new


async def test_a_suspended_disclosure_pauses_its_auction_and_goes_on_with_another(
    session: AsyncSession,
) -> None:
    listing = await accepted(session, await party(session, now=NOW))
    await publish(session, listing)
    row = await change(session, listing, "suspend", now=NOW + timedelta(days=3))
    assert row.state == "suspended"
    assert (await auctions.get_auction(session, listing.auction_id)).state == "paused"
    back = NOW + timedelta(days=8)
    start = calendar.end_of(calendar.add_working_days(calendar.day_of(back), 10))
    row = await change(
        session, listing, "resume", now=back, auction_id=ids.new(NOW), opens_at=start,
        closes_at=start + timedelta(hours=1), hard_stop_at=start + timedelta(hours=1),
    )  # fmt: skip
    assert row.state == "disclosed"
    assert progress.lawful_from(row.progress()) == start


async def test_no_bid_is_lost_to_a_change_of_the_disclosure(session: AsyncSession) -> None:
    listing = await draft(session, await party(session, now=NOW))
    dynamic = {
        "preset": "dynamic", "opens_at": rfc3339.exact(NOW),
        "closing": {"kind": "timed", "window_s": 300, "free_until": rfc3339.exact(LAWFUL)},
        "closes_at": rfc3339.exact(LAWFUL + timedelta(seconds=300)),
    }  # fmt: skip
    dropped = ("soft_close_s", "hard_stop_at", "closing")
    kept = {name: value for name, value in listing.sale.items() if name not in dropped}
    listing.sale = {**kept, **dynamic}
    await session.flush()
    await filed(session, listing, now=NOW)
    await service.review(
        session, listing.id, outcome="accepted", reason=None, person_id=PERSON, now=NOW
    )
    await publish(session, listing)
    auction = await auctions.get_auction(session, listing.auction_id)
    buyer = await enrol(session, now=NOW)
    await bid(session, auction, buyer.id, FLOOR, now=NOW + timedelta(seconds=1))
    for kind in ("extend", "supplement"):
        with pytest.raises((IncidentState, progress.ExtensionNotAnnounced)):
            await change(
                session, listing, kind, auction_id=ids.new(NOW), opens_at=LAWFUL,
                closes_at=LAWFUL + timedelta(days=30),
            )  # fmt: skip


async def test_a_result_lapses_or_is_public_for_five_working_days(session: AsyncSession) -> None:
    sold, unsold = [await accepted(session, await party(session, now=NOW)) for _ in range(2)]
    for listing in (sold, unsold):
        await publish(session, listing)
    await service.conclude(session, sold.id, bidders=1, sold=True, now=NOW)
    await service.conclude(session, unsold.id, bidders=0, sold=False, now=NOW)
    await service.publicise(session, unsold.id, price_minor=FLOOR, now=NOW)
    await service.publicise(session, sold.id, price_minor=FLOOR, now=NOW)
    rows = [await queries.find_disclosure(session, one.id) for one in (sold, unsold)]
    assert [row and (row.state, row.basis) for row in rows] == [
        ("publicised", "agreement"), ("lapsed", "none"),
    ]  # fmt: skip
    assert rows[0] and rows[0].publicity_until == calendar.add_working_days(TODAY, 5)
    fact = await facts.find_first_of(session, sold.id, "result.publicised")
    assert fact


async def test_what_lapsed_is_relisted_below_nine_tenths_with_consent_alone(
    session: AsyncSession,
) -> None:
    seller = await party(session, now=NOW)
    first = await accepted(session, seller)
    await publish(session, first)
    await service.conclude(session, first.id, bidders=0, sold=False, now=NOW)
    await catalogue.unsold(session, first.id, now=NOW)
    low = FLOOR * 9 // 10 - 1
    again = await draft(session, seller, work=await _work(session, first), floor_minor=low)
    with pytest.raises(rules.FloorBelowAssessed):
        await filed(session, again, now=NOW, assessed_minor=FLOOR)
    with pytest.raises(rules.ConsentNeeded):
        await filed(session, again, now=NOW, assessed_minor=FLOOR, previous=first.id)
    consent = {
        "body": "示范广播电视集团", "number": "同意函〔2026〕7号", "given_on": TODAY,
        "document_sha256": "ab" * 32,
    }  # fmt: skip
    row = await filed(
        session, again, now=NOW, assessed_minor=FLOOR, previous=first.id, consent=consent
    )
    assert (row.changed, row.consented, row.first_on) == (True, True, TODAY)
    assert rules.required_days(row.notice()) == 20


async def test_steps_are_only_ever_added(session: AsyncSession) -> None:
    listing = await draft(session, await party(session, now=NOW))
    await filed(session, listing, now=NOW)
    with pytest.raises(DBAPIError, match="permission denied"):
        await session.execute(text("DELETE FROM disclosure_step"))


async def _work(session: AsyncSession, listing: Listing) -> Any:
    return await works.get_work(session, listing.work_id)
