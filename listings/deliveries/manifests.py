"""The manifest of a delivery (交付清单): what is handed over, in numbers nobody can change (pure).

It names the master by its SHA-256 and its chunk root, exactly as listed, and the ciphertext by its
header (which commits to the key) and by the root of its segments. It says nothing of deals: who
delivers one master to several licensees encrypts it once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts import canonical
from contracts.refusal import Kind, Refusal
from listings.deliveries import cobblestone

TYPE = "uhdx.delivery-manifest/v1"
CONTEXT = (
    "uhdx/asset/v1"  # with NUL and the SHA-256 (hex) of the master: the context of the message
)
MOST_BYTES = 4 * 1024**4  # twice the longest master; far below the cipher's 4 PiB


class BadManifest(Refusal):
    """The document is no manifest of a delivery, or its numbers do not fit together."""

    kind, code = Kind.INVALID, "bad-manifest"
    hint = "Make it with `exchange delivery seal`, of the same version as the exchange."


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a delivery consists of; hashes as bytes."""

    sha256: str  # of the master, hex
    plain_bytes: int
    chunk_root: bytes  # over 1 MiB chunks of the master, as it is listed
    header: bytes  # the first 56 bytes of the ciphertext: salt and commitment to the key
    segment_root: bytes  # over the segments of the ciphertext, without its header
    escrow: str  # SHA-256 (hex) of the exchange's key that a copy of the content key is sealed to
    licensor: str  # likewise of the licensor's own key

    @property
    def context(self) -> bytes:
        """What the ciphertext is bound to."""
        return CONTEXT.encode() + b"\x00" + self.sha256.encode()

    @property
    def chunks(self) -> int:
        """How many chunks of 1 MiB the master has, the last one shorter."""
        return -(-self.plain_bytes // cobblestone.PLAIN_SEGMENT_BYTES)

    @property
    def segments(self) -> int:
        """How many segments the ciphertext has: as many as chunks, or one more, of nothing."""
        return cobblestone.segments(self.plain_bytes)

    @property
    def sealed_bytes(self) -> int:
        """How long the ciphertext is."""
        return cobblestone.sealed_bytes(self.plain_bytes)

    def wire(self) -> dict[str, Any]:
        """Return the document."""
        return {
            "typ": TYPE,
            "file": {
                "sha256": self.sha256,
                "bytes": self.plain_bytes,
                "chunk_bytes": cobblestone.PLAIN_SEGMENT_BYTES,
                "chunk_root": self.chunk_root.hex(),
            },
            "cipher": {
                "scheme": cobblestone.SCHEME,
                "hash": cobblestone.HASH,
                "aead": cobblestone.AEAD,
                "context": CONTEXT,
                "header": self.header.hex(),
                "bytes": self.sealed_bytes,
                "segment_bytes": cobblestone.SEALED_SEGMENT_BYTES,
                "segment_root": self.segment_root.hex(),
            },
            "keys": {"escrow": self.escrow, "licensor": self.licensor},
        }

    def written(self) -> bytes:
        """Return the canonical bytes (RFC 8785), whose SHA-256 the log holds."""
        return canonical.dumps(self.wire())

    def digest(self) -> str:
        """Return the SHA-256 of the canonical bytes, hex."""
        return canonical.sha256_hex(self.written())


def read(document: Mapping[str, Any]) -> Manifest:
    """Return what a document says.

    Raises:
        BadManifest: it is none, or says of itself what does not follow from its numbers.
    """
    try:
        file, cipher, keys = document["file"], document["cipher"], document["keys"]
        found = Manifest(
            sha256=_hash(file["sha256"]).hex(),
            plain_bytes=file["bytes"],
            chunk_root=_hash(file["chunk_root"]),
            header=_bytes(cipher["header"], cobblestone.HEADER_BYTES),
            segment_root=_hash(cipher["segment_root"]),
            escrow=_hash(keys["escrow"]).hex(),
            licensor=_hash(keys["licensor"]).hex(),
        )
    except (KeyError, TypeError, ValueError) as strange:
        raise BadManifest("The document is no manifest of a delivery.") from strange
    count = found.plain_bytes
    if type(count) is not int or not 0 < count <= MOST_BYTES:
        raise BadManifest("The length of the master cannot be.")
    if found.wire() != document:
        raise BadManifest("The document says more, less or other than a manifest does.")
    return found


def _hash(text: Any) -> bytes:
    return _bytes(text, 32)


def _bytes(text: Any, length: int) -> bytes:
    """Return lower-case hexadecimal as bytes; one value has one form."""
    raw = bytes.fromhex(text)
    if len(raw) != length or raw.hex() != text:
        raise ValueError("not lower-case hexadecimal of the right length")
    return raw
