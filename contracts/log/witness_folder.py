"""A witness's folder: its key, the logs it follows, and the last tree it cosigned of each.

Comparing with the remembered tree, and writing the new one to the disk, happen under one file lock
before the cosignature exists. A witness that dies in between has cosigned nothing and remembers the
newer tree, which it cosigns when it is asked again. Without its memory it does not start. A second
key, of ML-DSA-44, signs a second line on the strength of the same memory.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from contracts.log import note, witness
from contracts.log.cosignature import CosignatureSigner
from contracts.log.gateway import locked, replace
from contracts.log.note import Verifier
from contracts.log.witness import NOTHING_SEEN, Asked, Seen
from contracts.refusal import Kind, Refusal

KEY_FILE, LOGS_FILE, STATE_FILE, LOCK_FILE = (
    "witness.key",
    "witness.logs",
    "witness.state",
    "witness.lock",
)
SECOND_FILE = "witness.ml-dsa-44.key"
PROOFS = "two-roots"  # notes that prove a log to have signed two trees of one size
MOST_PROOFS = 1_000


class WitnessNotReady(Refusal):
    """The witness's folder lacks its key or its memory, or what is there cannot be read."""

    kind, code = Kind.UNAVAILABLE, "witness-not-ready"
    hint = (
        "`exchange witness init` makes a new witness. One that lost its memory takes a new key: "
        "with the old one it could cosign a second history."
    )


@dataclass(frozen=True, slots=True)
class Remembered:
    """A log's last cosigned checkpoint."""

    seen: Seen
    signed: str


class WitnessFolder:
    """A witness with its files."""

    def __init__(
        self, folder: Path, signer: CosignatureSigner, second: CosignatureSigner | None = None
    ) -> None:
        """Use keys that have been read; see `open` and `init`."""
        self._folder = folder
        self._signer = signer
        self._second = second

    @classmethod
    def init(cls, folder: Path, *, name: str | None, logs: Sequence[Verifier]) -> "WitnessFolder":
        """Make a witness, or let one that is there follow further logs.

        Raises:
            WitnessNotReady: there is no witness and no good name for one, or it has another name.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder, LOCK_FILE):
            files = (KEY_FILE, STATE_FILE, SECOND_FILE)
            if not any((folder / file).exists() for file in files):
                _create(folder, name or "")
        opened = cls.open(folder)
        if name not in (None, opened.signer.name):
            raise WitnessNotReady("The witness here has another name.", known=[opened.signer.name])
        with locked(folder, LOCK_FILE):
            followed = dict.fromkeys([*opened.logs(), *logs])
            text = "".join(f"{log.vkey}\n" for log in followed)
            replace(folder / LOGS_FILE, text.encode())
        return opened

    @classmethod
    def open(cls, folder: Path) -> "WitnessFolder":
        """Read the witness of a folder.

        Raises:
            WitnessNotReady: its key or its memory is missing.
        """
        signer = _read(folder / KEY_FILE)
        if not isinstance(signer.private, Ed25519PrivateKey):
            raise WitnessNotReady(f"{KEY_FILE} is not a witness's key.")
        second = _read(folder / SECOND_FILE) if (folder / SECOND_FILE).exists() else None
        if second is not None and second.name != signer.name:
            raise WitnessNotReady(f"{SECOND_FILE} is another witness's.")
        opened = cls(folder, signer, second)
        opened.remembered()
        return opened

    @classmethod
    def add_second_key(cls, folder: Path) -> "WitnessFolder":
        """Give a witness a key of ML-DSA-44 beside its own; one that is there stays.

        Raises:
            WitnessNotReady: there is no witness.
        """
        opened = cls.open(folder)
        with locked(folder, LOCK_FILE):
            if not (folder / SECOND_FILE).exists():
                _write(folder / SECOND_FILE, opened.signer.name, MLDSA44PrivateKey.generate())
        return cls.open(folder)

    @property
    def signer(self) -> CosignatureSigner:
        """Its key, under its name."""
        return self._signer

    @property
    def vkeys(self) -> list[str]:
        """Its verifier keys, a line each: Ed25519, then ML-DSA-44 where it has one."""
        return [one.cosigner.vkey for one in self._signers]

    @property
    def _signers(self) -> list[CosignatureSigner]:
        return [self._signer] if self._second is None else [self._signer, self._second]

    def logs(self) -> list[Verifier]:
        """Return the keys of the logs it follows.

        Raises:
            WitnessNotReady: the list cannot be read.
        """
        try:
            lines = (self._folder / LOGS_FILE).read_text(encoding="utf-8").split("\n")
            return [Verifier.parse(line) for line in lines if line]
        except (OSError, ValueError, note.BadVerifierKey) as error:
            raise WitnessNotReady(f"{LOGS_FILE} cannot be read.") from error

    def remembered(self) -> Mapping[str, Remembered]:
        """Return the last checkpoint it cosigned of each log, by the log's origin.

        Raises:
            WitnessNotReady: its memory is missing or cannot be read.
        """
        try:
            stored = json.loads((self._folder / STATE_FILE).read_bytes())
            if stored.pop("witness") != self._signer.cosigner.vkey:
                raise WitnessNotReady(f"{STATE_FILE} is another witness's.")
            return {
                origin: Remembered(
                    Seen(int(one["size"]), bytes.fromhex(one["root"])), str(one["signed"])
                )
                for origin, one in stored["logs"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WitnessNotReady(f"{STATE_FILE} is missing or cannot be read.") from error

    def cosign(self, asked: Asked, *, time_s: int) -> str:
        """Return the cosignatures of a checkpoint that continues what was cosigned before.

        A line for each of its keys.

        What is remembered is on the disk before this returns. A checkpoint that contradicts the
        remembered one is kept beside it, as proof.

        Raises:
            BadWitnessRequest: it holds no checkpoint.
            LogNotWitnessed: this witness does not follow the log.
            CheckpointNotSigned: no known key of the log signed it.
            OtherOldSize: another tree was cosigned last.
            TwoRoots: the log has signed another tree of this size.
            NotConsistent: the proof does not hold.
            WitnessNotReady: its memory cannot be read.
        """
        said = witness.opened(asked, self.logs())
        with locked(self._folder, LOCK_FILE):
            memory = dict(self.remembered())
            last = memory.get(said.origin)
            seen = NOTHING_SEEN if last is None else last.seen
            try:
                now_seen = witness.judge(asked, said, seen)
            except witness.TwoRoots:
                self._keep_proof(asked.signed, last)
                raise
            if now_seen != seen or last is None:
                memory[said.origin] = Remembered(now_seen, asked.signed)
                self._remember(memory)
        return "".join(one.cosign(said.text, time_s=time_s) for one in self._signers)

    def proofs(self) -> list[Path]:
        """Return the files that prove a log to have signed two trees of one size."""
        return sorted((self._folder / PROOFS).glob("*.notes"))

    def _remember(self, memory: Mapping[str, Remembered]) -> None:
        logs = {
            origin: {"size": one.seen.size, "root": one.seen.root.hex(), "signed": one.signed}
            for origin, one in memory.items()
        }
        content = {"witness": self._signer.cosigner.vkey, "logs": logs}
        replace(self._folder / STATE_FILE, json.dumps(content, indent=1).encode())

    def _keep_proof(self, signed: str, last: Remembered | None) -> None:
        folder = self._folder / PROOFS
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        name = hashlib.sha256(note.parse(signed)[0].encode()).hexdigest()[:16]
        path = folder / f"{name}.notes"
        if last is not None and not path.exists() and len(self.proofs()) < MOST_PROOFS:
            replace(path, f"{last.signed}\n{signed}".encode())


def _create(folder: Path, name: str) -> None:
    if not note.is_name(name):
        raise WitnessNotReady("A witness needs a name without spaces: `--name witness.example/w1`.")
    private = Ed25519PrivateKey.generate()
    vkey = CosignatureSigner(name, private).cosigner.vkey
    replace(folder / LOGS_FILE, b"")
    replace(folder / STATE_FILE, json.dumps({"witness": vkey, "logs": {}}).encode())
    _write(folder / KEY_FILE, name, private)


def _write(path: Path, name: str, private: Ed25519PrivateKey | MLDSA44PrivateKey) -> None:
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace(path, name.encode() + b"\n" + pem)


def _read(path: Path) -> CosignatureSigner:
    """Return the key of a file.

    Raises:
        WitnessNotReady: it is missing, or is none.
    """
    try:
        name, _, pem = path.read_bytes().partition(b"\n")
        private = load_pem_private_key(pem, None)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise WitnessNotReady(f"There is no witness in {path.parent}.") from error
    named = note.is_name(name.decode(errors="replace"))
    if named and isinstance(private, Ed25519PrivateKey | MLDSA44PrivateKey):
        return CosignatureSigner(name.decode(), private)
    raise WitnessNotReady(f"{path.name} is not a witness's key.")
