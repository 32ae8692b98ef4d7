"""What examinations leave under `derived/<master_id>/`: for others to read, and between pieces.

`query.u1` (codes through every window), `audio-faster.u32` and `audio-slower.u32` (Chromaprint of
the sound as film at 25 instead of 24 pictures has it, and the other way round), `signature.mp7`,
`thumbs.json` and `thumbs/<ms>.jpg`, `poster.jpg`, `sheet.jpg`, `proxy.mp4`; `pieces/<number>/…`
until the pieces are joined.
"""

import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import anyio
import anyio.to_thread

from listings.examinations.decoding import KEPT
from listings.examinations.merging import Passed
from listings.masters.objects import Objects

UNPLAIN = set(":,;[]'\\%=")  # signs that a filter takes for its own


class Derived:
    """The derived objects of one master; every call blocks, so callers use a thread."""

    def __init__(self, objects: Objects, master_id: UUID) -> None:
        """Use the objects of this exchange."""
        self._objects, self._root = objects, f"derived/{master_id}"

    def keep(self, passed: Passed) -> None:
        """Keep what one decode pass found."""
        put, root = self._objects.put, self._root
        put(f"{root}/query.u1", passed.codes.query.tobytes())
        put(f"{root}/signature.mp7", passed.signature)
        for name, codes in passed.pitched.items():
            put(f"{root}/{name}.u32", codes)
        for each in passed.thumbnails:
            put(f"{root}/thumbs/{each.at_ms}.jpg", each.path)
        at_ms = [each.at_ms for each in passed.thumbnails]
        put(f"{root}/thumbs.json", json.dumps(at_ms).encode())
        for path in (passed.poster, passed.sheet, passed.proxy):
            if path is not None:
                put(f"{root}/{path.name}", path)

    def keep_piece(self, number: int, folder: Path) -> None:
        """Keep what a piece found; the list of its files comes last."""
        names = sorted(entry.name for entry in folder.iterdir() if _is_kept(entry))
        for name in names:
            self._objects.put(self._piece(number, name), folder / name)
        self._objects.put(self._piece(number, "names.json"), json.dumps(names).encode())

    def fetch_piece(self, number: int, folder: Path) -> None:
        """Put what a piece found into a folder.

        Raises:
            FileNotFoundError: it is not there, or no longer.
        """
        for name in json.loads(self._objects.read(self._piece(number, "names.json"))):
            shutil.copyfile(self._objects.local(self._piece(number, name)), folder / name)

    def drop_piece(self, number: int) -> None:
        """Remove what a piece found, once it is joined with the others."""
        try:
            names = json.loads(self._objects.read(self._piece(number, "names.json")))
        except FileNotFoundError:
            return
        for name in [*names, "names.json"]:
            self._objects.delete(self._piece(number, name))

    def _piece(self, number: int, name: str) -> str:
        return f"{self._root}/pieces/{number}/{name}"


def _is_kept(entry: Path) -> bool:
    return (
        entry.is_file()
        and not entry.is_symlink()
        and (entry.name in KEPT or entry.suffix == ".jpg")
    )


@asynccontextmanager
async def scratch(parent: Path) -> AsyncIterator[Path]:
    """Make an empty folder for one examination, and remove it with all that is in it."""
    if UNPLAIN & set(str(parent)):
        parent = Path(tempfile.gettempdir())
    await anyio.Path(parent).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    finally:
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))
