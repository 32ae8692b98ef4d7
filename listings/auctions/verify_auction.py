#!/usr/bin/env python3
"""Verify an auction from its exported log alone: `python3 verify_auction.py LOG.jsonl`.

One file, the standard library, Python 3.9 or newer, nothing of the exchange. It was written from
the text of the rules (`RULES.md`) and not from the exchange's own program, so that the two check
each other. It reads the log (line 1 the rulebook, then one event a line), checks its canonical
form, its hash chain, every bid and every close by the rules, and works the result out anew.

Exit status: 0 everything holds, 1 something does not (the first bad event is named), 2 the file
cannot be read.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import datetime
import hashlib
import heapq
import json
import re
import sys
import unicodedata
import uuid
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable  # noqa: UP035 - Python 3.9 has no collections.abc.Callable[...].

MOST = 10_000_000_000_000
MOST_INTEGER = 2**53
MOST_PACKAGE = 10**12
WHOLE = 10_000
GENESIS = bytes(32)
EVENT = b"uhdx/auction-event/v1\0"
RESERVE = b"uhdx/reserve/v1\0"
LOTTERY = b"uhdx/lottery/v1\0"
COMMITMENT = b"uhdx/bid-commitment/v1\0"
EPOCH = datetime.date(1970, 1, 1).toordinal()
INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{6}))?Z")
HEX = re.compile(r"[0-9a-f]{64}")
ENVELOPE_BYTES = 94  # what surrounds the plain bytes of a sealed bid

OPEN = ("english", "proxy", "fixed", "dutch")
QUIET = ("intent", "sealed", "vickrey", "weighted")
BOOK = {
    "version", "auction", "listing", "work", "supersedes", "method", "method_zh", "preset",
    "legal_basis", "texts", "currency", "exponent", "opens_at", "closes_at", "hard_stop_at",
    "terms", "closing", "reserve", "tie", "first_refusal", "admission", "secrecy", "opening",
    "forfeits", "default",
}  # fmt: skip
TERMS = {
    "english": {"floor_minor", "step", "multiples", "needs_free_bid"},
    "proxy": {"floor_minor", "step"},
    "fixed": {"price_minor"},
    "dutch": {"start_minor", "floor_minor", "decrement_minor", "interval_s", "grace_s"},
    "sealed": {"floor_minor", "replaceable"},
    "vickrey": {"floor_minor", "replaceable"},
    "intent": {"floor_minor", "replaceable", "shortlist"},
    "weighted": {"floor_minor", "replaceable", "criteria"},
    "package": {
        "floor_minor", "most_packages", "most_cells", "least_winners", "secondary", "payments",
        "time_limit_s", "cuts", "non_exclusive", "reserve_minor", "reserves", "cells",
    },
}  # fmt: skip


# What reading a document of another form may raise.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


class Bad(Exception):
    """Something does not hold; `seq` is the first bad event, None when it is the rulebook."""

    def __init__(self, said: str, seq: int | None = None) -> None:
        """Say what does not hold."""
        super().__init__(said)
        self.seq = seq


def need(holds: bool, said: str) -> None:
    """Raise unless it holds."""
    if not holds:
        raise Bad(said)


# --- forms -------------------------------------------------------------------------------------


def dumps(value: Any) -> bytes:
    """Return the RFC 8785 bytes of a JSON value without floats."""
    return _written(value).encode("utf-8")


def _written(value: Any) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_written(n)}:{_written(value[n])}" for n in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def loads(raw: bytes) -> Any:
    """Read RFC 8785 bytes; anything that is not exactly its own canonical form is refused."""
    try:
        value = json.loads(
            raw.decode("utf-8"), parse_float=_no, parse_constant=_no, parse_int=_integer
        )
        same = dumps(value) == raw
    except (ValueError, RecursionError) as error:
        raise Bad(f"this is not JSON as RFC 8785 writes it: {error}") from error
    need(same, "these are not the RFC 8785 bytes of this JSON")
    need(unicodedata.is_normalized("NFC", raw.decode("utf-8")), "a text is not in NFC")
    return value


def _no(text: str) -> Any:
    raise ValueError(f"{text} is not an integer")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) >= MOST_INTEGER:
        raise ValueError("an integer is 2^53 or more")
    return int(text)


def is_int(value: Any, least: int, most: int = MOST_INTEGER) -> bool:
    """Tell whether this is an integer in the range; true and false are none."""
    return type(value) is int and least <= value <= most


def members(value: Any, names: set[str], what: str) -> dict[str, Any]:
    """Return the object, which must have exactly these members."""
    need(isinstance(value, dict) and set(value) == names, f"{what} has other members")
    found: dict[str, Any] = value
    return found


def micros(text: Any) -> int:
    """Return an instant as microseconds since 1970."""
    found = INSTANT.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[7] == "000000":
        raise Bad(f"{text!r} is not an instant")
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    need(hour < 24 and minute < 60 and second < 60, f"{text!r} is not an instant")
    try:
        days = datetime.date(year, month, day).toordinal() - EPOCH
    except ValueError as error:
        raise Bad(f"{text!r} is not an instant") from error
    whole = ((days * 24 + hour) * 60 + minute) * 60 + second
    return whole * 1_000_000 + int(found[7] or 0)


def instant(at: int) -> str:
    """Return microseconds since 1970 as an instant."""
    whole, part = divmod(at, 1_000_000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    day = datetime.date.fromordinal(days + EPOCH).isoformat()
    fraction = f".{part:06d}" if part else ""
    return f"{day}T{hour:02d}:{minute:02d}:{second:02d}{fraction}Z"


def id_bytes(text: Any, what: str) -> bytes:
    """Return the 16 bytes of a lower-case hyphenated UUID."""
    try:
        found = uuid.UUID(text)
    except (ValueError, AttributeError, TypeError) as error:
        raise Bad(f"{what} is not a UUID") from error
    need(str(found) == text, f"{what} is not in the lower-case hyphenated form")
    return found.bytes


def hex32(text: Any, what: str) -> bytes:
    """Return 32 bytes from 64 lower-case hexadecimal digits."""
    need(isinstance(text, str) and HEX.fullmatch(text) is not None, f"{what} is not 64 hex digits")
    return bytes.fromhex(text)


def sha256(*parts: bytes) -> bytes:
    """Return the SHA-256 of the parts put together."""
    return hashlib.sha256(b"".join(parts)).digest()


# --- the rulebook ------------------------------------------------------------------------------


def step_of(step: Any) -> Callable[[int], int]:
    """Return step(p) as a function of the price."""
    kind = step.get("kind") if isinstance(step, dict) else None
    if kind == "fixed":
        minor = members(step, {"kind", "minor"}, "step")["minor"]
        need(is_int(minor, 1), "the step is not an amount")
        return lambda _: minor
    if kind == "bp":
        members(step, {"kind", "bp", "least_minor"}, "step")
        share, least = step["bp"], step["least_minor"]
        need(is_int(share, 0) and is_int(least, 1), "the step is no share of the price")
        return lambda price: max(least, -(-price * share // 10_000))
    need(kind == "table", "the step is of no known kind")
    rows = members(step, {"kind", "rows"}, "step")["rows"]
    pairs = isinstance(rows, list) and all(isinstance(r, list) and len(r) == 2 for r in rows)
    need(pairs and len(rows) > 0, "the table of steps has no rows")
    need(all(is_int(f, 0) and is_int(s, 1) for f, s in rows), "the table of steps has odd rows")
    need(rows[0][0] == 0, "the table of steps does not begin at 0")
    for (low, here), (high, there) in ((rows[i], rows[i + 1]) for i in range(len(rows) - 1)):
        need(low < high and here <= there + 1, "the table of steps is not in order")
    return lambda price: next(s for f, s in reversed(rows) if f <= price)


class Book:
    """The rulebook, read and checked."""

    def __init__(self, book: Any) -> None:
        """Read a rulebook of version 2."""
        members(book, BOOK | ({"payment", "fees"} & set(book)), "the rulebook")
        need(book["version"] == 2 and type(book["version"]) is int, "the version is not 2")
        self.auction = id_bytes(book["auction"], "auction")
        self.listing = id_bytes(book["listing"], "listing")
        id_bytes(book["work"], "work")
        if book["supersedes"] is not None:
            id_bytes(book["supersedes"], "supersedes")
        self.method: str = book["method"]
        need(self.method in (*OPEN, *QUIET, "package"), "the method is unknown")
        self.currency: str = book["currency"]
        need(re.fullmatch("[A-Z]{3}", str(self.currency)) is not None, "the currency is odd")
        self.opens_at, self.closes_at = micros(book["opens_at"]), micros(book["closes_at"])
        hard = book["hard_stop_at"]
        self.hard_stop_at = None if hard is None else micros(hard)
        need(self.opens_at < self.closes_at, "it closes before it opens")
        need(hard is None or self.closes_at <= micros(hard), "it closes after the hard stop")
        self.opening = book["opening"]
        need(book["default"] in ("next-best", "none"), "the default is of no known kind")
        self.next_best = book["default"] == "next-best"
        self._read_closing(book["closing"])
        self._read_secrecy(book["secrecy"])
        self._read_reserve(book["reserve"], book["tie"])
        self._read_refusal(book["first_refusal"])
        self.terms = members(book["terms"], TERMS[self.method], "terms")
        self.cells: dict[str, Any] = {}
        self._read_terms()
        self._read_payment(book)
        if self.method == "package":
            self._read_cells()

    def _read_closing(self, closing: Any) -> None:
        names = {"kind", "window_s", "top_k", "most_extensions", "free_until"}
        members(closing, names, "closing")
        self.closing: str = closing["kind"]
        need(self.closing in ("fixed", "soft", "timed"), "the closing is of no known kind")
        need(self.closing == "fixed" or self.method in ("english", "proxy"), "it closes otherwise")
        self.window: int = closing["window_s"]
        self.top_k, self.most_extensions = closing["top_k"], closing["most_extensions"]
        need(is_int(self.window, 0) and is_int(self.top_k, 1), "closing has odd numbers")
        need(self.most_extensions is None or is_int(self.most_extensions, 0), "closing is odd")
        self.window *= 1_000_000
        self.free_until: int | None = None
        if self.closing == "timed":
            self.free_until = micros(closing["free_until"])
            need(self.closes_at == self.free_until + self.window, "the timed period is no window")
        else:
            need(closing["free_until"] is None, "only a timed closing has a free period")

    def _read_secrecy(self, secrecy: Any) -> None:
        members(secrecy, {"bidders", "amounts"}, "secrecy")
        need(secrecy["bidders"] in ("alias", "hidden"), "secrecy of bidders is odd")
        self.amounts: str = secrecy["amounts"]
        known = self.amounts in ("open", "secret", "sealed")
        fits = self.method == "package" or (self.amounts == "open") == (self.method in OPEN)
        need(known and fits, "the secrecy of amounts does not fit the method")
        need((self.opening is not None) == (self.amounts == "sealed"), "the opening key is odd")

    def _read_reserve(self, reserve: Any, tie: Any) -> None:
        members(reserve, {"kind", "amount_minor", "commitment"}, "reserve")
        members(tie, {"rule", "seed_commitment"}, "tie")
        kind, amount, commitment = (reserve[n] for n in ("kind", "amount_minor", "commitment"))
        need(kind in ("none", "open", "hidden"), "the reserve is of no known kind")
        need(kind == "none" or self.method not in ("fixed", "dutch"), "no reserve fits the method")
        need((amount is not None) == (kind == "open"), "the reserve's amount is odd")
        need(amount is None or is_int(amount, 1, MOST), "the reserve is no amount")
        need((commitment is not None) == (kind == "hidden"), "the reserve's commitment is odd")
        self.reserve: int | None = amount
        self.reserve_commitment = None if commitment is None else hex32(commitment, "commitment")
        seed, rule = tie["seed_commitment"], tie["rule"]
        need(rule in ("sequence", "lottery"), "the tie rule is unknown")
        need((seed is not None) == (rule == "lottery"), "the commitment of the lottery is odd")
        by_sequence = self.method in ("proxy", "fixed", "dutch")
        need(rule == "sequence" or not by_sequence, "the tie rule does not fit the method")
        self.seed_commitment = None if seed is None else hex32(seed, "the seed's commitment")

    def _read_refusal(self, refusal: Any) -> None:
        self.holders: list[int] = []
        self.match_window = 0
        if refusal is None:
            return
        members(refusal, {"holders", "window_s"}, "first_refusal")
        need(self.method == "english", "only an English auction has a first refusal")
        self.holders = refusal["holders"]
        need(all(is_int(one, 1) for one in self.holders), "a holder is no paddle")
        need(is_int(refusal["window_s"], 1), "the window of first refusal is odd")
        self.match_window = refusal["window_s"] * 1_000_000
        latest = self.closes_at + self.match_window
        hard = self.hard_stop_at
        need(hard is None or latest <= hard, "the first refusal passes the hard stop")

    def _read_terms(self) -> None:
        price = "price_minor" if self.method == "fixed" else "floor_minor"
        self.floor: int = self.terms[price]
        need(is_int(self.floor, 1, MOST), "the floor is no amount")
        if "step" in self.terms:
            self.step = step_of(self.terms["step"])
        for name in ("multiples", "needs_free_bid", "replaceable"):
            need(type(self.terms.get(name, False)) is bool, f"{name} is neither true nor false")
        need(not self.terms.get("needs_free_bid") or self.closing == "timed", "no free period")
        for name, least in (("shortlist", 1), ("interval_s", 1), ("grace_s", 0)):
            need(is_int(self.terms.get(name, least), least), f"{name} is odd")
        if self.method == "dutch":
            start, decrement = self.terms["start_minor"], self.terms["decrement_minor"]
            need(is_int(start, self.floor, MOST) and is_int(decrement, 1, MOST), "terms are odd")
        self.criteria = self.terms.get("criteria", [])
        if self.method == "weighted":
            self._read_criteria()

    def _read_payment(self, book: Any) -> None:
        if "fees" in book:
            members(book["fees"], {"schedule", "sha256"}, "`fees`")
            hex32(book["fees"]["sha256"], "the hash of the fee schedule")
        payment = self.payment = book.get("payment")
        if "payment" not in book:
            return
        need(self.method != "intent", "quotes have no way of paying")
        need(isinstance(payment, dict), "the way of paying is no object")
        if payment.get("model") == "guarantee-share":
            members(payment, {"model", "share_bp"}, "payment")
            need(is_int(payment["share_bp"], 1, WHOLE), "the share is odd")
            return
        members(payment, {"model", "parts", "rate_bp", "security"}, "payment")
        need(payment["model"] == "instalments", "the way of paying is unknown")
        need(is_int(payment["rate_bp"], 0, 2_400), "the rate of interest is odd")
        need(isinstance(payment["security"], str), "the security is no text")
        parts, last = payment["parts"], 0
        need(isinstance(parts, list) and 2 <= len(parts) <= 24, "the number of parts is odd")
        for one in parts:
            members(one, {"share_bp", "due_days"}, "a part")
            need(is_int(one["share_bp"], 1, WHOLE), "the share of a part is odd")
            need(one["share_bp"] * self.floor >= WHOLE, "a part of the floor would be nothing")
            need(is_int(one["due_days"], last + 1, 3_650), "the days of a part are odd")
            last = one["due_days"]
        need(sum(one["share_bp"] for one in parts) == WHOLE, "the parts are not the whole")

    def _read_cells(self) -> None:
        names = {"code", "space", "of", "exclusivity", "copies", "reserve_minor", "right"}
        for cell in self.terms["cells"]:
            members(cell, names, "a cell")
            need(isinstance(cell["code"], str), "a cell has no code")
            need(is_int(cell["reserve_minor"], 0), "a cell's reserve is no amount")
            need(cell["copies"] is None or is_int(cell["copies"], 1), "a cell's copies are odd")
            self.cells[cell["code"]] = cell
        need(len(self.cells) == len(self.terms["cells"]), "a cell's code stands twice")
        need(is_int(self.terms["most_packages"], 1, 200), "most_packages is odd")
        most, least = self.terms["most_cells"], self.terms["least_winners"]
        need(most is None or is_int(most, 1), "most_cells is odd")
        need(is_int(least, 1), "least_winners is odd")
        need(self.terms["secondary"] in ("cells", "winners", "none"), "secondary is odd")
        need(self.terms["payments"] in ("core", "bids"), "payments are odd")
        need(self.seed_commitment is not None, "a package auction has a lottery")
        need(self.reserve is None and self.reserve_commitment is None, "no reserve fits here")

    def _read_criteria(self) -> None:
        names = {"code", "kind", "weight_bp", "best", "worst", "title_zh", "title_en"}
        for one in self.criteria:
            members(one, names, "a criterion")
            whole = all(is_int(one[n], -MOST_INTEGER) for n in ("weight_bp", "best", "worst"))
            need(whole and one["weight_bp"] >= 0, "a criterion has odd numbers")
            need(one["best"] != one["worst"], "a criterion's best is its worst")
            need(one["kind"] in ("price", "number"), "a criterion is of no known kind")
        need(sum(one["weight_bp"] for one in self.criteria) == 10_000, "the weights are not whole")
        need(sum(one["kind"] == "price" for one in self.criteria) == 1, "no one price counts")
        codes = [one["code"] for one in self.criteria]
        need(len(set(codes)) == len(codes), "a criterion stands twice")


# --- the log -----------------------------------------------------------------------------------


class Bid:
    """An accepted bid."""

    def __init__(self, seq: int, at: int, body: dict[str, Any]) -> None:
        """Read the body of a bid's event."""
        names = {"bid", "paddle", "content", "rulebook_sha256", "signed", "after"}
        members(body, names, "the bid")
        self.seq, self.at = seq, at
        self.id: str = body["bid"]
        self.key = id_bytes(self.id, "bid")
        self.paddle: int = body["paddle"]
        need(is_int(self.paddle, 1), "the paddle is no number")
        self.content = body["content"]
        if body["signed"] is not None:
            members(body["signed"], {"key", "signature", "message_sha256"}, "signed")
        self.amount = 0
        self.is_match = False
        self.score: Fraction | None = None
        self.parts: dict[str, Fraction] = {}


class Auction:
    """The standing of an auction, event after event."""

    def __init__(self, book: Book, book_sha256: str, reserve: int | None) -> None:
        """Begin; `reserve` is what a later event opens, where it is hidden."""
        self.book, self.book_sha256 = book, book_sha256
        self.reserve = book.reserve if book.reserve is not None else reserve
        self.price_is_known = book.reserve_commitment is None or reserve is not None
        self.closes_at = book.closes_at + book.match_window
        self.hard_stop_at = book.hard_stop_at
        self.extensions = 0
        self.has_ended = self.is_closed = self.is_void = False
        self.paused_at: int | None = None
        self.pauses: list[tuple[int, int]] = []
        self.price: int | None = None
        self.leader: Bid | None = None
        self.bids: list[Bid] = []
        self.known: set[str] = set()
        self.best: dict[int, Bid] = {}
        self.second: int | None = None  # the highest losing maximum
        self.free: set[int] = set()
        self.seed: bytes | None = None
        self.reserve_is_open = book.reserve_commitment is None
        self.revealed: dict[str, Any] | None = None
        self.certificate: Certificate | None = None
        self.defaulted: set[int] = set()
        self.result: bytes | None = None

    # time

    def bidding_ends(self) -> int:
        """Return the end of ordinary bids: before the window of first refusal."""
        return self.closes_at - self.book.match_window

    def free_until(self) -> int:
        """Return the end of the free period, moved by the pauses that began in it."""
        until = self.book.free_until or 0
        for begun, ended in self.pauses:
            if begun < until:
                until += ended - begun
        return until

    def elapsed(self, at: int) -> int:
        """Return how long the auction has been open, without its pauses."""
        opens = self.book.opens_at
        paused = sum(max(0, min(at, b) - max(opens, a)) for a, b in self.pauses)
        return at - opens - paused

    def is_in_time(self, at: int) -> bool:
        """Tell whether a bid received now is within the times of the auction."""
        if not self.book.opens_at <= at < self.closes_at:
            return False
        if self.paused_at is not None and at >= self.paused_at:
            return False
        return not any(begun <= at < ended for begun, ended in self.pauses)

    def move_close(self, want: int) -> None:
        """Move the close as far as the limits allow; it never comes earlier."""
        most = self.book.most_extensions
        if most is not None and self.extensions >= most:
            return
        if self.hard_stop_at is not None:
            want = min(want, self.hard_stop_at)
        if want > self.closes_at:
            self.closes_at = want
            self.extensions += 1

    def close_after(self, bid: Bid, top_changed: bool) -> None:
        """Move the close as the rulebook says when a bid was accepted."""
        book = self.book
        want = bid.at + book.window + book.match_window
        if book.closing == "soft" and top_changed and bid.at > self.bidding_ends() - book.window:
            self.move_close(want)
        counts = top_changed or book.method == "english"
        if book.closing == "timed" and bid.at >= self.free_until() and counts:
            self.move_close(want)

    # events

    def apply(self, seq: int, kind: str, at: int, body: Any) -> None:
        """Take one event."""
        need(isinstance(body, dict), "the body is no object")
        need(not self.is_void, "nothing follows once the auction is void")
        need((kind == "opened") == (seq == 0), "`opened` is the first event, and only the first")
        take = getattr(self, f"on_{kind}", None) if re.fullmatch("[a-z]+", kind) else None
        need(take is not None, f"{kind!r} is no event of an auction")
        take(seq, at, body)  # type: ignore[misc]  # `need` has seen to it

    def on_opened(self, _seq: int, _at: int, body: Any) -> None:
        """The rulebook was frozen."""
        members(body, {"rulebook_sha256"}, "`opened`")
        need(body["rulebook_sha256"] == self.book_sha256, "another rulebook was opened")

    def on_bid(self, seq: int, at: int, body: Any) -> None:
        """A bid was accepted."""
        need(not self.has_ended, "a bid follows the close")
        bid = Bid(seq, at, body)
        need(body["rulebook_sha256"] == self.book_sha256, "the bid is for another rulebook")
        need(bid.id not in self.known, "the bid was in the log before")
        need(self.is_in_time(at), "the bid was not received in time")
        METHODS[self.book.method](self, bid, body["after"])
        self.known.add(bid.id)
        self.bids.append(bid)
        after = {
            "closes_at": instant(self.closes_at),
            "price_minor": self.price,
            "leading_bid": self.leader.id if self.leader else None,
        }
        need(body["after"] == after, f"after the bid it stands otherwise: {after}")

    def on_paused(self, _seq: int, at: int, _body: Any) -> None:
        """The auction was halted."""
        need(not self.has_ended and self.paused_at is None, "there is nothing to pause")
        self.paused_at = at

    def on_resumed(self, _seq: int, at: int, body: Any) -> None:
        """It goes on; close and hard stop move by the length of the pause."""
        begun = self.paused_at
        if begun is None or at < begun:
            raise Bad("there is no pause to end")
        length = at - begun
        self.pauses.append((begun, at))
        self.paused_at = None
        self.closes_at += length
        if self.hard_stop_at is not None:
            self.hard_stop_at += length
        hard = None if self.hard_stop_at is None else instant(self.hard_stop_at)
        wanted = {"closes_at": instant(self.closes_at), "hard_stop_at": hard}
        need(body == wanted, f"the times do not move by the pause: {wanted}")

    def on_extended(self, _seq: int, _at: int, body: Any) -> None:
        """The close was put off, as after an outage."""
        need(not self.has_ended, "the close that is put off has been")
        members(body, {"reason", "closes_at", "hard_stop_at"}, "`extended`")
        closes_at, hard = micros(body["closes_at"]), body["hard_stop_at"]
        need(closes_at >= self.closes_at, "the close comes earlier")
        need((hard is None) == (self.hard_stop_at is None), "the hard stop comes or goes")
        if self.hard_stop_at is not None:
            need(micros(hard) >= max(self.hard_stop_at, closes_at), "the hard stop comes earlier")
            self.hard_stop_at = micros(hard)
        self.closes_at = closes_at

    def on_closed(self, _seq: int, at: int, body: Any) -> None:
        """The close."""
        need(not self.has_ended and self.paused_at is None, "it cannot close now")
        need(at == self.closes_at, f"it closes at another time than {instant(self.closes_at)}")
        need(body == {"closes_at": instant(at)}, "the close is told otherwise")
        self.has_ended = self.is_closed = True

    def on_roll(self, _seq: int, _at: int, body: Any) -> None:
        """The bidders' numbers, each with a commitment to the party."""
        self._ended()
        for one in members(body, {"paddles"}, "`roll`")["paddles"]:
            members(one, {"paddle", "admitted_at", "party_commitment"}, "a line of the roll")
            micros(one["admitted_at"])
            hex32(one["party_commitment"], "the commitment to a party")

    def on_reserve(self, _seq: int, _at: int, body: Any) -> None:
        """The hidden reserve is opened."""
        self._ended()
        need(not self.reserve_is_open, "no hidden reserve waits to be opened")
        self.reserve = open_reserve(self.book, body)
        self.reserve_is_open = True

    def on_lottery(self, _seq: int, _at: int, body: Any) -> None:
        """The seed of the lottery is opened."""
        self._ended()
        need(self.book.seed_commitment is not None and self.seed is None, "there is no lottery")
        seed = hex32(members(body, {"seed"}, "`lottery`")["seed"], "the seed")
        opened = sha256(LOTTERY, self.book.auction, seed)
        need(opened == self.book.seed_commitment, "the seed is not the one that was committed to")
        self.seed = seed

    def on_revealed(self, _seq: int, _at: int, body: Any) -> None:
        """The sealed bids are opened together."""
        self._ended()
        need(self.book.amounts == "sealed" and self.revealed is None, "nothing waits to be opened")
        latest = {bid.id: bid for bid in latest_bids(self)}
        revealed: dict[str, Any] = {}
        named: list[str] = []
        for one in body["openings"]:
            members(one, {"bid", "content", "nonce"}, "an opening")
            bid = latest.get(one["bid"])
            if bid is None:
                raise Bad("an opening is of no bid that waits for it")
            nonce = hex32(one["nonce"], "the nonce")
            opened = commitment(self.book, bid, one["content"], nonce)
            need(opened == bid.content["commitment"], "a bid's content is not what it committed to")
            revealed[bid.id] = one["content"]
            named.append(bid.id)
        for one in body["failures"]:
            members(one, {"bid", "reason"}, "a failure")
            need(one["bid"] in latest, "a failure is of no bid that waits to be opened")
            named.append(one["bid"])
        need(len(set(named)) == len(named), "a bid is opened twice")
        self.revealed = revealed

    def on_solved(self, _seq: int, _at: int, body: Any) -> None:
        """The winners of a package auction were found."""
        self._ended()
        need(self.book.method == "package", "only a package auction is solved")
        need(self.seed is not None, "the lottery is not opened")
        need(self.book.amounts != "sealed" or self.revealed is not None, "the bids are not opened")
        self.certificate = Certificate(self, body)

    def on_defaulted(self, _seq: int, _at: int, body: Any) -> None:
        """A winner did not keep its word; its bids do not count any more."""
        self._ended()
        members(body, {"paddle", "reason"}, "`defaulted`")
        need(is_int(body["paddle"], 1), "the paddle is no number")
        self.defaulted.add(body["paddle"])

    def on_awarded(self, _seq: int, _at: int, body: Any) -> None:
        """The result, which must be the one that the rules give."""
        self._ended()
        result = dumps(award(self))
        need(dumps(body) == result, "the rules give another result: " + result.decode())
        self.result = result

    def on_voided(self, _seq: int, _at: int, _body: Any) -> None:
        """The auction was declared void."""
        self.has_ended = self.is_void = True

    def _ended(self) -> None:
        need(self.has_ended, "this comes after the close only")


def open_reserve(book: Book, body: Any) -> int:
    """Return the hidden reserve, which must be the one committed to."""
    members(body, {"amount_minor", "nonce"}, "`reserve`")
    amount, nonce = body["amount_minor"], hex32(body["nonce"], "the nonce")
    need(is_int(amount, 1, MOST), "the reserve is no amount")
    opened = sha256(RESERVE, book.auction, amount.to_bytes(8, "big"), nonce)
    need(opened == book.reserve_commitment, "the reserve is not the one that was committed to")
    found: int = amount
    return found


def commitment(book: Book, bid: Bid, content: Any, nonce: bytes) -> str:
    """Return what commits a paddle to a content, in hexadecimal."""
    parts = (book.auction, book.listing, str(bid.paddle).encode(), dumps(content), nonce)
    return sha256(COMMITMENT, *(len(p).to_bytes(4, "big") + p for p in parts)).hex()


# --- what is acceptable, method by method ------------------------------------------------------


def amount_of(a: Auction, bid: Bid, more: set[str] | None = None) -> int:
    """Return the amount of a readable content, which must have the auction's currency."""
    content = members(bid.content, {"amount_minor", "currency"} | (more or set()), "the content")
    need(is_int(content["amount_minor"], 1, MOST), "the amount is no amount")
    need(content["currency"] == a.book.currency, "the bid is in another currency")
    amount: int = content["amount_minor"]
    return amount


def accept_english(a: Auction, bid: Bid, _after: Any) -> None:
    """An English auction: the amount leads."""
    if bid.content == {"match": True}:
        accept_match(a, bid)
        return
    book, terms = a.book, a.book.terms
    need(bid.at < a.bidding_ends(), "the bid came in the window of first refusal")
    amount = amount_of(a, bid)
    base = book.floor if a.price is None else a.price
    step = book.step(base)
    need(amount >= (base if a.price is None else base + step), "the bid would not lead")
    need(not terms["multiples"] or (amount - base) % step == 0, "the raise is no whole step")
    is_free = book.closing == "timed" and bid.at < a.free_until()
    if terms["needs_free_bid"] and not is_free:
        need(bid.paddle in a.free, "the bidder made no bid in the free period")
    top_changed = a.leader is None or a.leader.paddle != bid.paddle
    if is_free:
        a.free.add(bid.paddle)
    lead(a, bid, amount)
    a.close_after(bid, top_changed)


def accept_match(a: Auction, bid: Bid) -> None:
    """First refusal: a holder takes the leader's place at the same price."""
    need(a.bidding_ends() <= bid.at, "a match comes in the window of first refusal")
    need(bid.paddle in a.book.holders, "the paddle holds no right of first refusal")
    if a.leader is None or a.price is None or a.leader.paddle in a.book.holders:
        raise Bad("there is nothing to match")
    bid.is_match = True
    lead(a, bid, a.price)
    a.move_close(bid.at + 2 * a.book.match_window)


def lead(a: Auction, bid: Bid, amount: int) -> None:
    """Let a bid lead at an amount."""
    bid.amount = amount
    a.leader, a.price = bid, amount
    known = a.best.get(bid.paddle)
    if known is None or amount > known.amount:
        a.best[bid.paddle] = bid


def proxy_price(a: Auction, first: int, second: int | None) -> int:
    """Return the price that two maxima make."""
    floor = a.book.floor
    price = floor if second is None else min(first, second + a.book.step(second))
    if a.reserve is not None and first >= a.reserve:
        return max(price, a.reserve, floor)
    return price


def accept_proxy(a: Auction, bid: Bid, after: Any) -> None:
    """An English auction with maxima: the price follows from the two highest."""
    amount = amount_of(a, bid)
    before = top(a)
    leader = a.leader
    bid.amount = amount
    if leader is None or a.price is None:
        need(amount >= a.book.floor, "the bid is below the floor")
        a.leader = bid
    elif leader.paddle == bid.paddle:
        need(amount > leader.amount, "the leader's maximum does not rise")
        a.leader = bid
    else:
        need(amount >= a.price + a.book.step(a.price), "the bid would not raise the price")
        if amount > leader.amount:
            a.leader, a.second = bid, leader.amount
        else:
            a.second = amount
    known = a.best.get(bid.paddle)
    if known is None or amount > known.amount:
        a.best[bid.paddle] = bid
    a.price = told_price(a, after)
    a.close_after(bid, top(a) != before)


def told_price(a: Auction, after: Any) -> int:
    """Return the price; one that a reserve never opened has made is taken as it was told."""
    first = a.leader.amount if a.leader else 0
    price = proxy_price(a, first, a.second)
    if a.price_is_known:
        return price
    told = after.get("price_minor") if isinstance(after, dict) else None
    if told is None or not is_int(told, price, first):
        raise Bad("the price does not lie between the maxima")
    return int(told)


def top(a: Auction) -> list[int]:
    """Return the first paddles by amount, then by sequence."""
    ranked = heapq.nsmallest(a.book.top_k, a.best.values(), key=lambda b: (-b.amount, b.seq))
    return [bid.paddle for bid in ranked]


def accept_take(a: Auction, bid: Bid, _after: Any) -> None:
    """A fixed or a falling price: the first to take it has it, and that ends the auction."""
    need(a.leader is None, "somebody has taken it")
    if a.book.method == "fixed":
        need(amount_of(a, bid) == a.book.floor, "the amount is not the price")
        price = a.book.floor
    else:
        price = dutch_price(a, bid)
    lead(a, bid, price)
    a.closes_at = min(a.closes_at, bid.at + 1)


def dutch_price(a: Auction, bid: Bid) -> int:
    """Return the price in force; the bid must name it, or within the grace the one before it."""
    amount, terms = amount_of(a, bid, {"tick"}), a.book.terms
    start, fall, floor = terms["start_minor"], terms["decrement_minor"], a.book.floor
    interval, elapsed = terms["interval_s"] * 1_000_000, a.elapsed(bid.at)
    last = -(-(start - floor) // fall)
    now = min(last, elapsed // interval)
    tick = bid.content["tick"]
    late = tick == now - 1 and elapsed - now * interval <= terms["grace_s"] * 1_000_000
    need(is_int(tick, 0) and (tick == now or late), "the tick is over, or not yet")
    need(amount == max(floor, start - tick * fall), "the amount is not the price of the tick")
    price: int = max(floor, start - now * fall)
    return price


def accept_quiet(a: Auction, bid: Bid, _after: Any) -> None:
    """A bid whose amount nobody sees before the close."""
    if not a.book.terms["replaceable"]:
        need(all(one.paddle != bid.paddle for one in a.bids), "a bid stands and is not replaced")
    if a.book.amounts == "sealed":
        check_sealed(a.book, bid)
    else:
        read_quiet(a, bid)


def check_sealed(book: Book, bid: Bid) -> None:
    """A sealed content has a commitment and an envelope of one length."""
    content = members(bid.content, {"commitment", "sealed"}, "the content")
    hex32(content["commitment"], "the commitment")
    text = content["sealed"]
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error) as error:
        raise Bad("the sealed bid is not base64") from error
    need(base64.b64encode(raw).decode() == text, "the sealed bid is not canonical base64")
    wanted = ENVELOPE_BYTES + book.opening["plain_bytes"]
    need(len(raw) == wanted and raw[:2] == b"\x01\x04", "the sealed bid has another form")


def read_quiet(a: Auction, bid: Bid) -> None:
    """Read the amount, and the score where one is made."""
    weighted = a.book.method == "weighted"
    bid.amount = amount_of(a, bid, {"values"} if weighted else None)
    need(bid.amount >= a.book.floor, "the bid is below the floor")
    if not weighted:
        return
    codes = {one["code"] for one in a.book.criteria if one["kind"] == "number"}
    values = members(bid.content["values"], codes, "values")
    need(all(is_int(value, 0, MOST) for value in values.values()), "a value is no number")
    score = Fraction(0)
    for one in a.book.criteria:
        value = bid.amount if one["kind"] == "price" else values[one["code"]]
        part = Fraction(value - one["worst"], one["best"] - one["worst"])
        part = min(max(part, Fraction(0)), Fraction(1))
        bid.parts[one["code"]] = part
        score += Fraction(one["weight_bp"], 10_000) * part
    bid.score = score


# --- package auctions: the problem, and the certificate of its solution -------------------------


class Offer:
    """One package of a bid."""

    def __init__(self, book: Book, bid: Bid, place: int, seed: bytes) -> None:
        """Read a package that holds by the terms."""
        package = bid.content["packages"][place]
        self.ref = (bid.id, place)
        self.paddle = bid.paddle
        self.cells = set(package["cells"])
        self.amount: int = package["amount_minor"]
        self.reserve = package_reserve(book, package["cells"])
        self.value = self.amount - self.reserve
        self.least = max(0, book.floor - self.reserve)  # over the reserve
        self.lot = sha256(seed, bid.key, place.to_bytes(4, "big"))[:7]


def package_reserve(book: Book, codes: list[str]) -> int:
    """Return the sum of the reserves of these cells."""
    cells: int = sum(book.cells[code]["reserve_minor"] for code in codes)
    return cells


def read_packages(book: Book, content: Any) -> None:
    """A package content holds by the terms."""
    members(content, {"currency", "packages"}, "the content")
    need(content["currency"] == book.currency, "the bid is in another currency")
    packages, terms = content["packages"], book.terms
    need(isinstance(packages, list) and len(packages) > 0, "the bid names no package")
    need(len(packages) <= terms["most_packages"], "the bid names too many packages")
    for package in packages:
        members(package, {"cells", "amount_minor"}, "a package")
        codes = package["cells"]
        need(isinstance(codes, list) and len(codes) > 0, "a package has no cells")
        need(all(code in book.cells for code in codes), "a cell is not of this auction")
        spaces = {book.cells[code]["space"] for code in codes}
        need(len(spaces) == len(codes), "two cells of a package are of one space")
        most = terms["most_cells"]
        need(most is None or len(codes) <= most, "a package has too many cells")
        amount = package["amount_minor"]
        need(is_int(amount, 1, MOST_PACKAGE), "the amount is no amount of a package")
        need(amount >= package_reserve(book, codes), "the amount is below the reserve")
        need(amount >= book.floor, "the amount is below the floor")
    need(len({frozenset(p["cells"]) for p in packages}) == len(packages), "a package is twice")


def accept_package(a: Auction, bid: Bid, _after: Any) -> None:
    """A list of packages, of which the bidder gets one or none; the newest list counts."""
    if a.book.amounts == "sealed":
        check_sealed(a.book, bid)
    else:
        read_packages(a.book, bid.content)


class Problem:
    """All that was offered, and what fits together."""

    def __init__(self, a: Auction, out: set[int]) -> None:
        """Take the latest bids that hold, without those of the paddles left out."""
        self.book = a.book
        self.offers: dict[tuple[str, int], Offer] = {}
        for bid in latest_bids(a):
            content: Any = bid.content
            if a.book.amounts == "sealed":
                content = (a.revealed or {}).get(bid.id)
            if bid.paddle in out or not self._holds(content):
                continue
            clear = Bid.__new__(Bid)
            clear.id, clear.key, clear.paddle, clear.content = bid.id, bid.key, bid.paddle, content
            for place in range(len(content["packages"])):
                self.offers[bid.id, place] = Offer(a.book, clear, place, a.seed or b"")

    def _holds(self, content: Any) -> bool:
        try:
            read_packages(self.book, content)
        except (Bad, TypeError):
            return False
        return True

    def named(self, refs: Any) -> list[Offer]:
        """Return the offers that these references name."""
        need(isinstance(refs, list), "these are no references to offers")
        found = []
        for ref in refs:
            need(isinstance(ref, list) and len(ref) == 2, "this is no reference to an offer")
            need(type(ref[1]) is int and (ref[0], ref[1]) in self.offers, "there is no such offer")
            found.append(self.offers[ref[0], ref[1]])
        return found

    def fits(self, offers: list[Offer]) -> bool:
        """Tell whether these offers can be accepted together."""
        if offers and len(offers) < self.book.terms["least_winners"]:
            return False
        sold: dict[str, int] = {}
        for code in (code for offer in offers for code in offer.cells):
            sold[code] = sold.get(code, 0) + 1
        spaces: dict[Any, list[str]] = {}
        for code, count in sold.items():
            cell = self.book.cells[code]
            spaces.setdefault(cell["space"], []).append(code)
            if cell["copies"] is not None and count > cell["copies"]:
                return False
        for codes in spaces.values():
            alone = [c for c in codes if self.book.cells[c]["exclusivity"] != "non-exclusive"]
            if alone and (len(codes) > 1 or sold[alone[0]] > 1):
                return False
        return len({offer.paddle for offer in offers}) == len(offers)


def total(offers: list[Offer]) -> int:
    """Return the sum of the offers' values."""
    return sum(offer.value for offer in offers)


def rational(text: Any) -> Fraction:
    """Return an exact rational in lowest terms, written `n` or `n/d`."""
    need(isinstance(text, str), "this is no rational")
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise Bad(f"{text!r} is no rational") from error
    need(str(value) == text, f"{text!r} is not in lowest terms")
    return value


class Certificate:
    """What the solver says of a package auction; checked without solving anything."""

    def __init__(self, a: Auction, body: Any) -> None:
        """Check everything that follows from what it names."""
        names = {"version", "out", "solver", "fallback", "payments", "value_minor", "bound_minor",
                 "winners", "without", "blocks"}  # fmt: skip
        members(body, names, "`solved`")
        need(body["version"] == 1, "the certificate is of another version")
        members(body["solver"], {"name", "version"}, "the solver")
        self.out: list[int] = body["out"]
        need(self.out == sorted(set(self.out)), "those left out are not in order")
        need(set(self.out) <= a.defaulted, "somebody is left out without a default")
        self.body = body
        self.problem = Problem(a, set(self.out))
        self.winners: list[Any] = body["winners"]
        self.offers = self.problem.named([[w["bid"], w["package"]] for w in self.winners])
        self.value = total(self.offers)
        self._check_winners(a.book)
        by_bids = a.book.terms["payments"] == "bids" or body["fallback"] is not None
        need(body["payments"] == ("bids" if by_bids else "core"), "the winners pay otherwise")
        if by_bids:
            need(body["without"] is None and body["blocks"] is None, "there is nothing to prove")
            for won, offer in zip(self.winners, self.offers):  # noqa: B905 - Python 3.9 has no strict=.
                need(won["vcg_minor"] is None, "there is no VCG price here")
                need(won["paid"] == str(offer.amount), "the winner does not pay its amount")
        else:
            self._check_prices()

    def _check_winners(self, book: Book) -> None:
        need(self.problem.fits(self.offers), "the winners do not fit together")
        names = {"bid", "package", "paddle", "cells", "amount_minor", "reserve_minor",
                 "vcg_minor", "paid", "paid_minor"}  # fmt: skip
        for won, offer in zip(self.winners, self.offers):  # noqa: B905 - Python 3.9 has no strict=.
            members(won, names, "a winner")
            cells = [code for code in book.cells if code in offer.cells]
            told = (won["paddle"], won["cells"], won["amount_minor"], won["reserve_minor"])
            need(told == (offer.paddle, cells, offer.amount, offer.reserve), "a winner's offer")
            paid = rational(won["paid"])
            need(won["paid_minor"] == -(-paid.numerator // paid.denominator), "the ceiling is odd")
        body = self.body
        need(body["value_minor"] == self.value, "the winners are worth another sum")
        fallback, bound = body["fallback"], body["bound_minor"]
        need(fallback in (None, "winners-unproven", "prices-unproven"), "the fallback is unknown")
        if fallback == "winners-unproven":
            need(bound is None or is_int(bound, self.value), "the bound lies below the value")
        else:
            need(is_int(bound, 0) and bound == self.value, "the value is not the bound")

    def _check_prices(self) -> None:
        """Check VCG prices, core rows, and that the prices are the least and nearest."""
        offers, without = self.offers, self.body["without"]
        need(len(without) == len(offers), "a winner's absence is missing")
        vcg, paid = [], []
        for won, offer, refs in zip(self.winners, offers, without):  # noqa: B905 - Python 3.9 has no strict=.
            others = self.problem.named(refs)
            need(self.problem.fits(others), "what sells without a winner does not fit")
            need(all(o.paddle != offer.paddle for o in others), "the absent winner is in it")
            price = max(offer.least, offer.value - (self.value - total(others)))
            need(won["vcg_minor"] == price + offer.reserve, "the VCG price is another")
            vcg.append(price)
            paid.append(rational(won["paid"]) - offer.reserve)
        for price, pays, offer in zip(vcg, paid, offers):  # noqa: B905 - Python 3.9 has no strict=.
            need(price <= pays <= offer.value, "a price lies outside of its bounds")
        pull = [[Fraction(1), pays - price] for pays, price in zip(paid, vcg)]  # noqa: B905 - Python 3.9 has no strict=.
        for block in self.body["blocks"]:
            self._check_block(block, paid, pull)
        for (y, z), pays, price, offer in zip(pull, paid, vcg, offers):  # noqa: B905 - Python 3.9 has no strict=.
            at_ease = (y, z) == (0, 0)
            at_low = (y, z) > (0, 0) and pays == price
            at_high = (y, z) < (0, 0) and pays == offer.value
            need(at_ease or at_low or at_high, "the prices are not the least and the nearest")

    def _check_block(self, block: Any, paid: list[Fraction], pull: list[list[Fraction]]) -> None:
        """Check one row of the core, and take its weights off the pulls of its payers."""
        members(block, {"chosen", "payers", "least_minor", "weights"}, "a block")
        chosen = self.problem.named(block["chosen"])
        need(self.problem.fits(chosen), "a block's offers do not fit together")
        inside = {offer.paddle for offer in chosen}
        payers = [at for at, offer in enumerate(self.offers) if offer.paddle not in inside]
        need(block["payers"] == [self.offers[at].paddle for at in payers], "others pay in a block")
        others = [offer for offer in self.offers if offer.paddle in inside]
        least = total(chosen) - total(others)
        reserves = sum(self.offers[at].reserve for at in payers)
        need(block["least_minor"] == least + reserves, "a block asks for another sum")
        together = sum((paid[at] for at in payers), Fraction(0))
        need(together >= least, "a block is not paid: somebody could offer more")
        y, z = (rational(text) for text in block["weights"])
        weight, none = (y, z), (Fraction(0), Fraction(0))
        need(weight >= none, "a weight is negative")
        need(weight == none or together == least, "a block that does not bind has a weight")
        for at in payers:
            pull[at][0] -= y
            pull[at][1] -= z


def sell_packages(a: Auction) -> tuple[str, list[Any], str | None]:
    """Return outcome, awards and reason of a package auction, from its certificate."""
    if a.certificate is None:
        raise Bad("the auction is not solved")
    awards = [
        {
            "bid": won["bid"],
            "paddle": won["paddle"],
            "amount_minor": won["paid_minor"],
            "items": won["cells"],
        }
        for won in a.certificate.winners
        if won["paddle"] not in a.defaulted
    ]
    if awards:
        return "sold", awards, None
    if a.defaulted:
        return "unsold", [], "defaulted"
    return "unsold", [], "reserve-not-met" if a.certificate.problem.offers else "no-valid-bids"


METHODS: dict[str, Callable[[Auction, Bid, Any], None]] = {
    "english": accept_english,
    "proxy": accept_proxy,
    "fixed": accept_take,
    "dutch": accept_take,
    "package": accept_package,
    **dict.fromkeys(QUIET, accept_quiet),
}


# --- ranking and award -------------------------------------------------------------------------


def latest_bids(a: Auction) -> list[Bid]:
    """Return every paddle's latest bid, in the order of the paddles' first bids."""
    latest: dict[int, Bid] = {}
    for bid in a.bids:
        latest[bid.paddle] = bid
    return list(latest.values())


def counting(a: Auction) -> list[Bid]:
    """Return the bids that count: one of each paddle that is not in default."""
    if a.book.method == "package":
        return []
    if a.book.method not in QUIET:
        found = [a.leader] if a.book.method in ("fixed", "dutch") else list(a.best.values())
    elif a.book.amounts == "secret":
        found = latest_bids(a)
    else:
        found = [bid for bid in latest_bids(a) if is_opened(a, bid)]
    return [bid for bid in found if bid is not None and bid.paddle not in a.defaulted]


def is_opened(a: Auction, bid: Bid) -> bool:
    """Read a sealed bid as it was opened; tell whether it counts."""
    if bid.id not in (a.revealed or {}):
        return False
    clear = Bid.__new__(Bid)
    clear.content, clear.parts, clear.score = (a.revealed or {})[bid.id], {}, None
    try:
        read_quiet(a, clear)
    except Bad:
        return False
    bid.amount, bid.parts, bid.score = clear.amount, clear.parts, clear.score
    return True


def ranking(a: Auction) -> list[Bid]:
    """Return the bids that count, the best first."""

    def place(bid: Bid) -> tuple[Any, ...]:
        tie = bid.seq if a.seed is None else sha256(a.seed, bid.key)
        worth = () if bid.score is None else (-bid.score,)
        return (*worth, -bid.amount, not bid.is_match, tie)

    return sorted(counting(a), key=place)


def award(a: Auction) -> dict[str, Any]:
    """Return the result over the events so far."""
    need(a.is_closed, "there is no result before the close")
    need(a.reserve_is_open, "the reserve is not opened")
    need(a.book.seed_commitment is None or a.seed is not None, "the lottery is not opened")
    waits = a.book.amounts == "sealed" and a.bids and a.revealed is None
    need(not waits, "the bids are not opened")
    ranked = ranking(a)
    outcome, awards, reason = verdict(a, ranked)
    return {
        "outcome": outcome,
        "awards": awards,
        "reason": reason,
        "ranking": [entry(bid) for bid in ranked],
        "bids": len(a.bids),
        "rulebook_sha256": a.book_sha256,
        "last_bid_seq": a.bids[-1].seq if a.bids else None,
    }


def verdict(a: Auction, ranked: list[Bid]) -> tuple[str, list[Any], str | None]:
    """Return outcome, awards and reason."""
    if not a.bids:
        return "unsold", [], "no-bids"
    if a.defaulted and not a.book.next_best:
        return "unsold", [], "defaulted"
    if a.book.method == "package":
        return sell_packages(a)
    if not ranked:
        return "unsold", [], "defaulted" if a.defaulted else "no-valid-bids"
    if a.book.method == "intent":
        return "shortlist", [], None
    for place, bid in enumerate(ranked):
        if a.reserve is None or bid.amount >= a.reserve:
            following = ranked[place + 1] if place + 1 < len(ranked) else None
            amount = pays(a, ranked, bid, following)
            won = {"bid": bid.id, "paddle": bid.paddle, "amount_minor": amount, "items": None}
            return "sold", [won], None
    return "unsold", [], "reserve-not-met"


def pays(a: Auction, ranked: list[Bid], bid: Bid, following: Bid | None) -> int:
    """Return what the winner pays."""
    if a.book.method == "vickrey":
        return max(following.amount if following else 0, a.reserve or 0, a.book.floor)
    if a.book.method == "proxy":
        second = ranked[1].amount if len(ranked) > 1 else None
        return proxy_price(a, ranked[0].amount, second)
    return bid.amount


def entry(bid: Bid) -> dict[str, Any]:
    """Return a line of the ranking."""
    found: dict[str, Any] = {
        "bid": bid.id,
        "paddle": bid.paddle,
        "amount_minor": bid.amount,
        "score": None,
    }
    if bid.score is not None:
        found["score"] = pair(bid.score)
        found["parts"] = {code: pair(part) for code, part in bid.parts.items()}
    return found


def pair(value: Fraction) -> list[int]:
    """Return an exact rational as numerator and denominator."""
    return [value.numerator, value.denominator]


# --- how it is paid ------------------------------------------------------------------------------


def paid_in(payment: dict[str, Any], amount: int) -> list[list[int]]:
    """Return the parts that an award is paid in: amount, days, and the interest on it."""
    parts: list[list[int]] = []
    share = before = 0
    for one in payment["parts"]:
        share += one["share_bp"]
        upto = (2 * amount * share + WHOLE) // (2 * WHOLE)
        part, year = upto - before, WHOLE * 365
        rate = payment["rate_bp"] if parts else 0
        interest = (2 * part * rate * one["due_days"] + year) // (2 * year)
        parts.append([part, one["due_days"], interest])
        before = upto
    return parts


def payments(book: Book, result: Any) -> list[Any]:
    """Return the parts of each award that is paid in instalments, by its bid."""
    if result is None or book.payment is None or book.payment["model"] != "instalments":
        return []
    return [
        {"bid": won["bid"], "parts": paid_in(book.payment, won["amount_minor"])}
        for won in result["awards"]
    ]


# --- the file ----------------------------------------------------------------------------------


def verify(raw: bytes) -> dict[str, Any]:
    """Verify an exported log; return what was found.

    Raises:
        Bad: something does not hold; its `seq` is the first bad event.
    """
    need(raw.endswith(b"\n"), "the last line is not whole")
    first, *lines = raw[:-1].split(b"\n")
    try:
        auction = read_head(first, lines)
    except UNREADABLE as error:
        raise Bad(f"the rulebook cannot be read: {error!r}") from error
    previous, last = GENESIS, ""
    for seq, line in enumerate(lines):
        try:
            previous, last = read_event(auction, seq, line, previous)
        except Bad as bad:
            raise Bad(str(bad), seq) from bad
        except UNREADABLE as error:
            raise Bad(f"the event cannot be read: {error!r}", seq) from error
    if last not in ("awarded", "voided"):
        raise Bad("the log ends before the result", len(lines))
    raw_result = auction.result if not auction.is_void else None
    result = None if raw_result is None else json.loads(raw_result)
    return {
        "auction": str(uuid.UUID(bytes=auction.book.auction)),
        "method": auction.book.method,
        "events": len(lines),
        "bids": len(auction.bids),
        "head_sha256": previous.hex(),
        "result": result,
        "result_sha256": None if raw_result is None else sha256(raw_result).hex(),
        "payments": payments(auction.book, result),
    }


def read_head(first: bytes, lines: list[bytes]) -> Auction:
    """Read the first line; return the auction before its first event."""
    head = members(loads(first), {"rulebook", "rulebook_sha256"}, "line 1")
    book_sha256 = sha256(dumps(head["rulebook"])).hex()
    need(head["rulebook_sha256"] == book_sha256, "the rulebook is not the one that was hashed")
    book = Book(head["rulebook"])
    return Auction(book, book_sha256, hidden_reserve(book, lines))


def read_event(auction: Auction, seq: int, line: bytes, previous: bytes) -> tuple[bytes, str]:
    """Check one line and take its event; return its hash and kind."""
    event = members(loads(line), {"seq", "kind", "at", "body", "hash"}, "the event")
    said = event.pop("hash")
    need(type(event["seq"]) is int and event["seq"] == seq, f"here belongs event {seq}")
    linked = sha256(EVENT, previous, dumps(event))
    need(said == linked.hex(), "the hash does not follow from the events before it")
    need(isinstance(event["kind"], str), "the kind is no text")
    auction.apply(seq, event["kind"], micros(event["at"]), event["body"])
    return linked, event["kind"]


def hidden_reserve(book: Book, lines: list[bytes]) -> int | None:
    """Return the reserve that the log opens later, which prices may follow from before."""
    if book.reserve_commitment is None:
        return None
    for line in lines:
        if b'"kind":"reserve"' in line:
            try:
                return open_reserve(book, json.loads(line)["body"])
            except (Bad, *UNREADABLE):
                continue  # the event itself is judged in its turn
    return None


def main(arguments: list[str] | None = None) -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Verify an auction from its exported log alone.")
    parser.add_argument("log", help="the exported JSON lines")
    parser.add_argument("--head", help="the SHA-256 of the last event, as known from elsewhere")
    parser.add_argument("--result", help="a file with the result to compare, byte for byte")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    try:
        raw = Path(asked.log).read_bytes()
        wanted = Path(asked.result).read_bytes() if asked.result else None
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        found = verify(raw)
        need(asked.head in (None, found["head_sha256"]), "the log ends in another event")
        result = dumps(found["result"])
        need(wanted in (None, result, result + b"\n"), "the result is not the one given")
    except Bad as bad:
        return tell(asked.json, {"holds": False, "seq": bad.seq, "said": str(bad)})
    return tell(asked.json, {"holds": True, **found})


def tell(as_json: bool, found: dict[str, Any]) -> int:
    """Print what was found; return the exit status."""
    if as_json:
        sys.stdout.write(dumps(found).decode() + "\n")
    elif found["holds"]:
        names = ("auction", "method", "events", "bids", "head_sha256", "result_sha256")
        lines = [f"{name}: {found[name]}\n" for name in names]
        for paid in found["payments"]:
            lines += [
                f"{paid['bid']} pays {part} + {interest} within {days} days\n"
                for part, days, interest in paid["parts"]
            ]
        sys.stdout.write("".join(lines) + "holds\n")
    else:
        where = "the rulebook" if found["seq"] is None else f"event {found['seq']}"
        sys.stdout.write(f"does NOT hold, at {where}: {found['said']}\n")
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
