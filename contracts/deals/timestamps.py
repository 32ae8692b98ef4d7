"""Time-stamps: proof by a key for nothing else that bytes existed at an instant.

Source: RFC 3161 §2.4.2 (TSTInfo and its token), RFC 5816 (ESSCertIDv2), ETSI EN 319 422 (profile).
Differs from the source: the authority is asked in the same process, so there is no request. Those
of others are asked by `exchange/timestamping.py` and judged by `contracts/deals/asking.py`.
"""

import asyncio
import secrets
from contextlib import suppress
from datetime import datetime

from asn1crypto import algos, cms, tsp, x509
from asn1crypto import pem as asn1_pem
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.sign.general import as_signing_certificate_v2
from pyhanko.sign.timestamps import TimeStamper

from contracts.parties.gateway import Certifier, TimeKey
from contracts.parties.times import NotStamped, TimeAuthority

DIGEST = "sha256"
# How large a token may be: with the chain of our own key about 2100 bytes; others have RSA keys and
# longer chains, about 7000.
OWN_BYTES, OTHERS_BYTES = 3072, 9000
Source = TimeKey | TimeAuthority  # a key of our own, or authorities of others


def source(certifier: Certifier) -> Source | None:
    """Return who stamps for the exchange: others where they are named, else its own key, if any."""
    return certifier.time if certifier.outside is None else certifier.outside


def room(certifier: Certifier) -> int:
    """Return how many bytes to leave for a time-stamp."""
    return OWN_BYTES if certifier.outside is None else OTHERS_BYTES


def stamped(digest: bytes, *, by: Certifier, at: datetime) -> cms.ContentInfo | None:
    """Return a time-stamp token over a SHA-256 digest, or None where none is to be had.

    Blocks while others are asked: inside an event loop, call it in a thread.
    """
    if by.outside is not None:
        with suppress(NotStamped):
            return asyncio.run(by.outside.token(digest, at=at))
        return None
    return None if by.time is None else token(digest, by=by.time, at=at)


def token(digest: bytes, *, by: TimeKey, at: datetime) -> cms.ContentInfo:
    """Return a time-stamp token over a SHA-256 digest.

    Args:
        digest: of what existed.
        by: the authority's key.
        at: the instant; written with whole seconds.
    """
    certificate = _certificate(by.certificate_pem)
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": by.policy,
            "message_imprint": {"hash_algorithm": {"algorithm": DIGEST}, "hashed_message": digest},
            "serial_number": int.from_bytes(secrets.token_bytes(16)) >> 1 | 1,
            "gen_time": at.replace(microsecond=0),
            "accuracy": {"seconds": 1},
        }
    )
    content = tsp.EncapsulatedContentInfo({"content_type": "tst_info", "content": info})
    attributes = _attributes(info.dump(), certificate)
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": DIGEST})],
            "encap_content_info": content,
            "certificates": with_chain(by.certificate_pem),
            "signer_infos": [_signer(attributes, certificate, by.key)],
        }
    )
    return cms.ContentInfo({"content_type": "signed_data", "content": signed})


def with_chain(pem: bytes) -> list[cms.CertificateChoices]:
    """Return a certificate and those behind it in a PEM text, as a CMS carries them."""
    read = [x509.Certificate.load(der) for _, _, der in asn1_pem.unarmor(pem, multiple=True)]
    return [cms.CertificateChoices(name="certificate", value=one) for one in read]


class Stamper(TimeStamper):
    """Whoever stamps for the exchange, in the form that pyHanko asks for document time-stamps."""

    def __init__(self, by: Source, at: datetime) -> None:
        """Stamp with a key, or let others stamp, at one instant."""
        super().__init__(include_nonce=False)  # type: ignore[no-untyped-call]  # pyHanko tells no types
        self._by, self._at = by, at

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """Return a token over a digest.

        Raises:
            NotStamped: others were asked, and none answered as it should.
        """
        if md_algorithm != DIGEST:
            raise ValueError(f"time-stamps are over SHA-256, not {md_algorithm}")
        if isinstance(self._by, TimeKey):
            return token(message_digest, by=self._by, at=self._at)
        return await self._by.token(message_digest, at=self._at)


def _attributes(content: bytes, certificate: x509.Certificate) -> cms.CMSAttributes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(content)
    wanted = (
        ("content_type", "tst_info"),
        ("message_digest", digest.finalize()),
        ("signing_certificate_v2", as_signing_certificate_v2(certificate)),
    )
    return cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": cms.CMSAttributeType(name), "values": (value,)})
            for name, value in wanted
        ]
    )


def _signer(
    attributes: cms.CMSAttributes, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> cms.SignerInfo:
    identity = cms.IssuerAndSerialNumber(
        {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    )
    return cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(name="issuer_and_serial_number", value=identity),
            "digest_algorithm": algos.DigestAlgorithm({"algorithm": DIGEST}),
            "signed_attrs": attributes,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
            "signature": key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
        }
    )


def _certificate(pem: bytes) -> x509.Certificate:
    _, _, der = asn1_pem.unarmor(pem)
    return x509.Certificate.load(der)
