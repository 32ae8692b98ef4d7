"""What an IMF package must keep to: the documents among themselves and against the files (pure).

Source: SMPTE ST 2067-2 §7, ST 2067-3 §6 and ST 2067-21 §8; the checks are those that a receiver of
a master needs, not the whole of the standards (Photon looks further into the essence).
"""

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from listings.packages.faults import Fault
from listings.packages.imf import AssetMap, Composition, Packed, PackingList, Resource, Track


@dataclass(frozen=True, slots=True)
class Essence:
    """What a reader saw in a track file: the kind of its essence, how long it is, in what steps."""

    kind: str  # picture, sound, other; or unreadable
    seconds: Fraction | None
    is_mxf: bool


def check_map(found: AssetMap) -> Iterator[Fault]:
    """Yield what is wrong with an asset map by itself."""
    for asset in found.assets:
        if not is_inside(asset.path):
            yield Fault("path-unsafe", asset.path[:300])
        if asset.chunks > 1:
            yield Fault("chunks-many", asset.path[:300], {"chunks": asset.chunks})
    for asset_id, count in Counter(asset.id for asset in found.assets).items():
        if count > 1:
            yield Fault("id-twice", str(asset_id))
    if not any(asset.is_packing_list for asset in found.assets):
        yield Fault("packing-list-missing", "ASSETMAP.xml")


def is_inside(path: str) -> bool:
    """Tell whether a path stays in the package."""
    bad = "\\" in path or "\x00" in path or "://" in path or path.startswith("/")
    return not bad and bool(path) and posixpath.normpath(path) == path and path[:2] != ".."


def check_packing(
    where: str, packed: PackingList, mapped: AssetMap, sizes: Mapping[str, int | None]
) -> Iterator[Fault]:
    """Yield what is wrong with a packing list against the map and the sizes of the files.

    Hashes are checked where the files are read, see `check_digest`.
    """
    paths = {asset.id: asset.path for asset in mapped.assets}
    for asset in packed.assets:
        path = paths.get(asset.id)
        if path is None:
            yield Fault("not-mapped", where, {"id": str(asset.id)})
        elif sizes.get(path) is None:
            yield Fault("file-missing", path)
        elif sizes[path] != asset.size:
            yield Fault("size-differs", path, {"wanted": asset.size, "found": sizes[path]})


def check_digest(path: str, asset: Packed, digest: str | None) -> Iterator[Fault]:
    """Yield a fault when a file (Base64 of its hash) is not the one that was packed."""
    if asset.algorithm is None:
        yield Fault("hash-unknown", path)
    elif digest is not None and digest != asset.digest:
        yield Fault(
            "hash-differs", path,
            {"algorithm": asset.algorithm, "wanted": asset.digest[:100], "found": digest},
        )  # fmt: skip


def check_composition(where: str, found: Composition) -> Iterator[Fault]:
    """Yield what is wrong with a composition by itself."""
    if found.app_2e is None:
        yield Fault("application-missing", where, {"found": list(found.applications)[:10]})
    if not found.segments:
        yield Fault("segments-missing", where)
        return
    first = {(track.track, track.kind) for track in found.segments[0]}
    for number, segment in enumerate(found.segments, start=1):
        if not any(track.kind == "picture" for track in segment):
            yield Fault("picture-missing", where, {"segment": number})
        if {(track.track, track.kind) for track in segment} != first:
            yield Fault("tracks-differ", where, {"segment": number})
        yield from _check_segment(where, number, segment, found)


def _check_segment(
    where: str, number: int, segment: Sequence[Track], found: Composition
) -> Iterator[Fault]:
    lengths = {track.seconds for track in segment if track.kind != "other"}
    if len(lengths) > 1:
        told = [_ms(seconds) for seconds in sorted(lengths)]
        yield Fault("durations-differ", where, {"segment": number, "milliseconds": told})
    if any((seconds * found.edit_rate).denominator != 1 for seconds in lengths):
        yield Fault("duration-not-whole", where, {"segment": number})
    for track in segment:
        for resource in track.resources:
            yield from _check_resource(where, track, resource, found)


def _check_resource(
    where: str, track: Track, resource: Resource, found: Composition
) -> Iterator[Fault]:
    told = {"resource": str(resource.id)}
    if resource.entry + resource.duration > resource.intrinsic:
        yield Fault("duration-beyond", where, told)
    if not resource.duration * resource.repeat:
        yield Fault("duration-empty", where, told)
    if track.kind == "picture" and resource.edit_rate != found.edit_rate:
        rates = {"wanted": _said(found.edit_rate), "found": _said(resource.edit_rate)}
        yield Fault("edit-rate-differs", where, {**told, **rates})
    if resource.track_file and resource.source_encoding not in found.encodings:
        yield Fault("encoding-missing", where, told)


def check_essence(
    where: str, found: Composition, paths: Mapping[UUID, str], seen: Mapping[str, Essence]
) -> Iterator[Fault]:
    """Yield what is wrong with the track files that a composition plays."""
    for file_id, track, resource in played(found):
        path = paths.get(file_id)
        if path is None:
            yield Fault("track-file-missing", where, {"id": str(file_id)})
        elif path in seen:
            yield from _check_track_file(path, seen[path], track, resource)


def _check_track_file(
    path: str, essence: Essence, track: Track, resource: Resource
) -> Iterator[Fault]:
    if not essence.is_mxf:
        yield Fault("track-file-not-mxf", path)
    elif essence.kind == "unreadable":
        # Timed text (ST 2067-2 §5.4) is an MXF that the readers of pictures do not know.
        if track.kind in ("picture", "sound"):
            yield Fault("track-file-unreadable", path)
    elif track.kind in ("picture", "sound") and essence.kind != track.kind:
        yield Fault("track-file-other", path, {"wanted": track.kind, "found": essence.kind})
    elif essence.seconds is not None:
        wanted = resource.intrinsic / resource.edit_rate
        if abs(wanted - essence.seconds) >= 1 / min(resource.edit_rate, Fraction(1000)):
            told = {"wanted_ms": _ms(wanted), "found_ms": _ms(essence.seconds)}
            yield Fault("track-file-duration", path, told)


def played(found: Composition) -> Iterator[tuple[UUID, Track, Resource]]:
    """Yield each track file that a composition plays, once, with the track that plays it."""
    known = set()
    for segment in found.segments:
        for track in segment:
            for resource in track.resources:
                if resource.track_file is not None and resource.track_file not in known:
                    known.add(resource.track_file)
                    yield resource.track_file, track, resource


def _ms(seconds: Fraction) -> int:
    return int(seconds * 1000)


def _said(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}"
