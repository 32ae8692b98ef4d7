"""The stand-in's memory: one SQLite file, written for good before an answer leaves.

SQLite and not the exchange's PostgreSQL on purpose: this is another firm's books.
"""

import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exchange.standins.stripe.errors import missing

PREFIXES = {
    "account": "acct", "v2.core.account": "acct", "payment_intent": "pi",
    "charge": "ch", "payment_method": "pm",
    "transfer": "tr", "balance_transaction": "txn", "event": "evt", "payment": "py",
    "request": "req", "source": "src", "refund": "re", "transfer_reversal": "trr", "dispute": "du",
    "payout": "po", "customer": "cus", "cash_balance_transaction": "ccsbtxn",
}  # fmt: skip
_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
  turn INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  account TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS object_by_kind ON object (kind, account, turn);
CREATE TABLE IF NOT EXISTS posting (
  turn INTEGER PRIMARY KEY AUTOINCREMENT, journal TEXT NOT NULL, account TEXT NOT NULL,
  currency TEXT NOT NULL, amount INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS idempotency (
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
  request TEXT NOT NULL, first_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
  turn INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, due REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'waiting', answer TEXT);
CREATE TABLE IF NOT EXISTS trick (
  turn INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, kind TEXT NOT NULL,
  operation TEXT NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS hold (intent TEXT PRIMARY KEY, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS authentication (
  intent TEXT PRIMARY KEY, card TEXT NOT NULL, return_url TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS link (
  token TEXT PRIMARY KEY, account TEXT NOT NULL, purpose TEXT NOT NULL, until INTEGER NOT NULL,
  refresh_url TEXT NOT NULL, return_url TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    """Objects, postings, keys, deliveries; every change inside `transaction()`."""

    def __init__(self, path: str) -> None:
        """Open the file, or make it; `:memory:` keeps nothing."""
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep everything done in the block, or nothing of it."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def add(
        self, kind: str, body: Mapping[str, Any], *, account: str = "", created: int | None = None
    ) -> None:
        """Keep a new object; `created` in Unix seconds where its body says it otherwise."""
        made_at = body["created"] if created is None else created
        self.db.execute(
            "INSERT INTO object (id, kind, account, created, body) VALUES (?, ?, ?, ?, ?)",
            (body["id"], kind, account, made_at, json.dumps(body)),
        )

    def change(self, body: Mapping[str, Any]) -> None:
        """Replace the body of a known object."""
        self.db.execute("UPDATE object SET body = ? WHERE id = ?", (json.dumps(body), body["id"]))

    def find(self, id_: str, *, account: str | None = None) -> dict[str, Any] | None:
        """Return an object by id, of any kind; None when there is none (in that account)."""
        row = self.db.execute("SELECT body, account FROM object WHERE id = ?", (id_,)).fetchone()
        if row is None or (account is not None and row[1] != account):
            return None
        body: dict[str, Any] = json.loads(row[0])
        return body

    def created(self, id_: str) -> int:
        """Return when a known object was made, in Unix seconds."""
        row = self.db.execute("SELECT created FROM object WHERE id = ?", (id_,)).fetchone()
        return int(row[0])

    def get(self, kind: str, id_: str, *, account: str = "") -> dict[str, Any]:
        """Return an object of that kind.

        Raises:
            Problem: 404 `resource_missing`.
        """
        body = self.find(id_, account=account)
        if body is None or body["object"] != kind:
            raise missing(kind, id_, param="intent" if kind == "payment_intent" else "id")
        return body

    def select(self, kind: str, where: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Return the bodies of a kind that fit a condition of this module's own making."""
        rows = self.db.execute(
            f"SELECT body FROM object WHERE kind = ? {where}",  # noqa: S608 - no caller's text.
            (kind, *values),
        )
        return [json.loads(row[0]) for row in rows]

    def setting(self, name: str, default: str) -> str:
        """Return a setting."""
        row = self.db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else default

    def set(self, name: str, value: str) -> None:
        """Keep a setting."""
        self.db.execute(
            "INSERT INTO setting VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


def new_id(kind: str) -> str:
    """Return a fresh id with the kind's prefix."""
    return f"{PREFIXES[kind]}_{secrets.token_hex(12)}"
