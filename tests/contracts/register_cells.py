"""The register of titles as a list of sets: who has taken which uses, and what may still be taken.

It is told what happens, step by step, and says beforehand whether the register must accept it.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import product
from uuid import UUID

Uses = frozenset[tuple[object, ...]]  # (work, use): one for each work that lies in what is granted
STRENGTH = ("non-exclusive", "sole", "exclusive")


@dataclass(frozen=True)
class Asked:
    """Rights that somebody asks for."""

    uses: Uses
    strength: str
    depth: int = 0


@dataclass
class Entry:
    """Rights taken: reserved, held until an instant, or granted; out of which entry."""

    source: str
    asked: Asked
    state: str
    under: str | None = None
    expires_at: datetime | None = None
    grant_id: UUID | None = None
    ended: bool = False

    def stands(self, now: datetime) -> bool:
        """Tell whether it still keeps others out."""
        return not self.ended and (self.expires_at is None or now < self.expires_at)


class Ledger:
    """What has been taken so far."""

    def __init__(self) -> None:
        """Begin with nothing taken."""
        self.entries: list[Entry] = []

    def live(self, now: datetime) -> list[Entry]:
        """Return what stands."""
        return [entry for entry in self.entries if entry.stands(now)]

    def is_free(self, asked: Asked, under: str | None, now: datetime) -> bool:
        """Tell whether nothing that stands on the same ground keeps it out."""
        return not any(
            entry.under == under
            and entry.asked.uses & asked.uses
            and {entry.asked.strength, asked.strength} != {"non-exclusive"}
            for entry in self.live(now)
        )

    def grounds(self, asked: Asked, now: datetime) -> list[str]:
        """Return the grants out of which the licensee may grant it."""
        return [
            entry.source
            for entry in self.live(now)
            if entry.state == "effective"
            and entry.under is None
            and entry.asked.depth > asked.depth
            and asked.uses <= entry.asked.uses
            and STRENGTH.index(asked.strength) <= STRENGTH.index(entry.asked.strength)
            and self.is_free(asked, entry.source, now)
        ]

    def end(self, source: str, *, states: tuple[str, ...]) -> None:
        """End what came from a source, if it is in one of the states, and all that is under it."""
        for entry in self.entries:
            if entry.source == source and entry.state in states:
                entry.ended = True
                for below in self.entries:
                    below.ended = below.ended or below.under == source


def uses_in(works: set[UUID], uses: set[tuple[object, ...]]) -> Uses:
    """Return every use in every one of some works."""
    return frozenset(product(works, uses))
