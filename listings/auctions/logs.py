"""The log of an auction read back: what each event does, and what an award needs (pure)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.refusal import Refusal
from listings.auctions import contents, rulebook
from listings.auctions.model import (
    PAUSES,
    Bid,
    Book,
    BrokenLog,
    Case,
    Entry,
    Event,
    Standing,
    instant,
    maybe_instant,
    written,
)

VOID = "void"  # in a standing's own, once nothing may follow


def follow(book: Book, standing: Standing, event: Event) -> Standing:
    """Return the standing after an event that is no bid.

    Raises:
        BrokenLog: it does not fit the standing.
    """
    step = _STEPS.get(event.kind)
    if step is None or VOID in standing.own:
        raise BrokenLog(f"event {event.seq}: {event.kind!r} cannot stand here")
    return replace(step(book, standing, event), seq=event.seq)


def case(book: Book, events: Sequence[Event]) -> Case:
    """Return what an award is decided from.

    Raises:
        BrokenLog: the log is not closed, or something that was committed to is not opened.
    """
    found = {event.kind: event for event in events}
    if "closed" not in found:
        raise BrokenLog("the log is not closed")
    reserve = book.reserve["amount_minor"]
    if book.reserve["kind"] == "hidden":
        reserve = _needed(found, "reserve").body["amount_minor"]
    seed = None
    if book.tie["rule"] == "lottery":
        seed = bytes.fromhex(_needed(found, "lottery").body["seed"])
    solved = found.get("solved")
    return Case(
        entries=_entries(book, events, found),
        out=frozenset(event.body["paddle"] for event in events if event.kind == "defaulted"),
        reserve_minor=reserve,
        seed=seed,
        solved=solved.body if solved else None,
    )


def _entries(book: Book, events: Sequence[Event], found: Mapping[str, Event]) -> list[Entry]:
    bids = [event for event in events if event.kind == "bid"]
    if book.secrecy["amounts"] == "sealed" and bids:
        openings = _needed(found, "revealed").body["openings"]
        known = {one["bid"]: _opened(book, one["content"]) for one in openings}
        return [_entry(event, known.get(event.body["bid"], {})) for event in bids]
    return [_entry(event, event.body["content"]) for event in bids]


def _opened(book: Book, content: Any) -> Mapping[str, Any]:
    try:
        return contents.clear(book, content)
    except Refusal:
        return {}


def _entry(event: Event, content: Mapping[str, Any]) -> Entry:
    bid = Bid(UUID(event.body["bid"]), event.body["paddle"], content, event.at)
    return Entry(event.seq, bid, event.body["after"]["price_minor"])


def _needed(found: Mapping[str, Event], kind: str) -> Event:
    if kind not in found:
        raise BrokenLog(f"the log has no event {kind!r}")
    return found[kind]


def _opens(book: Book, standing: Standing, event: Event) -> Standing:
    if event.body != {"rulebook_sha256": book.sha256}:
        raise BrokenLog("the log is of another rulebook")
    return standing


def _pauses(_book: Book, standing: Standing, event: Event) -> Standing:
    _must(standing.phase == "bidding" and standing.paused_at is None, event)
    return replace(standing, paused_at=event.at)


def _resumes(_book: Book, standing: Standing, event: Event) -> Standing:
    begun = standing.paused_at
    if begun is None or event.at < begun or standing.phase != "bidding":
        raise BrokenLog(f"event {event.seq}: nothing was paused")
    moved, stop = event.at - begun, standing.hard_stop_at
    stops = [*standing.own.get(PAUSES, []), [rfc3339.exact(begun), rfc3339.exact(event.at)]]
    after = replace(
        standing,
        paused_at=None,
        closes_at=standing.closes_at + moved,
        hard_stop_at=None if stop is None else stop + moved,
        own={**standing.own, PAUSES: stops},
    )
    _must(event.body == _ends(after), event)
    return after


def _extends(_book: Book, standing: Standing, event: Event) -> Standing:
    closes, stop = instant(event.body["closes_at"]), maybe_instant(event.body["hard_stop_at"])
    _must(standing.phase == "bidding" and closes >= standing.closes_at, event)
    _must((stop is None) == (standing.hard_stop_at is None), event)
    if stop is not None and standing.hard_stop_at is not None:
        _must(stop >= standing.hard_stop_at and stop >= closes, event)
    return replace(standing, closes_at=closes, hard_stop_at=stop)


def _closes(_book: Book, standing: Standing, event: Event) -> Standing:
    _must(standing.phase == "bidding" and standing.paused_at is None, event)
    _must(event.at == standing.closes_at, event)
    _must(event.body == {"closes_at": rfc3339.exact(event.at)}, event)
    return replace(standing, phase="ended")


def _ended(_book: Book, standing: Standing, event: Event) -> Standing:
    _must(standing.phase == "ended", event)
    return standing


def _reserve(book: Book, standing: Standing, event: Event) -> Standing:
    amount, nonce = event.body["amount_minor"], bytes.fromhex(event.body["nonce"])
    said = rulebook.reserve_commitment(book.auction, amount, nonce)
    _must(standing.phase == "ended" and book.reserve["commitment"] == said, event)
    return standing


def _lottery(book: Book, standing: Standing, event: Event) -> Standing:
    said = rulebook.seed_commitment(book.auction, bytes.fromhex(event.body["seed"]))
    _must(standing.phase == "ended" and book.tie["seed_commitment"] == said, event)
    return standing


def _revealed(book: Book, standing: Standing, event: Event) -> Standing:
    _must(standing.phase == "ended" and book.secrecy["amounts"] == "sealed", event)
    _must("revealed" not in standing.own, event)
    return replace(standing, own={**standing.own, "revealed": True})


def _solved(book: Book, standing: Standing, event: Event) -> Standing:
    _must(standing.phase == "ended" and book.method == "package", event)
    return standing


def _voided(_book: Book, standing: Standing, _event: Event) -> Standing:
    return replace(standing, phase="ended", paused_at=None, own={**standing.own, VOID: True})


def _ends(standing: Standing) -> dict[str, Any]:
    return {
        "closes_at": rfc3339.exact(standing.closes_at),
        "hard_stop_at": written(standing.hard_stop_at),
    }


def _must(holds: bool, event: Event) -> None:
    if not holds:
        raise BrokenLog(f"event {event.seq}: {event.kind!r} cannot stand here")


_STEPS: Mapping[str, Callable[[Book, Standing, Event], Standing]] = {
    "opened": _opens,
    "paused": _pauses,
    "resumed": _resumes,
    "extended": _extends,
    "closed": _closes,
    "roll": _ended,
    "reserve": _reserve,
    "lottery": _lottery,
    "revealed": _revealed,
    "solved": _solved,
    "defaulted": _ended,
    "awarded": _ended,
    "voided": _voided,
}
