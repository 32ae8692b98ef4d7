"""Engines that search the index: one interface, whatever holds the codes."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import anyio.to_thread
import httpx
import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from listings.index import queries
from listings.index.clickhouse import ClickHouse
from listings.index.rules import Candidate, Codes, Line, Question, Times
from listings.index.voting import elect

if TYPE_CHECKING:
    from listings.index.local import Plan, Scans


class Engine(Protocol):
    """Searches every code of every listed master; nothing is approximate."""

    async def search(
        self, codes: Codes, at_ms: Times, *, most: int, since: int = 0
    ) -> list[Candidate]:
        """Return at most `most` candidates, the best first; each code is also asked mirrored.

        Args:
            codes: uint8, shape (n, windows, 32); `rules.ask` makes them of a query track.
            at_ms: int64, shape (n,), ascending.
            most: candidates to return.
            since: look only at entries after this one; what the transaction added counts.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Searches scan files, and rows that no file holds yet as this session sees them.

    The scan runs in threads; the session waits meanwhile, its transaction open.
    """

    folder: Path
    session: AsyncSession

    async def search(
        self, codes: Codes, at_ms: Times, *, most: int, since: int = 0
    ) -> list[Candidate]:
        """See `Engine.search`."""
        question = Question(np.ascontiguousarray(codes), at_ms)
        local = await anyio.to_thread.run_sync(_local)
        scans = await open_scans(self.folder)
        plan = await planned(self.session, scans, since=since)
        rest = [minute for gap in plan.gaps for minute in await queries.minutes(self.session, *gap)]
        found = await anyio.to_thread.run_sync(local.lines, plan, rest, question)
        return await chosen(self.session, found, at_ms=at_ms, most=most)


@dataclass(frozen=True, slots=True)
class ClickHouseEngine:
    """Searches ClickHouse, and rows that were not copied there yet as this session sees them."""

    warehouse: ClickHouse
    session: AsyncSession

    async def search(
        self, codes: Codes, at_ms: Times, *, most: int, since: int = 0
    ) -> list[Candidate]:
        """See `Engine.search`."""
        question = Question(np.ascontiguousarray(codes), at_ms)
        local = await anyio.to_thread.run_sync(_local)
        copied = await copied_to(self.session, self.warehouse)
        found = await self.warehouse.lines(question, since=since, upto=copied)
        head, after = (await queries.head(self.session)).entries, max(since, copied)
        rest = await queries.minutes(self.session, after + 1, head) if after < head else []
        found += await anyio.to_thread.run_sync(local.lines_of_rows, rest, question)
        return await chosen(self.session, found, at_ms=at_ms, most=most)


def open_engine(session: AsyncSession, *, folder: Path, url: str | None = None) -> Engine:
    """Return the engine of this installation, for one transaction.

    Args:
        session: sees what its transaction added.
        folder: of the scan files.
        url: of a ClickHouse server (`http://user:password@host:8123/?database=…`); None means that
            this machine scans.
    """
    if url is None:
        return LocalEngine(folder, session)
    return ClickHouseEngine(open_warehouse(url), session)


@cache
def open_warehouse(url: str) -> ClickHouse:
    """Return this process's connections to a ClickHouse server."""
    at = httpx.URL(url)
    return ClickHouse(httpx.AsyncClient(base_url=at.copy_with(query=None), params=dict(at.params)))


async def copied_to(session: AsyncSession, warehouse: ClickHouse) -> int:
    """Return up to which entry ClickHouse holds what this database says; 0 if it is not that."""
    last, chain = await warehouse.head()
    known = await queries.chains(session, [last])
    return last if known.get(last, b"").hex() == chain else 0


async def open_scans(folder: Path) -> "Scans":
    """Return this process's view of a folder of scan files."""
    return await anyio.to_thread.run_sync(_scans, folder)


async def planned(session: AsyncSession, scans: "Scans", *, since: int = 0) -> "Plan":
    """Return which scan files serve this session, and which entries it must read from rows."""
    found = await anyio.to_thread.run_sync(scans.parts)
    chains = await queries.chains(session, [part.header.last for part in found])
    head = (await queries.head(session)).entries
    plan: Plan = _local().plan(found, chains=chains, head=head, since=since)
    return plan


async def chosen(
    session: AsyncSession, found: list[Line], *, at_ms: Times, most: int
) -> list[Candidate]:
    """Return the best candidates of an engine's lines; what was dropped is none."""
    living = await queries.living(session, {line.entry for line in found})
    return await anyio.to_thread.run_sync(
        lambda: elect(found, living=living, at_ms=at_ms, most=most)
    )


@cache
def _local() -> Any:
    """Import the scan where it may take its time: its compiler needs a second to load."""
    from listings.index import local  # noqa: PLC0415 - called in a thread, when first needed.

    return local


@cache
def _scans(folder: Path) -> "Scans":
    scans: Scans = _local().Scans(folder)
    return scans
