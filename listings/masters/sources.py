"""Reading a file of an allowed store, and noticing when it is not the same file any more."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.store import ObjectStore

from listings.masters import objects
from listings.masters.references import Location
from listings.masters.refusals import ReferenceDiffers, ReferenceMissing, ReferenceNotAllowed


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was when it was opened."""

    store: ObjectStore
    key: str
    size: int
    e_tag: str | None

    def read(self, at: int) -> bytes:
        """Return the next piece from `at` on.

        Raises:
            ReferenceMissing: the file has gone.
            ReferenceDiffers: it is not the file that was opened.
            ObjectsAway: the store does not answer; to be tried again.
        """
        end = min(at + objects.PIECE, self.size)
        with objects.reached():
            try:
                found = obstore.get(self.store, self.key, options={"range": (at, end)})
                content = bytes(found.bytes())
            except FileNotFoundError as gone:
                raise ReferenceMissing("The file has gone.") from gone
        if found.meta["e_tag"] != self.e_tag or len(content) != end - at:
            raise ReferenceDiffers("The file changed while it was fetched.")
        return content


def open_source(where: Location) -> Source:
    """Look at a file.

    Raises:
        ReferenceMissing: there is none.
        ReferenceNotAllowed: a link leads out of the folder that is allowed.
        ObjectsAway: the store does not answer; to be tried again.
    """
    _stay_inside(where)
    store = objects.connect(where.store)
    with objects.reached():
        try:
            seen = obstore.head(store, where.key)
        except FileNotFoundError as missing:
            raise ReferenceMissing("There is no such file.") from missing
    return Source(store, where.key, seen["size"], seen["e_tag"])


def _stay_inside(where: Location) -> None:
    parts = urlsplit(where.store)
    if parts.scheme == "file":
        root = Path(parts.path).resolve()
        if not (root / where.key).resolve().is_relative_to(root):
            raise ReferenceNotAllowed("A link leads out of the allowed folder.")
