"""Where a refund to an account at a bank goes, out of which account of ours, and by which file.

It goes to the account that the statement showed the money to come from, or to an account of the
payer's that two people have verified; a changed one cools off first, as a payee's does. A card
payment goes to its card; where that failed, it goes to a verified account.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical
from contracts.money import WrongCurrency
from settlement.bank import queries as banks
from settlement.bank import refunding
from settlement.bank import rules as bank_rules
from settlement.bank.rules import Account
from settlement.bank.tables import BankAccount, BankEntry
from settlement.invoices.tables import Payment
from settlement.payees import queries as payees
from settlement.payees import rules as payee_rules
from settlement.payees.rules import IBAN, BankAccountMalformed, Details
from settlement.reconciliation.tables import ReconMatch, SuspenseItem
from settlement.refunds import rules
from settlement.refunds.rules import Ask, RefundAccountMissing
from settlement.refunds.tables import Refund

LINE, MATCHES = "bank:", ("release:", "match:")


@dataclass(frozen=True, slots=True)
class Way:
    """The account of ours that pays, the payer's account, and its row where it is verified."""

    out_of: BankAccount
    to: Details
    verified_id: UUID | None

    def account(self) -> Account:
        """The payer's account as a payment file names it."""
        return Account(self.to.scheme, self.to.number, self.to.holder, self.to.member_id)


async def way(session: AsyncSession, payment: Payment, ask: Ask, *, now: datetime) -> Way:
    """Return the way that a refund to an account at a bank takes now.

    Raises:
        RefundAccountMissing: the statement shows no account that can be paid, or the payer has none
            that is verified and usable.
        Unknown, WrongCurrency, CustodyMoney: see `paying`.
    """
    entry = await _entry(session, payment)
    out_of = await paying(session, payment, ask.out_of)
    if ask.goes_to == rules.TO_PAYER:
        return Way(out_of, _seen(entry, out_of.currency), None)
    found = await payees.in_force(session, [payment.payer_id], currency=payment.currency, now=now)
    account = found.get(payment.payer_id)
    if account is None:
        raise RefundAccountMissing("The payer has no verified account that may be paid now.")
    return Way(out_of, account.details(), account.id)


async def paying(session: AsyncSession, payment: Payment, named: UUID | None) -> BankAccount:
    """Return the account of ours that a payment goes back out of.

    A transfer goes back out of the account that it came into. A card payment lies in none; of one
    whose refund failed people name an account of the exchange's own, which pays instead.

    Raises:
        Unknown: there is no such account of ours.
        RefundAccountMissing: a transfer lies elsewhere, or nobody named an account for a card's.
        WrongCurrency: the account is in another currency.
        CustodyMoney: a bank holds the account for others.
    """
    if payment.method != "card":
        found = await _out_of(session, payment)
        if found is None or named not in (None, found.id):
            raise RefundAccountMissing("It goes back out of the account that it came into.")
        return found
    if named is None:
        raise RefundAccountMissing("No account of the exchange's was named that pays.")
    account = await banks.get_account(session, named)
    if account.currency != payment.currency:
        raise WrongCurrency("The account is in another currency.", currency=account.currency)
    bank_rules.check_own(custody=account.instruct_only)
    return account


async def prepared(
    session: AsyncSession, refund_id: UUID, payment: Payment, ask: Ask, *, now: datetime
) -> tuple[dict[str, Any], dict[str, str] | None]:
    """Return the columns of a refund to a bank, with its file, and what its content says of both.

    Nothing, of one to a card.

    Raises:
        RefundAccountMissing: see `way`.
    """
    if ask.goes_to == rules.TO_CARD:
        return {}, None
    there = await way(session, payment, ask, now=now)
    document = refunding.write(
        refund_id, out_of=there.out_of, to=there.account(), amount=ask.amount, now=now
    )
    columns = {
        "account_id": there.out_of.id,
        "payee_account_id": there.verified_id,
        "to_account": there.to.code,
        "to_holder": there.to.holder,
        "document": document,
    }
    return columns, _said(refund_id, there, document)


async def said_now(
    session: AsyncSession, refund: Refund, payment: Payment, *, now: datetime
) -> dict[str, str] | None:
    """Return what the content of a refund would say of its way now; None of one to a card.

    Raises:
        RefundAccountMissing: see `way`.
    """
    if refund.document is None:
        return None
    there = await way(session, payment, refund.ask(), now=now)
    return _said(refund.id, there, refund.document)


def _said(refund_id: UUID, way: Way, document: bytes) -> dict[str, str]:
    return {
        "out_of": str(way.out_of.id),
        "to": way.to.code,
        "holder": way.to.holder,
        "file": str(refund_id),
        "document_sha256": canonical.sha256_hex(document),
    }


async def instruct(session: AsyncSession, refund: Refund, *, now: datetime) -> None:
    """Hand the file of a refund that was approved to those for the bank."""
    item = refunding.item(refund.id, refund.amount)
    assert refund.document is not None  # noqa: S101 - a CHECK says so of a refund to a bank.
    assert refund.account_id is not None  # noqa: S101 - the same CHECK says so.
    assert refund.decided_by is not None  # noqa: S101 - it is approved.
    await refunding.instruct(
        session,
        item,
        document=refund.document,
        account_id=refund.account_id,
        people=(refund.prepared_by, refund.decided_by),
        prepared_at=refund.prepared_at,
        now=now,
    )


def _seen(entry: BankEntry | None, currency: str) -> Details:
    """Return the account that a line shows the money to come from; only an IBAN names its bank."""
    if entry is None or not entry.account or not entry.name:
        raise RefundAccountMissing("The statement shows no account that the money came from.")
    details = Details(IBAN, entry.account, entry.name[: payee_rules.LONGEST_NAME], currency, "")
    try:
        return payee_rules.checked(details)
    except BankAccountMalformed as malformed:
        raise RefundAccountMissing(
            "The account on the statement is no IBAN, so it does not name its bank."
        ) from malformed


async def _entry(session: AsyncSession, payment: Payment) -> BankEntry | None:
    """Return a line that brought a payment in, also where it was recognised only later."""
    reference = payment.provider_id or ""
    if reference.startswith(LINE):
        return await session.get(BankEntry, UUID(reference.removeprefix(LINE)))
    match = await _match(session, reference)
    if match is None:
        return None
    wanted = (
        select(BankEntry)
        .join(SuspenseItem, col(SuspenseItem.entry_id) == col(BankEntry.id))
        .where(col(SuspenseItem.match_id) == match.id)
    )
    found = (await session.scalars(wanted)).all()
    # Of several lines it is the account only if all of them came from it.
    return found[0] if len({line.account for line in found}) == 1 else None


async def _out_of(session: AsyncSession, payment: Payment) -> BankAccount | None:
    """Return the account that the money lies in; older payments say it by what booked them."""
    where = payment.bank_account_id
    match = None if where is not None else await _match(session, payment.provider_id or "")
    if match is not None:
        where = match.account_id
    elif where is None:
        try:
            where = UUID((payment.account or "").rpartition(":")[2])
        except ValueError:
            return None
    return await session.get(BankAccount, where)


async def _match(session: AsyncSession, reference: str) -> ReconMatch | None:
    """Return the release, or the match of several lines, that a payment refers to."""
    if not reference.startswith(MATCHES):
        return None
    return await session.get(ReconMatch, UUID(reference.split(":")[1]))
