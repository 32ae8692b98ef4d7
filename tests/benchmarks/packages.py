"""`make bench B=packages`: package auctions shaped like sales of broadcasting rights.

24 territories in three levels, four windows, two rights (192 cells), 40 bidders with 30 packages
each (`tests/listings/bundles_market.py`): winners and core prices, proved, each in a process of its
own, from the bids to the checked certificate. Beside it, in the same run, SCIP answers every
question that HiGHS was asked: an independent peer, and a second opinion on every claim.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from typing import Any

from listings.bundles import certificate, gateway, posing
from listings.bundles.gateway import Asked, ChildSolver
from tests.listings import bundles_factory as factory
from tests.listings import bundles_market as market

SEEDS = range(int(os.environ.get("BENCH_ROUNDS", "7")))
LIMIT_S = 10
BIDDERS, EACH = 40, 30
EXAMPLES: dict[str, tuple[str, list[dict[str, int]]]] = {
    "wurman_2004": ("ABC", list(factory.WURMAN)),
    "local_local_global": ("AB", [{"A": 10}, {"B": 10}, {"AB": 10}]),
}


async def main() -> None:
    """Solve, confirm, print one line."""
    on = market.terms(time_limit_s=LIMIT_S)
    rounds = [await _round(on, seed) for seed in SEEDS]
    seconds = [one["seconds"] for one in rounds]
    line = {
        "seconds": round(statistics.median(seconds), 2),
        "worst_s": round(max(seconds), 2),
        "limit_s": LIMIT_S,
        "optimal": all(one["optimal"] for one in rounds),
        "confirmed": sum(one["confirmed"] for one in rounds),
        "claims": sum(one["claims"] for one in rounds),
        "scip_s": round(statistics.median(one["scip_s"] for one in rounds), 2),
        "iterations": [one["iterations"] for one in rounds],
        "winners": [one["winners"] for one in rounds],
        "cells": len(on["cells"]),
        "bids": BIDDERS * EACH,
        "instances": len(rounds),
        **{name: await _example(*example) for name, example in EXAMPLES.items()},
        "load": round(os.getloadavg()[0], 2),
    }
    sys.stdout.write(json.dumps(line) + "\n")


async def _round(on: dict[str, Any], seed: int) -> dict[str, Any]:
    bids = market.bids(on, bidders=BIDDERS, each=EACH, seed=seed)
    posed = market.posed(on, bids, seed)
    begun = time.monotonic()
    found = await _solved(on, bids, seed.to_bytes(32, "big"))
    fault = certificate.fault(posed, found)
    seconds = time.monotonic() - begun
    claims = certificate.claims(posed, found)
    begun = time.monotonic()
    said = await gateway.confirm(certificate.asked(posed, claims), limit_s=120)
    return {
        "seconds": seconds,
        "optimal": fault is None and found["fallback"] is None,
        "iterations": len(found["blocks"] or ()) + 1,
        "winners": len(found["winners"]),
        "claims": len(claims),
        "confirmed": sum(one["holds"] for one in said),
        "scip_s": time.monotonic() - begun,
    }


async def _example(codes: str, bids: list[dict[str, int]]) -> list[str]:
    on = factory.goods(codes, secondary="winners")
    found = await _solved(on, factory.packages(*bids), b"seed")
    return [one["paid"] for one in found["winners"]]


async def _solved(on: dict[str, Any], bids: list[posing.Package], seed: bytes) -> dict[str, Any]:
    return await ChildSolver().solve(Asked(on, bids, seed, ()), told=_quiet)


async def _quiet(_stage: str, _at: int) -> None:
    """Hear nothing."""


if __name__ == "__main__":
    asyncio.run(main())
