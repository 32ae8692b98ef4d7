"""What a witness is asked, and whether it may cosign (pure).

A witness remembers the last tree it cosigned of each log. It cosigns another only when that begins
with the one it remembers, so that a log which shows it two histories is found out.

Source: C2SP tlog-witness, `add-checkpoint`.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.log import checkpoint, merkle, note
from contracts.log.checkpoint import Checkpoint
from contracts.refusal import Kind, Refusal

MOST_HASHES = 63
SIZE_TYPE = "text/x.tlog.size"
PATH = "/add-checkpoint"


class BadWitnessRequest(Refusal):
    """The request is not an old size, a consistency proof, a blank line and a checkpoint."""

    kind, code = Kind.MALFORMED, "bad-witness-request"
    hint = "See C2SP tlog-witness, add-checkpoint; the old size is at most the checkpoint's."


class LogNotWitnessed(Refusal):
    """The witness was not told of this log."""

    kind, code = Kind.UNKNOWN, "log-not-witnessed"
    hint = "Its owner adds a log with `exchange witness init --log VKEY`."


class CheckpointNotSigned(Refusal):
    """No key that the witness knows of this log signed the checkpoint."""

    kind, code = Kind.FORBIDDEN, "checkpoint-not-signed"
    hint = "Compare the log's key with the one the witness was given."


class OtherOldSize(Refusal):
    """The witness has cosigned a tree of another size last; `size` says which."""

    kind, code = Kind.CONFLICT, "other-old-size"
    hint = "Prove consistency from `size`."


class TwoRoots(Refusal):
    """The log has signed two different trees of one size: it shows different people different logs.

    The witness keeps the note, which together with the one it cosigned proves it.
    """

    kind, code = Kind.CONFLICT, "two-roots"
    hint = "Keep both checkpoints: they are proof. Ask the log's operator to explain them."


class NotConsistent(Refusal):
    """The proof does not show that the tree begins with the one the witness cosigned last."""

    kind, code = Kind.INVALID, "not-consistent"
    hint = "Send the proof from the old size to the checkpoint's size (RFC 6962 §2.1.2)."


@dataclass(frozen=True, slots=True)
class Seen:
    """The tree that a witness cosigned last of a log; a size of 0 means none."""

    size: int
    root: bytes


NOTHING_SEEN = Seen(0, merkle.EMPTY_ROOT)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: a signed checkpoint, and the proof that it continues the tree of `old_size`."""

    old_size: int
    proof: tuple[bytes, ...]
    signed: str

    @property
    def body(self) -> bytes:
        """The request as it is sent."""
        lines = [f"old {self.old_size}", *(base64.b64encode(one).decode() for one in self.proof)]
        return ("\n".join(lines) + "\n\n" + self.signed).encode()


def parse(body: bytes) -> Asked:
    """Read a request; nothing in it is verified.

    Raises:
        BadWitnessRequest: it is not of the form.
    """
    try:
        head, found, signed = body.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise BadWitnessRequest("The request is not text.") from error
    first, *lines = head.split("\n")
    word, _, size = first.partition(" ")
    if not found or word != "old" or not checkpoint.SIZE.fullmatch(size):
        raise BadWitnessRequest("A request begins with `old` and a size.")
    if len(lines) > MOST_HASHES:
        raise BadWitnessRequest("A proof has at most 63 hashes.")
    return Asked(int(size), tuple(_hash(line) for line in lines), signed)


def opened(asked: Asked, logs: Sequence[note.Verifier]) -> Checkpoint:
    """Return the checkpoint that is asked for, once a known key of its log is seen to have signed.

    Args:
        asked: the request.
        logs: the keys of the logs that this witness follows, named by origin.

    Raises:
        BadWitnessRequest: it holds no checkpoint, or an old size above the checkpoint's.
        LogNotWitnessed: the log is unknown.
        CheckpointNotSigned: no known key signed it.
    """
    try:
        said = checkpoint.parse(note.parse(asked.signed)[0])
    except note.BadNote as error:
        raise BadWitnessRequest(error.detail) from error
    trusted = [key for key in logs if key.name == said.origin]
    if not trusted:
        raise LogNotWitnessed("This log is not known here.", origin=said.origin)
    try:
        note.open_note(asked.signed, trusted=trusted)
    except note.UntrustedNote as error:
        raise CheckpointNotSigned(error.detail) from error
    if asked.old_size > said.size:
        raise BadWitnessRequest("The old size is above the checkpoint's.", size=said.size)
    return said


def judge(asked: Asked, said: Checkpoint, seen: Seen) -> Seen:
    """Return what the witness remembers from now on, if it may cosign.

    Raises:
        OtherOldSize: the request starts from another tree than the witness remembers.
        TwoRoots: the same size has another root.
        NotConsistent: the proof does not hold.
    """
    if asked.old_size != seen.size:
        raise OtherOldSize(f"The last tree cosigned here has {seen.size} leaves.", size=seen.size)
    if said.size == seen.size and said.root != seen.root:
        raise TwoRoots("Another root was cosigned for this size.", size=seen.size)
    if not _continues(asked, said, seen):
        raise NotConsistent("The proof does not lead from the old tree to the new one.")
    return Seen(said.size, said.root)


def _continues(asked: Asked, said: Checkpoint, seen: Seen) -> bool:
    """Tell whether the proof holds; from nothing there is nothing to prove."""
    if seen.size == 0:
        return not asked.proof and (said.size > 0 or said.root == merkle.EMPTY_ROOT)
    return merkle.extends(seen.size, said.size, seen.root, said.root, asked.proof)


def _hash(line: str) -> bytes:
    raw = note.unbase64(line)
    if raw is None or len(raw) != merkle.HASH_BYTES:
        raise BadWitnessRequest("A line of the proof is not 32 bytes in base64.")
    return raw
