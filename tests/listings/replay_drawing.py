"""The rulebook of an auction played at random, drawn from a seed."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import rfc3339
from listings.auctions import rulebook, verify_auction

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PLAIN = 256
FLOOR = 1_000


def seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


class Drawing:
    """The seed of one auction, and the rulebook that is drawn from it."""

    def __init__(self, method: str, seed: int) -> None:
        self.rng = random.Random(f"{method}:{seed}")
        self.method = method
        self.reserve: int | None = None
        self.lottery = self.bytes32()
        self.nonce = self.bytes32()
        self.rulebook = self.drawn_rulebook()

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
