"""How two clips are related: which seconds of one are which of the other, how sure (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np

from listings.masters import alignment, sound
from listings.masters.alignment import DOUBTFUL, SURE, Alignment
from listings.masters.fingerprint import PHASES, RATE, Luma
from listings.masters.sound import Sounds

WHOLE_BP = 10_000
# Of a clip, found in stretches that leave out so little, all is found: fades at the ends, black and
# the second before and after a cut say nothing.
WHOLLY_BP, EDGE_MS = 9_000, 1_000
MOSTLY_BP = 5_000
SEAM_MS = 400  # stretches that go on so exactly are one
OTHER_SOUND_BP = 4_000  # unrelated sound differs in 5,000; echo and coarse coding stay below 3,300
# How sure a score makes, from tests/benchmarks/data/robust_scores.csv: of the pairs of one set that
# reached it, the share that were copies. The others showed the same place by the same camera.
CONFIDENCE = ((0.0, 0), (DOUBTFUL, 5_000), (SURE, 9_900), (22.0, 9_990))


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
        pitched: the same of the sound played faster or slower, by the factor (25/24, 24/25).
        sha256: of the file (hex), when known.
        essence: sha-256 of the coded picture stream (hex), when known.
    """

    video: Luma
    query: Luma | None = None
    audio: bytes = b""
    sha256: str | None = None
    essence: str | None = None
    pitched: Mapping[float, bytes] = field(default_factory=dict)

    @property
    def length_ms(self) -> int:
        """How long the picture lasts."""
        return len(self.video) * 1000 // RATE


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
    if _same(here, there):
        return _whole(here)
    picture = _picture(here, there, near)
    if picture:
        return _judged(_kind(picture, here, there), picture, here, there)
    heard = sound.stretches(here.audio, there.audio, pitched=tuple(here.pitched.items()))
    if heard:
        return _judged(Related.SOUND_ONLY, [_heard(one) for one in heard], here, there)
    return Relation(Related.UNRELATED, (), 0, 0, 0, sure=False)


def confidence_bp(score: float) -> int:
    """Return how sure a score makes, in basis points; see `CONFIDENCE`."""
    scores, sure = zip(*CONFIDENCE, strict=True)
    return round(float(np.interp(score, scores, sure)))


def _same(here: Footage, there: Footage) -> bool:
    bytes_equal = here.sha256 is not None and here.sha256 == there.sha256
    return bytes_equal or (here.essence is not None and here.essence == there.essence)


def _whole(here: Footage) -> Relation:
    alike = Segment(
        here_ms=0, there_ms=0, length_ms=here.length_ms, slope_bp=WHOLE_BP, mirrored=False,
        upended=False, window=0, score_x100=0, confidence_bp=WHOLE_BP,
        sound_bp=0 if here.audio else None,
    )  # fmt: skip
    return Relation(Related.SAME_FILE, (alike,), WHOLE_BP, WHOLE_BP, WHOLE_BP, sure=True)


def _picture(here: Footage, there: Footage, near: Sequence[Near]) -> list[Segment]:
    """Return the stretches of picture by where they start here, those that go on joined."""
    query = here.query
    if query is None:
        query = np.repeat(here.video[:, None], PHASES, axis=0)
    lines = [(one.slope_bp / WHOLE_BP, one.offset_ms * RATE / 1000) for one in near]
    found = alignment.stretches(query, there.video, near=lines)
    joined: list[Segment] = []
    for one in sorted((_seen(one, here, there) for one in found), key=lambda one: one.here_ms):
        if joined and _goes_on(joined[-1], one):
            joined[-1] = _joined(joined[-1], one)
        else:
            joined.append(one)
    return joined


def _seen(found: Alignment, here: Footage, there: Footage) -> Segment:
    span = (found.here_ms, found.there_ms, found.length_ms)
    return Segment(
        here_ms=found.here_ms,
        there_ms=found.there_ms,
        length_ms=found.length_ms,
        slope_bp=round(found.slope * WHOLE_BP),
        mirrored=found.mirrored,
        upended=found.upended,
        window=found.window,
        score_x100=round(found.score * 100),
        confidence_bp=confidence_bp(found.score),
        sound_bp=sound.along_bp(here.audio, there.audio, span=span, slope=found.slope),
    )


def _heard(found: Sounds) -> Segment:
    return Segment(
        here_ms=found.here_ms,
        there_ms=found.there_ms,
        length_ms=found.length_ms,
        slope_bp=round(found.slope * WHOLE_BP),
        mirrored=False,
        upended=False,
        window=None,
        score_x100=round(found.evidence * 100),
        confidence_bp=MOSTLY_BP,
        sound_bp=round(found.distance * WHOLE_BP),
    )


def _ends(one: Segment) -> tuple[int, int]:
    """Return where a stretch ends, here and there."""
    return (
        one.here_ms + one.length_ms,
        one.there_ms + one.length_ms * one.slope_bp // WHOLE_BP,
    )


def _goes_on(one: Segment, after: Segment) -> bool:
    """Tell whether the second stretch goes on where the first ends, as if nothing were between."""
    end, place = _ends(one)
    turned = (one.mirrored, one.upended) == (after.mirrored, after.upended)
    gap = after.here_ms - end
    expected = place + gap * one.slope_bp // WHOLE_BP
    return turned and gap <= EDGE_MS and abs(after.there_ms - expected) <= SEAM_MS


def _joined(one: Segment, after: Segment) -> Segment:
    """Return one stretch in place of two; it is as sure as the surer."""
    surer = max(one, after, key=lambda part: part.score_x100)
    end, place = _ends(after)
    length = end - one.here_ms
    slope = (place - one.there_ms) * WHOLE_BP // max(1, length)
    return replace(
        surer, here_ms=one.here_ms, there_ms=one.there_ms, length_ms=length, slope_bp=slope
    )


def _kind(found: Sequence[Segment], here: Footage, there: Footage) -> Related:
    heard = [one.sound_bp for one in found if one.sound_bp is not None]
    if heard and min(heard) > OTHER_SOUND_BP:
        return Related.PICTURE_ONLY
    covered = _coverage(found, here, there)
    lengths = (here.length_ms, there.length_ms)
    here_all, there_all = (
        share >= WHOLLY_BP or length * (WHOLE_BP - share) // WHOLE_BP <= EDGE_MS
        for share, length in zip(covered, lengths, strict=True)
    )
    cut = len(found) > 1
    if here_all and there_all:
        return Related.COPY
    if cut and min(covered) >= MOSTLY_BP:
        return Related.VERSIONS
    return Related.CONTAINS if there_all else Related.EXCERPT


def _coverage(found: Sequence[Segment], here: Footage, there: Footage) -> tuple[int, int]:
    """Return the shares of both clips that the stretches cover."""
    ends = [_ends(one) for one in found]
    ours = [(one.here_ms, end[0]) for one, end in zip(found, ends, strict=True)]
    theirs = [(one.there_ms, end[1]) for one, end in zip(found, ends, strict=True)]
    return _share(ours, here.length_ms), _share(theirs, there.length_ms)


def _share(spans: Sequence[tuple[int, int]], length: int) -> int:
    covered, reached = 0, 0
    for start, end in sorted(spans):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return min(WHOLE_BP, covered * WHOLE_BP // max(1, length))


def _judged(kind: Related, found: Sequence[Segment], here: Footage, there: Footage) -> Relation:
    covered = _coverage(found, here, there)
    best = max(one.score_x100 for one in found)
    return Relation(
        kind=kind,
        segments=tuple(found),
        coverage_here_bp=covered[0],
        coverage_there_bp=covered[1],
        confidence_bp=max(one.confidence_bp for one in found),
        sure=kind is not Related.SOUND_ONLY and best >= SURE * 100,
    )
