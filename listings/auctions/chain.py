"""The chain of an auction's log: one hash over everything that happened, in its order (pure).

hash_n = SHA256(DOMAIN ‖ hash_{n-1} ‖ canonical(event_n)), hash_{-1} = 32 zero bytes; altering,
dropping, swapping or inserting an event changes every hash from there on.
"""

import hashlib
from datetime import datetime

from contracts import rfc3339

DOMAIN = b"uhdx/auction-event/v1\x00"
GENESIS = bytes(32)


def event(seq: int, kind: str, at: datetime, body: bytes) -> bytes:
    """Return the RFC 8785 bytes of an event; `body` is canonical already.

    Args:
        seq: its number in the auction, from 0 and without a gap.
        kind: lower-case letters.
        at: the aware instant of the event.
        body: RFC 8785 bytes of a JSON object.
    """
    return event_at(seq, kind, rfc3339.exact(at), body)


def event_at(seq: int, kind: str, at: str, body: bytes) -> bytes:
    """Return the bytes of an event whose instant is written already."""
    # The names of the four members stand in the order of RFC 8785, and none needs an escape.
    return b'{"at":"%b","body":%b,"kind":"%b","seq":%d}' % (at.encode(), body, kind.encode(), seq)


def link(previous: bytes, event_bytes: bytes) -> bytes:
    """Return the hash of an event that follows the hash `previous` (32 bytes each)."""
    return hashlib.sha256(DOMAIN + previous + event_bytes).digest()
