"""What ours is compared with, kept here: the plain endpoint, and those that do nothing.

`PUT /rowlock/{auction_id}/bids/{bid_id}` is what most systems do: one transaction per bid,
`SELECT … FOR UPDATE` of the auction's row, a comparison, UPDATE, INSERT, COMMIT. `PUT /noop/…` is
the same endpoint without a database: FastAPI reads ids, body and key, and answers. `PUT /bare/…` is
FastAPI alone, which looks at neither. Keys are checked with the same cache as ours.
"""

import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from exchange import clock
from exchange.db import Database
from exchange.identity import service as identity
from exchange.identity.rules import Caller

TABLES = (
    "CREATE TABLE IF NOT EXISTS plain_auction (id uuid PRIMARY KEY, leading_minor bigint NOT NULL, "
    "bids int NOT NULL) WITH (fillfactor = 50)",
    "CREATE TABLE IF NOT EXISTS plain_bid (auction_id uuid, id uuid, party_id uuid NOT NULL, "
    "amount_minor bigint NOT NULL, sequence int NOT NULL, received_at timestamptz NOT NULL, "
    "PRIMARY KEY (auction_id, id))",
    "GRANT SELECT, INSERT, UPDATE ON plain_auction, plain_bid TO exchange_app",
)
_LOCK = text("SELECT leading_minor, bids FROM plain_auction WHERE id = :id FOR UPDATE")
_MOVE = text("UPDATE plain_auction SET leading_minor = :amount, bids = :bids WHERE id = :id")
_ADD = text("INSERT INTO plain_bid VALUES (:id, :bid, :party, :amount, :bids, :at)")


class BidIn(BaseModel):
    """A bid."""

    amount_minor: Annotated[int, Field(strict=True, ge=1)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.db = Database(os.environ["BENCH_DATABASE_URL"], pool_size=8)
    app.state.known = {}
    yield
    await app.state.db.close()


app = FastAPI(lifespan=lifespan)


async def get_caller(request: Request) -> Caller:
    """Recognise the key, looked up once in two seconds, as ours does."""
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    caller, until = request.app.state.known.get(key, (None, 0.0))
    if caller is None or until < time.monotonic():
        async with request.app.state.db.transaction() as session:
            caller = await identity.caller_by_key(session, key, now=clock.now())
        request.app.state.known[key] = (caller, time.monotonic() + 2)
    return caller


@app.put("/rowlock/{auction_id}/bids/{bid_id}")
async def place(
    auction_id: UUID,
    bid_id: UUID,
    given: BidIn,
    request: Request,
    response: Response,
    caller: Annotated[Caller, Depends(get_caller)],
) -> dict[str, object]:
    """Lock, compare, write, commit."""
    at = clock.now()
    async with request.app.state.db.transaction() as session:
        row = (await session.execute(_LOCK, {"id": auction_id})).one()
        if given.amount_minor <= row.leading_minor:
            raise HTTPException(409, "too low")
        wanted = {"id": auction_id, "amount": given.amount_minor, "bids": row.bids + 1}
        await session.execute(_MOVE, wanted)
        await session.execute(_ADD, {**wanted, "bid": bid_id, "party": caller.party_id, "at": at})
    response.status_code = 201
    return {"id": str(bid_id), "sequence": row.bids + 1, "amount_minor": given.amount_minor}


@app.put("/noop/{auction_id}/bids/{bid_id}", status_code=201)
async def noop(
    auction_id: UUID,
    bid_id: UUID,
    given: BidIn,
    caller: Annotated[Caller, Depends(get_caller)],
) -> dict[str, object]:
    """Take the same bid and do nothing with it."""
    return {
        "id": str(bid_id),
        "auction": str(auction_id),
        "amount_minor": given.amount_minor,
        "party": str(caller.party_id),
    }


@app.put("/bare/{auction_id}/bids/{bid_id}")
async def bare() -> dict[str, bool]:
    """Look at nothing, do nothing."""
    return {"ok": True}


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", loop="uvloop",
        http="httptools", access_log=False,
    )  # fmt: skip
