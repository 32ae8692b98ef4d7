"""Invariant 30: the same key and request get the same answer, another one a refusal, two at once
make one effect; over the API, with the application as it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import Money
from exchange import clock, idempotency, worker
from exchange.context import Context
from exchange.idempotency import IdempotencyKeyReused
from exchange.tables import IdempotencyKey
from settlement.ledger import queries as books
from tests.conftest import NOW
from tests.exchange.identity_factory import signed_client
from tests.settlement.approvals_factory import proved
from tests.settlement.batches_factory import approver, waiting
from tests.settlement.orders_factory import journal, owed
from tests.settlement.settlement_factory import invoiced, paid, with_accounts

PRICE = Money(900_001, "CNY")


@dataclass
class Waiting:
    """A payout that waits, and an approver's client."""

    context: Context
    client: httpx.AsyncClient
    payout_id: UUID
    sha256: str

    @property
    def where(self) -> str:
        return f"/v1/payouts/{self.payout_id}/approval"

    async def said(self) -> dict[str, str]:
        return await proved(self.client, content_sha256=self.sha256)

    async def journals(self) -> int:
        return await self._count(
            "SELECT count(*) FROM ledger_journal WHERE idem_key = :key",
            f"payout:{self.payout_id}:approved",
        )

    async def kept(self, key: str) -> int:
        return await self._count("SELECT count(*) FROM idempotency_key WHERE key = :key", key)

    async def _count(self, query: str, key: str) -> int:
        async with self.context.db.sessions() as session:
            return int(await session.scalar(text(query), {"key": key}) or 0)


@pytest.fixture
async def there(context: Context) -> AsyncIterator[Waiting]:
    async with context.db.transaction() as session:
        payout = await waiting(session, PRICE, now=clock.now())
    async with signed_client(context, role="approver") as (client, _):
        yield Waiting(context, client, payout.id, payout.content_sha256)


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def test_invariant_30_the_same_request_again_gets_the_first_answer_and_is_done_once(
    there: Waiting,
) -> None:
    said, key = await there.said(), str(uuid4())
    first = await there.client.post(there.where, json=said, headers=keyed(key))
    assert (first.status_code, first.json()["state"]) == (200, "approved")
    assert "Idempotent-Replayed" not in first.headers
    again = await there.client.post(there.where, json=said, headers=keyed(key))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert await there.journals() == 1


@pytest.mark.parametrize("other", ["body", "path"])
async def test_invariant_30_another_request_under_the_key_is_refused(
    there: Waiting, other: str
) -> None:
    said, key = await there.said(), str(uuid4())
    first = await there.client.post(there.where, json=said, headers=keyed(key))
    assert first.status_code == 200
    where, body = there.where, {**said, "proof": str(uuid4())}
    if other == "path":
        where, body = f"/v1/payouts/{uuid4()}/approval", said
    refused = await there.client.post(where, json=body, headers=keyed(key))
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency-key-reused")
    assert refused.json()["sent_at"]


async def test_invariant_30_of_many_at_once_one_executes_and_all_get_its_answer(
    there: Waiting,
) -> None:
    said, key = await there.said(), str(uuid4())
    answers = await asyncio.gather(
        *(there.client.post(there.where, json=said, headers=keyed(key)) for _ in range(6))
    )
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer for answer in answers if "Idempotent-Replayed" in answer.headers]
    assert (len(replayed), await there.journals(), await there.kept(key)) == (5, 1, 1)


async def test_a_refused_request_keeps_no_key_and_may_be_sent_again(there: Waiting) -> None:
    key = str(uuid4())
    wrong = {"content_sha256": there.sha256, "proof": str(uuid4())}
    for _ in range(2):
        refused = await there.client.post(there.where, json=wrong, headers=keyed(key))
        assert (refused.status_code, refused.json()["code"]) == (403, "proof-needed")
    assert await there.kept(key) == 0
    done = await there.client.post(there.where, json=await there.said(), headers=keyed(key))
    assert (done.status_code, await there.kept(key)) == (200, 1)


async def test_a_key_is_its_senders_own(there: Waiting) -> None:
    said, key = await there.said(), str(uuid4())
    first = await there.client.post(there.where, json=said, headers=keyed(key))
    assert first.status_code == 200
    async with signed_client(there.context, role="approver") as (other, _):
        answer = await other.post(there.where, json=said, headers=keyed(key))
        assert "Idempotent-Replayed" not in answer.headers
        assert answer.status_code in (403, 409)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256], ids=["empty", "space", "long"])
async def test_a_key_that_is_none_is_refused(there: Waiting, key: str) -> None:
    answer = await there.client.post(there.where, json=await there.said(), headers=keyed(key))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-content")


async def test_who_is_not_signed_in_learns_no_answer(there: Waiting) -> None:
    said, key = await there.said(), str(uuid4())
    assert (await there.client.post(there.where, json=said, headers=keyed(key))).is_success
    stranger = httpx.AsyncClient(transport=there.client._transport, base_url=there.client.base_url)
    answer = await stranger.post(there.where, json=said, headers=keyed(key))
    assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-needed")


async def test_a_journal_by_hand_is_booked_once_for_its_key(context: Context) -> None:
    async with context.db.transaction() as session:
        account = await owed(session, now=clock.now())
    async with (
        signed_client(context, role="operator") as (maker, _),
        signed_client(context, role="approver") as (checker, _),
    ):
        where = f"/v1/ledger/orders/{uuid4()}"
        body = {"what": {"kind": "journal", **journal(account, 100)}, "reason": "补记"}
        made = await maker.put(where, json=body)
        assert made.status_code == 201, made.text
        said = await proved(checker, content_sha256=made.json()["content_sha256"])
        both = await asyncio.gather(
            *(checker.post(f"{where}/approval", json=said, headers=keyed("once")) for _ in range(2))
        )
        assert [one.status_code for one in both] == [200, 200]
        assert both[0].content == both[1].content
    async with context.db.sessions() as session:
        assert [fault for fault in await books.check(session) if account in fault] == []


async def order(session: AsyncSession) -> tuple[str, dict[str, Any]]:
    account = await owed(session, now=clock.now())
    what = {"kind": "journal", **journal(account, 100)}
    return f"/v1/ledger/orders/{uuid4()}", {"what": what, "reason": "补记"}


async def payout(session: AsyncSession) -> tuple[str, dict[str, Any]]:
    trade = await invoiced(session, price=PRICE, now=clock.now())
    await paid(session, trade, now=clock.now())
    await with_accounts(session, trade, now=clock.now())
    return f"/v1/payouts/{uuid4()}", {"deal_id": str(trade.deal_id)}


async def quote(_: AsyncSession) -> tuple[str, dict[str, Any]]:
    now = clock.now()
    until = (now + timedelta(hours=1)).isoformat()
    said = {"base": "USD", "counter": "CNY", "rate": "7.1", "source": "test"}
    return f"/v1/ledger/quotes/{uuid4()}", {
        **said, "quoted_at": now.isoformat(), "valid_until": until
    }  # fmt: skip


@pytest.mark.parametrize("asked", [order, payout, quote], ids=["order", "payout", "quote"])
async def test_invariant_30_of_many_puts_at_once_one_makes_it_and_the_others_find_it(
    context: Context, asked: Callable[[AsyncSession], Awaitable[tuple[str, dict[str, Any]]]]
) -> None:
    async with context.db.transaction() as session:
        where, body = await asked(session)
    async with signed_client(context, role="operator") as (client, _):
        answers = await asyncio.gather(*(client.put(where, json=body) for _ in range(6)))
        assert sorted(one.status_code for one in answers) == [200] * 5 + [201]
        assert len({one.content for one in answers}) == 1


async def test_a_key_waits_for_the_transaction_that_holds_it(session: AsyncSession) -> None:
    who = await approver(session, now=NOW)
    taken = {"person_id": who, "key": "k", "request_sha256": "0" * 64, "now": NOW}
    assert await idempotency.take(session, **taken) is None
    await idempotency.keep_answer(
        session, person_id=who, key="k", status=201, content_type=None, answer=b"{}"
    )
    known = await idempotency.take(session, **taken)
    assert known is not None and (known.status, known.answer) == (201, b"{}")
    with pytest.raises(IdempotencyKeyReused):
        await idempotency.take(session, **{**taken, "request_sha256": "1" * 64})


@pytest.mark.parametrize(
    "attack",
    ["answer = 'x'", "status = NULL, answer = NULL", "request_sha256 = repeat('1', 64)"],
    ids=["another answer", "no answer", "another request"],
)
async def test_an_answer_stays_in_sql(session: AsyncSession, attack: str) -> None:
    who = await approver(session, now=NOW)
    await idempotency.take(session, person_id=who, key="k", request_sha256="0" * 64, now=NOW)
    await idempotency.keep_answer(
        session, person_id=who, key="k", status=200, content_type=None, answer=b""
    )
    update = f"UPDATE idempotency_key SET {attack} WHERE person_id = :who"
    with pytest.raises(DBAPIError, match="answered once"):
        await session.execute(text(update), {"who": who})


async def test_the_worker_forgets_keys_after_thirty_days(context: Context) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        who = await approver(session, now=now)
        for key, age in (("old", idempotency.KEPT), ("young", timedelta(days=29))):
            await idempotency.take(
                session, person_id=who, key=key, request_sha256="0" * 64, now=now - age
            )
    while await worker.drop_expired(context):
        pass
    async with context.db.sessions() as session:
        assert await session.get(IdempotencyKey, (who, "old")) is None
        assert await session.get(IdempotencyKey, (who, "young")) is not None
