"""A share that rises or falls with what a work brings (阶梯分成), after fee and costs (pure).

What a licensee receives is divided in an order, on the sums to date: first its distribution fee
(发行费), a share of everything; then the distribution costs (发行成本) that were agreed, up to
their sum; of what is left after them, each step of it is shared at the step's own rate. The
guarantee is set off against the licensor's share.

Source: the order in which film contracts pay (fee, expenses with a cap, recoupment, split).
Differs from the source: the costs are a sum that both sides agree on, not what was spent, so that
no expense has to be proved; what was deducted from receipts stays in the report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from contracts.money import MOST_MINOR, WHOLE_BP, Money, from_decimal, percent
from contracts.refusal import Kind, Refusal

MOST_STEPS, FEWEST_STEPS = 6, 1
STEP_FIELDS = frozenset({"upto_minor", "share_bp"})
FIELDS = frozenset({"fee_bp", "costs_minor", "steps"})


class BadTiers(Refusal):
    """The steps of a share do not follow one another, or a figure is out of range."""

    kind, code = Kind.INVALID, "bad-tiers"
    hint = (
        "Give a fee of 0 to 9999 basis points, costs of 0 or more, and 1 to 6 steps: `upto_minor` "
        "rising, whole multiples of 10000, null in the last alone, `share_bp` of 1 to 10000."
    )


@dataclass(frozen=True, slots=True)
class Tiers:
    """Fee in basis points, costs in minor units, and the steps: (up to, share), the last open."""

    fee_bp: int
    costs_minor: int
    steps: tuple[tuple[int | None, int], ...]


def read(wire: Mapping[str, Any]) -> Tiers:
    """Read fee, costs and steps from the fields of a price.

    A step ends at a multiple of 10,000 minor units: the shares of a whole step are then whole.

    Raises:
        BadTiers: they do not hold together.
    """
    fee_bp = _whole(wire.get("fee_bp"), "fee_bp", least=0, most=WHOLE_BP - 1)
    costs_minor = _whole(wire.get("costs_minor"), "costs_minor", least=0, most=MOST_MINOR)
    said = wire.get("steps")
    if not isinstance(said, list) or not FEWEST_STEPS <= len(said) <= MOST_STEPS:
        raise BadTiers("There are no steps, or too many.", field="steps", most=MOST_STEPS)
    steps = tuple(_step(one, is_last=place == len(said)) for place, one in enumerate(said, 1))
    ends = [0, *(upto for upto, _ in steps if upto is not None)]
    if any(later <= sooner for sooner, later in pairwise(ends)):
        raise BadTiers("A step does not end after the one before.", field="steps")
    return Tiers(fee_bp, costs_minor, steps)


def widths(tiers: Tiers) -> list[tuple[int | None, int]]:
    """Return how wide each step is, None where it is open, with its share."""
    ends = [0, *(upto for upto, _ in tiers.steps if upto is not None)]
    return [
        (None if upto is None else upto - before, share_bp)
        for before, (upto, share_bp) in zip(ends, tiers.steps, strict=True)
    ]


def consideration(tiers: Tiers, currency: str) -> dict[str, Any]:
    """Return what the terms of a contract say of fee, costs and steps."""
    return {
        "share_of": "net-receipts",
        "fee_bp": tiers.fee_bp,
        "costs": Money(tiers.costs_minor, currency).decimal(),
        "steps": [
            {
                "upto": None if upto is None else Money(upto, currency).decimal(),
                "share_bp": share_bp,
            }
            for upto, share_bp in tiers.steps
        ],
    }


def of_terms(said: Mapping[str, Any]) -> Tiers:
    """Return what `consideration` wrote."""
    currency = str(said["currency"])
    return Tiers(
        said["fee_bp"],
        from_decimal(said["costs"], currency).amount_minor,
        tuple(
            (
                None if one["upto"] is None else from_decimal(one["upto"], currency).amount_minor,
                one["share_bp"],
            )
            for one in said["steps"]
        ),
    )


def parameters(tiers: Tiers, currency: str) -> dict[str, Any]:
    """Return what the clause about the steps leaves open: figures, read alike in both languages."""
    return {
        "fee_percent": percent(tiers.fee_bp),
        "costs": Money(tiers.costs_minor, currency).decimal(),
        "steps": ladder(tiers, currency),
    }


def ladder(tiers: Tiers, currency: str) -> str:
    """Return the steps as figures: `0.00-5000000.00: 30.00%; 5000000.00+: 50.00%`."""
    said, before = [], Money(0, currency).decimal()
    for upto, share_bp in tiers.steps:
        after = None if upto is None else Money(upto, currency).decimal()
        span = f"{before}+" if after is None else f"{before}-{after}"
        said.append(f"{span}: {percent(share_bp)}%")
        before = after or before
    return "; ".join(said)


def _step(one: Any, *, is_last: bool) -> tuple[int | None, int]:
    if not isinstance(one, Mapping) or not {"share_bp"} <= one.keys() <= STEP_FIELDS:
        raise BadTiers("A step has an end and a share.", field="steps")
    share_bp = _whole(one["share_bp"], "share_bp", least=1, most=WHOLE_BP)
    if (one.get("upto_minor") is None) != is_last:
        raise BadTiers("The last step, and only that, is open.", field="steps")
    if is_last:
        return None, share_bp
    upto = _whole(one["upto_minor"], "upto_minor", least=WHOLE_BP, most=MOST_MINOR)
    if upto % WHOLE_BP:
        raise BadTiers("A step ends at a multiple of 10000.", field="upto_minor")
    return upto, share_bp


def _whole(value: Any, field: str, *, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise BadTiers("A number is out of range.", field=field, least=least, most=most)
    return value
