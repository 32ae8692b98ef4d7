"""Late payment decided: which days are late, and what each of them costs (pure).

Source: the clause about breach of each contract (so many ten-thousandths of what is unpaid for each
day), 民法典 art. 585 (违约金), art. 563 ¶1 (3) and 565 (rescission after a demand, 催告).
Differs from the source: only what the contract says is asked for; whether it is too much (art. 585
¶2) is for a court.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from contracts import calendar
from contracts.money import WHOLE_BP, Money
from contracts.refusal import Kind, Refusal
from settlement.plans.rules import INSTALMENT, PRICE, ROYALTIES

# What a contract may end for when it is not paid; interest alone is no reason.
ESSENTIAL = (PRICE, INSTALMENT, ROYALTIES)
_DAY = timedelta(days=1)


class NothingOverdue(Refusal):
    """No part of the price, and no royalties, of this deal are late."""

    kind, code = Kind.CONFLICT, "nothing-overdue"
    hint = "See `due_at` of what the deal owes: a demand follows when one of them has passed."


@dataclass(frozen=True, slots=True)
class Late:
    """An amount that was due by an instant, at so many ten-thousandths for each day after it."""

    principal: Money
    due_at: datetime
    rate_bp: int

    @property
    def first_day(self) -> date:
        """The first day that is late: `due_at` is its first instant, or lies within it."""
        return calendar.day_of(self.due_at)


def sum_for(late: Late, days: int) -> Money:
    """Return what so many days cost, rounded half up once."""
    scaled = late.principal.amount_minor * late.rate_bp * days
    return Money((2 * scaled + WHOLE_BP) // (2 * WHOLE_BP), late.principal.currency)


def between(late: Late, *, after: date | None, through: date) -> Iterator[tuple[date, Money]]:
    """Yield each late day after one (None: from the first) and through another, with its cost.

    Days add up to the sum of the whole span however it is split, and the cost of one day is never
    the basis of another's: there is no interest on interest.
    """
    day = late.first_day if after is None else max(late.first_day, after + _DAY)
    while day <= through:
        number = (day - late.first_day).days
        yield day, sum_for(late, number + 1) - sum_for(late, number)
        day += _DAY
