"""Alembic environment: one connection, lock and statement time-outs, then the role's privileges."""

from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine, text
from sqlmodel import SQLModel

from migrations import grants, metadata

# A migration that cannot get its lock gives way to the traffic; one that runs on is cut off.
TIMEOUTS = ("SET lock_timeout = '2s'", "SET statement_timeout = '15min'")

metadata.load()


def include(_object: Any, name: str | None, type_: str, _reflected: bool, _to: Any) -> bool:
    """Leave the job queue's own tables out of the comparison."""
    return not (type_ == "table" and name is not None and name.startswith("procrastinate_"))


def run(connection: Connection) -> None:
    """Bring the connection's database to the wanted revision."""
    for timeout in TIMEOUTS:
        connection.execute(text(timeout))
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        include_object=include,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        grants.ensure_role(connection)
        context.run_migrations()
        grants.apply(connection)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
elif context.is_offline_mode():
    context.configure(
        dialect_name="postgresql", target_metadata=SQLModel.metadata, literal_binds=True
    )
    with context.begin_transaction():
        for timeout in TIMEOUTS:
            context.execute(timeout)
        context.run_migrations()
else:
    url = context.config.get_main_option("sqlalchemy.url") or ""
    with create_engine(url).connect() as opened:
        run(opened)
        opened.commit()
