"""The index in ClickHouse, for more hours than one machine scans: the same answers, counted in SQL.

The rows in PostgreSQL stay the record. A worker copies them in the order of their entries; until it
has, a search reads them from their rows, so that what was listed is found at once here too. Every
statement is plain text over ClickHouse's HTTP interface: one server, or a cluster behind a
`Distributed` table of the same name.

Source: clickhouse.com/docs, "HTTP interface", "bitCount", "bitXor", "values table function".
"""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import httpx
import numpy as np

from contracts.refusal import Kind, Refusal
from listings.index import rules
from listings.index.rules import (
    BEYOND_MS,
    BIN_MS,
    FAR,
    LEAST_VOTES,
    LINE_MS,
    MIRRORED,
    NEAR,
    SLOPES_BP,
    STRETCH_MS,
    STRETCH_STEP_MS,
    Line,
    Minute,
    Question,
)
from listings.masters.fingerprint import STATIC_BYTES, VERSION

CODES, ENTRIES = f"picture_code_{VERSION}", f"picture_entry_{VERSION}"
SETTINGS = {"max_query_size": str(1 << 28), "wait_end_of_query": "1"}
PATIENCE_S = 60.0

_TABLES = (
    "CREATE TABLE IF NOT EXISTS {codes} (entry UInt64, at_ms Int64, "
    "w0 UInt64, w1 UInt64, w2 UInt64, w3 UInt64) ENGINE = MergeTree ORDER BY (entry, at_ms)",
    "CREATE TABLE IF NOT EXISTS {entries} (entry UInt64, chain String) "
    "ENGINE = MergeTree ORDER BY entry",
)
_ASKED = (
    "asked Int64, here Int64, scene Int64, seen Int64, turned UInt8, "
    "q0 UInt64, q1 UInt64, q2 UInt64, q3 UInt64"
)
_LINES = """
SELECT entry, stretch, seen, turned, slope, bin,
       uniqExactIf(asked, bits <= {near}) + uniqExact(scene) - uniqExactIf(scene, bits <= {near})
           AS votes,
       sum({far} + 1 - bits), sum(({far} + 1 - bits) * offset), min(here), max(here)
FROM (
    SELECT *, intDiv(here, {step}) - arrayJoin({stretches}) AS stretch
    FROM (
        SELECT *, at_ms - intDiv(here * slope, 10000) AS offset,
               intDiv(offset + {beyond}, {bin}) - {beyond_bins} - arrayJoin({bins}) AS bin
        FROM (
            SELECT entry, at_ms, asked, here, scene, seen, turned,
                   toInt64(bitCount(bitXor(w0, q0)) + bitCount(bitXor(w1, q1))
                           + bitCount(bitXor(w2, q2)) + bitCount(bitXor(w3, q3))) AS bits,
                   arrayJoin(CAST({slopes} AS Array(Int64))) AS slope
            FROM {codes} CROSS JOIN values('{asked}', {values}) AS questions
            WHERE entry > {since} AND entry <= {upto} AND bits <= {far}
        )
    )
)
WHERE stretch >= 0
GROUP BY entry, stretch, seen, turned, slope, bin
HAVING votes >= {least}
FORMAT JSONCompactEachRow
"""


_HEAD = "SELECT entry, chain FROM {entries} ORDER BY entry DESC LIMIT 1 FORMAT JSONCompactEachRow"
_BEGIN = "DELETE FROM {codes} WHERE entry >= {entry}"
_ADD = "INSERT INTO {codes} VALUES {values}"
_END = "INSERT INTO {entries} VALUES ({entry}, '{chain}')"
_DROP = "DELETE FROM {codes} WHERE entry IN ({dropped})"
_COUNT = "SELECT count() FROM {codes} FORMAT JSONCompactEachRow"
_CLEAR = ("TRUNCATE TABLE {entries}", "TRUNCATE TABLE {codes}")


class IndexAway(Refusal):
    """The engine that holds the index of pictures does not answer as it should."""

    kind, code = Kind.UNAVAILABLE, "index-away"
    hint = "Try again in a moment with the same id; nothing was changed."


class ClickHouse:
    """The statements, and nothing else: whoever calls knows what the record holds."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Take a client whose base URL is the server's, with its credentials."""
        self._client = client

    async def create(self) -> None:
        """Create what is missing."""
        for statement in _TABLES:
            await self._run(statement)

    async def head(self) -> tuple[int, str]:
        """Return the last entry that is whole, and its chain (hex); (0, "") when there is none."""
        rows = await self._run(_HEAD)
        return (int(rows[0][0]), str(rows[0][1])) if rows else (0, "")

    async def add(self, entry: int, chain: bytes, minutes: Sequence[Minute]) -> None:
        """Add an entry. One that was cut off before its end is begun anew."""
        await self._run(_BEGIN, entry=int(entry))
        values = ", ".join(_kept(minutes))
        if values:
            await self._run(_ADD, values=values)
        await self._run(_END, entry=int(entry), chain=chain.hex())

    async def drop(self, entries: Collection[int]) -> None:
        """Delete the codes of entries that were dropped."""
        if entries:
            listed = ", ".join(str(int(entry)) for entry in entries)
            await self._run(_DROP, dropped=listed)

    async def clear(self) -> None:
        """Delete everything: it is another database's, or of another past."""
        for statement in _CLEAR:
            await self._run(statement)

    async def count(self) -> int:
        """Return how many codes there are."""
        rows = await self._run(_COUNT)
        return int(rows[0][0])

    async def lines(self, question: Question, *, since: int, upto: int) -> list[Line]:
        """Return the lines that the codes of a clip vote for, among some entries."""
        values = ", ".join(_asked(question))
        if not values or upto <= since:
            return []
        rows = await self._run(
            _LINES, asked=_ASKED, values=values, since=int(since), upto=int(upto),
            near=NEAR, far=FAR, least=LEAST_VOTES, slopes=list(SLOPES_BP), step=STRETCH_STEP_MS,
            stretches=list(range(STRETCH_MS // STRETCH_STEP_MS)), bin=BIN_MS,
            bins=list(range(LINE_MS // BIN_MS)), beyond=BEYOND_MS, beyond_bins=BEYOND_MS // BIN_MS,
        )  # fmt: skip
        return [_line([int(cell) for cell in row]) for row in rows]

    async def _run(self, template: str, **parts: object) -> list[Any]:
        """Run a statement; return the rows it answers with. Its parts are numbers and our names.

        Raises:
            IndexAway: no answer, or not one of success.
        """
        statement = template.format(codes=CODES, entries=ENTRIES, **parts)
        try:
            answer = await self._client.post(
                "", content=statement.encode(), params=SETTINGS, timeout=PATIENCE_S
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise IndexAway("The index of pictures cannot be searched now.") from error
        return [json.loads(line) for line in answer.text.splitlines() if line]


def _asked(question: Question) -> Iterable[str]:
    """Yield each code, as it is and mirrored, as a row of values."""
    scene = rules.scenes(question.codes[:, 0])
    asked, seen = np.nonzero(rules.worth_asking(question.codes))
    for number, window in zip(asked.tolist(), seen.tolist(), strict=True):
        code = question.codes[number, window]
        at = f"{number}, {int(question.at_ms[number])}, {int(scene[number])}, {window}"
        for turned, look in ((0, code), (1, code ^ MIRRORED)):
            yield f"({at}, {turned}, {_words(look.tobytes())})"


def _kept(minutes: Sequence[Minute]) -> Iterable[str]:
    """Yield each kept code as a row of values."""
    for minute in minutes:
        seconds = [place for place in range(60) if minute.kept >> place & 1]
        for number, second in enumerate(seconds):
            code = minute.codes[number * STATIC_BYTES : (number + 1) * STATIC_BYTES]
            yield f"({minute.entry}, {(minute.seg * 60 + second) * 1000}, {_words(code)})"


def _words(code: bytes) -> str:
    return ", ".join(str(int.from_bytes(code[at : at + 8], "little")) for at in range(0, 32, 8))


def _line(row: list[int]) -> Line:
    entry, stretch, seen, turned, slope, place, votes, strength, moment, first, last = row
    return Line(
        entry=entry, stretch=stretch, window=seen, mirrored=bool(turned), slope_bp=slope,
        bin=place, votes=votes, strength=strength, moment=moment, first_ms=first, last_ms=last,
    )  # fmt: skip
