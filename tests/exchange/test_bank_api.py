"""The bank rail over HTTP: from a wire to the payees' accounts, and money that waits."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from lxml import etree

from contracts import ids
from contracts.money import Money
from contracts.parties.tables import Party
from exchange import clock
from exchange.context import Context
from settlement.bank.tables import BankAccount
from tests.exchange.identity_factory import signed_client
from tests.settlement.approvals_factory import proved
from tests.settlement.bank_factory import Bank, approved_payout, iban
from tests.settlement.settlement_factory import Trade, invoiced

PRICE = Money(1_000_000, "CHF")  # a currency of its own: a payment file takes all that waits in one


@dataclass
class Desk:
    """The staff at work, and a trade."""

    context: Context
    stack: AsyncExitStack
    operator: httpx.AsyncClient
    one: httpx.AsyncClient
    other: httpx.AsyncClient
    bank: Bank
    trade: Trade

    async def holder(self, of: Party) -> httpx.AsyncClient:
        opened = signed_client(self.context, role="holder", of=of)
        return (await self.stack.enter_async_context(opened))[0]

    async def send(self, raw: bytes) -> httpx.Response:
        return await self.operator.post("/v1/bank/statements", content=raw)

    async def closed(self, since: int) -> dict[str, int]:
        answer = await self.send(self.bank.statement(since))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def position(self) -> dict[str, int]:
        told = (await self.operator.get("/v1/bank/accounts")).json()["items"]
        return next(one for one in told if one["id"] == str(self.bank.account.id))


@pytest.fixture
async def desk(context: Context) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        doors = [
            (await stack.enter_async_context(signed_client(context, role=role)))[0]
            for role in ("operator", "approver", "approver")
        ]
        account_id, number = str(ids.new(clock.now())), iban()
        followed = await doors[1].put(
            f"/v1/bank/accounts/{account_id}",
            json={
                "name": "Escrow", "scheme": "iban", "number": number, "holder": "UHD Exchange",
                "bank_name": "Treuhandbank", "currency": "CHF", "instruct_only": False,
            },
        )  # fmt: skip
        assert followed.status_code == 201, followed.text
        async with context.db.transaction() as session:
            account = await session.get_one(BankAccount, account_id)
            trade = await invoiced(session, price=PRICE, now=clock.now())
        yield Desk(context, stack, *doors, Bank(account), trade)


async def declared(desk: Desk, owner: Party) -> None:
    """A payee's account, declared by the payee and verified by an approver."""
    holder = await desk.holder(owner)
    where = f"/v1/parties/{owner.id}/bank-accounts"
    made = await holder.put(
        f"{where}/{uuid4()}",
        json={
            "scheme": "iban", "number": iban(), "holder": "Payee GmbH",
            "bank_name": "Hausbank", "currency": "CHF", "name_reason": "Trade name",
        },
    )  # fmt: skip
    assert made.status_code == 201, made.text
    waiting = (await desk.one.get("/v1/bank/payee-accounts")).json()["items"]
    (mine,) = [one for one in waiting if one["id"] == made.json()["id"]]
    said = {"content_sha256": mine["content_sha256"], "evidence": "Called back."}
    verification = f"/v1/bank/payee-accounts/{mine['id']}/verification"
    bare = await desk.one.post(verification, json=said)
    assert (bare.status_code, bare.json()["code"]) == (422, "invalid-content")
    forged = await desk.one.post(verification, json={**said, "proof": str(uuid4())})
    assert (forged.status_code, forged.json()["code"]) == (403, "proof-needed")
    told = await proved(desk.one, **said)
    done = await desk.one.post(verification, json=told)
    assert (done.status_code, done.json()["state"]) == (200, "verified")
    assert (await desk.one.post(verification, json=told)).json() == done.json()
    assert (await holder.get(where)).json()["items"][0]["state"] == "verified"


async def test_a_wire_goes_to_the_payees_accounts(desk: Desk) -> None:
    desk.bank.line(PRICE.amount_minor, text=desk.trade.invoice.number)
    assert (await desk.closed(0))["matched"] == 1
    for owner in desk.trade.owners:
        await declared(desk, owner)
    async with desk.context.db.transaction() as session:
        await approved_payout(session, desk.trade, now=clock.now())
    where = f"/v1/bank/payment-files/{uuid4()}"
    asked = {"account_id": str(desk.bank.account.id), "execute_on": "2026-11-30"}
    made = await desk.one.put(where, json=asked)
    assert made.status_code == 201, made.text
    assert (await desk.one.put(where, json=asked)).status_code == 200
    seen = {"content_sha256": made.json()["content_sha256"]}
    refused = await approve(desk.one, where, **seen)
    assert (refused.status_code, refused.json()["code"]) == (403, "batch-same-person")
    assert (await desk.operator.post(f"{where}/document")).json()["code"] == "batch-decided"
    assert (await approve(desk.other, where, **seen)).status_code == 200
    given = await desk.operator.post(f"{where}/document")
    assert given.headers["content-type"] == "application/xml"
    told = [one.text for one in etree.fromstring(given.content).iter("{*}EndToEndId")]
    items = made.json()["items"]
    assert sorted(told) == sorted(item["end_to_end_id"] for item in items)
    assert (await desk.position())["in_flight_minor"] == made.json()["sum_minor"]
    before = desk.bank.balance_minor
    for item in items:
        desk.bank.line(-item["amount_minor"], ref=item["end_to_end_id"])
    assert (await desk.closed(before))["matched"] == 2
    assert (await desk.operator.get(where)).json()["state"] == "settled"
    files = (await desk.operator.get("/v1/bank/payment-files", params={"limit": 200})).json()
    assert made.json()["id"] in [one["id"] for one in files["items"]]
    await all_agrees(desk)


async def approve(client: httpx.AsyncClient, where: str, **seen: str) -> httpx.Response:
    """Approve what was read, with a proof."""
    return await client.post(f"{where}/approval", json=await proved(client, **seen))


async def all_agrees(desk: Desk) -> None:
    here = await desk.position()
    assert (here["difference_minor"], here["suspended_minor"], here["in_flight_minor"]) == (0, 0, 0)
    assert here["bank_minor"] == desk.bank.balance_minor == here["ledger_minor"]


async def test_money_that_nothing_explains_is_released_by_two_people(desk: Desk) -> None:
    due = PRICE.amount_minor
    desk.bank.line(due - 1_500, text="our film")
    assert (await desk.closed(0))["suspended"] == 1
    told = (await desk.operator.get("/v1/bank/suspense", params={"limit": 200})).json()["items"]
    (item,) = [one for one in told if one["account_id"] == str(desk.bank.account.id)]
    assert (item["age_days"], item["overdue"], item["text"]) == (0, False, "our film")
    where = f"/v1/bank/releases/{uuid4()}"
    parts = [
        {"kind": "invoice", "name": str(desk.trade.invoice.id), "amount_minor": due},
        {"kind": "account", "name": "bank-fees", "amount_minor": -1_499},
    ]
    uneven = await desk.operator.put(where, json={"items": [item["id"]], "parts": parts})
    assert (uneven.status_code, uneven.json()["code"]) == (422, "suspense-uneven")
    parts[1]["amount_minor"] = -1_500
    made = await desk.one.put(where, json={"items": [item["id"]], "parts": parts})
    assert made.status_code == 201, made.text
    waiting = (await desk.other.get("/v1/bank/releases")).json()["items"]
    assert made.json()["id"] in [one["id"] for one in waiting]
    seen = {"content_sha256": made.json()["content_sha256"]}
    same = await approve(desk.one, where, **seen)
    assert (same.status_code, same.json()["code"]) == (403, "release-same-person")
    done = await approve(desk.other, where, **seen)
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    buyer = await desk.holder(desk.trade.buyer)
    assert buyer is not None
    invoice = await desk.operator.get(f"/v1/invoices/{desk.trade.invoice.id}")
    assert invoice.json()["state"] == "paid"
    assert (await desk.position())["suspended_minor"] == 0


async def test_a_file_that_cannot_be_booked_is_refused_and_books_nothing(desk: Desk) -> None:
    desk.bank.line(500)
    unbalanced = await desk.send(desk.bank.statement(1))
    assert (unbalanced.status_code, unbalanced.json()["code"]) == (422, "statement-unbalanced")
    assert unbalanced.json()["movements_minor"] == 500
    malformed = await desk.send(b"\x00")
    assert malformed.json()["code"] == "statement-malformed"
    raw = desk.bank.statement(500)
    first, again = await desk.send(raw), await desk.send(raw)
    assert (first.json()["new"], again.json()["new"]) == (1, 0)
    known = await desk.operator.get("/v1/bank/statements", params={"limit": 200})
    assert first.json()["statements"][0]["id"] in [one["id"] for one in known.json()["items"]]


async def test_a_refused_payment_file_and_a_refused_account_say_why(desk: Desk) -> None:
    owner = desk.trade.owners[0]
    holder = await desk.holder(owner)
    said = {
        "scheme": "cnaps", "number": "6222020200012345678", "member_id": "102100099996",
        "holder": "示范机构", "bank_name": "示范银行", "currency": "CHF",
    }  # fmt: skip
    made = await holder.put(f"/v1/parties/{owner.id}/bank-accounts/{uuid4()}", json=said)
    seen = {"content_sha256": made.json()["content_sha256"], "reason": "户名不符"}
    where = f"/v1/bank/payee-accounts/{made.json()['id']}/refusal"
    done = await desk.one.post(where, json=seen)
    assert (done.json()["state"], done.json()["evidence"]) == ("refused", "户名不符")
    stranger = await desk.holder(desk.trade.owners[1])
    hidden = await stranger.get(f"/v1/parties/{owner.id}/bank-accounts")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "unknown")
