"""Reading accounts at banks, payment files and statements."""

from collections.abc import Collection, Mapping, Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.bank.rules import FAILED, RETURNED, STATEMENT
from settlement.bank.tables import (
    BankAccount,
    BankEntry,
    BankFile,
    BankReport,
    BankStatement,
    PaymentBatch,
    PaymentItem,
)


async def accounts(session: AsyncSession) -> Sequence[BankAccount]:
    """Return the accounts that the ledger mirrors, in the order in which they were opened."""
    wanted = select(BankAccount).order_by(col(BankAccount.opened_at), col(BankAccount.id))
    return (await session.scalars(wanted.limit(500))).all()


async def get_account(session: AsyncSession, account_id: UUID) -> BankAccount:
    """Return an account.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(BankAccount, account_id)
    if found is None:
        raise Unknown("There is no such account.")
    return found


async def find_account(session: AsyncSession, number: str, currency: str) -> BankAccount | None:
    """Return the account of a number and currency, or None."""
    wanted = select(BankAccount).where(
        col(BankAccount.number) == number, col(BankAccount.currency) == currency
    )
    return (await session.scalars(wanted)).one_or_none()


async def find_file(session: AsyncSession, sha256: str) -> BankFile | None:
    """Return a file by its hash, or None."""
    wanted = select(BankFile).where(col(BankFile.sha256) == sha256)
    return (await session.scalars(wanted)).one_or_none()


async def statements_of_file(session: AsyncSession, file_id: UUID) -> Sequence[BankStatement]:
    """Return what a file brought, in the order of its statements."""
    wanted = select(BankStatement).where(col(BankStatement.file_id) == file_id)
    return (await session.scalars(wanted.order_by(col(BankStatement.turn)))).all()


async def find_statement(
    session: AsyncSession, account_id: UUID, kind: str, statement_id: str
) -> BankStatement | None:
    """Return a statement by the bank's id, or None."""
    wanted = select(BankStatement).where(
        col(BankStatement.account_id) == account_id,
        col(BankStatement.kind) == kind,
        col(BankStatement.statement_id) == statement_id,
    )
    return (await session.scalars(wanted)).one_or_none()


async def last_statement(session: AsyncSession, account_id: UUID) -> BankStatement | None:
    """Return the last statement of an account, or None before the first."""
    wanted = (
        select(BankStatement)
        .where(col(BankStatement.account_id) == account_id, col(BankStatement.kind) == STATEMENT)
        .order_by(col(BankStatement.turn).desc())
        .limit(1)
    )
    return (await session.scalars(wanted)).one_or_none()


async def page_of_statements(
    session: AsyncSession, *, after: UUID, limit: int
) -> Sequence[BankStatement]:
    """Return statements in the order of their ids."""
    wanted = select(BankStatement).where(col(BankStatement.id) > after)
    return (await session.scalars(wanted.order_by(col(BankStatement.id)).limit(limit))).all()


async def entries(session: AsyncSession, statement_id: UUID) -> Sequence[BankEntry]:
    """Return the entries of a statement in order."""
    wanted = select(BankEntry).where(col(BankEntry.statement_id) == statement_id)
    return (await session.scalars(wanted.order_by(col(BankEntry.seq)))).all()


async def entries_by_id(session: AsyncSession, ids: Collection[UUID]) -> Mapping[UUID, BankEntry]:
    """Return entries by their ids."""
    wanted = select(BankEntry).where(col(BankEntry.id).in_(ids))
    return {entry.id: entry for entry in await session.scalars(wanted)}


async def references(
    session: AsyncSession, account_id: UUID, banks: Collection[str]
) -> Mapping[str, str]:
    """Return the EndToEndId that was told together with each of the bank's own references."""
    wanted = (
        select(BankEntry.bank_ref, BankEntry.end_to_end_id)
        .join(BankStatement, col(BankStatement.id) == col(BankEntry.statement_id))
        .where(
            col(BankStatement.account_id) == account_id,
            col(BankEntry.bank_ref).in_(banks),
            col(BankEntry.end_to_end_id).is_not(None),
        )
    )
    found = await session.execute(wanted)
    return {str(bank): str(ours) for bank, ours in found}


async def get_batch(session: AsyncSession, batch_id: UUID) -> PaymentBatch:
    """Return a payment file.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(PaymentBatch, batch_id)
    if found is None:
        raise Unknown("There is no such payment file.")
    return found


async def page_of_batches(
    session: AsyncSession, *, after: UUID, limit: int
) -> Sequence[PaymentBatch]:
    """Return payment files in the order of their ids."""
    wanted = select(PaymentBatch).where(col(PaymentBatch.id) > after)
    return (await session.scalars(wanted.order_by(col(PaymentBatch.id)).limit(limit))).all()


async def items(session: AsyncSession, batch_id: UUID) -> Sequence[PaymentItem]:
    """Return the payments of a file, in the order of their ids."""
    wanted = select(PaymentItem).where(col(PaymentItem.batch_id) == batch_id)
    return (await session.scalars(wanted.order_by(col(PaymentItem.id)))).all()


async def items_of_account(
    session: AsyncSession, account_id: UUID, references: Collection[str]
) -> Sequence[PaymentItem]:
    """Return the payments out of an account that carry one of these references."""
    wanted = (
        select(PaymentItem)
        .join(PaymentBatch, col(PaymentBatch.id) == col(PaymentItem.batch_id))
        .where(
            col(PaymentBatch.account_id) == account_id,
            col(PaymentItem.end_to_end_id).in_(references),
        )
    )
    return (await session.scalars(wanted)).all()


async def items_of_messages(
    session: AsyncSession, account_id: UUID, messages: Collection[str]
) -> Mapping[str, Sequence[PaymentItem]]:
    """Return the payments of files of an account by the id of the file's message."""
    wanted = (
        select(PaymentBatch.message_id, PaymentItem)
        .join(PaymentItem, col(PaymentBatch.id) == col(PaymentItem.batch_id))
        .where(
            col(PaymentBatch.account_id) == account_id,
            col(PaymentBatch.message_id).in_(messages),
        )
        .order_by(col(PaymentItem.id))
    )
    found: dict[str, list[PaymentItem]] = {}
    for message, item in await session.execute(wanted):
        found.setdefault(message, []).append(item)
    return found


async def reports(session: AsyncSession, batch_id: UUID) -> Sequence[BankReport]:
    """Return what the bank reported about a payment file, in order."""
    wanted = select(BankReport).where(col(BankReport.batch_id) == batch_id)
    return (await session.scalars(wanted.order_by(col(BankReport.id)))).all()


async def tries(
    session: AsyncSession, payouts: Collection[UUID]
) -> Mapping[tuple[UUID, UUID], Sequence[PaymentItem]]:
    """Return by payout and payee the payments tried; those of refused files are left out."""
    wanted = (
        select(PaymentItem)
        .where(col(PaymentItem.payout_id).in_(payouts), col(PaymentItem.state) != FAILED)
        .order_by(col(PaymentItem.id))
    )
    found: dict[tuple[UUID, UUID], list[PaymentItem]] = {}
    for item in await session.scalars(wanted):
        if item.payout_id is not None and item.party_id is not None:
            found.setdefault((item.payout_id, item.party_id), []).append(item)
    return found


async def tries_of_remittances(
    session: AsyncSession, remittances: Collection[UUID]
) -> Mapping[UUID, Sequence[PaymentItem]]:
    """Return by remittance the payments tried; those of refused files are left out."""
    wanted = (
        select(PaymentItem)
        .where(col(PaymentItem.remittance_id).in_(remittances), col(PaymentItem.state) != FAILED)
        .order_by(col(PaymentItem.id))
    )
    found: dict[UUID, list[PaymentItem]] = {id: [] for id in remittances}
    for item in await session.scalars(wanted):
        if item.remittance_id is not None:
            found[item.remittance_id].append(item)
    return found


async def tries_of_returns(
    session: AsyncSession, movements: Collection[UUID]
) -> Mapping[UUID, Sequence[PaymentItem]]:
    """Return by return of a deposit the payments tried; those of refused files are left out."""
    wanted = (
        select(PaymentItem)
        .where(
            col(PaymentItem.deposit_movement_id).in_(movements), col(PaymentItem.state) != FAILED
        )
        .order_by(col(PaymentItem.id))
    )
    found: dict[UUID, list[PaymentItem]] = {id: [] for id in movements}
    for item in await session.scalars(wanted):
        if item.deposit_movement_id is not None:
            found[item.deposit_movement_id].append(item)
    return found


def may_be_paid(before: Sequence[PaymentItem]) -> bool:
    """Tell whether a transfer is in no file, or came back from each."""
    return all(item.state == RETURNED for item in before)


async def in_flight_minor(session: AsyncSession, account_id: UUID) -> int:
    """Return what approved files ask the bank to pay and no statement shows yet."""
    wanted = (
        select(func.coalesce(func.sum(PaymentItem.amount_minor), 0))
        .join(PaymentBatch, col(PaymentBatch.id) == col(PaymentItem.batch_id))
        .where(col(PaymentBatch.account_id) == account_id, col(PaymentItem.state) == "instructed")
    )
    return int(cast(int, await session.scalar(wanted)))
