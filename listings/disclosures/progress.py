"""How a disclosure runs: begun, extended, changed, suspended, decided, its result public (pure).

Source: 企业国有资产交易监督管理办法 (32号令) arts. 20, 22, 29; 国资发产权〔2009〕120号 arts. 19-23
for extension, change and suspension. 国资发产权规〔2025〕17号 replaced it on 2025-02-18 and may
have shortened its periods: the longer ones are kept here.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from contracts import calendar, rfc3339
from contracts.refusal import Kind, Refusal
from listings.disclosures.rules import (
    LARGE_DAYS,
    BadDisclosure,
    Notice,
    check_filing,
    required_days,
)

REMAINING_DAYS = 10  # after a suspension
PUBLICITY_DAYS = 5
ENDED = ("lapsed", "terminated")
RUNNING = ("disclosed", "suspended")
# 动态报价: bids are taken during the disclosure; the timed part comes after it.
OPEN_DURING = "dynamic"


class DisclosureTooShort(Refusal):
    """The bidding would begin before the disclosure has run its working days."""

    kind, code = Kind.CONFLICT, "disclosure-too-short"
    hint = "Open the bidding at `lawful_from` or later."


class DisclosureState(Refusal):
    """The disclosure is not in a state for this."""

    kind, code = Kind.CONFLICT, "disclosure-state"
    hint = "See `state`, and which steps follow from it."


class ExtensionNotAnnounced(Refusal):
    """Only a notice that said so is extended, each time by five working days and more."""

    kind, code = Kind.CONFLICT, "extension-not-announced"
    hint = "Extend by `announced_days`, before the period ends and without a bidder; else relist."


class SuspensionTooLong(Refusal):
    """A suspension lasts a month at most; after that the disclosure is terminated."""

    kind, code = Kind.CONFLICT, "suspension-too-long"
    hint = "Terminate the disclosure and file it anew."


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a disclosure has come.

    Attributes:
        required_days: working days to be disclosed in all.
        counted_from: the day whose morrow is the first day counted of the running stretch.
        elapsed_days: working days of stretches before it.
        last_on: the last day of the disclosure.
    """

    state: str = "filed"
    required_days: int | None = None
    started_on: date | None = None
    counted_from: date | None = None
    elapsed_days: int = 0
    last_on: date | None = None
    suspended_on: date | None = None
    extensions: int = 0
    publicity_from: date | None = None
    publicity_until: date | None = None


def review(progress: Progress, *, outcome: str) -> Progress:
    """Accept a filing, or return it to the seller.

    Raises:
        DisclosureState: it is not waiting for a review.
    """
    _need(progress, "filed")
    return replace(progress, state="accepted" if outcome == "accepted" else "returned")


def disclose(notice: Notice, progress: Progress, *, today: date) -> Progress:
    """Begin the disclosure: the day of publication is not counted (民法典 art. 201).

    Raises:
        DisclosureState: the filing is not accepted.
        YearNotLoaded: the period reaches into a year whose holidays are not known.
        Refusal: any of `check_filing`.
    """
    _need(progress, "accepted")
    check_filing(notice, today=today)
    days = required_days(notice)
    return replace(
        progress,
        state="disclosed",
        required_days=days,
        started_on=today,
        counted_from=today,
        elapsed_days=0,
        last_on=calendar.add_working_days(today, days),
    )


def lawful_from(progress: Progress) -> datetime:
    """Return the first instant at which the bidding may begin: when the last day is over.

    Raises:
        DisclosureState: the disclosure has not begun.
    """
    if progress.last_on is None:
        raise DisclosureState("The disclosure has not begun.", state=progress.state)
    return calendar.end_of(progress.last_on)


def check_times(
    progress: Progress, *, opens_at: datetime, closes_at: datetime, preset: str | None
) -> None:
    """Check that the bidding fits the disclosure.

    Raises:
        DisclosureTooShort: it begins before the disclosure is over; with 动态报价, ends before.
    """
    lawful = lawful_from(progress)
    begins = closes_at if preset == OPEN_DURING else opens_at
    if begins < lawful:
        raise DisclosureTooShort(
            "The disclosure runs for longer.",
            lawful_from=rfc3339.exact(lawful),
            last_on=str(progress.last_on),
            working_days=progress.required_days,
        )


def extend(notice: Notice, progress: Progress, *, bidders: int, today: date) -> Progress:
    """Extend a disclosure without a bidder, by what its notice announced.

    Raises:
        DisclosureState: it does not run.
        ExtensionNotAnnounced: the notice said nothing, a bidder is there, or the period is over.
    """
    _need(progress, "disclosed")
    days, last = notice.extension_days, progress.last_on
    if days is None or bidders or last is None or today > last:
        raise ExtensionNotAnnounced("It cannot be extended.", announced_days=days, bidders=bidders)
    return replace(
        progress,
        last_on=calendar.add_working_days(last, days),
        extensions=progress.extensions + 1,
    )


def supplement(progress: Progress, *, today: date) -> Progress:
    """Count the whole period anew, from a change that was forced from outside (art. 20).

    Raises:
        DisclosureState: it does not run.
    """
    _need(progress, "disclosed")
    recounted = calendar.add_working_days(today, progress.required_days or LARGE_DAYS)
    return replace(
        progress,
        counted_from=today,
        elapsed_days=0,
        last_on=max(recounted, progress.last_on or recounted),
    )


def suspend(progress: Progress, *, today: date) -> Progress:
    """Suspend a disclosure before its end; the day itself is not counted.

    Raises:
        DisclosureState: it does not run, or its last day is over.
    """
    _need(progress, "disclosed")
    start, last = progress.counted_from, progress.last_on
    if start is None or last is None or today > last:
        raise DisclosureState("The disclosure is over.", state=progress.state)
    elapsed = calendar.working_days_between(start, today - timedelta(days=1))
    return replace(
        progress,
        state="suspended",
        suspended_on=today,
        elapsed_days=progress.elapsed_days + elapsed,
    )


def resume(progress: Progress, *, today: date) -> Progress:
    """Resume a disclosure: the rest of the period runs, ten working days at least.

    Raises:
        DisclosureState: it is not suspended.
        SuspensionTooLong: more than a month has passed.
    """
    _need(progress, "suspended")
    since = progress.suspended_on or today
    if today > _a_month_after(since):
        raise SuspensionTooLong("It was suspended for over a month.", since=since.isoformat())
    left = (progress.required_days or LARGE_DAYS) - progress.elapsed_days
    return replace(
        progress,
        state="disclosed",
        suspended_on=None,
        counted_from=today,
        last_on=calendar.add_working_days(today, max(left, REMAINING_DAYS)),
    )


def terminate(progress: Progress) -> Progress:
    """End a disclosure without a sale, whether it runs, waits or is suspended.

    Raises:
        DisclosureState: it has ended, or found its buyer.
    """
    if progress.state not in ("filed", "accepted", "returned", *RUNNING):
        raise DisclosureState("It has ended.", state=progress.state)
    return replace(progress, state="terminated")


def basis(bidders: int) -> str:
    """Return how the buyer was found: two and more compete, one agrees at the floor and above."""
    if bidders == 0:
        return "none"
    return "competition" if bidders > 1 else "agreement"


def decide(progress: Progress, *, bidders: int, sold: bool) -> Progress:
    """Take the result of the bidding.

    Raises:
        DisclosureState: the disclosure does not run.
        BadDisclosure: something was sold to nobody.
    """
    _need(progress, "disclosed")
    if sold and not bidders:
        raise BadDisclosure("A sale has a buyer.", field="bidders")
    return replace(progress, state="decided" if sold else "lapsed")


def publicise(progress: Progress, *, today: date) -> Progress:
    """Begin the publicity of the result, for five working days (art. 29).

    Raises:
        DisclosureState: there is no result, or it is public already.
    """
    _need(progress, "decided")
    return replace(
        progress,
        state="publicised",
        publicity_from=today,
        publicity_until=calendar.add_working_days(today, PUBLICITY_DAYS),
    )


def _need(progress: Progress, state: str) -> None:
    if progress.state != state:
        raise DisclosureState(
            f"The disclosure is {progress.state}, not {state}.", state=progress.state
        )


def _a_month_after(day: date) -> date:
    """Return the same day of the next month, or that month's last."""
    first = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(day.day, last.day))
