"""The database edge: no success before the commit, no lost outcome called a success."""

import os
import secrets
import socket
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from contracts.refusal import CommitUnknown, Kind, Refusal, Unknown
from exchange import db as edge
from exchange.api import problems
from exchange.api.deps import Session
from exchange.context import Context
from exchange.db import REPLICATION_WARNING, Database, DatabaseAway


def app_that_writes(context: Context, *, statement: str) -> FastAPI:
    app = FastAPI()
    app.state.context = context
    problems.install(app)

    @app.post("/thing", status_code=201)
    async def make(session: Session) -> dict[str, str]:
        await session.execute(text(statement))
        return {"made": "yes"}

    return app


async def post(app: FastAPI) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as client:
        return await client.post("/thing")


async def test_a_failing_commit_is_never_a_201(context: Context) -> None:
    deferred = (
        "DO $$ BEGIN CREATE TEMP TABLE once (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) "
        "ON COMMIT DROP; INSERT INTO once VALUES (1), (1); END $$"
    )
    answer = await post(app_that_writes(context, statement=deferred))
    assert answer.status_code == 500


async def test_a_good_commit_is_a_201(context: Context) -> None:
    answer = await post(app_that_writes(context, statement="SELECT 1"))
    assert (answer.status_code, answer.json()) == (201, {"made": "yes"})


async def test_a_commit_not_confirmed_by_the_standby_is_unknown(db: Database) -> None:
    with pytest.raises(CommitUnknown):
        async with db.transaction() as session:
            await session.execute(
                text(
                    f"DO $$ BEGIN RAISE WARNING '{REPLICATION_WARNING} due to user request'; END $$"
                )
            )


async def test_the_unconfirmed_commit_is_answered_503_with_its_code(context: Context) -> None:
    warning = f"DO $$ BEGIN RAISE WARNING '{REPLICATION_WARNING}'; END $$"
    answer = await post(app_that_writes(context, statement=warning))
    assert answer.status_code == 503
    assert answer.json()["code"] == "commit-unknown"
    assert answer.headers["retry-after"] == "1"


async def test_a_connection_lost_before_the_commit_is_told_as_such(db: Database) -> None:
    with pytest.raises(DatabaseAway):
        async with db.transaction() as session:
            await session.execute(text("SELECT 1"))
            raw = await (await session.connection()).get_raw_connection()
            with socket.socket(fileno=os.dup(raw.driver_connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
            await session.execute(text("SELECT 1"))


async def test_a_connection_lost_under_the_driver_itself_is_told_as_such(db: Database) -> None:
    with pytest.raises(DatabaseAway):
        async with db.transaction() as session:
            raw = await (await session.connection()).get_raw_connection()
            with socket.socket(fileno=os.dup(raw.driver_connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
            await raw.driver_connection.execute("SELECT 1")


async def test_a_connection_lost_while_idle_is_replaced_before_anybody_notices(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = Database(database_url, pool_size=1), Database(database_url, pool_size=1)
    try:
        for trusted_for_s, is_noticed in ((0.0, False), (3600.0, True)):
            monkeypatch.setattr(edge, "TRUSTED_FOR_S", trusted_for_s)
            async with own.transaction() as session:
                pid = await session.scalar(text("SELECT pg_backend_pid()"))
            async with other.transaction() as session:
                stop = text("SELECT pg_terminate_backend(:pid, 5000)")
                await session.execute(text("SET LOCAL ROLE NONE"))
                assert await session.scalar(stop, {"pid": pid})
            if is_noticed:  # it was in use a moment ago: the next caller is told to try again
                with pytest.raises(DatabaseAway):
                    async with own.transaction() as session:
                        await session.execute(text("SELECT 1"))
            async with own.transaction() as session:
                assert await session.scalar(text("SELECT pg_backend_pid()")) != pid
    finally:
        await own.close()
        await other.close()


async def test_a_connection_lost_while_committing_leaves_the_outcome_unknown(db: Database) -> None:
    with pytest.raises(CommitUnknown):
        async with db.transaction() as session:
            await session.execute(text("SELECT 1"))
            raw = await (await session.connection()).get_raw_connection()
            with socket.socket(fileno=os.dup(raw.driver_connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)


async def test_a_refusal_stays_the_answer_though_the_connection_dies_behind_it(
    db: Database,
) -> None:
    with pytest.raises(Unknown):
        async with db.transaction() as session:
            await session.execute(text("SELECT 1"))
            raw = await (await session.connection()).get_raw_connection()
            with socket.socket(fileno=os.dup(raw.driver_connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
            raise Unknown("There is no such thing.")


async def test_no_database_at_all_is_a_503() -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", pool_size=1)
    with pytest.raises(DatabaseAway):
        async with nowhere.transaction() as session:
            await session.execute(text("SELECT 1"))
    with pytest.raises(DatabaseAway):
        await nowhere.connect()
    await nowhere.close()


async def test_the_application_acts_as_a_role_that_owns_nothing(db: Database) -> None:
    async with db.transaction() as session:
        found: Any = (await session.execute(text("SELECT current_user"))).scalar_one()
    assert found == "exchange_app"


class Held(Refusal):
    """A no that leaves what led to it."""

    kind, code, hint = Kind.CONFLICT, "held-in-a-test", "Wait."
    keeps = True


@pytest.mark.parametrize(("refusal", "left"), [(Held("No."), 1), (Unknown("No."), 0)])
async def test_a_refusal_keeps_what_was_written_only_if_it_says_so(
    db: Database, context: Context, refusal: Refusal, left: int
) -> None:
    name = {"e": secrets.token_bytes(32)}
    app = FastAPI()
    app.state.context = context
    problems.install(app)

    @app.post("/thing", status_code=201)
    async def make(session: Session) -> None:
        made = "INSERT INTO sign_in_failures (email_hash, failures, since) VALUES (:e, 1, now())"
        await session.execute(text(made), name)
        raise refusal

    assert (await post(app)).json()["code"] == refusal.code
    async with db.transaction() as session:
        count = text("SELECT count(*) FROM sign_in_failures WHERE email_hash = :e")
        assert await session.scalar(count, name) == left
