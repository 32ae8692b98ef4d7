"""Where bytes are kept: a folder, or an object store with a folder for working copies.

A key is a relative path such as `masters/<id>`. Decoders read files: `local` returns one on this
machine, which for a folder is the object itself and for a store a copy that was fetched.

Stores are named by URL (`s3://bucket/prefix`, `gs://…`, `az://…`, `file:///…`, `memory:///`); keys
and endpoints come from each provider's usual environment variables.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from contracts.refusal import Kind, Refusal

PIECE = 4 * 1024**2  # read at once
PART = 16 * 1024**2  # of an object that is written in parts …
MOST_PARTS = 9_000  # … of which S3 takes ten thousand


class ObjectsAway(Refusal):
    """The object store does not answer, or refuses this exchange."""

    kind, code = Kind.UNAVAILABLE, "objects-away"
    hint = "Try again with the same id; an operator finds the reason in the log."


class Objects(Protocol):
    """Keeps bytes under keys; every call blocks, so callers use a thread."""

    def put(self, key: str, content: bytes | Path) -> None:
        """Keep bytes, or a whole file, under a key; durable and whole on return, or not there."""
        ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from `start` up to `end`, or all that follow.

        Raises:
            FileNotFoundError: there is no such object.
        """
        ...

    def size(self, key: str) -> int | None:
        """Return how many bytes an object has; None when there is none."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object and its working copy, if there are any."""
        ...

    def local(self, key: str) -> Path:
        """Return a file of this machine that holds the object.

        Raises:
            FileNotFoundError: there is no such object.
        """
        ...


class FolderObjects:
    """Objects that are the files of a folder."""

    def __init__(self, folder: Path) -> None:
        """Use (and on first write make) a folder."""
        self.folder = folder

    def put(self, key: str, content: bytes | Path) -> None:
        """See `Objects`."""
        if isinstance(content, Path):
            with content.open("rb") as file:
                write_whole(self._path(key), iter(lambda: file.read(PIECE), b""))
        else:
            write_whole(self._path(key), iter([content]))

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `Objects`."""
        with self._path(key).open("rb") as file:
            file.seek(start)
            return file.read() if end is None else file.read(max(0, end - start))

    def size(self, key: str) -> int | None:
        """See `Objects`."""
        path = self._path(key)
        return path.stat().st_size if path.is_file() else None

    def delete(self, key: str) -> None:
        """See `Objects`."""
        self._path(key).unlink(missing_ok=True)

    def local(self, key: str) -> Path:
        """See `Objects`."""
        path = self._path(key)
        if not path.is_file():
            raise FileNotFoundError(key)
        return path

    def _path(self, key: str) -> Path:
        return self.folder / safe(key)


class StoreObjects:
    """Objects of a store; `folder` holds the copies that decoders read."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        """Use a store, and a folder of this machine."""
        self.store, self.folder = store, folder

    def put(self, key: str, content: bytes | Path) -> None:
        """See `Objects`; what is large goes in parts."""
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        part = max(PART, -(-size // MOST_PARTS))
        with reached():
            obstore.put(self.store, safe(key), content, chunk_size=part, max_concurrency=4)

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `Objects`."""
        size = self.size(key)
        if size is None:
            raise FileNotFoundError(key)
        last = size if end is None else min(end, size)
        if start >= last:
            return b""
        with reached():
            return bytes(obstore.get_range(self.store, safe(key), start=start, end=last))

    def size(self, key: str) -> int | None:
        """See `Objects`."""
        with reached():
            try:
                return obstore.head(self.store, safe(key))["size"]
            except FileNotFoundError:
                return None

    def delete(self, key: str) -> None:
        """See `Objects`."""
        with reached(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self.store, safe(key))
        (self.folder / safe(key)).unlink(missing_ok=True)

    def local(self, key: str) -> Path:
        """See `Objects`."""
        path, size = self.folder / safe(key), self.size(key)
        if size is None:
            raise FileNotFoundError(key)
        if not path.is_file() or path.stat().st_size != size:
            write_whole(path, stream(self.store, safe(key)))
        return path


@lru_cache(maxsize=8)
def opened(folder: Path, url: str | None) -> Objects:
    """Return the objects of a folder, or those of a store with the folder for working copies."""
    return FolderObjects(folder) if url is None else StoreObjects(connect(url), folder)


def connect(url: str) -> ObjectStore:
    """Return the store that a URL names.

    Raises:
        ObjectsAway: no store is known by such a URL.
    """
    with reached():
        return from_url(url)


def stream(store: ObjectStore, key: str, start: int = 0) -> Iterator[bytes]:
    """Yield an object from `start` on, at most `PIECE` bytes at a time."""
    with reached():
        size = obstore.head(store, key)["size"]
    while start < size:
        end = min(start + PIECE, size)
        with reached():
            yield bytes(obstore.get_range(store, key, start=start, end=end))
        start = end


def write_whole(path: Path, pieces: Iterator[bytes]) -> None:
    """Write a file that is there whole or not at all, and stays after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".coming-")
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def safe(key: str) -> str:
    """Return a key that stays below its root.

    Raises:
        ValueError: it would not.
    """
    parts = key.split("/")
    if not all(parts) or {".", ".."} & set(parts) or "\x00" in key:
        raise ValueError(f"{key!r} is no key")
    return key


@contextlib.contextmanager
def reached() -> Iterator[None]:
    """Tell apart what is not there (`FileNotFoundError`) from a store that cannot be used."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError, ValueError) as error:
        raise ObjectsAway("The object store cannot be used.") from error
