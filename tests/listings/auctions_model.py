"""The naive model of an auction: it keeps the accepted bids and knows nothing of standings.

Price, leader and close are computed from that list after every command, the slow way."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import product
from typing import Any
from uuid import UUID

from tests.listings import auctions_cases as cases
from tests.listings.auctions_cases import SEED

SECOND = timedelta(seconds=1)


STEPS: tuple[Mapping[str, Any] | None, ...] = (
    None,
    {"kind": "bp", "bp": 500, "least_minor": 700},
    {"kind": "table", "rows": [[0, 1_000], [120_000, 2_500], [150_000, 4_000]]},
)


PADDLES = (1, 2, 3, 4, 5)  # 1 and 2 hold the right of first refusal, where there is one


@dataclass(frozen=True)
class Setup:
    """Which auction is played."""

    kind: str
    step: int = 0
    reserve: str = "none"
    tie: str = "sequence"
    default: str = "next-best"
    top_k: int = 1
    most_extensions: int | None = None
    option: bool = False
    cipher: bool = False
    near_stop: bool = False

    def document(self) -> tuple[dict[str, Any], int | None]:
        """Return the rulebook and the hidden reserve."""
        changes: dict[str, Any] = {"default": self.default}
        if self.kind == "package":
            changes = {"terms": {"reserve_minor": 40_000, "least_winners": self.top_k}}
        if self.kind in ("english", "timed", "refusal", "proxy", "timed-proxy"):
            changes |= self._rising()
        if self.kind in ("sealed", "vickrey", "weighted", "intent"):
            changes |= {"tie": {"rule": self.tie}}
            terms = cases._SPECIAL[self.kind].get("terms", {})
            changes |= {"terms": {**terms, "replaceable": not self.option}}
        hidden = None
        if self.reserve != "none" and self.kind not in ("fixed", "dutch", "intent", "package"):
            changes |= {"reserve": {"kind": self.reserve, "amount_minor": 118_000}}
            hidden = 118_000 if self.reserve == "hidden" else None
        document = cases.document(self.kind, **changes)
        if self.cipher and document["secrecy"]["amounts"] == "secret":
            document["secrecy"]["amounts"] = "sealed"
            document["opening"] = {"plain_bytes": 256, "reveal_s": 86_400}
        return document, hidden

    def _rising(self) -> dict[str, Any]:
        special = cases._SPECIAL[self.kind]
        limits = {"top_k": self.top_k, "most_extensions": self.most_extensions}
        soft = {"kind": "soft", "window_s": 60, **limits}
        changes: dict[str, Any] = {
            "soft_close_s": None,
            "closing": {**special.get("closing", soft), **limits},
        }
        if self.near_stop:
            changes["hard_stop_at"] = cases.stamp(15 if self.kind == "timed" else 12, seconds=40)
        terms: dict[str, Any] = {}
        if STEPS[self.step] is not None:
            changes, terms = {**changes, "step_minor": None}, {"step": STEPS[self.step]}
        if self.kind == "timed":
            terms |= {"needs_free_bid": self.option}
        if self.kind == "english":
            terms |= {"multiples": self.option}
        return {**changes, "terms": terms}


@dataclass
class Taken:
    """An accepted bid, as the model remembers it."""

    paddle: int
    content: Mapping[str, Any]
    moment: datetime
    bid: str
    price: int | None = None  # what it was worth to the ranking: a match takes the price it met
    counts: bool = True  # a sealed bid that did not open, or below the floor, does not


@dataclass
class Model:
    """The rules once more, slowly."""

    doc: Mapping[str, Any]
    reserve: int | None
    taken: list[Taken] = field(default_factory=list)
    pauses: list[list[datetime]] = field(default_factory=list)
    closes_at: datetime = cases.NOW
    stop: datetime | None = None
    extensions: int = 0
    closed: bool = False
    out: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Read what the close is at first."""
        self.terms, self.method = self.doc["terms"], self.doc["method"]
        first = self.doc["first_refusal"]
        self.holders = first["holders"] if first else []
        self.match = timedelta(seconds=first["window_s"]) if first else timedelta()
        self.closes_at = datetime.fromisoformat(self.doc["closes_at"]) + self.match
        stop = self.doc["hard_stop_at"]
        self.stop = datetime.fromisoformat(stop) if stop else None
        self.opens_at = datetime.fromisoformat(self.doc["opens_at"])
        self.window = timedelta(seconds=self.doc["closing"]["window_s"])
        self.is_sealed = self.doc["secrecy"]["amounts"] == "sealed"

    # --- what a bid may be

    def accepts(self, paddle: int, content: Mapping[str, Any], moment: datetime) -> bool:
        """Tell whether the bid counts."""
        if self.closed or not self.opens_at <= moment < self.closes_at:
            return False
        if any(begun <= moment < (over or datetime.max.replace(tzinfo=moment.tzinfo))
               for begun, over in map(self._both, self.pauses)):  # fmt: skip
            return False
        if self.method in ("english", "proxy"):
            return self._rises(paddle, content, moment)
        if self.method in ("fixed", "dutch"):
            return not self.taken and self._asked(content, moment)
        if self.method == "package":
            return self.is_sealed or self.holds(content)
        again = any(bid.paddle == paddle for bid in self.taken)
        high = self.is_sealed or content["amount_minor"] >= self.terms["floor_minor"]
        return bool(high and (self.terms["replaceable"] or not again))

    def _both(self, pause: list[datetime]) -> tuple[datetime, datetime | None]:
        return pause[0], pause[1] if len(pause) > 1 else None

    def _rises(self, paddle: int, content: Mapping[str, Any], moment: datetime) -> bool:
        matching = moment >= self.closes_at - self.match
        lead = self.leader()
        if "match" in content:
            return (
                matching and paddle in self.holders and lead is not None
                and lead.paddle not in self.holders
            )  # fmt: skip
        if matching:
            return False
        price, amount = self.price(), content["amount_minor"]
        if self.terms.get("needs_free_bid") and moment >= self.free() and paddle not in self.early:
            return False
        if self.method == "proxy" and lead is not None and lead.paddle == paddle:
            return amount > lead.content["amount_minor"]
        base = self.terms["floor_minor"] if price is None else price
        least = base if price is None else base + self.step(base)
        whole = not self.terms.get("multiples") or (amount - base) % self.step(base) == 0
        return bool(amount >= least and whole)

    def holds(self, content: Mapping[str, Any]) -> bool:
        """Tell whether every package reaches the floor and the reserves of its cells."""
        return all(one["amount_minor"] >= self.least(one) for one in content["packages"])

    def least(self, package: Mapping[str, Any]) -> int:
        """Return the least that a package is sold for."""
        return max(int(self.terms["floor_minor"]), self.reserves(package))

    def reserves(self, package: Mapping[str, Any]) -> int:
        """Return the sum of the reserves of a package's cells."""
        return int(self.terms["reserve_minor"] * len(package["cells"]))

    def best(self) -> int:
        """Return the most that packages without a common cell are worth above the reserves."""
        last = {bid.paddle: bid for bid in self.taken}.values()
        kept = [bid.content["packages"] for bid in last if bid.counts and self.holds(bid.content)]
        best = 0
        for chosen in product(*[[None, *packages] for packages in kept]):
            won = [one for one in chosen if one is not None]
            cells = [cell for one in won for cell in one["cells"]]
            if len(set(cells)) == len(cells) and len(won) >= self.terms["least_winners"]:
                best = max(best, sum(one["amount_minor"] - self.reserves(one) for one in won))
        return best

    early: set[int] = field(default_factory=set)

    def _asked(self, content: Mapping[str, Any], moment: datetime) -> bool:
        if self.method == "fixed":
            return bool(content["amount_minor"] == self.terms["price_minor"])
        tick, interval = content["tick"], self.terms["interval_s"]
        now = self.tick(moment)
        fresh = self.run(moment) - now * interval * SECOND <= self.terms["grace_s"] * SECOND
        seen = tick == now or (tick == now - 1 and fresh)
        return bool(seen and content["amount_minor"] == self.asked(tick))

    def run(self, moment: datetime) -> timedelta:
        """How long the clock has run, second by second of the pauses left out."""
        over = [pause for pause in self.pauses if len(pause) > 1]
        paused = sum(
            (min(moment, end) - begun for begun, end in over if begun < moment), timedelta()
        )
        return moment - self.opens_at - paused

    def tick(self, moment: datetime) -> int:
        """Count the ticks one by one."""
        tick, run = 0, self.run(moment)
        while (tick + 1) * self.terms["interval_s"] * SECOND <= run and (
            self.asked(tick) > self.terms["floor_minor"]
        ):
            tick += 1
        return tick

    def asked(self, tick: int) -> int:
        """Return the price of a tick, lowered one by one."""
        price = self.terms["start_minor"]
        for _ in range(tick):
            price = max(self.terms["floor_minor"], price - self.terms["decrement_minor"])
        return int(price)

    def step(self, price: int) -> int:
        """Return the step at a price."""
        step = self.terms["step"]
        if step["kind"] == "fixed":
            return int(step["minor"])
        if step["kind"] == "bp":
            exact = Fraction(price * step["bp"], 10_000)
            up = exact.numerator // exact.denominator + (exact.denominator != 1)
            return int(max(step["least_minor"], up))
        found = 0
        for begin, size in step["rows"]:
            if begin <= price:
                found = size
        return int(found)

    # --- where it stands

    def leader(self) -> Taken | None:
        """Return who leads."""
        if self.method in ("fixed", "dutch"):
            return self.taken[0] if self.taken else None
        if self.method not in ("english", "proxy") or not self.taken:
            return None
        if self.method == "english":
            return self.taken[-1]
        return min(
            self.taken, key=lambda bid: (-bid.content["amount_minor"], self.taken.index(bid))
        )

    def price(self) -> int | None:
        """Return the visible price."""
        if self.method == "proxy" and self.taken:
            return self.proxy(self.taken)
        lead = self.leader()
        return None if lead is None else lead.price

    def proxy(self, bids: list[Taken]) -> int:
        """Return the price that all maxima make."""
        best: dict[int, int] = {}
        for bid in bids:
            best[bid.paddle] = max(best.get(bid.paddle, 0), bid.content["amount_minor"])
        first, *others = sorted(best.values(), reverse=True)
        price = int(self.terms["floor_minor"])
        if others:
            price = min(first, others[0] + self.step(others[0]))
        if self.reserve is not None and first >= self.reserve:
            price = max(price, self.reserve)
        return price

    def top(self) -> list[int]:
        """Return the first paddles in order."""
        ranked = sorted(
            enumerate(self.taken), key=lambda one: (-(one[1].price or 0), -one[0])
        ) if self.method == "english" else sorted(
            enumerate(self.taken), key=lambda one: (-one[1].content["amount_minor"], one[0])
        )  # fmt: skip
        return list(dict.fromkeys(bid.paddle for _, bid in ranked))[: self.doc["closing"]["top_k"]]

    def free(self) -> datetime:
        """Return the end of the free period."""
        end = datetime.fromisoformat(self.doc["closing"]["free_until"])
        for pause in self.pauses:
            if len(pause) > 1 and pause[0] < end:
                end += pause[1] - pause[0]
        return end

    # --- what happens

    def take(self, paddle: int, content: Mapping[str, Any], moment: datetime, bid: str) -> None:
        """Remember an accepted bid and move the close."""
        before, price = self.top() if self.method in ("english", "proxy") else [], self.price()
        taken = Taken(paddle, content, moment, bid)
        taken.price = price if "match" in content else content.get("amount_minor")
        if self.method == "dutch":
            taken.price = self.asked(self.tick(moment))
        self.taken.append(taken)
        if self.method in ("fixed", "dutch"):
            self.closes_at = min(self.closes_at, moment + timedelta(microseconds=1))
        if self.method not in ("english", "proxy"):
            return
        if self.doc["closing"]["kind"] == "timed" and moment < self.free():
            self.early.add(paddle)
        self._move(self._want(content, moment, stirred=self.top() != before))

    def _want(
        self, content: Mapping[str, Any], moment: datetime, *, stirred: bool
    ) -> datetime | None:
        if "match" in content:
            return moment + self.match + self.match
        late = moment > self.closes_at - self.match - self.window
        if self.doc["closing"]["kind"] == "timed":
            late, stirred = moment >= self.free(), stirred or self.method == "english"
        return moment + self.window + self.match if late and stirred else None

    def _move(self, want: datetime | None) -> None:
        limit = self.doc["closing"]["most_extensions"]
        if want is None or (limit is not None and self.extensions >= limit):
            return
        want = want if self.stop is None else min(want, self.stop)
        if want > self.closes_at:
            self.closes_at, self.extensions = want, self.extensions + 1

    def result(self) -> tuple[str, str | None, int | None, int | None, list[int]]:
        """Return outcome, reason, the winner's paddle and price, and the paddles in order."""
        if not self.taken:
            return "unsold", "no-bids", None, None, []
        ranked = self.ranked()
        order = [bid.paddle for bid in ranked]
        if self.out and self.doc["default"] == "none":
            return "unsold", "defaulted", None, None, order
        if not ranked:
            return "unsold", "defaulted" if self.out else "no-valid-bids", None, None, []
        if self.method == "intent":
            return "shortlist", None, None, None, order
        held = [bid for bid in ranked if self._worth(bid) >= (self.reserve or 0)]
        if not held:
            return "unsold", "reserve-not-met", None, None, order
        price = self._worth(held[0])
        if self.method == "vickrey":
            others = [self._worth(bid) for bid in ranked if bid is not held[0]]
            price = max([*others, self.reserve or 0, self.terms["floor_minor"]])
        if self.method == "proxy":
            price = self.proxy([bid for bid in self.taken if bid.paddle not in self.out])
        return "sold", None, held[0].paddle, price, order

    def _worth(self, bid: Taken) -> int:
        return int(bid.price if bid.price is not None else bid.content["amount_minor"])

    def ranked(self) -> list[Taken]:
        """Return each paddle's bid, the best first."""
        bids = [bid for bid in self.taken if bid.paddle not in self.out]
        place = {id(bid): number for number, bid in enumerate(self.taken)}
        if self.method in ("sealed", "vickrey", "weighted", "intent"):
            last = {bid.paddle: bid for bid in bids}.values()
            floor = self.terms["floor_minor"]
            bids = [bid for bid in last if bid.counts and bid.content["amount_minor"] >= floor]

        def key(bid: Taken) -> tuple[Any, ...]:
            tie: Any = place[id(bid)]
            if self.doc["tie"]["rule"] == "lottery":
                tie = hashlib.sha256(SEED + UUID(bid.bid).bytes).hexdigest()
            if self.method == "weighted":
                return (-self.score(bid), -self._worth(bid), tie)
            if self.method == "english":
                return (-self._worth(bid), "match" not in bid.content, tie)
            return (-self._worth(bid), tie)

        best: dict[int, Taken] = {}
        for bid in sorted(bids, key=key):
            best.setdefault(bid.paddle, bid)
        return list(best.values())

    def score(self, bid: Taken) -> Fraction:
        """Return the weighted score."""
        total = Fraction(0)
        for row in self.terms["criteria"]:
            value = bid.content["values"].get(row["code"], bid.content["amount_minor"])
            part = Fraction(value - row["worst"]) / (row["best"] - row["worst"])
            total += Fraction(row["weight_bp"], 10_000) * max(Fraction(0), min(Fraction(1), part))
        return total
