"""The problem that an auction's bids pose, and which bid each of its offers came from (pure)."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from listings.bundles.problem import Item, Offer, Problem

KEY_BITS = 26  # of each half of a lot: sums of very many stay below 2^53


class BidLike(Protocol):
    """A bid as the rules of auctions know it."""

    @property
    def bid_id(self) -> UUID:
        """The bid's id."""
        ...

    @property
    def paddle(self) -> int:
        """Whose bid it is."""
        ...

    @property
    def content(self) -> Mapping[str, Any]:
        """The packages, in clear."""
        ...


class EntryLike(Protocol):
    """A bid with its place in the log."""

    @property
    def bid(self) -> BidLike:
        """The bid."""
        ...


@dataclass(frozen=True, slots=True)
class Package:
    """A bid, where no auction's own is at hand: its id, whose it is, its packages."""

    bid_id: UUID
    paddle: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """Where an offer came from: the bid, the place of the package in it, and what was bid."""

    bid: UUID
    package: int
    paddle: int
    cells: tuple[str, ...]
    amount_minor: int
    reserve_minor: int


@dataclass(frozen=True, slots=True)
class Posed:
    """A problem and, for each of its offers, where it came from; offers are in this order."""

    problem: Problem
    named: tuple[Named, ...]
    payments: str  # core | bids


def latest(
    entries: Iterable[EntryLike], *, out: Iterable[int], check: Callable[[Mapping[str, Any]], bool]
) -> list[BidLike]:
    """Return each paddle's latest bid that holds, in the order of paddles, without some paddles."""
    last = {entry.bid.paddle: entry.bid for entry in entries}
    left_out = set(out)
    return [
        last[paddle]
        for paddle in sorted(last)
        if paddle not in left_out and check(last[paddle].content)
    ]


def pose(terms: Mapping[str, Any], bids: Sequence[BidLike], *, seed: bytes) -> Posed:
    """Return the problem of some bids; offers follow paddles, then the places of packages."""
    place = {cell["code"]: at for at, cell in enumerate(terms["cells"])}
    named = [
        _named(terms, bid, at, package, place)
        for bid in bids
        for at, package in enumerate(bid.content["packages"])
    ]
    offers = tuple(
        Offer(
            one.paddle,
            frozenset(place[code] for code in one.cells),
            one.amount_minor - one.reserve_minor,
            lot(seed, one.bid, one.package),
            max(0, terms["floor_minor"] - one.reserve_minor),
        )
        for one in named
    )
    problem = Problem(items(terms), offers, terms["least_winners"], terms["secondary"])
    return Posed(problem, tuple(named), terms["payments"])


def items(terms: Mapping[str, Any]) -> tuple[Item, ...]:
    """Return the cells of an auction as items."""
    return tuple(
        Item(cell["copies"], cell["space"], cell["exclusivity"] != "non-exclusive")
        for cell in terms["cells"]
    )


def reserve(cells: Iterable[Mapping[str, Any]]) -> int:
    """Return the sum of the reserves of a package of cells."""
    return int(sum(cell["reserve_minor"] for cell in cells))


def least(terms: Mapping[str, Any], cells: Iterable[Mapping[str, Any]]) -> int:
    """Return the least that a package of cells is sold for: its reserve, or the floor."""
    return max(int(terms["floor_minor"]), reserve(cells))


def lot(seed: bytes, bid: UUID, package: int) -> tuple[int, int]:
    """Return the two halves of the lot of a package: 52 bits of SHA-256(seed, bid, place)."""
    drawn = hashlib.sha256(seed + bid.bytes + package.to_bytes(4, "big")).digest()
    number = int.from_bytes(drawn[:8], "big") >> (64 - 2 * KEY_BITS)
    return number >> KEY_BITS, number & ((1 << KEY_BITS) - 1)


def _named(
    terms: Mapping[str, Any],
    bid: BidLike,
    at: int,
    package: Mapping[str, Any],
    place: Mapping[str, int],
) -> Named:
    codes = tuple(sorted(package["cells"], key=place.__getitem__))
    cells = [terms["cells"][place[code]] for code in codes]
    return Named(bid.bid_id, at, bid.paddle, codes, package["amount_minor"], reserve(cells))
