"""One auction played at random, by the rules and by the stand-alone verifier side by side.

Every bid goes to both: what the one refuses, the other refuses; what the one accepts, the other
takes with the same standing after it. At the end the exported log is verified whole and both
results are compared byte for byte.
"""

import base64
import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

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

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
SINGLE = ("english", "proxy", "fixed", "dutch", "sealed", "vickrey", "weighted", "intent")
EVERY = (*SINGLE, "package")
PLAIN = 256
PADDLES = 5
FLOOR = 1_000


def seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


class Play:
    """A seeded auction of one method."""

    def __init__(self, method: str, seed: int) -> None:
        self.rng = random.Random(f"{method}:{seed}")
        self.method = method
        self.commands = 0
        self.reserve: int | None = None
        self.openings: dict[str, dict[str, Any]] = {}
        self.events: list[rules.Event] = []
        self.raw: list[bytes] = []
        self.lottery = self.bytes32()
        self.nonce = self.bytes32()
        self.rulebook = self.drawn_rulebook()
        self.book_bytes = canonical.dumps(self.rulebook)
        self.book_sha256 = canonical.sha256_hex(self.book_bytes)
        self.book = rulebook.read(self.rulebook, reserve_minor=self.reserve)
        self.standing = rules.begin(self.book)
        self.second = Auction(Book(self.rulebook), self.book_sha256, self.reserve)
        self.write("opened", START - seconds(60), {"rulebook_sha256": self.book_sha256})

    # drawing

    def bytes32(self) -> bytes:
        return self.rng.randbytes(32)

    def id(self) -> UUID:
        return UUID(bytes=self.rng.randbytes(16))

    def maybe(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def drawn_rulebook(self) -> dict[str, Any]:
        rng, method = self.rng, self.method
        auction, closing = self.id(), self.drawn_closing()
        refusal = None
        if method == "english" and self.maybe(40):
            refusal = {"holders": [1, 2][: rng.randint(1, 2)], "window_s": rng.choice((1, 30))}
        closes_at = START + seconds(600)
        hard = None if self.maybe(40) else closes_at + seconds(rng.choice((60, 300)))
        package = method == "package"
        lottery = package or (method not in ("proxy", "fixed", "dutch") and self.maybe(60))
        quiet = package or method in verify_auction.QUIET
        sealed = quiet and self.maybe(50)
        default = "next-best" if package else rng.choice(("next-best", "none"))
        amounts = "sealed" if sealed else "secret" if quiet else "open"
        seed = rulebook.seed_commitment(auction, self.lottery) if lottery else None
        return {
            "version": 2, "auction": str(auction), "listing": str(self.id()),
            "work": str(self.id()), "supersedes": str(self.id()) if self.maybe(20) else None,
            "method": method, "method_zh": "竞价", "preset": None,
            "legal_basis": [{"source": "拍卖法", "article": "36", "note": "一"}],
            "currency": "CNY", "exponent": 2, "opens_at": rfc3339.exact(START),
            "closes_at": rfc3339.exact(closes_at),
            "hard_stop_at": hard and rfc3339.exact(hard),
            "terms": self.drawn_terms(closing), "closing": closing,
            "reserve": self.drawn_reserve(auction),
            "tie": {"rule": "lottery" if lottery else "sequence", "seed_commitment": seed},
            "first_refusal": refusal,
            "admission": {"kind": "verified", "deposit_minor": 0, "until": None,
                          "most_bidders": None, "cap_minor": None},
            "secrecy": {"bidders": rng.choice(("alias", "hidden")), "amounts": amounts},
            "opening": {"plain_bytes": PLAIN} if sealed else None,
            "forfeits": [], "default": default, "texts": {}, **self.drawn_payment(auction),
        }  # fmt: skip

    def drawn_payment(self, auction: UUID) -> dict[str, Any]:
        """How it is paid in half of the auctions; drawn apart, so that no bid hangs on it."""
        rng = random.Random(auction.int)
        if self.method == "intent" or rng.randrange(2):
            return {}
        if self.method == "package" or rng.randrange(3) == 0:  # its floor is too low for parts
            return {"payment": {"model": "guarantee-share", "share_bp": rng.randint(1, 10_000)}}
        first = rng.randrange(1_000, 9_000)
        return {"payment": {
            "model": "instalments", "rate_bp": rng.randrange(2_401), "security": "",
            "parts": [{"share_bp": first, "due_days": rng.randint(1, 5)},
                      {"share_bp": 10_000 - first, "due_days": rng.randint(6, 365)}],
        }}  # fmt: skip

    def drawn_closing(self) -> dict[str, Any]:
        kinds = ("soft", "timed", "fixed") if self.method in ("english", "proxy") else ("fixed",)
        kind = self.rng.choice(kinds)
        window = 0 if kind == "fixed" else self.rng.choice((1, 30, 120))
        free = START + seconds(600 - window)
        return {
            "kind": kind, "window_s": window, "top_k": self.rng.choice((1, 2, 3)),
            "most_extensions": self.rng.choice((None, None, 0, 2)),
            "free_until": rfc3339.exact(free) if kind == "timed" else None,
        }  # fmt: skip

    def drawn_terms(self, closing: dict[str, Any]) -> dict[str, Any]:
        rng = self.rng
        step = rng.choice((
            {"kind": "fixed", "minor": rng.randint(1, 50)},
            {"kind": "bp", "bp": rng.choice((0, 50, 333)), "least_minor": rng.randint(1, 20)},
            {"kind": "table", "rows": [[0, 7], [1_100, 13], [1_300, 12], [1_500, 40]]},
        ))  # fmt: skip
        quiet = {"floor_minor": FLOOR, "replaceable": self.maybe(70)}
        number = {"code": "runs", "kind": "number", "weight_bp": 2_500, "best": 0, "worst": 7,
                  "title_zh": "次", "title_en": "runs"}  # fmt: skip
        price = {**number, "code": "price", "kind": "price", "weight_bp": 7_500,
                 "best": 1_700, "worst": FLOOR}  # fmt: skip
        found: dict[str, dict[str, Any]] = {
            "english": {"floor_minor": FLOOR, "step": step, "multiples": self.maybe(30),
                        "needs_free_bid": closing["kind"] == "timed" and self.maybe(50)},
            "proxy": {"floor_minor": FLOOR, "step": step},
            "fixed": {"price_minor": FLOOR},
            "dutch": {"start_minor": rng.choice((FLOOR, 1_500, 2_000)), "floor_minor": FLOOR,
                      "decrement_minor": rng.choice((1, 33, 300)),
                      "interval_s": rng.choice((1, 7, 60)), "grace_s": rng.choice((0, 2))},
            "intent": {**quiet, "shortlist": rng.randint(1, 3)},
            "package": self.drawn_cells() if self.method == "package" else {},
            "weighted": {**quiet, "criteria": [price, number]},
        }  # fmt: skip
        return found.get(self.method, quiet)

    def drawn_reserve(self, auction: UUID) -> dict[str, Any]:
        kind = self.rng.choice(("none", "open", "hidden"))
        if self.method in ("fixed", "dutch", "package") or kind == "none":
            return {"kind": "none", "amount_minor": None, "commitment": None}
        self.reserve = self.rng.choice((FLOOR, 1_200, 1_400))
        if kind == "open":
            return {"kind": "open", "amount_minor": self.reserve, "commitment": None}
        made = rulebook.reserve_commitment(auction, self.reserve, self.nonce)
        return {"kind": "hidden", "amount_minor": None, "commitment": made}

    def drawn_cells(self) -> dict[str, Any]:
        """Few cells, so that packages meet: alone, with copies, and shared spaces."""
        rng, cells = self.rng, []
        for space in range(rng.randint(2, 4)):
            for shared in (False, True)[: rng.choice((1, 1, 2))]:
                cells.append({
                    "code": f"c{space}{'n' if shared else 'e'}", "space": space, "of": 0,
                    "exclusivity": "non-exclusive" if shared else "exclusive",
                    "copies": rng.choice((None, 1, 2)) if shared else 1,
                    "reserve_minor": rng.choice((0, 0, 40)), "right": {},
                })  # fmt: skip
        return {
            "floor_minor": rng.choice((1, 30)), "most_packages": 3,
            "most_cells": rng.choice((None, 2)), "least_winners": rng.choice((1, 1, 2)),
            "secondary": rng.choice(("cells", "winners", "none")),
            "payments": rng.choice(("core", "core", "bids")), "time_limit_s": 60,
            "cuts": {}, "non_exclusive": None, "reserve_minor": 0, "reserves": {}, "cells": cells,
        }  # fmt: skip

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
