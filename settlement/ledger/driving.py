"""Asking the database's own verbs, and turning its no into a refusal."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.ledger.rules import REFUSALS, JournalKeyReused


async def asked(session: AsyncSession, statement: Executable, values: Mapping[str, Any]) -> Any:
    """Return the one value that a statement gives, or None.

    The transaction is lost when the database says no: whoever catches the refusal rolls back.

    Raises:
        Refusal: the one that stands for the broken rule; see `rules.REFUSALS`.
    """
    try:
        return (await session.execute(statement, dict(values))).scalar_one_or_none()
    except DBAPIError as error:
        rule = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
        said = str(error.orig).splitlines()[0]
        if rule in REFUSALS:
            raise REFUSALS[rule](f"The ledger says: {said}.") from error
        if getattr(error.orig, "sqlstate", "") == "23505":
            raise JournalKeyReused(f"The ledger says: {said}.") from error
        raise
