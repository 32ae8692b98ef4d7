"""Proofs that a leaf is in the log, as one text that can be checked offline.

Source: C2SP tlog-proof@v1.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.log import checkpoint, merkle, note
from contracts.log.checkpoint import Checkpoint

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """The place of a leaf, the hashes that lead to the root, and the checkpoint with that root.

    `extra` is not covered by any signature.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    @property
    def text(self) -> str:
        """The proof as its text."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(hashed).decode() for hashed in self.hashes]
        return "\n".join(lines) + "\n\n" + self.checkpoint


def parse(text: str) -> Proof:
    """Read the text of a proof; nothing in it is verified.

    Raises:
        BadNote: it is not of the form `c2sp.org/tlog-proof@v1`.
    """
    head, found, signed = text.partition("\n\n")
    lines = head.split("\n")
    if not found or lines.pop(0) != HEADER:
        raise note.BadNote(f"A proof begins with {HEADER} and holds a checkpoint.")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _bytes(lines.pop(0).removeprefix("extra "))
    word, _, index = (lines.pop(0) if lines else "").partition(" ")
    if word != "index" or not checkpoint.SIZE.fullmatch(index) or len(lines) > MOST_HASHES:
        raise note.BadNote("A proof names the index of its leaf, then at most 63 hashes.")
    return Proof(int(index), tuple(_hash(line) for line in lines), signed, extra)


def check(
    proof: Proof, leaf: bytes, *, origin: str, trusted: Sequence[note.Verifier]
) -> Checkpoint:
    """Return the checkpoint that proves `leaf` to be in the log.

    Raises:
        BadNote: the checkpoint cannot be read.
        UntrustedNote: the checkpoint is not the log's, or the hashes do not lead to its root.
    """
    opened = checkpoint.open_checkpoint(proof.checkpoint, origin=origin, trusted=trusted)
    hashed = merkle.leaf_hash(leaf)
    if not merkle.includes(proof.index, opened.size, hashed, proof.hashes, opened.root):
        raise note.UntrustedNote("The proof does not lead from the leaf to the root.")
    return opened


def _hash(line: str) -> bytes:
    raw = _bytes(line)
    if len(raw) != merkle.HASH_BYTES:
        raise note.BadNote("A hash in a proof is 32 bytes.")
    return raw


def _bytes(encoded: str) -> bytes:
    raw = note.unbase64(encoded)
    if raw is None:
        raise note.BadNote("A line of the proof is not canonical base64.")
    return raw
