"""How often money goes out twice: the executor, and poorer ones, under the same seeded schedules.

`python -m tests.settlement.outbound_campaign 10000` prints one row for each variant. A schedule is
some hundred steps of two workers of the product's own `send_one`, stepped one await at a time, with
crashes anywhere, lost, late and refused answers, stored errors, keys that are forgotten after a
day, and pauses of up to thirty hours; at last the weather clears.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from unittest import mock

from settlement.outbound import rules
from tests.settlement import test_outbound_schedules as schedules


@contextmanager
def as_built() -> Iterator[None]:
    """The executor as it is."""
    yield


@contextmanager
def no_look_up() -> Iterator[None]:
    """One key, repeated without looking; a new one when it is old."""
    with mock.patch.object(rules, "LOOKED_UP", frozenset()):
        yield


@contextmanager
def naive() -> Iterator[None]:
    """A key of its own for every call, nothing looked up: what a first version does."""
    rng = random.Random(1)
    with (
        mock.patch.object(rules, "LOOKED_UP", frozenset()),
        mock.patch.object(rules, "key", lambda _id, _attempt: f"key-{rng.random()}"),
    ):
        yield


VARIANTS: Mapping[str, Callable[[], object]] = {
    "naive: a new key for each call": naive,
    "stable key, never looked up": no_look_up,
    "the executor": as_built,
}


def played(variant: str, seeds: range) -> Counter[str]:
    """Play the schedules of these seeds; count by how many objects were made."""
    found: Counter[str] = Counter()
    with VARIANTS[variant]():  # type: ignore[attr-defined]  # a name, not its type, chooses
        for seed in seeds:
            world, killed = schedules.play(seed)
            made = len(world.stripe.made)
            found["lost" if made == 0 else "once" if made == 1 else "twice or more"] += 1
            found["finished"] += world.intent.state == rules.DONE
            found["workers killed"] += killed
    return found


def main() -> None:
    """Print the table of a campaign."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    sys.stdout.write(f"seeds {first} to {first + count - 1}, {count} schedules for each variant\n")
    for variant in VARIANTS:
        found = played(variant, range(first, first + count))
        sys.stdout.write(
            f"{variant:32} once {found['once']:6} twice or more {found['twice or more']:6} "
            f"lost {found['lost']:4} finished {found['finished']:6} "
            f"workers killed {found['workers killed']}\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
