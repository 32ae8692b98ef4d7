"""What banks report about payment files (pain.002): read strictly, applied to one payment each."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import Money
from settlement.bank import queries as bank
from settlement.bank import report, reporting, rules
from settlement.bank import service as files
from settlement.bank.reporting import Reported
from settlement.bank.rules import StatementMalformed
from settlement.bank.tables import PaymentBatch, PaymentItem
from settlement.ledger import queries as books
from settlement.plans import queries as plans
from tests.conftest import NOW
from tests.settlement.bank_factory import (
    Bank,
    Named,
    approved_file,
    approved_payout,
    closed,
    followed,
    imported,
    prepared_file,
    reported,
    staff,
    suspended,
    wired,
    with_bank_account,
)
from tests.settlement.settlement_factory import Trade

PRICE = Money(2_000_000, "EUR")


async def given_out(session: AsyncSession) -> tuple[Bank, Trade, PaymentBatch]:
    """A payment file of two payments that the bank has."""
    account = Bank(await followed(session))
    trade = await wired(session, account, PRICE)
    for owner in trade.owners:
        await with_bank_account(session, owner.id)
    await approved_payout(session, trade)
    batch = await approved_file(session, account.account)
    await files.give(session, batch.id, now=NOW)
    return account, trade, batch


async def told(session: AsyncSession, raw: bytes) -> Reported:
    return await reporting.import_report(
        session, raw, report.read(raw), person_id=await staff(session, "operator"), now=NOW
    )


async def states(session: AsyncSession, batch: PaymentBatch) -> list[tuple[str, str | None]]:
    items = await bank.items(session, batch.id)
    return [(item.state, item.return_reason) for item in sorted(items, key=by_amount)]


def by_amount(item: PaymentItem) -> int:
    return item.amount_minor


async def named(session: AsyncSession, batch: PaymentBatch) -> Sequence[str]:
    items = sorted(await bank.items(session, batch.id), key=by_amount)
    return [item.end_to_end_id for item in items]


async def test_a_rejected_payment_waits_again_and_no_other(session: AsyncSession) -> None:
    account, trade, batch = await given_out(session)
    small, large = await named(session, batch)
    before = await books.journals_of_deal(session, trade.deal_id)
    done = await told(session, reported(batch, **{small: "RJCT AM04", large: "ACSP"}))
    assert (done.row.accepted, done.row.pending, done.row.rejected) == (1, 0, 1)
    assert await states(session, batch) == [("failed", "AM04"), ("instructed", None)]
    assert await books.journals_of_deal(session, trade.deal_id) == before  # nothing had left
    again = await approved_file(session, account.account)
    (item,) = await bank.items(session, again.id)
    assert item.party_id == next(
        one.party_id for one in await bank.items(session, batch.id) if one.state == "failed"
    )
    since = account.balance_minor
    items = {one.end_to_end_id: one for one in await bank.items(session, batch.id)}
    account.line(-items[large].amount_minor, ref=large)
    account.line(-item.amount_minor, ref=item.end_to_end_id)
    await closed(session, account, since=since)
    assert (await plans.get_settlement(session, trade.deal_id)).state == "paid_out"
    assert (await bank.get_batch(session, batch.id)).state == "settled"
    assert await books.check(session) == []


async def test_an_account_that_is_at_fault_is_not_paid_again(session: AsyncSession) -> None:
    account, _, batch = await given_out(session)
    small, large = await named(session, batch)
    await told(session, reported(batch, **{small: "RJCT AC04", large: "ACSP"}))
    assert await states(session, batch) == [("returned", "AC04"), ("instructed", None)]
    with pytest.raises(rules.BatchEmpty):
        await prepared_file(session, account.account)


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ({"group": "RJCT FF01"}, [("failed", "FF01"), ("failed", "FF01")]),
        ({"order": "RJCT DT01"}, [("failed", "DT01"), ("failed", "DT01")]),
        ({"group": "ACCP"}, [("instructed", None), ("instructed", None)]),
        ({"group": "PDNG"}, [("instructed", None), ("instructed", None)]),
    ],
    ids=["file-rejected", "order-rejected", "file-accepted", "file-pending"],
)
async def test_a_status_of_all_is_of_each_payment(
    session: AsyncSession, how: dict[str, str], wanted: list[tuple[str, str | None]]
) -> None:
    _, _, batch = await given_out(session)
    await told(session, reported(batch, **how))
    assert await states(session, batch) == wanted


async def test_the_nearest_status_counts(session: AsyncSession) -> None:
    _, _, batch = await given_out(session)
    small, _ = await named(session, batch)
    await told(session, reported(batch, group="ACCP", order="RJCT AM05", **{small: "ACSC"}))
    assert await states(session, batch) == [("instructed", None), ("failed", "AM05")]


async def test_the_same_report_again_changes_nothing(session: AsyncSession) -> None:
    _, _, batch = await given_out(session)
    small, large = await named(session, batch)
    raw = reported(batch, **{small: "RJCT AM04", large: "ACSP"})
    first = await told(session, raw)
    same = await told(session, raw)
    other_bytes = await told(session, raw.replace(b"<Document", b"\n<Document"))
    assert (first.is_new, same.is_new, other_bytes.is_new) == (True, False, False)
    assert first.row.id == same.row.id == other_bytes.row.id
    with pytest.raises(rules.ReportIdReused):
        await told(session, reported(batch, **{small: "ACSP", large: "ACSP"}))
    later = await told(session, reported(batch, id="RPT-2", **{small: "RJCT AM04"}))
    assert later.is_new
    assert await states(session, batch) == [("failed", "AM04"), ("instructed", None)]
    assert len(await bank.reports(session, batch.id)) == 2


async def test_a_rejection_after_the_statement_showed_the_payment_changes_nothing(
    session: AsyncSession,
) -> None:
    account, trade, batch = await given_out(session)
    since = account.balance_minor
    for item in await bank.items(session, batch.id):
        account.line(-item.amount_minor, ref=item.end_to_end_id)
    await closed(session, account, since=since)
    await told(session, reported(batch, group="RJCT FF01"))
    assert {state for state, _ in await states(session, batch)} == {"paid"}
    assert (await plans.get_settlement(session, trade.deal_id)).state == "paid_out"


async def test_a_payment_that_was_rejected_and_is_shown_all_the_same_is_suspended(
    session: AsyncSession,
) -> None:
    account, _, batch = await given_out(session)
    small, large = await named(session, batch)
    await told(session, reported(batch, **{small: "RJCT AM04", large: "ACSP"}))
    since = account.balance_minor
    item = next(one for one in await bank.items(session, batch.id) if one.end_to_end_id == small)
    account.line(-item.amount_minor, ref=small)
    await closed(session, account, since=since)
    assert -item.amount_minor in {
        one.amount_minor for one in await suspended(session, account.account)
    }
    assert await books.check(session) == []


async def test_a_return_told_by_a_notification_and_then_by_the_statement_reverses_one_payment(
    session: AsyncSession,
) -> None:
    account, trade, batch = await given_out(session)
    since = account.balance_minor
    items = sorted(await bank.items(session, batch.id), key=by_amount)
    for item in items:
        account.line(-item.amount_minor, ref=item.end_to_end_id)
    await closed(session, account, since=since)
    since = account.balance_minor
    account.line(items[0].amount_minor, ref=items[0].end_to_end_id, back="AC04")
    await imported(session, account.notification())  # camt.054: it announces
    await closed(session, account, since=since)  # camt.053: it books
    assert await states(session, batch) == [("returned", "AC04"), ("paid", None)]
    kinds = [one["kind"] for one in await books.journals_of_deal(session, trade.deal_id)]
    assert kinds.count("transfer.returned") == 1
    since = account.balance_minor
    account.line(items[0].amount_minor, ref=items[0].end_to_end_id, back="AC04")
    done = await closed(session, account, since=since)  # and a second time it is nothing of ours
    assert (done.matched, done.suspended) == (0, 1)


async def test_a_report_about_another_file_is_refused_and_changes_nothing(
    session: AsyncSession,
) -> None:
    _, _, batch = await given_out(session)
    raw = reported(batch, group="RJCT")
    for wrong, refusal in (
        (raw.replace(batch.message_id.encode(), b"B-NOT-OURS"), rules.ReportUnknownFile),
        (raw.replace(b"<OrgnlNbOfTxs>2", b"<OrgnlNbOfTxs>3"), rules.ReportDiffers),
        (raw.replace(b"<OrgnlCtrlSum>1", b"<OrgnlCtrlSum>2"), rules.ReportDiffers),
        (reported(batch, group="ACCP", PNOTOURS="RJCT"), rules.ReportDiffers),
    ):
        with pytest.raises(refusal):
            await told(session, wrong)
    assert {state for state, _ in await states(session, batch)} == {"instructed"}


async def test_a_file_that_was_never_given_out_has_no_report(session: AsyncSession) -> None:
    account = Bank(await followed(session))
    trade = await wired(session, account, PRICE)
    for owner in trade.owners:
        await with_bank_account(session, owner.id)
    await approved_payout(session, trade)
    batch = await approved_file(session, account.account)
    with pytest.raises(rules.ReportUnknownFile):
        await told(session, reported(batch, group="RJCT"))


async def test_what_a_bank_reported_is_not_rewritten(session: AsyncSession) -> None:
    _, _, batch = await given_out(session)
    await told(session, reported(batch, group="ACCP"))
    for attack in (
        "UPDATE bank_report SET rejected = 0", "DELETE FROM bank_report_item",
        "TRUNCATE bank_report CASCADE",
    ):  # fmt: skip
        with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
            async with session.begin_nested():
                await session.execute(text(attack))


FILE = Named("B1", 1, 100)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"</GrpHdr>", b"</GrpHdr><GrpHdr/>", "MsgId"),
        (b"<MsgId>RPT-1</MsgId>", b"", "MsgId"),
        (b"<MsgId>RPT-1</MsgId>", b"<MsgId>" + b"x" * 36 + b"</MsgId>", "identity"),
        (b"<CreDtTm>2026-11-22T10:00:00Z</CreDtTm>", b"", "CreDtTm"),
        (b"pain.001.001.09", b"pain.008.001.02", "OrgnlMsgNmId"),
        (b"<GrpSts>ACCP</GrpSts>", b"<GrpSts>FINE</GrpSts>", "status"),
        (b"<GrpSts>ACCP</GrpSts>", b"<GrpSts>ACCP</GrpSts><GrpSts>RJCT</GrpSts>", "GrpSts"),
        (b"<GrpSts>ACCP</GrpSts>", b"", "status"),
        (b"<GrpSts>ACCP</GrpSts>", b"<Sum>1</Sum><GrpSts>ACCP</GrpSts>", "Sum"),
        (b"<OrgnlNbOfTxs>1<", b"<OrgnlNbOfTxs>one<", "OrgnlNbOfTxs"),
        (b"pain.002.001.10", b"pain.002.001.1x", "namespace"),
        (b"?><Document", b"?><!DOCTYPE Document><Document", "doctype"),
        (b"</CstmrPmtStsRpt>", b"</CstmrPmtStsRpt><CstmrPmtStsRpt/>", "GrpHdr"),
        (b"</CstmrPmtStsRpt></Document>", b"", None),
    ],
    ids=[
        "two-headers", "no-id", "long-id", "no-time", "direct-debit", "unknown-status",
        "two-statuses", "no-status", "stranger", "no-number", "namespace", "doctype",
        "two-reports", "cut-off",
    ],
)  # fmt: skip
def test_what_breaks_the_message_is_refused(old: bytes, new: bytes, reason: str | None) -> None:
    raw = reported(FILE, group="ACCP")
    assert old in raw
    assert report.read(raw).report_id == "RPT-1"
    with pytest.raises(StatementMalformed) as refused:
        report.read(raw.replace(old, new))
    assert reason is None or refused.value.data["reason"] == reason


def test_a_payment_named_twice_is_refused() -> None:
    raw = reported(FILE, P1="ACSP")
    one = raw[raw.index(b"<TxInfAndSts>") : raw.index(b"</OrgnlPmtInfAndSts>")]
    with pytest.raises(StatementMalformed):
        report.read(raw.replace(one, one + one))


def test_a_reason_is_a_code() -> None:
    with pytest.raises(StatementMalformed):
        report.read(reported(FILE, group="RJCT no-money"))


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("ACSC", "accepted"), ("PDNG", "pending"), ("PART", "pending"), ("RJCT", "rejected")],
)
def test_a_status_comes_to_one_of_three(code: str, outcome: str) -> None:
    said = report.read(reported(FILE, group=code)).rest
    assert said is not None
    assert said.outcome == outcome
