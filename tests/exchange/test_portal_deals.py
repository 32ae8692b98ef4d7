"""The pages of a deal and its money: each side sees its own, others see nothing."""

from dataclasses import dataclass

import httpx
import pytest

from contracts import ids
from contracts.deals.tables import Deal
from contracts.money import Money
from contracts.parties import queries as parties
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from settlement.invoices import service as invoices
from settlement.payouts import service as paying
from settlement.plans import service as plans
from settlement.plans.rules import Terms
from tests.contracts.deals_factory import executed_deal
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import turn
from tests.exchange.test_portal_pages import browser, signed_in, someone, token_in
from tests.settlement.settlement_factory import Trade, invoiced, paid, with_accounts


@dataclass(frozen=True)
class Sides:
    deal: Deal
    licensor: Person
    licensee: Person


async def traded(context: Context) -> Sides:
    """An executed and invoiced deal, with a person on each side."""
    now = clock.now()
    async with context.db.transaction() as session:
        deal = await executed_deal(session, now=now, keys_dir=context.settings.keys)
        terms = Terms(
            deal.id, deal.work_id, deal.licensor_id, deal.licensee_id, deal.price, deal.terms_sha256
        )
        await invoices.issue(session, await plans.plan(session, terms, now=now), now=now)
        sides = [
            await person(session, party_id=party_id, role=role, now=now)
            for party_id, role in ((deal.licensor_id, "holder"), (deal.licensee_id, "broadcaster"))
        ]
    return Sides(deal, *sides)


async def enter(client: httpx.AsyncClient, who: Person) -> None:
    done = await client.post("/sign-in", data={"email": who.email, "password": PASSWORD})
    assert done.status_code == 303


async def test_a_deal_page_tells_its_story_and_offers_contract_terms_and_evidence(
    context: Context,
) -> None:
    trade = await traded(context)
    await turn(context)
    async with browser(context) as client:
        await enter(client, trade.licensor)
        listed = (await client.get("/deals")).text
        assert trade.deal.contract_no in listed and "Signed by both" in listed
        page = (await client.get(f"/deals/{trade.deal.id}")).text
        told = ("Terms frozen", "Contract printed", "Contract in force", "Invoice issued", "leaf ")
        assert [text for text in told if text not in page] == []
        for link in ("contract.pdf", "terms", "evidence"):
            assert f'href="/v1/deals/{trade.deal.id}/{link}"' in page
        contract = await client.get(f"/v1/deals/{trade.deal.id}/contract.pdf")
        assert contract.content.startswith(b"%PDF-")


async def test_each_side_sees_its_own_money(context: Context) -> None:
    trade = await traded(context)
    async with browser(context) as client:
        await enter(client, trade.licensor)
        page = (await client.get("/money")).text
        assert "CN¥1,140,000.00" in page and "Commission" in page and "No invoice yet." in page
    async with browser(context) as client:
        await enter(client, trade.licensee)
        page = (await client.get("/money")).text
        assert "CN¥1,200,000.00" in page and "Pay by card" in page
        assert "CN¥1,140,000.00" not in page and "Payout account" not in page


async def test_paying_an_invoice_asks_the_provider_once(context: Context) -> None:
    trade = await traded(context)
    async with browser(context) as client:
        await enter(client, trade.licensee)
        page = (await client.get("/money")).text
        action = page.split('action="/money/invoices/')[1].split('"')[0]
        form = {
            "csrf_token": token_in(page),
            "payment_id": page.split('name="payment_id" value="')[1].split('"')[0],
        }
        for _ in range(2):
            done = await client.post(f"/money/invoices/{action}", data=form)
            assert done.status_code == 303
        page = (await client.get("/money")).text
        assert "Requested" in page and "Pay by card" not in page


async def test_a_deal_is_unknown_to_everybody_else(context: Context) -> None:
    trade = await traded(context)
    async with signed_in(context, "broadcaster") as client:
        told = await client.get(f"/deals/{trade.deal.id}")
        assert told.status_code == 404 and trade.deal.contract_no not in told.text


async def test_the_staff_reads_every_deal_with_all_its_lines(context: Context) -> None:
    trade = await traded(context)
    async with signed_in(context, "auditor") as client:
        page = (await client.get(f"/deals/{trade.deal.id}")).text
        assert trade.deal.contract_no in page and "CN¥60,000.00" in page


@pytest.mark.parametrize("role", ["operator", "auditor"])
async def test_an_operator_prepares_a_payout_on_the_page_and_an_auditor_only_reads(
    context: Context, role: str
) -> None:
    trade = await paid_trade(context)
    async with signed_in(context, role) as client:
        assert str(trade.deal_id) in (await client.get("/console")).text
        page = (await client.get(f"/console/settlements/{trade.deal_id}")).text
        assert ("Prepare the payout" in page) is (role == "operator")
        form = {"csrf_token": token_in(page), "payout_id": str(ids.new(clock.now()))}
        done = await client.post(f"/console/settlements/{trade.deal_id}/payouts", data=form)
        assert done.status_code == (303 if role == "operator" else 403)


async def test_an_owner_sees_the_payout_on_its_way(context: Context) -> None:
    trade = await paid_trade(context)
    operator, now = await someone(context, "operator"), clock.now()
    async with context.db.transaction() as session:
        await paying.prepare(
            session, ids.new(now), deal_id=trade.deal_id, person_id=operator.id, now=now
        )
        owner = await person(session, party_id=trade.owner_ids[1], role="holder", now=now)
    async with browser(context) as client:
        await enter(client, owner)
        page = (await client.get("/money")).text
        assert "CN¥342,000.00" in page and "Not sent yet" in page
        assert "Other owners" in page  # their sum in one line: the total less its own and the fee


async def paid_trade(context: Context) -> Trade:
    now = clock.now()
    async with context.db.transaction() as session:
        trade = await invoiced(session, price=Money(120_000_000, "CNY"), now=now)
        await with_accounts(session, trade, now=now)
        await paid(session, trade, now=now)
    return trade


async def test_an_operator_verifies_an_organisation_on_the_page(context: Context) -> None:
    async with context.db.transaction() as session:
        fresh = await party(session, verified=False, now=clock.now())
    async with signed_in(context, "operator") as client:
        token = token_in((await client.get("/console/parties")).text)
        done = await client.post(
            f"/console/parties/{fresh.id}/verification", data={"csrf_token": token}
        )
        assert done.status_code == 303
    async with context.db.transaction() as session:
        assert (await parties.get_party(session, fresh.id)).state == "verified"
