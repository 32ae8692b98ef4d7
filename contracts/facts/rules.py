"""Facts as values: kinds, their schema, and the leaf that commits to a record.

Source: C2SP tlog-tiles for the log that takes the leaves; the leaf itself is ours: it commits to
the record through 32 random bytes, so that nothing in the public log can be guessed from it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

from contracts import canonical, rfc3339

LEAF_DOMAIN = b"uhdx/leaf/v1\x00"


class Audience(Enum):
    """Who may read the record of a fact; its leaf is public in any case."""

    PUBLIC = "public"
    PARTIES = "parties"  # the parties named with the fact, and staff
    SIDES = "sides"  # the parties named with the fact alone: what is negotiated in private
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class KindOfFact:
    """A kind of fact: who may read it and which fields its record holds, with their JSON types."""

    audience: Audience
    fields: Mapping[str, type | tuple[type, ...]]


class SealedFact(NamedTuple):
    """A fact with its place in the one sequence (log index = feed cursor)."""

    seq: int
    id: UUID
    kind: str
    subject: UUID
    parties: Sequence[UUID]
    record: Mapping[str, Any]
    recorded_at: datetime


def commitment(blind: bytes, record: bytes) -> str:
    """Return hex SHA-256(domain ‖ blind ‖ record), the only trace of a record in its leaf."""
    return hashlib.sha256(LEAF_DOMAIN + blind + record).hexdigest()


def leaf(fact_id: UUID, kind: str, recorded_at: datetime, c: str, prev: str | None) -> bytes:
    """Return the leaf bytes: JCS of version, kind, id, time, commitment and the object's last leaf.

    Args:
        fact_id: the fact.
        kind: its kind, e.g. `listing.published`.
        recorded_at: aware UTC; written with whole seconds and `Z`.
        c: the commitment, hex.
        prev: hex leaf hash of the previous fact about the same object, or None.
    """
    stamp = rfc3339.to_the_second(recorded_at)
    return canonical.quick(
        {"v": 1, "t": kind, "n": str(fact_id), "ts": stamp, "c": c, "prev": prev}
    )


def faults(kind: KindOfFact, record: Mapping[str, Any]) -> list[str]:
    """Name each field that is missing, unexpected or of the wrong type."""
    if record.keys() == kind.fields.keys() and all(
        type(record[name]) is wanted for name, wanted in kind.fields.items()
    ):
        return []  # as almost always
    wrong = [f"{name}: missing" for name in kind.fields if name not in record]
    wrong += [f"{name}: unexpected" for name in record if name not in kind.fields]
    for name, wanted in kind.fields.items():
        value = record.get(name)
        if name in record and (
            not isinstance(value, wanted) or isinstance(value, bool) != (wanted is bool)
        ):
            wrong.append(f"{name}: {type(value).__name__}")
    return wrong
