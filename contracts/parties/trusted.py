"""Other authorities whose certificates parties may bring (持牌电子认证服务机构): a folder of files.

`*.pem` hold certificates of authorities: those signed by themselves are roots that signatures may
lead to, the others stand between. `*.crl` hold their lists of revoked certificates (DER or PEM),
which the operator fetches; files are read whenever they are asked for, so that new lists count.

Source: RFC 5280 §4.2.1.9 (who may issue), §5 (lists); 电子签名法 art. 16 (licensed authorities).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from contracts.refusal import Kind, Refusal


class TrustedUnreadable(Refusal):
    """A file in the folder of trusted authorities is no certificate of an authority, or no list."""

    kind, code = Kind.UNAVAILABLE, "trusted-authorities-unreadable"
    hint = "The operator puts the file named in `file` right; see EXCHANGE_TRUSTED_CAS."


@dataclass(frozen=True, slots=True)
class Trusted:
    """The folder; without one nobody else is trusted."""

    folder: Path | None = None

    def authorities(self) -> list[x509.Certificate]:
        """Return every certificate in the folder.

        Raises:
            TrustedUnreadable: a file holds none, or one of somebody who may not issue.
        """
        found = []
        for path in self._files("*.pem"):
            try:
                held = x509.load_pem_x509_certificates(path.read_bytes())
            except (OSError, ValueError) as wrong:
                raise TrustedUnreadable("A certificate cannot be read.", file=path.name) from wrong
            if not all(map(may_issue, held)):
                raise TrustedUnreadable("A certificate is not of an authority.", file=path.name)
            found += held
        return found

    def roots_pem(self) -> bytes:
        """Return the roots, one after the other; each only once."""
        roots = [one for one in dict.fromkeys(self.authorities()) if issued(one, by=one)]
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in roots)

    def between(self) -> list[x509.Certificate]:
        """Return the authorities that are not roots."""
        return [one for one in self.authorities() if not issued(one, by=one)]

    def lists(self) -> list[x509.CertificateRevocationList]:
        """Return the lists that an authority of the folder has signed.

        Raises:
            TrustedUnreadable: a file holds no list.
        """
        authorities = self.authorities()
        found = []
        for path in self._files("*.crl"):
            try:
                raw = path.read_bytes()
                read = (
                    x509.load_pem_x509_crl(raw)
                    if raw.lstrip().startswith(b"-----BEGIN")
                    else x509.load_der_x509_crl(raw)
                )
            except (OSError, ValueError) as wrong:
                raise TrustedUnreadable("A list cannot be read.", file=path.name) from wrong
            if not any(listed(read, by=one) for one in authorities):
                raise TrustedUnreadable("A list is of nobody in the folder.", file=path.name)
            found.append(read)
        return found

    def lists_of(self, pems: Iterable[bytes]) -> list[bytes]:
        """Return the lists (DER) of the issuers of certificates, the latest of each issuer."""
        issuers = {one.issuer for pem in pems for one in x509.load_pem_x509_certificates(pem)}
        latest: dict[x509.Name, x509.CertificateRevocationList] = {}
        for one in self.lists():
            other = latest.get(one.issuer)
            if one.issuer in issuers and (
                other is None or one.last_update_utc > other.last_update_utc
            ):
                latest[one.issuer] = one
        return [one.public_bytes(serialization.Encoding.DER) for one in latest.values()]

    def revoked(self, pem: bytes) -> bool:
        """Tell whether a list names a certificate (PEM, the first), or one that follows it."""
        lists = self.lists()
        return any(
            held.issuer == one.issuer
            and held.get_revoked_certificate_by_serial_number(one.serial_number) is not None
            for one in chain_of(pem)
            for held in lists
        )

    def every_list(self) -> list[bytes]:
        """Return all the lists as DER."""
        return [one.public_bytes(serialization.Encoding.DER) for one in self.lists()]

    def roots_of(self, pems: Iterable[bytes]) -> bytes:
        """Return the roots (PEM) that issued a certificate in PEM texts, or one it leads to."""
        held, known = self.authorities(), [one for pem in pems for one in chain_of(pem)]
        for one in known:  # grows on the way up
            known += [by for by in held if by not in known and issued(one, by=by)]
        roots = [one for one in held if one in known and issued(one, by=one)]
        return b"".join(
            one.public_bytes(serialization.Encoding.PEM) for one in dict.fromkeys(roots)
        )

    def _files(self, pattern: str) -> Iterator[Path]:
        if self.folder is None:
            return
        if not self.folder.is_dir():
            raise TrustedUnreadable("The folder is missing.", file=str(self.folder))
        yield from sorted(self.folder.glob(pattern))


NOBODY = Trusted()


def may_issue(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is of an authority."""
    try:
        bounds = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return bounds.ca and usage.key_cert_sign


def issued(certificate: x509.Certificate, *, by: x509.Certificate) -> bool:
    """Tell whether a certificate was issued by the holder of another: names and signature."""
    try:
        certificate.verify_directly_issued_by(by)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def listed(revoked: x509.CertificateRevocationList, *, by: x509.Certificate) -> bool:
    """Tell whether a list is of the holder of a certificate: names and signature."""
    key = by.public_key()
    if revoked.issuer != by.subject or not isinstance(
        key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    ):
        return False
    return revoked.is_signature_valid(key)


def next_of(pem: bytes) -> bytes | None:
    """Return the second certificate of a PEM text (PEM): whoever issued the first; None: a root."""
    _, *behind = chain_of(pem)
    return behind[0].public_bytes(serialization.Encoding.PEM) if behind else None


def chain_of(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, in their order."""
    return x509.load_pem_x509_certificates(pem)
