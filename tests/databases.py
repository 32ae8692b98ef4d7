"""Databases of a test's own, on the server that all tests share."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text

from tests.conftest import migrate


def on_server(url: str, command: str, **values: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(command), values)
    engine.dispose()


@contextmanager
def own_database(server_url: str, name: str) -> Iterator[str]:
    """A database of this name as the migrations leave it; yields its URL, and drops it then."""
    on_server(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    on_server(server_url, f"CREATE DATABASE {name}")
    url = server_url.replace("/postgres?", f"/{name}?")
    migrate(url)
    yield url
    on_server(server_url, f"DROP DATABASE {name} WITH (FORCE)")
