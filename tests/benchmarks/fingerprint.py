"""What an examination costs beside decoding: `make bench B=fingerprint`.

A 4K HEVC 10-bit 50p film with sound is made once (real footage scaled up, with grain, so that its
bit rate is that of a delivery) and kept in the temporary folder. Then, in turns, it is decoded for
nothing and it is examined: codes, signature, ISCC, sound, the sampled checks, thumbnails, poster
and contact sheet; and once more with its proxy. The same decoder, threads and sandbox each time;
medians. The last line is JSON.

BENCH_SECONDS (12) is the length of the film, BENCH_ROUNDS (3) how often each is run.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from listings.examinations import passing
from listings.masters import gateway, probing
from listings.masters.gateway import Child, Limits, Sandbox

SECONDS = int(os.environ.get("BENCH_SECONDS", "12"))
ROUNDS = max(3, int(os.environ.get("BENCH_ROUNDS", "3")))
FOOTAGE = Path(__file__).parent.parent / "media" / "flower.mp4"
KEPT = Path(tempfile.gettempdir()) / "exchange-bench"
BIT_RATE = "46M"
GRAIN = 12  # strength of the noise that keeps the bit rate up after scaling
MOST_RATIO = 1.25
LIMITS = Limits(cpu_s=36_000, wall_s=36_000)


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds on the wall, and of all processors."""

    wall_s: float
    cpu_s: float


def film() -> Path:
    """Return the film, made when it is not there yet."""
    path = KEPT / f"hevc-2160p50-{SECONDS}s.mp4"
    if path.is_file():
        return path
    KEPT.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(".making.mp4")
    graph = "fps=50,scale=3840:2160:flags=bicubic,noise=alls={}:allf=t,format=yuv420p10le"
    graph += ",setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc"
    command = [
        gateway.ffmpeg(), "-v", "error", "-nostdin", "-y", "-stream_loop", "-1",
        "-i", str(FOOTAGE), "-t", str(SECONDS), "-vf", graph.format(GRAIN),
        "-c:v", "libx265", "-preset", "ultrafast", "-b:v", BIT_RATE,
        "-x265-params", "keyint=50:min-keyint=50:log-level=none",
        "-c:a", "aac", "-b:a", "192k", str(made),
    ]  # fmt: skip
    say(f"making {path.name} (minutes, once) …")
    subprocess.run(command, check=True)
    made.rename(path)
    return path


async def decode(path: Path, sandbox: Sandbox) -> None:
    """Decode the picture and throw it away."""
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-i", f"file:{path}"]
    command += ["-map", "0:V:0", "-f", "null", "-"]
    ended = await sandbox.run(command, reads=path, writes=None, limits=LIMITS)
    assert ended.status == 0, ended.errors


async def timed(run: Callable[[], Awaitable[Any]]) -> Cost:
    """Run and measure, children included."""
    began, cpu = time.perf_counter(), _cpu_s()
    await run()
    return Cost(time.perf_counter() - began, _cpu_s() - cpu)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


async def main() -> None:
    """Make the film, measure in turns, print."""
    # Without walls: they cost milliseconds, and hide the processor time of what is behind them.
    path, sandbox = film(), Child(None)
    record = await probing.read(path, sandbox)
    rate = path.stat().st_size * 8 / SECONDS / 1e6
    say(f"{path.name}: {rate:.0f} Mb/s, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")

    async def examine(*, proxy: bool) -> None:
        with tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder:
            await passing.run(
                path, sandbox=sandbox, folder=Path(folder), record=record, proxy=proxy
            )

    runs: dict[str, Callable[[], Awaitable[None]]] = {
        "decode": lambda: decode(path, sandbox),
        "ours": lambda: examine(proxy=False),
        "with_proxy": lambda: examine(proxy=True),
    }
    await examine(proxy=False)  # libraries and pages are warm for all alike
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for number in range(ROUNDS):
        for name, run in runs.items():
            costs[name].append(cost := await timed(run))
            say(f"{number + 1} {name:<11} {cost.wall_s:6.2f} s  {cost.cpu_s:6.2f} processor s")
    report(costs, rate)


def report(costs: dict[str, list[Cost]], rate: float) -> None:
    """Print the figures; the last line is JSON."""
    wall = {name: median(each.wall_s for each in found) for name, found in costs.items()}
    cpu = {name: median(each.cpu_s for each in found) for name, found in costs.items()}
    ratio = wall["ours"] / wall["decode"]
    figures = {
        "ratio_to_decode": round(ratio, 3),
        "x_realtime": round(SECONDS / wall["ours"], 3),
        "decode_s": round(wall["decode"], 2),
        "ours_s": round(wall["ours"], 2),
        "with_proxy_ratio": round(wall["with_proxy"] / wall["decode"], 3),
        "decode_cpu_s": round(cpu["decode"], 2),
        "ours_cpu_s": round(cpu["ours"], 2),
        "cpu_ratio": round(cpu["ours"] / cpu["decode"], 3),
        "with_proxy_cpu_ratio": round(cpu["with_proxy"] / cpu["decode"], 3),
        "film_s": SECONDS,
        "mbit_s": round(rate),
        "load": round(os.getloadavg()[0], 1),
        "limit": MOST_RATIO,
    }
    say(json.dumps(figures))
    sys.exit(0 if ratio <= MOST_RATIO else 1)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
