"""A published log at a URL, read over HTTP."""

from dataclasses import dataclass

import httpx

from contracts.log.site import CHECKPOINT
from contracts.log.tiles import NoSuchTile, Tile
from contracts.refusal import Kind, Refusal

TIMEOUT_S = 30.0


class LogAway(Refusal):
    """The published log cannot be fetched from there."""

    kind, code = Kind.UNAVAILABLE, "log-away"
    hint = "Name the prefix under which `checkpoint` and `tile/…` are served."


@dataclass(frozen=True, slots=True)
class RemoteSite:
    """A published log at a URL: this exchange's, or anybody's that keeps to C2SP tlog-tiles."""

    prefix: str
    client: httpx.Client

    def checkpoint(self) -> str | None:
        """Return the checkpoint; None when there is none."""
        answer = self._get(CHECKPOINT)
        return None if answer is None else answer.decode(errors="replace")

    def read(self, tile: Tile) -> bytes:
        """Return a tile or bundle.

        Raises:
            NoSuchTile: it is not there.
        """
        content = self._get(tile.path)
        if content is None:
            raise NoSuchTile("The log has no such file.", path=tile.path)
        return content

    def _get(self, path: str) -> bytes | None:
        try:
            answer = self.client.get(f"{self.prefix.rstrip('/')}/{path}")
        except httpx.HTTPError as error:
            raise LogAway(f"{path}: {error}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code != httpx.codes.OK:
            raise LogAway(f"{path}: the answer is {answer.status_code}.")
        return answer.content
