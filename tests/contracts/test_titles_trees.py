"""No double sale across a tree of works and inside the axes: the rule, and the database alone."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Unknown
from contracts.titles import queries, rules, service
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import granted, offered, owned, raw
from tests.contracts.works_factory import child, work

INSIDE = [
    pytest.param({"territories": ["CN"], "excluded": []}, {"territories": ["CN-GD"]},
                 id="province-in-country"),
    pytest.param({"territories": ["CN"], "excluded": []}, {"territories": ["CN-HK", "CN"]},
                 id="one-place-by-two-names"),
    pytest.param({"languages": ["zh"]}, {"languages": ["zh:dubbed"]}, id="dubbed-in-language"),
    pytest.param({"languages": ["*"]}, {"languages": ["zh-Hans:subtitled"]}, id="variety-in-all"),
    pytest.param({"media": ["satellite"]}, {"media": ["satellite.pay"]}, id="pay-in-medium"),
    pytest.param({"territories": ["US"], "excluded": ["US-CA"]}, {"territories": ["US-NY"]},
                 id="state-in-a-country-without-another"),
]  # fmt: skip
BESIDE = [
    pytest.param({"territories": ["CN"], "excluded": ["CN-GD"]}, {"territories": ["CN-GD"]},
                 id="province-left-out"),
    pytest.param({"languages": ["zh:original"]}, {"languages": ["zh:dubbed"]}, id="two-versions"),
    pytest.param({"media": ["satellite.free"]}, {"media": ["satellite.pay"]}, id="free-and-pay"),
]  # fmt: skip


def said(changes: dict[str, Any]) -> dict[str, Any]:
    return wire(**{"excluded": [], **changes})


@pytest.mark.parametrize(("whole", "part"), INSIDE)
async def test_a_part_of_what_is_sold_is_refused_by_the_rule_and_by_the_database(
    session: AsyncSession, whole: dict[str, Any], part: dict[str, Any]
) -> None:
    owner, subject = await owned(session)
    await offered(session, subject, said(whole), grantor=owner)
    with pytest.raises(rules.RightsAlreadyGranted):
        await offered(session, subject, said(part), grantor=owner)
    with pytest.raises(IntegrityError, match="rights_grant_no_double_sale"):
        await raw(session, subject, said(part), grantor=owner)


@pytest.mark.parametrize(("one", "other"), BESIDE)
async def test_parts_that_share_no_leaf_are_sold_apart(
    session: AsyncSession, one: dict[str, Any], other: dict[str, Any]
) -> None:
    owner, subject = await owned(session)
    await offered(session, subject, said(one), grantor=owner)
    await raw(session, subject, said(other), grantor=owner)


@pytest.mark.parametrize("first", ["series", "episode"])
async def test_a_series_and_its_episode_are_not_both_sold(
    session: AsyncSession, first: str
) -> None:
    owner, series = await owned(session)
    season = await child(session, series, kind="season", now=NOW)
    episode = await child(session, season, kind="episode", now=NOW)
    sold, asked = (series, episode) if first == "series" else (episode, series)
    await offered(session, sold, wire(), grantor=owner)
    with pytest.raises(rules.RightsAlreadyGranted):
        await offered(session, asked, wire(), grantor=owner)
    with pytest.raises(IntegrityError, match="rights_grant_no_double_sale"):
        await raw(session, asked, wire(), grantor=owner)


async def test_an_episode_added_later_is_in_what_was_sold_of_its_series(
    session: AsyncSession,
) -> None:
    owner, series = await owned(session)
    await offered(session, series, wire(), grantor=owner)
    later = await child(session, series, kind="episode", now=NOW)
    with pytest.raises(rules.RightsAlreadyGranted):
        await offered(session, later, wire(), grantor=owner)


async def test_two_episodes_are_sold_to_two(session: AsyncSession) -> None:
    owner, series = await owned(session)
    for _ in range(2):
        episode = await child(session, series, kind="episode", now=NOW)
        await offered(session, episode, wire(), grantor=owner)


async def test_a_grant_takes_its_place_from_its_work_whatever_the_row_says(
    session: AsyncSession,
) -> None:
    owner, series = await owned(session)
    stranger = await work(session, party_id=owner.id, now=NOW)
    await raw(session, series, wire(), grantor=owner)
    with pytest.raises(IntegrityError, match="rights_grant_no_double_sale"):
        await raw(session, series, wire(), grantor=owner, root_id=stranger.id)


async def test_what_was_said_about_depth_and_ground_stays(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (grant,) = await offered(session, subject, wire(sublicence_depth=1, round_no=2), grantor=owner)
    assert (grant.sublicence_depth, grant.round_no) == (1, 2)
    for change in ("sublicence_depth = 5", "round_no = 1", "under = gen_random_uuid()"):
        with pytest.raises(DBAPIError, match="keeps its box"):
            async with session.begin_nested():
                await session.execute(
                    text(f"UPDATE rights_grant SET {change} WHERE id = :id"),
                    {"id": grant.id},
                )


async def test_an_episode_follows_the_shares_of_its_root(session: AsyncSession) -> None:
    owner, series = await owned(session)
    other, episode = (
        await party(session, now=NOW),
        await child(session, series, kind="episode", now=NOW),
    )
    shares = {owner.id: 6_000, other.id: 4_000}
    with pytest.raises(rules.SharesOfTheRoot) as refused:
        await service.declare_shares(session, episode.id, party_id=owner.id, shares=shares, now=NOW)
    assert refused.value.data["root"] == str(series.id)
    await service.declare_shares(session, series.id, party_id=owner.id, shares=shares, now=NOW)
    assert await queries.consents_missing(session, episode.id) == [other.id]
    with pytest.raises(rules.CoOwnerConsentMissing):
        await offered(session, episode, wire(), grantor=owner)
    await offered(session, episode, wire(exclusivity="non-exclusive"), grantor=owner)
    await service.consent(session, episode.id, party_id=other.id, now=NOW)
    assert await queries.consents_missing(session, series.id) == []
    with pytest.raises(Unknown):
        await service.consent(
            session, episode.id, party_id=(await party(session, now=NOW)).id, now=NOW
        )


async def test_the_grants_of_a_series_are_seen_at_its_episode(session: AsyncSession) -> None:
    owner, series = await owned(session)
    episode = await child(session, series, kind="episode", now=NOW)
    buyer, stranger = await party(session, now=NOW), await party(session, now=NOW)
    (grant,) = await granted(session, series, wire(), grantor=owner, licensee=buyer)
    for viewer in (None, owner.id, buyer.id):
        page = await queries.grants_page(
            session, episode.id, viewer=viewer, after=UUID(int=0), limit=10
        )
        assert [row.id for row in page] == [grant.id]
    with pytest.raises(Unknown):
        await queries.grants_page(
            session, episode.id, viewer=stranger.id, after=UUID(int=0), limit=10
        )
