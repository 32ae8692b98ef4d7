"""Refunds and disputes on pages: two people, a due date, and what the parties see."""

import re
from uuid import UUID

import httpx
from sqlmodel import col, select

from contracts import ids
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from settlement.disputes import service as disputing
from settlement.disputes.tables import Dispute
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, someone, token_in
from tests.settlement.returns_factory import disputed
from tests.settlement.test_refunds import bought

REASON = "the licence was withdrawn"


async def send(
    client: httpx.AsyncClient, on: str, path: str, **fields: str
) -> tuple[int, str, httpx.Response]:
    token = token_in((await client.get(on)).text)
    done = await client.post(path, data={"csrf_token": token, **fields})
    return done.status_code, done.text, done


def hash_of(page: str) -> str:
    found = re.search(r'id="content-hash">([0-9a-f]{64})<', page)
    assert found
    return found[1]


async def prepared(client: httpx.AsyncClient, deal: str, payment: str) -> str:
    """Prepare a refund on the page of the settlement; return the refund's address."""
    here, refund_id = f"/console/settlements/{deal}", str(ids.new(clock.now()))
    assert f'value="{payment}"' in (await client.get(here)).text
    status, said, done = await send(
        client, here, "/console/refunds", refund_id=refund_id, payment_id=payment,
        currency="CNY", amount="7.00", reason=REASON,
    )  # fmt: skip
    assert status == 303, said
    return str(done.headers["location"])


async def test_a_refund_is_prepared_by_one_and_approved_by_another_on_the_pages(
    context: Context, db: Database
) -> None:
    trade, payment_id, _, _ = await bought(db)
    one, other = await someone(context, "approver"), await someone(context, "approver")
    async with browser(context) as first, browser(context) as second:
        await enter(first, one)
        await enter(second, other)
        where = await prepared(first, str(trade.deal_id), str(payment_id))
        own = (await first.get(where)).text
        assert "You prepared this; another person decides." in own and REASON in own
        seen = {"content_sha256": hash_of(own), "password": PASSWORD}
        status, said, _ = await send(first, where, f"{where}/approval", **seen)
        assert status == 403 and "same-person" in said
        queue = (await first.get("/console")).text
        row = queue[queue.index(where) :].split("</tr>")[0]
        assert "Another person decides." in row and "<time" in row
        status, said, _ = await send(
            second, where, f"{where}/approval", **{**seen, "password": "not mine"}
        )
        assert status == 403 and "password-wrong" in said
        status, said, _ = await send(second, where, f"{where}/approval", **seen)
        assert status == 303, said
        shown = (await second.get(where)).text
        assert "On its way back" in shown and "Who gives it back" in shown
        assert where not in (await second.get("/console")).text
        assert where in (await second.get("/console/refunds?after=" + before(where))).text
    await what_the_buyer_sees(context, trade.buyer.id)


def before(where: str) -> str:
    """An id just before the refund's: lists begin after it."""
    return str(UUID(int=UUID(where[-36:]).int - 1))


async def what_the_buyer_sees(context: Context, party_id: UUID) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        buyer = await person(session, party_id=party_id, role="broadcaster", now=now)
    async with browser(context) as client:
        await enter(client, buyer)
        page = (await client.get("/money")).text
        told = page[page.index('id="returns"') :]
        assert REASON in told and "On its way back" in told and "7.00" in told


async def test_a_refused_refund_says_why(context: Context, db: Database) -> None:
    trade, payment_id, _, _ = await bought(db)
    async with browser(context) as first, browser(context) as second:
        await enter(first, await someone(context, "operator"))
        await enter(second, await someone(context, "approver"))
        where = await prepared(first, str(trade.deal_id), str(payment_id))
        page = (await first.get(where)).text
        assert "Only an approver" not in page and "another person decides" in page
        seen = hash_of(page)
        status, said, _ = await send(
            second, where, f"{where}/refusal", content_sha256=seen, reason="金额有误"
        )
        assert status == 303, said
        assert "金额有误" in (await first.get(where)).text


async def test_a_dispute_shows_until_when_evidence_is_due(context: Context, db: Database) -> None:
    _, payment_id, _, _ = await bought(db)
    async with db.transaction() as session:
        now = clock.now()
        await disputing.apply_seen(
            session, payment_id, disputed(payment_id.hex, 900, "needs_response"), now=now
        )
        dispute = await session.scalar(select(Dispute).where(col(Dispute.payment_id) == payment_id))
        assert dispute is not None
        where = f"/console/disputes/{dispute.id}"
    async with browser(context) as client:
        await enter(client, await someone(context, "operator"))
        page = (await client.get(where)).text
        assert "fraudulent" in page and "/evidence" in page and "9.00" in page
        listed = (await client.get(f"/console/disputes?after={before(where)}")).text
        assert where in listed
        queue = (await client.get("/console")).text
        assert where in queue
        zh = (await client.get(f"{where}?lang=zh-CN")).text
        assert "拒付争议" in zh and "证据包" in zh


async def test_staff_alone_open_these_pages(context: Context) -> None:
    holder = await someone(context, "holder")
    async with browser(context) as client:
        await enter(client, holder)
        for path in ("/console/refunds", "/console/disputes"):
            assert (await client.get(path)).status_code in (403, 404)
