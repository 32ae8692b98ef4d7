"""Check a bundle of evidence with next to nothing installed: `python -m contracts.verify FILE.zip`.

The checks are those of `exchange verify`. It needs `cryptography`, `pyHanko`, `rfc8785` and
`orjson`; no database, no network and no exchange.
"""

import argparse
import json
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.evidence import checking
from contracts.evidence.opened import AUCTION, Failed, Replay
from contracts.log import policy

HOLDS, FAILS, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program; return 0 only if everything holds."""
    parser = argparse.ArgumentParser(
        prog="python -m contracts.verify", description="Check a bundle of evidence offline."
    )
    parser.add_argument("bundle", type=Path, help="the zip")
    parser.add_argument("--trust", help="the log's key (vkey) as you know it from elsewhere")
    parser.add_argument(
        "--rules", type=Path, help="verify_auction.py, to decide an auction once more; it is run"
    )
    parser.add_argument(
        "--policy", type=Path, help="whose cosignatures you ask for (C2SP tlog-policy)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    try:
        replay = None if asked.rules is None else replay_by(asked.rules)
        trusted = None if asked.policy is None else policy.parse(asked.policy.read_bytes())
        report = checking.verify(
            asked.bundle, trusted_vkey=asked.trust, replay=replay, trusted=trusted
        )
    except (OSError, policy.PolicyUnreadable) as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    if asked.json:
        sys.stdout.write(json.dumps(report.as_dict(), ensure_ascii=False) + "\n")
    else:
        for one in report.checks:
            sys.stdout.write(f"{'holds' if one.ok else 'FAILS'}  {one.name}: {one.detail}\n")
        sys.stdout.write("the evidence holds\n" if report.ok else "the evidence does NOT hold\n")
    return HOLDS if report.ok else FAILS


def replay_by(program: Path) -> Replay:
    """Return what replays auctions by the functions of a program that the caller trusts.

    Raises:
        OSError: it cannot be read.
    """
    rules = runpy.run_path(str(program), run_name="rules")

    def replay(log: bytes) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = rules["verify"](log)
        except rules["Bad"] as bad:
            raise Failed(AUCTION, f"event {bad.seq}: {bad}") from bad
        return found

    return replay


if __name__ == "__main__":
    sys.exit(main())
