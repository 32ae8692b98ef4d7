"""What a document of the chain of title (权属链) may be (pure).

Source: 最高人民法院关于审理著作权民事纠纷案件适用法律若干问题的解释 (2020) art. 7, what shows whose
a work is: 底稿, 原件, 合法出版物, 登记证书, 认证机构的证明, 取得权利的合同. First bytes of files:
ISO 32000-2 §7.5.2 (PDF), ISO/IEC 15948 §5.2 (PNG), ITU-T T.81 annex B (JPEG).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.parties.rules import clean_name
from contracts.refusal import Kind, Refusal
from contracts.rights import rules as rights

KINDS = {
    "registration-certificate": "作品登记证书",
    "contract": "合同",
    "assignment": "转让合同",
    "licence-in": "授权书",
    "co-owner-consent": "共有人同意书",
    "pledge-contract": "质权合同",
    "permit": "许可证",
    "manuscript": "底稿",
    "other": "其他",
}
MOST_BYTES = 20 * 1024**2  # a scan of a hundred pages at 300 dpi
LONGEST_NAME = 200
EARLIEST = date(1888, 1, 1)
AHEAD = timedelta(days=1)  # today's date where the sun rises first
MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_NAME = frozenset('/\\:*?"<>|')


class BadDocument(Refusal):
    """What is said about a document cannot be so."""

    kind, code = Kind.INVALID, "bad-document"
    hint = "Give a known kind, 64 hex digits of SHA-256, a plain file name and a day that has come."


class DocumentTooLarge(Refusal):
    """The file is longer than what is kept."""

    kind, code = Kind.TOO_LARGE, "document-too-large"
    hint = "Send at most `most_bytes`; scan at 300 dpi, or file the parts one by one."


class DocumentDiffers(Refusal):
    """The bytes are not those that were declared."""

    kind, code = Kind.INVALID, "document-differs"
    hint = "Send the file whose size and SHA-256 were declared, or declare this one with a new id."


class DocumentTypeUnsupported(Refusal):
    """The file is none of the kinds that are kept."""

    kind, code = Kind.UNSUPPORTED, "document-type-unsupported"
    hint = "Send PDF, PNG or JPEG."


class DocumentNotFiled(Refusal):
    """The document is declared, but its file has not come."""

    kind, code = Kind.CONFLICT, "document-not-filed"
    hint = "Ask who declared it to send the file."


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of a document, cleaned: two spellings of one content compare equal."""

    kind: str
    filename: str
    sha256: str
    bytes: int
    issued_on: date | None = None
    from_party: str | None = None
    to_party: str | None = None
    covers: dict[str, Any] | None = None
    grant_id: UUID | None = None


def describe(said: Mapping[str, Any], *, now: datetime) -> Description:
    """Return the cleaned description of a document.

    Args:
        said: the fields of `Description`; those with a default may be left out.
        now: the instant; a document is not from the future.

    Raises:
        BadDocument: the kind, the hash, the file's name or the day cannot be.
        DocumentTooLarge: it would be longer than MOST_BYTES.
        BadName: a name is empty, too long, or holds characters that cannot be seen.
        Refusal: any of `contracts.rights.rules.resolve`, for what it covers.
    """
    covers = said.get("covers")
    filename = clean_name(said["filename"], field="filename", most=LONGEST_NAME)
    if _NO_NAME & set(filename) or filename.startswith("."):
        raise BadDocument("This is no plain file name.", field="filename")
    if said["kind"] not in KINDS:
        raise BadDocument("There is no such kind.", field="kind", known=list(KINDS))
    if _SHA256.fullmatch(said["sha256"]) is None:
        raise BadDocument("This is no SHA-256.", field="sha256")
    check_size(said["bytes"])
    return Description(
        kind=said["kind"],
        filename=filename,
        sha256=said["sha256"],
        bytes=said["bytes"],
        issued_on=_day(said.get("issued_on"), now=now),
        from_party=_name(said.get("from_party"), "from_party"),
        to_party=_name(said.get("to_party"), "to_party"),
        covers=None if covers is None else rights.normal(covers),
        grant_id=said.get("grant_id"),
    )


def check_size(size: int) -> None:
    """Let a file of this many bytes pass.

    Raises:
        BadDocument: it is empty.
        DocumentTooLarge: it is longer than MOST_BYTES.
    """
    if size < 1:
        raise BadDocument("The file is empty.", field="bytes")
    if size > MOST_BYTES:
        raise DocumentTooLarge("The file is too long.", most_bytes=MOST_BYTES)


def check_content(content: bytes, *, sha256: str, size: int) -> str:
    """Return the media type of a file whose bytes are those declared.

    Raises:
        DocumentDiffers: size or hash are others.
        DocumentTypeUnsupported: it is neither PDF nor PNG nor JPEG by its first bytes.
    """
    found = hashlib.sha256(content).hexdigest()
    if (len(content), found) != (size, sha256):
        raise DocumentDiffers("These are other bytes.", bytes=len(content), sha256=found)
    for start, media_type in MAGIC:
        if content.startswith(start):
            return media_type
    raise DocumentTypeUnsupported("This is neither PDF nor PNG nor JPEG.")


def _name(text: str | None, field: str) -> str | None:
    return None if text is None else clean_name(text, field=field, most=LONGEST_NAME)


def _day(day: date | None, *, now: datetime) -> date | None:
    if day is not None and not EARLIEST <= day <= (now + AHEAD).date():
        raise BadDocument("The day is not possible.", field="issued_on")
    return day
