"""One auction played at random, by the rules and by the stand-alone verifier side by side.

Every bid goes to both: what the one refuses, the other refuses; what the one accepts, the other
takes with the same standing after it. At the end the exported log is verified whole and both
results are compared byte for byte.
"""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Any

from contracts import canonical, rfc3339
from contracts.deals import instalments
from contracts.money import Money
from contracts.refusal import Refusal
from listings.auctions import chain, export, payment, rulebook, rules, verify_auction
from listings.auctions.model import Book as Rules
from listings.auctions.verify_auction import METHODS, Auction, Bad, Bid, Book
from listings.bundles import certificate
from listings.bundles import queries as bundles
from listings.sealed import commitment
from tests.listings.bundles_factory import MADE_BY, Brute
from tests.listings.replay_drawing import FLOOR, PLAIN, START, Drawing, seconds

MICRO = timedelta(microseconds=1)
SINGLE = ("english", "proxy", "fixed", "dutch", "sealed", "vickrey", "weighted", "intent")
EVERY = (*SINGLE, "package")
PADDLES = 5


class Play(Drawing):
    """A seeded auction of one method."""

    def __init__(self, method: str, seed: int) -> None:
        super().__init__(method, seed)
        self.commands = 0
        self.openings: dict[str, dict[str, Any]] = {}
        self.events: list[rules.Event] = []
        self.raw: list[bytes] = []
        self.book_bytes = canonical.dumps(self.rulebook)
        self.book_sha256 = canonical.sha256_hex(self.book_bytes)
        self.book = rulebook.read(self.rulebook, reserve_minor=self.reserve)
        self.standing = rules.begin(self.book)
        self.second = Auction(Book(self.rulebook), self.book_sha256, self.reserve)
        self.write("opened", START - seconds(60), {"rulebook_sha256": self.book_sha256})

    # the log

    def write(self, kind: str, at: datetime, body: dict[str, Any]) -> None:
        """Write an event that the rules accept, and give it to the verifier."""
        seq = len(self.events)
        event = rules.Event(seq, kind, at, body)
        self.standing = rules.advance(self.book, self.standing, event)
        self.events.append(event)
        self.raw.append(chain.event(seq, kind, at, canonical.dumps(body)))
        self.second.apply(seq, kind, verify_auction.micros(rfc3339.exact(at)), body)
        self.agree()

    def agree(self) -> None:
        """Both stand alike."""
        one, other = self.standing, self.second
        hard = other.hard_stop_at
        assert rfc3339.exact(one.closes_at) == verify_auction.instant(other.closes_at)
        assert (one.hard_stop_at and rfc3339.exact(one.hard_stop_at)) == (
            None if hard is None else verify_auction.instant(hard)
        )
        assert (one.price_minor, one.extensions) == (other.price, other.extensions)
        assert (one.phase == "ended") == other.has_ended
        leader = other.leader.id if other.leader else None
        assert (one.leading_bid and str(one.leading_bid)) == leader

    # commands

    def run(self, count: int) -> "Play":
        """Play so many commands, then close and award."""
        for _ in range(count):
            self.commands += 1
            draw = self.rng.randrange(100)
            if draw < 88:
                self.bid()
            elif draw < 96:
                self.pause_or_resume()
            else:
                self.extend()
        self.end()
        return self

    def moment(self) -> datetime:
        """An instant, often at an edge of the times that matter."""
        rng, standing = self.rng, self.standing
        window = self.book.closing.window_s
        match = (self.rulebook["first_refusal"] or {"window_s": 0})["window_s"]
        ends = standing.closes_at - seconds(match)
        edges = [START, ends, ends - seconds(window), standing.closes_at]
        if self.book.closing.free_until:
            edges.append(self.book.closing.free_until)
        if standing.paused_at:
            edges.append(standing.paused_at)
        if self.method == "dutch":
            edges.append(START + seconds(rng.randrange(0, 90) * 7))
        if self.maybe(50):
            return rng.choice(edges) + rng.choice((-MICRO, 0 * MICRO, MICRO, seconds(-1)))
        span = int((standing.closes_at - START) / MICRO)
        return START + rng.randrange(-1_000_000, span + 1_000_000) * MICRO

    def bid(self) -> None:
        bid = rules.Bid(self.id(), self.rng.randint(1, PADDLES), {}, self.moment())
        content = self.content(bid)
        bid = rules.Bid(bid.bid_id, bid.paddle, content, bid.received_at)
        try:
            accepted = rules.judge(self.book, self.standing, bid)
        except Refusal as refusal:
            assert self.second_refuses(bid), (refusal.code, content)
            return
        body = {
            "bid": str(bid.bid_id), "paddle": bid.paddle, "content": content,
            "rulebook_sha256": self.book_sha256, "signed": None, "after": dict(accepted.after),
        }  # fmt: skip
        self.write("bid", bid.received_at, body)
        assert self.standing == accepted.standing

    def second_refuses(self, bid: rules.Bid) -> bool:
        body = {
            "bid": str(bid.bid_id), "paddle": bid.paddle, "content": bid.content,
            "rulebook_sha256": self.book_sha256, "signed": None, "after": None,
        }  # fmt: skip
        at = verify_auction.micros(rfc3339.exact(bid.received_at))
        other = Bid(len(self.events), at, body)
        if self.second.has_ended or not self.second.is_in_time(at):
            return True
        try:
            METHODS[self.method](self.second, other, None)
        except Bad:
            return True
        return False

    def content(self, bid: rules.Bid) -> dict[str, Any]:
        if self.rulebook["first_refusal"] and self.maybe(25):
            return {"match": True}
        if self.method == "dutch":
            return self.dutch(bid.received_at)
        currency = "USD" if self.maybe(2) else "CNY"
        if self.method == "package":
            return self.packages(bid, currency)
        content = {"amount_minor": self.amount(), "currency": currency}
        if self.method == "weighted":
            content["values"] = {"runs": self.rng.randint(0, 8)}
        if self.rulebook["opening"]:
            return self.sealed(bid, content)
        return content

    def packages(self, bid: rules.Bid, currency: str) -> dict[str, Any]:
        rng, codes = self.rng, [cell["code"] for cell in self.rulebook["terms"]["cells"]]
        packages = []
        for _ in range(rng.randint(1, 3)):
            chosen = rng.sample(codes, rng.randint(1, min(3, len(codes))))
            amount = rng.choice((1, 30, 80, 100, 120, rng.randint(1, 300)))
            packages.append({"cells": chosen, "amount_minor": amount})
        content = {"currency": currency, "packages": packages}
        return self.sealed(bid, content) if self.rulebook["opening"] else content

    def amount(self) -> int:
        least = rules.least_minor(self.book, self.standing) or FLOOR
        if self.method in verify_auction.QUIET:
            return self.rng.choice((FLOOR - 1, FLOOR, 1_200, 1_400, self.rng.randint(900, 1_800)))
        if self.method == "fixed":
            return FLOOR + self.rng.choice((0, 0, 1, -1))
        more = self.rng.choice((0, 0, 1, -1, 13, self.rng.randint(-50, 150)))
        return max(1, least + more)

    def dutch(self, at: datetime) -> dict[str, Any]:
        terms = self.rulebook["terms"]
        passed = (
            at
            - START
            - sum((max(timedelta(0), min(at, b) - a) for a, b in self.paused()), timedelta(0))
        )
        tick = max(0, passed // seconds(terms["interval_s"]))
        most = -(-(terms["start_minor"] - FLOOR) // terms["decrement_minor"])
        tick = max(0, min(tick, most) - self.rng.choice((0, 0, 0, 1, 2, -1)))
        price = max(FLOOR, terms["start_minor"] - tick * terms["decrement_minor"])
        price += self.rng.choice((0, 0, 0, 1))
        return {"amount_minor": price, "currency": "CNY", "tick": tick}

    def paused(self) -> list[tuple[datetime, datetime]]:
        found: list[tuple[datetime, datetime]] = []
        for event in self.events:
            if event.kind == "paused":
                begun = event.at
            elif event.kind == "resumed":
                found.append((begun, event.at))
        return found

    def sealed(self, bid: rules.Bid, content: dict[str, Any]) -> dict[str, Any]:
        nonce = self.bytes32()
        made = commitment.of(
            auction=self.book.auction, listing=self.book.listing, paddle=bid.paddle,
            content=content, nonce=nonce,
        )  # fmt: skip
        raw = b"\x01\x04" + self.rng.randbytes(92 + PLAIN - (1 if self.maybe(3) else 0))
        opened = {"bid": str(bid.bid_id), "content": content, "nonce": nonce.hex()}
        self.openings[str(bid.bid_id)] = opened
        return {"commitment": made, "sealed": base64.b64encode(raw).decode()}

    def pause_or_resume(self) -> None:
        standing = self.standing
        if standing.paused_at is None:
            self.write("paused", max(START, self.moment()), {"reason": "clock"})
            return
        at = standing.paused_at + self.rng.choice((0, 1, 30_000_000)) * MICRO
        length = at - standing.paused_at
        hard = standing.hard_stop_at and rfc3339.exact(standing.hard_stop_at + length)
        body = {"closes_at": rfc3339.exact(standing.closes_at + length), "hard_stop_at": hard}
        self.write("resumed", at, body)

    def extend(self) -> None:
        standing = self.standing
        later = standing.closes_at + seconds(self.rng.choice((0, 10)))
        hard = standing.hard_stop_at and max(standing.hard_stop_at, later)
        body = {"reason": "outage", "closes_at": rfc3339.exact(later),
                "hard_stop_at": hard and rfc3339.exact(hard)}  # fmt: skip
        self.write("extended", self.moment(), body)

    # the end

    def end(self) -> None:
        if self.standing.paused_at is not None:
            self.pause_or_resume()
        at = self.standing.closes_at
        if self.maybe(3):
            self.write("voided", at, {"reason": "incident"})
            return
        self.write("closed", at, {"closes_at": rfc3339.exact(at)})
        bidders = sorted({event.body["paddle"] for event in self.events if event.kind == "bid"})
        roll = [
            {"paddle": paddle, "admitted_at": rfc3339.exact(START),
             "party_commitment": hashlib.sha256(b"%d" % paddle).hexdigest()}
            for paddle in bidders
        ]  # fmt: skip
        self.write("roll", at, {"paddles": roll})
        if self.rulebook["reserve"]["kind"] == "hidden":
            body = {"amount_minor": self.reserve, "nonce": self.nonce.hex()}
            self.write("reserve", at, body)
        if self.rulebook["tie"]["rule"] == "lottery":
            self.write("lottery", at, {"seed": self.lottery.hex()})
        if self.rulebook["opening"]:
            self.reveal(at + seconds(60))
        if self.method == "package" and self.standing.bids:
            self.solve(at + seconds(80))
        self.award(at + seconds(90))
        while self.events[-1].body["outcome"] == "sold" and self.maybe(30):
            paddle = self.events[-1].body["awards"][0]["paddle"]
            self.write("defaulted", at + seconds(100), {"paddle": paddle, "reason": "unpaid"})
            self.award(at + seconds(110))

    def reveal(self, at: datetime) -> None:
        latest = {e.body["paddle"]: e.body["bid"] for e in self.events if e.kind == "bid"}
        openings, failures = [], []
        for bid in latest.values():
            if self.maybe(85):
                openings.append(self.openings[bid])
            elif self.maybe(70):
                failures.append({"bid": bid, "reason": "does-not-decrypt"})
        self.write("revealed", at, {"openings": openings, "failures": failures, "key": None})

    def solve(self, at: datetime) -> None:
        """Find the winners by trying everything; now and then with somebody in default."""
        out: list[int] = []
        if self.maybe(15):
            out = [next(e.body["paddle"] for e in self.events if e.kind == "bid")]
            self.write("defaulted", at, {"paddle": out[0], "reason": "withdrawn"})
        asked = rules.Event(len(self.events), "solved", at, {"out": out})
        posed = bundles.posed(self.book, [*self.events, asked])
        body = certificate.solve(posed, Brute(), made_by=MADE_BY, out=out)
        self.write("solved", at, body)

    def award(self, at: datetime) -> None:
        self.write("awarded", at, rules.award(self.book, self.events))

    # what comes out

    def exported(self) -> bytes:
        """The log as everybody gets it."""
        events = export.chained(self.raw)
        return b"".join(export.lines(self.book_bytes, self.book_sha256, events))

    def result(self) -> bytes | None:
        """The last result, as canonical bytes; None where the auction was void."""
        last = self.events[-1]
        return canonical.dumps(last.body) if last.kind == "awarded" else None


def check(played: Play) -> None:
    """Verify the exported log; both results are the same bytes."""
    found = verify_auction.verify(played.exported())
    result = played.result()
    if result is None:
        assert found["result"] is None
    else:
        assert verify_auction.dumps(found["result"]) == result
        assert rules.award(played.book, played.events[:-1]) == found["result"]
        assert found["payments"] == in_parts(played.book, found["result"]["awards"])


def in_parts(book: Rules, awards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of each award as the contract will ask for them."""
    schedule = payment.schedule(book.payment)
    if schedule is None:
        return []
    return [
        {"bid": won["bid"], "parts": [
            [due.amount.amount_minor, due.due_days, due.interest.amount_minor]
            for due in instalments.dues(Money(won["amount_minor"], book.currency), schedule)
        ]}
        for won in awards
    ]  # fmt: skip
