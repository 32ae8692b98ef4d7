"""Sealing what waits: batch after batch on one connection, each in a transaction of its own."""

from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from contracts.log.gateway import CheckpointSigner
from contracts.log.queries import is_anything_waiting
from contracts.log.service import Sealer
from exchange import clock, jobs
from exchange.db import Database

READ_AHEAD = 2_000  # facts; some MB, and one wait for them instead of one for each batch


async def seal_waiting(db: Database, signer: CheckpointSigner, *, limit: int) -> int:
    """Number the facts that wait, at most `limit` in a transaction, and queue what they wake.

    Returns how many there were: what came in between is numbered too.

    Raises:
        LogWouldFork, SealerOvertaken: of `contracts.log.service.seal`; the batches before stand.
        CommitUnknown, DatabaseAway: the connection failed; the next call goes on from there.
    """
    async with db.transaction() as session:
        if not await is_anything_waiting(session):
            return 0
    sealer = Sealer(signer, limit=limit, ahead=limit * max(1, READ_AHEAD // limit))
    connection, done, batch = await db.connect(), 0, limit
    try:
        while batch >= limit:
            async with db.transaction(on=connection) as session:
                sealed = await sealer.seal(session, now=clock.now())
                await jobs.defer_reactions(session, sealed)
            batch = len(sealed)
            done += batch
    finally:
        with suppress(DBAPIError):  # a connection that has died cannot be given back
            await connection.close()
    return done
