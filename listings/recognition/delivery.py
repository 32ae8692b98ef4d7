"""Is a delivered file the listed work: what is asked with, and what the answer is (pure).

Whoever asks fingerprints the file where it lies and sends the codes; the codes of the listed work
stay here, because who has them can try changes until nothing is found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np

from contracts import canonical
from contracts.refusal import Kind, Refusal
from listings.masters.fingerprint import CODE_BYTES, LOOKS, PHASES, RATE, VERSION
from listings.recognition.relation import WHOLE_BP, Footage, Related, Relation, Segment

FORMAT = "uhdx-fingerprint/1"
MOST_BYTES = 64 * 1024**2  # more than an hour through every window, four days through one
MOST_HEADER = 64 * 1024
LEAST_MS = 1_000  # what is missing or added; less is a fade, or the second around a cut
LEAST_DRIFT_MS = 400  # two codes: less over the whole stretch is no other speed
NAMES = ("width", "height", "rate", "bit_depth", "sampling", "primaries", "transfer", "codec")
SAMPLINGS = ("4:2:0", "4:2:2", "4:4:4")
HDR = ("arib-std-b67", "smpte2084")


class BadFingerprint(Refusal):
    """The document is no fingerprint that this exchange can read."""

    kind, code = Kind.INVALID, "bad-fingerprint"
    hint = "Make it with `exchange match` of the same version as the exchange."


class FingerprintTooLarge(Refusal):
    """The document is longer than the fingerprint of any film."""

    kind, code = Kind.TOO_LARGE, "fingerprint-too-large"
    hint = "Send fewer windows; the first alone is 400 bytes a second."


class Outcome(StrEnum):
    """What a delivered file is to the listed work."""

    IDENTICAL = "identical"  # the same bytes
    SAME_PICTURE = "same-picture"  # the same coded picture in another wrapper
    SAME_CONTENT = "same-content"  # the same from beginning to end, encoded again
    CHANGED = "changed"  # the same work with something cut, added or altered
    DIFFERENT = "different"
    UNKNOWN = "unknown"  # too little is sure, or too little was sent


@dataclass(frozen=True, slots=True)
class Delivered:
    """A file that was delivered: what its bytes hash to, what it says of itself, its codes."""

    sha256: str
    video: Mapping[str, Any]
    footage: Footage

    def written(self) -> bytes:
        """Return the document: one line of JSON, then the codes as they are.

        When it would be too long, the last windows are left out.
        """
        looks = self.footage.query
        shape = (0, 0) if looks is None else looks.shape[:2]
        fit = shape[1]
        most = MOST_BYTES - MOST_HEADER - self.footage.video.size - len(self.footage.audio)
        while fit > 1 and shape[0] * fit * CODE_BYTES > most:
            fit -= 1
        head = {
            "format": FORMAT, "version": VERSION, "sha256": self.sha256,
            "essence": self.footage.essence,
            "video": {name: self.video.get(name) for name in NAMES},
            "codes": len(self.footage.video), "looks": shape[0], "windows": fit,
            "audio": len(self.footage.audio) // 4,
        }  # fmt: skip
        through = b"" if looks is None else np.ascontiguousarray(looks[:, :fit]).tobytes()
        return b"".join([canonical.dumps(head), b"\n", self.footage.video.tobytes(), through,
                         self.footage.audio])  # fmt: skip


def read(document: bytes) -> Delivered:
    """Return what a document tells.

    Raises:
        BadFingerprint: it is none, of another version, or its lengths do not fit.
    """
    line, _, body = document.partition(b"\n")
    head = _head(line)
    codes, looks, windows, audio = (head[name] for name in ("codes", "looks", "windows", "audio"))
    sizes = (codes * CODE_BYTES, looks * windows * CODE_BYTES, audio * 4)
    if sum(sizes) != len(body) or (looks and abs(looks - PHASES * codes) > 1):
        raise BadFingerprint("The codes are not as long as the document says.")
    first, second = sizes[0], sizes[0] + sizes[1]
    video = np.frombuffer(body[:first], np.uint8).reshape(-1, CODE_BYTES)
    query = np.frombuffer(body[first:second], np.uint8).reshape(looks, windows, CODE_BYTES)
    footage = Footage(
        video=video, query=query if query.size else None, audio=body[second:],
        sha256=head["sha256"], essence=head["essence"],
    )  # fmt: skip
    return Delivered(head["sha256"], head["video"], footage)


def _head(line: bytes) -> dict[str, Any]:
    if len(line) > MOST_HEADER:
        raise BadFingerprint("The document does not begin with a line that tells what it is.")
    try:
        head = canonical.loads(line)
    except Refusal as unreadable:
        raise BadFingerprint("The first line of the document is not JSON.") from unreadable
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise BadFingerprint("The document is no fingerprint.", format=FORMAT)
    if head.get("version") != VERSION:
        raise BadFingerprint("The fingerprint is of another version.", version=VERSION)
    counts = [head.get(name) for name in ("codes", "looks", "windows", "audio")]
    told = _is_hash(head.get("sha256")) and isinstance(head.get("video"), dict)
    whole = all(type(count) is int and 0 <= count <= MOST_BYTES for count in counts)
    essence = head.get("essence")
    if not (told and whole and head["windows"] <= len(LOOKS)) or not (
        essence is None or _is_hash(essence)
    ):
        raise BadFingerprint("The first line of the document lacks something, or has too much.")
    return head


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def answer(related: Relation, delivered: Delivered, listed: Delivered) -> dict[str, Any]:
    """Return what a delivered file is to the listed work, as a canonical document.

    Args:
        related: how the delivered footage is related to the listed one.
        delivered: the file in question.
        listed: the master that is listed.
    """
    missing = _gaps([_there(one) for one in related.segments], listed.footage.length_ms)
    added = _gaps([_here(one) for one in related.segments], delivered.footage.length_ms)
    changes = _changes(related, missing, added)
    outcome = _outcome(related, changes, delivered, listed)
    told = outcome not in (Outcome.IDENTICAL, Outcome.DIFFERENT)
    shown = related.segments and told
    return {
        "outcome": outcome.value,
        "coverage_bp": related.coverage_there_bp,
        "confidence_bp": related.confidence_bp,
        "changes": changes if outcome is Outcome.CHANGED else [],
        "missing": [_span(*gap) for gap in missing] if shown else [],
        "added": [_span(*gap) for gap in added] if shown else [],
        "segments": [_segment(one) for one in related.segments] if shown else [],
        "technical": _technical(delivered.video, listed.video),
    }


def _outcome(
    related: Relation, changes: Sequence[str], delivered: Delivered, listed: Delivered
) -> Outcome:
    if delivered.sha256 == listed.sha256:
        return Outcome.IDENTICAL
    if related.kind is Related.SAME_FILE:
        return Outcome.SAME_PICTURE
    if related.kind is Related.UNRELATED:
        plain = not _says_much(delivered.footage)
        return Outcome.UNKNOWN if plain else Outcome.DIFFERENT
    if not related.sure:
        return Outcome.UNKNOWN
    return Outcome.CHANGED if changes else Outcome.SAME_CONTENT


def _says_much(footage: Footage) -> bool:
    """Tell whether there is picture enough to be recognised: three seconds that are not flat."""
    return int(footage.video.any(axis=1).sum()) >= 3 * RATE


def _changes(
    related: Relation, missing: Sequence[tuple[int, int]], added: Sequence[tuple[int, int]]
) -> list[str]:
    found = {
        "cut": bool(missing),
        "added": bool(added),
        "speed": any(map(_runs_otherwise, related.segments)),
        "mirrored": any(one.mirrored for one in related.segments),
        "upended": any(one.upended for one in related.segments),
        "sound": related.kind is Related.PICTURE_ONLY,
    }
    return [name for name, there in found.items() if there]


def _runs_otherwise(one: Segment) -> bool:
    drift = abs(one.slope_bp - WHOLE_BP) * one.length_ms // WHOLE_BP
    return drift > LEAST_DRIFT_MS


def _here(one: Segment) -> tuple[int, int]:
    return one.here_ms, one.here_ms + one.length_ms


def _there(one: Segment) -> tuple[int, int]:
    return one.there_ms, one.there_ms + one.length_ms * one.slope_bp // WHOLE_BP


def _gaps(spans: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Return what the spans leave out, from a second on."""
    gaps, reached = [], 0
    for start, end in [*sorted(spans), (length, length)]:
        if start - reached >= LEAST_MS:
            gaps.append((reached, start))
        reached = max(reached, end)
    return gaps


def _span(start: int, end: int) -> dict[str, int]:
    return {"from_ms": start, "length_ms": end - start}


def _segment(one: Segment) -> dict[str, Any]:
    """Return a stretch without its score, which would help to stay below it."""
    told = one.as_dict()
    return {name: told[name] for name in told if name not in ("score_x100", "window")}


def _technical(delivered: Mapping[str, Any], listed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is technically less than listed."""
    return [
        {"what": name, "listed": _said(listed.get(name)), "delivered": _said(delivered.get(name))}
        for name in NAMES
        if _less(name, delivered.get(name), listed.get(name))
    ]


def _said(value: Any) -> str | None:
    if isinstance(value, dict):
        return f"{value.get('num')}/{value.get('den')}"
    return None if value is None else str(value)


def _less(name: str, delivered: Any, listed: Any) -> bool:
    if delivered is None or listed is None or delivered == listed:
        return False
    try:
        if name in ("width", "height", "bit_depth"):
            return int(delivered) < int(listed)
        if name == "rate":
            one, other = (Fraction(rate["num"], rate["den"]) for rate in (delivered, listed))
            return one < other
        if name == "sampling":
            return SAMPLINGS.index(delivered) < SAMPLINGS.index(listed)
    except (TypeError, ValueError, KeyError, ZeroDivisionError):
        return False
    if name == "transfer":
        return listed in HDR and delivered not in HDR
    return name == "primaries" and listed == "bt2020"
