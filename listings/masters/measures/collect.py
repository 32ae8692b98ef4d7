"""Puts the measures of a file's pieces together: parts merge in any order and grouping (pure).

A piece gives a `Part` by `part_of`; `merged` joins parts, in any order and grouping, to the same
one; `measures` makes the plain dict of integers that is judged and kept.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from listings.masters.measures import active, detail, flashes, full, levels, motion, pictures
from listings.masters.measures.active import Used
from listings.masters.measures.flashes import Series
from listings.masters.measures.full import Frames
from listings.masters.measures.motion import Motion
from listings.masters.measures.samples import Luma, Numbers, Patches, Samples, Strobe

Found = dict[str, Any]
Piece = TypeVar("Piece", Motion, Series)


@dataclass(frozen=True, slots=True)
class Part:
    """What one piece of a file, or several, gave.

    Pictures and patches are in the order of time, and so are `moving` and `flashing`: stretches
    without a gap, of which those that touch are one.
    """

    frames: int = 0
    decode_errors: int = 0
    depth: int = 8
    pictures: tuple[Found, ...] = ()
    codes: Numbers | None = None
    used: Used | None = None
    patches: tuple[Found, ...] = ()
    moving: tuple[Motion, ...] = ()
    flashing: tuple[Series, ...] = ()
    every_frame: Frames | None = None


def part_of(
    *,
    frames: int,
    decode_errors: int,
    luma: Luma,
    samples: Samples | None = None,
    patches: Patches | None = None,
    strobe: Strobe | None = None,
    every_frame: Iterable[str] = (),
) -> Part:
    """Measure one piece.

    Args:
        frames: pictures decoded.
        decode_errors: faults that the decoder told.
        luma: ten small pictures a second; the file's number n is that of 100 n milliseconds.
        samples: one decimated picture a second.
        patches: one crop every five seconds.
        strobe: every frame, small; without it flashes are not measured.
        every_frame: the lines that `full.filters` made ffmpeg write (tier `full`).
    """
    seen = full.read(every_frame)
    return Part(
        frames,
        decode_errors,
        samples.coding.depth if samples else 8,
        tuple(pictures.pictures_of(samples)) if samples else (),
        pictures.histogram_of(samples) if samples else None,
        active.used_in(samples) if samples else None,
        tuple(detail.patches_of(patches)) if patches else (),
        (motion.motion_of(luma),) if len(luma.pictures) else (),
        (flashes.series_of(strobe),) if strobe and len(strobe.planes) else (),
        seen if seen.count else None,
    )


def merged(parts: Iterable[Part]) -> Part:
    """Return all parts as one, whatever their order."""
    out = Part()
    for part in parts:
        out = _both(out, part)
    return out


def measures(part: Part, *, tier: str, sound: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what was measured of a whole file: integers, lists and None (not measured)."""
    seen, patches = list(part.pictures), list(part.patches)
    return {
        "tier": tier,
        "frames": part.frames,
        "decode_errors": part.decode_errors,
        **_stretches(part),
        "interlaced_bp": full.interlaced_bp(part.every_frame) if part.every_frame else None,
        "pictures": seen,
        "patches": patches,
        **_flashes(part),
        "active": active.active_bp(part.used),
        "wide_pictures_bp": _share(map(pictures.is_wide, seen)),
        "hdr_pictures_bp": _share(map(pictures.is_bright, seen)),
        "upscaled_bp": detail.upscaled_bp(patches),
        "real_bits": None if part.codes is None else levels.real_bits(part.codes, part.depth),
        "every_frame": full.summary(part.every_frame) if part.every_frame else None,
        "sound": [dict(each) for each in sound],
    }


def _both(one: Part, other: Part) -> Part:
    return Part(
        one.frames + other.frames,
        one.decode_errors + other.decode_errors,
        max(one.depth, other.depth),
        _in_order(one.pictures + other.pictures),
        _added(one.codes, other.codes),
        active.joined(one.used, other.used),
        _in_order(one.patches + other.patches),
        _coalesced(one.moving + other.moving, motion.joined),
        _coalesced(one.flashing + other.flashing, flashes.joined),
        _frames(one.every_frame, other.every_frame),
    )


def _in_order(found: tuple[Found, ...]) -> tuple[Found, ...]:
    return tuple(sorted(found, key=lambda each: int(each["at_ms"])))


def _added(one: Numbers | None, other: Numbers | None) -> Numbers | None:
    if one is None or other is None:
        return other if one is None else one
    return np.asarray(one + other)


def _frames(one: Frames | None, other: Frames | None) -> Frames | None:
    if one is None or other is None:
        return one or other
    return full.joined(one, other)


def _coalesced(
    pieces: tuple[Piece, ...], joined: Callable[[Piece, Piece], Piece]
) -> tuple[Piece, ...]:
    """Return the pieces in the order of time, those that follow without a gap as one."""
    out: list[Piece] = []
    for piece in sorted(pieces, key=lambda each: each.first):
        if out and out[-1].end == piece.first:
            out[-1] = joined(out[-1], piece)
        else:
            out.append(piece)
    return tuple(out)


def _stretches(part: Part) -> dict[str, Any]:
    """Return what is black and what stands still: by every frame, else by the small pictures."""
    temporal = motion.temporal_x100(part.moving)
    if part.every_frame is not None:
        black, freeze = full.black_ms(part.every_frame), full.freeze_ms(part.every_frame)
    else:
        black, freeze = motion.black_ms(part.moving), motion.freeze_ms(part.moving)
    seen = bool(part.moving) or part.every_frame is not None
    return {
        "black_ms": black if seen else None,
        "freeze_ms": freeze if seen else None,
        "ti_x100": temporal,
    }


def _flashes(part: Part) -> dict[str, Any]:
    names = {"flash_ms": flashes.flash_ms, "red_flash_ms": flashes.red_flash_ms}
    return {name: find(part.flashing) if part.flashing else None for name, find in names.items()}


def _share(flags: Iterable[bool | None]) -> int | None:
    """Return the share that is so in basis points; None where one is not known."""
    known = list(flags)
    if not known or None in known:
        return None
    return known.count(True) * 10_000 // len(known)
