"""Signatures in a contract's PDF: fields, certification, and signing in two phases.

Source: ISO 32000-2 §12.8 (DocMDP), ETSI EN 319 142-1 (PAdES B-B and B-T), RFC 5652 §5.4, RFC 5035.
A signature without a time-stamp is of a lower level, and a signature all the same. A party's
private key never comes here: only the bytes to be signed leave, and only a signature comes back.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

from asn1crypto import algos, cms, x509
from asn1crypto import pem as asn1_pem
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields
from pyhanko.sign.general import SigningError, as_signing_certificate_v2
from pyhanko.sign.signers import cms_embedder
from pyhanko.sign.signers.pdf_byterange import PreparedByteRangeDigest, SignatureObject
from pyhanko.stamp import StaticStampStyle

from contracts.deals import timestamps
from contracts.parties.gateway import Certifier

ROLES = ("exchange", "licensor", "licensee")  # the order in which the fields are signed
# The same for an agreement between the exchange and one bidder.
AGREEMENT_ROLES = ("exchange", "bidder")
DIGEST = "sha256"
# Bytes of a CMS beside its certificates and its time-stamp: about 600, and some to spare. A gap is
# as large as needed and no larger: every reader goes through it digit by digit.
FRAME = 1024
# Where contract.typ draws the boxes of its last page (points from the lower left of A4).
PAGE_HEIGHT, FIELD_LEFT, FIELD_WIDTH, FIELD_HEIGHT = 842, 294, 227, 118
FIRST_TOP, BOX_STEP = 182, 190


@dataclass(frozen=True, slots=True)
class Prepared:
    """A revision with a gap for a signature, and what is to be signed for it.

    `tbs` is the DER of the signed attributes (RFC 5652 §5.4): sign it with P-256 and SHA-256.
    """

    pdf: bytes
    document_digest: bytes
    gap_start: int
    gap_end: int
    tbs: bytes


def certify(
    base: bytes,
    *,
    certifier: Certifier,
    stamp: bytes,
    at: datetime,
    roles: Sequence[str] = ROLES,
) -> bytes:
    """Lay out the fields and certify the text; only signatures may follow (DocMDP P=2)."""
    prepared = prepare(
        base, role=roles[0], certificate_pem=certifier.certificate_pem, stamp=stamp, at=at,
        room=timestamps.room(certifier), roles=roles,
    )  # fmt: skip
    signature = certifier.key.sign(prepared.tbs, ec.ECDSA(hashes.SHA256()))
    stamped = time_stamp(signature, by=certifier, at=at)
    return complete(
        prepared, certificate_pem=certifier.certificate_pem, signature=signature, stamped=stamped
    )


def time_stamp(signature: bytes, *, by: Certifier, at: datetime) -> cms.ContentInfo | None:
    """Return a time-stamp token over a DER signature (RFC 3161, appendix A), if one is to be had.

    Blocks while outside authorities are asked: inside an event loop, call it in a thread.
    """
    return timestamps.stamped(hashlib.sha256(signature).digest(), by=by, at=at)


def complete(
    prepared: Prepared,
    *,
    certificate_pem: bytes,
    signature: bytes,
    stamped: cms.ContentInfo | None = None,
) -> bytes:
    """Fill the gap with the CMS of a DER signature that was checked before; return the revision.

    `stamped` is the time-stamp token over the signature; without it the level is B-B, not B-T. A
    gap prepared too small for the token takes the signature alone.
    """
    if stamped is not None:
        try:
            return _filled(prepared, _content(prepared, certificate_pem, signature, stamped))
        except SigningError:  # a session prepared before time-stamps, with a smaller gap
            pass
    return _filled(prepared, _content(prepared, certificate_pem, signature, None))


def _content(
    prepared: Prepared, certificate_pem: bytes, signature: bytes, stamped: cms.ContentInfo | None
) -> cms.ContentInfo:
    certificate = _certificate(certificate_pem)
    info = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                name="issuer_and_serial_number",
                value=cms.IssuerAndSerialNumber(
                    {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                ),
            ),
            "digest_algorithm": _digest_algorithm(),
            "signed_attrs": cms.CMSAttributes.load(prepared.tbs),
            "signature_algorithm": _signature_algorithm(),
            "signature": signature,
        }
    )
    if stamped is not None:
        info["unsigned_attrs"] = cms.CMSAttributes(
            [_attribute("signature_time_stamp_token", stamped)]
        )
    return cms.ContentInfo(
        {
            "content_type": "signed_data",
            "content": cms.SignedData(
                {
                    "version": "v1",
                    "digest_algorithms": [_digest_algorithm()],
                    "encap_content_info": {"content_type": "data"},
                    "certificates": timestamps.with_chain(certificate_pem),
                    "signer_infos": [info],
                }
            ),
        }
    )


def _filled(prepared: Prepared, content: cms.ContentInfo) -> bytes:
    output = BytesIO(prepared.pdf)
    gap = PreparedByteRangeDigest(prepared.document_digest, prepared.gap_start, prepared.gap_end)
    gap.fill_with_cms(output, content)
    return output.getvalue()


def prepare(
    pdf: bytes,
    *,
    role: str,
    certificate_pem: bytes,
    stamp: bytes,
    at: datetime,
    room: int = timestamps.OWN_BYTES,
    roles: Sequence[str] = ROLES,
) -> Prepared:
    """Prepare the signature of `role` upon a revision.

    Args:
        pdf: the latest revision.
        role: names the field, one of `roles`.
        certificate_pem: of the key that will sign, with those it leads to.
        stamp: a one-page PDF that the field will show, beside the time `at`.
        at: the instant.
        room: bytes to leave for a time-stamp.
        roles: all who sign, in their order; the first certifies and lays out the fields.
    """
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    certifies = role == roles[0]
    if certifies:
        for index, name in enumerate(roles):
            fields.append_signature_field(writer, _field(name, index))
    with _style(stamp) as style:
        embedding = cms_embedder.PdfCMSEmbedder().write_cms(
            field_name=role, writer=writer, existing_fields_only=True
        )
        next(embedding)
        embedding.send(
            cms_embedder.SigObjSetup(
                sig_placeholder=_placeholder(at, size=FRAME + _chain_bytes(certificate_pem) + room),
                mdp_setup=cms_embedder.SigMDPSetup(
                    md_algorithm=DIGEST,
                    certify=certifies,
                    docmdp_perms=fields.MDPPerm.FILL_FORMS if certifies else None,
                ),
                appearance_setup=_appearance(style, at),
            )
        )
        gap, output = embedding.send(cms_embedder.SigIOSetup(md_algorithm=DIGEST))
    return Prepared(
        pdf=output.getvalue(),
        document_digest=gap.document_digest,
        gap_start=gap.reserved_region_start,
        gap_end=gap.reserved_region_end,
        tbs=_attributes(gap.document_digest, _certificate(certificate_pem)).dump(),
    )


def _chain_bytes(certificate_pem: bytes) -> int:
    return sum(len(one.chosen.dump()) for one in timestamps.with_chain(certificate_pem))


def _placeholder(at: datetime, *, size: int) -> SignatureObject:
    return SignatureObject(
        timestamp=at, subfilter=fields.SigSeedSubFilter.PADES, bytes_reserved=2 * size
    )


def _appearance(style: StaticStampStyle, at: datetime) -> cms_embedder.SigAppearanceSetup:
    return cms_embedder.SigAppearanceSetup(style=style, timestamp=at, name=None)


@contextmanager
def _style(stamp: bytes) -> Iterator[StaticStampStyle]:
    """Give the stamp as pyHanko takes it: from a file, which it reads when the stamp is drawn."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as page:
        page.write(stamp)
        page.flush()
        yield StaticStampStyle.from_pdf_file(page.name, border_width=0, background_opacity=1)


def _field(name: str, index: int) -> fields.SigFieldSpec:
    top = PAGE_HEIGHT - FIRST_TOP - index * BOX_STEP
    box = (FIELD_LEFT, top - FIELD_HEIGHT, FIELD_LEFT + FIELD_WIDTH, top)
    return fields.SigFieldSpec(sig_field_name=name, on_page=-1, box=box)


def _attributes(digest: bytes, certificate: x509.Certificate) -> cms.CMSAttributes:
    """Return the signed attributes of PAdES: no signing time, the certificate's hash instead."""
    protection = cms.CMSAlgorithmProtection(
        {
            "digest_algorithm": _digest_algorithm(),
            "signature_algorithm": _signature_algorithm(),
        }
    )
    return cms.CMSAttributes(
        [
            _attribute("content_type", "data"),
            _attribute("message_digest", digest),
            _attribute("signing_certificate_v2", as_signing_certificate_v2(certificate)),
            _attribute("cms_algorithm_protection", protection),
        ]
    )


def _attribute(name: str, value: Any) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": cms.CMSAttributeType(name), "values": (value,)})


def _digest_algorithm() -> algos.DigestAlgorithm:
    return algos.DigestAlgorithm({"algorithm": DIGEST})


def _signature_algorithm() -> algos.SignedDigestAlgorithm:
    return algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"})


def _certificate(pem: bytes) -> x509.Certificate:
    _, _, der = asn1_pem.unarmor(pem)
    return x509.Certificate.load(der)
