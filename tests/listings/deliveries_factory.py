"""Deliveries for tests: honest ones, and those of licensors who seal something else."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from listings.deliveries import cobblestone, envelopes
from listings.deliveries.cobblestone import PLAIN_SEGMENT_BYTES as MIB
from listings.deliveries.judging import Complaint
from listings.deliveries.manifests import CONTEXT, Manifest
from listings.deliveries.trees import Leaves

KEY = bytes(range(32))


def film(length: int, seed: str = "film") -> bytes:
    return hashlib.shake_128(seed.encode()).digest(length)


def parts(plain: bytes) -> list[bytes]:
    """What segments are made of: MiBs, and the rest, which may be nothing."""
    return [plain[at : at + MIB] for at in range(0, len(plain) + 1, MIB)]


@dataclass(frozen=True)
class Handover:
    """A delivery with everything that its licensor knows."""

    manifest: Manifest
    key: bytes
    segments: list[bytes]
    plain: bytes  # what is listed
    chunks: Leaves

    @property
    def sealed(self) -> bytes:
        return self.manifest.header + b"".join(self.segments)

    def escrow(self, public: bytes) -> bytes:
        return envelopes.seal(self.key, public, info=envelopes.for_escrow(self.manifest))

    def complaint(self, index: int) -> Complaint:
        """What an honest program files about a segment, good or bad."""
        segments = Leaves()
        for segment in self.segments:
            segments.append(segment)
        has = index < len(self.chunks)
        return Complaint(
            index=index,
            segment=self.segments[index],
            segment_path=tuple(segments.path(index)),
            chunk=self.chunks[index] if has else None,
            chunk_path=tuple(self.chunks.path(index)) if has else (),
        )

    def laid(self, folder: Path, name: str = "film.mxf.sealed") -> Path:
        """The files as the licensee fetched them."""
        target = folder / name
        target.write_bytes(self.sealed)
        target.with_name(f"{name}.leaves").write_bytes(self.chunks.written())
        return target


def handed(
    plain: bytes,
    *,
    damaged: Collection[int] = (),
    instead: Mapping[int, bytes] | None = None,
    key: bytes = KEY,
    escrow: bytes | None = None,
) -> Handover:
    """A delivery of a listed master; its licensor may seal junk in places, or other content.

    Args:
        plain: the listed master.
        damaged: segments of which a bit is flipped before their root is promised.
        instead: other content of the same length, sealed properly, by segment.
        key: the content's key.
        escrow: the exchange's public key.
    """
    digest = hashlib.sha256(plain).hexdigest()
    message = cobblestone.begin(key, context=f"{CONTEXT}\0{digest}".encode())
    segments, promised, chunks = [], Leaves(), Leaves()
    for index, part in enumerate(parts(plain)):
        segment = bytearray(message.seal_segment(index, (instead or {}).get(index, part)))
        if index in damaged:
            segment[len(segment) // 2] ^= 1
        segments.append(bytes(segment))
        promised.append(bytes(segment))
        if part:
            chunks.append(part)
    own = envelopes.public_of(X25519PrivateKey.from_private_bytes(bytes([7] * 32)))
    manifest = Manifest(
        sha256=digest,
        plain_bytes=len(plain),
        chunk_root=chunks.root(),
        header=message.header,
        segment_root=promised.root(),
        escrow=envelopes.name_of(escrow or own),
        licensor=envelopes.name_of(own),
    )
    return Handover(manifest, key, segments, plain, chunks)
