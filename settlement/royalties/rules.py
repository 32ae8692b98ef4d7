"""Decisions about usage reports: of which deal, of which period, when their money is due (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from contracts.refusal import Kind, Refusal
from settlement.royalties import reports, waterfall
from settlement.royalties.reports import Report
from settlement.royalties.waterfall import Figures, Waterfall

# What the clauses call a year and a quarter.
MONTHS_OF = {"guarantee-share": 12, "guarantee-tiers": 12, "per-run": 3}
STATEMENT_DAYS = 30


class NothingToReport(Refusal):
    """The price of this deal does not depend on its use, or it is not reckoned here."""

    kind, code = Kind.CONFLICT, "nothing-to-report"
    hint = (
        "Reports are for deals with a guarantee and a share, or by the run, that nothing amended."
    )


class PeriodOverlaps(Refusal):
    """The period shares days with another that was reported."""

    kind, code = Kind.CONFLICT, "usage-period-overlaps"
    hint = "Report the period in `from` and `to` once more to correct it, or days outside of it."


class PeriodNotOver(Refusal):
    """The period has not ended."""

    kind, code = Kind.CONFLICT, "usage-period-not-over"
    hint = "Report it once its last day is over."


@dataclass(frozen=True, slots=True)
class Reported:
    """A version of a report: its period and its sums."""

    period: tuple[date, date]
    version: int
    receipts_minor: int
    runs: int


def waterfall_of(terms: Mapping[str, Any], *, amended: bool) -> Waterfall:
    """Return the waterfall of a deal.

    Raises:
        NothingToReport: its price is a fixed sum, or the deal is one of a row of amendments.
    """
    said = terms.get("consideration")
    found = waterfall.of_terms(said) if said else None
    if found is None or amended:
        raise NothingToReport("Nothing is reported for this deal.", amended=amended)
    return found


def next_version(report: Report, known: Sequence[Reported], *, today: date) -> int:
    """Return the version of a report among those known.

    Raises:
        PeriodNotOver: its last day is not over.
        PeriodOverlaps: it shares days with another period.
    """
    period = report.first_day, report.last_day
    if report.last_day >= today:
        raise PeriodNotOver("The period is not over.", last_day=report.last_day.isoformat())
    for one in known:
        if reports.overlaps(one.period, period):
            first, last = one.period
            raise PeriodOverlaps(
                "The period overlaps another.",
                **{"from": first.isoformat(), "to": last.isoformat()},
            )
    return 1 + sum(one.period == period for one in known)


def latest(known: Iterable[Reported]) -> list[Reported]:
    """Return the reports that count, by their periods: of each the highest version."""
    counts: dict[tuple[date, date], Reported] = {}
    for one in known:
        if one.period not in counts or one.version > counts[one.period].version:
            counts[one.period] = one
    return sorted(counts.values(), key=lambda one: one.period)


def to_date(known: Iterable[Reported]) -> Figures:
    """Return the figures of all periods, each by its highest version."""
    counts = latest(known)
    return Figures(sum(one.receipts_minor for one in counts), sum(one.runs for one in counts))


def due_on(terms: Mapping[str, Any], last_day: date) -> date:
    """Return the day by which a period's royalties are paid, as the clause about the fee has it.

    That is so many days after the end of the calendar year, or quarter, of the period's last day.
    """
    months = MONTHS_OF[terms["consideration"]["kind"]]
    days = terms.get("parameters", {}).get("statement_days", STATEMENT_DAYS)
    end = (last_day.month + months - 1) // months * months  # the last month of the span
    following = date(last_day.year + end // 12, end % 12 + 1, 1)
    return following - timedelta(days=1) + timedelta(days=days)
