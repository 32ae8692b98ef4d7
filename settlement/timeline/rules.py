"""What a timeline is made of, and what comes next (pure)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from contracts import calendar
from contracts.calendar import YearNotLoaded
from contracts.money import Money

# The exchange's own promise, in working days: the money came → a payout is prepared → decided.
PREPARE_WITHIN_DAYS, DECIDE_WITHIN_DAYS = 2, 1
PAY, PREPARE, DECIDE, WAIT = "pay", "prepare", "decide", "wait"
DECIDE_REFUND, WAIT_REFUND, DECIDE_RED_LETTER = "decide-refund", "wait-refund", "decide-red-letter"
RESEND_REFUND = "resend-refund"  # it failed, and its payer is still owed it
EVIDENCE, JUDGED = "evidence", "judged"  # of a dispute: to be handed in; with the bank
# Where several things have one instant, they stand in this order.
STEP, JOURNAL, FACT = "step", "journal", "fact"
SOURCES = (STEP, JOURNAL, FACT)
# Steps of one instant stand as one leads to another: what is asked for, decided, sent, and done.
ORDER = (
    "settlement.planned", "invoice.issued", "payment.requested", "payout.prepared",
    "refund.prepared", "red-letter.prepared", "payout.approved", "payout.refused",
    "refund.approved", "refund.refused", "red-letter.refused", "instruction.written",
    "instruction.sent", "instruction.done", "instruction.failed", "payment.succeeded",
    "payment.failed", "invoice.paid", "payout.paid", "refund.made", "refund.failed",
    "dispute.opened", "dispute.inquiry_closed", "dispute.won", "dispute.lost", "dispute.charged",
    "red-letter.issued",
)  # fmt: skip
_RANK = {kind: rank for rank, kind in enumerate(ORDER)}


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
        number: of a journal or a fact: its own number or its leaf; None while it has none.
    """

    at: datetime
    source: str
    kind: str
    by: UUID | None = None
    amount: Money | None = None
    name: str | None = None
    note: str | None = None
    lines: tuple[tuple[str, Money], ...] = ()
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """What has to happen next, who does it, and by the end of which day (Beijing).

    `about` is the refund, dispute or red letter that waits; None where it is the settlement's way.
    """

    kind: str
    role: str
    due_on: date | None
    about: UUID | None = None


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries by time; at one instant the step comes before its journal and its fact.

    Journals and facts of one instant stand by their numbers; a fact that is not sealed yet is last.
    """
    return sorted(entries, key=_place)


def _place(entry: Entry) -> tuple[datetime, int, int, bool, int]:
    rank = _RANK.get(entry.kind, len(ORDER)) if entry.source == STEP else 0
    source = SOURCES.index(entry.source)
    return (entry.at, source, rank, entry.number is None, entry.number or 0)


def soonest(waiting: Iterable[Next]) -> list[Next]:
    """Return what waits, what is due first before the rest; what has no day comes last."""
    return sorted(waiting, key=lambda one: one.due_on or date.max)


def last_day(due_at: datetime) -> date:
    """Return the last day on which something is in time that is late from an instant on."""
    return calendar.day_of(due_at - timedelta(microseconds=1))


def due_on(since: datetime, days: int) -> date | None:
    """Return the last of so many working days; None where that year's notice is not out yet."""
    try:
        return calendar.add_working_days(calendar.day_of(since), days)
    except YearNotLoaded:
        return None


def next_of(
    state: str, entries: Sequence[Entry], *, late_from: datetime | None = None
) -> Next | None:
    """Return what comes next after these steps; None when all is paid out.

    Args:
        state: the settlement's state.
        entries: its timeline.
        late_from: the first instant at which its invoice is late, where there is one.
    """
    if state == "awaiting_payment":
        return Next(PAY, "broadcaster", None if late_from is None else last_day(late_from))
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
