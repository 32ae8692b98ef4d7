"""`exchange refunds` and `exchange disputes` at a terminal."""

import json
import re

import anyio
import pytest

from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.refunds_cli import disputes, refunds
from tests.exchange.portal_site import served
from tests.exchange.terminal_factory import approvers, run
from tests.settlement.resent_factory import failed
from tests.settlement.returns_factory import of_a_payment
from tests.settlement.test_refunds import bought
from tests.settlement.test_wire_refunds import wired


@pytest.fixture
async def keys(context: Context) -> dict[str, str]:
    return await approvers(context)


async def test_two_people_give_a_transfer_back_at_the_terminal(
    context: Context, keys: dict[str, str]
) -> None:
    async with context.db.transaction() as session:
        one = await wired(session)
    async with served(context) as site:
        first = ["--exchange", site, "--api-key", keys["one"]]
        second = ["--exchange", site, "--api-key", keys["other"]]

        async def say(*words: str) -> tuple[int, str]:
            return await anyio.to_thread.run_sync(lambda: run(refunds, *words))

        much = ["draft", str(one.payment_id), "999999999", "EUR", "--reason", "ended"]
        status, said = await say(*much, "--to", "payer-account", *first)
        assert (status, "refund-too-large" in said) == (1, True), said
        asked = ["draft", str(one.payment_id), "12345", "EUR", "--reason", "ended"]
        status, said = await say(*asked, "--to", "payer-account", *first)
        assert (status, "123.45 EUR" in said) == (0, True), said
        told = re.search(r"approve (\S+) ([0-9a-f]{64})", said)
        assert told is not None
        status, said = await say("approve", *told.groups(), *first)
        assert (status, "same-person" in said) == (1, True), said
        status, said = await say("approve", *told.groups(), *second)
        assert (status, f"exchange bank fetch {told[1]}" in said) == (0, True), said
        status, said = await say("refuse", *told.groups(), "--reason", "late", *second)
        assert (status, "already-decided" in said) == (1, True), said
        status, said = await say("show", told[1], *first)
        assert json.loads(said)["to_account"] == f"iban:{one.came_from}"
        status, said = await say("list", "--state", "approved", "--json", *first)
        assert told[1] in [each["id"] for each in json.loads(said)["refunds"]]


async def test_two_people_send_a_failed_refund_again_at_the_terminal(
    context: Context, db: Database, keys: dict[str, str]
) -> None:
    one = await failed(db, 777)
    async with served(context) as site:
        first = ["--exchange", site, "--api-key", keys["one"]]
        second = ["--exchange", site, "--api-key", keys["other"]]

        async def say(*words: str) -> tuple[int, str]:
            return await anyio.to_thread.run_sync(lambda: run(refunds, *words))

        again = ["resend", str(one.refund.id), "--reason", "anew", "--to"]
        status, said = await say(*again, "verified-account", *first)
        assert (status, "refund-account-missing" in said) == (1, True), said
        status, said = await say(*again, "card", *first)
        assert (status, "7.77 CNY" in said) == (0, True), said
        told = re.search(r"approve (\S+) ([0-9a-f]{64})", said)
        assert told is not None
        status, said = await say("approve", *told.groups(), *first)
        assert (status, "same-person" in said) == (1, True), said
        status, said = await say("approve", *told.groups(), *second)
        assert (status, "is approved" in said) == (0, True), said
        status, said = await say("show", str(one.refund.id), *first)
        assert json.loads(said)["resent_as"] == told[1]
        status, said = await say("show", told[1], *first)
        assert json.loads(said)["resends"] == str(one.refund.id)
        status, said = await say(*again, "card", *first)
        assert (status, "refund-open" in said) == (1, True), said


async def test_a_dispute_is_read_at_the_terminal(
    context: Context, db: Database, keys: dict[str, str]
) -> None:
    _, payment_id, _, _ = await bought(db)
    async with db.transaction() as session:
        named = await of_a_payment(session, payment_id, now=clock.now())
    async with served(context) as site:
        where = ["--exchange", site, "--api-key", keys["one"]]

        async def say(*words: str) -> tuple[int, str]:
            return await anyio.to_thread.run_sync(lambda: run(disputes, *words, *where))

        status, said = await say("show", named["dispute_id"])
        assert (status, json.loads(said)["state"]) == (0, "inquiry")
        status, said = await say("list", "--json")
        listed = {one["id"]: one for one in json.loads(said)["disputes"]}
        assert named["dispute_id"] in listed
        status, said = await say("list")
        assert (status, "inquiry" in said) == (0, True)
