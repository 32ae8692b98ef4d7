"""The same questions as plain SQL over exploded cells: what the engine is measured against.

One row for each live grant, medium, territory and block of languages of it, indexed by work. What
favours the SQL side: only the works that are asked are exploded, and none of them has parts, so
that there is no axis of works; territories are exploded to countries (China: to provinces), not to
the subdivisions that the register keeps; languages to the blocks that the grants of this register
tell apart; a cell that nobody holds is not listed as free; the client does not read the multiranges
while the clock runs.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from uuid import UUID

import psycopg

from contracts.rights import axes, region, vocabulary
from contracts.rights.algebra import Exclusivity, RightsBox
from contracts.rights.axes import Axis
from contracts.rights.region import Region
from contracts.window import Window
from tests.benchmarks.register import Pools

TABLE = """
CREATE TABLE cell (
  root_id uuid NOT NULL, right_no int NOT NULL, medium int NOT NULL, territory int NOT NULL,
  language int NOT NULL, during tstzrange NOT NULL, exclusive boolean NOT NULL)
"""
EXPLODED = """
INSERT INTO cell
SELECT root_id, lower(right_no), m.low, t.low, l.low, during, exclusivity <> 'non-exclusive'
FROM rights_grant
  JOIN unnest(%(media)s::int[]) AS m (low) ON m.low <@ media
  JOIN unnest(%(territories)s::int[]) AS t (low) ON t.low <@ territories
  JOIN unnest(%(languages)s::int[]) AS l (low) ON l.low <@ languages
WHERE root_id = ANY(%(roots)s) AND state IN ('reserved', 'held', 'effective')
  AND (expires_at IS NULL OR expires_at > %(now)s)
"""
INDEX = """
CREATE INDEX cell_place ON cell (root_id, right_no, medium, territory, language)
INCLUDE (during, exclusive)
"""
EXACT = """
SELECT NOT EXISTS (
  SELECT FROM cell WHERE root_id = %s AND right_no = %s AND medium = ANY(%s)
    AND territory = ANY(%s) AND language = ANY(%s) AND during && tstzrange(%s, %s)
    AND (exclusive OR %s))
"""
FREE = """
SELECT right_no, medium, territory, language,
  (tstzmultirange(tstzrange(%(start)s, %(end)s)) - range_agg(during))::text
FROM cell
WHERE root_id = %(root)s AND during && tstzrange(%(start)s, %(end)s) AND (exclusive OR %(keeps)s)
GROUP BY right_no, medium, territory, language
"""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN = re.compile(r'[\[(]"([^"]+)","([^"]+)"\)')
Row = tuple[int, int, int, int, str]


@dataclass(frozen=True, slots=True)
class Block:
    """Leaves of an axis that are told apart from others: the number that stands for them."""

    mask: int
    low: int
    weight: int


@dataclass(frozen=True, slots=True)
class Print:
    """A fingerprint of a set of cells, linear in the set.

    Each cell has a random weight (the product of those of its blocks) and counts with its length in
    time, and with the difference of the squares of its ends, so that a shift does not go unnoticed.
    """

    length: int = 0
    squares: int = 0

    def add(self, weight: int, start: int, end: int) -> "Print":
        """Return the print of the set with a span of weighty cells added."""
        return Print(
            self.length + weight * (end - start), self.squares + weight * (end**2 - start**2)
        )


class Cells:
    """The exploded table and the two questions."""

    def __init__(self, connection: psycopg.Connection, pools: Pools, random: Random) -> None:
        self._connection = connection
        self.backend = connection.info.backend_pid
        leaves = [1 << at for at in range(len(axes.MEDIA.leaves))]
        self.media = _blocks(axes.MEDIA, leaves, random)
        self.territories = _blocks(axes.TERRITORIES, _countries(), random)
        self.languages = _blocks(axes.LANGUAGES, pools.masks[2], random)
        self._rights = {word.code: random.getrandbits(30) for word in vocabulary.RIGHTS.values()}
        self._use_weight = lru_cache(maxsize=None)(self._weigh_uses)
        self._weight = lru_cache(maxsize=None)(_weigh)

    def explode(self, roots: Sequence[UUID], *, now: datetime) -> int:
        """Fill the table with the live grants of works; return the number of cells."""
        lists = {
            "media": [block.low for block in self.media],
            "territories": [block.low for block in self.territories],
            "languages": [block.low for block in self.languages],
        }
        with self._connection.cursor() as cursor:
            cursor.execute(TABLE)
            cursor.execute(EXPLODED, {**lists, "roots": list(roots), "now": now})
            made = cursor.rowcount
            cursor.execute(INDEX)
            cursor.execute("VACUUM ANALYZE cell")
        return made

    def is_free(self, root: UUID, box: RightsBox) -> bool:
        """Ask whether a box of a work is free."""
        asked = (
            root, vocabulary.RIGHTS[box.right].number, _lows(self.media, box.media),
            _lows(self.territories, box.territories), _lows(self.languages, box.languages),
            box.window.start, box.window.end, box.exclusivity is not Exclusivity.NON_EXCLUSIVE,
        )  # fmt: skip
        answer = self._connection.execute(EXACT, asked).fetchone()
        return bool(answer and answer[0])

    def what_is_free(self, root: UUID, window: Window, exclusivity: Exclusivity) -> list[Row]:
        """Return each cell that somebody holds in a window, and what is left of it."""
        asked = {
            "root": root,
            "start": window.start,
            "end": window.end,
            "keeps": exclusivity is not Exclusivity.NON_EXCLUSIVE,
        }
        return self._connection.execute(FREE, asked).fetchall()

    def free_print(self, rows: Iterable[Row], window: Window) -> Print:
        """Return the print of what SQL calls free: all, less what each listed cell lacks."""
        start, end = micros(window.start), micros(window.end)
        rights = {word.number: self._rights[word.code] for word in vocabulary.RIGHTS.values()}
        media, territories, languages = (
            {block.low: block.weight for block in axis}
            for axis in (self.media, self.territories, self.languages)
        )
        everything = self._use_weight(axes.ALL_USES) * self._of(self.territories, -1)
        found = Print().add(everything * self._of(self.languages, -1), start, end)
        for right, medium, territory, language, spans in rows:
            weight = rights[right] * media[medium] * territories[territory] * languages[language]
            found = found.add(-weight, start, end)
            for low, high in _SPAN.findall(spans):
                found = found.add(weight, _instant(low), _instant(high))
        return found

    def region_print(self, free: Region) -> Print:
        """Return the print of a region of one work."""
        found = Print()
        for box in region.boxes(free):
            places = self._of(self.territories, box.territories)
            tongues = self._of(self.languages, box.languages)
            found = found.add(self._use_weight(box.uses) * places * tongues, box.start, box.end)
        return found

    def _of(self, axis: tuple[Block, ...], mask: int) -> int:
        return self._weight(axis, mask)

    def _weigh_uses(self, uses: int) -> int:
        return sum(
            self._rights[right] * self._of(self.media, media)
            for right, media in axes.media_of_uses(uses)
        )


def micros(instant: datetime) -> int:
    """Return an instant as microseconds since the epoch."""
    return (instant - EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=100_000)
def _instant(text: str) -> int:
    return micros(datetime.fromisoformat(text))


def _weigh(axis: tuple[Block, ...], mask: int) -> int:
    return sum(block.weight for block in axis if block.mask & mask)


@lru_cache(maxsize=100_000)
def _lows(axis: tuple[Block, ...], mask: int) -> list[int]:
    return [block.low for block in axis if block.mask & mask]


def _countries() -> list[int]:
    """Return the masks of every country, and of every province of China."""
    inside = [one.code for one in vocabulary.SUBDIVISIONS.values() if one.parent == "CN"]
    return [axes.TERRITORIES.mask([code]) for code in (*vocabulary.TERRITORIES, *inside)]


def _blocks(axis: Axis, masks: Iterable[int], random: Random) -> tuple[Block, ...]:
    """Cut an axis into the blocks that masks tell apart; the first number stands for a block."""
    parts = [axis.all]
    for mask in set(masks):
        cut = [(part & mask, part & ~mask) for part in parts]
        parts = [piece for pieces in cut for piece in pieces if piece]
    return tuple(Block(part, axis.ranges(part)[0][0], random.getrandbits(30)) for part in parts)
