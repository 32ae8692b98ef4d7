"""Bringing a database to the schema this code needs."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

import migrations


def config() -> Config:
    """Return the Alembic configuration, wherever the package is installed."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return settings


@cache
def head() -> str:
    """Return the newest revision; its files are read once."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


def migrate(url: str, *, revision: str = "head") -> None:
    """Upgrade the database, all or nothing, as the owner the URL names."""
    settings = config()
    engine = create_engine(url)
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, revision)
    engine.dispose()


def current(url: str) -> str | None:
    """Return the database's revision, or None when it has never been migrated."""
    engine = create_engine(url, connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        table = connection.execute(text("SELECT to_regclass('public.alembic_version')")).scalar()
        if table is None:
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    engine.dispose()
    return None if found is None else str(found)
