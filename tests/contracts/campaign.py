"""Seeded campaigns: a slice in every run of the tests, the whole of it in `make soak`."""

import os
import random
import sys
import time
from collections.abc import Callable

import pytest

ROUND = int(os.environ.get("SOAK_ROUND", "0"))
# No two rounds, and no two campaigns of one round, play the same cases.
STRIDE = 10_000_000


def size(slice_of_it: int, whole: int) -> int:
    """Return how many cases to play: the whole in a soak."""
    return whole if ROUND else slice_of_it


def play(
    name: str, case: Callable[[random.Random], bool], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Play a case for many seeds, print how many differed, and fail naming the first seeds."""
    begun = time.monotonic()
    first = ROUND * STRIDE
    seeds = range(first, first + count)
    wrong = [seed for seed in seeds if not case(random.Random(f"{name}:{seed}"))]
    tell(
        capsys,
        f"{name}: {count} cases, {len(wrong)} differences, {time.monotonic() - begun:.0f} s",
    )
    assert not wrong, f"{name}: seeds {wrong[:5]} differ"


def tell(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Print a line of figures past pytest's capture."""
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")
        sys.stdout.flush()
