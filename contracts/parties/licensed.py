"""Certificates that parties bring from other authorities (持牌机构签发的证书): read and judged.

Source: RFC 5280 §6 (paths), ETSI EN 319 412-1 §5.1.4 (identifiers of legal persons: `NTRCN-…`),
RFC 9336 and RFC 5280 §4.2.1.12 (purposes); 电子签名法 art. 16.
Differs from the source: there is no fetching. Whether a certificate was revoked is told by the
lists in the operator's folder; without a list of its issuer that is in force it is not accepted.
"""

from dataclasses import dataclass
from datetime import datetime

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    ExpiredError,
    InsufficientRevinfoError,
    NotYetValidError,
    PathBuildingError,
    PathValidationError,
    RevokedError,
    ValidationError,
)

from contracts.parties import csr
from contracts.parties.certificates import DOCUMENT_SIGNING
from contracts.parties.gateway import LocalAuthority, Subject
from contracts.parties.trusted import issued
from contracts.refusal import Kind, Refusal

ORGANISATION_IDENTIFIER = ObjectIdentifier("2.5.4.97")
PURPOSES = {DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION}
# With the signature and a time-stamp it has to fit where a contract keeps them.
MOST_BYTES = 6144
MOST_CERTIFICATES = 4


class BadCertificate(Refusal):
    """The certificate cannot be read, is too long with its chain, or is of another key."""

    kind, code = Kind.INVALID, "bad-certificate"
    hint = "Send PEM: the certificate of the key in the request first, then those it leads to."


class CertificateNotTrusted(Refusal):
    """The certificate leads to no authority that this exchange trusts."""

    kind, code = Kind.CONFLICT, "certificate-not-trusted"
    hint = "Bring one of an authority that the operator trusts, or let the exchange certify."


class CertificateNotInForce(Refusal):
    """The certificate is not in force, is revoked, or nobody can say whether it is."""

    kind, code = Kind.CONFLICT, "certificate-not-in-force"
    hint = "`reason` says which; of an unknown state, the operator renews the authority's list."


class CertificateNotForSigning(Refusal):
    """The certificate is not for signing documents."""

    kind, code = Kind.CONFLICT, "certificate-not-for-signing"
    hint = (
        "It needs the uses digitalSignature and nonRepudiation and, where it names purposes, "
        "documentSigning or emailProtection."
    )


class CertificateOfAnother(Refusal):
    """The certificate names neither the organisation's code nor its registered name."""

    kind, code = Kind.CONFLICT, "certificate-of-another"
    hint = "Its subject needs the code (serialNumber or organizationIdentifier) or the name."


@dataclass(frozen=True, slots=True)
class Accepted:
    """A certificate that counts, in the place of whoever issues.

    Attributes:
        spki_sha256: hex, of its key.
        chain_pem: the certificate first, those it leads to behind it, the root left out.
        issuer_name: who issued it, for people (RFC 4514); None: the exchange itself.
    """

    spki_sha256: str
    chain_pem: bytes
    issuer_name: str | None

    def issue(self, csr_pem: bytes, *, party: Subject, now: datetime) -> bytes:  # noqa: ARG002 - the certificate was judged at an instant; issuers are asked alike.
        """Return the certificate, for the key and the party that it was accepted for.

        Raises:
            BadCertificate, CertificateOfAnother: the request or the party is another one.
        """
        if csr.read(csr_pem).spki_sha256 != self.spki_sha256:
            raise BadCertificate("The certificate is of another key than the request.")
        need_name(x509.load_pem_x509_certificate(self.chain_pem), party)
        return self.chain_pem


async def accept(
    pem: bytes, *, spki_sha256: str, party: Subject, authority: LocalAuthority, now: datetime
) -> Accepted:
    """Judge a certificate that a party brings for its key.

    Args:
        pem: the certificate, then those it leads to, as far as the operator lacks them.
        spki_sha256: hex, of the key's SubjectPublicKeyInfo.
        party: whom it has to name.
        authority: the exchange's, with those it trusts.
        now: the instant.

    Raises:
        BadCertificate: it cannot be read, is too long, or is of another key.
        CertificateNotTrusted, CertificateNotInForce, CertificateNotForSigning: see there.
        CertificateOfAnother: it is of another organisation.
    """
    leaf, *given = _read(pem)
    if _spki_sha256(leaf) != spki_sha256:
        raise BadCertificate("The certificate is of another key than the request.")
    _need_purpose(leaf)
    need_name(leaf, party)
    chain = await _path(leaf, given, authority=authority, now=now)
    if sum(len(one.public_bytes(serialization.Encoding.DER)) for one in chain) > MOST_BYTES:
        raise BadCertificate(f"The certificate and its chain take over {MOST_BYTES} bytes.")
    ours = issued(leaf, by=authority.issuing.certificate)
    return Accepted(
        spki_sha256,
        b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain),
        None if ours else leaf.issuer.rfc4514_string(),
    )


def need_name(leaf: x509.Certificate, party: Subject) -> None:
    """Pass only a certificate that names the party: by its code, or without one by its name.

    Raises:
        CertificateOfAnother: it names somebody else.
    """
    codes = {
        text.rpartition("-")[2].upper()
        for oid in (NameOID.SERIAL_NUMBER, ORGANISATION_IDENTIFIER)
        for text in _texts(leaf, oid)
    }
    names = {name.casefold() for name in _texts(leaf, NameOID.ORGANIZATION_NAME)}
    if party.uscc in codes:
        return
    # A code of the same form is of somebody else, whatever the name.
    strange = any(len(code) == len(party.uscc) for code in codes)
    if strange or not names & {party.name_zh.casefold(), party.name_en.casefold()}:
        raise CertificateOfAnother("The certificate does not name your organisation.")


def _read(pem: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as unreadable:
        raise BadCertificate("The certificate cannot be read.") from unreadable
    if len(found) > MOST_CERTIFICATES:
        raise BadCertificate(f"At most {MOST_CERTIFICATES} certificates are taken.")
    return found


def _need_purpose(leaf: x509.Certificate) -> None:
    try:
        uses = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        signs = uses.digital_signature and uses.content_commitment
    except (x509.ExtensionNotFound, ValueError):
        signs = False
    try:
        named = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except (x509.ExtensionNotFound, ValueError):
        named = set(PURPOSES)
    if not signs or not named & PURPOSES:
        raise CertificateNotForSigning("The certificate is not for signing documents.")


async def _path(
    leaf: x509.Certificate,
    given: list[x509.Certificate],
    *,
    authority: LocalAuthority,
    now: datetime,
) -> list[x509.Certificate]:
    """Return the chain that holds, without its root."""
    trusted = authority.trusted
    lists = [*authority.lists([], of=[], now=now), *trusted.every_list()]
    context = ValidationContext(
        trust_roots=[_asn1(one) for one in x509.load_pem_x509_certificates(authority.root_pem)],
        allow_fetching=False,
        crls=lists,
        moment=now,
        revocation_mode="require",
    )
    own = x509.load_pem_x509_certificates(authority.issuing_pem)
    between = [_asn1(one) for one in (*given, *own, *trusted.between())]
    validator = CertificateValidator(_asn1(leaf), between, context)
    try:
        path = await validator.async_validate_path()
    except (RevokedError, ExpiredError, NotYetValidError, InsufficientRevinfoError) as wrong:
        reasons: list[tuple[type[PathValidationError], str]] = [
            (RevokedError, "revoked"), (ExpiredError, "expired"), (NotYetValidError, "not-yet"),
        ]  # fmt: skip
        reason = next((word for kind, word in reasons if isinstance(wrong, kind)), "unknown")
        raise CertificateNotInForce("The certificate is not in force.", reason=reason) from wrong
    except (PathBuildingError, ValidationError) as wrong:
        raise CertificateNotTrusted("The certificate leads to nobody trusted here.") from wrong
    chain = [x509.load_der_x509_certificate(one.dump()) for one in path.iter_certs(False)]
    if any(_names(x509.load_der_x509_crl(der), one) for der in lists for one in chain):
        raise CertificateNotInForce("The certificate is not in force.", reason="revoked")
    return chain[::-1]


def _names(held: x509.CertificateRevocationList, one: x509.Certificate) -> bool:
    """Tell whether a list of its issuer names a certificate, from whenever on."""
    found = held.get_revoked_certificate_by_serial_number(one.serial_number)
    return held.issuer == one.issuer and found is not None


def _texts(leaf: x509.Certificate, oid: ObjectIdentifier) -> list[str]:
    return [str(one.value).strip() for one in leaf.subject.get_attributes_for_oid(oid)]


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def _spki_sha256(certificate: x509.Certificate) -> str:
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return digest.finalize().hex()
