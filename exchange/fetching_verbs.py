"""Masters that lie elsewhere: streamed once, hashed on the way, and kept like an upload."""

from datetime import datetime
from uuid import UUID

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange import clock
from exchange.context import Context
from listings.masters import references, service, sources
from listings.masters.refusals import Examination, ReferenceDiffers, ReferenceNotAllowed
from listings.masters.sources import Source


async def fetch_master(
    context: Context,
    session: AsyncSession,  # noqa: ARG001 - each part has a transaction of its own.
    fact: SealedFact,
    now: datetime,
) -> None:
    """Fetch a master part by part; after a crash, go on where the committed part ends."""
    master_id = fact.subject
    try:
        await _fetch(context, master_id, url=fact.record["url"], size=fact.record["bytes"])
    except (Examination, ReferenceNotAllowed) as refusal:
        async with context.db.transaction() as refusing:
            await service.refuse_reference(refusing, master_id, refusal, now=now)
        await anyio.to_thread.run_sync(context.masters.remove, master_id)


async def _fetch(context: Context, master_id: UUID, *, url: str, size: int) -> None:
    # Looked up again: the operator may have taken the store off the list.
    where = references.locate(url, allowed=context.settings.references)
    source = await anyio.to_thread.run_sync(sources.open_source, where)
    if source.size != size:
        raise ReferenceDiffers("The file has another length.", wanted=size, found=source.size)
    async with context.db.transaction() as session:
        master = await service.find_reference(session, master_id, e_tag=source.e_tag)
    if master is not None:
        await _copy(context, source, master_id, party_id=master.party_id, at=master.received_bytes)


async def _copy(
    context: Context, source: Source, master_id: UUID, *, party_id: UUID, at: int
) -> None:
    """Append what is missing, each part in a transaction that is over before the next is read."""
    while at < source.size:
        block = await anyio.to_thread.run_sync(source.read, at)
        async with context.db.transaction() as session:
            await service.append(
                session, master_id, party_id=party_id, offset=at, block=block,
                files=context.masters, now=clock.now(),
            )  # fmt: skip
        at += len(block)
