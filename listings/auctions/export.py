"""The log of an auction as JSON lines, for whoever wants to check it (pure).

The first line is the rulebook with its hash, every further one an event with its hash; each line is
RFC 8785 bytes and ends with a line feed.
"""

from collections.abc import Iterable, Iterator

from contracts.refusal import Kind, Refusal
from listings.auctions import chain


class ResultAwaited(Refusal):
    """The log is public from the result on; before it, bids may be secret."""

    kind, code = Kind.CONFLICT, "result-awaited"
    hint = "Follow the auction's events, and ask for the log once the result is in."


def head(rulebook: bytes, rulebook_sha256: str) -> bytes:
    """Return the first line; `rulebook` is RFC 8785 bytes already."""
    return b'{"rulebook":%b,"rulebook_sha256":"%b"}\n' % (rulebook, rulebook_sha256.encode())


def line(event: bytes, hashed: bytes) -> bytes:
    """Return the line of an event, given its RFC 8785 bytes (`chain.event`) and its hash.

    Of the five members `hash` comes third in the order of RFC 8785: after `at` and `body`, before
    `kind`, which the bytes of an event hold once behind its body.
    """
    front, kind, back = event.rpartition(b',"kind":"')
    return front + b',"hash":"' + hashed.hex().encode() + b'"' + kind + back + b"\n"


def lines(
    rulebook: bytes, rulebook_sha256: str, events: Iterable[tuple[bytes, bytes]]
) -> Iterator[bytes]:
    """Yield the whole log, line by line.

    Args:
        rulebook: its RFC 8785 bytes.
        rulebook_sha256: their hash, as frozen at the opening.
        events: the RFC 8785 bytes of each event and its hash, in order.
    """
    yield head(rulebook, rulebook_sha256)
    for event, hashed in events:
        yield line(event, hashed)


def chained(events: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each event's bytes with its hash."""
    previous = chain.GENESIS
    for event in events:
        previous = chain.link(previous, event)
        yield event, previous
