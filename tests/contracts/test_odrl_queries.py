"""What a deal and its grants say as ODRL, with the promises that were made with them."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.deals.tables import Deal
from contracts.encumbrances import service as encumbrances
from contracts.odrl import compare, export, queries
from contracts.refusal import Unknown
from contracts.rights.logic import Verdict
from contracts.titles import queries as titles
from contracts.works import queries as works
from tests.conftest import NOW
from tests.contracts import encumbrances_factory
from tests.contracts.deals_factory import RIGHTS, executed_deal
from tests.contracts.odrl_factory import granting, read
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import child

ONLINE = {"right": "network-transmission", "media": ["ott"]}


@pytest.fixture
async def deal(session: AsyncSession, tmp_path: Path) -> Deal:
    return await executed_deal(session, now=NOW, keys_dir=tmp_path)


async def promised(session: AsyncSession, deal: Deal, said: dict[str, object]) -> UUID:
    """Have the licensor hold rights back for the licensee; return the grant it belongs to."""
    (grant,) = await titles.by_deal(session, deal.work_id, deal.id)
    await encumbrances.declare(
        session, deal.work_id, ids.new(NOW), by=deal.licensor_id, now=NOW,
        kind="holdback", wire=said, grant_id=grant.id,
    )  # fmt: skip
    return grant.id


async def verdict(session: AsyncSession, deal: Deal, **rival: object) -> Verdict:
    """What the deal says to a licence of the same work by the same licensor to somebody else."""
    ours = await queries.of_deal(session, deal)
    offered = granting(wire(exclusivity="non-exclusive", **ONLINE, **rival), licensee=3)
    theirs = export.policy(
        export.Granting(ids.new(NOW), ours.licensor, UUID(int=3), ours.work, offered.grants)
    )
    return compare.compare(read(export.policy(ours)), read(theirs)).verdict


async def test_a_deal_says_what_its_terms_say(session: AsyncSession, deal: Deal) -> None:
    said = await queries.of_deal(session, deal)
    assert (said.id, said.licensor, said.licensee) == (deal.id, deal.licensor_id, deal.licensee_id)
    assert (said.price, said.number, said.agreed) == (deal.price, deal.contract_no, True)
    assert [{key: one[key] for key in RIGHTS} for one in said.grants] == [RIGHTS]
    assert await verdict(session, deal) is Verdict.COMPATIBLE


async def test_a_dated_holdback_stands_against_a_licence_of_its_time(
    session: AsyncSession, deal: Deal
) -> None:
    grant_id = await promised(session, deal, encumbrances_factory.terms(**ONLINE))
    assert await verdict(session, deal) is Verdict.CONFLICT
    assert await verdict(session, deal, first_day="2028-01-01") is Verdict.COMPATIBLE
    alone = await queries.of_grant(session, deal.work_id, grant_id, viewer=deal.licensee_id)
    assert [held.right for held in alone.holdbacks] == ["network-transmission"]


async def test_a_holdback_that_waits_for_an_event_is_unknown(
    session: AsyncSession, deal: Deal
) -> None:
    await promised(session, deal, encumbrances_factory.undated(**ONLINE))
    assert await verdict(session, deal) is Verdict.UNKNOWN
    assert await verdict(session, deal, territories=["JP"]) is Verdict.COMPATIBLE


async def test_a_grant_is_seen_by_its_sides_the_owners_and_staff(
    session: AsyncSession, deal: Deal
) -> None:
    (grant,) = await titles.by_deal(session, deal.work_id, deal.id)
    for viewer in (deal.licensor_id, deal.licensee_id, None):
        said = await queries.of_grant(session, deal.work_id, grant.id, viewer=viewer)
        assert said.grants == [grant.wire]
    with pytest.raises(Unknown):
        await queries.of_grant(session, deal.work_id, grant.id, viewer=ids.new(NOW))


async def test_a_part_of_a_work_names_what_it_is_in(session: AsyncSession, deal: Deal) -> None:
    series = await works.get_work(session, deal.work_id)
    season = await child(session, series, kind="season", now=NOW)
    episode = await child(session, season, kind="episode", now=NOW)
    said = await queries.of_deal(session, deal)
    inner = await queries.work_of(session, episode.id)
    assert (said.work.inside, inner.inside) == ([], [season.id, series.id])
    rival = export.Granting(ids.new(NOW), said.licensor, UUID(int=3), inner, [wire()])
    policies = [read(export.policy(one)) for one in (said, rival)]
    assert compare.compare(*policies).verdict is Verdict.CONFLICT
