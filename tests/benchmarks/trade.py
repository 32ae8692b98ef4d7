"""The trade's nine steps, timed: `make bench B=trade`. The last line is one JSON object.

No peer offers the whole trade, so the peer of this benchmark is the machine itself: the time that
the same run's fsync, hashing and decoding would take alone is printed beside the steps.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg

from tests.e2e import harness

LIMIT_S = 60.0
FSYNCS = 50


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        own = harness.own_settings(Path(folder))
        command = [sys.executable, "-m", "exchange", "demo", "--exit", "--json"]
        first, first_s = timed(command, harness.environment(own))
        _, second_s = timed(command, harness.environment(own))
        clip = own.home / "demo" / "trade" / "master-2160p50-hlg.mp4"
        floor = {
            "fsync_ms": fsync_ms(Path(folder)),
            "hash_s": round(seconds(lambda: hashlib.sha256(clip.read_bytes())), 3),
            "decode_s": round(seconds(lambda: decode(clip)), 3),
        }
    summary = json.loads(first.splitlines()[-1])
    result = {
        "bench": "trade",
        "trade_s": summary["seconds"],
        "steps_s": summary["steps"],
        "first_run_s": first_s,
        "second_run_s": second_s,
        "bids": summary["bids_answered"],
        "limit": {"trade_s": LIMIT_S, "second_run_s": 20.0},
        "floor": floor,
    }
    sys.stdout.write(json.dumps(result) + "\n")


def timed(command: list[str], environment: dict[str, str]) -> tuple[str, float]:
    begun = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    return done.stdout, round(time.monotonic() - begun, 2)


def seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def fsync_ms(folder: Path) -> float:
    """Mean time of a 4 KiB write and fsync here: nothing that is durable can be faster."""
    with (folder / "fsync").open("wb") as file:
        begun = time.monotonic()
        for _ in range(FSYNCS):
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    return round((time.monotonic() - begun) / FSYNCS * 1000, 3)


def decode(clip: Path) -> None:
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(clip), "-f", "null", "-"],
        check=True,
    )


if __name__ == "__main__":
    main()
