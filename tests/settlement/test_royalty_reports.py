from datetime import date
from typing import Any

import pytest

from settlement.royalties import reports
from settlement.royalties.reports import BadReport

HEAD = "source,runs,gross_minor,deductions_minor\n"
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def line(source: str = "IPTV", **change: Any) -> dict[str, Any]:
    return {"source": source, "runs": 1, "gross_minor": 100, "deductions_minor": 30, **change}


def test_a_table_is_read_line_by_line() -> None:
    lines = reports.read_csv("\ufeff" + HEAD + "IPTV,2,1000,200\n卫视频道,1,500,600\n")
    made = reports.report(*YEAR, lines)
    assert (made.receipts_minor, made.runs) == (700, 3)


def test_the_order_of_lines_does_not_change_the_content() -> None:
    one, other = line("IPTV"), line("OTT")
    first, second = reports.report(*YEAR, [one, other]), reports.report(*YEAR, [other, one])
    assert first.content() == second.content()


@pytest.mark.parametrize(
    "table",
    [
        "",
        "source,runs,gross_minor\nIPTV,1,2\n",
        HEAD + "IPTV,1,2\n",
        HEAD + "IPTV,1,2,3,4\n",
        HEAD + "IPTV,1,-2,3\n",
        HEAD + "IPTV,1,2.0,3\n",
        HEAD + "IPTV,١,2,3\n",
        HEAD + '"IPTV"x,1,2,3\n',
    ],
)
def test_a_table_that_is_not_one_is_refused(table: str) -> None:
    with pytest.raises(BadReport):
        reports.read_csv(table)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [line(), line()],
        [line(" ")],
        [line("a\u202eb")],
        [line(runs=True)],
        [line(gross_minor=-1)],
        [line(gross_minor=10**14)],
        [line(runs=100_001)],
    ],
)
def test_lines_that_say_the_impossible_are_refused(lines: list[dict[str, Any]]) -> None:
    with pytest.raises(BadReport):
        reports.report(*YEAR, lines)


@pytest.mark.parametrize(
    "days",
    [(date(2026, 1, 2), date(2026, 1, 1)), (date(2026, 1, 1), date(2027, 1, 2))],
)
def test_a_period_is_a_day_to_a_year(days: tuple[date, date]) -> None:
    with pytest.raises(BadReport):
        reports.report(*days, [line()])


def test_only_periods_that_differ_can_overlap() -> None:
    half = (date(2026, 7, 1), date(2026, 12, 31))
    assert reports.overlaps(YEAR, half)
    assert not reports.overlaps(YEAR, YEAR)
    assert not reports.overlaps(half, (date(2027, 1, 1), date(2027, 6, 30)))
