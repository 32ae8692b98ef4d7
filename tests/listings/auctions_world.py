"""An auction played against the naive model: everything is counted again each time.

`World` is driven by Hypothesis and by the campaign alike.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from contracts import canonical, rfc3339
from contracts.refusal import Refusal
from listings.auctions import rulebook, rules
from listings.auctions.model import BrokenLog, Event, Standing
from tests.listings import auctions_cases as cases
from tests.listings.auctions_cases import Play
from tests.listings.auctions_model import SECOND, Model, Setup

TAG = b"uhdx/auction-event/v1\x00"


class World:
    """One auction, played by the rules and by the model; every command compares them."""

    def __init__(self, setup: Setup) -> None:
        """Open it."""
        self.setup = setup
        self.doc, hidden = setup.document()
        self.book = rulebook.read(self.doc, reserve_minor=hidden)
        self.play = Play(self.book)
        reserve = hidden if hidden is not None else self.book.reserve_minor
        self.model = Model(self.doc, reserve)
        self.now = self.book.opens_at
        self.head = self._chained(b"\x00" * 32, self.play.events[0])
        self.seen = 1
        self.commands = 0

    # --- commands

    def bid(self, paddle: int, jump: int, lag: int = 0, values: int = 0) -> None:
        """Bid some way above or below what would lead, received a little before or after now."""
        moment = self.now - lag * SECOND / 2
        self._offer(paddle, self._content(moment, jump, values), moment, opens=values != 6)

    def match(self, paddle: int, *, wait: bool) -> None:
        """Exercise a right of first refusal, whether or not there is one and it is its time."""
        if wait and self.model.match and not self.play.standing.paused_at:
            self.now = max(self.now, self.model.closes_at - self.model.match)
        if self.setup.kind in ("english", "timed", "refusal"):
            self._offer(paddle, {"match": True}, self.now)

    def storm(self, bids: list[tuple[int, int, int]]) -> None:
        """Let several bids arrive in the last moments before the close, out of order."""
        for paddle, jump, back in bids:
            moment = self.model.closes_at - back * SECOND / 4
            self._offer(paddle, self._content(moment, jump, 0), moment)

    def wait(self, seconds: int) -> None:
        """Let time pass; a negative step is a clock that was put back."""
        self.now += seconds * SECOND
        self._check()

    def pause(self) -> None:
        """Pause."""
        if self.model.closed or self.play.standing.paused_at or self.now < self.book.opens_at:
            return
        self.play.pause(self.now)
        self.model.pauses.append([self.now])
        self._check()

    def resume(self, seconds: int) -> None:
        """Go on."""
        if self.model.closed or not self.play.standing.paused_at:
            return
        begun = self.model.pauses[-1][0]
        self.now = max(self.now, begun) + seconds * SECOND
        self.play.resume(self.now)
        self.model.pauses[-1].append(self.now)
        self.model.closes_at += self.now - begun
        if self.model.stop:
            self.model.stop += self.now - begun
        self._check()

    def extend(self, seconds: int) -> None:
        """Move the end after an outage."""
        if self.model.closed:
            return
        self.model.closes_at += seconds * SECOND
        if self.model.stop:
            self.model.stop = max(self.model.stop, self.model.closes_at)
        body = {
            "reason": "outage",
            "closes_at": rfc3339.exact(self.model.closes_at),
            "hard_stop_at": rfc3339.exact(self.model.stop) if self.model.stop else None,
        }
        self.play.add("extended", body, moment=self.now)
        self._check()

    def close(self) -> None:
        """Close."""
        if self.model.closed or self.play.standing.paused_at:
            return
        self.play.close()
        self.model.closed, self.now = True, max(self.now, self.model.closes_at)
        self._check()

    def default(self) -> None:
        """Let the winner default."""
        if not self.model.closed:
            return
        winner = next((award["paddle"] for award in self.play.award()["awards"]), None)
        if winner is None:
            return
        self.play.default(winner)
        self.model.out.add(winner)
        self._check()

    def forge(self, which: int) -> None:
        """Try an event that the rules could not have written here; it is refused."""
        seq, at = self.play.standing.seq + 1, self.now
        # No pause is of this length: the clock of these plays goes by half seconds.
        late = self.model.closes_at + timedelta(seconds=1, microseconds=7)
        end = rfc3339.exact(late)
        forged = [
            Event(seq + 1, "voided", at, {"reason": ""}),
            Event(seq, "opened", at, {"rulebook_sha256": self.book.sha256}),
            Event(seq, "closed", late, {"closes_at": end}),
            Event(seq, "surprise", at, {}),
            Event(seq, "resumed", at, {"closes_at": end, "hard_stop_at": None}),
        ][which]
        try:
            rules.advance(self.book, self.play.standing, forged)
        except BrokenLog:
            self._check()
        else:
            raise AssertionError(f"{forged.kind} was taken")

    # --- checks

    def _content(self, moment: datetime, jump: int, values: int) -> dict[str, Any]:
        price = self.model.price()
        if self.setup.kind == "dutch":
            tick = max(0, self.model.tick(max(moment, self.book.opens_at)) - (values % 3))
            amount = self.model.asked(tick) + (jump if jump < 0 else 0)
            return {**cases.content(self.book, max(1, amount)), "tick": tick}
        if self.setup.kind == "package":
            return self._packages(jump, values)
        if self.setup.kind == "fixed":
            return cases.content(self.book, max(1, 100_000 + min(0, jump)))
        rise, base = 6_000, 100_000
        if self.book.method in ("english", "proxy"):
            rise, base = 500, base if price is None else price + self.model.step(price)
        content = cases.content(self.book, max(1, base + jump * rise))
        return (
            {**content, "values": {"days": 40 * values}}
            if self.setup.kind == "weighted"
            else content
        )

    def _offer(
        self, paddle: int, content: Mapping[str, Any], moment: datetime, *, opens: bool = True
    ) -> None:
        before, expected = self.play.standing, self.model.accepts(paddle, content, moment)
        told: Refusal | None = None
        try:
            if self.model.is_sealed:
                self.play.sealed(paddle, content, moment=moment, opens=opens)
            else:
                self.play.bid(paddle, content, moment=moment)
        except Refusal as refusal:
            told = refusal
        assert (told is None) == expected, (told, content, moment, self.model)
        if told is None:
            last = self.play.events[-1]
            self.model.take(paddle, content, moment, last.body["bid"])
            self.model.taken[-1].counts = opens or not self.model.is_sealed
            assert rules.advance(self.book, before, last) == self.play.standing
        else:
            assert self.play.standing is before
            if moment < self.model.closes_at and not self.model.closed:
                assert told.code != "auction-closed"  # received in time is never late
        self._check()

    def _check(self) -> None:
        self.commands += 1
        standing, model, lead = self.play.standing, self.model, self.model.leader()
        assert standing.seq == len(self.play.events) - 1
        assert [event.seq for event in self.play.events] == list(range(len(self.play.events)))
        assert standing.bids == len(model.taken)
        assert standing.price_minor == model.price()
        assert standing.leading_paddle == (lead.paddle if lead else None)
        assert str(standing.leading_bid) == (lead.bid if lead else "None")
        assert standing.closes_at == model.closes_at
        assert standing.hard_stop_at == model.stop
        assert standing.extensions == model.extensions
        assert model.stop is None or standing.closes_at <= model.stop
        assert (standing.phase == "ended") == model.closed
        assert Standing.from_json(standing.to_json()) == standing
        for event in self.play.events[self.seen :]:
            self.head = self._chained(self.head, event)
        self.seen = len(self.play.events)
        self._check_award()

    def _packages(self, jump: int, values: int) -> dict[str, Any]:
        sets = [(values + shift) % 7 + 1 for shift in (0, 3)]
        packages = [
            {
                "cells": [code for at, code in enumerate("ABC") if mask >> at & 1],
                "amount_minor": max(1, 100_000 + jump * 6_000 + mask.bit_count() * 3_000),
            }
            for mask in sets
        ]
        return {"currency": self.book.currency, "packages": packages}

    def _check_packages(self) -> None:
        if not self.model.closed:
            return
        result = self.play.award()
        solved = [event.body for event in self.play.events if event.kind == "solved"]
        if not self.model.taken:
            assert result["reason"] == "no-bids"
            return
        won = [winner["cells"] for winner in solved[0]["winners"]]
        cells = [cell for one in won for cell in one]
        assert len(set(cells)) == len(cells)
        assert solved[0]["value_minor"] == self.model.best()
        kept = [one for one in solved[0]["winners"] if one["paddle"] not in self.model.out]
        awards = [(one["paddle"], one["items"], one["amount_minor"]) for one in result["awards"]]
        assert awards == [(one["paddle"], one["cells"], one["paid_minor"]) for one in kept]
        for one in kept:
            assert self.model.least(one) <= one["paid_minor"] <= one["amount_minor"]

    def _check_award(self) -> None:
        if self.setup.kind == "package":
            self._check_packages()
            return
        result = self.play.award()
        outcome, reason, winner, price, order = self.model.result()
        assert (result["outcome"], result["reason"]) == (outcome, reason)
        assert [entry["paddle"] for entry in result["ranking"]] == order
        awards = [(award["paddle"], award["amount_minor"]) for award in result["awards"]]
        assert awards == ([(winner, price)] if outcome == "sold" else [])
        assert result["bids"] == len(self.model.taken)

    def finish(self) -> list[bytes]:
        """End it, fold the whole log afresh, and return the exported lines."""
        if self.play.standing.paused_at:
            self.resume(1)
        self.close()
        assert rules.fold(self.book, self.play.events) == self.play.standing
        result = rules.award(self.book, self.play.events)
        assert canonical.dumps(result) == canonical.dumps(self.play.award())
        self.play.add("awarded", result, moment=self.now)
        assert rules.award(self.book, self.play.events) == result
        prices = [event.body["after"]["price_minor"] for event in self.play.events
                  if event.kind == "bid"]  # fmt: skip
        assert all(a is None or a <= b for a, b in pairwise(prices))
        lines = cases.lines(self.doc, self.play.events)
        assert canonical.loads(lines[self.seen])["hash"] == self.head.hex()
        return lines

    def _chained(self, head: bytes, event: Event) -> bytes:
        wire = {"seq": event.seq, "kind": event.kind, "at": rfc3339.exact(event.at),
                "body": dict(event.body)}  # fmt: skip
        return hashlib.sha256(TAG + head + canonical.dumps(wire)).digest()
