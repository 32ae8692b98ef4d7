"""On the licensor's machine: a master becomes ciphertext, the hashes of its chunks, a manifest.

The file is read once, a MiB at a time; nothing is left behind where it turns out to be another file
than the listed one.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from contracts.refusal import Kind, Refusal
from listings.deliveries import cobblestone, envelopes, manifests
from listings.deliveries.cobblestone import PLAIN_SEGMENT_BYTES
from listings.deliveries.manifests import CONTEXT, Manifest
from listings.deliveries.trees import Leaves

TYPE = "uhdx.delivery-package/v1"
PRIVATE = 0o600
Report = Callable[[int], None]


class NotTheListedFile(Refusal):
    """The file is not, byte for byte, the master that is listed."""

    kind, code = Kind.CONFLICT, "not-the-listed-file"
    hint = "Seal the very file that was uploaded; `exchange hash FILE` tells its hashes."


@dataclass(frozen=True, slots=True)
class Listed:
    """What the listing says of its master; the length where it is known."""

    sha256: str
    chunk_root: str
    plain_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """A sealed delivery: its manifest, and the key in two envelopes."""

    manifest: Manifest
    escrow: bytes
    own: bytes

    def wire(self) -> dict[str, Any]:
        """Return the document that the licensor keeps."""
        return {
            "typ": TYPE,
            "manifest": self.manifest.wire(),
            "escrow_b64": base64.b64encode(self.escrow).decode(),
            "licensor_b64": base64.b64encode(self.own).decode(),
        }


def read(document: dict[str, Any]) -> Package:
    """Return the package that a document holds.

    Raises:
        BadManifest: it is none.
    """
    try:
        if document["typ"] != TYPE:
            raise manifests.BadManifest("The document is no package of a delivery.")
        return Package(
            manifests.read(document["manifest"]),
            base64.b64decode(document["escrow_b64"], validate=True),
            base64.b64decode(document["licensor_b64"], validate=True),
        )
    except (KeyError, TypeError, ValueError) as strange:
        raise manifests.BadManifest("The document is no package of a delivery.") from strange


def seal(
    source: Path,
    target: Path,
    *,
    listed: Listed,
    escrow: bytes,
    own: bytes,
    report: Report = lambda _done: None,
) -> Package:
    """Encrypt the listed master into `target`, and its chunk hashes into `target` + `.leaves`.

    Args:
        source: the master.
        target: where the ciphertext goes; it appears when it is whole.
        listed: what the listing says of the master.
        escrow: the exchange's public key, 32 bytes.
        own: the licensor's public key, 32 bytes.
        report: is told how many bytes are done.

    Raises:
        NotTheListedFile: it is another file.
        BadDeliveryKey: one of the keys is none.
    """
    key = secrets.token_bytes(cobblestone.KEY_BYTES)
    message = cobblestone.begin(key, context=f"{CONTEXT}\0{listed.sha256}".encode())
    whole, chunks, segments, done = hashlib.sha256(), Leaves(), Leaves(), 0
    with replacing(target) as into, source.open("rb") as opened:
        into.write(message.header)
        for index, block in enumerate(_blocks(opened)):
            sealed = message.seal_segment(index, block)
            segments.append(sealed)
            into.write(sealed)
            if block:
                whole.update(block)
                chunks.append(block)
            done += len(block)
            report(done)
        found = Listed(whole.hexdigest(), chunks.root().hex(), done)
        _check_listed(found, listed)
    with replacing(leaves_of(target)) as into:
        into.write(chunks.written())
    names = (envelopes.name_of(escrow), envelopes.name_of(own))
    manifest = Manifest(found.sha256, done, chunks.root(), message.header, segments.root(), *names)
    return Package(
        manifest,
        envelopes.seal(key, escrow, info=envelopes.for_escrow(manifest)),
        envelopes.seal(key, own, info=envelopes.for_licensor(manifest)),
    )


def leaves_of(ciphertext: Path) -> Path:
    """Return where the hashes of the master's chunks lie: beside the ciphertext."""
    return ciphertext.with_name(ciphertext.name + ".leaves")


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name when it is whole, and not at all otherwise."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        with os.fdopen(handle, "wb") as into:
            yield into
            into.flush()
            os.fsync(into.fileno())
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _blocks(opened: BinaryIO) -> Iterator[bytes]:
    """Yield MiBs, and last what is left over, which may be nothing."""
    while len(block := opened.read(PLAIN_SEGMENT_BYTES)) == PLAIN_SEGMENT_BYTES:
        yield block
    yield block


def _check_listed(found: Listed, listed: Listed) -> None:
    if listed.plain_bytes not in (None, found.plain_bytes):
        raise NotTheListedFile("The file has another length.", bytes=listed.plain_bytes)
    if (found.sha256, found.chunk_root) != (listed.sha256, listed.chunk_root):
        raise NotTheListedFile("The file has other hashes.", sha256=listed.sha256)
