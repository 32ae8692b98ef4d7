"""What a search is made with: the engine over all protected codes, and where derived files lie."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from listings.masters.objects import Objects
from listings.recognition.relation import Footage, Near

PITCHED = {25 / 24: "audio-faster", 24 / 25: "audio-slower"}


class Finder(Protocol):
    """Says which protected masters are worth a close look, and where."""

    async def find(
        self, session: AsyncSession, here: Footage, *, since: int
    ) -> Mapping[UUID, Sequence[Near]]:
        """Return masters protected after the epoch `since`; no places means: look everywhere."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What this process looks with; without a finder every protected master is looked at closely.

    `objects` keeps what was derived from masters: their codes through every window, thumbnails.
    There is no index of sound: where `listens` is set, the sound of every protected master is
    compared, which takes some 0.2 processor seconds for a listed hour and so belongs in the
    background.
    """

    finder: Finder | None = None
    objects: Objects | None = None
    listens: bool = False

    async def windows(self, master_id: UUID) -> bytes:
        """Return the codes of a master through every window; empty when none are kept."""
        return b"" if self.objects is None else await _read(self.objects, f"{master_id}/query.u1")

    async def pitched(self, master_id: UUID) -> Mapping[float, bytes]:
        """Return the sound of a master played faster and slower, by the factor."""
        if self.objects is None:
            return {}
        kept = {
            factor: await _read(self.objects, f"{master_id}/{name}.u32")
            for factor, name in PITCHED.items()
        }
        return {factor: codes for factor, codes in kept.items() if codes}

    async def instants(self, master_id: UUID) -> list[int]:
        """Return the instants (ms) of which a master has a thumbnail, in order."""
        raw = b"" if self.objects is None else await _read(self.objects, f"{master_id}/thumbs.json")
        return [int(at_ms) for at_ms in json.loads(raw)] if raw else []

    async def thumbnail(self, master_id: UUID, at_ms: int) -> bytes:
        """Return the JPEG of a master at an instant that it has one of; empty when it has none."""
        key = f"{master_id}/thumbs/{at_ms}.jpg"
        return b"" if self.objects is None else await _read(self.objects, key)


PLAIN = Sight()


async def _read(objects: Objects, key: str) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return await anyio.to_thread.run_sync(objects.read, f"derived/{key}")
    return b""
