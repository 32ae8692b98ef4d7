"""Sales, rulebooks and logs of every method, made without a database."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import canonical, rfc3339
from contracts.refusal import Refusal
from listings.auctions import logs, rulebook, rules
from listings.auctions.methods import package
from listings.auctions.model import Bid, Book, Event, Standing
from listings.bundles import certificate
from listings.sealed import commitment as seals
from tests.listings import bundles_factory

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
AUCTION, LISTING, WORK = UUID(int=7), UUID(int=8), UUID(int=9)
SEED, NONCE = b"\x05" * 32, b"\x06" * 32
CELLS = {
    "cells": [{**cell, "reserve_minor": 40_000} for cell in bundles_factory.goods("ABC")["cells"]]
}


def at(minutes: float = 0, **more: float) -> datetime:
    """Return an instant after the opening."""
    return NOW + timedelta(minutes=minutes, **more)


def stamp(minutes: float = 0, **more: float) -> str:
    """Return that instant as text."""
    return rfc3339.exact(at(minutes, **more))


_SPECIAL: Mapping[str, dict[str, Any]] = {
    "english": {"step_minor": 1_000, "soft_close_s": 60, "hard_stop_at": stamp(30)},
    "timed": {
        "method": "english",
        "step_minor": 1_000,
        "closes_at": stamp(15),
        "closing": {"kind": "timed", "window_s": 300, "free_until": stamp(10)},
    },
    "timed-proxy": {
        "method": "proxy",
        "step_minor": 1_000,
        "closes_at": stamp(12),
        "closing": {"kind": "timed", "window_s": 120, "free_until": stamp(10)},
    },
    "refusal": {
        "method": "english",
        "step_minor": 1_000,
        "soft_close_s": 60,
        "hard_stop_at": stamp(40),
        "first_refusal": {"holders": [str(UUID(int=21)), str(UUID(int=22))], "window_s": 120},
    },
    "proxy": {"step_minor": 1_000, "soft_close_s": 60, "hard_stop_at": stamp(30)},
    "fixed": {},
    "dutch": {
        "step_minor": 7_000,
        "terms": {"start_minor": 200_000, "interval_s": 30, "grace_s": 5},
    },
    "package": {"tie": {"rule": "lottery"}, "terms": {"reserve_minor": 40_000}},
    "sealed": {},
    "vickrey": {},
    "intent": {},
    "weighted": {
        "terms": {
            "criteria": [
                {
                    "code": "price", "kind": "price", "weight_bp": 7_000,
                    "worst": 100_000, "best": 300_000, "title_zh": "报价", "title_en": "Price",
                },
                {
                    "code": "days", "kind": "number", "weight_bp": 3_000,
                    "worst": 180, "best": 0, "title_zh": "首播前天数", "title_en": "Days",
                },
            ]
        }
    },
}  # fmt: skip
# Sold in one piece; a package auction is played beside them, as its solving takes its time.
KINDS = tuple(kind for kind in _SPECIAL if kind != "package")


def sale(kind: str = "english", **changes: Any) -> dict[str, Any]:
    """Return terms of sale: floor 1000.00 CNY, ten minutes; a change to None drops a key."""
    wire = {
        "method": kind,
        "auction_id": str(AUCTION),
        "currency": "CNY",
        "floor_minor": 100_000,
        "opens_at": stamp(0),
        "closes_at": stamp(10),
        **_SPECIAL[kind],
        **changes,
    }
    return {name: value for name, value in wire.items() if value is not None}


def document(kind: str = "english", **changes: Any) -> dict[str, Any]:
    """Return a rulebook."""
    read = rulebook.read_sale(sale(kind, **changes), barred=frozenset(), now=NOW)
    secret = read.secret.get("reserve_minor")
    return rulebook.rulebook(
        read,
        auction=AUCTION,
        listing=LISTING,
        work=WORK,
        seed_commitment=rulebook.seed_commitment(AUCTION, SEED)
        if read.tie_rule == "lottery"
        else None,
        reserve_commitment=rulebook.reserve_commitment(AUCTION, secret, NONCE) if secret else None,
        holders=[number + 1 for number in range(len(read.holders))],
        more_terms=CELLS if read.method == "package" else None,
    )


def book(kind: str = "english", **changes: Any) -> Book:
    """Return a rulebook, parsed, its hidden reserve known."""
    reserve = changes.get("reserve") or {}
    hidden = reserve.get("amount_minor") if reserve.get("kind") == "hidden" else None
    return rulebook.read(document(kind, **changes), reserve_minor=hidden)


def content(of: Book, amount: int, **more: Any) -> dict[str, Any]:
    """Return a bid's content."""
    return {"amount_minor": amount, "currency": of.currency, **more}


@dataclass
class Play:
    """An auction that is played by its rules, with the log it leaves."""

    book: Book
    events: list[Event] = field(default_factory=list)
    standing: Standing = None  # set by the first event
    made: int = 0
    clear: dict[str, tuple[dict[str, Any], bytes]] = field(default_factory=dict)
    withheld: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Open the auction."""
        self.standing = rules.begin(self.book)
        self.add("opened", {"rulebook_sha256": self.book.sha256}, moment=self.book.opens_at)

    def add(self, kind: str, body: Mapping[str, Any], *, moment: datetime) -> None:
        """Append an event of another kind than a bid."""
        event = Event(self.standing.seq + 1, kind, moment, body)
        self.standing = rules.advance(self.book, self.standing, event)
        self.events.append(event)

    def bid(
        self, paddle: int, amount: int | Mapping[str, Any], *, moment: datetime, **more: Any
    ) -> rules.Accepted:
        """Place a bid; refusals pass through and leave nothing."""
        self.made += 1
        said = content(self.book, amount, **more) if isinstance(amount, int) else amount
        bid = Bid(UUID(int=1_000 + self.made), paddle, said, moment)
        accepted = rules.judge(self.book, self.standing, bid)
        body = {
            "bid": str(bid.bid_id),
            "paddle": paddle,
            "content": dict(said),
            "rulebook_sha256": self.book.sha256,
            "signed": None,
            "after": accepted.after,
        }
        self.events.append(Event(accepted.standing.seq, "bid", moment, body))
        self.standing = accepted.standing
        return accepted

    def tries(self, paddle: int, amount: int | Mapping[str, Any], **more: Any) -> bool:
        """Place a bid; tell whether it counts."""
        try:
            self.bid(paddle, amount, **more)
        except Refusal:
            return False
        return True

    def pause(self, moment: datetime) -> None:
        """Pause."""
        self.add("paused", {"reason": "a test"}, moment=moment)

    def resume(self, moment: datetime) -> None:
        """Go on; everything that is to come moves by the length of the pause."""
        begun, stop = self.standing.paused_at, self.standing.hard_stop_at
        assert begun is not None
        moved = moment - begun
        body = {
            "closes_at": rfc3339.exact(self.standing.closes_at + moved),
            "hard_stop_at": rfc3339.exact(stop + moved) if stop else None,
        }
        self.add("resumed", body, moment=moment)

    def close(self) -> None:
        """Close, and open what was committed to."""
        end = self.standing.closes_at
        self.add("closed", {"closes_at": rfc3339.exact(end)}, moment=end)
        self.add("roll", {"paddles": []}, moment=end)
        if self.book.reserve["kind"] == "hidden":
            body = {"amount_minor": self.book.reserve_minor, "nonce": NONCE.hex()}
            self.add("reserve", body, moment=end)
        if self.book.tie["rule"] == "lottery":
            self.add("lottery", {"seed": SEED.hex()}, moment=end)
        if self.clear:
            self.add("revealed", self.revealed(), moment=end)
        if self.book.method == "package" and self.standing.bids:
            self.add("solved", self.solved(), moment=end)

    def sealed(
        self, paddle: int, said: Mapping[str, Any], *, moment: datetime, opens: bool = True
    ) -> None:
        """Place a bid that nobody can read before the close."""
        nonce = hashlib.sha256(str(self.made).encode()).digest()
        commitment = seals.of(
            auction=self.book.auction,
            listing=self.book.listing,
            paddle=paddle,
            content=said,
            nonce=nonce,
        )
        sent = {**cipher(self.made), "commitment": commitment}
        self.bid(paddle, sent, moment=moment)
        bid = self.events[-1].body["bid"]
        self.clear[bid] = (dict(said), nonce)
        if not opens:
            self.withheld.add(bid)

    def revealed(self) -> dict[str, Any]:
        """Open the latest bid of every paddle together."""
        bids = [event.body for event in self.events if event.kind == "bid"]
        latest = {body["paddle"]: body["bid"] for body in bids}
        kept = [body["bid"] for body in bids if latest[body["paddle"]] == body["bid"]]
        openings = [
            {"bid": bid, "content": self.clear[bid][0], "nonce": self.clear[bid][1].hex()}
            for bid in kept
            if bid not in self.withheld
        ]
        failures = [{"bid": bid, "reason": "not-revealed"} for bid in kept if bid in self.withheld]
        return {"openings": openings, "failures": failures, "key": None}

    def solved(self) -> dict[str, Any]:
        """Try everything, and write the certificate."""
        posed = package.posed_by(self.book, logs.case(self.book, self.events), ())
        made_by = bundles_factory.MADE_BY
        return certificate.solve(posed, bundles_factory.Brute(), made_by=made_by)

    def default(self, paddle: int) -> None:
        """Record that a winner did not sign or pay."""
        body = {"paddle": paddle, "reason": "winner-refuses"}
        self.add("defaulted", body, moment=self.standing.closes_at)

    def award(self) -> dict[str, Any]:
        """Return the result of the log as it would be if it were closed now, and no log after."""
        if self.standing.phase == "ended":
            return rules.award(self.book, self.events)
        copy = Play(self.book)
        copy.events, copy.standing = list(self.events), self.standing
        copy.clear, copy.withheld = self.clear, self.withheld
        if copy.standing.paused_at is not None:
            copy.resume(copy.standing.paused_at)
        copy.close()
        return rules.award(copy.book, copy.events)


def lines(document: Mapping[str, Any], events: Sequence[Event]) -> list[bytes]:
    """Return the exported log: the rulebook, then each event with its hash, RFC 8785."""
    sha = canonical.sha256_hex(canonical.dumps(document))
    out = [canonical.dumps({"rulebook": document, "rulebook_sha256": sha})]
    head = b"\x00" * 32
    for event in events:
        wire = {
            "seq": event.seq,
            "kind": event.kind,
            "at": rfc3339.exact(event.at),
            "body": dict(event.body),
        }
        head = hashlib.sha256(b"uhdx/auction-event/v1\x00" + head + canonical.dumps(wire)).digest()
        out.append(canonical.dumps({**wire, "hash": head.hex()}))
    return out


def cipher(number: int) -> dict[str, Any]:
    """Return a sealed bid that has the form of one and holds nothing."""
    raw = b"\x01\x04" + number.to_bytes(8) + b"\x00" * (94 + 256 - 10)
    return {"commitment": hashlib.sha256(raw).hexdigest(), "sealed": b64encode(raw).decode()}


def game(kind: str = "english", **changes: Any) -> Play:
    """Return an auction of a kind that nothing has happened in."""
    return Play(book(kind, **changes))
