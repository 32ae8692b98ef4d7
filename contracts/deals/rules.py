"""Signing a deal: whose turn it is to sign, what a signature must be (pure).

See `contracts.deals.lifecycle` for all that a deal goes through.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from contracts.deals import lifecycle
from contracts.refusal import Kind, Refusal

LONGEST_REASON = 500
SESSION_LASTS = timedelta(minutes=10)
# The order of P-256 (SEC 2 §2.4.2): r and s are smaller.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# Whose signature each state of the signing region waits for, and the state that follows.
TURNS: Mapping[str, tuple[str, str]] = {
    "certified": ("licensor", "licensor_signed"),
    "licensor_signed": ("licensee", "executed"),
}


class NotYourTurn(Refusal):
    """The contract waits for another signature, or for none."""

    kind, code = Kind.CONFLICT, "not-your-turn"
    hint = "Wait until `next_signer` of the deal is your organisation, then open a new session."


class CertificateExpired(Refusal):
    """The certificate of the key has run out, or is not in force yet."""

    kind, code = Kind.CONFLICT, "certificate-expired"
    hint = "Register a new key of your organisation and sign with that one."


class SessionExpired(Refusal):
    """The signing session was not completed in time."""

    kind, code = Kind.GONE, "session-expired"
    hint = "Open a new signing session with a new id; it lasts ten minutes."


class SessionUsed(Refusal):
    """The signing session was completed with another signature."""

    kind, code = Kind.CONFLICT, "session-used"
    hint = "The contract is signed already; look at the deal."


class WrongKey(Refusal):
    """The signature was made with another key than the one named when the session was opened."""

    kind, code = Kind.INVALID, "wrong-key"
    hint = "Sign with the private key that belongs to the session's `key_id`."


class BadSignature(Refusal):
    """The signature does not fit the bytes that were to be signed."""

    kind, code = Kind.INVALID, "bad-signature"
    hint = "Sign the bytes of `tbs_der_b64` with ECDSA P-256 and SHA-256; send r‖s or DER, base64."


class DealExecuted(Refusal):
    """Both parties have signed, so the deal cannot be voided any more."""

    kind, code = Kind.CONFLICT, "deal-executed"
    hint = "An executed deal ends by its own terms or by a further agreement of its parties."


class DealVoided(Refusal):
    """The deal was voided (作废) before it took effect; nobody can sign it."""

    kind, code = Kind.CONFLICT, "deal-voided"
    hint = "Its rights are free again; offer them in a new listing."


class DealNotEffective(Refusal):
    """The deal has not taken effect."""

    kind, code = Kind.CONFLICT, "deal-not-effective"
    hint = "A deal takes effect when both parties have signed."


def deal_id_of(award_fact: UUID, place: int = 0) -> UUID:
    """Return the id of the deal that an award leads to: the same for every retry.

    An accepted offer leads to a deal for each of its works, whose `place` counts from 0.

    A UUIDv8 (RFC 9562 §5.8) with the time of the fact, so that deals are ordered by age.
    """
    counted = place.to_bytes(2, "big") if place else b""
    digest = hashlib.sha256(b"uhdx/deal/v1\x00" + award_fact.bytes + counted).digest()
    value = (award_fact.int >> 80) << 80 | int.from_bytes(digest[:10])
    return UUID(int=value & ~(0xF << 76) & ~(0b11 << 62) | 0x8 << 76 | 0b10 << 62)


def next_role(signing: str) -> str | None:
    """Return the role whose signature is awaited, or None."""
    turn = TURNS.get(signing)
    return turn[0] if turn else None


def check_turn(signing: str, *, role: str) -> str:
    """Return the state that the signature of `role` leads to.

    Raises:
        DealVoided, DealDeclined, DealExpired: nobody signs this deal any more.
        NotYourTurn: another role's signature is awaited, or none.
    """
    if signing == "voided":
        raise DealVoided("The deal was voided.")
    lifecycle.check_not_given_up(signing)
    turn = TURNS.get(signing)
    if turn is None or turn[0] != role:
        waits = turn[0] if turn else None
        raise NotYourTurn("It is not your turn to sign.", signing=signing, awaited=waits)
    return turn[1]


def check_voidable(signing: str) -> None:
    """Let only deals that have not taken effect be voided.

    Raises:
        DealExecuted: both parties have signed.
    """
    if signing == "executed":
        raise DealExecuted("The deal has taken effect.")


def check_certificate(certificate_pem: bytes, *, now: datetime) -> None:
    """Let only keys pass whose certificate is in force: what they signed could not be trusted.

    Raises:
        CertificateExpired: it has run out, or its time has not come.
    """
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not since <= now < until:
        raise CertificateExpired(
            "The certificate of this key is not in force.",
            since=since.isoformat(),
            until=until.isoformat(),
        )


def check_time(expires_at: datetime, *, now: datetime) -> None:
    """Let only sessions that still run pass.

    Raises:
        SessionExpired: its ten minutes are over.
    """
    if now >= expires_at:
        raise SessionExpired("The signing session has expired.", expires_at=expires_at.isoformat())


def signature_der(signature: bytes) -> bytes:
    """Return a P-256 signature as DER, from r‖s of 64 bytes or from DER.

    Raises:
        BadSignature: it is neither.
    """
    if len(signature) == 64:
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    else:
        try:
            r, s = decode_dss_signature(signature)
        except ValueError as unreadable:
            raise BadSignature("The signature is neither r‖s nor DER.") from unreadable
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise BadSignature("The signature's numbers are out of range.")
    return encode_dss_signature(r, s)


def fits(signature: bytes, tbs: bytes, *, public_key_pem: bytes) -> bool:
    """Tell whether a DER signature of the bytes was made with the key."""
    key = serialization.load_pem_public_key(public_key_pem)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, tbs, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
