"""The files of masters: blocks written where the committed part ends.

A block is durable before its offset is committed; after a crash there may be more than the
committed offset says, and the next write takes its place. Several machines may share the folder,
or the store.
"""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from uuid import UUID

from listings.masters import objects
from listings.masters.objects import FolderObjects, Objects, sync_folder

PIECE = 4 * 1024**2  # read at once


class Files(Protocol):
    """Where the bytes of masters are; every call blocks, so callers use a thread."""

    def write(self, master_id: UUID, block: bytes, *, at: int) -> None:
        """Put a block behind the first `at` bytes and cut what lay there; durable on return."""
        ...

    def pieces(self, master_id: UUID, start: int, end: int) -> Iterator[bytes]:
        """Yield what is stored from `start` to `end`.

        Raises:
            EOFError: less is stored.
        """
        ...

    def local(self, master_id: UUID, size: int) -> Path:
        """Return a file of this machine with all `size` bytes of a received master.

        Whether they are still the bytes that were received, the examination finds out.

        Raises:
            FileNotFoundError, EOFError: nothing, or less, is stored.
        """
        ...

    def remove(self, master_id: UUID) -> None:
        """Remove what is stored of a master, if anything is."""
        ...

    def drop_copies(self, *, unused_since: float) -> int:
        """Remove this machine's copies that nobody asked for since then (seconds of the epoch).

        What is not kept elsewhere stays. Return how many were removed.
        """
        ...


class MasterFiles:
    """The folder of masters; `<objects>/masters/<id>` is one file."""

    def __init__(self, folder: Path) -> None:
        """Use (and on first write make) the folder `masters` under this one."""
        self.folder = folder / "masters"

    def path(self, master_id: UUID) -> Path:
        """Return where the file of a master is."""
        return self.folder / str(master_id)

    def write(self, master_id: UUID, block: bytes, *, at: int) -> None:
        """See `Files`."""
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
            sync_folder(self.folder)

    def pieces(self, master_id: UUID, start: int, end: int) -> Iterator[bytes]:
        """See `Files`."""
        return pieces(self.path(master_id), start, end)

    def local(self, master_id: UUID, size: int) -> Path:  # noqa: ARG002 - a store needs the size.
        """See `Files`."""
        path = self.path(master_id)
        if not path.is_file():
            raise FileNotFoundError(path)
        return path

    def remove(self, master_id: UUID) -> None:
        """See `Files`."""
        self.path(master_id).unlink(missing_ok=True)

    def drop_copies(self, *, unused_since: float) -> int:  # noqa: ARG002 - these are the originals.
        """See `Files`."""
        return 0


class StoredMasters:
    """Masters in an object store.

    While a master arrives, each block is an object of its own, named by its offset, so that any
    machine can go on with it; the first to need the file puts the whole together.
    """

    def __init__(self, kept: Objects, folder: Path) -> None:
        """Use a store, and a folder of this machine for the files that decoders read."""
        self.kept, self.folder = kept, folder / "masters"

    def write(self, master_id: UUID, block: bytes, *, at: int) -> None:
        """See `Files`; a block that is written again at its offset takes the old one's place."""
        self.kept.put(_part(master_id, at), block)

    def pieces(self, master_id: UUID, start: int, end: int) -> Iterator[bytes]:
        """See `Files`."""
        if self.kept.size(_whole(master_id)) is not None:
            return self._of_whole(master_id, start, end)
        return self._of_parts(master_id, start, end)

    def local(self, master_id: UUID, size: int) -> Path:
        """See `Files`; puts the parts together when nobody has."""
        path = self.folder / str(master_id)
        if self.kept.size(_whole(master_id)) == size:
            path = self.kept.local(_whole(master_id))
            os.utime(path)  # somebody asked for it
            return path
        objects.write_whole(path, self._of_parts(master_id, 0, size))
        self.kept.put(_whole(master_id), path)
        self._drop_parts(master_id)
        return path

    def remove(self, master_id: UUID) -> None:
        """See `Files`."""
        self._drop_parts(master_id)
        self.kept.delete(_whole(master_id))

    def drop_copies(self, *, unused_since: float) -> int:
        """See `Files`."""
        dropped = 0
        for path in self.folder.glob("*-*-*-*-*"):
            seen = path.stat()
            if seen.st_mtime < unused_since and self.kept.size(f"masters/{path.name}") is not None:
                path.unlink(missing_ok=True)
                dropped += 1
        return dropped

    def _of_whole(self, master_id: UUID, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            piece = self.kept.read(_whole(master_id), start, min(start + PIECE, end))
            if not piece:
                raise EOFError(f"{master_id} ends at {start}, before {end}")
            yield piece
            start += len(piece)

    def _of_parts(self, master_id: UUID, start: int, end: int) -> Iterator[bytes]:
        """Walk from part to part: each begins where the one before ends."""
        at = 0
        while at < end:
            try:
                part = self.kept.read(_part(master_id, at))
            except FileNotFoundError as missing:
                raise EOFError(f"{master_id} ends at {at}, before {end}") from missing
            piece = part[max(0, start - at) : end - at]
            if piece:
                yield piece
            at += len(part)

    def _drop_parts(self, master_id: UUID) -> None:
        """Remove the parts, the first one last: it leads to the others."""
        at, found = 0, []
        while (size := self.kept.size(_part(master_id, at))) is not None:
            found.append(at)
            at += size
        for part in reversed(found):
            self.kept.delete(_part(master_id, part))


@lru_cache(maxsize=8)
def opened(folder: Path, url: str | None) -> Files:
    """Return the files of masters in a folder, or in a store with the folder for copies."""
    kept = objects.opened(folder, url)
    return MasterFiles(folder) if isinstance(kept, FolderObjects) else StoredMasters(kept, folder)


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


def _whole(master_id: UUID) -> str:
    return f"masters/{master_id}"


def _part(master_id: UUID, at: int) -> str:
    return f"parts/{master_id}/{at:016x}"


def _write_all(file: int, block: bytes, at: int) -> None:
    rest = memoryview(block)
    while rest:
        written = os.pwrite(file, rest, at)
        rest, at = rest[written:], at + written
