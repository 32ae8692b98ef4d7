"""Declining, notices and amendments over HTTP, and the worker that fires their timers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts import ids
from contracts.deals import ending, queries, timers
from contracts.deals.tables import Deal
from contracts.facts import queries as facts
from contracts.facts.rules import SealedFact
from exchange import clock, deal_verbs, reactions, worker
from exchange.context import Context
from listings.incidents import service as incidents
from tests.contracts.deals_factory import opened_deal
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import signed_client
from tests.exchange.portal_site import turn
from tests.exchange.test_deals_endpoints import Desk, code, desk

__all__ = ["desk"]  # the fixture
REASON = {"reason": " 预算被削减 "}
DAYS = {"changes": [{"op": "replace", "path": "/parameters/cure_days", "value": 45}]}
BREACH = {"kind": "breach", "text": "许可费至今未付。"}


async def life(desk: Desk, *, of: UUID | None = None) -> dict[str, object]:
    answer = await desk.licensor.get(f"/v1/deals/{of or desk.deal.id}/life")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_a_party_declines_and_both_sides_see_it(desk: Desk) -> None:
    path = f"{desk.path}/refusal"
    assert code(await desk.stranger.post(path, json=REASON), 404) == "unknown"
    assert code(await desk.auditor.post(path, json=REASON), 403) == "not-allowed"
    for body in ({}, {"reason": " "}, {"reason": "x" * 501}):
        assert code(await desk.licensee.post(path, json=body), 422) == "invalid-content"
    done = await desk.licensee.post(path, json=REASON)
    assert (done.status_code, done.json()["signing"]) == (200, "declined")
    assert (await desk.licensee.post(path, json=REASON)).json() == done.json()
    told = await life(desk)
    assert (told["signing"], told["end"], told["may"]) == ("declined", "none", [])
    assert told["declined_by"] == done.json()["licensee"]["id"]
    assert code(await desk.licensor.post(path, json=REASON), 409) == "deal-declined"
    begin = f"{desk.path}/signing-sessions/{ids.new(clock.now())}"
    body = {"key_id": str(desk.signatories["licensor"].key.id)}
    assert code(await desk.licensor.put(begin, json=body), 409) == "deal-declined"


async def test_a_deal_is_signed_amended_and_ended_by_agreement(
    desk: Desk, context: Context
) -> None:
    at_first = await life(desk)
    assert at_first["may"] == ["sign", "decline"]
    assert [one["kind"] for one in at_first["timers"]] == [
        "signing-reminder", "signing-expiry",
    ]  # fmt: skip
    amendment_id = ids.new(clock.now())
    path = f"{desk.path}/amendments/{amendment_id}"
    assert code(await desk.licensee.put(path, json=DAYS), 409) == "deal-not-in-force"
    await desk.sign("licensor")
    await desk.sign("licensee")
    wrong = {"changes": [{"op": "replace", "path": "/consideration/amount", "value": 1}]}
    assert code(await desk.licensee.put(path, json=wrong), 422) == "not-amendable"
    assert code(await desk.stranger.put(path, json=DAYS), 404) == "unknown"
    assert [(await desk.licensee.put(path, json=DAYS)).status_code for _ in range(2)] == [201, 200]
    now = clock.now()
    opened = SealedFact(
        1, ids.new(now), "deal.opened", amendment_id, [], {"deal": str(amendment_id)}, now
    )
    async with context.db.transaction() as session:
        await deal_verbs.certify_deal(context, session, opened, now)
    async with context.db.transaction() as session:
        amendment = await queries.get_deal(session, amendment_id)
    amended = Desk(
        amendment, desk.licensor, desk.licensee, desk.stranger, desk.auditor, desk.signatories
    )
    await amended.sign("licensor")
    signed = (await amended.sign("licensee")).json()
    assert (signed["signing"], signed["supersedes"]) == ("executed", str(desk.deal.id))
    base, told = await life(desk), await life(desk, of=amendment_id)
    assert [one["kind"] for one in told["timers"]] == ["window-end"]
    assert base["timers"] == []
    assert (base["end"], base["amended_by"]) == ("superseded", str(amendment_id))
    assert (told["end"], told["amends"], told["changes"]) == (
        "in_force", str(desk.deal.id), DAYS["changes"],
    )  # fmt: skip
    assert (await desk.licensor.get(f"{amended.path}/contract.pdf")).status_code == 200


async def test_both_sides_end_a_deal_by_agreement(desk: Desk) -> None:
    await desk.sign("licensor")
    await desk.sign("licensee")
    notice = f"{desk.path}/notices/{ids.new(clock.now())}"
    offer = {"kind": "mutual", "text": "频道停播"}
    assert [(await desk.licensee.put(notice, json=offer)).status_code for _ in range(2)] == [
        201, 200,
    ]  # fmt: skip
    for who, answer in ((desk.licensee, "agreed"), (desk.licensor, "withdrawn")):
        wrongly = await who.post(f"{notice}/answer", json={"answer": answer})
        assert code(wrongly, 409) == "answer-not-possible"
    agreed = await desk.licensor.post(f"{notice}/answer", json={"answer": "agreed"})
    assert (agreed.status_code, agreed.json()["outcome"]) == (200, "terminated")
    over = await life(desk)
    assert (over["end"], over["end_cause"], over["may"]) == ("terminated", "mutual", [])


async def test_a_notice_is_received_once_it_is_logged_and_cured_in_time(
    desk: Desk, context: Context
) -> None:
    await desk.sign("licensor")
    await desk.sign("licensee")
    path = f"{desk.path}/notices/{ids.new(clock.now())}"
    half = {**BREACH, "key_id": str(desk.signatories["licensor"].key.id)}
    assert code(await desk.licensor.put(path, json=half), 422) == "bad-signature"
    given = (await desk.licensor.put(path, json=BREACH)).json()
    assert (given["received_at"], given["cure_by"]) == (None, None)
    await turn(context)
    while await worker.fire_timers(context):
        pass
    (received,) = (await life(desk))["notices"]
    assert received["received_at"] == given["given_at"]
    left = datetime.fromisoformat(received["cure_by"]) - datetime.fromisoformat(given["given_at"])
    assert timedelta(days=30) < left <= timedelta(days=31)
    cured = await desk.licensor.post(f"{path}/answer", json={"answer": "cured"})
    assert cured.json()["outcome"] == "cured"
    again = await desk.licensor.post(f"{path}/answer", json={"answer": "withdrawn"})
    assert code(again, 409) == "notice-settled"


async def test_only_an_operator_rescinds_and_only_what_is_in_force(
    desk: Desk, context: Context
) -> None:
    path = f"{desk.path}/rescission"
    assert code(await desk.licensor.post(path, json=REASON), 403) == "not-allowed"
    async with signed_client(context, role="operator") as (operator, _):
        assert code(await operator.post(path, json=REASON), 409) == "deal-not-in-force"
        await desk.sign("licensor")
        await desk.sign("licensee")
        done = await operator.post(path, json=REASON)
        assert (done.status_code, done.json()["ended"]) == (200, "rescinded")
        assert (await operator.get(f"{desk.path}/life")).json()["may"] == []


@pytest.fixture
async def overdue(context: Context) -> AsyncIterator[Deal]:
    """A deal that nobody has signed for a month."""
    old = clock.now() - timedelta(days=31)
    async with context.db.transaction() as session:
        licensor = await party(session, kind="rights_holder", now=old)
        licensee = await party(session, kind="broadcaster", now=old)
        deal = await opened_deal(session, licensor=licensor, licensee=licensee, now=old)
    yield deal


async def expiries(context: Context, deal: Deal) -> tuple[str, int]:
    async with context.db.transaction() as session:
        found = await queries.get_deal(session, deal.id)
        return found.signing, len(await facts.all_of(session, deal.id, "deal.expired"))


async def test_invariant_37_a_worker_killed_between_firing_and_commit_leaves_the_timer_due(
    context: Context, overdue: Deal
) -> None:
    class KilledError(Exception):
        """The process is gone before its COMMIT."""

    now = clock.now()
    with pytest.raises(KilledError):
        async with context.db.transaction() as session:
            while await timers.fire_due(session, now=now):
                pass
            raise KilledError
    assert await expiries(context, overdue) == ("drafted", 0)
    while await worker.fire_timers(context):
        pass
    assert await expiries(context, overdue) == ("expired", 1)


async def test_invariant_37_two_workers_at_once_fire_a_timer_once(
    context: Context, overdue: Deal
) -> None:
    async def one_worker() -> None:
        for _ in range(3):
            await worker.fire_timers(context)

    await asyncio.gather(*(one_worker() for _ in range(4)))
    while await worker.fire_timers(context):
        pass
    assert await expiries(context, overdue) == ("expired", 1)
    async with context.db.transaction() as session:
        rows = await session.execute(
            text("SELECT kind, outcome FROM deal_timer WHERE deal_id = :id ORDER BY kind"),
            {"id": overdue.id},
        )
        assert [tuple(row) for row in rows] == [
            ("signing-expiry", "fired"), ("signing-reminder", "moot"),
        ]  # fmt: skip


def test_refusals_and_expiries_free_deposits_by_reactions() -> None:
    for kind, name in (
        ("deal.declined", "free-after-refusal"), ("deal.expired", "free-after-expiry"),
    ):  # fmt: skip
        assert name in [one.name for one in reactions.woken_by(kind)]


@pytest.mark.parametrize(("side", "defaults"), [("licensee", True), ("licensor", False)])
async def test_a_winner_that_declines_can_be_left_out_and_a_seller_that_declines_cannot(
    context: Context, side: str, defaults: bool
) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        licensor = await party(session, kind="rights_holder", now=now)
        licensee = await party(session, kind="broadcaster", now=now)
        deal = await opened_deal(session, licensor=licensor, licensee=licensee, now=now)
        who = licensor if side == "licensor" else licensee
        await ending.decline(session, deal.id, party_id=who.id, reason="no", now=now)
        auction = type("Sold", (), {"id": deal.auction_id})()
        found = await incidents._deal(session, auction, licensee.id)
        assert (found is not None) is defaults
