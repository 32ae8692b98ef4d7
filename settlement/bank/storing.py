"""Keeping statements: each file and each statement once, in one chain for each account."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids, locking
from settlement.bank import queries, rules
from settlement.bank.rules import NOTIFICATION, Statement
from settlement.bank.tables import BankAccount, BankEntry, BankFile, BankStatement

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file brought; `new` are the statements that were not known."""

    file: BankFile
    statements: Sequence[BankStatement]
    new: Sequence[BankStatement]
    warnings: Sequence[str]


async def keep(
    session: AsyncSession,
    raw: bytes,
    statements: Sequence[Statement],
    *,
    person_id: UUID,
    now: datetime,
) -> Kept:
    """Keep a file and the statements that `reading.read` found in it, or nothing of it.

    A file that is known brings nothing new, nor does a statement that is known as it is.

    Raises:
        OwnAccountUnknown: a statement is of an account that is not followed.
        StatementGap: a statement does not open with what the one before closed with.
        StatementIdReused: the bank's id is known with other content.
    """
    file, is_new = await keep_file(session, raw, person_id=person_id, now=now)
    if not is_new:
        return Kept(file, await queries.statements_of_file(session, file.id), (), ())
    kept: list[BankStatement] = []
    new: list[BankStatement] = []
    for statement in statements:
        row, is_new = await _keep_one(session, file, statement, now=now)
        kept.append(row)
        if is_new:
            new.append(row)
    return Kept(file, kept, new, [said for each in statements for said in each.warnings])


async def keep_file(
    session: AsyncSession, raw: bytes, *, person_id: UUID, now: datetime
) -> tuple[BankFile, bool]:
    """Keep a file byte for byte, once; return it and whether it is new."""
    sha256 = canonical.sha256_hex(raw)
    known = await queries.find_file(session, sha256)
    if known is not None:
        return known, False
    file = BankFile(
        id=ids.new(now), sha256=sha256, content=raw, received_by=person_id, received_at=now
    )
    session.add(file)
    await session.flush()
    return file, True


async def _keep_one(
    session: AsyncSession, file: BankFile, statement: Statement, *, now: datetime
) -> tuple[BankStatement, bool]:
    account = await _account(session, statement)
    content = canonical.sha256_hex(canonical.dumps(_plain(statement)))
    known = await queries.find_statement(
        session, account.id, statement.kind, statement.statement_id
    )
    if known is not None:
        if known.content_sha256 != content:
            raise rules.StatementIdReused(
                "A statement of this id has other content.", statement=statement.statement_id
            )
        return known, False
    last = await queries.last_statement(session, account.id)
    turn = None
    if statement.kind != NOTIFICATION:
        rules.check_chain(statement, last_minor=None if last is None else last.closing_minor)
        turn = 1 if last is None or last.turn is None else last.turn + 1
    row = BankStatement(
        id=ids.new(now),
        account_id=account.id,
        file_id=file.id,
        kind=statement.kind,
        statement_id=statement.statement_id,
        turn=turn,
        opening_minor=statement.opening_minor,
        movements_minor=statement.total_minor,
        closing_minor=statement.closing_minor,
        closed_on=statement.closed_on,
        entries=len(statement.entries),
        content_sha256=content,
        imported_at=now,
    )
    session.add(row)
    await session.flush()
    await _keep_entries(session, row, statement, now=now)
    return row, True


async def _account(session: AsyncSession, statement: Statement) -> BankAccount:
    found = await queries.find_account(session, statement.account, statement.currency)
    if found is None:
        raise rules.OwnAccountUnknown(
            "The exchange does not follow this account.",
            account=statement.account,
            currency=statement.currency,
        )
    return await locking.get_locked(session, BankAccount, col(BankAccount.id) == found.id)


async def _keep_entries(
    session: AsyncSession, row: BankStatement, statement: Statement, *, now: datetime
) -> None:
    rows = [
        {"id": ids.new(now), "statement_id": row.id, "seq": seq, **asdict(entry)}
        for seq, entry in enumerate(statement.entries, 1)
    ]
    for start in range(0, len(rows), CHUNK):
        await session.execute(insert(BankEntry), rows[start : start + CHUNK])


def _plain(statement: Statement) -> dict[str, Any]:
    return {
        "account": statement.account,
        "currency": statement.currency,
        "opening_minor": statement.opening_minor,
        "closing_minor": statement.closing_minor,
        "entries": [
            {
                key: value.isoformat() if isinstance(value, date) else value
                for key, value in asdict(entry).items()
            }
            for entry in statement.entries
        ],
    }
