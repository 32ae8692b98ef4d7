"""The database driver's own connection beneath a session, for what the session cannot say."""

from typing import Any

from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncSession


async def beneath(session: AsyncSession) -> AsyncConnection[Any]:
    """Return the connection of the session's transaction; what is done there bypasses the session.

    Raises:
        TypeError: the session speaks through another driver; there is one.
    """
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    if not isinstance(connection, AsyncConnection):
        raise TypeError(f"another driver: {type(connection).__name__}")
    return connection
