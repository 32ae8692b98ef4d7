"""Certificate requests (PKCS#10): the public key that a request proves to hold.

Source: RFC 2986; RFC 5480 for the SubjectPublicKeyInfo whose SHA-256 names the key.
"""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from contracts.parties import gateway


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as the register keeps it."""

    spki_sha256: str
    pem: str


def read(csr_pem: bytes) -> PublicKey:
    """Return the key of a request.

    Raises:
        BadCsr: the request is unreadable, not signed by its own key, or of another kind.
    """
    key = gateway.checked_key(csr_pem)
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(hashlib.sha256(spki).hexdigest(), pem.decode())


def signs_documents(public_key_pem: str) -> bool:
    """Tell whether a registered key signs contracts; Ed25519 keys sign bids alone."""
    return gateway.is_p256(load_pem_public_key(public_key_pem.encode()))


def spki_sha256_of(certificate_pem: bytes) -> str:
    """Return what names a certificate's key: SHA-256 of its SubjectPublicKeyInfo, hexadecimal."""
    key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def certificate_sha256(certificate_pem: bytes) -> str:
    """Return the SHA-256 of a certificate's DER form in lower-case hexadecimal."""
    return x509.load_pem_x509_certificate(certificate_pem).fingerprint(hashes.SHA256()).hex()
