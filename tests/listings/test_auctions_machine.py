"""Every method of sale under random commands, against a naive model (Hypothesis)."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from contracts import canonical
from listings.auctions import rules, verify_auction
from tests.contracts import campaign
from tests.listings import auctions_cases as cases
from tests.listings.auctions_model import PADDLES, STEPS, Setup
from tests.listings.auctions_world import World

Seen = Callable[[World, list[bytes]], None]


def replayed(world: World, lines: list[bytes]) -> None:
    """The program that was written from the text of the rules comes to the same bytes."""
    found = verify_auction.verify(b"".join(line + b"\n" for line in lines))
    result = rules.award(world.book, world.play.events)
    assert verify_auction.dumps(found["result"]) == canonical.dumps(result)


# What looks at each finished log.
SEEN: list[Seen] = [replayed]
COUNT = {"commands": 0, "auctions": 0, "bids": 0}

paddles = st.sampled_from(PADDLES)
# Often close together, so that there are equals; often at the very edges of a window.
jumps = st.one_of(st.integers(-1, 3), st.integers(-4, 40))
backs = st.one_of(st.sampled_from([-1, 0, 1, 240, 480]), st.integers(-1, 300))
setups = st.builds(
    Setup,
    kind=st.sampled_from((*cases.KINDS, "package")),
    step=st.integers(0, len(STEPS) - 1),
    reserve=st.sampled_from(["none", "open", "hidden"]),
    tie=st.sampled_from(["sequence", "lottery"]),
    default=st.sampled_from(["next-best", "none"]),
    top_k=st.integers(1, 3),
    most_extensions=st.sampled_from([None, 0, 2]),
    option=st.booleans(),
    cipher=st.booleans(),
    near_stop=st.booleans(),
)


class Auctions(RuleBasedStateMachine):
    """The commands; each is compared with the model as it is played."""

    world: World

    @initialize(setup=setups)
    def opens(self, setup: Setup) -> None:
        self.world = World(setup)

    @rule(paddle=paddles, jump=jumps, lag=st.integers(0, 9), values=st.integers(0, 6))
    def bid(self, **how: int) -> None:
        self.world.bid(**how)

    @rule(paddle=paddles, jump=jumps)
    def bid_again(self, paddle: int, jump: int) -> None:
        self.world.bid(paddle, jump)

    @rule(bids=st.lists(st.tuples(paddles, jumps, backs), min_size=1, max_size=4))
    def storm(self, bids: list[tuple[int, int, int]]) -> None:
        self.world.storm(bids)

    @rule(seconds=st.one_of(st.integers(-3, 20), st.integers(-3, 240)))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule(before=st.integers(-2, 130))
    def wait_for_the_end(self, before: int) -> None:
        left = (self.world.model.closes_at - self.world.now).total_seconds()
        self.world.wait(int(left) - before)

    @rule(paddle=st.sampled_from([1, 2, 3]), wait=st.booleans())
    def match(self, paddle: int, wait: bool) -> None:
        self.world.match(paddle, wait=wait)

    @rule()
    def pause(self) -> None:
        self.world.pause()

    @rule(seconds=st.integers(0, 400))
    def resume(self, seconds: int) -> None:
        self.world.resume(seconds)

    @rule(seconds=st.integers(0, 100))
    def extend(self, seconds: int) -> None:
        self.world.extend(seconds)

    @rule()
    def close(self) -> None:
        # Seldom: a closed auction has little left to do.
        if self.world.commands > 15:
            self.world.close()

    @rule()
    def default(self) -> None:
        self.world.default()

    @rule(which=st.integers(0, 4))
    def forge(self, which: int) -> None:
        self.world.forge(which)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        lines = self.world.finish()
        for seen in SEEN:
            seen(self.world, lines)
        COUNT["commands"] += self.world.commands
        COUNT["auctions"] += 1
        COUNT["bids"] += self.world.play.standing.bids


def limits(examples: int, **more: Any) -> settings:
    """Return how much is played."""
    return settings(
        max_examples=examples,
        stateful_step_count=50,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )


TestAuctions = Auctions.TestCase
TestAuctions.settings = limits(campaign.size(80, 2_000))
