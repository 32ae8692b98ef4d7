"""Rows written in one statement, however many they are.

The unit of work writes each row by a statement of its own, which the server parses and plans anew
every time; where a batch writes many rows at once, that is most of the time it takes.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Insert, Text, Update, and_, bindparam, cast, column, func, inspect, select
from sqlalchemy import insert as inserting
from sqlalchemy import update as updating
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import SQLModel


async def write_new(
    session: AsyncSession, kind: type[SQLModel], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write new rows of a table.

    Args:
        session: the transaction.
        kind: the class of the rows.
        rows: each with the same columns: text, bytes, integers, booleans, ids, instants or None.
            Columns that are left out get what the database gives them.
    """
    if rows:
        told = json.dumps([dict(row) for row in rows], default=_plain)
        await session.execute(_insert(kind, tuple(rows[0])), {"rows": told})


async def write_changes(session: AsyncSession, rows: Sequence[SQLModel]) -> None:
    """Write what changed in loaded rows of one table; what else waits in the session is left.

    Args:
        session: the transaction, in which the rows are locked.
        rows: of one class; what changed in them is of the types that `write_new` takes.

    Raises:
        StaleDataError: a row is gone (a bug: it was locked).
    """
    rows = [row for row in rows if inspect(row).committed_state]
    if not rows:
        return
    kind, keys = type(rows[0]), _keys(type(rows[0]))
    changed = sorted({name for row in rows for name in inspect(row).committed_state})
    values = [{name: getattr(row, name) for name in (*keys, *changed)} for row in rows]
    told = {"rows": json.dumps(values, default=_plain)}
    connection = await session.connection()  # which, unlike the session, flushes nothing first
    written = await connection.execute(_update(kind, tuple(changed)), told)
    if written.rowcount != len(rows):
        raise StaleDataError(f"{kind.__name__}: {len(rows)} rows to write, not all are there.")
    for row in rows:
        for name in changed:
            set_committed_value(row, name, getattr(row, name))


@lru_cache
def _insert(kind: type[SQLModel], names: tuple[str, ...]) -> Insert:
    told = _told(kind, names)
    return inserting(_table(kind)).from_select(list(names), select(*told.c))


@lru_cache
def _update(kind: type[SQLModel], changed: tuple[str, ...]) -> Update:
    table, keys = _table(kind), _keys(kind)
    row = _told(kind, (*keys, *changed))
    this = and_(*(table.c[key] == row.c[key] for key in keys))
    return updating(table).values({name: row.c[name] for name in changed}).where(this)


def _told(kind: type[SQLModel], names: Sequence[str]) -> Any:
    """Return the rows of the parameter `rows`, a JSON text, as a table of typed columns."""
    columns = [column(name, _table(kind).c[name].type) for name in names]
    told = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
    return told.table_valued(*columns, name="row").render_derived(with_types=True)


def _table(kind: type[SQLModel]) -> Any:
    return inspect(kind).local_table


def _keys(kind: type[SQLModel]) -> list[str]:
    return [key.name for key in inspect(kind).primary_key]


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} is not written in a batch")
