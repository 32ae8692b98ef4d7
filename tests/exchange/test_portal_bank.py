"""The bank's pages: what the staff does there, and what each of them may not."""

import re
from uuid import UUID

import httpx

from contracts import ids
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from settlement.bank import queries as payment_files
from settlement.bank import service as files
from settlement.bank.service import Following
from settlement.payees import queries
from settlement.payees import service as payees
from settlement.payees.rules import Details
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, signed_in, someone, token_in
from tests.settlement.bank_factory import Bank, approved_payout, iban, reported, staff
from tests.settlement.settlement_factory import Trade, invoiced

PRICE = Money(500_000, "SGD")  # a currency of its own: a payment file takes all that waits in one


async def send(
    client: httpx.AsyncClient, path: str, *, on: str = "/console/bank", **fields: str
) -> httpx.Response:
    token = token_in((await client.get(on)).text)
    return await client.post(path, data={"csrf_token": token, **fields})


async def upload(client: httpx.AsyncClient, raw: bytes) -> httpx.Response:
    here = "/console/bank/statements"
    token = token_in((await client.get(here)).text)
    return await client.post(here, data={"csrf_token": token}, files={"file": ("day.xml", raw)})


async def opened(context: Context) -> tuple[Bank, Trade]:
    """An account that is followed, and a trade with an account of a payee to verify."""
    now = clock.now()
    async with context.db.transaction() as session:
        details = Details("iban", iban(), "UHD Exchange", PRICE.currency, "Bank")
        account, _ = await files.open_account(
            session, ids.new(now), account=Following("Escrow", details, None, instruct_only=False),
            person_id=await staff(session), now=now,
        )  # fmt: skip
        trade = await invoiced(session, price=PRICE, shares=(10_000,), now=now)
        await payees.declare(
            session, ids.new(now), party_id=trade.owner_ids[0],
            details=Details("iban", iban(), "收款人", PRICE.currency, "Hausbank", None, "曾用名"),
            person_id=await staff(session), now=now,
        )  # fmt: skip
    return Bank(account), trade


def hash_of(page: str, action: str) -> str:
    found = re.search(rf'action="{action}".*?name="content_sha256" value="([0-9a-f]+)"', page, re.S)
    assert found is not None
    return found[1]


async def test_an_operator_imports_a_statement_and_a_wire_pays_an_invoice(
    context: Context,
) -> None:
    bank, trade = await opened(context)
    bank.line(PRICE.amount_minor, text=trade.invoice.number)
    bank.line(700, text="nobody knows", name="Somebody Else")
    raw = bank.statement(0)
    async with signed_in(context, "operator") as client:
        done = await upload(client, raw)
        assert done.status_code == 200
        told = re.sub(r"<[^>]+>", " ", done.text)
        assert re.search(r"Lines matched\s+1\s+Lines in suspense\s+1", told), told[-800:]
        page = (await client.get("/console/bank")).text
        assert bank.account.number in page and "nobody knows" in page and "Agree" in page
        refused = await upload(client, raw.replace(b"7.00", b"8.00"))
        assert refused.status_code == 409  # the same statement with another amount
    async with signed_in(context, "auditor") as client:
        assert (await upload(client, raw)).status_code == 403
        assert "Prepare a payment file" not in (await client.get("/console/bank")).text


async def test_two_people_pay_by_file_on_the_pages(context: Context) -> None:
    bank, trade = await opened(context)
    bank.line(PRICE.amount_minor, text=trade.invoice.number)
    async with signed_in(context, "operator") as client:
        await upload(client, bank.statement(0))
    one, other = await someone(context, "approver"), await someone(context, "approver")
    async with browser(context) as first, browser(context) as second:
        await enter(first, one)
        await enter(second, other)
        page = (await first.get("/console/bank")).text
        payee = f"/console/bank/payees/{await payee_of(page, trade.owner_ids[0], context)}"
        said = {"content_sha256": hash_of(page, f"{payee}/approval"), "evidence": "Called back."}
        for password, status in (("not mine", 403), (PASSWORD, 303)):
            verified = await send(first, f"{payee}/approval", **said, password=password)
            assert verified.status_code == status
        async with context.db.transaction() as session:
            await approved_payout(session, trade, now=clock.now())
        where = f"/console/bank/files/{ids.new(clock.now())}"
        prepared = await send(
            first, "/console/bank/files", batch_id=where.rsplit("/", 1)[1],
            account_id=str(bank.account.id), execute_on="2026-12-01",
        )  # fmt: skip
        assert prepared.headers["location"] == where
        own = (await first.get(where)).text
        assert "You prepared this file" in own and "Approve the file" not in own
        shown = (await second.get(where)).text
        assert await number_of(context, trade) in shown  # who approves sees where the money goes
        seen = {"content_sha256": hash_of(shown, f"{where}/approval"), "password": PASSWORD}
        for who, password in ((first, PASSWORD), (second, "not mine")):
            again = await send(who, f"{where}/approval", **{**seen, "password": password})
            assert again.status_code == 403
        assert (await send(second, f"{where}/approval", **seen)).status_code == 303
        given = await send(first, f"{where}/document")
        assert given.status_code == 200 and given.content.startswith(b"<?xml")
        assert "Instructed" in (await second.get(where)).text
        await bank_reports(context, first, second, where)


async def bank_reports(
    context: Context, first: httpx.AsyncClient, second: httpx.AsyncClient, where: str
) -> None:
    """The bank rejects the file; its report is imported, twice, and shown in both languages."""
    async with context.db.sessions() as session:
        batch = await payment_files.get_batch(session, UUID(where.rsplit("/", 1)[1]))
    told = (await upload(first, reported(batch, group="RJCT AC04"))).text
    assert "Report about a payment file" in told and "RPT-1" in told
    assert "nothing was changed" in (await upload(first, reported(batch, group="RJCT AC04"))).text
    shown = (await second.get(where)).text
    assert "What the bank reported" in shown and "AC04" in shown and "Came back" in shown
    second.headers["Accept-Language"] = "zh-CN"
    assert "银行回执" in (await second.get(where)).text


async def number_of(context: Context, trade: Trade) -> str:
    """The number of the account into which a trade's only owner is paid."""
    async with context.db.transaction() as session:
        (account,) = await queries.of_party(session, trade.owner_ids[0])
    return account.number


async def payee_of(page: str, party_id: UUID, context: Context) -> UUID:
    """The account of a party that waits, which the page shows."""
    async with context.db.transaction() as session:
        (account, *_) = await queries.of_party(session, party_id)
    assert account.number in page
    return account.id


async def test_suspended_money_is_released_by_two_people_on_the_page(context: Context) -> None:
    bank, trade = await opened(context)
    bank.line(PRICE.amount_minor, text="our film")
    async with signed_in(context, "operator") as client:
        await upload(client, bank.statement(0))
        page = (await client.get("/console/bank")).text
        found = re.search(
            r'action="(/console/bank/suspense/[^"]+)"(?:(?!</form>).)*' + trade.invoice.number,
            page, re.S,
        )  # fmt: skip
        assert found is not None, "the invoice is not suggested"
        release_id = str(ids.new(clock.now()))
        done = await send(
            client, found[1], release_id=release_id, target="invoice",
            number=trade.invoice.number, amount_minor=str(PRICE.amount_minor),
        )  # fmt: skip
        assert done.status_code == 303
    async with signed_in(context, "approver") as client:
        where = f"/console/bank/releases/{release_id}"
        page = (await client.get("/console/bank")).text
        assert re.search(rf"Invoice\s+{trade.invoice.number}:\s+<[^>]+>[^<]*5,000\.00", page)
        where = f"{where}/approval"
        seen = hash_of(page, where)
        done = await send(client, where, content_sha256=seen, password=PASSWORD)
        assert done.status_code == 303
        assert release_id not in (await client.get("/console/bank")).text


async def test_the_bank_speaks_chinese_too(context: Context) -> None:
    async with signed_in(context, "approver") as client:
        page = (await client.get("/console/bank?lang=zh-CN")).text
        assert "登记账户" in page
        form = {
            "account_id": str(ids.new(clock.now())), "name": "监管账户", "scheme": "other",
            "number": "10020030/1234567", "holder": "交易所", "bank_name": "示范银行",
            "currency": "SGD",
        }  # fmt: skip
        assert (await send(client, "/console/bank/accounts", **form)).status_code == 303
        assert "10020030/1234567" in (await client.get("/console/bank")).text
