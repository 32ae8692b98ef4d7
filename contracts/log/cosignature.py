"""Cosignatures: what a witness says of a checkpoint, and when it said so.

A witness may hold two keys and sign two lines: Ed25519, which everybody can verify, and ML-DSA-44,
which quantum computers do not break. A policy names each key as a witness of its own.

Source: C2SP tlog-cosignature, signature types 0x04 (Ed25519) and 0x06 (ML-DSA-44, FIPS 204).
Differs from the source: of ML-DSA-44, checkpoints alone are read, not subtrees that begin later.
"""

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from contracts.log import checkpoint, note
from contracts.log.note import BadVerifierKey, Signature, UntrustedNote

ED25519, ML_DSA_44 = b"\x04", b"\x06"
KEY_BYTES: Mapping[bytes, int] = {ED25519: 32, ML_DSA_44: 1312}
SIGNATURE_BYTES: Mapping[bytes, int] = {ED25519: 64, ML_DSA_44: 2420}
LATEST_TIME = 2**63 - 1
LABEL = b"subtree/v1\n\x00"
LONGEST_NAME = 255  # one byte tells how long a name is
_TIME = struct.Struct(">Q")
_SPAN = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class Cosigner:
    """The public key of a witness; `type` is that of its signatures."""

    name: str
    key: bytes
    type: bytes = ED25519

    @property
    def key_id(self) -> bytes:
        """Four bytes, as for every key of notes, with the type of cosignatures."""
        return note.key_id(self.name, self.type, self.key)

    @property
    def vkey(self) -> str:
        """The key as one line."""
        return note.vkey(self.name, self.type, self.key)

    @classmethod
    def parse(cls, vkey: str) -> "Cosigner":
        """Read a witness's verifier key.

        Raises:
            BadVerifierKey: it is not one, or it is of another type than 0x04 and 0x06.
        """
        name, algorithm, key = note.read_key(vkey)
        if KEY_BYTES.get(algorithm) != len(key):
            raise BadVerifierKey("This is not a witness's key (Ed25519 0x04 or ML-DSA-44 0x06).")
        return cls(name, key, algorithm)

    def made(self, line: Signature) -> bool:
        """Tell whether a signature line says to be of this key."""
        return (line.name, line.key_id) == (self.name, self.key_id)

    def time_of(self, line: Signature, text: str) -> int:
        """Return when this key cosigned the text, in seconds since 1970.

        Raises:
            UntrustedNote: it did not: the line is another's, of another text or of another time.
        """
        if self.made(line) and len(line.signature) == _TIME.size + SIGNATURE_BYTES[self.type]:
            (time_s,) = _TIME.unpack_from(line.signature)
            if time_s <= LATEST_TIME and self._signed(text, time_s, line.signature[_TIME.size :]):
                return int(time_s)
        raise UntrustedNote("The cosignature of a known witness does not verify.", key=self.name)

    def _signed(self, text: str, time_s: int, signature: bytes) -> bool:
        try:
            if self.type == ED25519:
                key = Ed25519PublicKey.from_public_bytes(self.key)
                key.verify(signature, message(text, time_s))
            else:
                made = MLDSA44PublicKey.from_public_bytes(self.key)
                made.verify(signature, subtree_message(self.name, text, time_s))
        except UnsupportedAlgorithm as error:
            raise UntrustedNote("ML-DSA-44 cannot be verified here.", key=self.name) from error
        except (InvalidSignature, ValueError, note.BadNote):
            return False
        return True


@dataclass(frozen=True, slots=True)
class CosignatureSigner:
    """The private key of a witness."""

    name: str
    private: Ed25519PrivateKey | MLDSA44PrivateKey

    @property
    def cosigner(self) -> Cosigner:
        """The public half."""
        return Cosigner(self.name, self.private.public_key().public_bytes_raw(), self._type)

    def cosign(self, text: str, *, time_s: int) -> str:
        """Return the signature line, with its newline, for the text of a checkpoint.

        Args:
            text: the signed lines of the checkpoint, with their last newline.
            time_s: the instant in whole seconds since 1970.

        Raises:
            BadNote: the text is no checkpoint, or a name too long for ML-DSA-44.
        """
        if self._type == ED25519:
            said = message(text, time_s)
        else:
            said = subtree_message(self.name, text, time_s)
        raw = self.cosigner.key_id + _TIME.pack(time_s) + self.private.sign(said)
        return f"— {self.name} {base64.b64encode(raw).decode()}\n"

    @property
    def _type(self) -> bytes:
        return ED25519 if isinstance(self.private, Ed25519PrivateKey) else ML_DSA_44


def message(text: str, time_s: int) -> bytes:
    """Return the bytes that Ed25519 signs: two lines of its own, then the checkpoint's text."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def subtree_message(name: str, text: str, time_s: int) -> bytes:
    """Return the bytes that ML-DSA-44 signs: who says when that a log's tree has which root.

    Raises:
        BadNote: the text is no checkpoint, or a name is longer than 255 bytes.
    """
    said = checkpoint.parse(text)
    names = [one.encode() for one in (name, said.origin)]
    if any(not 1 <= len(one) <= LONGEST_NAME for one in names):
        raise note.BadNote("A name is too long for ML-DSA-44.", most_bytes=LONGEST_NAME)
    witness, origin = (bytes([len(one)]) + one for one in names)
    return LABEL + witness + _TIME.pack(time_s) + origin + _SPAN.pack(0, said.size) + said.root


def found(signed: str, cosigner: Cosigner) -> int | None:
    """Return when the witness cosigned the note; None when it has no line there.

    Raises:
        BadNote: it is not a note.
        UntrustedNote: a line says to be of the witness and does not verify.
    """
    text, lines = note.parse(signed)
    times = [cosigner.time_of(line, text) for line in lines if cosigner.made(line)]
    return times[0] if times else None


def appended(signed: str, lines: list[str]) -> str:
    """Return the note with further signature lines; the text and the log's own line stay first."""
    return signed + "".join(lines)
