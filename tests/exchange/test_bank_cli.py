"""`exchange bank`: statements read and imported, payment files made, at a terminal."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import httpx
import pytest

from contracts.money import Money
from exchange import clock
from exchange.bank_cli import app
from exchange.context import Context
from settlement.bank import queries as files
from settlement.bank.tables import BankAccount, PaymentBatch
from tests.exchange.portal_site import served
from tests.exchange.terminal_factory import approvers, run
from tests.settlement.bank_factory import (
    Bank,
    approved_payout,
    iban,
    reported,
    with_bank_account,
)
from tests.settlement.settlement_factory import invoiced

VECTORS = Path(__file__).parents[1] / "vectors" / "bank"
PRICE = Money(300_000, "GBP")  # a currency of its own: a payment file takes all that waits in one


def test_reading_tells_sums_and_warnings_and_asks_nobody() -> None:
    status, said = run(app, "read", str(VECTORS / "mt940/self-provided-february_30.sta"))
    assert status == 0
    assert "opening 1200.00 EUR, 1 entries -6.00 EUR, closing 1194.00 EUR" in said
    assert "warning: The value date 160230 does not exist." in said


def test_a_file_that_does_not_add_up_exits_with_one_and_its_reason() -> None:
    files = ["camt053.v8.xml", "camt053.v2.wrong.xml", "mt940/jejik-ing.sta"]
    status, said = run(app, "read", "--json", *(str(VECTORS / name) for name in files))
    told = [each["refused"]["code"] for each in json.loads(said)["files"]]
    assert (status, told) == (
        1,
        ["statement-unbalanced", "statement-malformed", "statement-unbalanced"],
    )


@pytest.fixture
async def desk(context: Context) -> dict[str, str]:
    return await approvers(context)


async def test_a_statement_goes_in_and_a_payment_file_comes_out(
    context: Context, desk: dict[str, str], tmp_path: Path
) -> None:
    async with served(context) as site:
        account_id = str(uuid4())
        async with httpx.AsyncClient(
            base_url=site, headers={"Authorization": f"Bearer {desk['one']}"}
        ) as client:
            followed = await client.put(
                f"/v1/bank/accounts/{account_id}",
                json={
                    "name": "Escrow", "scheme": "iban", "number": iban(), "holder": "UHD",
                    "bank_name": "Bank", "currency": "GBP",
                },
            )  # fmt: skip
            assert followed.status_code == 201, followed.text
        async with context.db.transaction() as session:
            bank = Bank(await session.get_one(BankAccount, account_id))
            trade = await invoiced(session, price=PRICE, now=clock.now())
            for owner in trade.owners:
                await with_bank_account(session, owner.id, currency="GBP", now=clock.now())

        async def ask(who: str, *words: str) -> tuple[int, str]:
            at = ("--exchange", site, "--api-key", desk[who])
            return await anyio.to_thread.run_sync(run, app, *words, *at)

        bank.line(PRICE.amount_minor, text=trade.invoice.number)
        file = tmp_path / "day.xml"
        file.write_bytes(bank.statement(0))
        assert (
            "1 new of 1 statements; 1 lines matched, 0 in suspense"
            in (await ask("one", "import", str(file)))[1]
        )
        assert "0 new of 1 statements" in (await ask("one", "import", str(file)))[1]
        async with context.db.transaction() as session:
            await approved_payout(session, trade, now=clock.now())
        status, said = await ask("one", "pay", account_id, "--on", "2026-12-01")
        assert status == 0 and "2 payments, 2850.00 GBP" in said, said
        batch, sha256 = said.split("approve ")[1].split()
        refused = await ask("one", "approve", batch, sha256)
        assert refused[0] == 1 and "exchange-said-no" in refused[1]
        assert (await ask("other", "approve", batch, sha256))[0] == 0
        target = tmp_path / "out.xml"
        assert sha256 in (await ask("one", "fetch", batch, "--out", str(target)))[1]
        await the_bank_takes(context, ask, target, batch_id=UUID(batch))
        status, said = await ask("one", "status", "--json")
        (mine,) = [one for one in json.loads(said)["accounts"] if one["id"] == account_id]
        assert (status, mine["in_flight_minor"], mine["ledger_minor"]) == (0, 285_000, 300_000)


async def the_bank_takes(
    context: Context, ask: Callable[..., Awaitable[tuple[int, str]]], file: Path, *, batch_id: UUID
) -> None:
    """The bank reports that it has taken a payment file; that is read, and imported."""
    async with context.db.sessions() as session:
        batch = await files.get_batch(session, batch_id)
    answer = answered(file, batch)
    status, said = run(app, "read", str(answer))
    assert status == 0 and "ACSP" in said and batch.message_id in said
    told = (await ask("one", "import", str(answer)))[1]
    assert f"report RPT-1 about payment file {batch_id}: 2 accepted, 0 not decided" in told


def answered(file: Path, batch: PaymentBatch) -> Path:
    """The bank's report about a payment file that was fetched, beside it."""
    assert b"pain.001.001.09" in file.read_bytes()
    answer = file.with_name("report.xml")
    answer.write_bytes(reported(batch, group="ACSP"))
    return answer
