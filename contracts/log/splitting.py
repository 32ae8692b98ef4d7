"""Two checkpoints of one log: whether both are of one history, and the proof when not.

Whoever has signed two trees of which neither begins with the other has shown different people
different logs. The two signed checkpoints prove it to anybody who has the log's key: of one size,
by themselves; of two sizes, with the hashes that show how the larger tree begins.
"""

import base64
from dataclasses import dataclass

from contracts.log import checkpoint, merkle, note, tiles
from contracts.log.checkpoint import Checkpoint
from contracts.log.fsck import LogFaulty
from contracts.log.note import BadNote, Verifier
from contracts.log.site import Source
from contracts.refusal import Kind, Refusal

HEADER = "uhdx.split-view/v1"
MOST_HASHES = 63


class SizesDiffer(Refusal):
    """The trees are of two sizes, and there is no log at hand to compare them in."""

    kind, code = Kind.INVALID, "checkpoint-sizes-differ"
    hint = "Name the published log: `--log` with its prefix or a folder with its files."


class LogTooShort(Refusal):
    """The published log holds fewer leaves than the larger checkpoint."""

    kind, code = Kind.UNAVAILABLE, "log-too-short"
    hint = "Fetch the log again in a while; keep both checkpoints until it is as long."


class NotASplitView(Refusal):
    """The text does not prove that a log has signed two histories."""

    kind, code = Kind.INVALID, "not-a-split-view"
    hint = "Compare the two checkpoints yourself: `exchange log compare`."


@dataclass(frozen=True, slots=True)
class SplitView:
    """Two checkpoints that one key has signed, and that cannot be of one history.

    Attributes:
        key: the log's key.
        first: the signed checkpoint of the smaller tree.
        second: that of the larger one, or of another tree of the same size.
        begins: the root of what the second tree has in place of the first one's leaves.
        path: the consistency proof from `begins` to the root of the second (RFC 9162 §2.1.4).
    """

    key: Verifier
    first: str
    second: str
    begins: bytes
    path: tuple[bytes, ...]

    @property
    def text(self) -> str:
        """The proof as its text."""
        hashes = [base64.b64encode(one).decode() for one in (self.begins, *self.path)]
        return "\n".join([HEADER, self.key.vkey, *hashes, "", self.first, self.second])


def opened(signed: str, key: Verifier) -> Checkpoint:
    """Return a checkpoint of the key's own log.

    Raises:
        BadNote: it is none.
        UntrustedNote: the key has not signed it, or it is another log's.
    """
    said = checkpoint.open_checkpoint(signed, origin=key.name, trusted=[key])
    if said.size == 0 and said.root != merkle.EMPTY_ROOT:
        raise BadNote("The tree without leaves has one root.")
    return said


def compare(one: str, other: str, *, key: Verifier, log: Source | None) -> SplitView | None:
    """Return the proof that two checkpoints are of two histories; None when they are of one.

    Args:
        one: a signed checkpoint.
        other: another one.
        key: the log's.
        log: where its tiles can be read; needed for trees of two sizes. Nothing is believed of it
            that does not lead to a signed root.

    Raises:
        BadNote, UntrustedNote: of `opened`.
        SizesDiffer: there is no log to compare trees of two sizes in.
        LogTooShort: it does not reach as far as the larger checkpoint.
        LogFaulty: its tiles contradict its own checkpoint.
    """
    first, second = sorted((one, other), key=lambda signed: opened(signed, key).size)
    small, large = opened(first, key), opened(second, key)
    if small.size == 0 or small == large:
        return None
    if small.size == large.size:
        return SplitView(key, first, second, large.root, ())
    if log is None:
        raise SizesDiffer(f"One tree has {small.size} leaves, the other {large.size}.")
    published = log.checkpoint()
    whole = Checkpoint(key.name, 0, b"") if published is None else opened(published, key)
    if published is None or whole.size < large.size:
        raise LogTooShort(f"The log has {whole.size} leaves, the checkpoint {large.size}.")
    find = tiles.lookup(whole.size, log.read)
    if merkle.root(large.size, find) == large.root:
        return _judge((first, small), (second, large), key=key, find=find)
    return _judge((second, large), (published, whole), key=key, find=find)


def parse(text: str) -> SplitView:
    """Read a proof as `SplitView.text` writes it; nothing in it is verified.

    Raises:
        BadNote: it is none.
    """
    head, _, rest = text.partition("\n\n")
    lines, parts = head.split("\n"), rest.split("\n\n")
    if lines[0] != HEADER or len(parts) != 4 or not 3 <= len(lines) <= 3 + MOST_HASHES:
        raise BadNote(f"A proof begins with {HEADER} and ends with two checkpoints.")
    vkey, hashes = lines[1], [note.unbase64(line) or b"" for line in lines[2:]]
    first, second = (f"{parts[at]}\n\n{parts[at + 1]}" for at in (0, 2))
    found = SplitView(Verifier.parse(vkey), f"{first}\n", second, hashes[0], tuple(hashes[1:]))
    if found.text != text:
        raise BadNote("The proof is not in the one form that it has.")
    return found


def check(said: SplitView, *, key: Verifier) -> tuple[Checkpoint, Checkpoint]:
    """Return the two checkpoints, once they are seen to be of two histories.

    Args:
        said: the proof.
        key: the log's key as the reader knows it, never as the proof says.

    Raises:
        NotASplitView: it proves nothing.
        BadNote, UntrustedNote: one of the checkpoints is not of the key's log.
    """
    small, large = opened(said.first, key), opened(said.second, key)
    if said.begins == small.root:
        raise NotASplitView("The second tree begins with the first one.")
    if not merkle.extends(small.size, large.size, said.begins, large.root, said.path):
        raise NotASplitView("The hashes do not show how the second tree begins.")
    return small, large


def _judge(
    first: tuple[str, Checkpoint],
    second: tuple[str, Checkpoint],
    *,
    key: Verifier,
    find: merkle.Lookup,
) -> SplitView | None:
    """Compare two trees by what the tiles say, once that is seen to lead to the second's root."""
    (signed, small), (signed_too, large) = first, second
    begins = merkle.root(small.size, find)
    path = tuple(merkle.consistency_proof(small.size, large.size, find))
    if not merkle.extends(small.size, large.size, begins, large.root, path):
        raise LogFaulty("The tiles do not lead to the signed root.", where="tiles")
    return None if begins == small.root else SplitView(key, signed, signed_too, begins, path)
