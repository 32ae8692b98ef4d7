"""Several deals of one listing: each award takes its part, and what nobody won is free again."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.deals import opening, regranting, rules, service, timers
from contracts.deals.tables import Deal
from contracts.facts import queries as facts
from contracts.parties.gateway import LocalAuthority
from contracts.parties.tables import Party
from contracts.titles import queries as titles
from contracts.titles import service as register
from contracts.titles.parting import RightsNotOffered
from contracts.titles.rules import HOLD_LASTS, RightsAlreadyGranted, RightsNotReserved
from tests.conftest import NOW
from tests.contracts.deals_factory import (
    LOG,
    PRESS,
    RIGHTS,
    Award,
    Signatory,
    awarded,
    sign,
    signatory,
)
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work


def part(*media: str, **changes: Any) -> dict[str, Any]:
    return {**RIGHTS, "media": list(media), **changes}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW)


async def a_listing(session: AsyncSession) -> tuple[Award, Party, list[Party]]:
    licensor = await party(session, now=NOW)
    buyers = [await party(session, kind="broadcaster", now=NOW) for _ in range(2)]
    return await awarded(session, licensor=licensor, licensee=buyers[0], now=NOW), licensor, buyers


def to(won: Award, buyer: Party, *rights: Mapping[str, Any]) -> dict[str, Any]:
    bid = str(ids.new(NOW))
    return {**won.award, "licensee": str(buyer.id), "bid": bid, "rights": list(rights)}


async def opened(
    session: AsyncSession, won: Award, award: Mapping[str, Any], *, sides: tuple[Party, Party]
) -> Deal:
    return await opening.open_deal(
        session,
        rules.deal_id_of(ids.new(NOW)),
        work_id=won.work_id,
        listing=won.listing,
        award=award,
        licensor=sides[0],
        licensee=sides[1],
        anchor={"fact": str(won.published), "log": LOG},
        now=NOW,
    )


async def live(session: AsyncSession, work_id: UUID) -> list[tuple[str, list[str]]]:
    grants = await titles.grants_of_work(session, work_id)
    return [(one.state, one.wire["media"]) for one in grants if one.state != "released"]


async def test_two_awards_of_parts_open_two_deals_and_each_holds_its_part(
    session: AsyncSession,
) -> None:
    won, licensor, buyers = await a_listing(session)
    wide = {**RIGHTS, "last_day": "2027-12-31"}
    awards = [
        to(won, buyers[0], {**wide, "media": ["satellite"]}),
        to(won, buyers[1], {**wide, "media": ["cable"]}),
    ]
    for award, buyer in zip(awards, buyers, strict=True):
        await opening.divide(session, awards, now=NOW)
        deal = await opened(session, won, award, sides=(licensor, buyer))
        assert [one["media"] for one in regranting.granted(deal)] == [award["rights"][0]["media"]]
    assert sorted(await live(session, won.work_id)) == [
        ("held", ["cable"]),
        ("held", ["satellite"]),
    ]
    rest = {**RIGHTS, "first_day": "2028-01-01"}
    (free,) = await register.reserve(
        session, won.work_id, grantor_id=licensor.id, boxes=[rest], source="later", now=NOW
    )
    assert free.state == "reserved"


async def test_until_the_last_award_has_its_deal_no_part_is_free(session: AsyncSession) -> None:
    won, licensor, buyers = await a_listing(session)
    awards = [to(won, buyers[0], part("satellite")), to(won, buyers[1], part("cable"))]
    await opening.divide(session, awards, now=NOW)
    await opened(session, won, awards[0], sides=(licensor, buyers[0]))
    with pytest.raises(RightsAlreadyGranted):
        await register.reserve(
            session, won.work_id, grantor_id=licensor.id, boxes=[part("cable")],
            source="other", now=NOW,
        )  # fmt: skip


async def test_one_exclusive_right_is_never_awarded_to_two(session: AsyncSession) -> None:
    won, licensor, buyers = await a_listing(session)
    awards = [to(won, buyer, part("satellite")) for buyer in buyers]
    awards.sort(key=lambda one: str(one["bid"]))
    await opening.divide(session, awards, now=NOW)
    await opened(session, won, awards[0], sides=(licensor, buyers[0]))
    with pytest.raises(RightsNotReserved):
        await opened(session, won, awards[1], sides=(licensor, buyers[1]))


async def test_one_non_exclusive_right_is_awarded_to_two(session: AsyncSession) -> None:
    won, licensor, buyers = await a_listing(session)
    shared = part("satellite", exclusivity="non-exclusive")
    awards = [to(won, buyer, shared) for buyer in buyers]
    await opening.divide(session, awards, now=NOW)
    for award, buyer in zip(awards, buyers, strict=True):
        await opened(session, won, award, sides=(licensor, buyer))
    assert await live(session, won.work_id) == [("held", ["satellite"])] * 2


@pytest.mark.parametrize(
    "beyond",
    [
        {"media": ["iptv"]},
        {"territories": ["JP"], "excluded": []},
        {"last_day": "2029-01-01"},
        {"runs_max": 4},
        {"sublicence_depth": 1},
    ],
)
async def test_an_award_beyond_the_listing_is_refused(
    session: AsyncSession, beyond: dict[str, Any]
) -> None:
    won, licensor, buyers = await a_listing(session)
    award = to(won, buyers[0], {**part("satellite"), **beyond})
    with pytest.raises(RightsNotOffered):
        await opened(session, won, award, sides=(licensor, buyers[0]))


async def test_giving_up_one_deal_leaves_the_other_its_part(session: AsyncSession) -> None:
    won, licensor, buyers = await a_listing(session)
    awards = [to(won, buyers[0], part("satellite")), to(won, buyers[1], part("cable"))]
    await opening.divide(session, awards, now=NOW)
    first = await opened(session, won, awards[0], sides=(licensor, buyers[0]))
    await opened(session, won, awards[1], sides=(licensor, buyers[1]))
    await service.void(session, first.id, reason="x", by=licensor.id, now=NOW)
    assert await live(session, won.work_id) == [("held", ["cable"])]


async def offered(
    session: AsyncSession,
    authority: LocalAuthority,
    licensor: Signatory,
    licensee: Signatory,
    work_id: UUID,
    *rights: Mapping[str, Any],
) -> Deal:
    """A certified deal that follows an offer of rights that no listing reserved."""
    subject = {
        "listing": None, "work": str(work_id), "title": {"zh": "示范作品", "en": "Demo"},
        "master": str(ids.new(NOW)), "master_sha256": "ab" * 32, "probe_sha256": "cd" * 32,
        "fingerprint_sha256": "ef" * 32, "rights": list(rights),
    }  # fmt: skip
    accepted = {
        "offer": str(ids.new(NOW)), "version": str(ids.new(NOW)), "version_sha256": "12" * 32,
        "amount_minor": 90_000, "currency": "CNY", "rights": None,
        "price": {"model": "per-run", "per_run_minor": 30_000, "runs_paid": 3},
    }  # fmt: skip
    deal = await opening.open_deal(
        session, ids.new(NOW), work_id=work_id, listing=subject, award=accepted,
        licensor=licensor.party, licensee=licensee.party, anchor={"fact": None, "log": LOG},
        now=NOW,
    )  # fmt: skip
    return await service.certify(
        session, deal.id, press=PRESS, certifier=authority.certifier, now=NOW
    )


async def test_of_two_deals_of_offers_the_one_signed_first_has_the_rights(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    buyers = [await signatory(session, authority, kind="broadcaster", now=NOW) for _ in range(3)]
    made = await work(session, party_id=licensor.party.id, now=NOW)
    first, second, apart = [
        await offered(session, authority, licensor, buyer, made.id, rights)
        for buyer, rights in zip(
            buyers, [part("cable", "satellite"), part("satellite"), part("iptv")], strict=True
        )
    ]
    assert await live(session, made.id) == []
    await sign(session, authority, second, licensor, now=NOW)
    assert await live(session, made.id) == [("held", ["satellite"])]
    with pytest.raises(RightsAlreadyGranted):
        await sign(session, authority, first, licensor, now=NOW)
    assert first.signing == "certified"
    assert await service.void_overtaken(session, second.id, now=NOW) == [first.id]
    assert (first.signing, apart.signing) == ("voided", "certified")
    told = await facts.find_first_of(session, first.id, "deal.voided")
    assert told is not None
    assert set(told.parties) == {first.licensor_id, first.licensee_id}
    await sign(session, authority, second, buyers[1], now=NOW)
    assert await live(session, made.id) == [("effective", ["satellite"])]


async def test_a_deal_of_an_offer_that_nobody_signs_is_given_up_after_a_month(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    buyer = await signatory(session, authority, kind="broadcaster", now=NOW)
    made = await work(session, party_id=licensor.party.id, now=NOW)
    deal = await offered(session, authority, licensor, buyer, made.id, part("satellite"))
    while await timers.fire_due(session, now=NOW + HOLD_LASTS):
        pass
    assert deal.signing == "expired"


async def test_the_next_best_gets_what_the_defaulter_gave_up(session: AsyncSession) -> None:
    won, licensor, buyers = await a_listing(session)
    first = await opened(session, won, won.award, sides=(licensor, buyers[0]))
    await service.void(session, first.id, reason="default", by=licensor.id, now=NOW)
    assert await live(session, won.work_id) == []
    later = {**won.award, "licensee": str(buyers[1].id), "bid": str(ids.new(NOW))}
    awards = opening.parted([won.award, later], won.listing)
    await opening.divide(session, awards, now=NOW)
    deal = await opened(session, won, awards[1], sides=(licensor, buyers[1]))
    assert regranting.granted(deal) == regranting.granted(first)
    assert await live(session, won.work_id) == [("held", RIGHTS["media"])]


async def test_the_next_best_of_a_part_gets_it_while_the_others_keep_theirs(
    session: AsyncSession,
) -> None:
    won, licensor, buyers = await a_listing(session)
    awards = [to(won, buyers[0], part("satellite")), to(won, buyers[1], part("cable"))]
    await opening.divide(session, opening.parted(awards, won.listing), now=NOW)
    first = await opened(session, won, awards[0], sides=(licensor, buyers[0]))
    await opened(session, won, awards[1], sides=(licensor, buyers[1]))
    await service.void(session, first.id, reason="default", by=licensor.id, now=NOW)
    awards.append(to(won, buyers[1], part("satellite")))
    await opening.divide(session, opening.parted(awards, won.listing), now=NOW)
    await opened(session, won, awards[2], sides=(licensor, buyers[1]))
    assert sorted(await live(session, won.work_id)) == [
        ("held", ["cable"]),
        ("held", ["satellite"]),
    ]
