"""The files of masters: blocks written where the committed part ends, and their running SHA-256.

A block is on disk before its offset is committed; after a crash the file may be longer than the
committed offset, and the next write cuts it back. Several machines may share the folder.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

PIECE = 4 * 1024**2  # read at once when hashing what is stored
MOST_HASHES = 256  # uploads whose hash is kept in memory; others are read again
CHASE = 8  # pieces read for every block received, while a hash is behind


@dataclass(slots=True)
class Running:
    """A SHA-256 of the first `at` bytes of a file."""

    at: int = 0
    hash: Any = field(default_factory=hashlib.sha256)


class MasterFiles:
    """The folder of masters; `<objects>/masters/<id>` is one file."""

    def __init__(self, objects: Path) -> None:
        """Use (and on first write make) the folder under `objects`."""
        self.folder = objects / "masters"
        self._running: OrderedDict[UUID, Running] = OrderedDict()

    def path(self, master_id: UUID) -> Path:
        """Return where the file of a master is."""
        return self.folder / str(master_id)

    def write(self, master_id: UUID, block: bytes, *, at: int) -> None:
        """Put a block behind the first `at` bytes and cut what lay there; durable on return."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path(master_id), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(file).st_size > at:
                os.ftruncate(file, at)
            _write_all(file, block, at)
            os.fsync(file)
        finally:
            os.close(file)
        if at == 0:
            _sync_folder(self.folder)

    def remove(self, master_id: UUID) -> None:
        """Remove the file of a master, if there is one."""
        self._running.pop(master_id, None)
        self.path(master_id).unlink(missing_ok=True)

    def catch_up(self, master_id: UUID, upto: int) -> None:
        """Hash what is stored up to `upto`, however much that is."""
        running = self._of(master_id, upto)
        for piece in pieces(self.path(master_id), running.at, upto):
            running.hash.update(piece)
            running.at += len(piece)

    def digest_with(self, master_id: UUID, block: bytes, *, at: int) -> str:
        """Return the SHA-256 (hex) of the first `at` bytes and the block behind them."""
        self.catch_up(master_id, at)
        whole = self._of(master_id, at).hash.copy()
        whole.update(block)
        return str(whole.hexdigest())

    def committed(self, master_id: UUID, block: bytes, *, at: int) -> None:
        """Take a block into the running hash, once its offset is committed.

        Where this process joins in the middle of an upload, it reads the stored part behind the
        uploader's back, a few pieces for each block, so that the end does not wait for all of it.
        """
        running = self._of(master_id, at)
        if running.at == at:
            running.hash.update(block)
            running.at += len(block)
        else:
            self.catch_up(master_id, min(at + len(block), running.at + CHASE * PIECE))

    def forget(self, master_id: UUID) -> None:
        """Drop the running hash of an upload that is complete."""
        self._running.pop(master_id, None)

    def _of(self, master_id: UUID, upto: int) -> Running:
        """Return the running hash; a new one when it has seen more than is committed."""
        running = self._running.get(master_id)
        if running is None or running.at > upto:
            running = self._running[master_id] = Running()
        self._running.move_to_end(master_id)
        while len(self._running) > MOST_HASHES:
            self._running.popitem(last=False)
        return running


def pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of a file from `start` to `end`.

    Raises:
        EOFError: the file is shorter than that.
    """
    if start == end:
        return
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            piece = file.read(min(PIECE, end - start))
            if not piece:
                raise EOFError(f"{path.name} ends at {start}, before {end}")
            yield piece
            start += len(piece)


def _write_all(file: int, block: bytes, at: int) -> None:
    rest = memoryview(block)
    while rest:
        written = os.pwrite(file, rest, at)
        rest, at = rest[written:], at + written


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
