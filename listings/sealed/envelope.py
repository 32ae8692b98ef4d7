"""Sealing and unsealing: ECDH on P-256, HKDF-SHA-256, AES-256-GCM, as WebCrypto offers them too.

Source: SEC 1 §5.1 (an integrated scheme with a one-time key), RFC 5869 (HKDF), SP 800-38D (GCM),
FIPS 186-5 §6 (ECDSA, by which a holder shows that it has its share).
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts import canonical
from contracts.refusal import Kind, Refusal
from listings.sealed import commitment, curve, sharing
from listings.sealed.commitment import NONCE_BYTES, OVERHEAD, VERSION, prefixed
from listings.sealed.curve import POINT_BYTES, Point
from listings.sealed.opening import Opening

BID, SHARE = b"uhdx/bid-seal/v1\x00", b"uhdx/opening-share/v1\x00"
HAVE = b"uhdx/opening-acknowledgement/v1\x00"
IV_BYTES, SCALAR_BYTES = 12, 32
DEEPEST = 8  # packages of cells are four deep; what is deeper would exhaust whoever walks it


class SealBroken(Refusal):
    """A sealed text does not open: another key, another bidder, or not what was sealed."""

    kind, code = Kind.INVALID, "seal-broken"
    hint = "It opens only with its own key, in its own auction, for whoever sealed it."


class TooLongToSeal(Refusal):
    """The bid is longer than the auction's sealed texts may be."""

    kind, code = Kind.INVALID, "too-long-to-seal"
    hint = "Make the bid shorter; every sealed text of this auction holds `plain_bytes`."


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed bid: what is sent, and what its bidder keeps."""

    content: dict[str, str]
    nonce: bytes


def seal(opening: Opening, *, listing: UUID, paddle: int, content: Mapping[str, Any]) -> Sealed:
    """Seal a bid's content for one auction and one bidder.

    Raises:
        TooLongToSeal: it does not fit.
        NotCanonical: it has no single form.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    promised = commitment.of(
        auction=opening.auction, listing=listing, paddle=paddle, content=content, nonce=nonce
    )
    said = canonical.dumps({"content": dict(content), "nonce": nonce.hex()})
    if len(said) + 4 > opening.plain_bytes:
        raise TooLongToSeal("The bid is too long.", plain_bytes=opening.plain_bytes)
    plain = prefixed(said).ljust(opening.plain_bytes, b"\0")
    raw = box(opening.public, plain, label=BID, about=_about(opening.auction, paddle, promised))
    return Sealed({"commitment": promised, "sealed": commitment.encoded(raw)}, nonce)


def unseal(
    private: int, content: Mapping[str, Any], *, auction: UUID, paddle: int
) -> tuple[dict[str, Any], bytes]:
    """Return what a sealed bid says it holds and its nonce; neither is compared yet.

    Raises:
        SealBroken: it was sealed to another key, for another auction, bidder or commitment, or
            what is inside has not the form of a sealed bid.
    """
    raw = commitment.decoded(content["sealed"])
    if raw is None:
        raise SealBroken("The sealed text is no base64.")
    plain = unbox(private, raw, label=BID, about=_about(auction, paddle, content["commitment"]))
    size = int.from_bytes(plain[:4])
    said, rest = plain[4 : 4 + size], plain[4 + size :]
    if len(said) != size or rest.strip(b"\0"):
        raise SealBroken("The sealed text is not filled up as it should be.")
    try:
        found = canonical.loads(said)
        nonce = bytes.fromhex(found["nonce"])
        held = found["content"]
    except (Refusal, KeyError, TypeError, ValueError, RecursionError) as strange:
        raise SealBroken("What was sealed is no bid.") from strange
    odd = len(nonce) != NONCE_BYTES or set(found) != {"content", "nonce"}
    if odd or not isinstance(held, dict) or not _shallow(held):
        raise SealBroken("What was sealed is no bid.")
    return held, nonce


def box(public: Point, plain: bytes, *, label: bytes, about: bytes) -> bytes:
    """Return bytes that only the holder of the key can read; `about` must be known to read them."""
    once = ec.generate_private_key(ec.SECP256R1())
    sender = _written(once.public_key())
    iv = os.urandom(IV_BYTES)
    key = _derived(once, _key(public), label, sender, curve.write(public))
    return VERSION + sender + iv + AESGCM(key).encrypt(iv, plain, label + about)


def unbox(private: int, raw: bytes, *, label: bytes, about: bytes) -> bytes:
    """Return what is in a box.

    Raises:
        SealBroken: it is not for this key, or not about this.
    """
    if len(raw) < OVERHEAD or raw[:1] != VERSION:
        raise SealBroken("The sealed text is too short, or of another version.")
    sender, rest = raw[1 : 1 + POINT_BYTES], raw[1 + POINT_BYTES :]
    mine = _private(private)
    try:
        theirs = _key(curve.read(sender))
        key = _derived(mine, theirs, label, sender, _written(mine.public_key()))
        return AESGCM(key).decrypt(rest[:IV_BYTES], rest[IV_BYTES:], label + about)
    except (InvalidTag, ValueError) as broken:
        raise SealBroken("The sealed text does not open.") from broken


def point_of(scalar: int) -> Point:
    """Return `scalar * G`, which proves a share without telling it."""
    return curve.read(_written(_private(scalar).public_key()))


def draw() -> tuple[int, dict[str, int]]:
    """Draw a secret and its three shares."""
    while True:
        secret, slope = secrets.randbelow(curve.N), secrets.randbelow(curve.N)
        try:
            return secret, sharing.split(secret, slope)
        except ValueError:  # one of them was nought, which happens once in 2^254
            continue


def have_share(share: int, opening: Opening) -> bytes:
    """Return a signature that only whoever has the share can make, over the key's hash."""
    return _private(share).sign(HAVE + opening.sha256(), ec.ECDSA(hashes.SHA256()))


def has_share(point: Point, opening: Opening, signature: bytes) -> bool:
    """Tell whether the signature was made with the share of that point."""
    try:
        _key(point).verify(signature, HAVE + opening.sha256(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def read_public(pem: bytes) -> Point:
    """Return the P-256 key of a PEM public key or certificate.

    Raises:
        ValueError: it is neither, or for another curve.
    """
    key: object
    if b"CERTIFICATE" in pem:
        key = x509.load_pem_x509_certificate(pem).public_key()
    else:
        key = serialization.load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("this is no P-256 key")
    return curve.read(_written(key))


def read_private(pem: bytes, password: bytes | None = None) -> int:
    """Return the scalar of a PEM P-256 private key.

    Raises:
        ValueError: it is none, or needs another password.
    """
    try:
        key = serialization.load_pem_private_key(pem, password)
    except TypeError as locked:
        raise ValueError(str(locked)) from locked
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ValueError("this is no P-256 key")
    return key.private_numbers().private_value


def _shallow(value: Any) -> bool:
    layer = [value]
    for _ in range(DEEPEST):
        layer = [
            item
            for one in layer
            if isinstance(one, dict | list)
            for item in (one.values() if isinstance(one, dict) else one)
        ]
    return not layer


def _about(auction: UUID, paddle: int, promised: str) -> bytes:
    parts = (auction.bytes, str(paddle).encode(), promised.encode())
    return b"".join(map(prefixed, parts))


def _derived(
    mine: ec.EllipticCurvePrivateKey,
    theirs: ec.EllipticCurvePublicKey,
    label: bytes,
    sender: bytes,
    receiver: bytes,
) -> bytes:
    shared = mine.exchange(ec.ECDH(), theirs)
    return HKDF(hashes.SHA256(), 32, salt=None, info=label + sender + receiver).derive(shared)


def _key(point: Point) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), curve.write(point))


def _private(scalar: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar, ec.SECP256R1())


def _written(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
