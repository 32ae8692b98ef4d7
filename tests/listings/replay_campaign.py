"""Both programs over the state machine of every method, a million commands and more.

    python -m tests.listings.replay_campaign --commands 1000000 --seed 1

Every finished log is exported and verified by the stand-alone program; both results are the same
bytes. The last line tells what was played.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from listings.auctions import verify_auction
from tests.listings import auctions_campaign

LOGS: Counter[str] = Counter()


def same(rulebook: Mapping[str, Any], lines: Sequence[bytes], result: bytes) -> None:
    """The verifier takes the exported log and comes to the same bytes."""
    found = verify_auction.verify(b"".join(line + b"\n" for line in lines))
    if verify_auction.dumps(found["result"]) != result:
        raise AssertionError(f"the two programs differ: {found['result']} and {result!r}")
    LOGS[rulebook["method"]] += 1


def main() -> None:
    """Play from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    told = auctions_campaign.play(asked.commands, first_seed=asked.seed, replay=same)
    sys.stdout.write(json.dumps({**told, "logs_replayed": dict(LOGS)}) + "\n")


if __name__ == "__main__":
    main()
