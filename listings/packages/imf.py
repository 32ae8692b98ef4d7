"""IMF documents as values: asset map, packing list, composition playlist (pure).

Times are exact: edit rates are fractions, durations are counted in edit units.

Source: SMPTE ST 429-9 (asset map), ST 429-8 and ST 2067-2 §7 (packing list), ST 2067-3
(composition playlist), ST 2067-21 (Application #2E: UHD). Elements are known by their local names,
because the namespaces of three editions are in use; the root's namespace is told.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID

from listings.packages import markup
from listings.packages.markup import BadMarkup

MOST_NUMBER = 10**15
# ST 2067-21 §8: how a composition says that it is of Application #2E.
APP_2E = re.compile(r"http://www\.smpte-ra\.org/(?:schemas|ns)/2067-21/(\d{4})/?")
HASHES = {
    "http://www.w3.org/2000/09/xmldsig#sha1": "sha1",
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
}
SEQUENCES = {
    "MainImageSequence": "picture",
    "MainAudioSequence": "sound",
    "SubtitlesSequence": "text",
    "ForcedNarrativeSequence": "text",
    "HearingImpairedCaptionsSequence": "text",
    "VisuallyImpairedTextSequence": "text",
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """An asset of the map: its id and the path of its one file."""

    id: UUID
    path: str
    is_packing_list: bool
    chunks: int


@dataclass(frozen=True, slots=True)
class AssetMap:
    """Which file each asset of the package is."""

    id: UUID
    assets: Sequence[Mapped]


@dataclass(frozen=True, slots=True)
class Packed:
    """An asset of a packing list: what its file must weigh and hash to (Base64)."""

    id: UUID
    digest: str
    algorithm: str | None  # sha1 or sha256; None when it is another
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class PackingList:
    """What the package holds."""

    id: UUID
    assets: Sequence[Packed]


@dataclass(frozen=True, slots=True)
class Resource:
    """A part of a track file that is played."""

    id: UUID
    track_file: UUID | None
    source_encoding: UUID | None
    edit_rate: Fraction
    intrinsic: int
    entry: int
    duration: int
    repeat: int

    @property
    def seconds(self) -> Fraction:
        """How long it plays."""
        return self.duration * self.repeat / self.edit_rate


@dataclass(frozen=True, slots=True)
class Track:
    """What one virtual track plays in one segment."""

    track: UUID
    kind: str
    resources: Sequence[Resource]

    @property
    def seconds(self) -> Fraction:
        """How long it plays."""
        return sum((one.seconds for one in self.resources), Fraction(0))


@dataclass(frozen=True, slots=True)
class Composition:
    """One version of the work: its segments, and what they are played from."""

    id: UUID
    title: str
    edit_rate: Fraction
    applications: Sequence[str]
    encodings: frozenset[UUID]
    segments: Sequence[Sequence[Track]]

    @property
    def app_2e(self) -> str | None:
        """The edition of Application #2E that it says it follows, or None."""
        found = (APP_2E.fullmatch(said) for said in self.applications)
        return next((one[1] for one in found if one), None)


def asset_map(content: bytes) -> AssetMap:
    """Read an asset map.

    Raises:
        BadMarkup: it is none.
    """
    root = _root(content, "AssetMap")
    entries = markup.children(markup.child(root, "AssetList"), "Asset")
    return AssetMap(_id(root, "Id"), [_mapped(entry) for entry in entries])


def packing_list(content: bytes) -> PackingList:
    """Read a packing list.

    Raises:
        BadMarkup: it is none.
    """
    root = _root(content, "PackingList")
    entries = markup.children(markup.child(root, "AssetList"), "Asset")
    return PackingList(_id(root, "Id"), [_packed(entry) for entry in entries])


def composition(content: bytes) -> Composition:
    """Read a composition playlist.

    Raises:
        BadMarkup: it is none.
    """
    root = _root(content, "CompositionPlaylist")
    rate = _rate(_need(root, "EditRate"))
    more = markup.child(root, "ExtensionProperties")
    said = markup.children(more, "ApplicationIdentification")
    described = markup.children(markup.child(root, "EssenceDescriptorList"), "EssenceDescriptor")
    segments = markup.children(markup.child(root, "SegmentList"), "Segment")
    return Composition(
        id=_id(root, "Id"),
        title=(markup.text(root, "ContentTitle") or "")[:400],
        edit_rate=rate,
        applications=[word for one in said for word in (one.text or "").split()],
        encodings=frozenset(_id(one, "Id") for one in described),
        segments=[_segment(one, rate) for one in segments],
    )


def is_composition(content: bytes) -> bool:
    """Tell whether a document is a composition playlist, well made or not."""
    try:
        return markup.name(markup.parse(content)) == "CompositionPlaylist"
    except BadMarkup:
        return b"CompositionPlaylist" in content[:4096]


def _mapped(entry: Any) -> Mapped:
    chunks = markup.children(markup.child(entry, "ChunkList"), "Chunk")
    if not chunks:
        raise BadMarkup("an asset has no chunk")
    says = (markup.text(entry, "PackingList") or "").lower()
    is_list = markup.child(entry, "PackingList") is not None and says in ("", "true", "1")
    return Mapped(_id(entry, "Id"), _need(chunks[0], "Path"), is_list, len(chunks))


def _packed(entry: Any) -> Packed:
    said = markup.child(entry, "HashAlgorithm")
    algorithm = "sha1" if said is None else HASHES.get(said.get("Algorithm", ""))
    return Packed(
        id=_id(entry, "Id"),
        digest="".join(_need(entry, "Hash").split()),
        algorithm=algorithm,
        size=_number(_need(entry, "Size")),
        media_type=(markup.text(entry, "Type") or "")[:200],
    )


def _segment(segment: Any, rate: Fraction) -> list[Track]:
    found = []
    some = markup.child(segment, "SequenceList")
    for one in () if some is None else some:
        kind = SEQUENCES.get(markup.name(one), "other")
        if markup.child(one, "ResourceList") is not None:
            parts = markup.children(markup.child(one, "ResourceList"), "Resource")
            found.append(
                Track(_id(one, "TrackId"), kind, [_resource(part, rate) for part in parts])
            )
    return found


def _resource(part: Any, rate: Fraction) -> Resource:
    said = markup.text(part, "EditRate")
    intrinsic = _number(_need(part, "IntrinsicDuration"))
    entry = _number(markup.text(part, "EntryPoint") or "0")
    duration = markup.text(part, "SourceDuration")
    return Resource(
        id=_id(part, "Id"),
        track_file=_maybe_id(part, "TrackFileId"),
        source_encoding=_maybe_id(part, "SourceEncoding"),
        edit_rate=_rate(said) if said else rate,
        intrinsic=intrinsic,
        entry=entry,
        duration=_number(duration) if duration else max(0, intrinsic - entry),
        repeat=_number(markup.text(part, "RepeatCount") or "1"),
    )


def _root(content: bytes, wanted: str) -> Any:
    root = markup.parse(content)
    if markup.name(root) != wanted:
        raise BadMarkup(f"the root element is {markup.name(root)[:80]}, not {wanted}")
    return root


def _need(element: Any, wanted: str) -> str:
    found = markup.text(element, wanted)
    if found is None:
        raise BadMarkup(f"{markup.name(element)} has no {wanted}")
    return found


def _id(element: Any, wanted: str) -> UUID:
    return _uuid(_need(element, wanted))


def _maybe_id(element: Any, wanted: str) -> UUID | None:
    found = markup.text(element, wanted)
    return None if found is None else _uuid(found)


def _uuid(text: str) -> UUID:
    if not re.fullmatch(r"urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise BadMarkup(f"{text[:80]!r} is no urn:uuid")
    return UUID(text)


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > MOST_NUMBER:
        raise BadMarkup(f"{text[:80]!r} is no whole number")
    return int(text)


def _rate(text: str) -> Fraction:
    found = re.fullmatch(r"([0-9]{1,9})\s+([0-9]{1,9})", text)
    if not found or not int(found[1]) or not int(found[2]):
        raise BadMarkup(f"{text[:80]!r} is no edit rate")
    return Fraction(int(found[1]), int(found[2]))
