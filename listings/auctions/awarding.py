"""What the methods share when they award: the bids that count, their order, the sale (pure)."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from listings.auctions.model import Book, BrokenLog, Case, Entry, Outcome


@dataclass(frozen=True, slots=True)
class Ranked:
    """A paddle's bid in the ranking."""

    entry: Entry
    amount_minor: int
    score: Fraction | None = None
    parts: tuple[tuple[str, Fraction], ...] | None = None

    def wire(self) -> dict[str, Any]:
        """Return it as it stands in the result."""
        wire = {
            "bid": str(self.entry.bid.bid_id),
            "paddle": self.entry.bid.paddle,
            "amount_minor": self.amount_minor,
            "score": None if self.score is None else pair(self.score),
        }
        if self.parts is not None:
            wire["parts"] = {code: pair(part) for code, part in self.parts}
        return wire


Pay = Callable[[Book, Case, Sequence[Ranked], Ranked], int]


def pair(value: Fraction) -> list[int]:
    """Write an exact rational as [numerator, denominator]."""
    return [value.numerator, value.denominator]


def latest(case: Case) -> list[Entry]:
    """Return each paddle's latest bid, the replaced ones gone, defaulters left out."""
    last = {entry.bid.paddle: entry for entry in case.entries if entry.bid.paddle not in case.out}
    return sorted(last.values(), key=lambda entry: entry.seq)


def tie_key(book: Book, case: Case, entry: Entry) -> tuple[bytes, int]:
    """Return what orders equals: the lot drawn by the seed, or the sequence."""
    if book.tie["rule"] == "sequence":
        return (b"", entry.seq)
    if case.seed is None:
        raise BrokenLog("the lottery is not opened")
    return (hashlib.sha256(case.seed + entry.bid.bid_id.bytes).digest(), entry.seq)


def nothing(case: Case, ranking: Sequence[Ranked] = ()) -> Outcome:
    """Return the result of a log in which no bid counts."""
    reason = "defaulted" if case.out else "no-valid-bids"
    return Outcome("unsold", reason, [], [ranked.wire() for ranked in ranking])


def sell(book: Book, case: Case, ranking: Sequence[Ranked], pay: Pay) -> Outcome:
    """Sell to the first of the ranking at or above the reserve, for what the method says."""
    if not ranking:
        return nothing(case)
    wires = [ranked.wire() for ranked in ranking]
    reserve = case.reserve_minor or 0
    winner = next((ranked for ranked in ranking if ranked.amount_minor >= reserve), None)
    if winner is None:
        return Outcome("unsold", "reserve-not-met", [], wires)
    award = {
        "bid": str(winner.entry.bid.bid_id),
        "paddle": winner.entry.bid.paddle,
        "amount_minor": pay(book, case, ranking, winner),
        "items": None,
    }
    return Outcome("sold", None, [award], wires)


def own_amount(_book: Book, _case: Case, _ranking: Sequence[Ranked], winner: Ranked) -> int:
    """Pay what one bid."""
    return winner.amount_minor
