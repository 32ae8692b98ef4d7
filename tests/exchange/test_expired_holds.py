"""A hold that ran out, from the worker's look at the clock to the deal it leaves behind."""

from datetime import timedelta

import pytest

from contracts import canonical
from contracts.deals import queries as deals
from contracts.deals import rules
from contracts.facts import queries as facts
from contracts.facts.tables import Fact
from contracts.titles import queries as titles
from contracts.titles import recording
from contracts.titles import service as register
from exchange import clock, deal_verbs, reactions, worker
from exchange.context import Context
from tests.conftest import NOW
from tests.contracts.deals_factory import awarded, opened_deal
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.test_titles_holds import sealed
from tests.contracts.titles_factory import granted
from tests.contracts.works_factory import work


@pytest.mark.parametrize(
    ("kind", "name"),
    [("hold.expired", "void-expired-deal"), ("grant.reverted", "void-deals-under")],
)
def test_deals_that_lost_their_rights_are_voided_by_reactions(kind: str, name: str) -> None:
    assert name in [reaction.name for reaction in reactions.woken_by(kind)]


async def test_the_worker_frees_what_was_held_too_long_and_only_that(context: Context) -> None:
    old, fresh = clock.now() - timedelta(days=31), clock.now()
    made = {}
    async with context.db.transaction() as session:
        for now in (old, fresh):
            licensor = await party(session, now=now)
            licensee = await party(session, kind="broadcaster", now=now)
            made[now] = await opened_deal(session, licensor=licensor, licensee=licensee, now=now)
    assert await worker.expire_holds(context) >= 1
    assert await worker.expire_holds(context) == 0
    async with context.db.transaction() as session:
        found = {
            now: [grant.state for grant in await titles.grants_of_work(session, deal.work_id)]
            for now, deal in made.items()
        }
    assert found == {old: ["released"], fresh: ["held"]}


async def test_a_deal_under_a_grant_that_came_back_is_voided(context: Context) -> None:
    async with context.db.transaction() as session:
        owner, dealer = await party(session, now=NOW), await party(session, now=NOW)
        buyer = await party(session, kind="broadcaster", now=NOW)
        subject = await work(session, party_id=owner.id, now=NOW)
        whole = wire(sublicence_depth=1, territories=["WRD"], excluded=[], languages=["*"],
                     media=["satellite", "cable", "iptv"], runs_max=None)  # fmt: skip
        (top,) = await granted(session, subject, whole, grantor=owner, licensee=dealer)
        deal = await opened_deal(session, licensor=dealer, licensee=buyer, now=NOW, subject=subject)
        await recording.revert(
            session, subject.id, top.id, reason="default", note="x", by=owner.id, now=NOW
        )
        fact = await facts.find_first_of(session, top.id, "grant.reverted")
        assert fact is not None
        await deal_verbs.void_deals_under(context, session, sealed(fact), NOW)
        assert (await deals.get_deal(session, deal.id)).signing == "voided"


async def test_an_award_of_rights_that_came_back_meanwhile_lapses_and_both_sides_are_told(
    context: Context,
) -> None:
    async with context.db.transaction() as session:
        licensor = await party(session, now=NOW)
        licensee = await party(session, kind="broadcaster", now=NOW)
        won = await awarded(session, licensor=licensor, licensee=licensee, now=NOW)
        await register.release(session, won.work_id, source=won.listing["listing"], now=NOW)
        award = await session.get(Fact, won.made)
        assert award is not None
        await deal_verbs.open_deal(context, session, sealed(award), NOW)
        assert await deals.find_deal(session, rules.deal_id_of(won.made)) is None
        lapsed = await facts.find_first_of(session, award.subject, "award.lapsed")
        assert lapsed is not None
        assert (sorted(lapsed.parties), canonical.loads(lapsed.record)["reason"]) == (
            sorted([licensor.id, licensee.id]), "rights-not-reserved",
        )  # fmt: skip
