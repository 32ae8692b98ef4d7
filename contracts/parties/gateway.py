"""The exchange's certificate authority: a root, the exchange's own certificate, and the parties'.

Source: RFC 5280 (profile), ETSI EN 319 412-2 (subject names of legal persons), RFC 3161 §2.3 (the
certificate of a time-stamping authority).
Differs from the source: the keys lie in files, not in a device, and the root issues without an
intermediate.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from contracts.parties.times import TimeAuthority
from contracts.refusal import Kind, Refusal

PartyPublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
ROOT_YEARS, EXCHANGE_YEARS, PARTY_YEARS = 20, 10, 3
CRL_LASTS = timedelta(days=30)
# Clocks of machines differ: a certificate made by one must be good at once on the others.
SKEW = timedelta(hours=1)
# RFC 9336; readers that do not know it yet accept emailProtection, so certificates carry both.
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
ROOT_NAME = ("超高清版权交易所根证书", "UHD Rights Exchange Root CA")
EXCHANGE_NAME = ("超高清版权交易所", "UHD Rights Exchange")
TIME_NAME = ("超高清版权交易所时间戳", "UHD Rights Exchange Time-Stamping Authority")
# X.520 upper bound of organizationName and commonName; the whole name is in the contract's terms.
LONGEST_NAME = 64


class BadCsr(Refusal):
    """The request cannot be read, is not signed by its key, or is for another kind of key."""

    kind, code = Kind.INVALID, "bad-csr"
    hint = "Send a PEM PKCS#10 request, signed with its key: P-256 (contracts) or Ed25519 (bids)."


class AuthorityMissing(Refusal):
    """The exchange's own certificates or keys are missing or do not belong together."""

    kind, code = Kind.UNAVAILABLE, "authority-missing"
    hint = "The operator restores the keys folder; nothing is signed with throw-away keys."


class Subject(Protocol):
    """What a certificate says about a legal person."""

    name_zh: str
    name_en: str
    uscc: str


@dataclass(frozen=True, slots=True)
class TimeKey:
    """The key of the exchange's own time-stamping authority, with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate_pem: bytes


@dataclass(frozen=True, slots=True)
class Certifier:
    """A key of the exchange with its certificate, for certifying contracts.

    `time` puts a time-stamp upon each signature; without it, signatures are of a lower level.
    Where there is an `outside`, its authorities are asked instead. `time_roots_pem` is what their
    time-stamps lead to, beside the root.
    """

    key: ec.EllipticCurvePrivateKey
    certificate_pem: bytes
    root_pem: bytes
    time: TimeKey | None = None
    outside: TimeAuthority | None = None
    time_roots_pem: bytes = b""

    @property
    def spki_sha256(self) -> str:
        """The SHA-256 (hex) of the key's SubjectPublicKeyInfo, which names it in contracts."""
        return hashlib.sha256(_spki(self.key)).hexdigest()


class LocalAuthority:
    """A certificate authority whose keys lie in one folder of this machine, mode 0600."""

    FILES: ClassVar = ("root.key", "root.pem", "exchange.key", "exchange.pem")
    TIME_FILES: ClassVar = ("tsa.key", "tsa.pem")

    def __init__(self, keys_dir: Path) -> None:
        """Read the four files, and the two of the time key if they are there; check that all fit.

        Raises:
            AuthorityMissing: a file is missing, unreadable, or does not fit the others.
        """
        missing = [name for name in self.FILES if not (keys_dir / name).is_file()]
        if missing:
            raise AuthorityMissing("The certificate authority's keys are missing.", missing=missing)
        self.root_pem = (keys_dir / "root.pem").read_bytes()
        exchange_pem = (keys_dir / "exchange.pem").read_bytes()
        self._root = _load_certificate(self.root_pem)
        self._key = _load_key(keys_dir / "root.key")
        key = _load_key(keys_dir / "exchange.key")
        exchange = _load_certificate(exchange_pem)
        self._need_issued(exchange)
        if _spki(self._key) != _spki(self._root) or _spki(key) != _spki(exchange):
            raise AuthorityMissing("A key does not belong to its certificate.")
        self.certifier = Certifier(key, exchange_pem, self.root_pem, self._time_key(keys_dir))

    @classmethod
    def ensure(cls, keys_dir: Path, now: datetime) -> "LocalAuthority":
        """Open the authority, making once what is missing (not for production).

        Processes may race: each file is claimed whole, in order, and everybody goes on from what
        the first to claim it has written.
        """
        keys_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        _claim(keys_dir / "root.key", _pem(ec.generate_private_key(ec.SECP256R1())))
        root_key = _load_key(keys_dir / "root.key")
        if not (keys_dir / "root.pem").exists():
            _claim(keys_dir / "root.pem", _root_certificate(root_key, now))
        root = x509.load_pem_x509_certificate((keys_dir / "root.pem").read_bytes())
        _claim(keys_dir / "exchange.key", _pem(ec.generate_private_key(ec.SECP256R1())))
        if not (keys_dir / "exchange.pem").exists():
            public = _load_key(keys_dir / "exchange.key").public_key()
            name = _name(EXCHANGE_NAME[0], EXCHANGE_NAME[1], None)
            _claim(
                keys_dir / "exchange.pem",
                _issue(public, name, by=(root, root_key), years=EXCHANGE_YEARS, now=now),
            )
        _claim(keys_dir / "tsa.key", _pem(ec.generate_private_key(ec.SECP256R1())))
        if not (keys_dir / "tsa.pem").exists():
            public = _load_key(keys_dir / "tsa.key").public_key()
            _claim(keys_dir / "tsa.pem", _time_certificate(public, by=(root, root_key), now=now))
        return cls(keys_dir)

    @classmethod
    def open(cls, keys_dir: Path) -> "LocalAuthority":
        """Open an authority that must be there.

        Raises:
            AuthorityMissing: it is not, or not whole.
        """
        return cls(keys_dir)

    def issue(self, csr_pem: bytes, *, party: Subject, now: datetime) -> bytes:
        """Certify the key of a request for a party; return the certificate as PEM.

        The names come from the register of parties; those in the request are ignored.

        Raises:
            BadCsr: the request is unreadable, not signed by its own key, or of another kind.
        """
        public = checked_key(csr_pem)
        name = _name(party.name_zh, party.name_en, party.uscc)
        return _issue(public, name, by=(self._root, self._key), years=PARTY_YEARS, now=now)

    def crl(self, revoked: Iterable[tuple[bytes, datetime]], *, now: datetime) -> bytes:
        """Return the list of revoked certificates of this root (DER), good for thirty days.

        Args:
            revoked: certificates (PEM), each with the instant from which nobody may rely on it.
            now: the instant of the list, which also numbers it.
        """
        whole = now.replace(microsecond=0)
        of_root = self._root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        listed = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._root.subject)
            .last_update(whole)
            .next_update(whole + CRL_LASTS)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_root),
                critical=False,
            )
            .add_extension(x509.CRLNumber(int(whole.timestamp())), critical=False)
        )
        for pem, at in revoked:
            entry = (
                x509.RevokedCertificateBuilder()
                .serial_number(x509.load_pem_x509_certificate(pem).serial_number)
                .revocation_date(at.replace(microsecond=0))
            )
            listed = listed.add_revoked_certificate(entry.build())
        return listed.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def _time_key(self, keys_dir: Path) -> TimeKey | None:
        there = [name for name in self.TIME_FILES if (keys_dir / name).is_file()]
        if not there:  # a folder from before time-stamps; `exchange ca init` adds them
            return None
        if len(there) == 1:
            raise AuthorityMissing("Half of the time key is missing.", missing=there)
        pem, key = (keys_dir / "tsa.pem").read_bytes(), _load_key(keys_dir / "tsa.key")
        certificate = _load_certificate(pem)
        self._need_issued(certificate)
        if _spki(key) != _spki(certificate):
            raise AuthorityMissing("The time key does not belong to its certificate.")
        return TimeKey(key, pem)

    def _need_issued(self, certificate: x509.Certificate) -> None:
        try:
            certificate.verify_directly_issued_by(self._root)
        except (InvalidSignature, ValueError, TypeError) as wrong:
            raise AuthorityMissing("A certificate is not of this root.") from wrong


def checked_key(csr_pem: bytes) -> PartyPublicKey:
    """Return the key that a request proves to hold: P-256 for contracts, Ed25519 for bids.

    Raises:
        BadCsr: the request is unreadable, not signed by its own key, or for another kind of key.
    """
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        signed = request.is_signature_valid
        public = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as unreadable:
        raise BadCsr("The certificate request cannot be read.") from unreadable
    if not isinstance(public, ed25519.Ed25519PublicKey) and not is_p256(public):
        raise BadCsr("The key of the request is neither a P-256 nor an Ed25519 key.")
    if not signed:
        raise BadCsr("The request is not signed by its own key.")
    assert isinstance(public, PartyPublicKey)  # noqa: S101 - one of the two, as was just seen.
    return public


def is_p256(public: object) -> bool:
    """Tell whether a public key is one that signs contracts."""
    return isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name == "secp256r1"


def _name(zh: str, en: str, uscc: str | None) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, zh[:LONGEST_NAME]),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, en[:LONGEST_NAME]),
        x509.NameAttribute(NameOID.COMMON_NAME, zh[:LONGEST_NAME]),
    ]
    if uscc:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, uscc))
    return x509.Name(parts)


def _builder(
    public: PartyPublicKey, *, subject: x509.Name, issuer: x509.Name, now: datetime
) -> x509.CertificateBuilder:
    whole = now.replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .public_key(public)
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(int.from_bytes(secrets.token_bytes(16)) >> 1 | 1)
        .not_valid_before(whole - SKEW)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _root_certificate(key: ec.EllipticCurvePrivateKey, now: datetime) -> bytes:
    name = _name(*ROOT_NAME, None)
    certificate = (
        _builder(key.public_key(), subject=name, issuer=name, now=now)
        .not_valid_after(now.replace(microsecond=0) + timedelta(days=365 * ROOT_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _issue(
    public: PartyPublicKey,
    subject: x509.Name,
    *,
    by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey],
    years: int,
    now: datetime,
) -> bytes:
    root, root_key = by
    of_root = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    until = now.replace(microsecond=0) + timedelta(days=365 * years)
    certificate = (
        _builder(public, subject=subject, issuer=root.subject, now=now)
        .not_valid_after(min(until, root.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature", "content_commitment"), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_root), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _time_certificate(
    public: ec.EllipticCurvePublicKey,
    *,
    by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey],
    now: datetime,
) -> bytes:
    """Certify a key for time-stamps and nothing else (RFC 3161 §2.3: critical, alone)."""
    root, root_key = by
    of_root = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    until = now.replace(microsecond=0) + timedelta(days=365 * EXCHANGE_YEARS)
    certificate = (
        _builder(public, subject=_name(*TIME_NAME, None), issuer=root.subject, now=now)
        .not_valid_after(min(until, root.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_root), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


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


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as unreadable:
        raise AuthorityMissing(f"The key file {path.name} cannot be read.") from unreadable
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityMissing(f"The key file {path.name} holds no P-256 key.")
    return key


def _load_certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as unreadable:
        raise AuthorityMissing("A certificate of the authority cannot be read.") from unreadable


def _spki(holder: ec.EllipticCurvePrivateKey | x509.Certificate) -> bytes:
    return holder.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _claim(path: Path, content: bytes) -> None:
    """Write the file whole, mode 0600, unless it is there already."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    try:
        with suppress(FileExistsError):  # another process was first; its file counts
            os.link(draft, path)
    finally:
        draft.unlink()
