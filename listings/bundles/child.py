"""The solver's own process: a problem on standard input, progress and a certificate on output.

Standard output carries JSON lines: `{"stage", "at"}` as it goes on, then `{"certificate"}`.
"""

import json
import resource
import sys
from typing import Any
from uuid import UUID

from listings.bundles import certificate, highs, posing
from listings.bundles.posing import Package


def main() -> None:
    """Read, bound this process, solve, write."""
    asked = json.load(sys.stdin)
    _bound(asked["cpu_s"], asked["memory_bytes"])
    bids = [Package(UUID(one["bid"]), one["paddle"], one["content"]) for one in asked["bids"]]
    posed = posing.pose(asked["terms"], bids, seed=bytes.fromhex(asked["seed"]))
    solver = highs.Highs(float(asked["limit_s"]))
    made_by = {"name": highs.NAME, "version": highs.version()}
    found = certificate.solve(posed, solver, made_by=made_by, out=asked["out"], told=_tell)
    _write({"certificate": found})


def _tell(stage: str, at: int) -> None:
    _write({"stage": stage, "at": at})


def _write(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _bound(cpu_s: int, memory_bytes: int) -> None:
    """Let the kernel end this process when it takes more than it may."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
