"""Which showings make one run, and whether a showing still fits its grant (pure).

Source: ISO/IEC 21000-21 (MPEG-21 MCO): repetitions within their validity count as one run; usage
of television contracts (首播加重播计一次播出): the night after midnight belongs to the day before.

Differs from the source: the validity may be counted in broadcast days too, and is included: the
repeat at the same hour of the next day is within 24 hours of the first showing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from contracts.refusal import Kind, Refusal
from contracts.window import BadWindow, Window, zone_of

MOST_REPEATS = 99
LONGEST_HOURS = 31 * 24
LONGEST_DAYS = 31
LATEST_DAY_START_MIN = 12 * 60  # a broadcast day that began after noon would be the next one


class BadRunRule(Refusal):
    """The rule that groups showings to runs is not possible."""

    kind, code = Kind.INVALID, "bad-run-rule"
    hint = (
        "Give up to 99 repeats, within hours (1 to 744) or broadcast days (1 to 31), and a day "
        "that starts between 00:00 and 12:00."
    )


class RunRuleSettled(Refusal):
    """The grant has another run rule already."""

    kind, code = Kind.CONFLICT, "run-rule-settled"
    hint = "How showings make runs is agreed once for a grant."


class RunBudgetSpent(Refusal):
    """The showing would be a run more than the grant allows."""

    kind, code = Kind.CONFLICT, "run-budget-spent"
    hint = "See `runs` for the showings that made each run; license further runs first."


class OutsideGrant(Refusal):
    """The grant does not allow a showing at this instant."""

    kind, code = Kind.CONFLICT, "outside-grant"
    hint = "Check the start and its zone; the window and the broadcast day are in `start`, `end`."


class TelecastAhead(Refusal):
    """The showing has not begun yet."""

    kind, code = Kind.INVALID, "telecast-ahead"
    hint = "Log a telecast once it has begun."


class UnknownZone(Refusal):
    """The time zone of the channel is not known."""

    kind, code = Kind.INVALID, "unknown-zone"
    hint = "Give an IANA time zone such as Asia/Shanghai."


@dataclass(frozen=True, slots=True)
class Rule:
    """How showings (播出) make runs; by itself each showing is one.

    The first showing of a run begins its validity: `within_hours`, or `within_days` broadcast days
    of which its own is the first. Up to `repeats_max` further showings (重播) inside it are the
    same run; with `same_channel`, only those on the same channel. A broadcast day starts
    `day_starts_min` minutes after midnight on the clock of the channel.
    """

    repeats_max: int = 0
    within_hours: int | None = None
    within_days: int | None = None
    same_channel: bool = True
    day_starts_min: int = 0


@dataclass(frozen=True, slots=True)
class Showing:
    """A telecast: where, when (aware UTC), and the IANA zone of the channel's clock."""

    id: UUID
    channel: str
    started_at: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its showings in the order in which they began."""

    showings: tuple[Showing, ...]


def check_rule(rule: Rule) -> None:
    """Check that a rule is possible.

    Raises:
        BadRunRule: a number is out of range, or repeats have no validity or two.
    """
    hours, days = rule.within_hours, rule.within_days
    has_validity = (hours is None) != (days is None)
    fits = (
        0 <= rule.repeats_max <= MOST_REPEATS
        and (hours is None or 1 <= hours <= LONGEST_HOURS)
        and (days is None or 1 <= days <= LONGEST_DAYS)
        and 0 <= rule.day_starts_min <= LATEST_DAY_START_MIN
    )
    if not fits or has_validity != (rule.repeats_max > 0):
        raise BadRunRule("Repeats have one validity, and none have none.")


def check_within(rule: Rule, above: Rule) -> None:
    """Check that a licence lets no more showings into a run than the one it was made under.

    Raises:
        BadRunRule: it would; the rule above is named.
    """
    counts_alike = (rule.within_hours is None) == (above.within_hours is None)
    longer = (rule.within_hours or rule.within_days or 0) > (
        above.within_hours or above.within_days or 0
    )
    repeats_more = rule.repeats_max > above.repeats_max or (
        rule.repeats_max > 0
        and (not counts_alike or longer or (above.same_channel and not rule.same_channel))
    )
    if repeats_more or rule.day_starts_min > above.day_starts_min:
        raise BadRunRule("The licence above lets fewer showings into a run.", rule=asdict(above))


def runs(showings: Iterable[Showing], rule: Rule) -> list[Run]:
    """Return the runs that showings make: the fewest that the rule allows, earliest first.

    The order in which showings were logged does not matter, and a showing more never makes fewer.
    """
    made: list[list[Showing]] = []
    open_on: dict[str, list[Showing]] = {}
    for showing in sorted(showings, key=lambda one: (_place(one, rule), *_order(one))):
        channel = showing.channel if rule.same_channel else ""
        run = open_on.get(channel)
        if run is None or not _repeats(run, showing, rule):
            run = open_on[channel] = []
            made.append(run)
        run.append(showing)
    found = [Run(tuple(sorted(run, key=_order))) for run in made]
    return sorted(found, key=lambda run: _order(run.showings[0]))


def check_showing(
    showing: Showing, *, window: Window, ended_at: datetime | None, rule: Rule, now: datetime
) -> None:
    """Check that a showing has begun, and that its broadcast day lies in the grant's window.

    Raises:
        UnknownZone: the zone of the channel is not known.
        TelecastAhead: it has not begun.
        OutsideGrant: its day lies outside the window, or the grant had ended.
    """
    if showing.started_at > now:
        raise TelecastAhead("The telecast has not begun.", started_at=_text(showing.started_at))
    counted = counted_at(showing, rule)
    had_ended = ended_at is not None and showing.started_at >= ended_at
    if had_ended or not window.start <= counted < window.end:
        raise OutsideGrant(
            "The grant does not allow a showing then.",
            start=_text(window.start),
            end=_text(min(window.end, ended_at or window.end)),
            broadcast_day=broadcast_day(showing, rule).isoformat(),
        )


def check_budget(
    before: Iterable[Showing], showing: Showing, *, rule: Rule, most: int, given: int = 0
) -> None:
    """Check that a showing makes no run more than were licensed; `given` of them were licensed on.

    Raises:
        RunBudgetSpent: it does; the showings of every run so far are named.
    """
    logged = list(before)
    if len(runs([*logged, showing], rule)) > most - given:
        made = runs(logged, rule)
        raise RunBudgetSpent(
            "The runs of the grant are spent.",
            runs_max=most,
            runs_used=len(made),
            runs_given=given,
            runs=[[str(one.id) for one in run.showings] for run in made],
        )


def broadcast_day(showing: Showing, rule: Rule) -> date:
    """Return the broadcast day (播出日) that a showing belongs to, by the clock of its channel."""
    local = _local(showing)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    early = local.replace(tzinfo=None) - midnight < timedelta(minutes=rule.day_starts_min)
    return local.date() - timedelta(days=int(early))


def counted_at(showing: Showing, rule: Rule) -> datetime:
    """Return the instant at which a showing counts: its start, or the last of the day before.

    A showing after midnight that belongs to the day before counts with the last microsecond of it.
    """
    local = _local(showing)
    if broadcast_day(showing, rule) == local.date():
        return showing.started_at
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return midnight.astimezone(UTC) - timedelta(microseconds=1)


def _local(showing: Showing) -> datetime:
    try:
        return showing.started_at.astimezone(zone_of(showing.zone))
    except BadWindow as unknown:
        raise UnknownZone("The time zone is unknown.", zone=showing.zone[:64]) from unknown


def _repeats(run: Sequence[Showing], showing: Showing, rule: Rule) -> bool:
    """Tell whether a showing, later in the order than all of a run, is a repeat in it."""
    if len(run) > rule.repeats_max:
        return False
    if rule.within_days is not None:
        return _place(showing, rule) - _place(run[0], rule) < rule.within_days
    validity = timedelta(hours=rule.within_hours or 0)
    return showing.started_at - run[0].started_at <= validity


def _place(showing: Showing, rule: Rule) -> int:
    """Return the broadcast day as a number where days are counted, else 0: instants decide."""
    return broadcast_day(showing, rule).toordinal() if rule.within_days is not None else 0


def _order(showing: Showing) -> tuple[datetime, str, UUID]:
    return showing.started_at, showing.channel, showing.id


def _text(instant: datetime) -> str:
    return instant.isoformat()
