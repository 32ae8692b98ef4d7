"""Which work is this minute from? 30,000 hours, timed: `make bench B=search`.

The last line is one JSON object. Films are generated (`films`), the real clips of `tests/media`
stand among them, and all are written into scan files as the worker writes them. Questions of 60 s
at an unknown phase, a fifth of whose bits are turned over, every other one mirrored, are put one
after the other; each is asked as it is and mirrored. Films that are not in it are asked about
too. At 300 hours every answer is held against comparing all pairs with NumPy, which is also the
peer that is timed, beside ClickHouse (chDB, the same SQL that the product sends); both are scaled
to the whole by their hours, as they read every code as well. BENCH_HOURS and BENCH_QUESTIONS make
it smaller for a try.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import psutil

from listings.index import local, parts, rules, voting
from listings.index.clickhouse import ClickHouse
from listings.index.parts import Part
from listings.index.rules import FAR, MIRRORED, Candidate, Minute, Question
from listings.masters.fingerprint import Codes as Tracks
from tests.benchmarks import films
from tests.benchmarks.watch import percentile
from tests.listings.clickhouse_embedded import Embedded
from tests.listings.masters_media import MEDIA, codes

HOURS = int(os.environ.get("BENCH_HOURS", "30000"))
SIZES = [size for size in (300, 3_000, 30_000) if size < HOURS] + [HOURS]
SECONDS = 60
COPIES = int(os.environ.get("BENCH_QUESTIONS", "120"))
CLEAN, STRANGERS, WARM_UP = COPIES // 3, COPIES, 3
NOISE = 0.20
LIMIT_MS, LIMIT_GIB, LEAST_RECALL = 1_000, 6, 0.99
NEW = 10**9  # films from here on are in no index
HELD_OUT = 2  # of the real clips: asked about, and not in it
PEER_QUESTIONS = 2


@dataclass
class Asked:
    """What the questions of one size cost, and what they found."""

    wall: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    right: int = 0
    copies: int = 0
    right_clean: int = 0
    clean: int = 0
    false: int = 0
    votes: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Built:
    """An index of some hours: its files, the seconds they took, the real clips in it."""

    plan: local.Plan
    folder: Path
    codes: int
    films: list[int]
    seconds: float


def main() -> None:
    """Build, ask, compare, print."""
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="exchange-bench-"))
    try:
        result = measured(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result["seconds"] = round(time.monotonic() - begun)
    sys.stdout.write(json.dumps(result) + "\n")


def measured(folder: Path) -> dict[str, Any]:
    """Return all that is printed."""
    clips = [codes(path) for path in real_clips()]
    say(f"{len(clips)} real clips; the load average is {os.getloadavg()[0]:.1f}")
    by_hours, peers, last = {}, {}, {}
    for hours in SIZES:
        built = build(folder / str(hours), hours, clips)
        asked = ask_all(built, clips)
        last = told(built, asked)
        by_hours[hours] = last
        say(f"{hours} h: {last}")
        if hours == SIZES[0]:
            peers = compared(built, scale=HOURS / hours)
        shutil.rmtree(built.folder)
    return {
        "bench": "search",
        "hours": HOURS,
        **last,
        "by_hours": by_hours,
        **peers,
        "query_s": SECONDS,
        "noise": NOISE,
        "real_clips": len(clips),
        "load_average": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "limit_ms": LIMIT_MS,
        "limit_gib": LIMIT_GIB,
        "least_recall": LEAST_RECALL,
    }


def real_clips() -> list[Path]:
    """The clips that are here, each once; those held out are the last."""
    found = {path.name: path for path in MEDIA.glob("*.mp4")}
    return sorted(found.values(), key=lambda path: path.stat().st_size)


def build(folder: Path, hours: int, clips: list[Tracks]) -> Built:
    """Write the scan file of so many hours, real clips first; return it opened."""
    inside = clips[:-HELD_OUT]
    chosen, total = [], 0
    for number in count():
        if total >= hours * 3600:
            break
        chosen.append(number)
        total += films.LENGTHS_S[number % len(films.LENGTHS_S)]

    def written() -> Iterator[Minute]:
        for entry, clip in enumerate(inside, 1):
            for each in rules.segments(clip.video):
                yield Minute(entry, each.seg, each.kept, each.codes)
        numbered = ((len(inside) + 1 + number, films.film(number)) for number in chosen)
        yield from films.minutes(numbered)

    begun, last = time.monotonic(), len(inside) + len(chosen)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        parts.write(folder, first=1, last=last, chain=b"c" * 32, minutes=written(), threads=threads)
    seconds = time.monotonic() - begun
    (part,) = local.Scans(folder).parts()
    plan = local.plan([part], chains={last: b"c" * 32}, head=last)
    return Built(plan, folder, part.header.codes, chosen, seconds)


def ask_all(built: Built, clips: list[Tracks]) -> Asked:
    """Ask about copies, about clean ones, about real clips, and about what is not in it."""
    draw, asked = np.random.default_rng(7), Asked()
    offset = len(clips) - HELD_OUT + 1
    for number in range(WARM_UP):
        search(built, copy(draw, NEW + number, 0.0, mirrored=False)[0], Asked())
    for turn in range(COPIES + CLEAN):
        noise = NOISE if turn < COPIES else 0.0
        which = built.films[int(draw.integers(len(built.films)))]
        mirrored = bool(turn % 2)
        question, first_s = copy(draw, which, noise, mirrored=mirrored)
        found = search(built, question, asked)
        good = bool(found) and is_right(found[0], which + offset, first_s, mirrored=mirrored)
        asked.false += sum(one.master_id.int != which + offset for one in found)
        if noise:
            asked.copies, asked.right = asked.copies + 1, asked.right + good
            asked.votes += [found[0].votes] if found else [0]
        else:
            asked.clean, asked.right_clean = asked.clean + 1, asked.right_clean + good
    for number in range(STRANGERS):
        question, _ = copy(draw, NEW + 100 + number, 0.0, mirrored=bool(number % 2))
        asked.false += len(search(built, question, asked))
    for clip in clips[-HELD_OUT:]:
        asked.false += len(search(built, rules.ask(clip.query), Asked()))
    for entry, clip in enumerate(clips[:-HELD_OUT], 1):
        plain = rules.ask(clip.query)
        share = np.full(len(plain.codes), NOISE)
        noisy = Question(films.flipped(draw, plain.codes[:, 0], share)[:, None], plain.at_ms)
        found = search(built, noisy, Asked())
        good = bool(found) and is_right(found[0], entry, 0.0, mirrored=False)
        asked.copies, asked.right = asked.copies + 1, asked.right + good
        say(f"real clip {entry}, {len(plain.at_ms)} codes, a fifth turned over: {good}")
    return asked


def copy(
    draw: np.random.Generator, number: int, noise: float, *, mirrored: bool
) -> tuple[Question, float]:
    """A minute of a film, and where it begins."""
    kept = films.film(number)
    first_s = float(draw.uniform(0, len(kept) - SECONDS - 1))
    question = films.question(
        draw, kept, first_s=first_s, seconds=SECONDS, noise=noise, mirrored=mirrored
    )
    return question, first_s


def search(built: Built, question: Question, asked: Asked) -> list[Candidate]:
    """Search as the product does, without the look into the database for what was dropped."""
    worked, begun = time.process_time(), time.perf_counter()
    lines = local.lines(built.plan, [], question)
    living = {line.entry: UUID(int=line.entry) for line in lines}
    found = voting.elect(lines, living=living, at_ms=question.at_ms, most=5)
    asked.wall.append(time.perf_counter() - begun)
    asked.work.append(time.process_time() - worked)
    return found


def is_right(found: Candidate, entry: int, first_s: float, *, mirrored: bool) -> bool:
    """Tell whether a candidate names the work, the place (within 2 s) and the side."""
    middle_ms = found.here_ms + found.length_ms // 2
    there_ms = found.offset_ms + middle_ms * found.slope
    near = abs(there_ms - (first_s * 1000 + middle_ms)) <= 2_000
    return found.master_id.int == entry and near and found.mirrored == mirrored


def told(built: Built, asked: Asked) -> dict[str, Any]:
    """What one size cost and found."""
    disk = sum(path.stat().st_size for path in built.folder.iterdir())
    return {
        "codes": built.codes,
        "query_p50_ms": milli(percentile(asked.wall, 50)),
        "query_p99_ms": milli(percentile(asked.wall, 99)),
        "query_cpu_p50_ms": milli(percentile(asked.work, 50)),
        "query_cpu_p99_ms": milli(percentile(asked.work, 99)),
        "recall": round(asked.right / asked.copies, 4),
        "recall_without_noise": round(asked.right_clean / asked.clean, 4),
        "copies": asked.copies,
        "least_votes_of_a_copy": min(asked.votes),
        "false_positives": asked.false,
        "strangers": STRANGERS + HELD_OUT,
        "rss_gib": round(psutil.Process().memory_info().rss / 2**30, 2),
        "disk_gib": round(disk / 2**30, 2),
        "build_s": round(built.seconds, 1),
    }


def compared(built: Built, *, scale: float) -> dict[str, Any]:
    """Hold answers against every pair, and time the peers on the same questions."""
    draw, (part,) = np.random.default_rng(8), built.plan.parts
    questions = [
        copy(draw, built.films[number], NOISE, mirrored=False)[0]
        for number in range(PEER_QUESTIONS)
    ]
    pairs = [timed(lambda one=each: every_pair(part, one)) for each in questions]
    exact = all(
        found == scanned(part, each) for (found, _, _), each in zip(pairs, questions, strict=True)
    )
    return {
        "equal_to_every_pair": exact,
        "peers_scaled_from_hours": SIZES[0],
        "numpy_scaled_s": round(min(wall for _, wall, _ in pairs) * scale, 1),
        "numpy_scaled_cpu_s": round(min(work for _, _, work in pairs) * scale, 1),
        **asyncio.run(clickhouse(built, questions, scale=scale)),
    }


def every_pair(part: Part, question: Question) -> set[tuple[int, ...]]:
    """Compare every code with every asked one, as it is and mirrored."""
    found = set()
    for number, code in enumerate(question.codes[:, 0]):
        for turned, seen in ((0, code), (1, code ^ MIRRORED)):
            bits = np.bitwise_count(part.grouped.rows ^ seen.view(np.uint64)).sum(axis=1)
            found |= {(number, int(place), turned) for place in np.flatnonzero(bits <= FAR)}
    return found


def scanned(part: Part, question: Question) -> set[tuple[int, ...]]:
    """The same pairs from the scan."""
    with ThreadPoolExecutor(2) as threads:
        words = local.scan.words(question.codes[:, 0])
        pairs = local.scan.scan(part.grouped, words, far=FAR, threads=threads)
    columns = (pairs.asked, pairs.place, pairs.mirrored)
    return {tuple(map(int, row)) for row in zip(*columns, strict=True)}


async def clickhouse(built: Built, questions: list[Question], *, scale: float) -> dict[str, Any]:
    """Time the product's own SQL in ClickHouse on the same codes; lines must be the same."""
    (part,) = built.plan.parts
    folder = built.folder.parent / "clickhouse"
    server = Embedded(folder)
    async with httpx.AsyncClient(transport=server, base_url="http://clickhouse.test") as client:
        warehouse = ClickHouse(client)
        await warehouse.create()
        await fill(warehouse, part)
        walls, works, same = [], [], True
        for question in questions:
            worked, begun = time.process_time(), time.perf_counter()
            lines = await warehouse.lines(question, since=0, upto=part.header.last)
            walls.append(time.perf_counter() - begun)
            works.append(time.process_time() - worked)
            same &= set(lines) == set(local.lines(built.plan, [], question))
    server.close()
    return {
        "clickhouse_scaled_s": round(min(walls) * scale, 1),
        "clickhouse_scaled_cpu_s": round(min(works) * scale, 1),
        "clickhouse_gives_the_same_lines": same,
    }


async def fill(warehouse: ClickHouse, part: Part) -> None:
    """Copy the codes of a scan file, as the worker copies rows."""
    rows, told_of = part.grouped.rows, {}
    for place, entry, seg, kept in part.segments.tolist():
        piece = rows[place : place + kept.bit_count()].tobytes()
        told_of.setdefault(entry, []).append(Minute(entry, seg, kept, piece))
    for entry, minutes in told_of.items():
        await warehouse.add(entry, b"c" * 32, minutes)


def timed(verb: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the answer, and its seconds on the wall and of work."""
    worked, begun = time.process_time(), time.perf_counter()
    answer = verb()
    return answer, time.perf_counter() - begun, time.process_time() - worked


def milli(seconds: float) -> float:
    """Return milliseconds."""
    return round(seconds * 1000, 1)


def say(line: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
