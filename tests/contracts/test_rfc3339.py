from datetime import UTC, datetime, timedelta, timezone

from contracts import rfc3339

EAST = datetime(2026, 11, 22, 17, 0, 0, 5, tzinfo=timezone(timedelta(hours=8)))


def test_instants_are_written_in_utc() -> None:
    assert rfc3339.exact(EAST) == "2026-11-22T09:00:00.000005Z"
    assert rfc3339.exact(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00Z"


def test_parts_of_a_second_are_cut_off_where_seconds_are_enough() -> None:
    assert rfc3339.to_the_second(EAST) == "2026-11-22T09:00:00Z"
    assert rfc3339.to_the_second(EAST.replace(microsecond=999_999)) == "2026-11-22T09:00:00Z"
