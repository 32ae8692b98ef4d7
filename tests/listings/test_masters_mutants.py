"""A corpus of mutated files: a record or a clear refusal each, never a crash, never a hang."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import anyio
import pytest

from contracts import canonical
from contracts.refusal import Refusal
from listings.masters import gateway, probing
from listings.masters.refusals import CODES
from tests.contracts.campaign import ROUND, STRIDE, size, tell
from tests.listings import mutants

SLICE, WHOLE = 40, 700
AT_ONCE = 2


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return mutants.originals(tmp_path_factory.mktemp("originals"))


async def outcome(path: Path) -> str:
    """Return what became of a file; whatever is no refusal of an examination is raised."""
    try:
        record = await probing.read(path, await gateway.sandbox("auto"))
    except Refusal as refusal:
        assert refusal.code in CODES, refusal.code
        assert refusal.detail
        return refusal.code
    assert canonical.loads(canonical.dumps(record)) == record
    blind = "" if not record["blind"] else " without MediaInfo"
    if record["video"]["decodable"]:
        return f"record{blind}"
    return f"record, undecodable ({record['video']['undecodable']}){blind}"


async def test_every_mutant_has_a_record_or_a_refusal(
    originals: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, count = ROUND * STRIDE, size(SLICE, WHOLE)
    turns, tally = asyncio.Semaphore(AT_ONCE), Counter[str]()
    slowest, begun = 0.0, time.monotonic()

    async def play(seed: int) -> None:
        nonlocal slowest
        name, content = mutants.mutant(random.Random(f"mutant:{seed}"), originals)
        path = tmp_path / f"{seed}-{name}"
        async with turns:
            await anyio.Path(path).write_bytes(content)
            started = time.monotonic()
            try:
                tally[await outcome(path)] += 1
            except Exception as error:
                raise AssertionError(f"mutant {seed} ({name})") from error
            slowest = max(slowest, time.monotonic() - started)
            await anyio.Path(path).unlink()

    async with asyncio.TaskGroup() as tasks:
        for seed in range(first, first + count):
            tasks.create_task(play(seed))
    assert sum(tally.values()) == count
    assert tally["record"] < count, "no mutant was hurt"
    taken = time.monotonic() - begun
    tell(
        capsys,
        f"mutants: {count} files, {taken:.0f} s, the slowest {slowest:.1f} s; "
        + ", ".join(f"{kind}: {number}" for kind, number in tally.most_common()),
    )


async def test_the_originals_of_the_mutants_are_whole(
    originals: dict[str, bytes], tmp_path: Path
) -> None:
    for name, content in originals.items():
        path = tmp_path / name
        await anyio.Path(path).write_bytes(content)
        assert await outcome(path) == "record"
