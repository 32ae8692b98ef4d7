"""On the licensee's machine: what came is checked before paying, and opened after.

Nothing here asks the exchange anything: the manifest, the copy of the ciphertext and the key are
enough. What does not open, or is not what was listed, becomes a complaint that anybody can judge.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.log import merkle
from contracts.refusal import Kind, Refusal
from listings.deliveries import cobblestone, packing
from listings.deliveries.cobblestone import (
    HEADER_BYTES,
    SEALED_SEGMENT_BYTES,
    Damaged,
    Message,
    NotTheKey,
)
from listings.deliveries.complaints import Filed
from listings.deliveries.judging import Complaint
from listings.deliveries.manifests import Manifest
from listings.deliveries.trees import Leaves

Report = Callable[[int], None]


class CopyDamaged(Refusal):
    """This copy is not what the manifest names, so nothing can be said about the licensor."""

    kind, code = Kind.CONFLICT, "copy-damaged"
    hint = "Fetch it again; if it is always the same, do not pay: nothing else was promised."


class KeyNotCommitted(Refusal):
    """The key is not the one that the manifest commits to."""

    kind, code = Kind.CONFLICT, "key-not-committed"
    hint = "Fetch the key of this delivery again; an envelope of the licensor may hold another one."


@dataclass(frozen=True, slots=True)
class _Wrong:
    """The first segment that is not as promised."""

    index: int
    segment: bytes


def check_copy(ciphertext: Path, manifest: Manifest, report: Report = lambda _done: None) -> None:
    """Check a copy and the chunk hashes beside it against the manifest, before anything is paid.

    Raises:
        CopyDamaged: it is another file, or only a part of it.
    """
    _chunks(ciphertext, manifest)
    segments = Leaves()
    for segment in _segments(ciphertext, manifest):
        segments.append(segment)
        report(len(segments))
    _check_root(segments, manifest)


def open_copy(
    ciphertext: Path,
    target: Path,
    *,
    manifest: Manifest,
    key: bytes,
    report: Report = lambda _done: None,
) -> Filed | None:
    """Decrypt into `target`, which appears whole and checked, or not at all.

    Returns None where everything is as promised, and otherwise the complaint.

    Raises:
        KeyNotCommitted: the key is another one.
        CopyDamaged: the copy is not what the manifest names.
    """
    try:
        message = cobblestone.resume(key, context=manifest.context, header=manifest.header)
    except NotTheKey as other:
        raise KeyNotCommitted("The manifest commits to another key.") from other
    chunks, segments = _chunks(ciphertext, manifest), Leaves()
    try:
        with packing.replacing(target) as into:
            whole = hashlib.sha256()
            for index, segment in enumerate(_segments(ciphertext, manifest)):
                segments.append(segment)
                plain = _opened(message, chunks, index, segment)
                whole.update(plain)
                into.write(plain)
                report(into.tell())
            _check_root(segments, manifest)
            if whole.hexdigest() != manifest.sha256:
                raise CopyDamaged("The chunks are as listed, and their SHA-256 is not.")
    except _NotAsPromised as found:
        return _complaint(ciphertext, manifest, found.wrong, chunks=chunks, key=key)
    return None


class _NotAsPromised(Exception):
    """Leaves the file that is being written; it is not kept."""

    def __init__(self, wrong: _Wrong) -> None:
        super().__init__(wrong.index)
        self.wrong = wrong


def _opened(message: Message, chunks: Leaves, index: int, segment: bytes) -> bytes:
    try:
        plain = message.open_segment(index, segment)
    except Damaged as damaged:
        raise _NotAsPromised(_Wrong(index, segment)) from damaged
    if plain and merkle.leaf_hash(plain) != chunks[index]:
        raise _NotAsPromised(_Wrong(index, segment))
    return plain


def _complaint(
    ciphertext: Path, manifest: Manifest, wrong: _Wrong, *, chunks: Leaves, key: bytes
) -> Filed:
    """Return the complaint about a segment, once the copy is known to be the one promised."""
    segments = Leaves()
    for segment in _segments(ciphertext, manifest):
        segments.append(segment)
    _check_root(segments, manifest)
    has_chunk = wrong.index < manifest.chunks
    complaint = Complaint(
        index=wrong.index,
        segment=wrong.segment,
        segment_path=tuple(segments.path(wrong.index)),
        chunk=chunks[wrong.index] if has_chunk else None,
        chunk_path=tuple(chunks.path(wrong.index)) if has_chunk else (),
    )
    return Filed(manifest, complaint, key)


def _chunks(ciphertext: Path, manifest: Manifest) -> Leaves:
    """Return the hashes of the master's chunks, which must lead to the listed root."""
    try:
        chunks = Leaves(packing.leaves_of(ciphertext).read_bytes())
    except (OSError, ValueError) as missing:
        raise CopyDamaged("The file of chunk hashes is missing or cut off.") from missing
    if len(chunks) != manifest.chunks or chunks.root() != manifest.chunk_root:
        raise CopyDamaged("The chunk hashes do not lead to the listed root.")
    return chunks


def _segments(ciphertext: Path, manifest: Manifest) -> Iterator[bytes]:
    """Yield the segments of a copy that has the promised header and length."""
    with ciphertext.open("rb") as opened:
        if os.fstat(opened.fileno()).st_size != manifest.sealed_bytes:
            raise CopyDamaged("The copy has another length.", bytes=manifest.sealed_bytes)
        if opened.read(HEADER_BYTES) != manifest.header:
            raise CopyDamaged("The copy begins with another header.")
        for _ in range(manifest.segments):
            yield opened.read(SEALED_SEGMENT_BYTES)


def _check_root(segments: Leaves, manifest: Manifest) -> None:
    if segments.root() != manifest.segment_root:
        raise CopyDamaged("The copy is another file than the one promised.")
