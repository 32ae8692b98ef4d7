"""How two clips are related: which seconds of one are which of the other, how sure (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from listings.masters.fingerprint import Luma

WHOLE_BP = 10_000


class Related(StrEnum):
    """What one clip ("here", the one in question) is to another ("there", the listed one)."""

    SAME_FILE = "same-file"  # the same bytes, or the same coded picture in another wrapper
    COPY = "copy"  # all of here is all of there
    EXCERPT = "excerpt"  # a part of there is in here, alone or among other content
    CONTAINS = "contains"  # all of there is in here, with more around it
    VERSIONS = "versions"  # several parts of both agree: a re-edit, a longer or shorter cut
    PICTURE_ONLY = "picture-only"  # the picture is there's, the sound under it is another
    SOUND_ONLY = "sound-only"  # the sound is there's, the picture is another
    UNRELATED = "unrelated"


@dataclass(frozen=True, slots=True)
class Footage:
    """What is known of a clip.

    Attributes:
        video: uint8 (frames, 40): the stored codes, five a second.
        query: uint8 (2 x frames, windows, 40), ten a second; needed of the clip in question alone.
        audio: raw Chromaprint numbers of the first sound track, little-endian; empty if silent.
        sha256: of the file (hex), when known.
        essence: sha-256 of the coded picture stream (hex), when known.
    """

    video: Luma
    query: Luma | None = None
    audio: bytes = b""
    sha256: str | None = None
    essence: str | None = None


@dataclass(frozen=True, slots=True)
class Near:
    """Where a search has seen the clip: there = slope x here + offset."""

    offset_ms: int
    slope_bp: int = WHOLE_BP


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of `here` that is found `there`.

    Attributes:
        here_ms: where it starts in the clip in question.
        there_ms: where it starts in the listed clip.
        length_ms: how long it is in the clip in question.
        slope_bp: how fast it runs: 10,000 as listed, 10,400 is four per cent faster.
        mirrored: left and right are exchanged.
        upended: top and bottom are exchanged.
        window: the number of the window it was seen through (`fingerprint.VIEWS`); None for sound.
        score_x100: the evidence.
        confidence_bp: how sure, from the measured error curves.
        sound_bp: how much of the sound differs along it; None when either is silent there.
    """

    here_ms: int
    there_ms: int
    length_ms: int
    slope_bp: int
    mirrored: bool
    upended: bool
    window: int | None
    score_x100: int
    confidence_bp: int
    sound_bp: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as integers and names."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Relation:
    """How two clips are related.

    Attributes:
        kind: what here is to there.
        segments: the stretches of picture, by where they start here; of sound when sound-only.
        coverage_here_bp: the share of here that is found there.
        coverage_there_bp: the share of there that is found here.
        confidence_bp: of the surest stretch.
        sure: above the threshold at which no unrelated clip was ever seen; otherwise doubtful.
    """

    kind: Related
    segments: tuple[Segment, ...]
    coverage_here_bp: int
    coverage_there_bp: int
    confidence_bp: int
    sure: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as a canonical document: integers and names only."""
        return {
            "kind": self.kind.value,
            "segments": [segment.as_dict() for segment in self.segments],
            "coverage_here_bp": self.coverage_here_bp,
            "coverage_there_bp": self.coverage_there_bp,
            "confidence_bp": self.confidence_bp,
            "sure": self.sure,
        }


def relate(here: Footage, there: Footage, *, near: Sequence[Near] = ()) -> Relation:
    """Return how `here` is related to `there`.

    Args:
        here: the clip in question; without `query` its stored codes alone are looked at.
        there: the listed clip.
        near: where a search has seen it: only those lines are looked at, in milliseconds of work.
    """
    if here.sha256 and here.sha256 == there.sha256:
        return Relation(Related.SAME_FILE, (), WHOLE_BP, WHOLE_BP, WHOLE_BP, sure=True)
    if here.essence and here.essence == there.essence:
        return Relation(Related.SAME_FILE, (), WHOLE_BP, WHOLE_BP, WHOLE_BP, sure=True)
    raise NotImplementedError(near)
