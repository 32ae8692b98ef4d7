"""Copies of what a signed contract carries inside: for tools that read no PDF.

Source: ISO 32000-2 §12.8.1 (`/Contents`), RFC 5652 §5.3, RFC 3161 appendix A, PAdES DSS.
"""

from collections.abc import Iterator, Sequence

from asn1crypto import cms, parser
from pyhanko.pdf_utils.reader import PdfFileReader

from contracts.deals.sealing import ROLES
from contracts.deals.usages import Document
from contracts.deals.verification import UNREADABLE, DocumentNotSound

FOLDERS = ("signatures/", "crls/")
TIMESTAMP = "signature_time_stamp_token"


def copies(pdf: bytes, *, roles: Sequence[str] = ROLES) -> dict[str, bytes]:
    """Return each signature, its value, its timestamp, and the revocation lists, by file name.

    `signatures/1-licensor.cms` is the CMS as DER, `.sig` the bare signature value that a timestamp
    is over, `.tst` the RFC 3161 token beside it where there is one. `signatures/archive-N.tst` are
    timestamps of the document itself. `roles` are all who sign such a document, in their order.

    Raises:
        DocumentNotSound: the file cannot be read as a PDF with signatures.
    """
    try:
        reader = Document(pdf)
        return dict([*_signatures(reader, roles), *_archive(reader), *_lists(reader)])
    except UNREADABLE as broken:
        raise DocumentNotSound("The signatures cannot be taken out of the document.") from broken


def _signatures(reader: PdfFileReader, roles: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for one in reader.embedded_regular_signatures:
        name = f"signatures/{roles.index(one.field_name)}-{one.field_name}"
        yield f"{name}.cms", _der(one.pkcs7_content)
        yield f"{name}.sig", bytes(one.signer_info["signature"].native)
        token = _token(one.signer_info)
        if token is not None:
            yield f"{name}.tst", token


def _token(signer: cms.SignerInfo) -> bytes | None:
    unsigned = signer["unsigned_attrs"]
    found = [one["values"][0].dump() for one in unsigned if one["type"].native == TIMESTAMP]
    return bytes(found[0]) if found else None


def _archive(reader: PdfFileReader) -> Iterator[tuple[str, bytes]]:
    for number, one in enumerate(reader.embedded_timestamp_signatures, start=1):
        yield f"signatures/archive-{number}.tst", _der(one.pkcs7_content)


def _lists(reader: PdfFileReader) -> Iterator[tuple[str, bytes]]:
    # By name and by place: `get` and iteration do not follow references.
    if "/DSS" not in reader.root or "/CRLs" not in reader.root["/DSS"]:
        return
    held = reader.root["/DSS"]["/CRLs"]
    for place in range(len(held)):
        yield f"crls/{place + 1}.crl", bytes(held[place].data)


def _der(padded: bytes) -> bytes:
    return padded[: parser.peek(padded)]
