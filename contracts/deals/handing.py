"""The assignor's signature in the terms of a contract that was handed on (合同转让, pure).

Whoever hands a contract on signs first: all of the new terms but its own signature, which then
stands in them. So the exchange certifies it, and the other two sign over it.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from contracts import canonical
from contracts.deals import rules


def signed_part(terms: Mapping[str, Any]) -> bytes:
    """Return the bytes of handed-on terms that the assignor signs: all but its own signature."""
    said = {name: value for name, value in terms["assignment"].items() if name != "signature_b64"}
    return canonical.dumps({**terms, "assignment": said})


def check_signed(terms: bytes, *, public_key_pem: bytes) -> bool:
    """Tell whether handed-on terms carry the signature of this key over all the rest of them."""
    said = canonical.loads(terms)
    given = said.get("assignment", {}).get("signature_b64")
    if not isinstance(given, str):
        return False
    try:
        der = rules.signature_der(base64.b64decode(given, validate=True))
    except (ValueError, rules.BadSignature):
        return False
    return rules.fits(der, signed_part(said), public_key_pem=public_key_pem)


def key_of(certificate_pem: bytes) -> tuple[str, bytes]:
    """Return the hash (hex) that names a certificate's key, and the key as PEM."""
    key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    der = key.public_bytes(serialization.Encoding.DER, spki)
    return hashlib.sha256(der).hexdigest(), key.public_bytes(serialization.Encoding.PEM, spki)
