"""The published log: checkpoint, tiles and bundles as files in one folder, for any web server.

A file appears whole or not at all and is on the disk before the checkpoint that needs it. What is
full is never written again. Every machine that publishes shares the folder and its lock.

Source: C2SP tlog-tiles.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from contracts.log import tiles
from contracts.log.tiles import NoSuchTile, Tile
from contracts.refusal import Kind, Refusal

CHECKPOINT, LOCK = "checkpoint", ".lock"


class PublishedOtherwise(Refusal):
    """What is published and what the database holds are not the beginning of one log."""

    kind, code = Kind.CONFLICT, "published-otherwise"
    hint = "Run `exchange log fsck`; publish nothing before it is known which of the two is right."


class Source(Protocol):
    """Where a published log can be read: a folder, or a URL."""

    def checkpoint(self) -> str | None:
        """Return the signed checkpoint; None when nothing is published."""

    def read(self, tile: Tile) -> bytes:
        """Return a tile or bundle.

        Raises:
            NoSuchTile: it is not there.
        """


class LogSite:
    """The folder."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which need not exist yet."""
        self.folder = folder

    def checkpoint(self) -> str | None:
        """Return the published checkpoint; None before the first."""
        try:
            return (self.folder / CHECKPOINT).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def read(self, tile: Tile) -> bytes:
        """Return a published file; a partial one is cut from the full one once that is there.

        Raises:
            NoSuchTile: it is not published.
        """
        with suppress(FileNotFoundError):
            return (self.folder / tile.path).read_bytes()
        with suppress(FileNotFoundError):
            return tiles.narrowed((self.folder / tile.full.path).read_bytes(), tile)
        raise NoSuchTile("The log has no such file.", path=tile.path)

    def write(self, tile: Tile, content: bytes) -> None:
        """Put a file in its place, for good; once it is full, the narrower ones go.

        Raises:
            PublishedOtherwise: another content is there.
        """
        path = self.folder / tile.path
        if not _holds(path, content):
            if path.exists():
                raise PublishedOtherwise("A published file would change.", path=tile.path)
            _place(path, content)

    def publish(self, checkpoint: str) -> None:
        """Put the checkpoint in its place; everything it refers to is written before."""
        _place(self.folder / CHECKPOINT, checkpoint.encode())

    def prune(self, tile: Tile) -> None:
        """Remove the partial files that a full one has made needless."""
        path = self.folder / tile.full.path
        if path.exists():
            shutil.rmtree(path.with_name(path.name + ".p"), ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other publishers out."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _place(path: Path, content: bytes) -> None:
    """Write beside, flush, and rename, so that no reader and no crash meets half a file."""
    _folder(path.parent)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _flush(path.parent)


def _folder(path: Path) -> None:
    """Make a folder and its parents, each known to the disk."""
    if not path.is_dir():
        _folder(path.parent)
        path.mkdir(exist_ok=True)
        _flush(path.parent)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
