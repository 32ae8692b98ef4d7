"""Keeping the scan files: new rows are written to files, small files become larger ones."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.from_thread
import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from listings.index import gateway, queries
from listings.index.clickhouse import ClickHouse
from listings.index.rules import Minute

if TYPE_CHECKING:
    from listings.index.local import Scans

# Until so many codes wait, a search reads them from their rows: 28 hours, some milliseconds.
MOST_WAITING = 100_000


@dataclass(frozen=True, slots=True)
class State:
    """How the index stands: what was added, what files hold of it, and what they do not."""

    entries: int
    codes: int
    files: tuple[str, ...]
    waiting: int  # codes that are read from their rows
    damaged: tuple[str, ...]
    bytes: int  # of the files that serve


async def state(session: AsyncSession, *, folder: Path) -> State:
    """Tell how the index and its files stand."""
    scans = await gateway.open_scans(folder)
    plan = await gateway.planned(session, scans)
    head = (await queries.head(session)).entries
    return State(
        entries=head,
        codes=await queries.counted(session, 1, head),
        files=tuple(part.path.name for part in plan.parts),
        waiting=sum([await queries.counted(session, *gap) for gap in plan.gaps]),
        damaged=tuple(scans.damaged()),
        bytes=sum(part.path.stat().st_size for part in plan.parts),
    )


async def keep_up(session: AsyncSession, *, folder: Path, most_waiting: int = MOST_WAITING) -> int:
    """Write what waits into a file, if it is much; return how many codes were written.

    A new file takes in those before it that are not larger than twice itself, so that there are
    few files, and each code is written again only a few times in its life. One process writes at a
    time; to the others there is nothing to do.
    """
    if not (await queries.head(session)).entries:
        return 0
    scans = await gateway.open_scans(folder)
    plan = await gateway.planned(session, scans)
    waiting = {gap: await queries.counted(session, *gap) for gap in plan.gaps}
    if sum(waiting.values()) <= most_waiting and not scans.damaged():
        return 0
    kept = {(part.header.first, part.header.last): part.header.codes for part in plan.parts}
    written = 0
    with scans.writing() as mine:
        for (first, last), codes in waiting.items() if mine else ():
            while (before := _small_before(kept, first, codes)) is not None:
                codes += kept.pop(before)
                first = before[0]
            await _write(session, scans, first, last)
            kept[first, last] = codes
            written += codes
        if mine:
            await anyio.to_thread.run_sync(scans.remove_all_but, list(kept))
    return written


async def rebuild(session: AsyncSession, *, folder: Path) -> int:
    """Write all rows into one file and remove the others; return how many codes it holds."""
    head = (await queries.head(session)).entries
    scans = await gateway.open_scans(folder)
    with scans.writing() as mine:
        if not (mine and head):
            return 0
        await _write(session, scans, 1, head)
        await anyio.to_thread.run_sync(scans.remove_all_but, [(1, head)])
    return await queries.counted(session, 1, head)


async def copy_up(session: AsyncSession, warehouse: ClickHouse, *, most: int = 100) -> int:
    """Copy at most so many entries to ClickHouse, in their order; return how many.

    What is there of another past is deleted first, and what was dropped since.
    """
    await warehouse.create()
    copied, head = (
        await gateway.copied_to(session, warehouse),
        (await queries.head(session)).entries,
    )
    if not copied and (await warehouse.head())[0]:
        await warehouse.clear()
    last = min(head, copied + most)
    chains = await queries.chains(session, range(copied + 1, last + 1))
    for entry, chain in sorted(chains.items()):
        await warehouse.add(entry, chain, await queries.minutes(session, entry, entry))
    await warehouse.drop(await queries.dropped(session))
    return last - copied


def _small_before(
    kept: dict[tuple[int, int], int], first: int, codes: int
) -> tuple[int, int] | None:
    return next(
        (span for span, size in kept.items() if span[1] + 1 == first and size <= 2 * codes), None
    )


async def _write(session: AsyncSession, scans: "Scans", first: int, last: int) -> None:
    """Write the file of some entries; rows stream in while a thread writes."""
    chain = (await queries.chains(session, [last]))[last]
    pages = queries.stream(session, first, last)
    await anyio.to_thread.run_sync(
        lambda: scans.write((first, last), chain=chain, minutes=_minutes(pages))
    )


def _minutes(pages: AsyncIterator[list[Minute]]) -> Iterator[Minute]:
    """Yield minutes in a thread, page by page from the event loop."""
    while page := anyio.from_thread.run(_next, pages):
        yield from page


async def _next(pages: AsyncIterator[list[Minute]]) -> list[Minute]:
    return await anext(pages, [])
