"""What a timeline is made of, and what comes next (pure)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from contracts import calendar
from contracts.calendar import YearNotLoaded
from contracts.money import Money

# The exchange's own promise, in working days: the money came → a payout is prepared → decided.
PREPARE_WITHIN_DAYS, DECIDE_WITHIN_DAYS = 2, 1
PAY, PREPARE, DECIDE, WAIT = "pay", "prepare", "decide", "wait"
# Where several things have one instant, they stand in this order.
STEP, JOURNAL, FACT = "step", "journal", "fact"
SOURCES = (STEP, JOURNAL, FACT)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline.

    Attributes:
        at: when it happened.
        source: a step of somebody's work, a journal in the books, or a fact in the log.
        kind: what it is, e.g. `payout.approved`.
        by: the person who did it, where a person did.
        amount: how much, where it is about one amount.
        name: what it is called outside: an invoice's number, the id at the provider, a leaf.
        note: a reason, a hash, or what went wrong.
        lines: of a journal: its accounts with their signed amounts (借 +, 贷 -).
    """

    at: datetime
    source: str
    kind: str
    by: UUID | None = None
    amount: Money | None = None
    name: str | None = None
    note: str | None = None
    lines: tuple[tuple[str, Money], ...] = ()


@dataclass(frozen=True, slots=True)
class Next:
    """What has to happen next, who does it, and by the end of which day (Beijing)."""

    kind: str
    role: str
    due_on: date | None


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries by time; at one instant the step comes before its journal and its fact."""
    return sorted(entries, key=lambda entry: (entry.at, SOURCES.index(entry.source)))


def due_on(since: datetime, days: int) -> date | None:
    """Return the last of so many working days; None where that year's notice is not out yet."""
    try:
        return calendar.add_working_days(calendar.day_of(since), days)
    except YearNotLoaded:
        return None


def next_of(state: str, entries: Sequence[Entry]) -> Next | None:
    """Return what comes next after these steps; None when all is paid out.

    Args:
        state: the settlement's state.
        entries: its timeline.
    """
    if state == "awaiting_payment":
        return Next(PAY, "broadcaster", None)
    if state == "paying":
        return Next(WAIT, "exchange", None)
    if state != "funded":
        return None
    steps = [entry for entry in ordered(entries) if entry.source == STEP]
    last = {entry.kind: entry.at for entry in steps}
    kinds = [entry.kind for entry in steps if entry.kind in ("payout.prepared", "payout.refused")]
    if kinds and kinds[-1] == "payout.prepared":
        return Next(DECIDE, "approver", due_on(last["payout.prepared"], DECIDE_WITHIN_DAYS))
    since = last.get("invoice.paid")
    return Next(PREPARE, "operator", None if since is None else due_on(since, PREPARE_WITHIN_DAYS))
