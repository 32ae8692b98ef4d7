"""Ids: UUID version 7 (RFC 9562 §5.7), ordered by the time they were made."""

import secrets
from datetime import datetime
from uuid import UUID


def new(now: datetime) -> UUID:
    """Return a fresh UUIDv7 stamped with `now` (aware; milliseconds are kept)."""
    stamp = int(now.timestamp() * 1000)
    value = (stamp & (2**48 - 1)) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    return UUID(int=value | 0b10 << 62 | secrets.randbits(62))
