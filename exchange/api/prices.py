"""How the price of an offer is sent, whatever way it is reckoned."""

from typing import Annotated

from pydantic import Field

from contracts.deals import instalments, tiers
from exchange.api.deps import Shape

Whole = Annotated[int, Field(strict=True, ge=1)]
Interest = Annotated[
    int | None,
    Field(strict=True, ge=0, description="interest a year on each part after the first"),
]
Security = Annotated[
    str | None,
    Field(max_length=instalments.LONGEST_SECURITY, description="for the rest; may be empty"),
]


class PartIn(Shape):
    """A part of a price that is paid in instalments (分期付款)."""

    share_bp: Whole
    due_days: Annotated[Whole, Field(description="after the contract takes effect")]


class StepIn(Shape):
    """A step of a share (阶梯分成): up to which sum, to date; the last step is open."""

    upto_minor: Annotated[Whole | None, Field(description="a multiple of 10000")] = None
    share_bp: Annotated[Whole, Field(description="of what lies within the step")]


class PriceIn(Shape):
    """A price without its model: `amount_minor`, or `guarantee_minor` with `share_bp`, or …

    `per_run_minor` with `runs_paid`, how many runs are paid for when the contract takes effect, or
    for instalments `amount_minor` with `parts`, `rate_bp` and `security`, or for a share by steps
    `guarantee_minor` with `fee_bp`, `costs_minor` and `steps`.
    """

    amount_minor: Whole | None = None
    guarantee_minor: Whole | None = None
    share_bp: Annotated[Whole | None, Field(description="of the licensee's net receipts")] = None
    per_run_minor: Whole | None = None
    runs_paid: Whole | None = None
    parts: Annotated[
        list[PartIn] | None, Field(max_length=instalments.MOST_PARTS, description="of the price")
    ] = None
    rate_bp: Interest = None
    security: Security = None
    fee_bp: Annotated[
        int | None,
        Field(strict=True, ge=0, description="the licensee's distribution fee, of net receipts"),
    ] = None
    costs_minor: Annotated[
        int | None,
        Field(strict=True, ge=0, description="distribution costs taken back next, in all"),
    ] = None
    steps: Annotated[
        list[StepIn] | None,
        Field(max_length=tiers.MOST_STEPS, description="of what is left, to date"),
    ] = None
