"""A party's side of signing: its P-256 key, its certificate request, its signature.

Everything here runs where the party is; the private key is never sent anywhere. A program of a
party may do the same with any library: PKCS#10 over P-256, then ECDSA with SHA-256 over the bytes
of `tbs_der_b64`, answered as r and s of 32 bytes each (as WebCrypto does) or as DER.
"""

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

LONGEST_NAME = 64  # X.520's bound of a common name; the exchange writes the registered name anyway


def make_key_and_csr(subject: str) -> tuple[bytes, bytes]:
    """Make a fresh P-256 key; return it and its certificate request, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem, csr_of(key_pem, subject)


def csr_of(key_pem: bytes, subject: str) -> bytes:
    """Return a certificate request (PEM) that proves to hold the key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:LONGEST_NAME])])
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    signed = request.sign(_key(key_pem), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def sign_tbs(key_pem: bytes, tbs: bytes) -> bytes:
    """Sign the bytes; return r and s, 32 bytes each, big-endian."""
    r, s = decode_dss_signature(_key(key_pem).sign(tbs, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def _key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key file holds no P-256 key")
    return key
