"""Paying by bank: whoever owes is told where to wire and with which reference, on page and API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import httpx
import pytest

from contracts import ids
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from settlement.collecting import rules as references
from settlement.deposits import service as deposits
from settlement.deposits.rules import Terms
from tests.exchange.identity_factory import person, signed_client
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, signed_in, token_in
from tests.settlement.approvals_factory import proved
from tests.settlement.bank_factory import Bank, closed, followed, iban
from tests.settlement.settlement_factory import Trade, invoiced

PRICE = Money(900_000, "PLN")


@pytest.fixture
async def trade(context: Context) -> AsyncIterator[Trade]:
    async with context.db.transaction() as session:
        made = await invoiced(session, price=PRICE, now=clock.now())
    yield made


async def collected_in(context: Context, stack: AsyncExitStack, *, currency: str) -> str:
    """Have two people choose an account for a currency; return its number."""
    doors = [
        (await stack.enter_async_context(signed_client(context, role=role)))[0]
        for role in ("approver", "operator", "approver")
    ]
    number, where = iban(), f"/v1/bank/accounts/{ids.new(clock.now())}"
    followed = await doors[0].put(
        where,
        json={
            "name": "监管账户", "scheme": "iban", "number": number, "holder": "Bank Powierniczy",
            "bank_name": "Bank Powierniczy SA", "currency": currency,
        },
    )  # fmt: skip
    assert followed.status_code == 201, followed.text
    proposal = f"/v1/bank/collecting/{uuid4()}"
    asked = {"account_id": followed.json()["id"]}
    made = await doors[1].put(proposal, json=asked)
    assert (made.status_code, made.json()["state"]) == (201, "proposed"), made.text
    assert (await doors[1].put(proposal, json=asked)).status_code == 200
    said = {"content_sha256": made.json()["content_sha256"]}
    done = await doors[2].post(f"{proposal}/approval", json=await proved(doors[2], **said))
    assert (done.status_code, done.json()["state"]) == (200, "approved"), done.text
    told = (await doors[1].get("/v1/bank/collecting")).json()["items"]
    assert (currency, number) in [(one["currency"], one["number"]) for one in told]
    return number


async def test_a_buyer_reads_where_to_wire_and_the_reference(
    context: Context, trade: Trade
) -> None:
    async with AsyncExitStack() as stack:
        opened = signed_client(context, role="broadcaster", of=trade.buyer)
        buyer = (await stack.enter_async_context(opened))[0]
        number = await collected_in(context, stack, currency=PRICE.currency)
        wire = (await buyer.get(f"/v1/invoices/{trade.invoice.id}")).json()["wire"]
        assert (wire["number"], wire["custody"]) == (number, True)
        assert wire["reference"] == references.of_invoice(trade.invoice.number)
        assert (wire["amount_minor"], wire["currency"]) == (PRICE.amount_minor, "PLN")
        listed = (await buyer.get("/v1/invoices")).json()["items"]
        assert [one["wire"] for one in listed] == [wire]
        assert (await buyer.get("/v1/bank/collecting")).status_code == 403


@pytest.mark.parametrize(
    ("language", "said"), [("en", "Pay by bank transfer"), ("zh-CN", "银行转账付款")]
)
async def test_the_money_page_says_how_to_wire(
    context: Context, trade: Trade, language: str, said: str
) -> None:
    async with AsyncExitStack() as stack:
        number = await collected_in(context, stack, currency=PRICE.currency)
    async with context.db.transaction() as session:
        who = await person(session, party_id=trade.buyer.id, role="broadcaster", now=clock.now())
    async with browser(context) as client:
        await enter(client, who)
        page = (await client.get(f"/money?lang={language}")).text
    assert number in page and references.of_invoice(trade.invoice.number) in page
    assert said in page


async def test_a_buyer_reads_what_came_in_so_far_and_what_is_left(
    context: Context, trade: Trade
) -> None:
    async with context.db.transaction() as session:
        bank = Bank(await followed(session, PRICE.currency))
        bank.line(300_000, text=references.of_invoice(trade.invoice.number))
        await closed(session, bank, since=0)
        who = await person(session, party_id=trade.buyer.id, role="broadcaster", now=clock.now())
    async with AsyncExitStack() as stack:
        await collected_in(context, stack, currency=PRICE.currency)
    async with browser(context) as client:
        await enter(client, who)
        page = (await client.get("/money?lang=en")).text
        assert "Came in so far" in page and "3,000.00" in page and "6,000.00" in page
        async with context.db.transaction() as session:
            bank.line(601_000, text=references.of_invoice(trade.invoice.number))
            await closed(session, bank, since=300_000)
        page = (await client.get("/money?lang=zh-CN")).text
        assert "多付款项" in page and "10.00" in page


async def test_a_bidder_reads_how_to_wire_what_is_missing_of_its_deposit(context: Context) -> None:
    async with AsyncExitStack() as stack:
        number = await collected_in(context, stack, currency="PLN")
        bidder, who = await stack.enter_async_context(signed_client(context, role="broadcaster"))
        party_id = who.party_id
        async with context.db.transaction() as session:
            auction = ids.new(clock.now())
            terms = Terms(
                auction_id=auction, party_id=party_id, seller_id=party_id,
                required=Money(70_000, "PLN"), until=None, forfeits=(),
            )  # fmt: skip
            await deposits.require(session, terms, now=clock.now())
        told = (await bidder.get(f"/v1/auctions/{auction}/deposit")).json()
    assert (told["wire"]["number"], told["wire"]["amount_minor"]) == (number, 70_000)
    assert told["wire"]["reference"] == references.of_deposit(auction, party_id)


async def test_two_people_choose_the_account_on_the_page(context: Context) -> None:
    async def send(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
        token = token_in((await client.get("/console/bank")).text)
        return await client.post(path, data={"csrf_token": token, **fields})

    async with signed_in(context, "approver") as client:
        account_id = str(ids.new(clock.now()))
        done = await send(
            client, "/console/bank/accounts", account_id=account_id, name="Own", scheme="iban",
            number=iban(), holder="UHD Exchange", bank_name="Bank", currency="KRW", whose="own",
        )  # fmt: skip
        assert done.status_code == 303, done.text
        proposal = str(uuid4())
        done = await send(
            client, "/console/bank/collecting", proposal_id=proposal, account_id=account_id
        )
        assert done.status_code == 303, done.text
        page = (await client.get("/console/bank")).text
        assert "Where payers are told to wire" in page
        assert f"/console/bank/collecting/{proposal}/approval" not in page  # it is their own
    async with signed_in(context, "approver") as other:
        page = (await other.get("/console/bank")).text
        assert f"/console/bank/collecting/{proposal}/approval" in page
