"""Certificates and lists of revoked ones as the exchange's authority writes them (pure).

Source: RFC 5280 (profile; §4.2.1.13 and §4.2.2.1 for where lists and issuers are found, §5 for
lists), ETSI EN 319 412-2 (subject names of legal persons), RFC 3161 §2.3 (time-stamping).
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

PartyPublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
ROOT_YEARS, ISSUING_YEARS, EXCHANGE_YEARS, PARTY_YEARS = 20, 15, 10, 3
CRL_LASTS = timedelta(days=30)
# The root's key is away most of the time: its list is signed once a year, with a month to spare.
ROOT_CRL_LASTS = timedelta(days=400)
# Clocks of machines differ: a certificate made by one must be good at once on the others.
SKEW = timedelta(hours=1)
# RFC 9336; readers that do not know it yet accept emailProtection, so certificates carry both.
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
ROOT_NAME = ("超高清版权交易所根证书", "UHD Rights Exchange Root CA")
ISSUING_NAME = ("超高清版权交易所签发证书", "UHD Rights Exchange Issuing CA")
EXCHANGE_NAME = ("超高清版权交易所", "UHD Rights Exchange")
TIME_NAME = ("超高清版权交易所时间戳", "UHD Rights Exchange Time-Stamping Authority")
# X.520 upper bound of organizationName and commonName; the whole name is in the contract's terms.
LONGEST_NAME = 64
ROOT, ISSUING = "root", "issuing"


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate that issues others, with its key.

    Attributes:
        name: `root` or `issuing`; names its files and its addresses.
        certificate: its own.
        key: its private key.
        public_url: where its list and its certificate are published; empty: nowhere.
    """

    name: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    public_url: str = ""


def subject(zh: str, en: str, uscc: str | None) -> x509.Name:
    """Return the name of a legal person; longer names are cut, the code is whole."""
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, zh[:LONGEST_NAME]),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, en[:LONGEST_NAME]),
        x509.NameAttribute(NameOID.COMMON_NAME, zh[:LONGEST_NAME]),
    ]
    if uscc:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, uscc))
    return x509.Name(parts)


def root(key: ec.EllipticCurvePrivateKey, now: datetime) -> bytes:
    """Return the certificate (PEM) of a root, which may have one authority below it."""
    name = subject(*ROOT_NAME, None)
    certificate = (
        _builder(key.public_key(), name=name, issuer=name, now=now)
        .not_valid_after(now.replace(microsecond=0) + timedelta(days=365 * ROOT_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pem(certificate)


def issuing(public: ec.EllipticCurvePublicKey, *, by: Issuer, now: datetime) -> bytes:
    """Return the certificate (PEM) of the authority that issues, which has none below it."""
    made = _below(public, subject(*ISSUING_NAME, None), by=by, years=ISSUING_YEARS, now=now)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return _pem(made.sign(by.key, hashes.SHA256()))


def documents(
    public: PartyPublicKey, name: x509.Name, *, by: Issuer, years: int, now: datetime
) -> bytes:
    """Certify a key that signs contracts or bids; return the certificate as PEM."""
    made = _below(public, name, by=by, years=years, now=now)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage("digital_signature", "content_commitment"), critical=True)
    purposes = [DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]
    made = made.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return _pem(made.sign(by.key, hashes.SHA256()))


def time(public: ec.EllipticCurvePublicKey, *, by: Issuer, now: datetime) -> bytes:
    """Certify a key for time-stamps and nothing else (RFC 3161 §2.3: critical, alone)."""
    made = _below(public, subject(*TIME_NAME, None), by=by, years=EXCHANGE_YEARS, now=now)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage("digital_signature"), critical=True)
    alone = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    return _pem(made.add_extension(alone, critical=True).sign(by.key, hashes.SHA256()))


def revocation_list(
    revoked: Iterable[tuple[int, datetime]], *, by: Issuer, lasts: timedelta, now: datetime
) -> bytes:
    """Return the list of revoked certificates of an issuer (DER).

    Args:
        revoked: serial numbers, each with the instant from which nobody may rely on it; of a
            number that comes twice the earlier instant counts.
        by: the issuer.
        lasts: how long until the next list must be there.
        now: the instant of the list, which also numbers it.
    """
    whole = now.replace(microsecond=0)
    listed = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(whole)
        .next_update(whole + lasts)
        .add_extension(_key_of(by), critical=False)
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
    )
    dates: dict[int, datetime] = {}
    for serial, at in revoked:
        dates[serial] = min(at, dates.get(serial, at))
    for serial, at in sorted(dates.items()):
        entry = x509.RevokedCertificateBuilder().serial_number(serial)
        listed = listed.add_revoked_certificate(
            entry.revocation_date(at.replace(microsecond=0)).build()
        )
    signed = listed.sign(by.key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def dotted(text: str) -> str:
    """Return an object identifier as it is written.

    Raises:
        ValueError: it is none.
    """
    return x509.ObjectIdentifier(text).dotted_string


def der_of(pem: bytes) -> bytes:
    """Return the first certificate of a PEM text as DER."""
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def half_over(list_der: bytes, *, now: datetime) -> bool:
    """Tell whether half of a list's life is over: time to sign the next one."""
    held = x509.load_der_x509_crl(list_der)
    until = held.next_update_utc or now
    return now >= held.last_update_utc + (until - held.last_update_utc) / 2


def has_authority_below(certificate: x509.Certificate) -> bool:
    """Tell whether a root may have another authority below it; the first ones made could not."""
    bounds = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    return bounds.path_length is None or bounds.path_length > 0


def _below(
    public: PartyPublicKey, name: x509.Name, *, by: Issuer, years: int, now: datetime
) -> x509.CertificateBuilder:
    """Begin a certificate of an issuer: no longer in force than the issuer's own."""
    until = now.replace(microsecond=0) + timedelta(days=365 * years)
    made = (
        _builder(public, name=name, issuer=by.certificate.subject, now=now)
        .not_valid_after(min(until, by.certificate.not_valid_after_utc))
        .add_extension(_key_of(by), critical=False)
    )
    if not by.public_url:
        return made
    at = f"{by.public_url}/ca/{by.name}"
    place = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{at}.crl")], None, None, None)
    issuer = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(f"{at}.cer")
    )
    made = made.add_extension(x509.CRLDistributionPoints([place]), critical=False)
    return made.add_extension(x509.AuthorityInformationAccess([issuer]), critical=False)


def _builder(
    public: PartyPublicKey, *, name: x509.Name, issuer: x509.Name, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .public_key(public)
        .subject_name(name)
        .issuer_name(issuer)
        .serial_number(int.from_bytes(secrets.token_bytes(16)) >> 1 | 1)
        .not_valid_before(now.replace(microsecond=0) - SKEW)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_of(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    found = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def _usage(*wanted: str) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature="digital_signature" in wanted,
        content_commitment="content_commitment" in wanted,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign="key_cert_sign" in wanted,
        crl_sign="crl_sign" in wanted,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
