"""Checking the signatures of a contract: offline, from the file and the root certificate alone.

Source: ISO 32000-2 §12.8, ETSI EN 319 102-1 (validation), RFC 5280.
Differs from the source: stricter. No incremental update may follow the last signature, each update
between signatures may do nothing but sign a field, and the attachment may never change; viewers
call files with a covered page or a swapped attachment "valid".
"""

import asyncio
import hashlib
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from asn1crypto import parser, x509
from asn1crypto import pem as asn1_pem
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.general import CMSStructuralError, SigningError
from pyhanko.sign.validation import (
    EmbeddedPdfSignature,
    async_validate_pdf_signature,
)
from pyhanko.sign.validation.errors import SignatureValidationError, ValidationInfoReadingError
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from contracts.deals.sealing import ROLES
from contracts.refusal import Kind, Refusal

ATTACHMENT = "terms.json"
# What reading a broken PDF or CMS may raise.
UNREADABLE = (
    PdfError,
    CMSStructuralError,
    SigningError,
    SignatureValidationError,
    ValidationInfoReadingError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    RecursionError,
    zlib.error,
)


class DocumentNotSound(Refusal):
    """A signature of the document is broken, not trusted, or something was changed around it."""

    kind, code = Kind.CONFLICT, "document-not-sound"
    hint = "Do not rely on this file; fetch the contract again from the exchange."


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """What one signature of the file is worth.

    Attributes:
        role: the field: exchange, licensor or licensee.
        signer: the subject of the certificate, for people.
        spki_sha256: hex; names the key as the register of keys does.
        intact: the signed bytes and the signature belong together.
        trusted: the certificate leads to the root and may sign documents at that time.
        covers: the signature covers its whole revision, the last one the whole file.
        modification_ok: nothing but later signatures was added after it.
        signed_at: the time written beside the signature, aware; None when absent.
        sha256: hex, of the revision that the signature closes.
    """

    role: str
    signer: str
    spki_sha256: str
    intact: bool
    trusted: bool
    covers: bool
    modification_ok: bool
    signed_at: datetime | None
    sha256: str

    @property
    def good(self) -> bool:
        """Whether everything about the signature holds."""
        return self.intact and self.trusted and self.covers and self.modification_ok


def check_signatures(pdf: bytes, root_pem: bytes) -> list[SignatureVerdict]:
    """Return a verdict on each signature, in the order of signing.

    Needs no network and no database. Blocks: inside an event loop, call it in a thread.

    Raises:
        DocumentNotSound: the file cannot be read as a PDF with signatures.
    """
    try:
        # A thread of its own, so that a caller's running event loop does no harm.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, _check(pdf, root_pem)).result()
    except UNREADABLE as broken:
        raise DocumentNotSound("The document cannot be read.") from broken


def require_sound(pdf: bytes, root_pem: bytes, *, keys: Mapping[str, str], terms: bytes) -> None:
    """Pass only a file that carries the terms and is signed, in order, by exactly these keys.

    Args:
        pdf: the whole file.
        root_pem: the root certificate.
        keys: from each role in the order of signing to the SHA-256 (hex) of its key's SPKI.
        terms: the RFC 8785 bytes.

    Raises:
        DocumentNotSound: anything at all is not as it must be.
    """
    verdicts = check_signatures(pdf, root_pem)
    found = [(verdict.role, verdict.spki_sha256) for verdict in verdicts]
    if found != list(keys.items()):
        raise DocumentNotSound(
            "The document is not signed by those expected.",
            expected=list(keys),
            found=[verdict.role for verdict in verdicts],
        )
    bad = [verdict.role for verdict in verdicts if not verdict.good]
    if bad:
        raise DocumentNotSound("A signature does not hold.", signatures=bad)
    if any(attached != terms for attached in attachments(pdf)):
        raise DocumentNotSound("The attached terms are not those of the deal.")


def attachments(pdf: bytes) -> list[bytes]:
    """Return `terms.json` as each revision of the file carries it, first to last.

    Raises:
        DocumentNotSound: the file cannot be read, or a revision lacks the attachment.
    """
    try:
        reader = PdfFileReader(BytesIO(pdf), strict=True)
        revisions = range(reader.xrefs.total_revisions)
        return [_attachment(reader.get_historical_resolver(number)) for number in revisions]
    except UNREADABLE as broken:
        raise DocumentNotSound("The attached terms cannot be read.") from broken


async def _check(pdf: bytes, root_pem: bytes) -> list[SignatureVerdict]:
    reader = PdfFileReader(BytesIO(pdf), strict=True)
    _, _, der = asn1_pem.unarmor(root_pem)
    root = x509.Certificate.load(der)
    terms = _history(reader)
    signatures = list(reader.embedded_signatures)
    verdicts = []
    for index, signature in enumerate(signatures):
        last = index == len(signatures) - 1
        status = await _status(signature, root)
        verdicts.append(
            SignatureVerdict(
                role=signature.field_name,
                signer=signature.signer_cert.subject.human_friendly,
                spki_sha256=_spki_sha256(signature.signer_cert),
                intact=status.intact and status.valid,
                trusted=status.trusted,
                covers=_covers(signature, last=last)
                and _in_turn(signature, index)
                and _plain(pdf, signature),
                modification_ok=_unmodified(status) and terms,
                signed_at=signature.self_reported_timestamp,
                sha256=_revision_sha256(pdf, signature),
            )
        )
    return verdicts


async def _status(signature: EmbeddedPdfSignature, root: x509.Certificate) -> PdfSignatureStatus:
    """Validate at the time written beside the signature, whose proof is the log's checkpoint."""
    context = ValidationContext(
        trust_roots=[root],
        allow_fetching=False,
        moment=signature.self_reported_timestamp,
        revocation_mode="soft-fail",
    )
    usage = KeyUsageConstraints(
        key_usage={"digital_signature", "non_repudiation"},
        match_all_key_usages=True,
        extd_key_usage={"1.3.6.1.5.5.7.3.36"},
    )
    return await async_validate_pdf_signature(
        signature, signer_validation_context=context, key_usage_settings=usage
    )


def _covers(signature: EmbeddedPdfSignature, *, last: bool) -> bool:
    wanted = SignatureCoverageLevel.ENTIRE_FILE if last else SignatureCoverageLevel.ENTIRE_REVISION
    return bool(signature.evaluate_signature_coverage() >= wanted)


def _in_turn(signature: EmbeddedPdfSignature, index: int) -> bool:
    """Tell whether the signature is the one due at its place, and closes the revision it should.

    Revision 0 is the text as rendered; each signature adds exactly one.
    """
    return (
        index < len(ROLES)
        and signature.field_name == ROLES[index]
        and signature.signed_revision == index + 1
    )


def _plain(pdf: bytes, signature: EmbeddedPdfSignature) -> bool:
    """Tell whether the gap in what is signed holds the signature and zeros, nothing else."""
    _, start, end, _ = (int(part) for part in signature.byte_range)
    gap = pdf[start:end]
    der = bytes.fromhex(gap[1:-1].decode("ascii"))
    written = der[: parser.peek(der)].hex().upper().encode()
    return gap == b"<" + written.ljust(len(gap) - 2, b"0") + b">"


def _unmodified(status: PdfSignatureStatus) -> bool:
    level = status.modification_level
    return (
        level is not None
        and level <= ModificationLevel.FORM_FILLING
        and status.docmdp_ok is True
        and status.bottom_line
    )


def _history(reader: PdfFileReader) -> bool:
    """Tell whether every revision carries the same terms."""
    revisions = range(reader.xrefs.total_revisions)
    seen = {_attachment(reader.get_historical_resolver(number)) for number in revisions}
    return len(seen) == 1


def _attachment(revision: HistoricalResolver) -> bytes:
    names = revision.root["/Names"]["/EmbeddedFiles"]["/Names"]
    files = {str(names[place]): names[place + 1] for place in range(0, len(names), 2)}
    if set(files) != {ATTACHMENT}:
        raise ValueError("the document has other attachments than the terms")
    content: bytes = files[ATTACHMENT]["/EF"]["/F"].data
    return content


def _spki_sha256(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_key.dump()).hexdigest()


def _revision_sha256(pdf: bytes, signature: EmbeddedPdfSignature) -> str:
    *_, start, length = (int(part) for part in signature.byte_range)
    return hashlib.sha256(pdf[: start + length]).hexdigest()
