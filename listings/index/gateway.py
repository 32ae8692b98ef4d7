"""Engines that search the index: one interface, whatever holds the codes."""

from typing import Protocol

from listings.index.rules import Candidate, Codes, Times


class Engine(Protocol):
    """Searches every code of every listed master; nothing is approximate."""

    async def search(
        self, codes: Codes, at_ms: Times, *, most: int, since: int = 0
    ) -> list[Candidate]:
        """Return at most `most` candidates, the best first; each code is also asked mirrored.

        Args:
            codes: uint8, shape (n, windows, 32); `rules.ask` makes them of a query track.
            at_ms: int64, shape (n,), ascending.
            most: candidates to return.
            since: look only at entries after this one; what the transaction added counts.
        """
        ...
