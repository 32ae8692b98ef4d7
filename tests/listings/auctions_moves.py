"""Auctions played by random moves: who bids how much, and when."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from listings.auctions import rules
from listings.auctions.model import Bid, Standing
from tests.listings.auctions_cases import Play, at

TABLE = {"kind": "table", "rows": [[0, 1_000], [130_000, 2_500], [170_000, 6_000]]}
STEPPED: tuple[dict[str, Any], ...] = (
    {},
    {"step_minor": None, "terms": {"step": TABLE}},
    {"step_minor": None, "terms": {"step": {"kind": "bp", "bp": 700, "least_minor": 900}}},
)
RESERVES: tuple[dict[str, Any], ...] = (
    {}, {"reserve": {"kind": "open", "amount_minor": 140_000}},
    {"reserve": {"kind": "hidden", "amount_minor": 140_000}},
)  # fmt: skip
Move = tuple[int, int, int]  # paddle, amount, seconds since the opening
moves = st.lists(
    st.tuples(st.integers(1, 4), st.integers(95_000, 220_000), st.integers(-5, 700)), max_size=25
)
forward = moves.map(lambda some: sorted(some, key=lambda move: move[2]))
rising = st.sampled_from(["english", "timed", "proxy"])
sealed = st.sampled_from(["sealed", "vickrey", "intent"])
any_step, any_reserve = st.sampled_from(STEPPED), st.sampled_from(RESERVES)
Seen = Callable[[Standing, Standing, Bid], None]


def play(of: rules.Book, some: list[Move], seen: Seen = lambda *_: None, **more: Any) -> Play:
    """Play moves; what is refused leaves nothing."""
    game = Play(of)
    for paddle, amount, second in some:
        before, moment = game.standing, at(seconds=second)
        if game.tries(paddle, amount, moment=moment, **more):
            bid = Bid(UUID(int=1_000 + game.made), paddle, {"amount_minor": amount}, moment)
            seen(before, game.standing, bid)
    return game


def accepted(game: Play) -> list[tuple[int, int]]:
    """Return paddle and amount of each bid that counts, in order."""
    bids = [event.body for event in game.events if event.kind == "bid"]
    return [(body["paddle"], body["content"]["amount_minor"]) for body in bids]
