"""A price paid in instalments (分期付款): its parts, their days, and who may agree on it (pure).

The parts are shares of the whole price; each is due so many days after the contract takes effect.
Every part after the first bears interest for its days at a yearly rate that the contract says.

Source: 企业国有资产交易监督管理办法 (国务院国资委、财政部令第32号) art. 28 for state-owned sellers,
as the dated rows of `contracts/data/instalments.csv` say; the lending rate is the one-year LPR
(贷款市场报价利率) of `contracts/data/loan_prime_rates.csv`.
Differs from the source: it counts working days for the first part, a contract here counts days;
five days are never more than five working days.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise
from typing import Any

from contracts.money import WHOLE_BP, Money, from_decimal, percent
from contracts.refusal import Kind, Refusal

STATE = "state-owned"  # the regime of sellers that the state owns or controls
MOST_PARTS, FEWEST_PARTS = 24, 2
MOST_DAYS = 3_650
MOST_RATE_BP = 2_400  # what courts have long taken for the most that interest may be
LONGEST_SECURITY = 120
DAYS_OF_YEAR = 365
# Letters that the font of every contract has; a text with others would fail when it is typeset.
PRINTED = rf"[ -~\u4e00-\u9fff（），。、：；《》]{{0,{LONGEST_SECURITY}}}"
PART_FIELDS = frozenset({"share_bp", "due_days"})


class BadInstalments(Refusal):
    """The parts of a price do not make a plan."""

    kind, code = Kind.INVALID, "bad-instalments"
    hint = (
        "Give 2 to 24 parts whose shares add up to 10000 basis points, each due later than the one "
        "before, a yearly rate of 0 to 2400 basis points, and the security or an empty text."
    )


class InstalmentsNotAllowed(Refusal):
    """The rules for this seller ask for more than these instalments give."""

    kind, code = Kind.CONFLICT, "instalments-not-allowed"
    hint = "Change what `rule` names: `wants` says what it asks for, `legal_basis` where from."


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a price is paid: (share in basis points, days) of each part, the rate, the security."""

    parts: tuple[tuple[int, int], ...]
    rate_bp: int
    security: str


@dataclass(frozen=True, slots=True)
class Due:
    """A part of a price, due so many days after the contract takes effect, with its interest."""

    amount: Money
    due_days: int
    interest: Money


@dataclass(frozen=True, slots=True)
class Rule:
    """What a regime asks of instalments from one day to another."""

    regime: str
    valid_from: date
    valid_to: date | None
    first_bp: int
    first_days: int
    most_days: int
    secured: bool
    interest: bool
    verified: bool
    legal_basis: str


def read(wire: Mapping[str, Any]) -> Schedule:
    """Read a schedule from the fields of a price.

    Raises:
        BadInstalments: it does not hold together.
    """
    said = wire.get("parts")
    if not isinstance(said, list) or not FEWEST_PARTS <= len(said) <= MOST_PARTS:
        raise BadInstalments("There are too few parts, or too many.", field="parts")
    parts = tuple(_part(one) for one in said)
    if sum(share_bp for share_bp, _ in parts) != WHOLE_BP:
        raise BadInstalments("The parts are not the whole.", field="parts")
    if any(later <= sooner for (_, sooner), (_, later) in pairwise(parts)):
        raise BadInstalments("A part is not due after the one before.", field="parts")
    security = wire.get("security")
    if not isinstance(security, str) or not re.fullmatch(PRINTED, security):
        raise BadInstalments("The security is no text that can be printed.", field="security")
    rate_bp = _whole(wire.get("rate_bp"), "rate_bp", least=0, most=MOST_RATE_BP)
    return Schedule(parts, rate_bp, " ".join(security.split()))


def dues(price: Money, schedule: Schedule) -> list[Due]:
    """Return the parts of a price; together they are the price, whatever the rounding.

    Raises:
        BadInstalments: the price is so small that a part of it would be nothing.
    """
    upto = accumulate(share_bp for share_bp, _ in schedule.parts)
    sums = [0, *(price.share(share_bp).amount_minor for share_bp in upto)]
    amounts = [Money(after - before, price.currency) for before, after in pairwise(sums)]
    if any(amount.amount_minor < 1 for amount in amounts):
        raise BadInstalments("A part of this price would be nothing.", field="parts")
    rates = [0, *(schedule.rate_bp for _ in schedule.parts[1:])]
    return [
        Due(amount, days, interest(amount, rate_bp=rate_bp, days=days))
        for amount, rate_bp, (_, days) in zip(amounts, rates, schedule.parts, strict=True)
    ]


def interest(amount: Money, *, rate_bp: int, days: int) -> Money:
    """Return the interest on an amount at a yearly rate, rounded half up, once."""
    whole = WHOLE_BP * DAYS_OF_YEAR
    return Money((2 * amount.amount_minor * rate_bp * days + whole) // (2 * whole), amount.currency)


def consideration(price: Money, schedule: Schedule) -> dict[str, Any]:
    """Return what the terms of a contract say of the parts of its price."""
    return {
        "instalments": [
            {
                "amount": one.amount.decimal(),
                "due_days": one.due_days,
                "interest": one.interest.decimal(),
            }
            for one in dues(price, schedule)
        ],
        "rate_bp": schedule.rate_bp,
        "security": schedule.security,
    }


def parameters(price: Money, schedule: Schedule) -> dict[str, Any]:
    """Return what the clause about instalments leaves open: figures, read alike in both languages.

    A part is its number, its amount with the interest on it, and the days in brackets.
    """
    parts = [
        f"{number}: {one.amount.decimal()} + {one.interest.decimal()} ({one.due_days})"
        for number, one in enumerate(dues(price, schedule), 1)
    ]
    return {
        "parts_count": len(parts),
        "parts": "; ".join(parts),
        "rate_percent": percent(schedule.rate_bp),
        "security": schedule.security or "–",
    }


def of_terms(terms: Mapping[str, Any]) -> list[Due]:
    """Return the parts in which the price of signed terms is due; mostly it is one."""
    price, days = terms["consideration"], terms["parameters"]["due_days"]
    currency = str(price["currency"])
    if "instalments" not in price:
        return [Due(from_decimal(price["amount"], currency), days, Money(0, currency))]
    return [
        Due(
            from_decimal(one["amount"], currency),
            one["due_days"],
            from_decimal(one["interest"], currency),
        )
        for one in price["instalments"]
    ]


def check(schedule: Schedule, *, regime: str, on: date) -> None:
    """Check a schedule by the rules for a kind of seller, as they are on a day.

    Raises:
        InstalmentsNotAllowed: a rule asks for more.
    """
    for rule in rules():
        if rule.regime == regime and rule.valid_from <= on <= (rule.valid_to or date.max):
            _check(schedule, rule, on=on)


@cache
def rules() -> tuple[Rule, ...]:
    """Return the rows that ship with the exchange."""
    yes = {"yes": True, "no": False}
    return tuple(
        Rule(
            regime=row["regime"],
            valid_from=date.fromisoformat(row["valid_from"]),
            valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            first_bp=int(row["first_bp"]),
            first_days=int(row["first_days"]),
            most_days=int(row["most_days"]),
            secured=yes[row["secured"]],
            interest=yes[row["interest"]],
            verified=yes[row["verified"]],
            legal_basis=row["legal_basis"],
        )
        for row in _rows("instalments.csv")
    )


def lending_rate_bp(on: date) -> int:
    """Return the one-year LPR of a day, in basis points a year.

    Raises:
        ValueError: the day is before the first row (a gap in the data, not a refusal).
    """
    known = [row for row in _rows("loan_prime_rates.csv") if row["valid_from"] <= on.isoformat()]
    if not known:
        raise ValueError(f"there is no lending rate on {on}")
    return int(max(known, key=lambda row: row["valid_from"])["rate_bp"])


def _check(schedule: Schedule, rule: Rule, *, on: date) -> None:
    (first_bp, first_days), last_days = schedule.parts[0], schedule.parts[-1][1]
    rate_bp = lending_rate_bp(on) if rule.interest else 0
    asked: Sequence[tuple[str, bool, int | bool]] = (
        ("first_bp", first_bp >= rule.first_bp, rule.first_bp),
        ("first_days", first_days <= rule.first_days, rule.first_days),
        ("most_days", last_days <= rule.most_days, rule.most_days),
        ("secured", bool(schedule.security) or not rule.secured, rule.secured),
        ("rate_bp", schedule.rate_bp >= rate_bp, rate_bp),
    )
    for name, holds, wants in asked:
        if not holds:
            raise InstalmentsNotAllowed(
                "This seller may not agree on such instalments.",
                rule=name, wants=wants, regime=rule.regime, legal_basis=rule.legal_basis,
            )  # fmt: skip


def _part(one: Any) -> tuple[int, int]:
    if not isinstance(one, Mapping) or one.keys() != PART_FIELDS:
        raise BadInstalments("A part has a share and days.", field="parts")
    share_bp = _whole(one["share_bp"], "share_bp", least=1, most=WHOLE_BP)
    return share_bp, _whole(one["due_days"], "due_days", least=1, most=MOST_DAYS)


def _whole(value: Any, field: str, *, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise BadInstalments("A number is out of range.", field=field, least=least, most=most)
    return value


@cache
def _rows(name: str) -> list[dict[str, str]]:
    text = files("contracts.data").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
