"""The frozen values every method of sale works with (pure)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import rfc3339

MICROSECOND = timedelta(microseconds=1)
PAUSES = "pauses"  # in a standing's own: the pauses that are over, [[from, to], …]


class BrokenLog(ValueError):
    """The log is not one that the rules could have written: a fault of the log, no refusal."""


@dataclass(frozen=True, slots=True)
class Closing:
    """When bidding ends; the rulebook's closes_at is the announced end."""

    kind: str  # fixed | soft | timed
    window_s: int
    top_k: int
    most_extensions: int | None
    free_until: datetime | None


@dataclass(frozen=True, slots=True)
class Bid:
    """A bid before it is judged; `received_at` was stamped at the door."""

    bid_id: UUID
    paddle: int
    content: Mapping[str, Any]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an auction's log."""

    seq: int
    kind: str
    at: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an auction stands after the events so far; `own` is the method's, and private."""

    seq: int
    bids: int
    extensions: int
    closes_at: datetime
    hard_stop_at: datetime | None
    phase: str  # bidding | ended
    paused_at: datetime | None
    price_minor: int | None
    leading_bid: UUID | None
    leading_paddle: int | None
    own: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values that `from_json` reads back exactly."""
        return {
            "seq": self.seq,
            "bids": self.bids,
            "extensions": self.extensions,
            "closes_at": rfc3339.exact(self.closes_at),
            "hard_stop_at": written(self.hard_stop_at),
            "phase": self.phase,
            "paused_at": written(self.paused_at),
            "price_minor": self.price_minor,
            "leading_bid": str(self.leading_bid) if self.leading_bid else None,
            "leading_paddle": self.leading_paddle,
            "own": dict(self.own),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Standing":
        """Read what `to_json` wrote."""
        return cls(
            **{
                **value,
                "closes_at": instant(value["closes_at"]),
                "hard_stop_at": maybe_instant(value["hard_stop_at"]),
                "paused_at": maybe_instant(value["paused_at"]),
                "leading_bid": UUID(value["leading_bid"]) if value["leading_bid"] else None,
            }
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """The bid counts: the standing with it, what the log says of it, whether the close moved."""

    standing: Standing
    after: Mapping[str, Any]
    extended: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What a method makes of a bid it accepts.

    Attributes:
        price_minor, leading_bid, leading_paddle, own: as in the standing after it.
        stirs: the bid may move the close by the rule of closing.
        want: an end of bidding of its own (a match), within the limits of closing.
        ends_at: the auction ends here (a take).
    """

    price_minor: int | None
    leading_bid: UUID | None
    leading_paddle: int | None
    own: Mapping[str, Any]
    stirs: bool = False
    want: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A bid of the log: the event's number, the bid (a sealed one as opened), the price it left."""

    seq: int
    bid: Bid
    price_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What an award is decided from.

    Attributes:
        entries: every accepted bid in order, defaulters' too; sealed ones as opened, those that
            did not open with an empty content.
        out: the paddles in default.
        reserve_minor: the reserve, if there is one.
        seed: the lottery's, where the tie rule is lottery.
        solved: the body of the `solved` event (package).
    """

    entries: Sequence[Entry]
    out: frozenset[int]
    reserve_minor: int | None
    seed: bytes | None
    solved: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The part of a result that a method decides, as plain JSON values."""

    outcome: str  # sold | unsold | shortlist
    reason: str | None
    awards: list[dict[str, Any]]
    ranking: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of sale.

    Attributes:
        code, zh, en: its names.
        amounts: the secrecies of amounts it can be run with, the default first.
        closings: the kinds of closing, the default first.
        has_reserve: whether the rulebook may name one.
        ties, defaults: the rules for ties and defaults it can be run with, the default first.
        keys: keys of the sale wire it knows besides the common ones.
        read_terms: terms of the rulebook out of the sale's wire. Raises BadSale, AmountOutOfRange.
        propose: judge a bid in time, of good form; raises a Refusal.
        least_minor: what would lead, where amounts are open.
        exposure: paddle → minor units it is bound for now.
        check: whether an opened content could have been a bid; raises a Refusal.
        decide: the result of a log that holds at least one bid.
        takes: the first bid that counts ends the auction.
    """

    code: str
    zh: str
    en: str
    amounts: tuple[str, ...]
    closings: tuple[str, ...]
    has_reserve: bool
    ties: tuple[str, ...]
    defaults: tuple[str, ...]
    keys: frozenset[str]
    read_terms: Callable[[Mapping[str, Any]], dict[str, Any]]
    propose: Callable[["Book", Standing, Bid], Change]
    least_minor: Callable[["Book", Standing], int | None]
    exposure: Callable[["Book", Standing], Mapping[int, int]]
    check: Callable[["Book", Mapping[str, Any]], None]
    decide: Callable[["Book", Case], Outcome]
    takes: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """A rulebook, parsed; attributes are named as its members.

    `reserve_minor` is the reserve as far as it is known: an open one, or a hidden one that the
    exchange passed in.
    """

    auction: UUID
    listing: UUID
    work: UUID
    supersedes: UUID | None
    method: str
    method_zh: str
    preset: str | None
    legal_basis: Sequence[Mapping[str, Any]]
    currency: str
    exponent: int
    opens_at: datetime
    closes_at: datetime
    hard_stop_at: datetime | None
    terms: Mapping[str, Any]
    closing: Closing
    reserve: Mapping[str, Any]
    tie: Mapping[str, Any]
    first_refusal: Mapping[str, Any] | None
    admission: Mapping[str, Any]
    secrecy: Mapping[str, Any]
    opening: Mapping[str, Any] | None
    forfeits: Sequence[str]
    default: str
    texts: Mapping[str, str]
    sha256: str
    reserve_minor: int | None
    mechanism: Method
    payment: Mapping[str, Any] | None = None  # how an award is paid; None: one sum
    fees: Mapping[str, str] | None = None  # the fee schedule: its name and hash

    @property
    def match_window(self) -> timedelta:
        """How long the holders of a right of first refusal may match; zero without one."""
        if self.first_refusal is None:
            return timedelta(0)
        return timedelta(seconds=self.first_refusal["window_s"])


def instant(text: str) -> datetime:
    """Read an instant of a document of ours."""
    return datetime.fromisoformat(text)


def maybe_instant(text: str | None) -> datetime | None:
    """Read an instant that may be missing."""
    return None if text is None else instant(text)


def written(moment: datetime | None) -> str | None:
    """Write an instant that may be missing."""
    return None if moment is None else rfc3339.exact(moment)


def pauses(standing: Standing) -> list[tuple[datetime, datetime]]:
    """Return the pauses that are over, in order."""
    return [(instant(begun), instant(over)) for begun, over in standing.own.get(PAUSES, ())]


def elapsed(book: Book, stops: Sequence[tuple[datetime, datetime]], at: datetime) -> timedelta:
    """Return how long the auction has run at `at`, without its pauses."""
    run = at - book.opens_at
    for begun, over in stops:
        covered = min(over, at) - max(begun, book.opens_at)
        run -= max(covered, timedelta(0))
    return run
