"""Usage reports (使用报表): what a licensee received and showed in a period, read from CSV or JSON.

Each line is one source of money (a medium, a channel, a sub-licensee); sources are told apart by
their names. A report says everything of its period; another of the same period takes its place.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from contracts import canonical
from contracts.money import MOST_MINOR
from contracts.refusal import Kind, Refusal

COLUMNS = ("source", "runs", "gross_minor", "deductions_minor")
MOST_LINES, MOST_RUNS, LONGEST_SOURCE = 2_000, 100_000, 120
LONGEST_PERIOD_DAYS = 366


class BadReport(Refusal):
    """The report cannot be read, or says something impossible."""

    kind, code = Kind.INVALID, "bad-usage-report"
    hint = "Send the columns in `wants`: whole numbers that are not negative, each source once."


@dataclass(frozen=True, slots=True)
class Line:
    """What one source brought: whole minor units without tax, and the runs shown."""

    source: str
    runs: int
    gross_minor: int
    deductions_minor: int


@dataclass(frozen=True, slots=True)
class Report:
    """The lines of a period from its first day to its last."""

    first_day: date
    last_day: date
    lines: tuple[Line, ...]

    @property
    def receipts_minor(self) -> int:
        """Net receipts (净收入): what came in less what was deducted; it may be negative."""
        return sum(line.gross_minor - line.deductions_minor for line in self.lines)

    @property
    def runs(self) -> int:
        """How many runs were shown."""
        return sum(line.runs for line in self.lines)

    def content(self) -> bytes:
        """Return the canonical bytes of the report."""
        return canonical.dumps(
            {
                "typ": "uhdx.usage/v1",
                "from": self.first_day.isoformat(),
                "to": self.last_day.isoformat(),
                "lines": [
                    {
                        "source": line.source,
                        "runs": line.runs,
                        "gross_minor": line.gross_minor,
                        "deductions_minor": line.deductions_minor,
                    }
                    for line in sorted(self.lines, key=lambda line: line.source)
                ],
            }
        )


def read_csv(table: str) -> list[dict[str, Any]]:
    """Read the lines of a report from CSV text whose first row names `COLUMNS`.

    Raises:
        BadReport: a column is missing or unknown, or a number is none.
    """
    rows = csv.DictReader(io.StringIO(table.removeprefix("\ufeff")), strict=True)
    try:
        if sorted(rows.fieldnames or ()) != sorted(COLUMNS):
            raise BadReport("The first row does not name the columns.", wants=list(COLUMNS))
        return [_numbered(row, number) for number, row in enumerate(rows, 2)]
    except csv.Error as broken:
        raise BadReport(f"The file is no CSV: {broken}.", wants=list(COLUMNS)) from None


def report(first_day: date, last_day: date, lines: Sequence[Mapping[str, Any]]) -> Report:
    """Return the report that these lines make.

    Raises:
        BadReport: the period or a line is impossible.
    """
    days = (last_day - first_day).days + 1
    if not 1 <= days <= LONGEST_PERIOD_DAYS:
        raise BadReport("A period has 1 to 366 days.", days=days)
    if not 1 <= len(lines) <= MOST_LINES:
        raise BadReport("A report has 1 to 2000 lines.", most=MOST_LINES)
    made = tuple(_line(line, number) for number, line in enumerate(lines, 1))
    if len({line.source for line in made}) != len(made):
        raise BadReport("A source is named twice.", field="source")
    return Report(first_day, last_day, made)


def overlaps(one: tuple[date, date], other: tuple[date, date]) -> bool:
    """Tell whether two periods, first and last days, share a day and are not the same."""
    return one != other and one[0] <= other[1] and other[0] <= one[1]


def _line(line: Mapping[str, Any], number: int) -> Line:
    source = str(line["source"]).strip()
    if not 1 <= len(source) <= LONGEST_SOURCE or not source.isprintable():
        raise BadReport("A source has no name that can be read.", line=number, field="source")
    limits = {"runs": MOST_RUNS, "gross_minor": MOST_MINOR, "deductions_minor": MOST_MINOR}
    for field, most in limits.items():
        if type(line[field]) is not int or not 0 <= line[field] <= most:
            raise BadReport("A number is out of range.", line=number, field=field, most=most)
    return Line(source, line["runs"], line["gross_minor"], line["deductions_minor"])


def _numbered(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    if None in row or None in row.values():
        raise BadReport("A row has too few or too many columns.", line=number)
    made: dict[str, Any] = {"source": row["source"]}
    for field in COLUMNS[1:]:
        text = row[field].strip()
        if not (text.isascii() and text.isdigit()):
            raise BadReport("A number is none.", line=number, field=field)
        made[field] = int(text)
    return made
