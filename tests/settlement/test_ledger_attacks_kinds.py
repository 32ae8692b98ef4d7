"""Attacks by journals that follow from nothing, as the application's own role.

They go on where `test_decision_attacks` ends: kinds that nobody decides, under keys such as the
product gives, and kinds that it does not have. What the product books itself is in the replays.
"""

import re
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from exchange.db import Database
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.ledger.rules import Line
from settlement.remittances.rules import Group
from settlement.taxes.rules import WITHHELD_INCOME
from settlement.withholding import queries as withholding
from tests.conftest import NOW
from tests.settlement import books_factory as books
from tests.settlement.bank_factory import (
    Bank,
    approved_file,
    approved_payout,
    closed,
    followed,
    suspended,
    wired,
    with_bank_account,
)
from tests.settlement.pledges_factory import asked
from tests.settlement.settlement_factory import invoiced, paid
from tests.settlement.test_decision_attacks import at_commit
from tests.settlement.test_deposits_service import received
from tests.settlement.withholding_factory import approved_remittance, authority, resident

SOURCE = Path(__file__).parents[2] / "settlement"
LINE = "bank:{id}:P234567ABCDEFGHI"
# By kind: keys as the product makes them, of things that are not there.
KEYS = {
    "payment.received": ("pi_{id}:received", "bank:{id}:received", "invoice:{id}:paid-by-deposit"),
    "payment.suspended": ("pi_{id}:received",),
    "payment.fee": ("pi_{id}:fee",),
    "deposit.received": ("deposit:receipt:{id}", "pi_{id}:received"),
    "deposit.applied": ("deposit:invoice:{id}:applied",),
    "deposit.released": ("deposit:movement:{id}",),
    "deposit.returned": (
        "deposit:movement:{id}:returned", "re_{id}:returned", f"{LINE}:returned",
        "release:{id}:1:returned",
    ),
    "deposit.return-failed": (f"{LINE}:came-back",),
    "refund.made": ("re_{id}:refund.made", f"{LINE}:refund.made"),
    "refund.failed": ("re_{id}:refund.failed",),
    "refund.owed": ("refund:{id}:owed",),
    "refund.suspended": ("re_{id}:foreign", "re_{id}:foreign-failed"),
    "dispute.moved": ("du_{id}:txn_1",),
    "dispute.lost": ("du_{id}:lost",),
    "transfer.made": ("tr_{id}:made", f"{LINE}:made", "release:{id}:2:made"),
    "transfer.returned": (f"{LINE}:returned",),
    "transfer.reversed": ("trr_{id}:reversed",),
    "sweep.made": ("po_{id}:made",),
    "sweep.failed": ("po_{id}:failed",),
    "sweep.landed": ("bank:{id}:landed", "release:{id}:1:landed"),
    "remittance.approved": ("remittance:{id}:approved",),
    "remittance.paid": (f"{LINE}:paid", "release:{id}:1:paid"),
    "remittance.returned": (f"{LINE}:returned",),
    "bank.opening": ("bank-statement:{id}:opening",),
    "bank.suspended": ("bank-statement:{id}:suspended",),
    "fx.exchanged": ("fx:{id}",),
    "reversal": ("reverse:{id}",),
    "bench": ("bench:{id}",),
    "test": ("{id}",),
}  # fmt: skip
# Each is that of an approved row: `test_decision_attacks` has them.
DECIDED = {
    "payout.approved", "refund.approved", "red-letter.issued", "deposit.forfeited",
    "deposit.distributed", "suspense.placed", "journal.manual",
}  # fmt: skip
ATTACKS = [(kind, key) for kind, keys in KEYS.items() for key in keys]


async def book(
    session: AsyncSession, kind: str, key: str, lines: list[Line], *, actor: str = "exchange"
) -> None:
    """Book by the ledger's own verb, as whoever has the application's password can."""
    await ledger.post(
        session, idem_key=key, kind=kind, actor=actor, deal_id=None, lines=lines, now=NOW,
        reason=f"not ordered here, of pi_{uuid4().hex}",
    )  # fmt: skip


def pair(minor: int = 700, currency: str = "CNY") -> list[Line]:
    """Two lines that balance, of accounts without limits."""
    clearing = books.payee().clearing
    return [(clearing, Money(minor, currency)), (accounts.SUSPENSE_PSP, Money(-minor, currency))]


@pytest.mark.parametrize(("kind", "key"), ATTACKS)
async def test_a22_a_journal_that_follows_from_nothing_is_lost(
    session: AsyncSession, kind: str, key: str
) -> None:
    await book(session, kind, key.format(id=ids.new(NOW)), pair())
    with pytest.raises(DBAPIError, match=r"is explained by nothing|without a quote"):
        await at_commit(session)


@pytest.mark.parametrize("kind", ["payment.received", "transfer.made", "bench"])
async def test_a22_written_by_hand_it_is_lost_as_well(db: Database, kind: str) -> None:
    async with db.sessions() as session:
        payee = books.payee()
        await books.owed(session, payee, books.money(5))
        made = await session.scalar(
            text(
                "INSERT INTO ledger_journal (idem_key, kind, actor, effective_at, request_hash, "
                "lines) VALUES (:key, :kind, 'me', now(), '\\x00', 2) RETURNING id"
            ),
            {"key": f"{payee.id}:made", "kind": kind},
        )
        for line, minor in ((1, 5), (2, -5)):
            await session.execute(
                text(
                    "INSERT INTO ledger_posting (journal_id, line, account_id, currency, "
                    "amount_minor) SELECT :made, :line, id, 'CNY', :minor "
                    "FROM ledger_account WHERE code = :code"
                ),
                {"made": made, "line": line, "minor": minor, "code": f"{payee.clearing}:CNY"},
            )
        with pytest.raises(DBAPIError, match="is explained by nothing"):
            await session.commit()


def test_a22_every_kind_that_the_product_books_is_attacked() -> None:
    found = {
        kind
        for path in SOURCE.rglob("*.py")
        for kind in re.findall(r'\bkind="([a-z-]+\.[a-z-]+)"', path.read_text(encoding="utf-8"))
    }
    assert len(found) > 15
    assert found - DECIDED - {"invoice.issued"} <= set(KEYS)


async def test_a23_what_happened_once_is_not_booked_again_under_another_name(
    session: AsyncSession,
) -> None:
    """The payment succeeded; what it brought in is booked under one key, and that is taken."""
    trade = await invoiced(session, price=Money(5_000, "CNY"), now=NOW)
    await paid(session, trade, now=NOW)
    await books.check_now(session)
    found = await session.scalar(
        text("SELECT provider_id FROM payment WHERE invoice_id = :id"), {"id": trade.invoice.id}
    )
    for kind, key in (
        ("payment.received", f"{found}:again:received"),
        ("payment.received", f"{found}:received-again"),
        ("payment.fee", f"{found}:kept"),
        ("transfer.made", f"{found}:made"),
    ):
        with pytest.raises(DBAPIError, match="is explained by nothing"):
            async with session.begin_nested():
                await book(session, kind, key, pair(5_000))
                await books.check_now(session)


async def test_a23_a_line_of_the_bank_is_of_the_payments_that_it_was_matched_with(
    session: AsyncSession,
) -> None:
    bank = Bank(await followed(session))
    trade = await wired(session, bank, Money(1_000_000, "EUR"))
    for owner in trade.owners:
        await with_bank_account(session, owner.id)
    await resident(session, trade.owners[0].id, "US")
    await approved_payout(session, trade)
    await authority(session)
    rows = (await withholding.of_deals(session, [trade.deal_id]))[trade.deal_id]
    (row,) = [row for row in rows if row.tax == WITHHELD_INCOME]
    remittance = await approved_remittance(session, Group("CN", row.tax, "EUR", row.period))
    batch = await approved_file(session, bank.account)
    item = (
        await session.execute(
            text("SELECT end_to_end_id, amount_minor FROM payment_item "
                 "WHERE batch_id = :batch AND remittance_id = :remittance"),
            {"batch": batch.id, "remittance": remittance.id},
        )
    ).one()  # fmt: skip
    before = bank.balance_minor
    bank.line(-item.amount_minor, ref=item.end_to_end_id)
    bank.line(-item.amount_minor, text="something else")
    await closed(session, bank, since=before)
    await books.check_now(session)
    (other,) = [one.entry_id for one in await suspended(session, bank.account)]
    lines = pair(item.amount_minor, "EUR")
    for key in (f"bank:{other}:{item.end_to_end_id}", f"bank:{uuid4()}:{item.end_to_end_id}"):
        for kind, effect in (("remittance.paid", "paid"), ("transfer.made", "made")):
            with pytest.raises(DBAPIError, match="is explained by nothing"):
                async with session.begin_nested():
                    await book(session, kind, f"{key}:{effect}", lines)
                    await books.check_now(session)


@pytest.mark.parametrize(
    ("kind", "key", "minor"),
    [
        ("deposit.received", "deposit:receipt:{receipt}", 999),
        ("deposit.applied", "deposit:invoice:{invoice}:applied", 1),
        ("deposit.released", "deposit:movement:{receipt}", 1_000),
        ("bank.suspended", "bank-statement:{statement}:suspended", 1),
        ("bank.opening", "bank-statement:{statement}:opening", 1),
    ],
)
async def test_a23_what_is_booked_is_what_its_row_says(
    session: AsyncSession, kind: str, key: str, minor: int
) -> None:
    deposit = await received(session, 1_000)
    bank = Bank(await followed(session))
    trade = await wired(session, bank, Money(1_000_000, "EUR"))
    asked_ = {"of": deposit.auction_id, "account": bank.account.id}
    named: dict[str, UUID | None] = {
        "receipt": await session.scalar(
            text("SELECT id FROM deposit_receipt WHERE auction_id = :of AND :account IS NOT NULL"),
            asked_,
        ),
        "statement": await session.scalar(
            text("SELECT id FROM bank_statement WHERE account_id = :account AND :of IS NOT NULL"),
            asked_,
        ),
        "invoice": trade.invoice.id,
    }
    await books.check_now(session)
    key = key.format(**named)
    if kind == "deposit.received":  # its own key is taken: whoever asks gets the old journal
        key = key.replace("receipt:", "receipt:x:")
    await book(session, kind, key, pair(minor))
    with pytest.raises(DBAPIError, match="is explained by nothing"):
        await at_commit(session)


async def test_a24_nothing_of_the_explanation_is_written_by_the_application(
    session: AsyncSession,
) -> None:
    """Who looks for the explanation is the database's own; nobody puts another in its place."""
    await asked(session, now=NOW)
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        await session.execute(
            text(
                "CREATE OR REPLACE FUNCTION public.ledger_is_explained(_kind text, _key text) "
                "RETURNS boolean LANGUAGE sql AS 'SELECT true'"
            )
        )
