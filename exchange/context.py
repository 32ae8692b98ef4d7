"""What one process carries: settings and database, opened once and passed down."""

from dataclasses import dataclass

from exchange import embedded
from exchange.db import Database
from exchange.settings import Settings
from listings.masters import objects, store


@dataclass(frozen=True, slots=True)
class Context:
    """The process's settings and database."""

    settings: Settings
    db: Database

    @property
    def masters(self) -> store.Files:
        """The files of masters, in the folder or in the object store."""
        return store.opened(self.settings.objects, self.settings.objects_store)

    @property
    def objects(self) -> objects.Objects:
        """Whatever else is kept by key: proxies, thumbnails, pieces of an examination."""
        return objects.opened(self.settings.objects, self.settings.objects_store)


def database_url(settings: Settings) -> str:
    """Return the configured URL, or start the embedded PostgreSQL and return its URL."""
    url = settings.database_url
    if url is None:
        return embedded.start(settings.home)
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def open_context(settings: Settings) -> Context:
    """Open the process's context; connections are made on first use."""
    return Context(settings, Database(database_url(settings)))
