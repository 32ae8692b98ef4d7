"""A complaint as a document: what a licensee files, and what anybody can judge (pure).

The file that `exchange delivery open` writes holds the content's key too, so that it can be judged
anywhere; who has it can open the whole delivery. What is sent to the exchange holds no key.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts import canonical
from contracts.refusal import Kind, Refusal
from listings.deliveries import cobblestone, manifests
from listings.deliveries.judging import Complaint
from listings.deliveries.manifests import Manifest

TYPE = "uhdx.delivery-complaint/v1"
MOST_BYTES = 2 * 1024**2  # a segment is 1.4 MB in base64; two paths of 42 hashes are 6 kB
_FIELDS = {"typ", "manifest", "index", "segment_b64", "segment_path", "chunk", "chunk_path"}


class BadComplaint(Refusal):
    """The document is no complaint about a delivery."""

    kind, code = Kind.INVALID, "bad-complaint"
    hint = "`exchange delivery open` writes it when the content is not what was listed."


class ComplaintTooLarge(Refusal):
    """The document is longer than any complaint."""

    kind, code = Kind.TOO_LARGE, "complaint-too-large"
    hint = "A complaint is about one segment; send the file as it was written."


@dataclass(frozen=True, slots=True)
class Filed:
    """A complaint with the manifest it is about, and the key where the document holds it."""

    manifest: Manifest
    complaint: Complaint
    key: bytes | None

    def wire(self) -> dict[str, Any]:
        """Return what is sent: everything but the key."""
        said = self.complaint
        return {
            "typ": TYPE,
            "manifest": self.manifest.wire(),
            "index": said.index,
            "segment_b64": base64.b64encode(said.segment).decode(),
            "segment_path": [one.hex() for one in said.segment_path],
            "chunk": None if said.chunk is None else said.chunk.hex(),
            "chunk_path": [one.hex() for one in said.chunk_path],
        }

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the canonical bytes of what is sent."""
        return canonical.sha256_hex(canonical.dumps(self.wire()))

    def kept(self) -> dict[str, Any]:
        """Return what the licensee keeps: with the key, for whoever is to judge."""
        return self.wire() if self.key is None else {**self.wire(), "key": self.key.hex()}


def read(raw: bytes) -> Filed:
    """Return what a document says.

    Raises:
        BadComplaint: it is none.
        BadManifest: what it says of the manifest is none.
    """
    try:
        document = canonical.loads(raw)
    except Refusal as unreadable:
        raise BadComplaint("The document is not JSON.") from unreadable
    if not isinstance(document, dict) or document.get("typ") != TYPE:
        raise BadComplaint("The document is no complaint about a delivery.")
    if document.keys() - {"key"} != _FIELDS:
        raise BadComplaint("The document says more or less than a complaint does.")
    try:
        return _filed(document)
    except (TypeError, ValueError, binascii.Error) as strange:
        raise BadComplaint("A part of the complaint cannot be read.") from strange


def _filed(document: Mapping[str, Any]) -> Filed:
    if type(document["index"]) is not int:
        raise ValueError("the index is no number")
    key = document.get("key")
    complaint = Complaint(
        index=document["index"],
        segment=base64.b64decode(document["segment_b64"], validate=True),
        segment_path=tuple(bytes.fromhex(one) for one in document["segment_path"]),
        chunk=None if document["chunk"] is None else bytes.fromhex(document["chunk"]),
        chunk_path=tuple(bytes.fromhex(one) for one in document["chunk_path"]),
    )
    if key is not None and len(bytes.fromhex(key)) != cobblestone.KEY_BYTES:
        raise ValueError("the key is not 32 bytes")
    manifest = manifests.read(document["manifest"])
    return Filed(manifest, complaint, None if key is None else bytes.fromhex(key))
