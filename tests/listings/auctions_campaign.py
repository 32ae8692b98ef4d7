"""The state machine of every method, for a million commands and more, over printed seeds.

    python -m tests.listings.auctions_campaign --commands 1000000 --seed 1

Each finished log goes to the second program (`test_auctions_machine.replayed`), or to `replay`,
where it is given: the rulebook, the exported JSON lines, and the result that these rules came to,
as RFC 8785 bytes.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from contracts import canonical
from listings.auctions import rules
from tests.listings import test_auctions_machine as machine
from tests.listings.auctions_world import World

Replay = Callable[[Mapping[str, Any], Sequence[bytes], bytes], None]
EXAMPLES = 500


def play(commands: int, *, first_seed: int, replay: Replay | None = None) -> dict[str, Any]:
    """Play at least so many commands; return what was played.

    Raises:
        AssertionError: the rules and the model, or the replay, differ; the seed was printed.
    """

    def seen(world: World, lines: list[bytes]) -> None:
        assert replay is not None
        replay(world.doc, lines, canonical.dumps(rules.award(world.book, world.play.events)))

    for name in machine.COUNT:
        machine.COUNT[name] = 0
    machine.SEEN[:] = [machine.replayed if replay is None else seen]
    begun, seed = time.monotonic(), first_seed
    while machine.COUNT["commands"] < commands:
        sys.stdout.write(f"seed {seed}: ")
        sys.stdout.flush()
        _round(seed)
        sys.stdout.write(f"{machine.COUNT['commands']} commands\n")
        seed += 1
    machine.SEEN[:] = [machine.replayed]
    return {
        **machine.COUNT,
        "seeds": [first_seed, seed - 1],
        "seconds": round(time.monotonic() - begun),
    }


def _round(seed: int) -> None:
    @seeded(seed)
    class Round(machine.Auctions):
        """The machine under one seed."""

    run_state_machine_as_test(Round, settings=machine.limits(EXAMPLES))


def main() -> None:
    """Play from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sys.stdout.write(f"{play(asked.commands, first_seed=asked.seed)}\n")


if __name__ == "__main__":
    main()
