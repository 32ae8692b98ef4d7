"""Who is right: one pure decision about one piece of a delivery, the same whoever asks.

The manifest says what the licensor promised: this ciphertext (the root of its segments), which
under this key (the commitment in its header) is this master (its chunk root, as listed). A
complaint shows one segment with its path, and the hash that the master has at the same place with
its path. Nothing else is needed to see whether the promise was kept there.

Source: the fair exchange FairSwap (ACM CCS 2018), with a judge in the place of its contract.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from contracts.log import merkle
from listings.deliveries import cobblestone
from listings.deliveries.cobblestone import Damaged, NotTheKey
from listings.deliveries.manifests import Manifest


class Verdict(StrEnum):
    """What a complaint comes to."""

    UPHELD = "upheld"  # the licensor did not deliver what it promised
    REJECTED = "rejected"  # at this place it did
    INVALID = "invalid"  # nothing follows: the complaint is not about this delivery


class Reason(StrEnum):
    """Why."""

    DOES_NOT_OPEN = "does-not-open"  # the ciphertext is not sealed under the key
    OTHER_CONTENT = "other-content"  # it opens, and is not what is listed there
    AS_PROMISED = "as-promised"
    OTHER_KEY = "other-key"  # the key is not the one committed to
    NO_SUCH_SEGMENT = "no-such-segment"
    SEGMENT_NOT_ANCHORED = "segment-not-anchored"
    CHUNK_NOT_ANCHORED = "chunk-not-anchored"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One segment of the ciphertext, and the hash of the master's chunk at the same place.

    The empty segment that ends a master of whole MiB has no chunk: `chunk` is None there.
    """

    index: int
    segment: bytes
    segment_path: Sequence[bytes]
    chunk: bytes | None
    chunk_path: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reason."""

    verdict: Verdict
    reason: Reason


def judge(manifest: Manifest, key: bytes, complaint: Complaint) -> Judgement:
    """Decide a complaint about a delivery whose key was released."""
    try:
        message = cobblestone.resume(key, context=manifest.context, header=manifest.header)
    except NotTheKey:
        return Judgement(Verdict.INVALID, Reason.OTHER_KEY)
    if (fault := _not_about(manifest, complaint)) is not None:
        return Judgement(Verdict.INVALID, fault)
    try:
        plain = message.open_segment(complaint.index, complaint.segment)
    except Damaged:
        return Judgement(Verdict.UPHELD, Reason.DOES_NOT_OPEN)
    if complaint.chunk is not None and merkle.leaf_hash(plain) != complaint.chunk:
        return Judgement(Verdict.UPHELD, Reason.OTHER_CONTENT)
    return Judgement(Verdict.REJECTED, Reason.AS_PROMISED)


def _not_about(manifest: Manifest, complaint: Complaint) -> Reason | None:
    """Return why a complaint is not about the delivery, or None where it is."""
    index, length = complaint.index, len(complaint.segment)
    if not 0 <= index < manifest.segments:
        return Reason.NO_SUCH_SEGMENT
    if length != cobblestone.sealed_segment_bytes(index, manifest.plain_bytes):
        return Reason.NO_SUCH_SEGMENT
    hashed, path = merkle.leaf_hash(complaint.segment), complaint.segment_path
    if not merkle.includes(index, manifest.segments, hashed, path, manifest.segment_root):
        return Reason.SEGMENT_NOT_ANCHORED
    if (complaint.chunk is None) != (index >= manifest.chunks):
        return Reason.CHUNK_NOT_ANCHORED
    if complaint.chunk is None:
        return Reason.CHUNK_NOT_ANCHORED if complaint.chunk_path else None
    root = manifest.chunk_root
    if not merkle.includes(index, manifest.chunks, complaint.chunk, complaint.chunk_path, root):
        return Reason.CHUNK_NOT_ANCHORED
    return None
