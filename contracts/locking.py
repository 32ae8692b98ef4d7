"""A row under its lock, as it is now: how every verb loads what it is about to change."""

from typing import TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

Row = TypeVar("Row", bound=SQLModel)


async def find_locked(
    session: AsyncSession, kind: type[Row], *where: ColumnElement[bool]
) -> Row | None:
    """Return the row, locked until the transaction ends and read afresh, or None.

    The lock is FOR NO KEY UPDATE. Ids never change, so rows that refer to this one may be added by
    others meanwhile; and of two transactions that each add such a row first and lock this one then,
    neither waits for the other in a circle, as they would with FOR UPDATE.
    """
    wanted = select(kind).where(*where).with_for_update(key_share=True)
    found = await session.execute(wanted.execution_options(populate_existing=True))
    return found.scalar_one_or_none()


async def get_locked(session: AsyncSession, kind: type[Row], *where: ColumnElement[bool]) -> Row:
    """Return the row, locked as `find_locked` does, where something names it and none is deleted.

    Raises:
        NoResultFound: there is none; a bug, and no refusal.
    """
    found = await find_locked(session, kind, *where)
    if found is None:
        raise NoResultFound(f"No {kind.__name__} is there, and one is named.")
    return found
