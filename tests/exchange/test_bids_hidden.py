"""What a stranger can measure of a hidden auction: what is asked of the database, and the answer.

Times are noise on a busy machine. What they could tell is the work behind them, and that is exact:
the statements that the database is sent, the rows that it gives back, the bytes that leave.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import event

from contracts import ids
from exchange import clock
from exchange.db import Database
from tests.exchange.identity_factory import api_key, headers, person
from tests.listings.auctions_factory import enrol
from tests.listings.catalogue_factory import published_listing

OF_THE_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*|[\w-]{43}"  # instants; the token of a form
)


@contextmanager
def work_of(db: Database) -> Iterator[list[tuple[str, int]]]:
    """Note each statement and how many rows it gave."""
    done: list[tuple[str, int]] = []

    def note(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        done.append((statement, cursor.rowcount))

    event.listen(db.engine.sync_engine, "after_cursor_execute", note)
    yield done
    event.remove(db.engine.sync_engine, "after_cursor_execute", note)


async def seen(
    client: httpx.AsyncClient, db: Database, path: str
) -> tuple[list[tuple[str, int]], str]:
    with work_of(db) as done:
        answer = await client.get(path)
    return done, f"{answer.status_code} {OF_THE_MOMENT.sub('…', answer.text)}"


PATHS = ("/v1/auctions/{}", "/v1/auctions/{}/bids", "/auctions/{}", "/v1/auctions/{}/log")


async def sealed_sale(db: Database, secrecy: dict[str, str]) -> tuple[UUID, list[str]]:
    """A listing that is sold by sealed bids, and the keys of three who may bid."""
    now = clock.now()
    async with db.transaction() as session:
        seller = await enrol(session, now=now, kind="rights_holder")
        listing = await published_listing(
            session, seller=seller, now=now, method="sealed", step_minor=None,
            soft_close_s=None, hard_stop_at=None, secrecy=secrecy,
        )  # fmt: skip
        keys = []
        for _ in range(3):
            who = await enrol(session, now=now)
            acts = await person(session, party_id=who.id, role="broadcaster", now=now)
            keys.append(await api_key(session, person=acts, now=now))
    assert listing.auction_id is not None
    return listing.auction_id, keys


async def before_and_after(
    client: httpx.AsyncClient, db: Database, secrecy: dict[str, str]
) -> list[tuple[Any, Any]]:
    auction, keys = await sealed_sale(db, secrecy)
    paths = [path.format(auction) for path in PATHS]
    for path in paths:
        await seen(client, db, path)  # whatever is prepared once is prepared now
    before = [await seen(client, db, path) for path in paths]
    for n, key in enumerate(keys):
        told = await client.put(
            f"/v1/auctions/{auction}/bids/{ids.new(clock.now())}",
            json={"amount_minor": 90_000_000 + n, "currency": "CNY"}, headers=headers(key),
        )  # fmt: skip
        assert told.status_code == 201, told.text
    after = [await seen(client, db, path) for path in paths]
    return list(zip(before, after, strict=True))


async def test_three_bids_change_neither_the_work_nor_the_answer_for_a_stranger(
    client: httpx.AsyncClient, db: Database
) -> None:
    pairs = await before_and_after(client, db, {"bidders": "hidden", "amounts": "secret"})
    for before, after in pairs:
        assert after == before
    assert [told[:4] for _, (_, told) in pairs] == ["200 "] * 3 + ["409 "]  # no log so early


async def test_where_bidders_are_shown_by_paddle_the_answer_does_change(
    client: httpx.AsyncClient, db: Database
) -> None:
    pairs = await before_and_after(client, db, {"bidders": "alias", "amounts": "secret"})
    assert pairs[0][0] != pairs[0][1]
