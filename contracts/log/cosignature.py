"""Cosignatures: what a witness says of a checkpoint, and when it said so (Ed25519).

Source: C2SP tlog-cosignature, signature type 0x04.
Differs from the source: ML-DSA-44 (type 0x06) is not read.
"""

import base64
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.log import note
from contracts.log.note import Signature, UntrustedNote

ED25519_COSIGNATURE = b"\x04"
LATEST_TIME = 2**63 - 1
SIGNATURE_BYTES = 64
_TIMESTAMPED = struct.Struct(f">Q{SIGNATURE_BYTES}s")


@dataclass(frozen=True, slots=True)
class Cosigner:
    """The public key of a witness."""

    name: str
    key: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes, as for every key of notes, with the type of cosignatures."""
        return note.key_id(self.name, ED25519_COSIGNATURE, self.key)

    @property
    def vkey(self) -> str:
        """The key as one line."""
        return note.vkey(self.name, ED25519_COSIGNATURE, self.key)

    @classmethod
    def parse(cls, vkey: str) -> "Cosigner":
        """Read a witness's verifier key.

        Raises:
            BadVerifierKey: it is not one, or it is of another type than 0x04.
        """
        return cls(*note.read_vkey(vkey, ED25519_COSIGNATURE))

    def made(self, line: Signature) -> bool:
        """Tell whether a signature line says to be of this key."""
        return (line.name, line.key_id) == (self.name, self.key_id)

    def time_of(self, line: Signature, text: str) -> int:
        """Return when this key cosigned the text, in seconds since 1970.

        Raises:
            UntrustedNote: it did not: the line is another's, of another text or of another time.
        """
        if self.made(line) and len(line.signature) == _TIMESTAMPED.size:
            time_s, signature = _TIMESTAMPED.unpack(line.signature)
            if time_s <= LATEST_TIME and self._signed(message(text, time_s), signature):
                return int(time_s)
        raise UntrustedNote("The cosignature of a known witness does not verify.", key=self.name)

    def _signed(self, signed: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, signed)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class CosignatureSigner:
    """The private key of a witness."""

    name: str
    private: Ed25519PrivateKey

    @property
    def cosigner(self) -> Cosigner:
        """The public half."""
        return Cosigner(self.name, self.private.public_key().public_bytes_raw())

    def cosign(self, text: str, *, time_s: int) -> str:
        """Return the signature line, with its newline, for the text of a checkpoint.

        Args:
            text: the signed lines of the checkpoint, with their last newline.
            time_s: the instant in whole seconds since 1970.
        """
        raw = _TIMESTAMPED.pack(time_s, self.private.sign(message(text, time_s)))
        encoded = base64.b64encode(self.cosigner.key_id + raw).decode()
        return f"— {self.name} {encoded}\n"


def message(text: str, time_s: int) -> bytes:
    """Return the bytes that a witness signs: two lines of its own, then the checkpoint's text."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


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
