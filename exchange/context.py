"""What one process carries: settings and database, opened once and passed down."""

from dataclasses import dataclass

from exchange import embedded
from exchange.db import Database
from exchange.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """The process's settings and database."""

    settings: Settings
    db: Database


def database_url(settings: Settings) -> str:
    """Return the configured URL, or start the embedded PostgreSQL and return its URL."""
    url = settings.database_url
    if url is None:
        return embedded.start(settings.home)
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def open_context(settings: Settings) -> Context:
    """Open the process's context; connections are made on first use."""
    return Context(settings, Database(database_url(settings)))
