"""Service fees (交易服务费) by a dated schedule: tiers are data with their legal basis (pure).

A schedule says what each side pays: rows of a basis (listed price 挂牌价, deal price 成交价, uplift
增值额), each a tier of its own rate. Tiers are marginal (分段递减累计): every part of an amount
pays the rate of its own tier, so that nothing jumps where a tier ends.

Source: 《中华人民共和国拍卖法》 art. 56 (the commission is what was agreed); 广州产权交易所 2024
服务费标准, 产权转让类, for the example that ships beside the exchange's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts import canonical
from contracts.money import WHOLE_BP, Money, percent

# The exchange's books run on the civil days of its seat.
SEAT = ZoneInfo("Asia/Shanghai")
TYPE = "uhdx.fees/v1"
SELLER, BUYER = "seller", "buyer"
SIDES = (SELLER, BUYER)
# How a price came about: against others (竞价), or agreed with one (协议).
BID, NEGOTIATED, ANY = "bid", "negotiated", "any"
SALES = (BID, NEGOTIATED)
LISTED, DEAL, UPLIFT = "listed", "deal", "uplift"
BASES = (LISTED, DEAL, UPLIFT)


@dataclass(frozen=True, slots=True)
class Row:
    """A tier: `rate_bp` of what lies above `above_minor` and up to `up_to_minor` (None: no end)."""

    side: str
    sale: str
    basis: str
    above_minor: int
    up_to_minor: int | None
    rate_bp: int
    verified: bool
    legal_basis: str
    source: str

    def within(self, minor: int) -> int:
        """Return how much of an amount lies in the tier."""
        top = minor if self.up_to_minor is None else min(minor, self.up_to_minor)
        return max(0, top - self.above_minor)


@dataclass(frozen=True)
class Schedule:
    """One version of a schedule; it never changes, and its hash names it.

    Amounts are minor units of `currency`; one without tiers and minimums may serve any (None).
    """

    id: str
    name_zh: str
    name_en: str
    currency: str | None
    seller_minimum_minor: int
    buyer_minimum_minor: int
    rows: tuple[Row, ...]

    @cached_property
    def content(self) -> bytes:
        """The canonical bytes that are hashed."""
        return canonical.dumps({"typ": TYPE, **self.wire()})

    @cached_property
    def sha256(self) -> str:
        """The hash by which a sale names it."""
        return canonical.sha256_hex(self.content)

    def wire(self) -> dict[str, Any]:
        """Return everything that it says, as JSON holds it."""
        said = {name: getattr(self, name) for name in (
            "id", "name_zh", "name_en", "currency", "seller_minimum_minor", "buyer_minimum_minor",
        )}  # fmt: skip
        names = Row.__slots__
        return {**said, "rows": [{n: getattr(row, n) for n in names} for row in self.rows]}

    def serves(self, currency: str) -> bool:
        """Tell whether prices in a currency can be reckoned with it."""
        return self.currency in (None, currency)

    def minimum_minor(self, side: str) -> int:
        """Return the least that a side pays for one transaction."""
        return self.seller_minimum_minor if side == SELLER else self.buyer_minimum_minor


@dataclass(frozen=True, slots=True)
class Case:
    """What a fee is reckoned of: how the price came about, what was asked, and the price."""

    sale: str
    listed: Money
    deal: Money

    def grown(self, by_minor: int) -> "Case":
        """Return the case with more proceeds (royalties, a price raised later): never uplift."""
        more = Money(by_minor, self.deal.currency)
        return replace(self, listed=self.listed + more, deal=self.deal + more)

    def minor(self, basis: str) -> int:
        """Return the amount of a basis."""
        listed, deal = self.listed.amount_minor, self.deal.amount_minor
        return {LISTED: listed, DEAL: deal, UPLIFT: max(0, deal - listed)}[basis]


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a deal says about fees: the schedule by its hash, and what they are reckoned of.

    `before_minor` is the price as it was settled before, where it is raised now.
    """

    schedule_sha256: str
    case: Case
    before_minor: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What one tier brings: `amount_minor` of the basis lies in it; the fee is not rounded yet."""

    row: Row
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Fee:
    """What a side pays, and the tiers that make it; `is_minimum` where the least is more."""

    side: str
    amount: Money
    steps: tuple[Step, ...]
    is_minimum: bool


@dataclass(frozen=True, slots=True)
class Charge:
    """A fee as a settlement takes it: the amount, its rate where it has one, and why."""

    amount: Money
    rate_bp: int
    reason: str


def check(schedule: Schedule) -> Schedule:
    """Return a schedule whose rows hold together.

    Raises:
        ValueError: a rate is out of range, a row has no basis, tiers overlap or leave a gap, or
            amounts are named without a currency.
    """
    for row in schedule.rows:
        known = (row.side in SIDES, row.sale in (*SALES, ANY), row.basis in BASES)
        if not all(known) or not 0 <= row.rate_bp <= WHOLE_BP or not row.legal_basis:
            raise ValueError(f"{row} is out of range or has no legal basis")
    minimums = schedule.seller_minimum_minor, schedule.buyer_minimum_minor
    bounded = any(minimums) or any(row.up_to_minor is not None for row in schedule.rows)
    if min(minimums) < 0 or (bounded and schedule.currency is None):
        raise ValueError(f"{schedule.id} names amounts without a currency, or below nothing")
    _check_tiers(schedule)
    return schedule


def fee(schedule: Schedule, side: str, case: Case) -> Fee:
    """Return what a side pays of a price: every tier's part, rounded half up once, or the minimum.

    A seller never pays more than the price brings. A side of which the schedule says nothing pays
    nothing.

    Raises:
        ValueError: the schedule is in another currency (a bug, not a refusal).
    """
    currency = case.deal.currency
    if not schedule.serves(currency):
        raise ValueError(f"{schedule.id} is not in {currency}")
    rows = [row for row in schedule.rows if row.side == side and row.sale in (ANY, case.sale)]
    steps = [Step(row, row.within(case.minor(row.basis))) for row in rows]
    exact = sum(step.row.rate_bp * step.amount_minor for step in steps)
    minor = (2 * exact + WHOLE_BP) // (2 * WHOLE_BP)
    least = schedule.minimum_minor(side) if rows else 0
    amount = max(minor, least)
    if side == SELLER:
        amount = min(amount, case.deal.amount_minor)
    taken = tuple(step for step in steps if step.amount_minor)
    return Fee(side, Money(amount, currency), taken, is_minimum=minor < least)


def of_settlement(schedule: Schedule, side: str, agreed: Agreed, *, gross: Money) -> Charge:
    """Return what a side pays for a settlement of `gross`: of the price, or of what was added.

    What a price was raised by later is no uplift: nobody bid it.
    """
    case, before = agreed.case, agreed.before_minor
    price = case.deal.amount_minor
    found = fee(schedule, side, case.grown(before + gross.amount_minor - price))
    if not before:
        return charge(schedule, found, of=gross)
    sooner = fee(schedule, side, case.grown(before - price))
    return charge(schedule, replace(found, amount=found.amount - sooner.amount), of=gross)


def charge(schedule: Schedule, found: Fee, *, of: Money) -> Charge:
    """Return a fee as a settlement takes it, with the tiers named that make it."""
    rates = {step.row.rate_bp for step in found.steps}
    flat = rates.pop() if len(rates) == 1 and not found.is_minimum else None
    if flat is not None and all(step.row.basis == DEAL for step in found.steps):
        first = found.steps[0].row
        return Charge(found.amount, flat, f"{percent(flat)} % commission (佣金): {said(first)}")
    effective = (2 * found.amount.amount_minor * WHOLE_BP + of.amount_minor) // (
        2 * of.amount_minor
    )
    parts = [_worded(step, found.amount.currency) for step in found.steps]
    least = " → minimum (最低收费)" if found.is_minimum else ""
    named = f"service fee (服务费) {schedule.id}: {' + '.join(parts) or '0'}{least}"
    return Charge(found.amount, min(effective, WHOLE_BP), named)


def announcement(announcement_id: UUID, schedule: Schedule, *, valid_from: date) -> bytes:
    """Return the canonical bytes of what is approved: the whole schedule, and from which day."""
    said = {
        "announcement": str(announcement_id),
        "schedule": {"typ": TYPE, **schedule.wire()},
        "valid_from": valid_from.isoformat(),
    }
    return canonical.dumps(said)


def said(row: Row) -> str:
    """Return what a row rests on."""
    return f"{row.legal_basis}; {row.source}"


def day_of(at: datetime) -> date:
    """Return the civil day of the exchange's seat."""
    return at.astimezone(SEAT).date()


def in_force(
    dated: Sequence[tuple[date, Schedule]], *, on: date, currency: str
) -> tuple[date, Schedule]:
    """Return the schedule in force on a day for prices in a currency, and since when it is.

    Raises:
        ValueError: there is none (a gap in the data, not a refusal).
    """
    found = find_in_force(dated, on=on, currency=currency)
    if found is None:
        raise ValueError(f"no fee schedule for {currency} is in force on {on}")
    return found


def find_in_force(
    dated: Sequence[tuple[date, Schedule]], *, on: date, currency: str
) -> tuple[date, Schedule] | None:
    """Return what `in_force` does, or None; of several from the same day the last counts."""
    fitting = [
        (since, place, schedule)
        for place, (since, schedule) in enumerate(dated)
        if since <= on and schedule.serves(currency)
    ]
    if not fitting:
        return None
    since, _, schedule = max(fitting, key=lambda one: one[:2])
    return since, schedule


def _worded(step: Step, currency: str) -> str:
    amount = Money(step.amount_minor, currency).decimal()
    return f"{amount} {step.row.basis} × {percent(step.row.rate_bp)} %"


def _check_tiers(schedule: Schedule) -> None:
    def key(row: Row) -> tuple[str, str, str]:
        return row.side, row.basis, row.sale

    ordered = sorted(schedule.rows, key=lambda row: (key(row), row.above_minor))
    for (side, basis, sale), grouped in groupby(ordered, key):
        rows = list(grouped)
        others = SALES if sale == ANY else (ANY,)
        if any(row.sale in others and (row.side, row.basis) == (side, basis) for row in ordered):
            raise ValueError(f"the {side}'s {basis} tiers are said twice")
        edges = [(one.up_to_minor, two.above_minor) for one, two in pairwise(rows)]
        if rows[0].above_minor or rows[-1].up_to_minor is not None:
            raise ValueError(f"the {side}'s {basis} tiers do not cover every amount")
        if any(top != bottom or top == 0 for top, bottom in edges):
            raise ValueError(f"the {side}'s {basis} tiers overlap or leave a gap")
