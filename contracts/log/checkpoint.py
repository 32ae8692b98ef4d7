"""Checkpoints: a log's origin, size and root as a signed note.

Source: C2SP tlog-checkpoint. Extension lines, which it does not recommend, are read and kept; this
log writes none.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.log import merkle, note

SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to: the root over its first `size` leaves, and lines that say more."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The lines that are signed."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))


def parse(text: str) -> Checkpoint:
    """Read the text of a checkpoint.

    Raises:
        BadNote: it is not origin, size and root, then lines that are not empty.
    """
    *lines, last = text.split("\n")
    if len(lines) < 3 or last or not all(lines) or not SIZE.fullmatch(lines[1]):
        raise note.BadNote("A checkpoint is lines: origin, size, root, then extensions.")
    root = note.unbase64(lines[2])
    if root is None or len(root) != merkle.HASH_BYTES:
        raise note.BadNote("The root of a checkpoint is 32 bytes in base64.")
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:]))


def open_checkpoint(signed: str, *, origin: str, trusted: Sequence[note.Verifier]) -> Checkpoint:
    """Return a checkpoint of the log `origin` that a trusted key signed.

    Raises:
        BadNote: it is not a checkpoint.
        UntrustedNote: no trusted key signed it, or it is another log's.
    """
    read = parse(note.open_note(signed, trusted=trusted))
    if read.origin != origin:
        raise note.UntrustedNote("The checkpoint is another log's.", origin=read.origin)
    return read
