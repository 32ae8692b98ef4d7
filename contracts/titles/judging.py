"""Is it free? The register cut to a question, and a reason for every no (pure).

What is free is what the grantor holds, without what it granted, without what promises and charges
take. Kleene's strong logic of three values decides where a promise waits for an event: what may be
taken is neither free nor taken, unless something else takes it for certain.

Source: 著作权法 (2020) art. 14 ¶2 (co-owners), art. 23 (term), art. 26 and 29 (licences); 民法典
art. 444 (pledge); 著作权集体管理条例 art. 20 (mandate).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from contracts.rights import axes, region
from contracts.rights.algebra import Exclusivity, at_least_as_strict
from contracts.rights.region import Box, Region
from contracts.titles import register as titles
from contracts.titles.register import OWNERS, Burden, Holding, Out, Question, Register

_WHOM_IT_SERVES = ("holdback", "option", "first-refusal", "mandate")
_MICROSECOND = timedelta(microseconds=1)


class Match(Enum):
    """What is asked for: all of it, or any part."""

    ALL = "cover-all"
    ANY = "any-part"


class Outcome(Enum):
    """The answer in one word; with `cover-all` it is never `partly`."""

    FREE = "free"  # all of it is free
    PARTLY = "partly"  # some of it is certainly free, some of it not
    NO = "no"
    UNKNOWN = "unknown"  # it hangs on an event without a date, or on somebody's answer


class Severity(Enum):
    """What a reason does to the answer."""

    BLOCKER = "blocker"
    UNKNOWN = "unknown"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Record:
    """The record that a reason comes from, and who may see which one it is.

    `kind` is grant, encumbrance, share or work. With no `parties` everybody may see it.
    """

    kind: str
    id: UUID
    deal_id: UUID | None = None
    parties: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some of what was asked is not free: a stable code, the record, the part it takes."""

    code: str
    severity: Severity
    box: Box
    record: Record | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is free of what was asked, what may be, and why the rest is not.

    `under` is the grant out of which all of it can be granted (`OWNERS`: the owners' own rights),
    None unless the outcome is free, or where several rights (播映权) come out of several grants.
    """

    outcome: Outcome
    reasons: tuple[Reason, ...]
    free: Region
    unknown: Region
    asked: Box
    under: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Ground:
    """Rights that may be granted from, and what is left of them."""

    under: UUID
    box: Box
    free: Region
    unknown: Region


def judge(
    register: Register,
    question: Question,
    *,
    match: Match = Match.ANY,
    minimum: timedelta = timedelta(0),
) -> Answer:
    """Return what is free of what is asked.

    Args:
        register: the tree's titles; outs that have expired are not among them.
        question: what is asked.
        match: all of it, or any part.
        minimum: shorter stretches of free time do not count.
    """
    asked = titles.box_of(register.tree, question)
    burdens = [one for one in register.burdens if _binds(one, question)]
    taken, doubted = _burdened(register, burdens)
    least = minimum // _MICROSECOND
    everywhere = [asked] if _disagreeing(register, question) else []
    grounds = [
        _left(ground, box, register, question, [*taken, *everywhere], doubted, least)
        for ground, box in _held(register, question, asked)
    ]
    reasons = (
        *_no_rights(register, question, asked),
        *_no_owners(register, question, asked),
        *_outs(register, question, asked, [ground.under for ground in grounds]),
        *_promises(register, burdens, asked),
    )
    return _concluded(asked, grounds, reasons, match)


def _concluded(
    asked: Box, grounds: list[_Ground], reasons: tuple[Reason, ...], match: Match
) -> Answer:
    whole = region.of([asked])
    free = unknown = region.EMPTY
    for ground in grounds:
        free, unknown = region.join(free, ground.free), region.join(unknown, ground.unknown)
    unknown = region.minus(unknown, free)
    under = next((ground.under for ground in grounds if ground.free == whole), None)
    all_free = under is not None or _each_right(asked, [ground.free for ground in grounds])
    maybe = _each_right(asked, [region.join(ground.free, ground.unknown) for ground in grounds])
    outcome = _outcome(match, all_free=all_free, maybe=maybe, free=free, unknown=unknown)
    if outcome is Outcome.FREE:  # what another ground lacks is no reason
        reasons = tuple(reason for reason in reasons if not _is_not_notice(reason))
    elif not any(map(_is_not_notice, reasons)):
        reasons += tuple(_apart(asked, grounds))
    return Answer(outcome, reasons, free, unknown, asked, under)


def _each_right(asked: Box, parts: Sequence[Region]) -> bool:
    """Tell whether each right that is asked for lies in one of the parts: a grant is of one."""
    if len(parts) <= 1:  # one part holds all of it or not
        return region.of([asked]) in parts
    for right, media in axes.media_of_uses(asked.uses):
        whole = region.of([replace(asked, uses=axes.uses(right, media))])
        if not any(region.covers(part, whole) for part in parts):
            return False
    return True


def _outcome(
    match: Match, *, all_free: bool, maybe: bool, free: Region, unknown: Region
) -> Outcome:
    if all_free:
        return Outcome.FREE
    if match is Match.ALL:
        return Outcome.UNKNOWN if maybe else Outcome.NO
    if free:
        return Outcome.PARTLY
    return Outcome.UNKNOWN if unknown else Outcome.NO


def _held(register: Register, question: Question, asked: Box) -> Iterator[tuple[UUID, Box]]:
    """Yield what the grantor may grant from, cut to the question."""
    if _asks_owners(register, question):
        yield OWNERS, asked
        return
    for holding in _own(register, question):
        box = holding.box.meet(asked)
        if not box.is_empty and not _wanting(holding, question):
            yield holding.id, box


def _left(
    under: UUID,
    box: Box,
    register: Register,
    question: Question,
    taken: list[Box],
    doubted: list[Box],
    least: int,
) -> _Ground:
    """Return what outs and burdens leave of the rights that are granted from."""
    outs = [o.box for o in register.outs if o.under == under and _clashes(o, question)]
    blocked = [*taken, *outs]
    possible = region.without(box, blocked)
    certain = region.without(box, [*blocked, *doubted]) if doubted else possible
    if least > 0:
        certain, possible = region.lasting(certain, least), region.lasting(possible, least)
    return _Ground(under, box, certain, region.minus(possible, certain))


def _burdened(register: Register, burdens: Iterable[Burden]) -> tuple[list[Box], list[Box]]:
    """Return what is certainly taken by burdens and by the end of protection, and what may be."""
    taken, doubted = titles.beyond_protection(register.tree), []
    for burden in burdens:
        certain = titles.certainly(register.tree, burden)
        conditional = burden.kind == "first-refusal"
        if not certain.is_empty and not conditional:
            taken.append(certain)
        if conditional or not burden.span.is_fixed:
            doubted.append(titles.possibly(register.tree, burden))
    return taken, doubted


def _asks_owners(register: Register, question: Question) -> bool:
    return question.grantor is None or question.grantor in register.owners


def _own(register: Register, question: Question) -> Iterator[Holding]:
    return (one for one in register.holdings if one.holder == question.grantor)


def _wanting(holding: Holding, question: Question) -> str | None:
    """Return why a holding cannot be granted from as asked, or None."""
    if holding.depth < question.depth + 1:
        return "sublicence-too-deep"
    if not at_least_as_strict(holding.exclusivity, question.exclusivity):
        return "no-exclusive-rights-in"
    left = holding.runs_left
    if left is not None and (question.runs is None or question.runs > left):
        return "run-budget-spent"
    return None


def _clashes(out: Out, question: Question) -> bool:
    """Tell whether a grant keeps another out: 普通 beside 普通 is the only peace."""
    shared = Exclusivity.NON_EXCLUSIVE
    return out.exclusivity is not shared or question.exclusivity is not shared


def _binds(burden: Burden, question: Question) -> bool:
    """Tell whether a burden stands against the question: not where it serves one of its sides."""
    if burden.beneficiary is None or burden.kind not in _WHOM_IT_SERVES:
        return True
    return burden.beneficiary not in (question.grantor, question.grantee)


def _disagreeing(register: Register, question: Question) -> bool:
    exclusive = question.exclusivity is not Exclusivity.NON_EXCLUSIVE
    return exclusive and bool(register.disagreeing) and _asks_owners(register, question)


def _no_rights(register: Register, question: Question, asked: Box) -> Iterator[Reason]:
    """Say what of the question the grantor has no rights to grant in, and what is beyond them."""
    for box in titles.beyond_protection(register.tree):
        if not (common := box.meet(asked)).is_empty:
            yield Reason("beyond-protection", Severity.BLOCKER, common)
    if _asks_owners(register, question):
        return
    held = []
    for holding in _own(register, question):
        common = holding.box.meet(asked)
        if common.is_empty:
            continue
        held.append(common)
        if code := _wanting(holding, question):
            about = {"runs_left": holding.runs_left} if code == "run-budget-spent" else {}
            yield Reason(code, Severity.BLOCKER, common, _record_of(holding), about)
    yield from _uncovered(register, asked, held)


def _uncovered(register: Register, asked: Box, held: list[Box]) -> Iterator[Reason]:
    """Say which works, and which other parts of the question, no rights in cover."""
    units = 0
    for box in held:
        units |= box.units
    missing = asked.units & ~units if units else 0
    for node, _ in register.tree.named(missing):
        whole = Box(
            register.tree.mask((node.first, node.after)) & missing,
            *(asked.uses, asked.territories, asked.languages, asked.start, asked.end),
        )
        yield Reason("child-not-covered", Severity.BLOCKER, whole, Record("work", node.work_id))
    inside = Box(
        asked.units & ~missing,
        *(asked.uses, asked.territories, asked.languages, asked.start, asked.end),
    )
    for box in region.boxes(region.without(inside, held)):
        yield Reason("no-rights-in", Severity.BLOCKER, box)


def _no_owners(register: Register, question: Question, asked: Box) -> Iterator[Reason]:
    if _disagreeing(register, question):
        for owner in register.disagreeing:
            record = Record("share", owner, None, register.owners)
            yield Reason("co-owner-missing", Severity.BLOCKER, asked, record)


def _outs(
    register: Register, question: Question, asked: Box, grounds: list[UUID]
) -> Iterator[Reason]:
    for out in register.outs:
        if out.under not in grounds:
            continue
        common = out.box.meet(asked)
        if not common.is_empty:
            severity = Severity.BLOCKER if _clashes(out, question) else Severity.NOTICE
            yield Reason(_code(out), severity, common, _record_out(register, out), _about(out))


def _code(out: Out) -> str:
    if out.state != "effective":
        return "hold"
    shared = out.exclusivity is Exclusivity.NON_EXCLUSIVE
    return "non-exclusive-out" if shared else "exclusive-out"


def _about(out: Out) -> dict[str, Any]:
    told: dict[str, Any] = {"state": out.state, "exclusivity": out.exclusivity.value}
    if out.expires_at is not None:
        told["expires_at"] = out.expires_at.isoformat()
    return told


def _promises(register: Register, burdens: Iterable[Burden], asked: Box) -> Iterator[Reason]:
    for burden in burdens:
        record = Record("encumbrance", burden.record_id, None, _parties(register, burden))
        certain = titles.certainly(register.tree, burden).meet(asked)
        whole = titles.possibly(register.tree, burden).meet(asked)
        conditional = burden.kind == "first-refusal"
        if not certain.is_empty:
            severity = Severity.UNKNOWN if conditional else Severity.BLOCKER
            yield Reason(burden.kind, severity, certain, record)
        if not whole.is_empty and whole != certain and not burden.span.is_fixed:
            about = {"kind": burden.kind, "event": burden.waits_for}
            yield Reason("event-undated", Severity.UNKNOWN, whole, record, about)


def _apart(asked: Box, grounds: Iterable[_Ground]) -> Iterator[Reason]:
    """Say of each ground what it lacks, where only several together would cover the question."""
    for ground in grounds:
        record = Record("grant", ground.under) if ground.under != OWNERS else None
        for box in region.boxes(region.without(asked, [ground.box])):
            yield Reason("no-rights-in", Severity.BLOCKER, box, record)


def _is_not_notice(reason: Reason) -> bool:
    return reason.severity is not Severity.NOTICE


def _record_of(holding: Holding) -> Record:
    return Record("grant", holding.id, holding.deal_id, frozenset({holding.holder}))


def _record_out(register: Register, out: Out) -> Record:
    sides = {party for party in (out.grantor, out.grantee) if party is not None}
    return Record("grant", out.id, out.deal_id, register.owners | sides)


def _parties(register: Register, burden: Burden) -> frozenset[UUID]:
    served = set() if burden.beneficiary is None else {burden.beneficiary}
    return register.owners | served
