"""Decisions about masters: what may be uploaded, what is UHD, what resembles what (pure)."""

import base64
import binascii
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from listings.masters.conformance import profiles
from listings.masters.conformance import rules as conformance
from listings.masters.conformance.values import Result, Tier
from listings.masters.refusals import (
    BadUploadHeader,
    BadUploadMetadata,
    UploadExpired,
    UploadFinished,
    UploadOverrun,
    UploadTooLarge,
    WrongOffset,
)

KEEP_UNFINISHED = timedelta(days=7)
PURPOSES = ("master", "asset")
MOST_FILENAME = 255  # what common file systems take
MOST_WIDTH, MOST_HEIGHT = 8192, 4320
TAGGED_SINCE = date(2018, 1, 1)  # GY/T 307-2017 and its profile have not changed since


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to upload: which master, of which work, called what, how long.

    `purpose` is `master`, or `asset` for a file that goes with a work. `reference` is where the
    exchange itself fetches it from: `url`, and `sha256` where that was said.
    """

    master_id: UUID
    work_id: UUID | None
    filename: str
    length: int
    purpose: str = "master"
    reference: Mapping[str, Any] | None = None


def whole_number(text: str | None, *, header: str) -> int:
    """Read a header that counts bytes.

    Raises:
        BadUploadHeader: it is missing or not a whole number below 2^63.
    """
    # The length first: Python reads no number of more than 4300 digits.
    good = text is not None and text.isascii() and text.isdigit() and len(text) <= 19
    if text is None or not good or int(text) >= 2**63:
        raise BadUploadHeader(f"{header} is missing or not a whole number.", header=header)
    return int(text)


def ask(length: str | None, metadata: str | None, *, most_bytes: int) -> Ask:
    """Read a request to create an upload.

    Raises:
        BadUploadHeader: no length, or zero.
        UploadTooLarge: the length is above `most_bytes`.
        BadUploadMetadata: the metadata cannot be used.
    """
    size = whole_number(length, header="Upload-Length")
    if size == 0:
        raise BadUploadHeader("An empty file is no master.", header="Upload-Length")
    if size > most_bytes:
        raise UploadTooLarge("The file is too large.", most_bytes=most_bytes)
    fields = _metadata(metadata)
    work, purpose = fields.get("work_id"), fields.get("purpose", "master")
    if purpose not in PURPOSES or (purpose == "asset" and not work):
        raise BadUploadMetadata("An upload is a master, or an asset of a work.", key="purpose")
    return Ask(
        master_id=_uuid(fields.get("master_id"), key="master_id"),
        work_id=_uuid(work, key="work_id") if work else None,
        filename=filename(fields.get("filename")),
        length=size,
        purpose=purpose,
    )


def _metadata(header: str | None) -> dict[str, str]:
    """Source: tus 1.0.0, Creation, Upload-Metadata."""
    fields: dict[str, str] = {}
    for pair in (header or "").split(","):
        key, _, value = pair.strip().partition(" ")
        if not key or key in fields:
            raise BadUploadMetadata("A key is empty or appears twice.", key=key)
        try:
            fields[key] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except (binascii.Error, ValueError) as unreadable:
            raise BadUploadMetadata("A value is not Base64 of UTF-8.", key=key) from unreadable
    return fields


def _uuid(text: str | None, *, key: str) -> UUID:
    try:
        return UUID(text or "")
    except ValueError as bad:
        raise BadUploadMetadata(f"{key} is no UUID.", key=key) from bad


def filename(text: str | None) -> str:
    """Keep the last part of the path; it is shown to people and never used as a path."""
    name = unicodedata.normalize("NFC", text or "").replace("\\", "/").rsplit("/", 1)[-1].strip()
    unprintable = any(unicodedata.category(sign)[0] == "C" for sign in name)
    if not name or len(name) > MOST_FILENAME or unprintable:
        raise BadUploadMetadata("The filename is missing or cannot be shown.", key="filename")
    return name


def judge_append(
    *, stored: int, declared: int, offset: int, size: int, state: str, expires_at: datetime,
    now: datetime,
) -> None:  # fmt: skip
    """Decide whether `size` bytes may be appended at `offset`.

    Raises:
        UploadFinished: the file is complete.
        UploadExpired: it was left too long.
        WrongOffset: the stored part ends elsewhere; `offset` says where.
        UploadOverrun: the content would go beyond the declared length.
    """
    if offset != stored:
        raise WrongOffset("The stored part ends elsewhere.", offset=stored)
    if state != "uploading":
        raise UploadFinished("The upload is complete.")
    check_alive(state=state, expires_at=expires_at, now=now)
    if offset + size > declared:
        raise UploadOverrun("The content is longer than declared.", declared=declared)


def check_alive(*, state: str, expires_at: datetime, now: datetime) -> None:
    """Refuse an upload that was left too long.

    Raises:
        UploadExpired: it is unfinished and its time is over.
    """
    if state == "uploading" and now >= expires_at:
        raise UploadExpired("The upload was left unfinished too long.")


def conformed(probe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the probe with `uhd` and `findings`: what is wanted of a UHD master and was not seen.

    By the tags alone, whatever the container: the report of conformance says more.
    """
    report = conformance.judge(
        profiles.get(profiles.TAGS, TAGGED_SINCE), probe, None, {}, tier=Tier.PROBE
    )
    findings = [
        {"code": each.requirement.check.key, "wanted": each.outcome.wanted,
         "seen": each.outcome.seen}
        for each in report.findings
        if each.result not in (Result.PASS, Result.NOT_APPLICABLE)
    ]  # fmt: skip
    return {**probe, "uhd": report.conforms is True, "findings": findings}
