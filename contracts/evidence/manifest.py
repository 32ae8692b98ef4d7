"""The manifest: the hash of every file of a bundle, signed by the log's key as a note.

Its first line is a domain of its own, so that it can never be taken for a checkpoint.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from contracts import canonical
from contracts.log.gateway import EVIDENCE_DOMAIN
from contracts.log.note import BadNote

FILE = "manifest.note"
EXECUTED, SETTLED = "executed", "settled"
SIGNED = "signed"  # of an agreement with the exchange
_NOUNS = {EXECUTED: "deal", SETTLED: "deal", SIGNED: "agreement"}
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._/-]*)")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says to hold.

    Attributes:
        deal: the deal it is evidence of, or the agreement with the exchange.
        stage: how far the deal had come: `executed` (signed) or `settled` (paid and paid out); of
            an agreement `signed`.
        hashes: the SHA-256 (hex) of each file but the manifest itself.
    """

    deal: UUID
    stage: str
    hashes: Mapping[str, str]

    @property
    def text(self) -> str:
        """The lines that are signed."""
        lines = [EVIDENCE_DOMAIN, f"{_NOUNS[self.stage]} {self.deal}", f"stage {self.stage}"]
        lines += [f"{digest}  {name}" for name, digest in sorted(self.hashes.items())]
        return "\n".join(lines) + "\n"


def of(files: Mapping[str, bytes], *, deal: UUID, stage: str) -> Manifest:
    """Return the manifest of the files."""
    hashes = {name: canonical.sha256_hex(content) for name, content in files.items()}
    return Manifest(deal, stage, hashes)


def parse(text: str) -> Manifest:
    """Read the text of a manifest; it has one form only.

    Raises:
        BadNote: it is not a manifest, or not in that form.
    """
    found = [_LINE.fullmatch(line) for line in text.split("\n")[3:]]
    hashes = {match[2]: match[1] for match in found if match}
    try:
        domain, about, stage = text.split("\n")[:3]
        read = Manifest(UUID(about.partition(" ")[2]), stage.removeprefix("stage "), hashes)
    except ValueError as error:
        raise BadNote("The manifest does not begin with domain, deal and stage.") from error
    if domain != EVIDENCE_DOMAIN or read.stage not in _NOUNS:
        raise BadNote("This is not a manifest of evidence.")
    if read.text != text:
        raise BadNote("A line of the manifest is not `hash  name`, or out of order.")
    return read
