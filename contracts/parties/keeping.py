"""The folder of the authority's keys: files claimed whole, read with care, made where missing.

Source: RFC 3647 §6.2 (keys of authorities).
"""

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.parties import certificates, trusted
from contracts.parties.certificates import ISSUING, ROOT, ROOT_CRL_LASTS, Issuer
from contracts.refusal import Kind, Refusal

ROOT_LIST = "root.crl"


class AuthorityMissing(Refusal):
    """The exchange's own certificates or keys are missing or do not belong together."""

    kind, code = Kind.UNAVAILABLE, "authority-missing"
    hint = "The operator restores the keys folder; nothing is signed with throw-away keys."


def make_missing(keys_dir: Path, *, public_url: str, now: datetime) -> None:
    """Make what is missing of an authority; where the root's key is away, what issues makes it.

    Raises:
        AuthorityMissing: the root's key is away, and nobody else is there to issue.
    """
    keys_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (keys_dir / "root.pem").exists() and not (keys_dir / "root.key").exists():
        needed(keys_dir, ("issuing.key", "issuing.pem"))
        by = _issuer(keys_dir, ISSUING, public_url)
    else:
        by = _ensured_root(keys_dir, public_url, now)
        if certificates.has_authority_below(by.certificate):
            by = _ensured_issuing(keys_dir, by, now)
    _ensured_own(keys_dir, by, now)


def _ensured_root(keys_dir: Path, public_url: str, now: datetime) -> Issuer:
    _claim(keys_dir / "root.key", _new_key())
    key = load_key(keys_dir / "root.key")
    if not (keys_dir / "root.pem").exists():
        _claim(keys_dir / "root.pem", certificates.root(key, now))
    return _issuer(keys_dir, ROOT, public_url)


def _ensured_issuing(keys_dir: Path, root: Issuer, now: datetime) -> Issuer:
    _claim(keys_dir / "issuing.key", _new_key())
    key = load_key(keys_dir / "issuing.key")
    if not (keys_dir / "issuing.pem").exists():
        _claim(keys_dir / "issuing.pem", certificates.issuing(key.public_key(), by=root, now=now))
    if not (keys_dir / ROOT_LIST).exists():
        first = certificates.revocation_list([], by=root, lasts=ROOT_CRL_LASTS, now=now)
        _claim(keys_dir / ROOT_LIST, first)
    return _issuer(keys_dir, ISSUING, root.public_url)


def _ensured_own(keys_dir: Path, by: Issuer, now: datetime) -> None:
    _claim(keys_dir / "exchange.key", _new_key())
    if not (keys_dir / "exchange.pem").exists():
        public = load_key(keys_dir / "exchange.key").public_key()
        name = certificates.subject(*certificates.EXCHANGE_NAME, None)
        years = certificates.EXCHANGE_YEARS
        made = certificates.documents(public, name, by=by, years=years, now=now)
        _claim(keys_dir / "exchange.pem", made)
    _claim(keys_dir / "tsa.key", _new_key())
    if not (keys_dir / "tsa.pem").exists():
        public = load_key(keys_dir / "tsa.key").public_key()
        _claim(keys_dir / "tsa.pem", certificates.time(public, by=by, now=now))


def _issuer(keys_dir: Path, name: str, public_url: str) -> Issuer:
    certificate = load_certificate((keys_dir / f"{name}.pem").read_bytes())
    return Issuer(name, certificate, load_key(keys_dir / f"{name}.key"), public_url)


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key of a file.

    Raises:
        AuthorityMissing: it holds none.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as unreadable:
        raise AuthorityMissing(f"The key file {path.name} cannot be read.") from unreadable
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityMissing(f"The key file {path.name} holds no P-256 key.")
    return key


def load_certificate(pem: bytes) -> x509.Certificate:
    """Return the first certificate of a PEM text.

    Raises:
        AuthorityMissing: it holds none.
    """
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as unreadable:
        raise AuthorityMissing("A certificate of the authority cannot be read.") from unreadable


def needed(keys_dir: Path, names: Sequence[str]) -> list[bytes]:
    """Return the content of files that must be there.

    Raises:
        AuthorityMissing: one is not.
    """
    missing = [name for name in names if not (keys_dir / name).is_file()]
    if missing:
        raise AuthorityMissing("The certificate authority's keys are missing.", missing=missing)
    return [(keys_dir / name).read_bytes() for name in names]


def need_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Pass only a certificate that the issuer has issued.

    Raises:
        AuthorityMissing: it has not.
    """
    if not trusted.issued(certificate, by=issuer):
        raise AuthorityMissing("A certificate is not of this authority.")


def need_same(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    """Pass only a key with its own certificate.

    Raises:
        AuthorityMissing: the certificate is of another key.
    """
    if spki(key) != spki(certificate):
        raise AuthorityMissing("A key does not belong to its certificate.")


def spki(holder: ec.EllipticCurvePrivateKey | x509.Certificate) -> bytes:
    """Return the public key as DER (SubjectPublicKeyInfo)."""
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


def write(path: Path, content: bytes) -> None:
    """Put a file in the place of another, whole."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    draft.replace(path)
