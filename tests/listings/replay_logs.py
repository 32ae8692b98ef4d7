"""The logs of auctions played at random, and how their lines are taken apart."""

import functools
from pathlib import Path

from listings.auctions import verify_auction
from tests.listings.replay_play import EVERY, Play

COMMANDS = 40
PROGRAM = Path(verify_auction.__file__)


def played() -> list[Play]:
    """A log of each method that has something to hide, with bids in it."""
    found = []
    for method in EVERY:
        seed = 0
        while True:
            play = Play(method, seed).run(25)
            if play.standing.bids >= (1 if method in ("fixed", "dutch") else 4):
                found.append(play)
                break
            seed += 1
    return found


LOGS = {play.method: play for play in played()}


def split(raw: bytes) -> list[bytes]:
    return raw[:-1].split(b"\n")


def joined(lines: list[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"


@functools.cache
def solved_logs() -> list[tuple[Play, int]]:
    """Package auctions with core prices and two winners or more, and where they were solved."""
    found = []
    for seed in range(140):
        play = Play("package", seed).run(25)
        for event in play.events:
            if event.kind == "solved" and event.body["blocks"] and len(event.body["winners"]) > 1:
                found.append((play, event.seq))
    return found
