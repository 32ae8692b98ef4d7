"""What a party checks before its key signs: the bytes are those of the contract it read (pure).

The exchange prepares the bytes, so whoever signs what it is sent has to trust it. These checks need
nothing but what the exchange sent and the party's own certificate; the browser does the same
(`exchange/portal/static/js/signing/consent.js`), and any other client can.

Source: ISO 32000-2 §12.8.1 (ByteRange), RFC 5652 §5.4 and §11 (signed attributes), RFC 5035.
"""

import hashlib
import re
from dataclasses import dataclass

from asn1crypto import cms, x509

from contracts.deals.sealing import Prepared
from contracts.refusal import Kind, Refusal

_BYTE_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]")
_ATTRIBUTES = frozenset(
    {"content_type", "message_digest", "signing_certificate_v2", "cms_algorithm_protection"}
)
MOST_ATTRIBUTES_BYTES = 4096


class SessionNotSound(Refusal):
    """What the exchange asks to be signed is not the contract that was shown."""

    kind, code = Kind.CONFLICT, "session-not-sound"
    hint = "Do not sign. Keep what you were sent, and ask the exchange what this is."


@dataclass(frozen=True, slots=True)
class Session:
    """A signing session as the exchange tells it.

    Attributes:
        tbs: the DER of the signed attributes.
        pdf_sha256: hex, of the revision that the signature is put upon.
        terms_sha256: hex, of the terms.
        base_sha256: hex, of the contract as typeset.
    """

    tbs: bytes
    pdf_sha256: str
    terms_sha256: str
    base_sha256: str


def check(
    session: Session, *, terms: bytes, latest: bytes, prepared: bytes, certificate: bytes
) -> Prepared:
    """Pass only a session that signs these terms, upon this contract, with this certificate.

    Args:
        session: what the exchange asks to be signed.
        terms: the RFC 8785 bytes that were shown.
        latest: the contract as it stands.
        prepared: the same with the signature's field and a gap for the signature.
        certificate: DER, of the key that will sign.

    Raises:
        SessionNotSound: something is not as it must be; `check` in its data names it.
    """
    _need(_hex(terms) == session.terms_sha256, "terms", "The session is for other terms.")
    _need(_hex(latest) == session.pdf_sha256, "contract", "The session is upon another contract.")
    _need(
        prepared.startswith(latest),
        "revision",
        "The prepared file does not continue the contract that was shown.",
    )
    start, end = _gap(prepared, after=len(latest))
    digest = hashlib.sha256(prepared[:start] + prepared[end:]).digest()
    found = _attributes(session.tbs)
    _need(
        found["message_digest"].native == digest,
        "digest",
        "The bytes to sign are not those of the prepared file.",
    )
    _need(
        _names(found["signing_certificate_v2"], certificate),
        "certificate",
        "The bytes to sign name another certificate.",
    )
    return Prepared(
        pdf=prepared, document_digest=digest, gap_start=start, gap_end=end, tbs=session.tbs
    )


def spki_sha256(certificate: bytes) -> str:
    """Return the hash (hex) that names the key of a certificate (DER)."""
    return _hex(x509.Certificate.load(certificate).public_key.dump())


def _gap(prepared: bytes, *, after: int) -> tuple[int, int]:
    """Return where the gap of the one new signature lies; everything else of the file is signed."""
    found = list(_BYTE_RANGE.finditer(prepared, after))
    _need(len(found) == 1, "gap", "The prepared file has no gap for one signature.")
    first, start, end, rest = (int(part) for part in found[0].groups())
    gap = prepared[start:end]
    _need(
        first == 0
        and after < start < end
        and end + rest == len(prepared)
        and re.fullmatch(rb"<0+>", gap) is not None,
        "gap",
        "The signature would leave a part of the file open.",
    )
    return start, end


def _attributes(tbs: bytes) -> dict[str, cms.CMSAttributes]:
    """Return the one value of each signed attribute; another attribute could mean anything."""
    _need(len(tbs) <= MOST_ATTRIBUTES_BYTES, "attributes", "The bytes to sign are too many.")
    try:
        read = cms.CMSAttributes.load(tbs, strict=True)
        names = [one["type"].native for one in read]
        values = {one["type"].native: one["values"][0] for one in read if len(one["values"]) == 1}
        sound = set(values) == _ATTRIBUTES and len(names) == len(values) == len(_ATTRIBUTES)
        plain = sound and values["content_type"].native == "data" and _algorithms(values)
    except (ValueError, KeyError, TypeError, IndexError) as unreadable:
        raise SessionNotSound(
            "The bytes to sign cannot be read.", check="attributes"
        ) from unreadable
    _need(plain, "attributes", "The bytes to sign say more, or less, than a signature does.")
    return values


def _algorithms(values: dict[str, cms.CMSAttributes]) -> bool:
    said = values["cms_algorithm_protection"]
    return bool(
        said["digest_algorithm"]["algorithm"].native == "sha256"
        and said["signature_algorithm"]["algorithm"].native == "sha256_ecdsa"
    )


def _names(value: cms.CMSAttributes, certificate: bytes) -> bool:
    """Tell whether the attribute names the certificate, by SHA-256 and nothing weaker."""
    try:
        certs = value["certs"]
        one = certs[0]
        return bool(
            len(certs) == 1
            and one["hash_algorithm"]["algorithm"].native == "sha256"
            and one["cert_hash"].native == hashlib.sha256(certificate).digest()
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return False


def _need(holds: bool, check: str, detail: str) -> None:
    if not holds:
        raise SessionNotSound(detail, check=check)


def _hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
