"""The page on which a payee says where it is paid, and what the staff sees of it."""

import re

import httpx
import pytest

from contracts import ids
from contracts.parties import queries as parties
from exchange import clock
from exchange.context import Context
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, signed_in, someone, token_in
from tests.settlement.bank_factory import iban

HERE = "/money/bank-accounts"


async def declare(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    token = token_in((await client.get(HERE)).text)
    said = {
        "account_id": str(ids.new(clock.now())), "scheme": "cnaps", "number": "6222020200012345678",
        "member_id": "102100099996", "bank_name": "示范银行", "currency": "CNY", **fields,
    }  # fmt: skip
    return await client.post(HERE, data={"csrf_token": token, **said})


async def test_a_payee_declares_withdraws_and_declares_again_on_the_page(context: Context) -> None:
    who = await someone(context, "holder")
    async with context.db.transaction() as session:
        named = (await parties.get_party(session, who.party_id)).name_zh
    async with browser(context) as client:
        await enter(client, who)
        assert (await declare(client, holder=named)).status_code == 303
        page = (await client.get(HERE)).text
        assert "6222020200012345678" in page and "Waits for verification" in page
        second = await declare(client, holder=named)
        assert second.status_code == 409 and "withdraw it" in second.text
        found = re.search(rf'action="({HERE}/[^"]+/withdrawal)"', page)
        assert found is not None
        done = await client.post(found[1], data={"csrf_token": token_in(page)})
        assert done.status_code == 303
        assert (await declare(client, holder=named)).status_code == 303
        chinese = (await client.get(f"{HERE}?lang=zh-CN")).text
        assert "已撤回" in chinese and "待核实" in chinese and "收款账户" in chinese


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"member_id": "12"}, "twelve digits", id="a-bank-number-too-short"),
        pytest.param({"scheme": "iban", "number": "DE89370400440532013001", "member_id": ""},
                     "IBAN", id="an-iban-mistyped"),
        pytest.param({"holder": "Somebody Else"}, "registered", id="another-holder"),
    ],
)  # fmt: skip
async def test_a_wrong_account_is_refused_on_the_page(
    context: Context, fields: dict[str, str], field: str
) -> None:
    async with signed_in(context, "broadcaster") as client:
        told = await declare(client, **{"holder": "示范电视台", **fields})
        assert told.status_code in (400, 422) and field in told.text


async def test_the_staff_sees_that_the_names_differ_and_why(context: Context) -> None:
    who, number = await someone(context, "holder"), iban()
    async with browser(context) as client:
        await enter(client, who)
        done = await declare(
            client, scheme="iban", number=number, member_id="", holder="Somebody Else Ltd",
            name_reason="Renamed last year", currency="GBP",
        )  # fmt: skip
        assert done.status_code == 303, done.text
    async with signed_in(context, "approver") as client:
        page = (await client.get("/console/bank")).text
        row = page[page.index(number) :][:1_500]
        assert "Another name than the registered one" in row and "Renamed last year" in row
        assert (await client.get(HERE)).status_code == 403
