"""Availability on demand: a question is put to the register as it stands, nothing is precomputed.

Rows are read as plain columns, not as objects, and ranges as text whose meaning is remembered, so
that thousands of grants are read in milliseconds. Only what touches the question is read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.encumbrances import queries as encumbrances
from contracts.refusal import Unknown
from contracts.rights import axes, vocabulary
from contracts.rights import rules as rights
from contracts.rights.algebra import Exclusivity
from contracts.rights.axes import Axis
from contracts.rights.instants import micros
from contracts.rights.region import Box
from contracts.runs import queries as runs
from contracts.titles import heat, judging
from contracts.titles.heat import Calendar
from contracts.titles.judging import Answer, Match
from contracts.titles.register import OWNERS, Block, Holding, Node, Out, Question, Register, Tree
from contracts.titles.tables import ROOT_NO
from contracts.window import Window
from contracts.works import protection

_AXES = {"media": axes.MEDIA, "territories": axes.TERRITORIES, "languages": axes.LANGUAGES}
_TREE = text(
    "SELECT id, unit_first, unit_after, title_zh, title_en, party_id, completed_on, published_on, "
    "array(SELECT party_id FROM share WHERE work_id = :root ORDER BY party_id) AS owners, "
    "array(SELECT party_id FROM share WHERE work_id = :root AND consented_at IS NULL "
    "ORDER BY party_id) AS disagreeing, "
    "EXISTS(SELECT FROM encumbrance WHERE root_id = :root AND state = 'active') AS burdened "
    "FROM work WHERE root_id = :root ORDER BY unit_first"
)
_PLACE = text("SELECT root_id, unit_first, unit_after FROM work WHERE id = :work")
_COLUMNS = (
    "SELECT id, state, exclusivity, under, grantor_id, grantee_id, deal_id, expires_at, runs_max, "
    "sublicence_depth, lower(units) AS first, upper(units) AS after, lower(right_no) AS right_no, "
    "media::text AS media, territories::text AS territories, languages::text AS languages, "
    "(extract(epoch FROM lower(during)) * 1000000)::bigint AS starts, "
    "(extract(epoch FROM upper(during)) * 1000000)::bigint AS ends "
    "FROM rights_grant WHERE root_id = :root "
)
_IN_TIME = (
    "AND units && int4range(:first, :after) AND during && tstzrange(:start, :end) "
    "AND (expires_at IS NULL OR expires_at > :now) "
)
_ON_ALL_AXES = (
    "AND right_no && CAST(:rights AS int4multirange) AND media && CAST(:media AS int4multirange) "
    "AND territories && CAST(:territories AS int4multirange) "
    "AND languages && CAST(:languages AS int4multirange) "
)
# The tree is named as the constraint's index begins, or the planner might search it without a tree.
_LIVE = (
    "AND state IN ('reserved', 'held', 'effective') AND under = ANY(:grounds) "
    f"AND {ROOT_NO} && {ROOT_NO.replace('root_id', 'CAST(:root AS uuid)')} "
)
_HELD = text(_COLUMNS + "AND state = 'effective' AND grantee_id = :holder ORDER BY id")
_OUTS = text(_COLUMNS + _LIVE + _IN_TIME + "ORDER BY id")
_OUTS_THERE = text(_COLUMNS + _LIVE + _IN_TIME + _ON_ALL_AXES + "ORDER BY id")


@dataclass(frozen=True, slots=True)
class Scope:
    """Uses, territories and languages that a question is about; all of them unless it says less."""

    uses: int = axes.ALL_USES
    territories: int = axes.TERRITORIES.all
    languages: int = axes.LANGUAGES.all


@dataclass(frozen=True, slots=True)
class Place:
    """Where a work stands: the root of its tree, and its block of numbers."""

    root_id: UUID
    units: Block


EVERYTHING = Scope()


async def check(
    session: AsyncSession,
    question: Question,
    *,
    now: datetime,
    match: Match = Match.ANY,
    minimum: timedelta = timedelta(0),
) -> Answer:
    """Return whether exactly this is free, and why not.

    Raises:
        Unknown: there is no such tree.
    """
    register = await load(session, question, now=now)
    return judging.judge(register, question, match=match, minimum=minimum)


async def free(
    session: AsyncSession,
    work_id: UUID,
    *,
    grantor: UUID | None,
    scope: Scope = EVERYTHING,
    window: Window,
    exclusivity: Exclusivity,
    now: datetime,
) -> Answer:
    """Return what is free of a work and its parts.

    Raises:
        Unknown: there is no such work.
    """
    place = await locate(session, work_id)
    question = question_about(
        place, scope=scope, window=window, exclusivity=exclusivity, grantor=grantor
    )
    return await check(session, question, now=now)


async def calendar(
    session: AsyncSession,
    question: Question,
    *,
    months: Sequence[date],
    within: str | None = None,
    zone: str,
    now: datetime,
) -> Calendar:
    """Return the heat map of a question: how much of each territory's months is free.

    Args:
        session: the open transaction.
        question: what is asked; its window is that of the months (`heat.edges_of`).
        months: the first days of consecutive months, at most `heat.MOST_MONTHS`.
        within: a territory whose parts are the rows; None for the countries that matter.
        zone: the IANA time zone that months begin in.
        now: the instant.

    Raises:
        Unknown: there is no such tree.
        UnknownTerritory: there is no such territory.
    """
    answer = await check(session, question, now=now)
    rows = heat.rows_of(answer, within=within)
    return heat.calendar(answer, months=months, rows=rows, zone=zone)


async def locate(session: AsyncSession, work_id: UUID) -> Place:
    """Return where a work stands.

    Raises:
        Unknown: there is no such work.
    """
    row = (await session.execute(_PLACE, {"work": work_id})).one_or_none()
    if row is None:
        raise Unknown("There is no such work.", work=str(work_id))
    return Place(row.root_id, (row.unit_first, row.unit_after))


def question_about(
    place: Place,
    *,
    scope: Scope = EVERYTHING,
    window: Window,
    exclusivity: Exclusivity,
    grantor: UUID | None = None,
) -> Question:
    """Return the question what of a work is free in a window."""
    return Question(
        root_id=place.root_id,
        units=place.units,
        uses=scope.uses,
        territories=scope.territories,
        languages=scope.languages,
        window=window,
        exclusivity=exclusivity,
        grantor=grantor,
    )


def question_of(
    wires: Sequence[Mapping[str, Any]],
    place: Place,
    *,
    grantor: UUID | None = None,
    grantee: UUID | None = None,
) -> Question:
    """Return the question that rights on the wire ask of a work.

    Args:
        wires: offers that differ in right and media alone, as `rights.expand` makes of a bundle.
        place: where the work stands.
        grantor: who would grant; None for the owners.
        grantee: who asks for it.

    Raises:
        Refusal: any of `contracts.rights.rules.resolve`.
    """
    boxes, uses = [rights.resolve(wire) for wire in wires], 0
    for box in boxes:
        uses |= axes.uses(box.right, box.media)
    first = boxes[0]
    scope = Scope(uses, first.territories, first.languages)
    asked = question_about(
        place, scope=scope, window=first.window, exclusivity=first.exclusivity, grantor=grantor
    )
    depth = rights.sublicence_depth(wires[0])
    return replace(asked, runs=first.runs_max, depth=depth, grantee=grantee)


async def load(session: AsyncSession, question: Question, *, now: datetime) -> Register:
    """Return what of the register bears on a question: one round trip for each table.

    Raises:
        Unknown: there is no such tree.
    """
    register = await load_without_outs(session, question, now=now)
    rows = await _live(session, question, _grounds(register, question), now=now)
    return replace(register, outs=[_out(row, register.tree) for row in rows])


async def load_without_outs(
    session: AsyncSession, question: Question, *, now: datetime
) -> Register:
    """Return the same but for rights out, for those who look for clashes by themselves.

    Raises:
        Unknown: there is no such tree.
    """
    rows = (await session.execute(_TREE, {"root": question.root_id})).all()
    if not rows:
        raise Unknown("There is no such work.", work=str(question.root_id))
    tree = tree_of(rows)
    owners = frozenset(rows[0].owners) or frozenset({rows[0].party_id})
    held = question.grantor is not None and question.grantor not in owners
    burdened = rows[0].burdened  # most trees are not: that spares a round trip
    return Register(
        tree=tree,
        owners=owners,
        holdings=await _holdings(session, question, tree, now=now) if held else (),
        burdens=await encumbrances.burdens(session, question.root_id) if burdened else (),
        disagreeing=rows[0].disagreeing,
    )


def _grounds(register: Register, question: Question) -> list[UUID]:
    if question.grantor is None or question.grantor in register.owners:
        return [OWNERS]
    return [holding.id for holding in register.holdings]


def tree_of(rows: Iterable[Row[Any]]) -> Tree:
    """Return the tree of works that rows in the order of their blocks make.

    What has no dates of its own is protected as long as the work it is part of.
    """
    nodes: list[Node] = []
    above: list[Node] = []
    for row in rows:
        node = Node(row.id, row.unit_first, row.unit_after, row.title_zh, row.title_en)
        while above and above[-1].after <= node.first:
            above.pop()
        last = protection.protection_end(row.completed_on, row.published_on)
        if last is not None:
            node = replace(node, protected_until=micros(protection.protected_until(last)))
        elif above:
            node = replace(node, protected_until=above[-1].protected_until)
        above.append(node)
        nodes.append(node)
    return Tree(tuple(nodes))


async def _live(
    session: AsyncSession, question: Question, grounds: list[UUID], *, now: datetime
) -> Sequence[Row[Any]]:
    """Return the live grants that touch the question; all of the work's where it asks for most."""
    asked: dict[str, Any] = {
        "root": question.root_id,
        "grounds": grounds,
        "first": question.units[0],
        "after": question.units[1],
        "start": question.window.start,
        "end": question.window.end,
        "now": now,
    }
    statement: TextClause = _OUTS
    if question.uses != axes.ALL_USES:
        statement, asked = _OUTS_THERE, asked | _on_axes(question)
    return (await session.execute(statement, asked)).all()


def _on_axes(question: Question) -> dict[str, str]:
    pairs = axes.media_of_uses(question.uses)
    media = 0
    for _, mask in pairs:
        media |= mask
    numbers = [vocabulary.RIGHTS[code].number for code, _ in pairs]
    return {
        "rights": "{" + ",".join(f"[{number},{number + 1})" for number in numbers) + "}",
        "media": _written("media", media),
        "territories": _written("territories", question.territories),
        "languages": _written("languages", question.languages),
    }


async def _holdings(
    session: AsyncSession, question: Question, tree: Tree, *, now: datetime
) -> list[Holding]:
    """Return the effective grants that the grantor holds in the tree."""
    asked = {"root": question.root_id, "holder": question.grantor}
    rows = (await session.execute(_HELD, asked)).all()
    if not rows:
        return []
    counted = [row.id for row in rows if row.runs_max is not None]
    spent = await runs.runs_spent(session, question.root_id, counted, now=now)
    return [
        Holding(
            id=row.id,
            holder=row.grantee_id,
            box=_box(row, tree),
            exclusivity=Exclusivity(row.exclusivity),
            depth=row.sublicence_depth,
            runs_left=None if row.runs_max is None else row.runs_max - spent.get(row.id, 0),
            deal_id=row.deal_id,
            under=row.under,
        )
        for row in rows
    ]


def _out(row: Row[Any], tree: Tree) -> Out:
    return Out(
        row.id, row.state, _box(row, tree), _EXCLUSIVITY[row.exclusivity], row.under,
        row.grantor_id, row.grantee_id, row.deal_id, row.expires_at,
    )  # fmt: skip


_EXCLUSIVITY = {one.value: one for one in Exclusivity}
_RIGHT = {right.number: right.code for right in vocabulary.RIGHTS.values()}


def _box(row: Row[Any], tree: Tree) -> Box:
    return Box(
        tree.mask((row.first, row.after)),
        _uses(row.right_no, row.media),
        _mask("territories", row.territories),
        _mask("languages", row.languages),
        row.starts,
        row.ends,
    )


@lru_cache(maxsize=4096)
def _uses(right_no: int, media: str) -> int:
    return axes.uses(_RIGHT[right_no], _mask("media", media))


@lru_cache(maxsize=65536)
def _mask(name: str, written: str) -> int:
    """Return the mask of a multirange as PostgreSQL writes it: `{[1000,38000),[39000,48000)}`."""
    axis: Axis = _AXES[name]
    return axis.of_ranges(_pair(one) for one in written[2:-2].split("),["))


def _pair(written: str) -> tuple[int, int]:
    low, _, high = written.partition(",")
    return int(low), int(high)


@lru_cache(maxsize=65536)
def _written(name: str, mask: int) -> str:
    return "{" + ",".join(f"[{low},{high})" for low, high in _AXES[name].ranges(mask)) + "}"
