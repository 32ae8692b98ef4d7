"""Chunked encryption of files of any length: a stream, or any part of it (pure).

Source: C2SP chunked-encryption (c2sp.org/chunked-encryption@v1) with SHA-512 and AES-256-GCM, which
is called Cobblestone-256. A message is salt (24 bytes), commitment (32 bytes) and chunks of 16 KiB,
each with its tag of 16 bytes; the last chunk is always shorter, and may be empty.

Ours is the segment: 64 chunks, 1 MiB of the file. It is what Merkle trees are made of here, so that
a segment of ciphertext and the chunk of the master inside it have the same place in two trees.
"""

import hmac
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SCHEME, HASH, AEAD = "c2sp.org/chunked-encryption@v1", "SHA-512", "AEAD_AES_256_GCM"
KEY_BYTES, SALT_BYTES, COMMITMENT_BYTES, NONCE_BYTES, TAG_BYTES = 32, 24, 32, 12, 16
HEADER_BYTES = SALT_BYTES + COMMITMENT_BYTES
CHUNK_BYTES = 16 * 1024
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
MOST_CHUNKS = 1 << 38
SHA_512 = hashes.SHA512()
SEGMENT_CHUNKS = 64
PLAIN_SEGMENT_BYTES = SEGMENT_CHUNKS * CHUNK_BYTES  # 1 MiB, the chunk of `masters.chunks`
SEALED_SEGMENT_BYTES = SEGMENT_CHUNKS * SEALED_CHUNK_BYTES


class NotTheKey(ValueError):
    """The key is not the one that the header of the message commits to."""


class Damaged(ValueError):
    """A chunk is not what was sealed at its place under this key, or the end is missing."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message under its key: seals and opens chunks and segments at any place."""

    header: bytes
    aead: AESGCM
    base_nonce: int

    def seal_segment(self, index: int, plain: bytes) -> bytes:
        """Return a segment: 1 MiB in full, or whatever is left, which ends the message.

        A message whose length is a multiple of 1 MiB ends with a segment of nothing.
        """
        view, first = memoryview(plain), index * SEGMENT_CHUNKS
        count = len(plain) // CHUNK_BYTES + (len(plain) < PLAIN_SEGMENT_BYTES)
        return b"".join(
            self.seal_chunk(first + place, view[place * CHUNK_BYTES : (place + 1) * CHUNK_BYTES])
            for place in range(count)
        )

    def open_segment(self, index: int, sealed: bytes) -> bytes:
        """Return what is in a segment; one that is shorter than 64 full chunks ends the message.

        Raises:
            Damaged: a chunk of it does not open, or it has no possible length.
        """
        view, first = memoryview(sealed), index * SEGMENT_CHUNKS
        if len(sealed) > SEALED_SEGMENT_BYTES:
            raise Damaged("the segment is too long")
        whole, rest = divmod(len(sealed), SEALED_CHUNK_BYTES)
        count = whole if whole == SEGMENT_CHUNKS else whole + 1
        if whole < SEGMENT_CHUNKS and rest < TAG_BYTES:
            raise Damaged("the segment ends without a short chunk")
        return b"".join(
            self.open_chunk(
                first + place,
                view[place * SEALED_CHUNK_BYTES : (place + 1) * SEALED_CHUNK_BYTES],
            )
            for place in range(count)
        )

    def seal_chunk(self, number: int, plain: bytes | memoryview) -> bytes:
        """Return chunk `number` with its tag."""
        return self.aead.encrypt(self._nonce(number), plain, None)

    def open_chunk(self, number: int, sealed: bytes | memoryview) -> bytes:
        """Return what is in chunk `number`.

        Raises:
            Damaged: it does not open there.
        """
        try:
            return self.aead.decrypt(self._nonce(number), sealed, None)
        except InvalidTag as changed:
            raise Damaged(f"chunk {number} does not open") from changed

    def _nonce(self, number: int) -> bytes:
        if not 0 <= number < MOST_CHUNKS:
            raise Damaged("a message has at most 2^38 chunks")
        return (self.base_nonce ^ number).to_bytes(NONCE_BYTES)


def begin(key: bytes, *, context: bytes) -> Message:
    """Begin a message under a fresh salt; the key is 32 random bytes."""
    return _derived(key, context, secrets.token_bytes(SALT_BYTES), SHA_512)


def resume(
    key: bytes, *, context: bytes, header: bytes, digest: hashes.HashAlgorithm = SHA_512
) -> Message:
    """Go on with a message whose header is known; with SHA-512 unless another hash is named.

    Raises:
        NotTheKey: the header commits to another key, context or salt, or is none.
    """
    if len(header) != HEADER_BYTES or len(key) != KEY_BYTES:
        raise NotTheKey("a key has 32 bytes, a header 56")
    message = _derived(key, context, header[:SALT_BYTES], digest)
    if not hmac.compare_digest(message.header, header):
        raise NotTheKey("the header commits to another key")
    return message


def sealed_bytes(plain_bytes: int) -> int:
    """Return how long a message of that many bytes is, its header included."""
    return HEADER_BYTES + plain_bytes + TAG_BYTES * (plain_bytes // CHUNK_BYTES + 1)


def segments(plain_bytes: int) -> int:
    """Return how many segments such a message has; the last one is shorter, and may be empty."""
    return plain_bytes // PLAIN_SEGMENT_BYTES + 1


def sealed_segment_bytes(index: int, plain_bytes: int) -> int:
    """Return how long segment `index` of such a message is."""
    whole = sealed_bytes(plain_bytes) - HEADER_BYTES
    return min(SEALED_SEGMENT_BYTES, whole - index * SEALED_SEGMENT_BYTES)


def _derived(key: bytes, context: bytes, salt: bytes, digest: hashes.HashAlgorithm) -> Message:
    info = f"{SCHEME}+{AEAD}".encode() + b"\x00" + salt + context
    length = KEY_BYTES + NONCE_BYTES + COMMITMENT_BYTES
    made = HKDFExpand(digest, length, info).derive(key)
    nonce, commitment = made[KEY_BYTES : KEY_BYTES + NONCE_BYTES], made[-COMMITMENT_BYTES:]
    return Message(salt + commitment, AESGCM(made[:KEY_BYTES]), int.from_bytes(nonce))
