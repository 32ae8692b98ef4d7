"""How long the rights in a work last (保护期) (pure).

Source: 著作权法 (2020) art. 23 ¶3: the rights of art. 10 items 5 to 17 in an audiovisual work
(视听作品) last fifty years, until 31 December of the fiftieth year after its first publication
(首次发表); a work that was not published within fifty years after its completion (创作完成) is no
longer protected. 著作权法实施条例 art. 6 and 15 for moral rights are not asked here: they are not
traded.

Differs from the source: "within fifty years after completion" is counted to 31 December of the
fiftieth year, as the same paragraph counts the right of publication (发表权); the law leaves open
whether the day or the year counts. Every kind of work that can be registered is taken for an
audiovisual work.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.refusal import Kind, Refusal

YEARS = 50
ZONE = ZoneInfo("Asia/Shanghai")
EARLIEST = date(1888, 1, 1)  # as the years of works: no film is older


class BadDates(Refusal):
    """The dates of completion (创作完成日) and first publication (首次发表日) are not possible."""

    kind, code = Kind.INVALID, "bad-dates"
    hint = "Completion comes first, then publication, neither before 1888 nor after today."


class DatesSettled(Refusal):
    """A date of the work was given before, and it was another."""

    kind, code = Kind.CONFLICT, "dates-settled"
    hint = "A date is given once; ask the exchange when it was given wrongly."


def protection_end(completed_on: date | None, published_on: date | None) -> date | None:
    """Return the last protected day as far as these dates tell; None when neither is known.

    Of a work that is not published this is the last day on which publication still prolongs it:
    giving `published_on` later never makes the answer earlier.
    """
    unpublished = None if completed_on is None else _last_day(completed_on)
    if published_on is None:
        return unpublished
    if unpublished is not None and published_on > unpublished:
        return unpublished
    return _last_day(published_on)


def protected_until(last_day: date) -> datetime:
    """Return the first instant (UTC) that is no longer protected: midnight in Asia/Shanghai."""
    return datetime.combine(last_day + timedelta(1), time(), ZONE).astimezone(UTC)


def check_dates(completed_on: date | None, published_on: date | None, *, now: datetime) -> None:
    """Let dates pass that have come and stand in order.

    Raises:
        BadDates: one is before 1888 or after today, or the publication precedes the completion.
    """
    today = now.astimezone(ZONE).date()
    given = [day for day in (completed_on, published_on) if day is not None]
    if any(not EARLIEST <= day <= today for day in given) or given != sorted(given):
        raise BadDates(
            "The dates are not possible.", earliest=EARLIEST.isoformat(), latest=today.isoformat()
        )


def need_a_date(completed_on: date | None, published_on: date | None) -> None:
    """Let pass what says at least one date.

    Raises:
        BadDates: neither was given.
    """
    if completed_on is None and published_on is None:
        raise BadDates("Neither date was given.")


def settled(known: date | None, wanted: date | None) -> date | None:
    """Return the date that stands when `wanted` is said of it; None says nothing.

    Raises:
        DatesSettled: another date stands already.
    """
    if known is not None and wanted not in (None, known):
        raise DatesSettled("This date was given before.", known=known.isoformat())
    return known or wanted


def _last_day(day: date) -> date:
    return date(day.year + YEARS, 12, 31)
