"""A corpus of mutated files: a record or a clear refusal each, never a crash, never a hang."""

import asyncio
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from contracts import canonical
from contracts.refusal import Refusal
from listings.examinations import examining, passing
from listings.masters import gateway, probing
from listings.masters.refusals import CODES
from tests.contracts.campaign import ROUND, STRIDE, size, tell
from tests.listings import mutants

AT_ONCE = 2

Look = Callable[[Path], Coroutine[Any, Any, str]]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return mutants.originals(tmp_path_factory.mktemp("originals"))


async def probe(path: Path) -> str:
    """Return what became of a file; whatever is no refusal of an examination is raised."""
    record = await probing.read(path, await gateway.sandbox("auto"))
    assert canonical.loads(canonical.dumps(record)) == record
    blind = "" if not record["blind"] else " without MediaInfo"
    if record["video"]["decodable"]:
        return f"record{blind}"
    return f"record, undecodable ({record['video']['undecodable']}){blind}"


async def examine(path: Path) -> str:
    """Return what the whole examination says of a file."""
    sandbox = await gateway.sandbox("auto")
    record = await probing.read(path, sandbox)
    examining.check_decodable(record)
    folder = anyio.Path(f"{path}.folder")
    await folder.mkdir()
    try:
        passed = await passing.run(path, sandbox=sandbox, folder=Path(folder), record=record)
    finally:
        await anyio.to_thread.run_sync(shutil.rmtree, Path(folder))
    assert len(passed.codes.video)
    return "examined"


async def outcome(look: Look, path: Path) -> str:
    try:
        return await look(path)
    except Refusal as refusal:
        assert refusal.code in CODES, refusal.code
        assert refusal.detail
        return refusal.code


async def play(
    name: str, look: Look, seeds: range, originals: dict[str, bytes], room: Path
) -> tuple[Counter[str], str]:
    """Look at many mutants, a few at a time; return the tally, and a line that tells of it."""
    turns, tally = asyncio.Semaphore(AT_ONCE), Counter[str]()
    times: list[float] = []

    async def one(seed: int) -> None:
        kind, content = mutants.mutant(random.Random(f"mutant:{seed}"), originals)
        path = room / f"{seed}-{kind}"
        async with turns:
            await anyio.Path(path).write_bytes(content)
            begun = time.monotonic()
            try:
                tally[await outcome(look, path)] += 1
            except Exception as error:
                raise AssertionError(f"mutant {seed} ({kind})") from error
            times.append(time.monotonic() - begun)
            await anyio.Path(path).unlink()

    begun = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for seed in seeds:
            tasks.create_task(one(seed))
    told = ", ".join(f"{kind}: {number}" for kind, number in tally.most_common())
    took = f"{time.monotonic() - begun:.0f} s, the slowest {max(times):.1f} s"
    return tally, f"mutants, {name}: {len(seeds)} files, {took}; {told}"


@pytest.mark.parametrize(
    ("look", "some", "whole"), [(probe, 40, 700), (examine, 8, 150)], ids=["probe", "examine"]
)
async def test_every_mutant_is_read_or_clearly_refused(
    look: Look, some: int, whole: int, originals: dict[str, bytes], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    count = size(some, whole)
    seeds = range(ROUND * STRIDE, ROUND * STRIDE + count)
    tally, told = await play(look.__name__, look, seeds, originals, tmp_path)
    tell(capsys, told)
    assert sum(tally.values()) == count and len(tally) > 1


async def test_the_originals_of_the_mutants_are_whole(
    originals: dict[str, bytes], tmp_path: Path
) -> None:
    for name, content in originals.items():
        path = tmp_path / name
        await anyio.Path(path).write_bytes(content)
        assert await outcome(probe, path) == "record"
    assert await outcome(examine, tmp_path / "mpeg2.mxf") == "examined"
