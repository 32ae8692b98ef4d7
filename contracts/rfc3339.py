"""Instants as text: RFC 3339 in UTC, closed with `Z`; the one way they are written down."""

from datetime import UTC, datetime
from functools import lru_cache

WHOLE_SECONDS = "%Y-%m-%dT%H:%M:%SZ"


def exact(moment: datetime) -> str:
    """Write an aware instant with its microseconds, when it has any."""
    inside = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return inside.isoformat()[:-6] + "Z"  # without the "+00:00" that UTC is written with


@lru_cache(maxsize=1024)  # the facts of a batch share their seconds
def to_the_second(moment: datetime) -> str:
    """Write an aware instant with whole seconds; what is smaller is cut off."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:-6] + "Z"
