"""The ledger's verbs over HTTP, on pages and at a terminal: orders, holds and quotes."""

import json
import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import anyio

from contracts import ids, rfc3339
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.ledger_cli import app
from tests.exchange.identity_factory import PASSWORD, signed_client
from tests.exchange.portal_site import served
from tests.exchange.terminal_factory import approvers, run
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, someone, token_in
from tests.settlement.approvals_factory import proved
from tests.settlement.orders_factory import OWED, journal, owed


async def an_account(db: Database) -> str:
    async with db.transaction() as session:
        return await owed(session, now=clock.now())


def order(what: dict[str, object]) -> dict[str, object]:
    return {"what": what, "reason": "银行手续费补记"}


async def test_two_people_book_a_journal_by_hand(context: Context, db: Database) -> None:
    account = await an_account(db)
    where = f"/v1/ledger/orders/{ids.new(clock.now())}"
    asked = order({"kind": "journal", **journal(account, 1_500)})
    async with (
        signed_client(context, role="approver") as (maker, _),
        signed_client(context, role="approver") as (second, _),
        signed_client(context, role="auditor") as (auditor, _),
    ):
        assert (await auditor.put(where, json=asked)).status_code == 403
        made = await maker.put(where, json=asked)
        assert made.status_code == 201, made.text
        assert (await maker.put(where, json=asked)).status_code == 200
        seen = {"content_sha256": made.json()["content_sha256"]}
        assert (await second.post(f"{where}/approval", json=seen)).status_code == 422
        own = await maker.post(f"{where}/approval", json=await proved(maker, **seen))
        assert (own.status_code, own.json()["code"]) == (403, "same-person")
        changed = {"content_sha256": "0" * 64}
        other = await second.post(f"{where}/approval", json=await proved(second, **changed))
        assert (other.status_code, other.json()["code"]) == (409, "content-changed")
        done = await second.post(f"{where}/approval", json=await proved(second, **seen))
        assert (done.status_code, done.json()["state"]) == (200, "approved"), done.text
        assert done.json()["journal"] == f"order:{where[-36:]}"
        assert (await auditor.get(where)).json() == done.json()
        assert (await auditor.get("/v1/ledger/closes")).status_code == 200


async def test_what_cannot_be_booked_is_refused_with_its_reason(
    context: Context, db: Database
) -> None:
    account = await an_account(db)
    uneven = journal(account, 5)
    uneven["lines"][0]["amount_minor"] = 6
    asked = {
        "journal-unbalanced": {"kind": "journal", **uneven},
        "account-not-by-hand": {"kind": "journal", **journal("bank:x:CNY", 5)},
        "journal-item-not-named": {"kind": "journal", **journal("psp:stripe:clearing:CNY", 5)},
        "close-not-later": {"kind": "close", "until": "2099-01-01T00:00:00Z"},
        "unknown": {"kind": "mark", "account": "nobody:CNY", "status": "frozen"},
        "invalid-content": {"kind": "gift", "account": account},
    }
    async with signed_client(context, role="operator") as (client, _):
        for code, what in asked.items():
            answer = await client.put(f"/v1/ledger/orders/{ids.new(clock.now())}", json=order(what))
            assert answer.json()["code"] == code, answer.text


async def test_money_is_held_and_let_go(context: Context, db: Database) -> None:
    account, now = await an_account(db), clock.now()
    where = f"/v1/ledger/holds/{ids.new(now)}"
    said = {
        "account": account,
        "amount_minor": OWED,
        "reason": "争议处理期间暂留",
        "expires_at": rfc3339.to_the_second(now + timedelta(days=9)),
    }
    async with signed_client(context, role="operator") as (client, _):
        made = await client.put(where, json=said)
        assert made.status_code == 201, made.text
        assert (await client.put(where, json=said)).status_code == 200
        more = await client.put(f"{where[:-1]}{'0' if where[-1] != '0' else '1'}", json=said)
        assert (more.status_code, more.json()["code"]) == (409, "account-limit-reached")
        before = UUID(int=UUID(where[-36:]).int - 1)
        held = (await client.get(f"/v1/ledger/holds?after={before}")).json()["items"]
        assert where[-36:] in [one["id"] for one in held]
        for _ in range(2):
            ended = await client.post(f"{where}/release")
            assert ended.json()["outcome"] == "released"


async def test_a_quote_is_kept_to_the_last_digit(context: Context) -> None:
    now = clock.now()
    where = f"/v1/ledger/quotes/{ids.new(now)}"
    said = {
        "base": "USD", "counter": "CNY", "rate": "7.1023", "source": "中间价",
        "quoted_at": rfc3339.to_the_second(now),
        "valid_until": rfc3339.to_the_second(now + timedelta(hours=2)),
    }  # fmt: skip
    async with signed_client(context, role="operator") as (client, _):
        assert (await client.put(where, json=said)).status_code == 201
        kept = await client.get(where)
        assert kept.json()["rate"] == "7.1023"
        wrong = await client.put(f"{where[:-4]}abcd", json={**said, "counter": "USD"})
        assert wrong.json()["code"] == "rate-invalid"


async def test_an_account_is_frozen_on_the_pages_by_two_people(
    context: Context, db: Database
) -> None:
    account = await an_account(db)
    where = f"/console/ledger/orders/{ids.new(clock.now())}"
    async with browser(context) as first, browser(context) as second:
        await enter(first, await someone(context, "approver"))
        await enter(second, await someone(context, "approver"))
        page = (await first.get(f"/console/ledger/orders?account={account}")).text
        form = {
            "csrf_token": token_in(page), "order_id": where[-36:], "kind": "mark",
            "account": account, "status": "frozen", "reason": "court order",
        }  # fmt: skip
        assert f'value="{account}"' in page
        made = await first.post("/console/ledger/orders", data=form)
        assert (made.status_code, made.headers.get("location")) == (303, where), made.text
        own = (await first.get(where)).text
        assert "You prepared this; another person decides." in own
        shown = (await second.get(where)).text
        found = re.search(r'id="content-hash">([0-9a-f]{64})<', shown)
        assert found and "court order" in shown and "Freeze it" in shown
        form = {"content_sha256": found[1], "password": PASSWORD}
        for who, status in ((first, 403), (second, 303)):
            token = token_in((await who.get("/console/ledger/orders")).text)
            done = await who.post(f"{where}/approval", data={**form, "csrf_token": token})
            assert done.status_code == status, done.text
        zh = (await second.get(f"{where}?lang=zh-CN")).text
        assert "冻结或注销科目" in zh and "账务指令" in zh


async def test_a_journal_is_typed_in_major_units_and_money_is_held_on_a_page(
    context: Context, db: Database
) -> None:
    account = await an_account(db)
    async with browser(context) as client:
        await enter(client, await someone(context, "operator"))
        token = token_in((await client.get("/console/ledger/orders")).text)
        where = f"/console/ledger/orders/{ids.new(clock.now())}"
        form = {
            "csrf_token": token, "order_id": where[-36:], "kind": "journal", "reason": "fee",
            "account-1": account, "debit-1": "12.34",
            "explains-1": journal(account, 1)["lines"][0]["explains"],
            "account-2": "expense:bank-fees:CNY", "credit-2": "12.34",
        }  # fmt: skip
        made = await client.post("/console/ledger/orders", data=form)
        assert made.status_code == 303, made.text
        shown = (await client.get(where)).text
        assert shown.count("12.34") == 2 and form["explains-1"] in shown
        hold = {
            "csrf_token": token, "hold_id": str(ids.new(clock.now())), "account": account,
            "amount": "1.00", "reason": "kept back", "expires_at": "2099-01-01T00:00",
        }  # fmt: skip
        made = await client.post("/console/ledger/holds", data=hold)
        assert made.status_code == 303, made.text
        gone = await client.post(
            f"/console/ledger/holds/{hold['hold_id']}/release", data={"csrf_token": token}
        )
        assert gone.status_code == 303
        assert "Money held" in (await client.get("/console/ledger/holds")).text


async def test_an_order_is_given_and_approved_at_a_terminal(
    context: Context, db: Database, tmp_path: Path
) -> None:
    account = await an_account(db)
    one, other = (await approvers(context)).values()
    file = tmp_path / "order.json"
    file.write_text(json.dumps(order({"kind": "journal", **journal(account, 700)})))
    async with served(context) as site:

        async def ask(key: str, *words: str) -> tuple[int, str]:
            command = [*words, "--exchange", site, "--api-key", key]
            return await anyio.to_thread.run_sync(run, app, *command)

        status, said = await ask(one, "order", str(file))
        assert status == 0 and "another person runs" in said, said
        order_id, sha256 = said.split("approve ")[1].split()
        waiting = json.loads((await ask(one, "orders", "--json"))[1])["orders"]
        assert order_id in [one["id"] for one in waiting]
        assert (await ask(one, "approve", order_id, sha256))[0] == 1
        status, said = await ask(other, "approve", order_id, sha256)
        assert status == 0 and f"booked as order:{order_id}" in said, said
        today = clock.now().date()
        days = ("--from", str(today - timedelta(days=1)), "--until", str(today + timedelta(days=1)))
        status, said = await ask(one, "statement", account, *days, "--json")
        told = json.loads(said)
        assert status == 0 and told["closing_minor"] == -OWED + 700
        until = rfc3339.to_the_second(clock.now() + timedelta(days=3))
        held = await ask(
            one, "hold", account, "--amount-minor", "5", "--until", until, "--reason", "x"
        )
        assert held[0] == 0, held
        hold_id = held[1].split()[1]
        assert (await ask(one, "release", hold_id)) == (0, f"hold {hold_id} is released\n")
