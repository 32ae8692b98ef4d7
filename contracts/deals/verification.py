"""Checking the signatures of a contract: offline, from the file and the root certificate alone.

Source: ISO 32000-2 §12.8, ETSI EN 319 102-1 (validation), RFC 5280.
Differs from the source: stricter. What follows the last signature may only be revocation data with
a document time-stamp that closes the file, each update between signatures may do nothing but sign a
field, and the attachment may never change; viewers call files with a covered page or a swapped
attachment "valid". A certificate is judged at the instant of the signature's time-stamp: revoked
before it is not accepted, revoked after it is.
"""

import asyncio
import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import parser
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import HistoricalResolver
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.general import CMSStructuralError, SigningError
from pyhanko.sign.validation import (
    EmbeddedPdfSignature,
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
)
from pyhanko.sign.validation.errors import SignatureValidationError, ValidationInfoReadingError
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from contracts.deals import pausing, revocation, updates
from contracts.deals.revocation import Lists
from contracts.deals.sealing import ROLES
from contracts.deals.usages import Document
from contracts.parties import times
from contracts.refusal import Kind, Refusal

ATTACHMENT = "terms.json"
# What a certificate may be for, where it says: RFC 9336, and what licensed authorities write.
PURPOSES = frozenset({"1.3.6.1.5.5.7.3.36", "email_protection"})
# What reading a broken PDF or CMS may raise.
UNREADABLE = (
    PdfError, CMSStructuralError, SigningError, SignatureValidationError,
    ValidationInfoReadingError, ValueError, KeyError, TypeError, IndexError, AttributeError,
    RecursionError, ArithmeticError, AssertionError, NotImplementedError, struct.error, zlib.error,
)  # fmt: skip


class DocumentNotSound(Refusal):
    """A signature of the document is broken, not trusted, or something was changed around it."""

    kind, code = Kind.CONFLICT, "document-not-sound"
    hint = "Do not rely on this file; fetch the contract again from the exchange."


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """What one signature of the file is worth.

    Attributes:
        role: the field: exchange, licensor or licensee; exchange or bidder.
        signer: the subject of the certificate, for people.
        spki_sha256: hex; names the key as the register of keys does.
        intact: the signed bytes and the signature belong together.
        trusted: the certificate leads to the root and may sign documents at that time.
        covers: the signature covers its whole revision, the last one the whole file.
        modification_ok: nothing but later signatures was added after it.
        signed_at: the time written beside the signature, aware; None when absent.
        sha256: hex, of the revision that the signature closes.
        level: of PAdES: B-B, with a time-stamp B-T, in a file closed by an archive's B-LTA.
        stamped_at: what the time-stamp upon the signature proves; None without one.
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
    level: str = "B-B"
    stamped_at: datetime | None = None

    @property
    def good(self) -> bool:
        """Whether everything about the signature holds."""
        return self.intact and self.trusted and self.covers and self.modification_ok


def check_signatures(
    pdf: bytes, root_pem: bytes, *, time_roots_pem: bytes = b"", roles: Sequence[str] = ROLES
) -> list[SignatureVerdict]:
    """Return a verdict on each signature, in the order of signing.

    Needs no network and no database. Blocks: inside an event loop, call it in a thread.

    Args:
        pdf: the whole file.
        root_pem: the root certificates that signatures may lead to, one after the other.
        time_roots_pem: certificates that time-stamps, and nothing else, may lead to as well.
        roles: who signs such a document, in their order.

    Raises:
        DocumentNotSound: the file cannot be read as a PDF with signatures.
    """
    return _checked(pdf, root_pem, time_roots_pem, roles).verdicts


def require_sound(
    pdf: bytes,
    root_pem: bytes,
    *,
    keys: Mapping[str, str],
    terms: bytes,
    time_roots_pem: bytes = b"",
    roles: Sequence[str] = ROLES,
) -> list[SignatureVerdict]:
    """Pass only a file that carries the terms and is signed, in order, by exactly these keys.

    Args:
        pdf: the whole file.
        root_pem: the root certificates that signatures may lead to, one after the other.
        keys: from each role in the order of signing to the SHA-256 (hex) of its key's SPKI.
        terms: the RFC 8785 bytes.
        time_roots_pem: certificates that time-stamps, and nothing else, may lead to as well.
        roles: all who sign such a document, in their order, those of `keys` first.

    Returns:
        the verdicts, all of them good.

    Raises:
        DocumentNotSound: anything at all is not as it must be.
    """
    checked = _checked(pdf, root_pem, time_roots_pem, roles)
    verdicts = checked.verdicts
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
    if any(attached != terms for attached in checked.attached):
        raise DocumentNotSound("The attached terms are not those of the deal.")
    return verdicts


def attachments(pdf: bytes) -> list[bytes]:
    """Return `terms.json` as each revision of the file carries it, first to last.

    Raises:
        DocumentNotSound: the file cannot be read, or a revision lacks the attachment.
    """
    try:
        return _attachments(Document(pdf))
    except UNREADABLE as broken:
        raise DocumentNotSound("The attached terms cannot be read.") from broken


@dataclass(frozen=True, slots=True)
class _Checked:
    verdicts: list[SignatureVerdict]
    attached: list[bytes]


@dataclass(frozen=True, slots=True)
class _Trust:
    """What signatures have to lead to, and time-stamps may; who signs; how changes are judged."""

    signers: list[asn1_x509.Certificate]
    stamps: list[asn1_x509.Certificate]
    steps: updates.Steps
    roles: Sequence[str]


def _checked(pdf: bytes, root_pem: bytes, time_roots_pem: bytes, roles: Sequence[str]) -> _Checked:
    try:
        # A thread of its own, so that a caller's running event loop does no harm.
        with pausing.collection(), ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, _check(pdf, root_pem, time_roots_pem, roles)).result()
    except UNREADABLE as broken:
        raise DocumentNotSound("The document cannot be read.") from broken


async def _check(
    pdf: bytes, root_pem: bytes, time_roots_pem: bytes, roles: Sequence[str]
) -> _Checked:
    reader = Document(pdf)
    roots = times.anchors(root_pem)
    trust = _Trust(roots, roots + times.anchors(time_roots_pem), updates.Steps(), roles)
    signatures = list(reader.embedded_regular_signatures)
    kept = revocation.kept(reader)
    attached, archived = _attachments(reader), await _archived(reader, trust, kept)
    verdicts = []
    for index, signature in enumerate(signatures):
        last = index == len(signatures) - 1 and not archived.stamps
        status = await _status(signature, trust)
        stamped_at = _stamped_at(signature)
        stamp_intact, stamp_trusted = _stamp(status, stamped_at)
        verdicts.append(
            SignatureVerdict(
                role=signature.field_name,
                signer=signature.signer_cert.subject.human_friendly,
                spki_sha256=_spki_sha256(signature.signer_cert),
                intact=status.intact and status.valid and stamp_intact,
                trusted=status.trusted
                and stamp_trusted
                and not revocation.revoked(status.validation_path, stamped_at, kept),
                covers=_covers(signature, last=last)
                and _in_turn(signature, index, roles)
                and _plain(pdf, signature)
                and archived.sound,
                modification_ok=_unmodified(status, ends=index == len(roles) - 1)
                and len(set(attached)) == 1,
                signed_at=signature.self_reported_timestamp,
                sha256=_revision_sha256(pdf, signature),
                level=_level(stamped_at, archived),
                stamped_at=stamped_at,
            )
        )
    return _Checked(verdicts, attached)


@dataclass(frozen=True, slots=True)
class _Archived:
    stamps: int
    sound: bool


async def _archived(reader: Document, trust: _Trust, kept: Lists) -> _Archived:
    """Judge what follows the last signature: one document time-stamp for each revision, no more."""
    stamps = list(reader.embedded_timestamp_signatures)
    if not stamps:
        return _Archived(0, True)
    in_turn = [one.signed_revision for one in stamps] == list(
        range(len(trust.roles) + 1, reader.xrefs.total_revisions)
    )
    closes = stamps[-1].evaluate_signature_coverage() == SignatureCoverageLevel.ENTIRE_FILE
    plain = all(_plain(reader.pdf, one) for one in stamps)
    good = [await _archive_holds(one, trust, kept) for one in stamps]
    return _Archived(len(stamps), in_turn and closes and plain and all(good))


async def _archive_holds(stamp: EmbeddedPdfSignature, trust: _Trust, kept: Lists) -> bool:
    moment = stamp.signed_data["encap_content_info"]["content"].parsed["gen_time"].native
    status = await async_validate_pdf_timestamp(
        stamp, _context(trust.stamps, moment), diff_policy=trust.steps
    )
    level = status.modification_level
    return bool(
        status.intact
        and status.valid
        and status.trusted
        and not revocation.revoked(status.validation_path, moment, kept)
        and level is not None
        and level <= ModificationLevel.LTA_UPDATES
    )


def _stamped_at(signature: EmbeddedPdfSignature) -> datetime | None:
    """Return the instant that the time-stamp upon a signature names; None without one."""
    tokens = list(extract_tst_data_iter(signature.signer_info, signed=False))
    if not tokens:
        return None
    if len(tokens) > 1:
        raise ValueError("a signature has more than one time-stamp")
    moment: datetime = tokens[0]["encap_content_info"]["content"].parsed["gen_time"].native
    return moment


def _stamp(status: PdfSignatureStatus, stamped_at: datetime | None) -> tuple[bool, bool]:
    """Tell whether the time-stamp upon a signature is intact, and trusted; without one it is."""
    if stamped_at is None:
        return True, True
    stamp = status.timestamp_validity
    if stamp is None:
        return False, False
    return bool(stamp.intact and stamp.valid), bool(stamp.trusted)


def _context(roots: list[asn1_x509.Certificate], moment: datetime | None) -> ValidationContext:
    return ValidationContext(
        trust_roots=roots,
        allow_fetching=False,
        moment=moment,
        revocation_mode="soft-fail",
    )


async def _status(signature: EmbeddedPdfSignature, trust: _Trust) -> PdfSignatureStatus:
    """Validate at the signature's time-stamp, else at the time written beside the signature."""
    moment = _stamped_at(signature) or signature.self_reported_timestamp
    usage = KeyUsageConstraints(
        key_usage={"digital_signature", "non_repudiation"},
        match_all_key_usages=True,
        extd_key_usage=PURPOSES,
        explicit_extd_key_usage_required=False,
    )
    return await async_validate_pdf_signature(
        signature,
        signer_validation_context=_context(trust.signers, moment),
        ts_validation_context=_context(trust.stamps, moment),
        diff_policy=trust.steps,
        key_usage_settings=usage,
    )


def _level(stamped_at: datetime | None, archived: _Archived) -> str:
    if archived.stamps:
        return "B-LTA"
    return "B-B" if stamped_at is None else "B-T"


def _covers(signature: EmbeddedPdfSignature, *, last: bool) -> bool:
    wanted = SignatureCoverageLevel.ENTIRE_FILE if last else SignatureCoverageLevel.ENTIRE_REVISION
    return bool(signature.evaluate_signature_coverage() >= wanted)


def _in_turn(signature: EmbeddedPdfSignature, index: int, roles: Sequence[str]) -> bool:
    """Tell whether the signature is the one due at its place, and closes the revision it should.

    Revision 0 is the text as rendered; each signature adds exactly one.
    """
    return (
        index < len(roles)
        and signature.field_name == roles[index]
        and signature.signed_revision == index + 1
    )


def _plain(pdf: bytes, signature: EmbeddedPdfSignature) -> bool:
    """Tell whether the gap in what is signed holds the signature and zeros, nothing else."""
    _, start, end, _ = (int(part) for part in signature.byte_range)
    gap = pdf[start:end]
    der = bytes.fromhex(gap[1:-1].decode("ascii"))
    written = der[: parser.peek(der)].hex().upper().encode()
    return gap == b"<" + written.ljust(len(gap) - 2, b"0") + b">"


def _unmodified(status: PdfSignatureStatus, *, ends: bool) -> bool:
    level = status.modification_level
    most = ModificationLevel.LTA_UPDATES if ends else ModificationLevel.FORM_FILLING
    return level is not None and level <= most and status.docmdp_ok is True and status.bottom_line


def _attachments(reader: Document) -> list[bytes]:
    """Return the terms as each revision carries them."""
    revisions = range(reader.xrefs.total_revisions)
    return [_attachment(reader.get_historical_resolver(number)) for number in revisions]


def _attachment(revision: HistoricalResolver) -> bytes:
    names = revision.root["/Names"]["/EmbeddedFiles"]["/Names"]
    files = {str(names[place]): names[place + 1] for place in range(0, len(names), 2)}
    if set(files) != {ATTACHMENT}:
        raise ValueError("the document has other attachments than the terms")
    content: bytes = files[ATTACHMENT]["/EF"]["/F"].data
    return content


def _spki_sha256(certificate: asn1_x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_key.dump()).hexdigest()


def _revision_sha256(pdf: bytes, signature: EmbeddedPdfSignature) -> str:
    *_, start, length = (int(part) for part in signature.byte_range)
    return hashlib.sha256(pdf[: start + length]).hexdigest()
