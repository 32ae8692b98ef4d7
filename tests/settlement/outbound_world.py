"""One seeded schedule: its clock, what befalls its calls, and who moves when."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

# What may befall a call, of a hundred, and how long what comes late takes to come.
BEFALLS: Mapping[str, int] = {
    "late": 5, "delayed": 5, "duplicate": 3, "drop_before": 15, "429": 10, "500_stored": 5,
    "400_stored": 4, "drop_after": 25,
}  # fmt: skip
LOOK_LOST = 0.15
_WORKER: ContextVar[int] = ContextVar("worker")


class Killed(Exception):
    """The worker is gone; what it had not committed is, too."""


@dataclass
class World:
    """One schedule: its weather, its clock, and two workers of whom one moves at a time."""

    rng: random.Random
    now: datetime
    desk: httpx.AsyncClient
    told: datetime
    harsh: bool = True
    away_until: datetime | None = None
    killed: int = 0
    at_the_wire: set[int] = field(default_factory=set)
    tasks: dict[int, asyncio.Task[bool]] = field(default_factory=dict)
    stops: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    halted: dict[int, asyncio.Event] = field(default_factory=dict)

    def happens(self, chance: float) -> bool:
        """Draw lots; nothing happens once the weather is calm."""
        return self.harsh and self.rng.random() < chance

    def passes(self, seconds: int) -> None:
        """Let time pass; the stand-in is told before it is next called."""
        self.now += timedelta(seconds=seconds)

    async def stop(self) -> None:
        """Wait until it is this worker's turn again, or die here."""
        who = _WORKER.get()
        turn = asyncio.get_running_loop().create_future()
        self.stops[who] = turn
        self.halted[who].set()
        await turn

    async def reach_the_wire(self) -> None:
        """Stop between the executor's last look at its clock and the call.

        No protocol helps a caller that is frozen here until the provider has forgotten its key; the
        hour between the executor's window and the provider's is what it may last.
        """
        who = _WORKER.get()
        self.at_the_wire.add(who)
        try:
            await self.stop()
        finally:
            self.at_the_wire.discard(who)

    async def move(self, who: int, work: Callable[[], Awaitable[bool]]) -> None:
        """Let one worker go on to its next stop; one that has ended begins anew."""
        self.halted[who] = asyncio.Event()
        if who not in self.tasks:
            self.tasks[who] = asyncio.create_task(self._begin(who, work))
        elif self.happens(0.06):
            self.killed += 1
            self.stops[who].set_exception(Killed())
        else:
            self.stops[who].set_result(None)
        await self.halted[who].wait()
        if self.tasks[who].done():
            self.tasks.pop(who).result()

    async def _begin(self, who: int, work: Callable[[], Awaitable[bool]]) -> bool:
        _WORKER.set(who)
        try:
            return await work()
        except Killed:
            return False
        finally:
            asyncio.get_running_loop().call_soon(self.halted[who].set)

    async def tell(self, operation: str, fault: str | None) -> None:
        """Bring the stand-in's clock to ours, and order what befalls the next call."""
        ahead = int((self.now - self.told).total_seconds())
        if ahead:
            await self._post("/_clock", {"advance_s": ahead})
            self.told = self.now
        if fault is not None:
            seconds = self.rng.choice([1, 30, 300])
            await self._post(
                "/_faults", {"kind": fault, "operation": operation, "seconds": seconds}
            )

    def befalls(self, *, creates: bool) -> str | None:
        """Draw what befalls a call."""
        if not self.harsh:
            return None
        if self.away_until is not None and self.now < self.away_until:
            return "drop_before"
        if not creates:
            return "drop_before" if self.happens(LOOK_LOST) else None
        drawn = self.rng.randrange(100)
        for fault, chance in BEFALLS.items():
            drawn -= chance
            if drawn < 0:
                return fault
        return None

    async def _post(self, path: str, given: Mapping[str, Any]) -> Any:
        return (await self.desk.post(path, json=dict(given))).raise_for_status().json()
