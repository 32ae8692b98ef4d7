"""Asking the index which protected masters a clip may show, through every window (gateway).

The whole picture is asked about every second of the clip; the cut windows and the picture upside
down, which are rarer, every third second. Whatever is found is looked at closely afterwards, so
that a wrong candidate costs milliseconds and refuses nobody.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from listings.index import gateway as index
from listings.index import rules as asking
from listings.index.rules import Question
from listings.masters.fingerprint import LUMA_RATE, PHASES, STATIC_BYTES, UPEND, Luma
from listings.recognition import queries
from listings.recognition.relation import Footage, Near

MOST = 64  # candidates of one question
SELDOM_S = 3
SHORT_S = 60
# In a shot that hardly moves the votes tell the place to a few seconds; a close look sees to one.
BESIDE_MS = (0, -2_000, 2_000)


@dataclass(frozen=True, slots=True)
class Indexed:
    """Finds candidates with the index of this installation.

    `folder` holds its scan files; with a `url` another server is asked.
    """

    folder: Path
    url: str | None = None

    async def find(
        self, session: AsyncSession, here: Footage, *, since: int
    ) -> Mapping[UUID, Sequence[Near]]:
        """See `Finder.find`."""
        if here.query is None:
            return {}
        engine = index.open_engine(session, folder=self.folder, url=self.url)
        entry = await queries.last_entry(session, since)
        found: dict[UUID, list[Near]] = {}
        for asked in questions(here.query):
            for one in await engine.search(asked.codes, asked.at_ms, most=MOST, since=entry):
                places = found.setdefault(one.master_id, [])
                around = [Near(one.offset_ms + beside, one.slope_bp) for beside in BESIDE_MS]
                places += [place for place in around if place not in places]
        return found


def questions(query: Luma) -> Iterator[Question]:
    """Yield what is asked about a clip; the mirrored picture is asked with each by the engine."""
    if not len(query):
        return
    yield _asked(query, windows=(0,), every_s=1)
    others = range(1, query.shape[1])
    if others:
        yield _asked(query, windows=others, every_s=SELDOM_S)
    turned = _asked(query, windows=(0,), every_s=SELDOM_S)
    yield Question(turned.codes ^ UPEND[:STATIC_BYTES], turned.at_ms)


def _asked(query: Luma, *, windows: Sequence[int], every_s: int) -> Question:
    """Ask about every so many seconds of a film, and about all of a short clip.

    A line counts from four votes on: of a clip of a few seconds every code has to be heard.
    """
    if len(query) >= SHORT_S * LUMA_RATE:
        return asking.ask(query, windows=windows, every_s=every_s)
    frames = np.arange(0, len(query), PHASES)
    codes = np.ascontiguousarray(query[frames][:, list(windows), :STATIC_BYTES])
    return Question(codes, frames.astype(np.int64) * 1_000 // LUMA_RATE)
