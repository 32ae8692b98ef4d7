"""Faults on command: what may go wrong between a caller and a provider, one call at a time.

drop_before: the connection ends and nothing was done. drop_after: it was done, the answer is lost.
late: the connection ends at once and it is done after `seconds`, the key is in use meanwhile.
delayed: the connection ends at once and the request arrives after `seconds`; until then nothing is
known of it. duplicate: it is done, the answer is lost, and it arrives once more after `seconds`.
slow: done and answered after `seconds`, the key is in use meanwhile. 429: turned away, nothing was
done or kept. 500_stored, 400_stored: nothing was done, and the error is kept under the key.

Seconds are those of the stand-in's clock (`/_clock`), except for `slow`, which waits for real.
"""

from dataclasses import dataclass

from exchange.standins.stripe.store import Store

STORED = {"500_stored": 500, "400_stored": 400}
PUT_OFF = ("late", "delayed", "duplicate")
KINDS = ("drop_before", "drop_after", *PUT_OFF, "slow", "429", *STORED)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and its delay."""

    kind: str
    seconds: float


def order(
    store: Store, *, target: str, kind: str, operation: str, count: int, seconds: float
) -> None:
    """Queue `count` faults for calls (`target="call"`) or events (`target="event"`)."""
    with store.transaction():
        for _ in range(count):
            store.db.execute(
                "INSERT INTO trick (target, kind, operation, seconds) VALUES (?, ?, ?, ?)",
                (target, kind, operation, seconds),
            )


def take(store: Store, *, operation: str, method: str) -> Fault | None:
    """Take the next fault that fits this call, if one was ordered.

    A fault without an operation fits any POST; `*` fits every call.
    """
    row = store.db.execute(
        "SELECT turn, kind, seconds FROM trick WHERE target = 'call' AND "
        "(operation IN (?, '*') OR (operation = '' AND ? = 'POST')) ORDER BY turn LIMIT 1",
        (operation, method),
    ).fetchone()
    if row is None:
        return None
    with store.transaction():
        store.db.execute("DELETE FROM trick WHERE turn = ?", (row[0],))
    return Fault(row[1], row[2])


def waiting(store: Store) -> list[dict[str, object]]:
    """List what is ordered and has not happened."""
    rows = store.db.execute("SELECT target, kind, operation, seconds FROM trick ORDER BY turn")
    return [dict(zip(("target", "kind", "operation", "seconds"), row, strict=True)) for row in rows]
