"""Reading the streams of a file: in the sandbox, as everything that parses foreign media."""

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

from listings.masters.gateway import Limits, Sandbox
from listings.masters.refusals import ExaminationTimeout

READER = Path(__file__).with_name("reader.py")
LIMITS = Limits(cpu_s=60, wall_s=120)


async def streams(path: Path, sandbox: Sandbox) -> dict[str, Any] | None:
    """Return the format and the streams of a file; None when no reader can open it."""
    command = [sys.executable, "-I", str(READER), str(path)]
    try:
        ended = await sandbox.run(command, reads=path, writes=None, limits=LIMITS)
        found: dict[str, Any] | None = json.loads(ended.output)
    except (ValueError, ExaminationTimeout):
        return None
    return found


def seconds(stream: dict[str, Any]) -> Fraction | None:
    """Return the length of a stream, where it is told."""
    said = stream["seconds"]
    return None if said is None else Fraction(said)
