"""What a resemblance means for a listing: clear, for staff to see, or a copy (pure).

Policy: only picture *and* motion above the threshold, over thirty seconds or three tenths of either
work, of somebody else's work, are refused outright. Sound alone, short stretches and weak evidence
go to people. One's own works and edits of the same work are versions, and clear.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from contracts.refusal import Kind, Refusal
from listings.recognition.relation import Related

LONG_MS = 30_000
LARGE_BP = 3_000
WHOLE_BP = 10_000
# What is left of a stretch beside declared seconds is an edge when it is shorter than this: the
# ends of stretches are found to a second.
EDGE_MS = 1_500
LONGEST_TEXT = 500
LONGEST_MS = 2**31 - 1  # 24 days


class LooksLikeAnotherWork(Refusal):
    """The picture is that of a work already listed under another title."""

    kind, code = Kind.CONFLICT, "looks-like-another-work"
    keeps = True
    hint = (
        "If you may use it, declare it as a version, archive footage or licensed use at the "
        "master; if the work is yours, contest the listing named; otherwise list your own picture."
    )


class RecognitionUnderReview(Refusal):
    """The master resembles a listed work, and a person has to look at it first."""

    kind, code = Kind.CONFLICT, "recognition-under-review"
    keeps = True
    hint = (
        "The exchange's staff compare the two. Declaring what the stretch is (a version, archive "
        "footage, licensed use) at the master helps them; publish again once it is clear."
    )


class NothingToDeclare(Refusal):
    """The listing named is one's own, and needs no declaration."""

    kind, code = Kind.INVALID, "nothing-to-declare"
    hint = "Name the listing of another party that the recognition of the master shows."


class BadStretch(Refusal):
    """The stretch does not lie in the master."""

    kind, code = Kind.INVALID, "bad-stretch"
    hint = "Send `here_ms` and `length_ms` inside the master's `duration_ms`, or neither."


class DeclarationDecided(Refusal):
    """The declaration is accepted or rejected already."""

    kind, code = Kind.CONFLICT, "declaration-decided"
    hint = "Make another declaration, or ask the staff."


class NothingToDecide(Refusal):
    """The master is clear; there is no case."""

    kind, code = Kind.CONFLICT, "nothing-to-decide"
    hint = "Look at `GET /v1/recognition` for what waits."


class MasterNotSearchable(Refusal):
    """The master is not examined, and has no codes to search for."""

    kind, code = Kind.CONFLICT, "master-not-searchable"
    hint = "Wait until the master is `ready`."


class State(StrEnum):
    """What recognition says of a master, the worst last."""

    CLEAR = "clear"
    DOUBTFUL = "doubtful"  # somebody has to look
    COPY = "copy"


RANK: Mapping[State, int] = {State.CLEAR: 0, State.DOUBTFUL: 1, State.COPY: 2}


class Claim(StrEnum):
    """What a rights holder may say that common seconds are."""

    VERSION = "version"  # an own version of the work (版本)
    ARCHIVE = "archive"  # shared archive footage (资料镜头)
    LICENSED = "licensed"  # used under a licence (授权使用)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time of one master, in milliseconds."""

    start_ms: int
    length_ms: int

    @property
    def end_ms(self) -> int:
        """Where it ends."""
        return self.start_ms + self.length_ms


EVERYTHING = Span(0, LONGEST_MS)


@dataclass(frozen=True, slots=True)
class Side:
    """Whose a master is, and of which trees of works."""

    party_id: UUID
    roots: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Likeness:
    """A relation as it is stored, with what staff made of it."""

    kind: Related
    sure: bool
    segments: Sequence[Mapping[str, Any]]
    coverage_here_bp: int
    coverage_there_bp: int
    settled: str | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """Accepted archive footage: a stretch of `master`, which it has in common with `other`."""

    master: UUID
    other: UUID
    span: Span
    segments: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a resemblance amounts to, and the reason in one word."""

    state: State
    why: str


def judge(one: Likeness, *, here: Side, there: Side, cleared: Sequence[Span]) -> Verdict:
    """Return what a resemblance amounts to.

    Args:
        one: how the two are related.
        here: whose the master in question is.
        there: whose the protected one is.
        cleared: stretches of the master in question that are accounted for.
    """
    if one.settled is not None:
        return Verdict(State.CLEAR if one.settled == "cleared" else State.COPY, "settled")
    if here.party_id == there.party_id:
        return Verdict(State.CLEAR, "own")
    if here.roots & there.roots:
        return Verdict(State.CLEAR, "same-work")
    left = remaining(one.segments, cleared)
    if EVERYTHING in cleared or (one.segments and not left):
        return Verdict(State.CLEAR, "declared")
    if one.kind is Related.SAME_FILE:
        return Verdict(State.COPY, "same-file")
    if one.kind is Related.SOUND_ONLY:
        return Verdict(State.DOUBTFUL, "sound-only")
    if not one.sure:
        return Verdict(State.DOUBTFUL, "unsure")
    return Verdict(*_by_length(one, left))


def _by_length(one: Likeness, left: Sequence[Span]) -> tuple[State, str]:
    found, still = (
        sum(span.length_ms for span in some) for some in (_spans(one.segments), left)
    )  # fmt: skip
    share = max(one.coverage_here_bp, one.coverage_there_bp)
    if still >= LONG_MS or share * still >= LARGE_BP * found:
        return State.COPY, "long"
    return State.DOUBTFUL, "short"


def worst(verdicts: Iterable[Verdict]) -> State:
    """Return the state of a master from those of its resemblances."""
    return max((verdict.state for verdict in verdicts), key=RANK.__getitem__, default=State.CLEAR)


def remaining(segments: Sequence[Mapping[str, Any]], cleared: Sequence[Span]) -> list[Span]:
    """Return what of the stretches is not accounted for, without the edges of what is."""
    found = _spans(segments)
    left = found
    for taken in cleared:
        left = [rest for span in left for rest in _without(span, taken)]
    return [span for span in left if span.length_ms >= EDGE_MS or span in found]


def _spans(segments: Sequence[Mapping[str, Any]]) -> list[Span]:
    return merged([Span(each["here_ms"], each["length_ms"]) for each in segments])


def _without(span: Span, taken: Span) -> list[Span]:
    before = Span(span.start_ms, min(span.end_ms, taken.start_ms) - span.start_ms)
    start = max(span.start_ms, taken.end_ms)
    return [part for part in (before, Span(start, span.end_ms - start)) if part.length_ms > 0]


def merged(spans: Sequence[Span]) -> list[Span]:
    """Return the same seconds in stretches that are apart, in order."""
    apart: list[Span] = []
    for span in sorted(spans):
        if apart and span.start_ms <= apart[-1].end_ms:
            first = apart.pop()
            end = max(first.end_ms, span.end_ms)
            span = Span(first.start_ms, end - first.start_ms)
        apart.append(span)
    return apart


def there(segments: Sequence[Mapping[str, Any]], here: Span) -> list[Span]:
    """Return where a stretch of one master lies in the other, along the stretches in common."""
    found = []
    for each in segments:
        start = max(here.start_ms, each["here_ms"])
        end = min(here.end_ms, each["here_ms"] + each["length_ms"])
        if start < end:
            slope = each["slope_bp"]
            found.append(
                Span(
                    each["there_ms"] + (start - each["here_ms"]) * slope // WHOLE_BP,
                    (end - start) * slope // WHOLE_BP,
                )
            )
    return merged(found)


def back(segments: Sequence[Mapping[str, Any]], other: Sequence[Span]) -> list[Span]:
    """Return where stretches of the other master lie in this one; the way back of `there`."""
    turned = [
        {
            "here_ms": each["there_ms"],
            "there_ms": each["here_ms"],
            "length_ms": each["length_ms"] * each["slope_bp"] // WHOLE_BP,
            "slope_bp": WHOLE_BP * WHOLE_BP // each["slope_bp"],
        }
        for each in segments
    ]
    return merged([span for one in other for span in there(turned, one)])


def shared(
    segments: Sequence[Mapping[str, Any]],
    *,
    master: UUID,
    other: UUID,
    archives: Sequence[Archive],
) -> list[Span]:
    """Return the seconds of `master` that are archive footage, whoever declared it first.

    A stretch that was once accepted as archive footage is nobody's own: it does not count against
    the next work that shows it, nor against its declarant in another listing.

    Args:
        segments: what the two masters have in common.
        master: the master in question.
        other: the master it resembles.
        archives: accepted declarations that touch either.
    """
    found: list[Span] = []
    for one in archives:
        common = [there for each in _spans(one.segments) for there in _within(each, one.span)]
        if one.master == master:
            found += common
        elif one.master == other:
            found += back(segments, common)
        elif one.other == other:
            found += back(segments, [far for each in common for far in there(one.segments, each)])
    return merged(found)


def _within(span: Span, bounds: Span) -> list[Span]:
    start, end = max(span.start_ms, bounds.start_ms), min(span.end_ms, bounds.end_ms)
    return [Span(start, end - start)] if start < end else []


def where(stretch: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return where the longest stretch lies, in whole seconds, and its evidence."""
    if stretch is None:
        return {"seconds": {"here": 0, "there": 0}, "length_s": 0, "score": 0}
    return {
        "seconds": {"here": stretch["here_ms"] // 1000, "there": stretch["there_ms"] // 1000},
        "length_s": stretch["length_ms"] // 1000,
        "score": stretch["score_x100"],
    }


def check_searchable(state: str) -> None:
    """Check that a master has codes to search for.

    Raises:
        MasterNotSearchable: it is not examined.
    """
    if state != "ready":
        raise MasterNotSearchable("The master is not examined.", state=state)


def stretch(
    here_ms: int | None, length_ms: int | None, *, duration_ms: int | None
) -> tuple[int | None, int | None]:
    """Check the stretch that a declaration names; neither stands for all of it.

    Raises:
        BadStretch: half of it is missing, or it does not lie in the master.
    """
    if here_ms is None and length_ms is None:
        return None, None
    if here_ms is None or length_ms is None or length_ms <= 0 or here_ms < 0:
        raise BadStretch("The stretch has no beginning, or no length.")
    if duration_ms is not None and here_ms + length_ms > duration_ms + EDGE_MS:
        raise BadStretch("The stretch ends after the master.", duration_ms=duration_ms)
    return here_ms, length_ms
