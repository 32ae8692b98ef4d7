"""A contract that is not paid: demanded, in default, ended; its rights, page and evidence."""

from datetime import timedelta
from pathlib import Path

import httpx

from contracts import ids
from contracts.deals import notices, rows
from contracts.deals import queries as deals
from contracts.deals.tables import DealNotice
from contracts.parties.gateway import LocalAuthority
from contracts.titles import queries as titles
from exchange import clock, keys, lateness_verbs
from exchange.context import Context
from exchange.evidence import bundle
from exchange.evidence.verify import verify
from settlement.lateness import queries, service
from settlement.plans import queries as plans
from tests.conftest import NOW
from tests.contracts.log_factory import seal_all
from tests.exchange.identity_factory import person, signed_client
from tests.exchange.instalments_desk import Sold, sold_in_parts, told
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, token_in

WEEK = timedelta(days=7)  # after which the first instalment, due after five days, is late


async def overdue(context: Context) -> Sold:
    """A deal whose first instalment is late for a day by the clock of the exchange."""
    return await sold_in_parts(context, planned_at=clock.now() - WEEK)


async def test_an_unpaid_contract_ends_and_its_rights_go_back(
    context: Context, tmp_path: Path
) -> None:
    sold = await sold_in_parts(context)
    late = NOW + WEEK
    async with context.db.transaction() as session:
        demand, _ = await service.demand(
            session, sold.deal.id, ids.new(late), party_id=sold.room.licensor.id, text="请付款",
            now=late,
        )  # fmt: skip
        deal = await rows.locked(session, sold.deal.id)
        await notices.receive(session, deal, demand, how="deemed", now=late)
        assert demand.cure_by is not None
        end = demand.cure_by
        while await service.default_due(session, now=end):
            pass
        fact = await told(session, deal, "settlement.defaulted")
        for _ in range(2):  # a reaction may run again
            await lateness_verbs.end_defaulted(context, session, fact, end)
        assert (deal.ended, deal.end_cause, demand.outcome) == (
            "terminated", "cause", "terminated"
        )  # fmt: skip
        grants = await titles.by_deal(session, deal.work_id, deal.id)
        assert {grant.state for grant in grants} == {"ended"}
    signer = keys.log_signer(context.settings)
    await seal_all(context.db, signer)
    async with context.db.transaction() as session:
        _, raw = await bundle.assemble(
            session, sold.deal.id, party=sold.room.licensor.id, signer=signer,
            authority=LocalAuthority.ensure(context.settings.keys, NOW),
        )  # fmt: skip
    path = tmp_path / "bundle.zip"
    path.write_bytes(raw)
    report = verify(path)
    assert [(one.name, one.detail) for one in report.checks if not one.ok] == []
    standing = next(one.detail for one in report.checks if one.name == "standing")
    assert standing.startswith("terminated on") and "(cause)" in standing


async def test_the_licensor_demands_over_http_and_the_licensee_may_not(context: Context) -> None:
    sold = await overdue(context)
    path = f"/v1/deals/{sold.deal.id}/payment-demands/{ids.new(clock.now())}"
    said = {"text": "第一期许可费逾期未付。"}
    async with signed_client(context, role="broadcaster", of=sold.room.licensee) as (client, _):
        assert (await client.put(path, json=said)).status_code == 404
    async with signed_client(context, role="holder", of=sold.room.licensor) as (client, _):
        first, again = [await client.put(path, json=said) for _ in range(2)]
        assert (first.status_code, again.status_code) == (201, 200), first.text
        assert first.json()["kind"] == "payment"
        other = await client.put(f"{path[:-36]}{ids.new(clock.now())}", json=said)
        assert _problem(other) == (409, "notice-running")
        dues = (await client.get(f"/v1/deals/{sold.deal.id}/dues")).json()
        assert (dues["overdue"], dues["defaulted_at"]) == (True, None)


async def test_nothing_is_demanded_before_it_is_late(context: Context) -> None:
    sold = await sold_in_parts(context, planned_at=clock.now())
    async with signed_client(context, role="holder", of=sold.room.licensor) as (client, _):
        path = f"/v1/deals/{sold.deal.id}/payment-demands/{ids.new(clock.now())}"
        assert _problem(await client.put(path, json={"text": "x"})) == (409, "nothing-overdue")


async def test_the_page_shows_the_interest_and_the_form_to_the_licensor_alone(
    context: Context,
) -> None:
    sold = await overdue(context)
    async with context.db.transaction() as session:
        while await service.accrue_due(session, now=clock.now()):
            pass
        first = (await plans.parts_of(session, sold.deal.id))[0]
        assert first.defaulted_at is None
        licensor, licensee = [
            await person(session, party_id=party.id, role=role, now=NOW)
            for party, role in (
                (sold.room.licensor, "holder"), (sold.room.licensee, "broadcaster")
            )
        ]  # fmt: skip
        invoices = await queries.overdue(session, sold.deal.id, at=clock.now())
        assert len(invoices) == 1
    async with browser(context) as client:
        await enter(client, licensee)
        page = (await client.get(f"/deals/{sold.deal.id}")).text
        assert "interest so far" in page and "Demand payment" not in page
    async with browser(context) as client:
        await enter(client, licensor)
        page = (await client.get(f"/deals/{sold.deal.id}")).text
        form = {
            "notice_id": str(ids.new(clock.now())),
            "text": "请付款",
            "csrf_token": token_in(page),
        }
        sent = await client.post(f"/deals/{sold.deal.id}/payment-demands", data=form)
        assert sent.status_code == 303, sent.text
        headers = {"accept-language": "zh-CN"}
        page = (await client.get(f"/deals/{sold.deal.id}", headers=headers)).text
        assert "付款催告" in page and "请付款" in page
        assert "催告付款" not in page
    async with context.db.transaction() as session:
        (notice,) = await deals.notices_of(session, sold.deal.id)
        assert isinstance(notice, DealNotice) and notice.kind == "payment"


def _problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
