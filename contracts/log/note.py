"""Signed notes: a text and the lines of those who signed it (Ed25519).

Source: C2SP signed-note v1.0.0.
Differs from the source: base64 is accepted in its canonical form alone, so that no byte of a note
can change without its verdict changing.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.refusal import Kind, Refusal

ED25519 = b"\x01"
KEY_ID_BYTES = 4
KEY_BYTES = 32
MOST_SIGNATURES = 64  # the source asks for at least 16
MOST_BYTES = 1 << 20


class BadNote(Refusal):
    """The text is not a signed note, checkpoint or proof of the expected form."""

    kind, code = Kind.MALFORMED, "bad-note"
    hint = "Pass the text on byte for byte, with its final newline."


class BadVerifierKey(Refusal):
    """The text is not a verifier key `name+id+key` of a known type, or its id is not its hash."""

    kind, code = Kind.MALFORMED, "bad-verifier-key"
    hint = "Copy the whole line, as GET /v1/log/key gives it."


class UntrustedNote(Refusal):
    """No key that is trusted here signed the note, or one of them signed something else."""

    kind, code = Kind.INVALID, "untrusted-note"
    hint = "Compare the verifier key with the one the log publishes."


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key that may sign notes, known by name and id."""

    name: str
    key: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ newline ‖ type ‖ key)."""
        return key_id(self.name, ED25519, self.key)

    @property
    def vkey(self) -> str:
        """The key as one line: name, hex id and base64(type ‖ key), joined by `+`."""
        return vkey(self.name, ED25519, self.key)

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Read a verifier key; base64 may hold further plus signs, so only the first two split.

        Raises:
            BadVerifierKey: it is not one, or it is of another type than Ed25519.
        """
        name, algorithm, key = read_key(vkey)
        if algorithm != ED25519 or len(key) != KEY_BYTES:
            raise BadVerifierKey("This is not an Ed25519 verifier key.")
        return cls(name, key)

    def accepts(self, text: str, signature: bytes) -> bool:
        """Tell whether this key made the signature over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that signs notes under a name."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the note: text, blank line, one signature line.

        Raises:
            BadNote: the text does not end in a newline or holds control characters.
        """
        _check_text(text)
        raw = self.verifier.key_id + self.private.sign(text.encode())
        return f"{text}\n— {self.name} {base64.b64encode(raw).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who says to have signed, with which key, and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """The line with its newline."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


def parse(note: str) -> tuple[str, list[Signature]]:
    """Split a note into its text and its signatures, none of which is verified.

    Raises:
        BadNote: it has no blank line, no signature, or a line that is not one.
    """
    if len(note.encode(errors="replace")) > MOST_BYTES:
        raise BadNote("The note is too large.", most_bytes=MOST_BYTES)
    text, found, rest = note.rpartition("\n\n")
    if not found or not rest.endswith("\n"):
        raise BadNote("The note has no signatures after a blank line.")
    _check_text(text + "\n")
    lines = rest[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise BadNote("The note has too many signatures.", most=MOST_SIGNATURES)
    return text + "\n", [_signature(line) for line in lines]


def open_note(note: str, *, trusted: Sequence[Verifier]) -> str:
    """Return the text of a note that at least one trusted key signed.

    Raises:
        BadNote: it is not a note.
        UntrustedNote: no trusted key signed it, or the line of a trusted key does not verify.
    """
    text, signatures = parse(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in trusted}
    seen = 0
    for line in signatures:
        verifier = known.get((line.name, line.key_id))
        if verifier is None:
            continue
        if not verifier.accepts(text, line.signature):
            raise UntrustedNote("The signature of a known key does not verify.", key=line.name)
        seen += 1
    if seen == 0:
        raise UntrustedNote(
            "No known key signed this.", known=[known_key[0] for known_key in known]
        )
    return text


def key_id(name: str, algorithm: bytes, key: bytes) -> bytes:
    """Return the first four bytes of SHA-256(name ‖ newline ‖ type ‖ key)."""
    return hashlib.sha256(name.encode() + b"\n" + algorithm + key).digest()[:KEY_ID_BYTES]


def vkey(name: str, algorithm: bytes, key: bytes) -> str:
    """Return a public key as one line: name, hex id and base64(type ‖ key), joined by `+`."""
    encoded = base64.b64encode(algorithm + key).decode()
    return f"{name}+{key_id(name, algorithm, key).hex()}+{encoded}"


def read_key(vkey: str) -> tuple[str, bytes, bytes]:
    """Return name, type and key; base64 may hold further plus signs, so only the first two split.

    Raises:
        BadVerifierKey: it is no verifier key of any type, or its id is not its hash.
    """
    name, _, rest = vkey.partition("+")
    given, _, encoded = rest.partition("+")
    raw = unbase64(encoded) or b""
    if not is_name(name) or len(raw) < 2:
        raise BadVerifierKey("This is not a verifier key.")
    if key_id(name, raw[:1], raw[1:]).hex() != given:
        raise BadVerifierKey("The id of the verifier key is not the hash of its name and key.")
    return name, raw[:1], raw[1:]


def unbase64(encoded: str) -> bytes | None:
    """Decode canonical standard base64; None when it is anything else."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == encoded else None


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    raw = unbase64(encoded)
    if dash != "—" or not is_name(name) or raw is None or len(raw) <= KEY_ID_BYTES:
        raise BadNote("A signature line is not `— name base64`.")
    return Signature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


def is_name(name: str) -> bool:
    """Tell whether a key may be called that: visible characters without a plus sign."""
    return bool(name) and "+" not in name and name.isprintable() and name.split() == [name]


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(char < " " and char != "\n" for char in text):
        raise BadNote("A note's text ends in a newline and holds no other control character.")
