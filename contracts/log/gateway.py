"""The log's signing key and the mark of what it has signed, both in one folder.

Every machine that seals shares the folder. Reading, comparing and replacing the mark happens under
a file lock and is flushed to the disk before the signature exists, so that whatever becomes of a
sealer's database connection, one size is only ever signed with one root (`contracts.log.rules`).
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from contracts import canonical
from contracts.log import note, rules
from contracts.log.checkpoint import Checkpoint
from contracts.log.rules import UNMARKED, LogWouldFork, Mark
from contracts.refusal import Kind, Refusal

KEY_FILE, MARK_FILE, LOCK_FILE = "log.key", "log.mark", "log.lock"
SLOT_BYTES = 1 << 15  # a batch of 256 facts takes 11 kB
EVIDENCE_DOMAIN = "uhdx.evidence/v1"


class LogKeyMissing(Refusal):
    """The log's signing key is not where it should be, or is not an Ed25519 key."""

    kind, code = Kind.UNAVAILABLE, "log-key-missing"
    hint = "Restore log.key and log.mark together from the operator's backup."


class CheckpointSigner(Protocol):
    """Signs trees, each size once."""

    @property
    def origin(self) -> str:
        """The log's name."""

    def mark(self) -> Mark:
        """Return what was signed last."""

    def sign(self, promise: Mark, *, after: Mark) -> str:
        """Move the mark from `after` to `promise`, then return the signed checkpoint."""


class LogSigner:
    """The Ed25519 key in `log.key` and its mark in `log.mark`."""

    def __init__(self, folder: Path, signer: note.Signer) -> None:
        """Use a key that has been read; see `open` and `ensure`."""
        self._folder = folder
        self._signer = signer
        self._seen: _File | None = None

    @classmethod
    def open(cls, keys_dir: Path, origin: str) -> "LogSigner":
        """Read the key of the log `origin`.

        Raises:
            LogKeyMissing: there is none.
        """
        try:
            private = load_pem_private_key((keys_dir / KEY_FILE).read_bytes(), None)
        except (OSError, ValueError) as error:
            raise LogKeyMissing("The log's key cannot be read.") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise LogKeyMissing("The log's key is of another type than Ed25519.")
        return cls(keys_dir, note.Signer(origin, private))

    @classmethod
    def ensure(cls, keys_dir: Path, origin: str) -> "LogSigner":
        """Read the key, or make one where neither key nor mark is; any number of machines may.

        Raises:
            LogKeyMissing: there is a mark of signatures, but the key that made them is gone.
        """
        keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(keys_dir):
            if not (keys_dir / KEY_FILE).exists():
                _create(keys_dir, origin)
        return cls.open(keys_dir, origin)

    @property
    def origin(self) -> str:
        """The log's name, first line of its checkpoints."""
        return self._signer.name

    @property
    def verifier(self) -> note.Verifier:
        """The public key."""
        return self._signer.verifier

    def mark(self) -> Mark:
        """Return what was signed last.

        Raises:
            LogWouldFork: the mark is gone, unreadable, or another log's; without it a key could
                be led to sign a second history.
        """
        return self._file().mark

    def _file(self) -> "_File":
        """Return the file as it is now; it is read every time, and parsed when it has changed."""
        raw, known = _raw(self._folder / MARK_FILE), self._seen
        if known is None or known.raw != raw:
            self._seen = known = _File.read(raw, self.origin)
        return known

    def sign(self, promise: Mark, *, after: Mark) -> str:
        """Write the mark, then sign the tree it names; the same promise may be signed again.

        Raises:
            SealerOvertaken: the mark is no longer `after`.
            LogWouldFork: the promise does not continue what was signed.
        """
        with locked(self._folder):
            current = self._file()
            rules.check_promise(current.mark, after, promise)
            if current.mark != promise:
                self._seen = _write_mark(self._folder, self.origin, promise, current)
        return self._signer.sign(Checkpoint(self.origin, promise.size, promise.root).text)

    def attest(self, text: str) -> str:
        """Sign a manifest of evidence; its first line keeps it apart from every checkpoint.

        Raises:
            ValueError: the text does not begin with the domain (a bug, not a refusal).
        """
        if not text.startswith(EVIDENCE_DOMAIN + "\n") or self.origin == EVIDENCE_DOMAIN:
            raise ValueError(f"a manifest begins with {EVIDENCE_DOMAIN}")
        return self._signer.sign(text)


class _File(NamedTuple):
    """The file of the mark: its bytes, the mark in them, and where the next one goes."""

    raw: bytes
    mark: Mark
    width: int
    free: int

    @classmethod
    def read(cls, raw: bytes, origin: str) -> "_File":
        return cls(raw, _read_mark(raw, origin), *_free_slot(raw))


def _create(folder: Path, origin: str) -> None:
    if not (folder / MARK_FILE).exists():
        _write_mark(folder, origin, UNMARKED, _File(b"", UNMARKED, 0, 0))
    elif _read_mark(_raw(folder / MARK_FILE), origin) != UNMARKED:
        raise LogKeyMissing("There is a mark, but the key that made the signatures is gone.")
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace(folder / KEY_FILE, pem)


def _raw(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LogWouldFork("The signer's mark cannot be read.") from error


def _read_mark(raw: bytes, origin: str) -> Mark:
    try:
        stored = _newest(raw)
        mark = Mark(
            size=int(stored["size"]),
            root=bytes.fromhex(stored["root"]),
            base=int(stored["base"]),
            facts=tuple(UUID(fact) for fact in stored["facts"]),
        )
        owner = stored["origin"]
    except (ValueError, KeyError, TypeError) as error:
        raise LogWouldFork("The signer's mark cannot be read.") from error
    if owner != origin:
        raise LogWouldFork("The signer's mark is another log's.", origin=owner)
    return mark


def _write_mark(folder: Path, origin: str, mark: Mark, over: "_File") -> "_File":
    """Put the mark on the disk by one flush, and return what the file holds then.

    It goes into the slot that does not hold the newest. A write that is cut off spoils that slot
    alone, and its signature was not made yet. A file of the older form (one document), or one whose
    slots are too narrow, is replaced.
    """
    content = {
        "origin": origin,
        "size": mark.size,
        "root": mark.root.hex(),
        "base": mark.base,
        "facts": [str(fact) for fact in mark.facts],
    }
    line = canonical.quick(content)
    line = hashlib.sha256(line).hexdigest().encode() + b" " + line
    raw, width, place = over.raw, over.width, over.free
    if len(line) >= width:
        width = max(SLOT_BYTES, 2 * len(line))
        raw = 2 * (line.ljust(width - 1) + b"\n")
        replace(folder / MARK_FILE, raw)
        return _File(raw, mark, width, 0)
    # No more is written than what is there: fewer blocks to flush. Spaces and newline follow.
    slot = line.ljust(len(raw[place : place + width].rstrip()))
    descriptor = os.open(folder / MARK_FILE, os.O_WRONLY)
    try:
        os.pwrite(descriptor, slot, place)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    return _File(raw[:place] + slot + raw[place + len(slot) :], mark, width, width - place)


def _slots(raw: bytes) -> list[dict[str, Any] | None]:
    """Return the two marks of a file, None for one that was cut off."""
    half, found = len(raw) // 2, list[dict[str, Any] | None]()
    for slot in (raw[:half], raw[half:]):
        digest, _, line = slot.strip().partition(b" ")
        whole = hashlib.sha256(line).hexdigest().encode() == digest
        found.append(canonical.known(line) if whole else None)
    return found


def _newest(raw: bytes) -> dict[str, Any]:
    if raw.startswith(b"{"):  # the older form
        return dict(canonical.known(raw))
    return max((slot for slot in _slots(raw) if slot), key=lambda slot: int(slot["size"]))


def _free_slot(raw: bytes) -> tuple[int, int]:
    """Return the width of the slots and the place of the one to write; 0 where there are none."""
    if raw.startswith(b"{"):
        return 0, 0
    first, second = _slots(raw)
    width = len(raw) // 2
    if first is None or (second and int(first["size"]) <= int(second["size"])):
        return width, 0
    return width, width


def replace(path: Path, content: bytes) -> None:
    """Put the content at `path`, whole or not at all, on the disk before this returns."""
    fresh = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(folder: Path, name: str = LOCK_FILE) -> Iterator[None]:
    """Hold the lock file of a folder against every thread and process of this machine."""
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
