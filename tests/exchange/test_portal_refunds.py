"""Refunds and disputes on pages: two people, a due date, and what the parties see."""

import re
from uuid import UUID

import httpx
from sqlmodel import col, select

from contracts import ids
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from settlement.disputes import queries as disputes
from settlement.disputes import service as disputing
from settlement.disputes.tables import Dispute
from tests.exchange.identity_factory import PASSWORD, person, signed_client
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, someone, token_in
from tests.settlement import returns_factory as returning
from tests.settlement.resent_factory import failed as failing
from tests.settlement.returns_factory import disputed
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import payment

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


async def test_a_failed_refund_is_in_the_queue_until_another_person_sends_it_again(
    context: Context, db: Database
) -> None:
    failed = await failing(db)
    where = f"/console/refunds/{failed.refund.id}"
    async with browser(context) as first, browser(context) as second:
        await enter(first, await someone(context, "operator"))
        await enter(second, await someone(context, "approver"))
        assert f"{where}#again" in (await first.get("/console")).text
        page = (await first.get(where)).text
        assert "still owed" in page and "Prepare to send it again" in page
        zh = (await first.get(f"{where}?lang=zh-CN")).text
        assert "款项仍欠付款方" in zh and "经办重新退款" in zh
        await first.get(f"{where}?lang=en")
        resend_id = str(ids.new(clock.now()))
        sent = {"resend_id": resend_id, "reason": REASON}
        status, said, _ = await send(
            first, where, f"{where}/resends", goes_to="verified-account", **sent
        )
        assert status == 409 and "refund-account-missing" in said
        status, said, done = await send(first, where, f"{where}/resends", goes_to="card", **sent)
        assert status == 303, said
        again = str(done.headers["location"])
        queue = (await first.get("/console")).text
        assert f"{where}#again" not in queue and again in queue
        page = (await second.get(again)).text
        assert where in page and "You prepared this" not in page
        seen = {"content_sha256": hash_of(page), "password": PASSWORD}
        status, said, _ = await send(second, again, f"{again}/approval", **seen)
        assert status == 303, said
        page = (await second.get(where)).text
        assert again in page and "Prepare to send it again" not in page


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
        assert "not authorised" in page and "/evidence" in page and "9.00" in page
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


async def test_the_parties_of_a_refund_and_a_dispute_read_theirs_and_nobody_elses(
    context: Context, db: Database
) -> None:
    trade, payment_id, _, _ = await bought(db)
    people = await returning.staff(db)
    refund = await returning.refunded(db, await payment(db, payment_id), 9_000, people)
    now = clock.now()
    async with db.transaction() as session:
        seen = disputed(payment_id.hex, 900, "needs_response")
        await disputing.apply_seen(session, payment_id, seen, now=now)
        dispute = await disputes.find_open(session, payment_id)
        assert dispute is not None
    where = {f"/v1/refunds/{refund.id}": 200, f"/v1/disputes/{dispute.id}": 200}
    for home, role, of_dispute in (
        (trade.buyer, "broadcaster", 200), (trade.owners[0], "holder", 404), (None, "holder", 404),
    ):  # fmt: skip
        kept = {**where, f"/v1/disputes/{dispute.id}": of_dispute}
        if home is None:
            kept = dict.fromkeys(where, 404)
        async with signed_client(context, role=role, of=home) as (client, _):
            for path, status in kept.items():
                assert (await client.get(path)).status_code == status, path
            if home is None:
                continue
            told = (await client.get(f"/v1/refunds/{refund.id}")).json()
            assert (told["prepared_by"], told["decided_by"]) == (None, None)
            assert {one["payee_id"] for one in told["given_back"]} <= {str(home.id)}
            listed = (await client.get("/v1/refunds")).json()["items"]
            assert [one["id"] for one in listed] == [str(refund.id)]
            assert len((await client.get("/v1/disputes")).json()["items"]) == (of_dispute == 200)
