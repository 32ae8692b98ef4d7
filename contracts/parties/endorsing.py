"""A key vouched for by the key before it (前钥背书): so that nobody else adds keys to a party.

Source: RFC 8785 (canonical bytes), FIPS 186-5 (ECDSA P-256 with SHA-256), RFC 8032 (Ed25519).
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from contracts import canonical

VERSION = "uhdx/key/v1"
RAW_BYTES = 64  # r and s of 32 bytes each, as WebCrypto and devices give them


def message(party_id: UUID | str, *, spki_sha256: str, previous_sha256: str) -> bytes:
    """Return the bytes that a party's key signs to vouch for its next one.

    Args:
        party_id: whose keys they are.
        spki_sha256: hex, of the new key's SubjectPublicKeyInfo.
        previous_sha256: hex, of that of the key that vouches.
    """
    content = {
        "v": VERSION,
        "party": str(party_id),
        "spki_sha256": spki_sha256,
        "previous_sha256": previous_sha256,
    }
    return canonical.dumps(content)


def holds(spki: bytes, signature: bytes, *, party_id: UUID | str, spki_sha256: str) -> bool:
    """Tell whether a key vouches for another.

    Args:
        spki: the SubjectPublicKeyInfo (DER) of the key that vouches.
        signature: DER, or r and s; of an Ed25519 key its 64 bytes.
        party_id: whose keys they are.
        spki_sha256: hex, of the new key's SubjectPublicKeyInfo.
    """
    said = message(
        party_id, spki_sha256=spki_sha256, previous_sha256=hashlib.sha256(spki).hexdigest()
    )
    try:
        key = load_der_public_key(spki)
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, said)
            return True
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        if len(signature) == RAW_BYTES:
            r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
            signature = encode_dss_signature(r, s)
        key.verify(signature, said, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def recorded(record: Mapping[str, Any]) -> bool:
    """Tell whether what `key.registered` says of the key before is true.

    A first key has none, and one after a reset by the exchange says so; before keys were vouched
    for, nothing was said.
    """
    given: Any = record.get("endorsement")
    if record.get("basis") != "endorsed":
        return given is None
    try:
        spki, signature = (base64.b64decode(given[name], validate=True)
                           for name in ("spki", "signature"))  # fmt: skip
    except (TypeError, KeyError, binascii.Error):
        return False
    return holds(spki, signature, party_id=record["party"], spki_sha256=record["spki_sha256"])
