"""Availability by plain cells: every use at every hour, looked at one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

from contracts.rights.algebra import Exclusivity
from contracts.rights.instants import instant, micros
from contracts.rights.logic import Span
from contracts.rights.region import Box, Region, boxes
from contracts.titles.register import OWNERS, Block, Node, Question, Register
from contracts.window import Window

BASE = datetime(2027, 1, 1, tzinfo=UTC)
HOURS = 5
Cell = tuple[int, int, int, int, int]  # work, use, territory, language, hour
SERIES, FIRST, SECOND = Node(UUID(int=1), 0, 64), Node(UUID(int=2), 1, 2), Node(UUID(int=3), 2, 3)
NODES = (SERIES, FIRST, SECOND)
HOLDER, OTHER = UUID(int=50), UUID(int=51)


@dataclass(frozen=True)
class Promise:
    """A burden for tests."""

    record_id: UUID
    kind: str
    units: Block
    uses: int
    territories: int
    languages: int
    span: Span
    waits_for: str | None = None
    beneficiary: UUID | None = None


def at(hour: int) -> datetime:
    return BASE + timedelta(hours=hour)


def box(units: int, uses: int, territories: int, languages: int, start: int, end: int) -> Box:
    return Box(units, uses, territories, languages, micros(at(start)), micros(at(end)))


def hour(microseconds: int) -> int:
    """The hour of an instant of the cells; those far outside count as their edge."""
    return int((instant(microseconds) - BASE) / timedelta(hours=1))


def cells(one: Box) -> set[Cell]:
    first, last = max(one.start, micros(at(0))), min(one.end, micros(at(HOURS)))
    if first >= last:
        return set()
    axes = [bits(one.units), bits(one.uses), bits(one.territories), bits(one.languages)]
    return set(product(*axes, range(hour(first), hour(last))))


def bits(mask: int) -> list[int]:
    return [place for place in range(mask.bit_length()) if mask >> place & 1]


def of_region(region: Region) -> set[Cell]:
    return {cell for one in boxes(region) for cell in cells(one)}


def asked(question: Question) -> set[Cell]:
    masks = (units(question.units), question.uses, question.territories, question.languages)
    window: Window = question.window
    return cells(Box(*masks, micros(window.start), micros(window.end)))


def units(block: Block) -> int:
    return sum(
        1 << place
        for place, node in enumerate(NODES)
        if block[0] <= node.first and node.after <= block[1]
    )


def completions(span: Span) -> Iterator[tuple[int, int]]:
    """Every way in which the ends of a span may fall on whole hours."""
    lows = (hours(span.start_earliest, -1), hours(span.start_latest, HOURS + 1))
    highs = (hours(span.end_earliest, -1), hours(span.end_latest, HOURS + 1))
    yield from product(range(lows[0], lows[1] + 1), range(highs[0], highs[1] + 1))


def hours(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else int((moment - BASE) / timedelta(hours=1))


def burdened(promise: Promise, start: int, end: int) -> set[Cell]:
    start, end = max(start, 0), min(end, HOURS)
    axes = [bits(units(promise.units)), bits(promise.uses), bits(promise.territories),
            bits(promise.languages)]  # fmt: skip
    return set(product(*axes, range(start, end)))


def binds(promise: Promise, question: Question) -> bool:
    serves = promise.kind in ("holdback", "option", "first-refusal", "mandate")
    sides = (question.grantor, question.grantee)
    return not (serves and promise.beneficiary is not None and promise.beneficiary in sides)


def worlds(register: Register, question: Question) -> list[set[Cell]]:
    """What is free in each way in which all that is open may turn out, one ground after the other.

    A first refusal turns out either way: taken up, or waived.
    """
    taken: list[list[set[Cell]]] = []
    for promise in register.burdens:
        assert isinstance(promise, Promise)
        if not binds(promise, question):
            continue
        ways = {frozenset(burdened(promise, *ends)) for ends in completions(promise.span)}
        if promise.kind == "first-refusal":
            ways.add(frozenset())
        taken.append([set(way) for way in ways])
    grounds = [free_of_grants(register, question, *one) for one in held(register, question)]
    return [
        ground.difference(*way) if way else ground for ground in grounds for way in product(*taken)
    ]


def held(register: Register, question: Question) -> Iterator[tuple[UUID, set[Cell]]]:
    want = asked(question)
    if question.grantor is None or question.grantor in register.owners:
        strict = question.exclusivity is not Exclusivity.NON_EXCLUSIVE
        yield OWNERS, set() if strict and register.disagreeing else want
        return
    order = [Exclusivity.NON_EXCLUSIVE, Exclusivity.SOLE, Exclusivity.EXCLUSIVE]
    for one in register.holdings:
        deep = one.depth > question.depth
        strict = order.index(one.exclusivity) >= order.index(question.exclusivity)
        runs = one.runs_left is None or (question.runs or 10**9) <= one.runs_left
        if one.holder == question.grantor and deep and strict and runs:
            yield one.id, want & cells(one.box)


def free_of_grants(
    register: Register, question: Question, under: UUID, mine: set[Cell]
) -> set[Cell]:
    left = set(mine)
    for place, node in enumerate(register.tree.nodes):
        if node.protected_until is not None:
            left = {c for c in left if c[0] != place or micros(at(c[4])) < node.protected_until}
    for out in register.outs:
        peace = out.exclusivity is question.exclusivity is Exclusivity.NON_EXCLUSIVE
        if out.under == under and not peace:
            left -= cells(out.box)
    return left
