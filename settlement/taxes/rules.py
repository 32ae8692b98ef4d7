"""Taxes reckoned (增值税、代扣代缴): dated rows with their legal basis, never constants (pure).

A row says what holds between a payer and a payee from one day to another, and whether somebody has
read the official text (`verified`). Integers only, half away from zero, once for each amount.
"""

import calendar
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from contracts.money import WHOLE_BP, Money
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line

VAT, WITHHELD_INCOME, WITHHELD_VAT = "vat", "withheld-income", "withheld-vat"
HOME, ABROAD = "CN", "abroad"
WITHHELD = (WITHHELD_INCOME, WITHHELD_VAT)
# What a rate is of: the gross; the gross as a sum that holds the tax; the gross without such tax.
GROSS, WITH_VAT, WITHOUT_VAT = "gross", "with-vat", "without-vat"
BY_DAY, BY_MONTH = "day", "month"


@dataclass(frozen=True, slots=True)
class TaxRule:
    """A tax between a payer and a payee, up to and including `valid_to` (None: until further).

    A row whose payee is one country abroad is of the treaty with it, and holds for those who claim
    it alone. `authority` is where what is withheld goes.
    """

    code: str
    payer: str
    payee: str
    valid_from: date
    valid_to: date | None
    rate_bp: int
    verified: bool
    legal_basis: str
    base: str = GROSS
    authority: str = HOME

    @property
    def id(self) -> str:
        """What names the row: its code, its two sides and its first day."""
        return f"{self.code}/{self.payer}-{self.payee}/{self.valid_from.isoformat()}"

    def holds(self, *, payer: str, payee: str, on: date) -> bool:
        """Tell whether the rule applies between these two on a day."""
        where = ABROAD if payee != HOME else payee
        return self.is_between(payer, where, on=on)

    def is_between(self, payer: str, payee: str, *, on: date) -> bool:
        """Tell whether the row is of exactly these two on a day."""
        if (self.payer, self.payee) != (payer, payee):
            return False
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when a withheld tax is remitted: so many days after its day, or after its month."""

    code: str
    valid_from: date
    valid_to: date | None
    period: str
    days: int
    verified: bool
    legal_basis: str


@dataclass(frozen=True, slots=True)
class Taxed:
    """An amount with the tax in it; net and tax make the gross, exactly."""

    net: Money
    tax: Money
    gross: Money
    rate_bp: int


@dataclass(frozen=True, slots=True)
class Withholding:
    """What is kept back of a payee's gross, rule by rule, and what the payee receives."""

    gross: Money
    kept: tuple[tuple[TaxRule, Money], ...]
    paid: Money


def read_rules(table: str) -> tuple[TaxRule, ...]:
    """Read tax rules from CSV text.

    Raises:
        ValueError: a rate is out of range, a row has no basis, or two rows hold at once.
    """
    rules = tuple(
        TaxRule(
            code=row["code"],
            payer=row["payer"],
            payee=row["payee"],
            valid_from=date.fromisoformat(row["valid_from"]),
            valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            rate_bp=int(row["rate_bp"]),
            verified={"yes": True, "no": False}[row["verified"]],
            legal_basis=row["legal_basis"],
            base=row.get("base") or GROSS,
            authority=row.get("authority") or HOME,
        )
        for row in csv.DictReader(io.StringIO(table))
    )
    for place, rule in enumerate(rules):
        known = rule.base in (GROSS, WITH_VAT, WITHOUT_VAT)
        if not known or not 0 <= rule.rate_bp <= WHOLE_BP or not rule.legal_basis:
            raise ValueError(f"{rule} is out of range or has no legal basis")
        if any(_both_hold(rule, other) for other in rules[:place]):
            raise ValueError(f"{rule} overlaps another row of its code")
    return rules


def find(
    rules: Sequence[TaxRule], code: str, *, payer: str, payee: str, on: date
) -> TaxRule | None:
    """Return the rule of a code between two on a day, or None where there is no such tax."""
    fitting = (rule for rule in rules if rule.code == code)
    return next((rule for rule in fitting if rule.holds(payer=payer, payee=payee, on=on)), None)


def read_deadlines(table: str) -> tuple[Deadline, ...]:
    """Read from CSV text until when withheld taxes are remitted.

    Raises:
        ValueError: a row is out of range or has no legal basis.
    """
    found = tuple(
        Deadline(
            code=row["code"],
            valid_from=date.fromisoformat(row["valid_from"]),
            valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            period=row["period"],
            days=int(row["days"]),
            verified={"yes": True, "no": False}[row["verified"]],
            legal_basis=row["legal_basis"],
        )
        for row in csv.DictReader(io.StringIO(table))
    )
    for one in found:
        if one.period not in (BY_DAY, BY_MONTH) or one.days < 0 or not one.legal_basis:
            raise ValueError(f"{one} is out of range or has no legal basis")
    return found


def falls_due(deadlines: Sequence[Deadline], code: str, *, on: date) -> tuple[str, date]:
    """Return the period that a tax withheld on a day belongs to, and the last day to remit it.

    A last day that is no working day is not moved: who pays before it is in time in any case.

    Raises:
        ValueError: no row holds for the tax (a fault of the rows).
    """
    for one in deadlines:
        is_in_time = one.valid_from <= on and (one.valid_to is None or on <= one.valid_to)
        if one.code == code and is_in_time:
            if one.period == BY_DAY:
                return on.isoformat(), on + timedelta(days=one.days)
            end = on.replace(day=calendar.monthrange(on.year, on.month)[1])
            return on.isoformat()[:7], end + timedelta(days=one.days)
    raise ValueError(f"no row says until when {code} is remitted")


def find_withheld(
    rules: Sequence[TaxRule], *, payer: str, payee: str, claims_treaty: bool, on: date
) -> list[TaxRule]:
    """Return the rows of what is withheld between two countries on a day.

    Where the payee claims the treaty of its country, the treaty's row takes the place of the
    general one, unless it is higher.
    """
    found = []
    for code in WITHHELD:
        general = find(rules, code, payer=payer, payee=payee, on=on)
        treaty = next(
            (one for one in rules if one.code == code and one.is_between(payer, payee, on=on)), None
        )
        if general is None or payee == HOME:
            continue
        lowers = claims_treaty and treaty is not None and treaty.rate_bp < general.rate_bp
        found.append(treaty if lowers and treaty is not None else general)
    return found


def included(gross: Money, rate_bp: int) -> Taxed:
    """Return the tax that a price holds already (价税合计)."""
    tax = Money(_half_away(gross.amount_minor * rate_bp, WHOLE_BP + rate_bp), gross.currency)
    return Taxed(gross - tax, tax, gross, rate_bp)


def vat_within(rules: Sequence[TaxRule], gross: Money, *, on: date) -> Taxed:
    """Return the VAT that a price between two at home holds on a day; none where no row holds."""
    rule = find(rules, VAT, payer=HOME, payee=HOME, on=on)
    return included(gross, 0 if rule is None else rule.rate_bp)


def added(net: Money, rate_bp: int) -> Taxed:
    """Return the tax that comes on top of a price."""
    tax = Money(_half_away(net.amount_minor * rate_bp, WHOLE_BP), net.currency)
    return Taxed(net, tax, net + tax, rate_bp)


def earned_lines(fee: Taxed) -> list[Line]:
    """Return what a fee earned adds to the books: income without its VAT, and the VAT owed."""
    zero = Money(0, fee.gross.currency)
    return [(accounts.COMMISSION, zero - fee.net), (accounts.VAT_OUTPUT, zero - fee.tax)]


def returned_lines(amount: Money, tax: Money) -> list[Line]:
    """Return what a part of a fee that goes back takes out of income and out of the VAT owed."""
    return [(accounts.COMMISSION, amount - tax), (accounts.VAT_OUTPUT, tax)]


def withhold(gross: Money, rules: Sequence[TaxRule]) -> Withholding:
    """Return what is kept back of a payee's gross, each tax of its base, and what is paid.

    Raises:
        ValueError: the taxes together would be more than the gross (a fault of the rows).
    """
    if sum(rule.rate_bp for rule in rules) > WHOLE_BP:
        raise ValueError("the taxes would be more than what they are taken of")
    left, kept = gross, []
    for rule in sorted(rules, key=lambda rule: rule.code):
        wanted = _of_base(gross, rule, rules)
        tax = wanted if left >= wanted else left
        kept.append((rule, tax))
        left = left - tax
    return Withholding(gross, tuple(kept), left)


def _of_base(gross: Money, rule: TaxRule, rules: Sequence[TaxRule]) -> Money:
    if rule.base == WITH_VAT:
        return included(gross, rule.rate_bp).tax
    vat_bp = 0
    if rule.base == WITHOUT_VAT:
        vat_bp = sum(one.rate_bp for one in rules if one.base == WITH_VAT)
    minor = _half_away(gross.amount_minor * rule.rate_bp, WHOLE_BP + vat_bp)
    return Money(minor, gross.currency)


def given_back(charged_minor: int, *, back_minor: int, of_minor: int) -> int:
    """Return how much of a charge goes back when `back_minor` of `of_minor` went back to date.

    Cumulative: never above what was charged, and all of it when everything went back.
    """
    if not 0 <= back_minor <= of_minor or of_minor == 0:
        raise ValueError("no more goes back than there was")
    return _half_away(charged_minor * back_minor, of_minor)


def _half_away(numerator: int, denominator: int) -> int:
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return size if numerator >= 0 else -size


def _both_hold(one: TaxRule, other: TaxRule) -> bool:
    if (one.code, one.payer, one.payee) != (other.code, other.payer, other.payee):
        return False
    return one.valid_from <= (other.valid_to or date.max) and other.valid_from <= (
        one.valid_to or date.max
    )
