"""An auditor of the ledger: a second, in-memory account of what must happen, step by step.

It is told each step first, says whether the books take it and what they refuse it with, and keeps
its own balances. It shares no code with the ledger. Source of the method: TigerBeetle's auditor.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Lines = Sequence[tuple[int, int]]  # places of accounts, signed amounts
EXPONENTS = {"CNY": 2, "USD": 2, "JPY": 0, "KWD": 3}
CURRENCIES = tuple(EXPONENTS)


@dataclass
class Account:
    """An account as the auditor keeps it; it knows its place in the order of ids."""

    code: str
    kind: str
    currency: str
    floor: int | None
    ceiling: int | None
    posted: int = 0
    version: int = 0
    debit: int = 0
    credit: int = 0
    status: str = "open"

    def copy(self) -> tuple[int, int, int, int, str]:
        return (self.posted, self.version, self.debit, self.credit, self.status)

    def restore(self, kept: tuple[int, int, int, int, str]) -> None:
        self.posted, self.version, self.debit, self.credit, self.status = kept

    def excess(self) -> str | None:
        if self.floor is not None and self.posted - self.credit < self.floor:
            return "below floor"
        if self.ceiling is not None and self.posted + self.debit > self.ceiling:
            return "above ceiling"
        return None


@dataclass
class Journal:
    """A booked journal."""

    hash: str
    lines: Lines
    hold: str | None = None
    is_reversal: bool = False
    reversed: bool = False


@dataclass
class Hold:
    """A hold; `end` is its outcome."""

    account: int
    amount: int
    made: int
    expires: int
    end: str | None = None


class No(Exception):
    """What the books refuse the step with: a part of their sentence."""


@dataclass
class Auditor:
    """The books as they must be."""

    accounts: list[Account]
    journals: dict[str, Journal] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    quotes: dict[str, tuple[str, str, Fraction, int, int]] = field(default_factory=dict)
    closed_until: int = -(10**9)

    def expect(self, step: Mapping[str, Any]) -> str | None:
        """Take a step; return None, or what the books must refuse it with (and change nothing)."""
        touched = self._touched(step)
        kept = [(account, account.copy()) for account in touched]
        closed_until = self.closed_until
        try:
            getattr(self, f"_{step['op']}")(step)
            if step.get("unordered"):
                self._forget(step, closed_until)
                raise No("ordered by nobody")
        except No as no:
            for account, before in kept:
                account.restore(before)
            return str(no)
        return None

    def sums(self) -> dict[str, int]:
        """Return what each currency adds up to."""
        sums: dict[str, int] = defaultdict(int)
        for account in self.accounts:
            sums[account.currency] += account.posted
        return dict(sums)

    def _forget(self, step: Mapping[str, Any], closed_until: int) -> None:
        """Take back what was noted beside the accounts; an unordered journal has a fresh key."""
        self.closed_until = closed_until
        self.journals.pop(step.get("key", ""), None)
        if step["op"] == "reverse":
            self.journals[step["of"]].reversed = False

    def _touched(self, step: Mapping[str, Any]) -> Iterator[Account]:
        places = {place for place, _ in step.get("lines", ())} | {step.get("account")}
        if step["op"] == "reverse":
            places |= {place for place, _ in self.journals[step["of"]].lines}
        if "hold" in step and step["hold"] in self.holds:
            places.add(self.holds[step["hold"]].account)
        return (self.accounts[place] for place in places if place is not None)

    def _post(self, step: Mapping[str, Any]) -> None:
        if self._open(step):
            self._write(step["lines"])
            self._balanced(step["lines"])
            self.journals[step["key"]] = Journal(step["hash"], step["lines"])

    def _reverse(self, step: Mapping[str, Any]) -> None:
        of = self.journals[step["of"]]
        if not self._open(step):
            return
        if of.reversed:
            raise No("ledger_journal_reversal_of_key")
        lines = [(place, -amount + step["off"]) for place, amount in of.lines]
        self._write(lines)
        sums = self._sums(lines)
        if any(sums.values()):
            raise No("does not balance")
        if of.is_reversal:
            raise No("is a reversal and is not reversed")
        of.reversed = True
        self.journals[step["key"]] = Journal(step["hash"], lines, is_reversal=True)

    def _exchange(self, step: Mapping[str, Any]) -> None:
        if not self._open(step):
            return
        self._write(step["lines"])
        base, counter, rate, since, until = self.quotes[step["quote"]]
        (_, sold), (_, bought) = step["lines"][0], step["lines"][3]
        names = [self.accounts[place].currency for place, _ in (step["lines"][0], step["lines"][3])]
        if not since <= step["at"] < until:
            raise No("does not hold at")
        ratio = rate * Fraction(10) ** (EXPONENTS[counter] - EXPONENTS[base])
        if names == [counter, base]:
            ratio = 1 / ratio
        if int(abs(sold) * ratio) != abs(bought):
            raise No("departs from its quote")
        self.journals[step["key"]] = Journal(step["hash"], step["lines"])

    def _quote(self, step: Mapping[str, Any]) -> None:
        rate = Fraction(step["rate"])
        self.quotes[step["quote"]] = (
            step["base"], step["counter"], rate, step["at"], step["until"],
        )  # fmt: skip

    def _make_hold(self, step: Mapping[str, Any]) -> None:
        account, amount = self.accounts[step["account"]], step["amount"]
        account.debit += max(amount, 0)
        account.credit += max(-amount, 0)
        if account.status != "open":
            raise No(f"is {account.status}")
        if (account.floor if amount < 0 else account.ceiling) is None:
            raise No("no limit to hold against")
        if account.excess():
            raise No("less than is to be held")
        self.holds[step["hold"]] = Hold(step["account"], amount, step["at"], step["expires"])

    def _capture(self, step: Mapping[str, Any]) -> None:
        hold = self.holds[step["hold"]]
        if not self._open(step):
            if self.journals[step["key"]].hold != step["hold"]:
                raise No("captured no hold")
            return
        captured = sum(amount for place, amount in step["lines"] if place == hold.account)
        self._end(hold, "captured", captured, step["at"])
        self._write(step["lines"])
        self._balanced(step["lines"])
        hold.end = "captured"
        self.journals[step["key"]] = Journal(step["hash"], step["lines"], hold=step["hold"])

    def _end_hold(self, step: Mapping[str, Any]) -> None:
        hold = self.holds[step["hold"]]
        self._end(hold, step["outcome"], 0, step["at"])
        hold.end = step["outcome"]

    def _mark(self, step: Mapping[str, Any]) -> None:
        account = self.accounts[step["account"]]
        if account.floor is None and account.ceiling is None:
            raise No("stays open")
        empty = (account.posted, account.debit, account.credit) == (0, 0, 0)
        if account.status == "closed" or (step["status"] == "closed" and not empty):
            raise No(f"cannot be {step['status']}")
        account.status = step["status"]

    def _close(self, step: Mapping[str, Any]) -> None:
        if step["until"] <= self.closed_until:
            raise No("closed beyond")
        self.closed_until = step["until"]

    def _append(self, step: Mapping[str, Any]) -> None:
        raise No("is sealed" if step["key"] in self.journals else "not-null")

    def _forbidden(self, _step: Mapping[str, Any]) -> None:
        raise No("permission denied")

    def _open(self, step: Mapping[str, Any]) -> bool:
        if step["at"] < self.closed_until:
            raise No("the books are closed")
        known = self.journals.get(step["key"])
        if known is not None and known.hash != step["hash"]:
            raise No("reused with other content")
        if known is None and len(step.get("lines", "..")) < 2:
            raise No("two_lines")
        return known is None

    def _write(self, lines: Lines) -> None:
        for place, amount in sorted(lines, key=lambda line: line[0]):
            account = self.accounts[place]
            account.posted += amount
            account.version += 1
            if account.status != "open":
                raise No(f"is {account.status}")
            excess = account.excess()
            if excess:
                raise No(excess)

    def _sums(self, lines: Lines) -> dict[str, int]:
        sums: dict[str, int] = defaultdict(int)
        for place, amount in lines:
            sums[self.accounts[place].currency] += amount
        return sums

    def _balanced(self, lines: Lines) -> None:
        sums = self._sums(lines)
        if any(sums.values()):
            raise No("does not balance")
        if len(sums) > 1:
            raise No("without a quote")

    def _end(self, hold: Hold, outcome: str, captured: int, at: int) -> None:
        if (outcome == "captured") != (captured != 0):
            raise No("captures_or_not")
        if hold.end is not None:
            raise No("ledger_hold_end_pkey")
        if (outcome == "expired") != (at >= hold.expires) or at < hold.made:
            raise No(f"cannot be {outcome}")
        if captured * hold.amount < 0 or abs(captured) > abs(hold.amount):
            raise No("of less than is captured")
        account = self.accounts[hold.account]
        account.debit -= max(hold.amount, 0)
        account.credit -= max(-hold.amount, 0)
