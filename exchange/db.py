"""The database edge: one engine, one transaction per request or job, committed before the answer.

A COMMIT whose outcome is unknown is never reported as success: a lost connection, or the warning
"canceling wait for synchronous replication", becomes the refusal `commit-unknown`.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakSet

import psycopg
from sqlalchemy import event
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
)
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import ConnectionPoolEntry

from contracts.refusal import CommitUnknown, Kind, Refusal

APP_ROLE = "exchange_app"
REPLICATION_WARNING = "canceling wait for synchronous replication"
# States of a lost or refused connection; a connection that breaks has none.
AWAY = (None, "57P01", "57P02", "57P03", "08006", "08003")

TRUSTED_FOR_S = 1.0  # a connection that lay longer is tried out first, which takes a round trip


class DatabaseAway(Refusal):
    """The database cannot be reached just now."""

    kind, code = Kind.UNAVAILABLE, "database-away"
    hint = "Try again in a moment with the same id; nothing was changed."


class Database:
    """An engine whose connections act as the application role, which owns no table."""

    def __init__(self, url: str, *, pool_size: int = 10, role: str = APP_ROLE) -> None:
        """Prepare the engine for a `postgresql+psycopg://` URL; connects on first use."""
        self.url = url
        self._unsure: WeakSet[Any] = WeakSet()
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            connect_args={
                "prepare_threshold": None,  # safe behind PgBouncer in transaction mode
                "options": f"-c role={role} -c timezone=UTC",
                "connect_timeout": 5,
            },
        )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        event.listen(self.engine.sync_engine, "connect", self._watch_notices)
        event.listen(self.engine.sync_engine, "checkin", self._put_down)
        event.listen(self.engine.sync_engine, "checkout", self._try_out)

    def _watch_notices(self, dbapi_connection: Any, _record: Any) -> None:
        driver = dbapi_connection.driver_connection

        def heard(diagnostic: Any) -> None:
            if REPLICATION_WARNING in (diagnostic.message_primary or ""):
                self._unsure.add(driver)

        driver.add_notice_handler(heard)

    def _put_down(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    def _try_out(self, connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        """Ask a connection that lay idle whether it still lives; the pool opens others if not."""
        idle_since = record.info.get("idle_since")
        if idle_since is None or time.monotonic() - idle_since < TRUSTED_FOR_S:
            return
        try:
            self.engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError("The connection was lost while idle.") from error

    @asynccontextmanager
    async def transaction(self, on: AsyncConnection | None = None) -> AsyncIterator[AsyncSession]:
        """Open a session; commit when the block ends, roll back when it raises.

        `on` is a connection that the caller keeps; otherwise one comes from the pool. A refusal
        that `keeps` is raised after a commit: the verdict that it tells stays written.

        Raises:
            CommitUnknown: the outcome of the commit could not be learned.
            DatabaseAway: the connection failed before the commit; nothing was changed.
        """
        session = self.sessions() if on is None else self.sessions(bind=on)
        try:
            try:
                yield session
            except Refusal as refusal:
                if not refusal.keeps:
                    raise
                await self._commit(session)
                raise
            await self._commit(session)
        except (OperationalError, InterfaceError) as error:
            if error.connection_invalidated or _is_away(error):
                raise DatabaseAway("The database cannot be reached.") from error
            raise
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            # From the driver itself, where batches use its pipeline.
            if error.sqlstate in AWAY:
                raise DatabaseAway("The database cannot be reached.") from error
            raise
        finally:
            # Rolling back on a dead connection fails; what was decided before stays the answer.
            with suppress(OperationalError, InterfaceError):
                await session.close()

    async def connect(self) -> AsyncConnection:
        """Open a connection that the caller keeps, and closes.

        Raises:
            DatabaseAway: there is none to be had.
        """
        try:
            return await self.engine.connect()
        except (OperationalError, InterfaceError) as error:
            if error.connection_invalidated or _is_away(error):
                raise DatabaseAway("The database cannot be reached.") from error
            raise

    async def _commit(self, session: AsyncSession) -> None:
        if not session.in_transaction():
            return
        connection = (await session.connection()).sync_connection
        driver = None if connection is None else connection.connection.driver_connection
        try:
            await session.commit()
        except DBAPIError as error:
            if error.connection_invalidated or _is_away(error):
                raise CommitUnknown("The connection was lost while committing.") from error
            raise
        if driver in self._unsure:
            self._unsure.discard(driver)
            raise CommitUnknown("The standby's confirmation was not awaited.")

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def _is_away(error: DBAPIError) -> bool:
    """Tell a lost or refused connection from a server that answered with an error."""
    return getattr(error.orig, "sqlstate", None) in AWAY
