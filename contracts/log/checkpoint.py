"""Checkpoints: a log's origin, size and root as a signed note.

Source: C2SP tlog-checkpoint.
Differs from the source: extension lines, which it does not recommend, are refused.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.log import merkle, note

SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to: the root over its first `size` leaves."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse(text: str) -> Checkpoint:
    """Read the text of a checkpoint.

    Raises:
        BadNote: it is not exactly origin, size and root.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0] or not SIZE.fullmatch(lines[1]):
        raise note.BadNote("A checkpoint is three lines: origin, size, root.")
    root = note.unbase64(lines[2])
    if root is None or len(root) != merkle.HASH_BYTES:
        raise note.BadNote("The root of a checkpoint is 32 bytes in base64.")
    return Checkpoint(lines[0], int(lines[1]), root)


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
