"""The content's key in an envelope: sealed to one X25519 key, for one purpose (pure).

Source: RFC 9180 (HPKE), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. What an
envelope is for stands in `info`: made for one contract and manifest, it opens for no other.
"""

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from contracts.refusal import Kind, Refusal
from listings.deliveries import cobblestone
from listings.deliveries.manifests import Manifest

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
PUBLIC_BYTES = 32
SEALED_BYTES = PUBLIC_BYTES + cobblestone.KEY_BYTES + cobblestone.TAG_BYTES
ESCROW, OWN, RELEASE = (
    b"uhdx/escrow/v1\x00",
    b"uhdx/licensor-copy/v1\x00",
    b"uhdx/key-release/v1\x00",
)


class EnvelopeBroken(Refusal):
    """The content's key does not come out of its envelope."""

    kind, code = Kind.INVALID, "envelope-broken"
    hint = (
        "It opens with the key it was sealed to, for the contract and the manifest it was made for."
    )


class BadDeliveryKey(Refusal):
    """This is no X25519 key that content keys can be sealed to."""

    kind, code = Kind.INVALID, "bad-delivery-key"
    hint = "Make one with `exchange delivery new-key`, and send the public half."


def for_escrow(manifest: Manifest) -> bytes:
    """Return what the exchange's copy is bound to."""
    return ESCROW + bytes.fromhex(manifest.digest())


def for_licensor(manifest: Manifest) -> bytes:
    """Return what the licensor's own copy is bound to."""
    return OWN + bytes.fromhex(manifest.digest())


def for_release(contract_no: str, manifest_sha256: str) -> bytes:
    """Return what a released key is bound to: one contract, one manifest."""
    return RELEASE + contract_no.encode() + bytes.fromhex(manifest_sha256)


def seal(key: bytes, public: bytes, *, info: bytes) -> bytes:
    """Return the key in an envelope: 80 bytes.

    Raises:
        BadDeliveryKey: nothing can be sealed to this public key.
    """
    try:
        return SUITE.encrypt(key, X25519PublicKey.from_public_bytes(public), info)
    except ValueError as weak:  # a point of small order
        raise BadDeliveryKey("Nothing can be sealed to this key.") from weak


def unseal(sealed: bytes, private: X25519PrivateKey, *, info: bytes) -> bytes:
    """Return the key of an envelope.

    Raises:
        EnvelopeBroken: it is for another key or another purpose.
    """
    try:
        key = SUITE.decrypt(sealed, private, info)
    except (InvalidTag, ValueError) as broken:
        raise EnvelopeBroken("The envelope does not open.") from broken
    if len(key) != cobblestone.KEY_BYTES:
        raise EnvelopeBroken("What is in the envelope is no key.")
    return key


def check_public(public: bytes) -> bytes:
    """Return a public key that something can be sealed to.

    Raises:
        BadDeliveryKey: it is none.
    """
    if len(public) != PUBLIC_BYTES:
        raise BadDeliveryKey("An X25519 public key has 32 bytes.")
    seal(bytes(cobblestone.KEY_BYTES), public, info=b"")
    return public


def public_of(private: X25519PrivateKey) -> bytes:
    """Return the public half."""
    return private.public_key().public_bytes_raw()


def name_of(public: bytes) -> str:
    """Return how a key is named everywhere: the SHA-256 (hex) of its 32 public bytes."""
    return hashlib.sha256(public).hexdigest()


def generate() -> X25519PrivateKey:
    """Make a key."""
    return X25519PrivateKey.generate()


def written(private: X25519PrivateKey, password: bytes | None = None) -> bytes:
    """Return a private key as PEM (PKCS#8), locked where there is a password."""
    lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        lock = serialization.BestAvailableEncryption(password)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock
    )


def is_locked(pem: bytes) -> bool:
    """Tell whether a PEM private key asks for a password."""
    return b"ENCRYPTED" in pem


def read(pem: bytes, password: bytes | None = None) -> X25519PrivateKey:
    """Return the private key of a PEM file.

    Raises:
        BadDeliveryKey: it is none, or needs another password.
    """
    try:
        private = serialization.load_pem_private_key(pem, password)
    except (TypeError, ValueError) as unreadable:
        raise BadDeliveryKey("The key cannot be read.") from unreadable
    if not isinstance(private, X25519PrivateKey):
        raise BadDeliveryKey("The key is of another type than X25519.")
    return private
