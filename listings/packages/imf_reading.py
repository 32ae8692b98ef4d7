"""Checks a whole IMF package: reads its documents, hashes its files, looks into its track files."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import anyio.to_thread

from listings.masters import store
from listings.masters.gateway import Sandbox
from listings.packages import gateway, imf, imf_checks, markup
from listings.packages.faults import ERROR, Fault
from listings.packages.imf import AssetMap, Composition, PackingList
from listings.packages.imf_checks import Essence
from listings.packages.markup import BadMarkup

ASSETMAP = "ASSETMAP.xml"
VOLINDEX = "VOLINDEX.xml"  # ST 429-9 §8: says which volume this is; nothing hangs on it
# SMPTE ST 377-1 §7.1: the key of a header partition pack, up to its kind.
PARTITION = bytes.fromhex("060e2b34020501010d0102010102")
MOST_FILES = 2000
MOST_TRACK_FILES = 500


class Source(Protocol):
    """The files of a package by their paths in it; every call blocks, so callers use a thread."""

    def sizes(self) -> Mapping[str, int]:
        """Return each file with its size."""
        ...

    def local(self, path: str) -> Path:
        """Return a file of this machine that holds it."""
        ...


class Folder:
    """A package that lies in a folder; what links lead out of it is not there."""

    def __init__(self, root: Path) -> None:
        """Use the folder."""
        self.root = root.resolve()

    def sizes(self) -> Mapping[str, int]:
        """See `Source`."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and path.resolve().is_relative_to(self.root):
                found[path.relative_to(self.root).as_posix()] = path.stat().st_size
            if len(found) >= MOST_FILES:
                break
        return found

    def local(self, path: str) -> Path:
        """See `Source`."""
        return self.root / path


@dataclass
class Report:
    """What was found: the documents, the files with their roles, the faults."""

    package: UUID | None = None
    files: dict[str, str] = field(default_factory=dict)  # path → role
    compositions: list[Composition] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong but what is only a warning."""
        return not any(fault.severity == ERROR for fault in self.faults)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON: integers and text alone."""
        return {
            "ok": self.is_good,
            "package": self.package and str(self.package),
            "files": dict(sorted(self.files.items())),
            "compositions": [_told(one) for one in self.compositions],
            "pictures": list(self.pictures),
            "faults": [fault.as_dict() for fault in self.faults],
        }


async def examine(source: Source, sandbox: Sandbox) -> Report:
    """Check a package from its asset map down to its track files."""
    reading = _Reading(source, sandbox)
    await reading.run()
    return reading.report


class _Reading:
    """One check on its way."""

    def __init__(self, source: Source, sandbox: Sandbox) -> None:
        self.source, self.sandbox, self.report = source, sandbox, Report()
        self.sizes: Mapping[str, int] = {}
        self.paths: dict[UUID, str] = {}

    async def run(self) -> None:
        self.sizes = await anyio.to_thread.run_sync(self.source.sizes)
        mapped = await self._map()
        if mapped is None:
            return
        self.paths = {asset.id: asset.path for asset in mapped.assets}
        packed = await self._packing_lists(mapped)
        await self._files(packed)
        await self._compositions(packed)
        await self._essence()
        self._strangers(mapped, packed)

    def say(self, faults: Iterator[Fault] | Sequence[Fault]) -> bool:
        """Take down faults; tell whether there were none."""
        found = list(faults)
        self.report.faults += found
        return not found

    async def _map(self) -> AssetMap | None:
        named = next((path for path in self.sizes if path.lower() == ASSETMAP.lower()), None)
        if named is None:
            self.say([Fault("assetmap-missing", ASSETMAP)])
            return None
        try:
            found = imf.asset_map(await self._document(named))
        except BadMarkup as wrong:
            self.say([Fault("assetmap-unreadable", named, {"why": str(wrong)})])
            return None
        self.report.package, self.report.files[named] = found.id, "assetmap"
        self.say(imf_checks.check_map(found))
        unsafe = any(fault.code == "path-unsafe" for fault in self.report.faults)
        return None if unsafe else found

    async def _packing_lists(self, mapped: AssetMap) -> list[PackingList]:
        found = []
        for asset in mapped.assets:
            if not asset.is_packing_list:
                continue
            if asset.path not in self.sizes:
                self.say([Fault("file-missing", asset.path)])
                continue
            try:
                packed = imf.packing_list(await self._document(asset.path))
            except BadMarkup as wrong:
                self.say([Fault("packing-list-unreadable", asset.path, {"why": str(wrong)})])
                continue
            self.report.files[asset.path] = "packing-list"
            self._same_id(asset.path, wanted=asset.id, found=packed.id)
            self.say(imf_checks.check_packing(asset.path, packed, mapped, self.sizes))
            found.append(packed)
        return found

    async def _files(self, packed: Sequence[PackingList]) -> None:
        """Hash each packed file whose size is right; a wrong size says it already."""
        for asset in (asset for one in packed for asset in one.assets):
            path = self.paths.get(asset.id)
            if path is None or self.sizes.get(path) != asset.size:
                continue
            self.report.files.setdefault(path, "other")
            digest = asset.algorithm and await anyio.to_thread.run_sync(
                _digest, self.source, path, asset.size, asset.algorithm
            )
            self.say(imf_checks.check_digest(path, asset, digest))

    async def _compositions(self, packed: Sequence[PackingList]) -> None:
        for asset in (asset for one in packed for asset in one.assets):
            path = self.paths.get(asset.id)
            if path is None or path not in self.sizes or not asset.media_type.endswith("xml"):
                continue
            content = await self._document(path)
            if not imf.is_composition(content):
                continue
            self.report.files[path] = "composition"
            try:
                found = imf.composition(content)
            except BadMarkup as wrong:
                self.say([Fault("composition-unreadable", path, {"why": str(wrong)})])
                continue
            self._same_id(path, wanted=asset.id, found=found.id)
            self.say(imf_checks.check_composition(path, found))
            self.report.compositions.append(found)
        if "composition" not in self.report.files.values():
            self.say([Fault("composition-missing", ASSETMAP)])

    async def _essence(self) -> None:
        """Look into every track file that is played, once."""
        seen: dict[str, Essence] = {}
        for found in self.report.compositions:
            for file_id, track, _ in imf_checks.played(found):
                path = self.paths.get(file_id, "")
                if path not in self.sizes or path in seen or len(seen) >= MOST_TRACK_FILES:
                    continue
                seen[path] = await self._look(path)
                self.report.files[path] = track.kind
                if track.kind == "picture":
                    self.report.pictures.append(path)
            where = self.paths.get(found.id, str(found.id))
            self.say(imf_checks.check_essence(where, found, self.paths, seen))

    async def _look(self, path: str) -> Essence:
        local = await anyio.to_thread.run_sync(self.source.local, path)
        head = await anyio.to_thread.run_sync(_head, local)
        if not head.startswith(PARTITION):
            return Essence("unreadable", None, is_mxf=False)
        found = await gateway.streams(local, self.sandbox)
        streams = [one for one in (found or {"streams": []})["streams"] if one["kind"] != "other"]
        if not streams:
            return Essence("unreadable", None, is_mxf=True)
        first = next((one for one in streams if one["kind"] == "picture"), streams[0])
        return Essence(first["kind"], gateway.seconds(first), is_mxf=True)

    def _strangers(self, mapped: AssetMap, packed: Sequence[PackingList]) -> None:
        listed = {asset.id for one in packed for asset in one.assets}
        for asset in mapped.assets:
            if asset.id not in listed and not asset.is_packing_list:
                self.say([Fault("not-packed", asset.path)])
        ours = {asset.path for asset in mapped.assets} | set(self.report.files)
        for path in self.sizes:
            if path not in ours and path.upper() != VOLINDEX.upper() and path[:1] != ".":
                self.say([Fault("not-in-package", path)])

    def _same_id(self, path: str, *, wanted: UUID, found: UUID) -> None:
        if wanted != found:
            self.say([Fault("id-differs", path, {"wanted": str(wanted), "found": str(found)})])

    async def _document(self, path: str) -> bytes:
        """Return the bytes of a document; one that is too long is cut, and so refused."""
        local = await anyio.to_thread.run_sync(self.source.local, path)
        return await anyio.to_thread.run_sync(_head, local, markup.MOST_BYTES + 1)


def _head(path: Path, most: int = 16) -> bytes:
    with path.open("rb") as file:
        return file.read(most)


def _digest(source: Source, path: str, size: int, algorithm: str) -> str:
    hashed = hashlib.new(algorithm, usedforsecurity=False)
    for piece in store.pieces(source.local(path), 0, size):
        hashed.update(piece)
    return base64.b64encode(hashed.digest()).decode("ascii")


def _told(found: Composition) -> dict[str, Any]:
    length = sum(max((track.seconds for track in segment), default=0) for segment in found.segments)
    return {
        "id": str(found.id),
        "title": found.title,
        "edit_rate": f"{found.edit_rate.numerator}/{found.edit_rate.denominator}",
        "app_2e": found.app_2e,
        "duration_ms": int(length * 1000),
        "segments": len(found.segments),
    }
