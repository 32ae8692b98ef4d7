"""Migrations: from nothing to head, equal to what the code declares, and back on paper."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlmodel import SQLModel

from migrations import metadata
from tests.conftest import ROOT, migrate


@pytest.fixture
def empty_url(server_url: str) -> str:
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS from_nothing WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE from_nothing"))
    engine.dispose()
    return server_url.replace("/postgres?", "/from_nothing?")


def differences(connection: Connection) -> list[object]:
    metadata.load()
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "include_object": lambda _o, name, kind, _r, _t: (
                not (kind == "table" and str(name).startswith("procrastinate_"))
            ),
        },
    )
    return [
        item
        for item in compare_metadata(context, SQLModel.metadata)
        if "procrastinate_" not in repr(item)
    ]


def test_the_migrations_build_what_the_code_declares(empty_url: str) -> None:
    migrate(empty_url)
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


def test_every_migration_can_be_undone_and_done_again(empty_url: str) -> None:
    migrate(empty_url)
    engine = create_engine(empty_url)
    config = Config(str(ROOT / "alembic.ini"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
        left = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        assert set(left) <= {"alembic_version"}
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()


def test_the_application_role_owns_nothing(empty_url: str) -> None:
    migrate(empty_url)
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        owned = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE tableowner = 'exchange_app'")
        ).scalars()
        assert list(owned) == []
    engine.dispose()


def test_revisions_form_one_line() -> None:
    script = ScriptDirectory(str(Path(ROOT) / "migrations"))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


# Matters of taste about columns; what squawk is here for are locks and rewrites.
TASTE = (
    "prefer-bigint-over-int,prefer-bigint-over-smallint,prefer-text-field,prefer-identity,"
    "prefer-robust-stmts"
)


def test_squawk_finds_no_dangerous_lock(tmp_path: Path) -> None:
    config = Config(str(ROOT / "alembic.ini"))
    config.output_buffer = io.StringIO()
    command.upgrade(config, "head", sql=True)
    script = tmp_path / "upgrade.sql"
    script.write_text(config.output_buffer.getvalue())
    squawk = Path(sys.executable).with_name("squawk")
    seen = subprocess.run(
        [squawk, f"--exclude={TASTE}", script], capture_output=True, text=True, check=False
    )
    assert seen.returncode == 0, seen.stdout
