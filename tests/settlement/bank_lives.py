"""Lives of money that goes through a bank, for replays: in files of ours, and in statements.

What a bank says is written down the first time, and is the same bytes whenever it is read again.
"""

from collections.abc import Awaitable, Callable
from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from settlement.bank import service as files
from settlement.bank.rules import descriptor, end_to_end_id, message_id
from settlement.bank.tables import BankAccount
from settlement.clearing import service as clearing
from settlement.clearing.rules import Entry
from settlement.reconciliation import releasing
from settlement.reconciliation.rules import Part
from settlement.refunds import rules as refund_rules
from settlement.refunds import service as refunding
from settlement.refunds.rules import Ask
from settlement.remittances import service as remitting
from settlement.remittances.rules import Group
from settlement.sweeps import rules as sweep_rules
from settlement.sweeps import service as sweeping
from settlement.taxes.rules import WITHHELD_INCOME, WITHHELD_VAT
from settlement.withholding import queries as withholding
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import (
    Bank,
    followed,
    iban,
    imported,
    suspended,
    with_bank_account,
)
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.lives import Life, Step, asks, decides, pays, pays_out
from tests.settlement.returns_factory import Staff
from tests.settlement.settlement_factory import Trade, invoiced, with_accounts
from tests.settlement.withholding_factory import authority, resident

PRICE_MINOR = 1_000_000
TO_OWNERS_MINOR = PRICE_MINOR * 95 // 100  # less the commission
Moves = Callable[[AsyncSession, Bank], Awaitable[None]]
SaysWhat = Callable[[AsyncSession, int], Awaitable[Part]]


async def lives(session: AsyncSession, people: Staff) -> list[Life]:
    """Trades paid by wire, sent back by wire, paid out abroad, and swept from the provider.

    Each is in a currency of its own: a payment file takes all that waits in its currency.
    """
    return [
        Life(making.__name__.strip("_"), await making(session, people))
        for making in (_by_wire, _sent_back, _remitted, _swept)
    ]


def says(bank: Bank, moves: Moves) -> Step:
    """The bank moves money and closes its day; its statement is imported."""
    written: list[bytes] = []

    async def reads(session: AsyncSession) -> None:
        if not written:
            opening = bank.balance_minor
            await moves(session, bank)
            written.append(bank.statement(opening))
        await imported(session, written[0])

    return decides(reads)


def shows(bank: Bank, minor: int, **more: str) -> Step:
    """The bank moves one amount; a credit is positive."""

    async def moves(_session: AsyncSession, bank: Bank) -> None:
        bank.line(minor, **more)

    return says(bank, moves)


def pays_by_file(batch_id: UUID, account: BankAccount, people: Staff) -> Step:
    """Two people instruct the bank to pay all that waits in the account's currency."""

    async def pay(session: AsyncSession) -> None:
        batch, _ = await files.prepare(
            session, batch_id, account_id=account.id, execute_on=NOW.date(),
            person_id=people.maker, now=NOW,
        )  # fmt: skip
        decision = await decided(session, people.checker, batch.sha256, now=NOW)
        await files.approve(session, batch.id, decision=decision, now=NOW)

    return decides(pay)


async def _wired(session: AsyncSession, currency: str) -> tuple[Bank, Trade]:
    """A trade whose owners are paid at a bank, and the bank that its buyer will wire to."""
    bank = Bank(await followed(session, currency))
    trade = await invoiced(session, price=Money(PRICE_MINOR, currency), now=NOW)
    for owner in trade.owners:
        await with_bank_account(session, owner.id, currency=currency)
    return bank, trade


async def _by_wire(session: AsyncSession, people: Staff) -> list[Step]:
    """Paid by wire and out by a file, beside money that nobody knew; the bank's files return."""
    bank, trade = await _wired(session, "EUR")
    batch_id = ids.new(NOW)

    async def come_in(_session: AsyncSession, bank: Bank) -> None:
        bank.line(PRICE_MINOR, text=trade.invoice.number)
        bank.line(700, text="nobody knows")

    return [
        says(bank, come_in),
        _releases(bank.account, people, _opening),
        pays_out(trade.deal_id, trade.deal_id, people),
        pays_by_file(batch_id, bank.account, people),
        shows(bank, -TO_OWNERS_MINOR, batch=message_id(batch_id)),
    ]


def _releases(account: BankAccount, people: Staff, says_what: SaysWhat) -> Step:
    """Two people say what the one suspended amount of an account is."""
    release_id = ids.new(NOW)

    async def release(session: AsyncSession) -> None:
        (item,) = await suspended(session, account)
        parts = [await says_what(session, item.amount_minor)]
        row, _ = await releasing.propose(
            session, release_id, items=[item.id], parts=parts, person_id=people.maker, now=NOW
        )
        decision = await decided(session, people.checker, row.sha256, now=NOW)
        await releasing.approve(session, row.id, decision=decision, now=NOW)

    return decides(release)


async def _opening(_session: AsyncSession, minor: int) -> Part:
    return Part("account", "opening", minor)


def _recognises(remittance_id: UUID, account: BankAccount, people: Staff) -> Step:
    """A line without any name is the payment of a remittance."""
    asked = text("SELECT id::text FROM payment_item WHERE remittance_id = :id")

    async def says_what(session: AsyncSession, minor: int) -> Part:
        return Part("payment", str(await session.scalar(asked, {"id": remittance_id})), minor)

    return _releases(account, people, says_what)


async def _sent_back(session: AsyncSession, people: Staff) -> list[Step]:
    """A wire is sent back in parts: before and after the payout, one of them in vain."""
    bank, trade = await _wired(session, "CHF")
    first, second, third, batch_id = (ids.new(NOW) for _ in range(4))
    return [
        shows(bank, PRICE_MINOR, text=trade.invoice.number, name="Buyer AG", account=iban()),
        _sends_back(first, trade, 200_000, people),
        shows(bank, -200_000, ref=end_to_end_id(first)),
        pays_out(trade.deal_id, trade.deal_id, people),
        pays_by_file(batch_id, bank.account, people),
        shows(bank, -TO_OWNERS_MINOR * 4 // 5, batch=message_id(batch_id)),
        _sends_back(second, trade, 3_333, people),
        shows(bank, -3_333, ref=end_to_end_id(second)),
        shows(bank, 3_333, ref=end_to_end_id(second), back="AC04"),
        _sends_back(third, trade, 100_001, people),
        shows(bank, -100_001, ref=end_to_end_id(third)),
    ]


def _sends_back(refund_id: UUID, trade: Trade, minor: int, people: Staff) -> Step:
    """Two people refund a part of a wire to the account that it came from."""
    asked = text("SELECT id FROM payment WHERE invoice_id = :invoice AND state = 'succeeded'")

    async def send(session: AsyncSession) -> None:
        payment_id = await session.scalar(asked, {"invoice": trade.invoice.id})
        amount = Money(minor, trade.invoice.currency)
        ask = Ask(payment_id, amount, "rights withdrawn", refund_rules.TO_PAYER)
        refund, _ = await refunding.prepare(
            session, refund_id, ask=ask, person_id=people.maker, now=NOW
        )
        decision = await decided(session, people.checker, refund.content_sha256, now=NOW)
        await refunding.approve(session, refund.id, decision=decision, now=NOW)

    return decides(send)


async def _remitted(session: AsyncSession, people: Staff) -> list[Step]:
    """A payee is abroad: one tax is remitted, a part of the price goes back, then the other tax."""
    bank, trade = await _wired(session, "USD")
    await resident(session, trade.owners[0].id, "US")
    await authority(session, "USD")
    income, vat, first, second = (ids.new(NOW) for _ in range(4))
    refund_id = ids.new(NOW)

    async def pays_the_rest(session: AsyncSession, bank: Bank) -> None:
        left = text("SELECT amount_minor FROM remittance WHERE id = :id")
        minor = await session.scalar(left, {"id": vat})
        bank.line(-int(minor), text="by order")

    async def pays_first(session: AsyncSession, bank: Bank) -> None:
        kept = await _kept(session, trade, WITHHELD_VAT)
        bank.line(-(TO_OWNERS_MINOR - kept.amount_minor), batch=message_id(first))

    return [
        shows(bank, PRICE_MINOR, text=trade.invoice.number, name="Buyer Inc", account=iban()),
        pays_out(trade.deal_id, trade.deal_id, people),
        _remits(income, trade, WITHHELD_INCOME, people),
        pays_by_file(first, bank.account, people),
        says(bank, pays_first),
        _notes_receipt(income, people),
        _sends_back(refund_id, trade, 100_000, people),
        shows(bank, -100_000, ref=end_to_end_id(refund_id)),
        _remits(vat, trade, WITHHELD_VAT, people),
        pays_by_file(second, bank.account, people),
        says(bank, pays_the_rest),
        _recognises(vat, bank.account, people),
        _notes_receipt(vat, people),
    ]


async def _kept(session: AsyncSession, trade: Trade, tax: str) -> Money:
    rows = (await withholding.of_deals(session, [trade.deal_id]))[trade.deal_id]
    (row,) = [row for row in rows if row.tax == tax]
    return row.amount


def _remits(remittance_id: UUID, trade: Trade, tax: str, people: Staff) -> Step:
    """Two people remit what waits of a tax."""

    async def remit(session: AsyncSession) -> None:
        rows = (await withholding.of_deals(session, [trade.deal_id]))[trade.deal_id]
        (row,) = [row for row in rows if row.tax == tax]
        group = Group(row.authority, row.tax, row.currency, row.period)
        made, _ = await remitting.prepare(
            session, remittance_id, group=group, person_id=people.maker, now=NOW
        )
        decision = await decided(session, people.checker, made.content_sha256, now=NOW)
        await remitting.approve(session, made.id, decision=decision, now=NOW)

    return decides(remit)


def _notes_receipt(remittance_id: UUID, people: Staff) -> Step:
    """The tax office's receipt is recorded."""

    async def note(session: AsyncSession) -> None:
        await remitting.record_receipt(
            session, remittance_id, number=f"WSPZ-{remittance_id.hex[:16]}",
            issued_on=date(2026, 11, 22), person_id=people.maker, now=NOW,
        )  # fmt: skip

    return decides(note)


async def _swept(session: AsyncSession, people: Staff) -> list[Step]:
    """Two sweeps of a commission: the bank is faster than the provider; the second comes back."""
    price = Money(PRICE_MINOR, "HKD")
    trade = await invoiced(session, price=price, now=NOW)
    await with_accounts(session, trade, now=NOW)
    bank = Bank(await followed(session, "HKD"))
    payment_id, first, second = (ids.new(NOW) for _ in range(3))
    return [
        asks(payment_id, trade.deal_id),
        pays(payment_id, price),
        pays_out(payment_id, trade.deal_id, people),
        _lists(price, PRICE_MINOR - TO_OWNERS_MINOR),
        _sweeps(first, bank.account, 30_000, people),
        shows(bank, 30_000, text=f"STRIPE {descriptor(first)}"),
        _stands(first, "paid", "payout.paid"),
        _sweeps(second, bank.account, 20_000, people),
        _stands(second, "paid", "payout.updated", "payout.paid"),
        _stands(second, "failed", "payout.failed"),
    ]


def _lists(price: Money, left_minor: int) -> Step:
    """The provider's list of movements is taken over: the price, and the transfers to payees."""
    entries = [
        Entry(f"txn_{ids.new(NOW).hex}", kind, ids.new(NOW).hex, price.currency, minor, 0, NOW, NOW)
        for kind, minor in (
            ("charge", price.amount_minor),
            ("transfer", left_minor - price.amount_minor),
        )
    ]

    async def take_over(session: AsyncSession) -> None:
        await clearing.take_over(session, entries, now=NOW)

    return decides(take_over)


def _sweeps(sweep_id: UUID, account: BankAccount, minor: int, people: Staff) -> Step:
    """Two people sweep an amount to an account of ours."""

    async def sweep(session: AsyncSession) -> None:
        ask = sweep_rules.Ask(account.id, Money(minor, account.currency))
        row, _ = await sweeping.prepare(session, sweep_id, ask=ask, person_id=people.maker, now=NOW)
        decision = await decided(session, people.checker, row.content_sha256, now=NOW)
        await sweeping.approve(session, row.id, decision=decision, now=NOW)

    return decides(sweep, sweep_id)


def _stands(sweep_id: UUID, status: str, *types: str) -> Step:
    """The provider shows a payout at this status, and tells of it."""

    def happens(gateway: FakeStripe, provider_id: str) -> None:
        gateway.payouts[provider_id] = status

    return Step(sweep_id, happens=happens, types=types)
