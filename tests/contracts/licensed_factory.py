"""An outside certificate authority, as an operator trusts one: a folder with roots and lists."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from contracts.parties import certificates, csr, licensed
from contracts.parties.certificates import Issuer

BOTH = ("digital_signature", "content_commitment")
EVERY = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass
class Outside:
    """A root (RSA) and the authority below it (P-384), which issues to organisations."""

    folder: Path
    now: datetime
    root_key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(65537, 2048)
    )
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP384R1())
    )

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.root = self._authority(self.root_key.public_key(), "持牌根", by=self.root_key)
        self.middle = self._authority(self.key.public_key(), "持牌签发", by=self.root_key)
        (self.folder / "root.pem").write_bytes(self.root_pem + self.middle_pem)
        self.publish()

    @property
    def root_pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    @property
    def middle_pem(self) -> bytes:
        return self.middle.public_bytes(Encoding.PEM)

    def publish(
        self, *revoked: bytes, at: datetime | None = None, revoked_at: datetime | None = None
    ) -> None:
        """Put both lists in the folder; the one below the root names certificates (PEM)."""
        at = at or self.now
        self.write_list("middle.crl", self.middle, self.key, revoked, at, revoked_at or at)
        self.write_list("root.crl", self.root, self.root_key, (), at, at)

    def write_list(
        self,
        name: str,
        issuer: x509.Certificate,
        key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
        revoked: Sequence[bytes],
        at: datetime,
        revoked_at: datetime,
    ) -> None:
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(at)
            .next_update(at + timedelta(days=7))
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for pem in revoked:
            serial = x509.load_pem_x509_certificate(pem).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial)
            made = made.add_revoked_certificate(entry.revocation_date(revoked_at).build())
        der = made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        (self.folder / name).write_bytes(der)

    def issue(
        self,
        csr_pem: bytes,
        *,
        name: str = "",
        uscc: str = "",
        identifier: str = "",
        uses: tuple[str, ...] = BOTH,
        purposes: tuple[ObjectIdentifier, ...] = (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
        lasts: timedelta = timedelta(days=365),
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> bytes:
        """A certificate (PEM) for the key of a request, without those it leads to."""
        said = [
            (NameOID.ORGANIZATION_NAME, name), (NameOID.SERIAL_NUMBER, uscc),
            (licensed.ORGANISATION_IDENTIFIER, identifier), (NameOID.COMMON_NAME, "signing"),
        ]  # fmt: skip
        subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in said if text])
        public = x509.load_pem_x509_csr(csr_pem).public_key()
        made = self._begun(subject, self.middle.subject, public)
        made = made.not_valid_before(self.now - timedelta(days=2))
        made = made.not_valid_after(self.now - timedelta(days=2) + lasts)
        made = made.add_extension(
            x509.KeyUsage(**{use: use in uses for use in EVERY}), critical=True
        )
        if purposes:
            made = made.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        return made.sign(key or self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _authority(
        self, public: rsa.RSAPublicKey, name: str, *, by: rsa.RSAPrivateKey
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "持牌根")])
        return (
            self._begun(subject, issuer, public)
            .not_valid_before(self.now - timedelta(days=400))
            .not_valid_after(self.now + timedelta(days=4000))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(**{use: use in EVERY[5:7] for use in EVERY}), critical=True
            )
            .sign(by, hashes.SHA256())
        )

    def _begun(self, subject: x509.Name, issuer: x509.Name, public: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
        )


def below_a_stranger(now: datetime, csr_pem: bytes, uscc: str) -> bytes:
    """A certificate by an authority that signs itself and that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    root = x509.load_pem_x509_certificate(certificates.root(key, now))
    public = x509.load_pem_x509_csr(csr_pem).public_key()
    assert csr.read(csr_pem)
    made = certificates.documents(
        public, certificates.subject("无名", "Nobody", uscc),
        by=Issuer("root", root, key), years=1, now=now,
    )  # fmt: skip
    return made + root.public_bytes(Encoding.PEM)
