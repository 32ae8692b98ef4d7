"""Decisions about the further files of a work: what may be said of them, how large they may be."""

import posixpath
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import langcodes

from contracts.refusal import InvalidContent
from listings.packages import artwork, markup, subtitles
from listings.packages.refusals import AssetNotReceived, AssetTooLarge, BadLanguage

KINDS = ("picture", "sound_stem", "subtitle", "artwork", "metadata", "other")
MOST_LABEL, MOST_LANGUAGE, MOST_PATH = 200, 35, 300
MOST_FILES = 2000
# Kinds whose content is read whole; sound and pictures may be as long as a master.
MOST_BYTES = {
    "subtitle": subtitles.MOST_BYTES,
    "artwork": artwork.MOST_BYTES,
    "metadata": markup.MOST_BYTES,
}
# What the part that a file plays in an IMF package makes of it.
KIND_OF_ROLE = {
    "picture": "picture",
    "sound": "sound_stem",
    "text": "subtitle",
    "assetmap": "metadata",
    "packing-list": "metadata",
    "composition": "metadata",
}


@dataclass(frozen=True, slots=True)
class Description:
    """What a party says of a file: which upload, of what kind, in which language, called what."""

    file_id: UUID
    kind: str
    language: str | None
    label: str


def describe(file_id: UUID, *, kind: str, language: str | None, label: str) -> Description:
    """Check what is said of a file; language tags are written as BCP 47 writes them.

    Raises:
        BadLanguage: the tag is none.
        InvalidContent: the kind is not known, or the label cannot be shown.
    """
    text = unicodedata.normalize("NFC", label).strip()
    hidden = any(unicodedata.category(sign)[0] == "C" for sign in text)
    if not text or len(text) > MOST_LABEL or hidden:
        raise _invalid("label", f"1 to {MOST_LABEL} characters that can be shown")
    if kind not in KINDS:
        raise _invalid("kind", "one of " + ", ".join(KINDS))
    return Description(file_id, kind, _tag(language), text)


def _tag(language: str | None) -> str | None:
    if not language:
        return None
    if len(language) > MOST_LANGUAGE or not langcodes.tag_is_valid(language):
        raise BadLanguage("This is no language tag.", language=language[:MOST_LANGUAGE])
    return langcodes.standardize_tag(language)


def check_upload(*, purpose: str, state: str, kind: str, size: int) -> None:
    """Check that an upload can be what is said.

    Raises:
        InvalidContent: it was uploaded as a master.
        AssetNotReceived: bytes are missing.
        AssetTooLarge: it is longer than a file of its kind may be.
    """
    if purpose != "asset":
        raise _invalid("file_id", "an upload with the purpose `asset`")
    if state != "received":
        raise AssetNotReceived("The upload of the file is not complete.", state=state)
    check_size(kind, size)


def check_size(kind: str, size: int) -> None:
    """Check that a file can be read whole where its kind needs that.

    Raises:
        AssetTooLarge: it cannot.
    """
    most = MOST_BYTES.get(kind)
    if most is not None and size > most:
        raise AssetTooLarge("The file is too large for its kind.", most_bytes=most)


def package_files(files: Mapping[str, UUID]) -> dict[str, str]:
    """Check the files of a package: each path once, inside the package.

    Raises:
        InvalidContent: a path is none, or there are too few or too many.
    """
    if not 1 <= len(files) <= MOST_FILES:
        raise _invalid("files", f"1 to {MOST_FILES} files")
    for path in files:
        plain = posixpath.normpath(path) == path and not path.startswith(("/", ".."))
        hidden = any(unicodedata.category(sign)[0] == "C" for sign in path)
        if not plain or hidden or "\\" in path or not path or len(path) > MOST_PATH or path == ".":
            raise _invalid("files", "paths in the package, as its asset map writes them")
    if len(set(files.values())) != len(files):
        raise _invalid("files", "an upload is one file of the package")
    return {path: str(file_id) for path, file_id in sorted(files.items())}


def _invalid(field: str, rule: str) -> InvalidContent:
    return InvalidContent("A field breaks its rule.", errors=[{"field": field, "rule": rule}])
