"""Waterfalls (分账瀑布): ordered tiers on cumulative figures, recoupment of an advance (pure).

Every figure is the sum of all periods to date. What a statement asks for is what the figures to
date give, less what was asked for before: late and corrected reports adjust themselves. Tiers take
exact fractions, and the licensor's sum is rounded once: so more use never pays less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

from contracts import canonical
from contracts.deals import pricing, tiers
from contracts.deals.tiers import Tiers
from contracts.money import WHOLE_BP, from_decimal

VERSION = "uhdx.waterfall/v1"
LICENSOR, LICENSEE = "licensor", "licensee"
RECEIPTS, REST = "receipts", "rest"


@dataclass(frozen=True, slots=True)
class Tier:
    """One step: `to` takes `rate_bp` of the basis, at most `cap_minor` and what is left.

    `basis` is all receipts to date, or what the tiers before this one left of them.
    """

    code: str
    to: str
    basis: str
    rate_bp: int
    cap_minor: int | None = None


@dataclass(frozen=True, slots=True)
class RunFee:
    """A fee for each run beyond those paid for with the price."""

    each_minor: int
    paid_runs: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    """What a contract says about sharing: tiers, a fee by the run, the advance to be recouped."""

    tiers: tuple[Tier, ...]
    currency: str
    advance_minor: int = 0
    run_fee: RunFee | None = None

    @property
    def sha256(self) -> str:
        """The hash by which a statement names the version it was reckoned with."""
        fee = self.run_fee
        return canonical.sha256_hex(
            canonical.dumps(
                {
                    "typ": VERSION,
                    "currency": self.currency,
                    "advance_minor": self.advance_minor,
                    "run_fee": None if fee is None else [fee.each_minor, fee.paid_runs],
                    "tiers": [
                        [tier.code, tier.to, tier.basis, tier.rate_bp, tier.cap_minor]
                        for tier in self.tiers
                    ],
                }
            )
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What was reported, all periods to date together: net receipts and runs."""

    receipts_minor: int
    runs: int


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What the figures to date give the licensor, and how much of its advance they recouped.

    `payable_minor` is all that is owed beyond the advance, whatever was asked for before.
    """

    earned_minor: int
    recouped_minor: int
    unrecouped_minor: int
    payable_minor: int


@dataclass(frozen=True, slots=True)
class Owed:
    """What a statement asks for, and what was asked for too much before and is carried on."""

    due_minor: int
    carried_minor: int


def of_terms(consideration: Mapping[str, Any]) -> Waterfall | None:
    """Return the waterfall that a contract's price makes; None where nothing is reported."""
    currency = str(consideration["currency"])
    if consideration["kind"] == pricing.GUARANTEE_SHARE:
        share = Tier("licensor-share", LICENSOR, RECEIPTS, consideration["share_bp"])
        rest = Tier("licensee-rest", LICENSEE, REST, WHOLE_BP)
        advance = from_decimal(consideration["amount"], currency).amount_minor
        return Waterfall((share, rest), currency, advance_minor=advance)
    if consideration["kind"] == pricing.GUARANTEE_TIERS:
        advance = from_decimal(consideration["amount"], currency).amount_minor
        return Waterfall(_stepped(tiers.of_terms(consideration)), currency, advance_minor=advance)
    if consideration["kind"] == pricing.PER_RUN:
        each = from_decimal(consideration["per_run"], currency).amount_minor
        fee = RunFee(each, consideration["runs_paid"])
        return Waterfall((), currency, run_fee=fee)
    return None


def _stepped(said: Tiers) -> tuple[Tier, ...]:
    """Return fee, costs and steps as tiers: within a step both sides take until it is full."""
    made = []
    if said.fee_bp:
        made.append(Tier("distribution-fee", LICENSEE, RECEIPTS, said.fee_bp))
    if said.costs_minor:
        made.append(Tier("costs", LICENSEE, REST, WHOLE_BP, cap_minor=said.costs_minor))
    for number, (width, share_bp) in enumerate(tiers.widths(said), 1):
        mine = None if width is None else width * share_bp // WHOLE_BP  # whole, as steps end so
        made.append(Tier(f"step-{number}-licensor", LICENSOR, REST, share_bp, cap_minor=mine))
        other = None if width is None or mine is None else width - mine
        made.append(Tier(f"step-{number}-licensee", LICENSEE, REST, WHOLE_BP, cap_minor=other))
    return tuple(made)


def takes(order: Sequence[Tier], receipts_minor: int) -> list[tuple[Tier, Fraction]]:
    """Return what each tier takes of the receipts to date, in order; never more than there is."""
    whole = Fraction(max(0, receipts_minor))
    left, taken = whole, []
    for tier in order:
        wanted = (whole if tier.basis == RECEIPTS else left) * tier.rate_bp / WHOLE_BP
        if tier.cap_minor is not None:
            wanted = min(wanted, Fraction(tier.cap_minor))
        got = min(wanted, left)
        taken.append((tier, got))
        left -= got
    return taken


def reckon(waterfall: Waterfall, figures: Figures) -> Reckoned:
    """Return what the figures to date earn, recoup and make payable."""
    taken = takes(waterfall.tiers, figures.receipts_minor)
    exact = sum((got for tier, got in taken if tier.to == LICENSOR), Fraction(0))
    earned = floor(exact + Fraction(1, 2))
    if waterfall.run_fee is not None:
        more = max(0, figures.runs - waterfall.run_fee.paid_runs)
        earned += more * waterfall.run_fee.each_minor
    recouped = min(earned, waterfall.advance_minor)
    return Reckoned(earned, recouped, waterfall.advance_minor - recouped, earned - recouped)


def owed(payable_minor: int, *, before_minor: int) -> Owed:
    """Return what is still to be asked for; what was asked for too much is carried, never below."""
    due = max(0, payable_minor - before_minor)
    return Owed(due, max(0, before_minor - payable_minor))
