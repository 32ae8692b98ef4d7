"""What a sealed bid promises: a hash that fixes it and tells nothing of it.

Source: commit and reveal with domain separation; the auction, the listing and the bidder's paddle
stand inside, so that a copied commitment never opens for anybody else or anywhere else.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.refusal import Kind, Refusal

TAG = b"uhdx/bid-commitment/v1\x00"
NONCE_BYTES = 32
# Version, the point of the sender's one-time key, the GCM nonce, and the GCM tag.
OVERHEAD = 1 + 65 + 12 + 16
VERSION = b"\x01"
_HASH = re.compile("[0-9a-f]{64}")


class BadSeal(Refusal):
    """A sealed bid has not the form of one: a commitment, and a text of the one length."""

    kind, code = Kind.INVALID, "bad-seal"
    hint = "Seal the bid with `exchange bid seal` or on the auction's page, and send it unchanged."


def of(
    *, auction: UUID, listing: UUID, paddle: int, content: Mapping[str, Any], nonce: bytes
) -> str:
    """Return the commitment to a bid in lower-case hexadecimal.

    SHA-256 over the tag, then auction and listing (16 bytes each), the paddle (decimal digits), the
    RFC 8785 bytes of the content and the nonce (32 bytes), each after its length (4 bytes, big
    endian).

    Raises:
        NotCanonical: the content has no single form.
        ValueError: the nonce has another length.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError("a nonce has 32 bytes")
    parts = (auction.bytes, listing.bytes, str(paddle).encode(), canonical.dumps(content), nonce)
    return hashlib.sha256(TAG + b"".join(map(prefixed, parts))).hexdigest()


def prefixed(part: bytes) -> bytes:
    """Return the bytes after their length, 4 bytes big endian."""
    return len(part).to_bytes(4) + part


def check(content: Mapping[str, Any], *, plain_bytes: int) -> None:
    """Check the form of a sealed bid's content; nothing of what is inside can be told.

    Raises:
        BadSeal: a field is missing or more, or the sealed text has not the one length.
    """
    if set(content) != {"commitment", "sealed"}:
        raise BadSeal("A sealed bid has a commitment and a sealed text.")
    commitment, sealed = content["commitment"], content["sealed"]
    if not isinstance(commitment, str) or not _HASH.fullmatch(commitment):
        raise BadSeal("The commitment is no SHA-256.")
    raw = decoded(sealed)
    if raw is None or len(raw) != plain_bytes + OVERHEAD or raw[:1] != VERSION or raw[1] != 4:
        raise BadSeal("The sealed text is none of this auction.", bytes=plain_bytes + OVERHEAD)


def decoded(text: Any) -> bytes | None:
    """Return the bytes of standard base64 with padding; None for any other text."""
    if not isinstance(text, str):
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def encoded(raw: bytes) -> str:
    """Return standard base64 with padding."""
    return base64.b64encode(raw).decode()
