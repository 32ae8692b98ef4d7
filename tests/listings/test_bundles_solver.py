"""The solver in its own process: answers, dies, hangs; and a second one that checks it."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from listings.bundles import certificate, gateway
from listings.bundles.gateway import Asked, ChildSolver, SolverDied
from tests.listings import bundles_market as market
from tests.listings.bundles_factory import WURMAN, goods, packages, paid, posed

ABC = goods("ABC", secondary="winners")


async def unheard(_stage: str, _at: int) -> None:
    """Hear nothing."""


def asked(on: dict[str, Any] = ABC, limit_s: int = 30) -> Asked:
    return Asked(on | {"time_limit_s": limit_s}, packages(*WURMAN), b"seed", ())


def program(folder: Path, text: str) -> ChildSolver:
    path = folder / "solver.py"
    path.write_text(text)
    return ChildSolver((str(path),), spare_s=1)


async def test_the_child_tells_its_stages_and_gives_a_certificate_that_holds() -> None:
    stages: list[str] = []

    async def told(stage: str, _at: int) -> None:
        stages.append(stage)

    found = await ChildSolver().solve(asked(), told=told)
    assert certificate.fault(posed(ABC, *WURMAN), found) is None
    assert list(dict.fromkeys(stages)) == ["winners", "vcg", "core"]
    assert found["solver"]["name"] == "HiGHS"


async def test_a_child_that_is_killed_has_no_answer_and_the_next_one_has(tmp_path: Path) -> None:
    killed = program(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(SolverDied):
        await killed.solve(asked(), told=unheard)
    assert paid(await ChildSolver().solve(asked(), told=unheard))[1] == 7.5


async def test_a_child_that_hangs_is_ended_by_the_clock(tmp_path: Path) -> None:
    hanging = program(tmp_path, "import time; time.sleep(600)")
    begun = time.monotonic()
    with pytest.raises(SolverDied):
        await hanging.solve(asked(limit_s=1), told=unheard)
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "text",
    [
        "print('no JSON')",
        "import json; print(json.dumps({'stage': 'winners', 'at': 0}))",
        "raise SystemExit(3)",
        "b = bytearray(10**6)\nimport resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1, 1)); b'x' * 10**9",
    ],
    ids=["words", "no answer", "status 3", "no memory"],
)
async def test_a_child_without_an_answer_is_told_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(SolverDied):
        await program(tmp_path, text).solve(asked(), told=unheard)


async def test_a_child_out_of_time_falls_back_to_the_bids_and_says_what_is_unproven() -> None:
    on = market.terms(time_limit_s=0)
    bids = market.bids(on, bidders=40, each=30, seed=0)
    found = await ChildSolver().solve(Asked(on, bids, b"seed", ()), told=unheard)
    assert found["fallback"] == "winners-unproven"
    assert found["payments"] == "bids"
    assert certificate.fault(market.posed(on, bids, 0), found | {"out": []}) is None


async def test_a_second_solver_confirms_winners_ties_vcg_and_core_of_five_hundred_bids() -> None:
    on = market.terms()
    bids = market.bids(on, bidders=25, each=20, seed=3)
    found = await ChildSolver().solve(Asked(on, bids, bytes(32), ()), told=unheard)
    problem = market.posed(on, bids, 0)
    assert certificate.fault(problem, found) is None
    claims = certificate.claims(problem, found)
    said = await gateway.confirm(certificate.asked(problem, claims), limit_s=60)
    assert [one["holds"] for one in said] == [True] * len(claims)


async def test_a_second_solver_does_not_confirm_what_is_not_the_best() -> None:
    """A choice that fits and pays rightly, but is not the best: only a solver can tell."""
    problem = posed(goods("AB", payments="bids"), {"A": 5}, {"B": 5}, {"AB": 9})
    best = await ChildSolver().solve(
        Asked(goods("AB", payments="bids") | {"time_limit_s": 5},
              packages({"A": 5}, {"B": 5}, {"AB": 9}), b"seed", ()), told=unheard
    )  # fmt: skip
    worse = {**best, "value_minor": 9, "bound_minor": 9, "winners": [
        {"bid": "00000000-0000-0000-0000-000000000003", "package": 0, "paddle": 3,
         "cells": ["A", "B"], "amount_minor": 9, "reserve_minor": 0, "vcg_minor": None,
         "paid": "9", "paid_minor": 9}
    ]}  # fmt: skip
    assert certificate.fault(problem, worse) is None
    claims = certificate.claims(problem, worse)
    said = await gateway.confirm(certificate.asked(problem, claims), limit_s=30)
    assert said[0] == {"best": "10", "holds": False}


def test_the_solver_is_in_no_process_of_the_exchange() -> None:
    """Its libraries collide with others of their kind, and it would hold the process up."""
    code = (
        "import json, sys, exchange.app, exchange.worker, exchange.bundle_verbs;"
        "print(json.dumps([m for m in ('highspy', 'pyscipopt') if m in sys.modules]))"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(done.stdout) == []
