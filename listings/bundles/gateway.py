"""Solvers met in processes of their own, with limits of time, processor and memory.

A solver is much native code that runs for long: in a process of the exchange it would hold up
everything else, and what it breaks would take the process along. HiGHS and other solvers cannot
even be loaded together (both bring a libhighs).
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from listings.bundles.posing import Package

GIB = 1024**3
MEMORY_BYTES = 4 * GIB  # of addresses; the largest problems here take less than half of one
# What starting, reading and the exact arithmetic take beside the solver's own time.
SPARE_S = 60
MOST_LINE = 64 * 1024**2
SOLVING = ("-I", "-m", "listings.bundles.child")
CHECKING = ("-I", "-m", "listings.bundles.second")

Told = Callable[[str, int], Awaitable[None]]


class SolverDied(Exception):
    """The solver's process ended, or was ended, without an answer; it may be asked again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be solved: the auction's terms, the bids that count, the lottery's seed."""

    terms: dict[str, Any]
    bids: Sequence[Package]
    seed: bytes
    out: Sequence[int]

    def wire(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "terms": self.terms,
            "bids": [
                {"bid": str(one.bid_id), "paddle": one.paddle, "content": dict(one.content)}
                for one in self.bids
            ],
            "seed": self.seed.hex(),
            "out": sorted(self.out),
        }


class Solving(Protocol):
    """Something that solves package auctions."""

    async def solve(self, asked: Asked, *, told: Told) -> dict[str, Any]:
        """Return the certificate.

        Raises:
            SolverDied: there is no answer.
        """
        ...


class ChildSolver:
    """HiGHS in a child process."""

    def __init__(self, command: Sequence[str] = SOLVING, *, spare_s: float = SPARE_S) -> None:
        """Use this program of our own; `spare_s` is what it gets beyond the solver's limit."""
        self.command, self.spare_s = tuple(command), spare_s

    async def solve(self, asked: Asked, *, told: Told) -> dict[str, Any]:
        """Return the certificate; see `Solving`."""
        limit_s = int(asked.terms["time_limit_s"])
        wire = asked.wire() | {
            "limit_s": limit_s, "cpu_s": limit_s + SPARE_S, "memory_bytes": MEMORY_BYTES,
        }  # fmt: skip
        found: dict[str, Any] = {}

        async def heard(line: dict[str, Any]) -> None:
            if "certificate" in line:
                found.update(line["certificate"])
            else:
                await told(line["stage"], line["at"])

        await run(self.command, wire, heard, wall_s=limit_s + self.spare_s)
        if not found:
            raise SolverDied("The solver ended without an answer.")
        return found


async def confirm(claims: dict[str, Any], *, limit_s: float) -> list[dict[str, Any]]:
    """Return what a second solver (SCIP) says of each claim: {"best", "holds"}.

    Raises:
        SolverDied: it is not installed, or there is no answer in time.
    """
    found: list[dict[str, Any]] = []

    async def heard(line: dict[str, Any]) -> None:
        found.append(line)

    await run(CHECKING, claims | {"limit_s": limit_s}, heard, wall_s=limit_s + SPARE_S)
    return found


async def run(
    command: Sequence[str],
    wire: dict[str, Any],
    heard: Callable[[dict[str, Any]], Awaitable[None]],
    *,
    wall_s: float,
) -> None:
    """Run a program of ours on a JSON value and hear its JSON lines to the end.

    Raises:
        SolverDied: it failed, was killed, wrote something else, or took too long.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        limit=MOST_LINE,
    )
    try:
        async with asyncio.timeout(wall_s):
            await _talk(process, json.dumps(wire).encode(), heard)
            status = await process.wait()
    except TimeoutError as late:
        raise SolverDied("The solver did not answer in time.") from late
    except ValueError as broken:
        raise SolverDied("The solver wrote what cannot be read.") from broken
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if status:
        raise SolverDied(f"The solver ended with status {status}.")


async def _talk(
    process: asyncio.subprocess.Process,
    said: bytes,
    heard: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    into, out = process.stdin, process.stdout
    if into is None or out is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        into.write(said)
        await into.drain()
        into.close()
    while line := await out.readline():
        await heard(json.loads(line))
