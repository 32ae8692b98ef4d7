"""Scan files: the codes of a run of entries, laid out for the scan, written once and checked.

A file is derived from rows and may be lost at any time. It gets its name only when it is whole and
on disk; a header and a checksum of every 64 MiB tell one that was cut off or changed. It ends with
the chain of its last entry, so that a file of another database, or of rows that were restored to an
earlier day, is not taken for this one's.

    header (64 KiB: magic, JSON, checksum) | codes as they are | segments | starts | planes
"""

import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from listings.index import scan
from listings.index.rules import Minute
from listings.index.scan import Grouped, Ints
from listings.masters.fingerprint import STATIC_BYTES, VERSION

MAGIC = b"uhdx scan 1\n"
HEADER_BYTES = 1 << 16
CHECKED_BYTES = 1 << 26
GROUPED_AT_ONCE = 1 << 22  # codes; groups end there, which costs nothing
SUFFIX = ".scan"


class Damaged(Exception):
    """A scan file is not whole, not unchanged, or not of this version."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a scan file holds: entries `first` to `last`, whose chain ends with `chain` (hex)."""

    version: str
    first: int
    last: int
    chain: str
    codes: int
    segments: int
    groups: int
    checks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """An open scan file. `segments` is what `scan.locate` takes."""

    path: Path
    header: Header
    grouped: Grouped
    segments: Ints


def name(first: int, last: int) -> str:
    """Return the name of the file of some entries."""
    return f"{VERSION}-{first:012d}-{last:012d}{SUFFIX}"


def write(
    folder: Path,
    *,
    first: int,
    last: int,
    chain: bytes,
    minutes: Iterable[Minute],
    threads: Executor,
) -> Path:
    """Write the file of some entries, and give it its name once it is on disk.

    Args:
        folder: where scan files are.
        first: the first entry.
        last: the last entry.
        chain: at the last entry.
        minutes: their segments, in the order of entry and number.
        threads: where checksums are made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".new")
    try:
        with os.fdopen(handle, "w+b") as file:
            segments = _write_codes(file, minutes)
            groups = _write_groups(file, segments)
            codes = _codes(segments)
            header = Header(VERSION, first, last, chain.hex(), codes, len(segments), groups)
            file.flush()
            checks = tuple(_checksums(file.fileno(), _ends(header)[-1], threads))
            file.seek(0)
            file.write(_sealed(replace(header, checks=checks)))
            file.flush()
            os.fsync(file.fileno())
        path = folder / name(first, last)
        Path(temporary).rename(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    _sync(folder)
    return path


def read(path: Path, *, threads: Executor) -> Part:
    """Open a scan file and check all of it.

    Raises:
        Damaged: it is not what was written, or not there.
    """
    try:
        with path.open("rb") as file:
            header = _header(file.read(HEADER_BYTES))
            ends = _ends(header)
            if os.fstat(file.fileno()).st_size != ends[-1]:
                raise Damaged(f"{path.name} is not as long as it says")
            if tuple(_checksums(file.fileno(), ends[-1], threads)) != header.checks:
                raise Damaged(f"{path.name} was changed")
    except OSError as error:
        raise Damaged(f"{path.name} cannot be read") from error
    whole = np.memmap(path, np.uint8, "r")
    rows, segments, starts, planes = (np.asarray(whole[start:end]) for start, end in pairwise(ends))
    return Part(
        path,
        header,
        Grouped(
            rows.view(np.uint64).reshape(-1, 4),
            starts.view(np.uint32)[: header.groups + 1],
            planes.view(np.uint64).reshape(4, -1),
        ),
        segments.view(np.int64).reshape(-1, 4),
    )


def _write_codes(file: BinaryIO, minutes: Iterable[Minute]) -> Ints:
    """Write the codes behind the header; return the table of segments."""
    file.seek(HEADER_BYTES)
    found, place = [], 0
    for minute in minutes:
        found.append((place, minute.entry, minute.seg, minute.kept))
        place += file.write(minute.codes) // STATIC_BYTES
    return np.array(found, np.int64).reshape(-1, 4)


def _write_groups(file: BinaryIO, segments: Ints) -> int:
    """Write segments, starts and planes; return how many groups there are."""
    codes = _codes(segments)
    file.write(segments.tobytes())
    file.flush()
    rows = _mapped(file, codes)
    pieces = [
        (at, *scan.groups_of(rows[at : at + GROUPED_AT_ONCE]))
        for at in range(0, codes, GROUPED_AT_ONCE)
    ]
    for at, starts, _ in pieces:
        file.write((starts + np.uint32(at)).tobytes())
    groups = sum(len(starts) for _, starts, _ in pieces)
    file.write(np.array([codes] + [0] * (groups % 2 == 0), np.uint32).tobytes())  # planes at 8
    plane_at = file.tell()
    file.truncate(plane_at + 4 * 8 * groups)
    for at, _, pivots in pieces:
        planes = np.empty((4, len(pivots)), np.uint64)
        scan.unfold(rows[at : at + GROUPED_AT_ONCE], pivots, planes)
        for number, plane in enumerate(planes):
            file.seek(plane_at + 8 * groups * number)
            file.write(plane.tobytes())
        plane_at += 8 * len(pivots)
    return groups


def _mapped(file: BinaryIO, codes: int) -> npt.NDArray[np.uint64]:
    if not codes:
        return np.empty((0, 4), np.uint64)
    return np.asarray(np.memmap(file, np.uint64, "r", offset=HEADER_BYTES, shape=(codes, 4)))


def _codes(segments: Ints) -> int:
    return int(segments[-1, 0]) + int(segments[-1, 3]).bit_count() if len(segments) else 0


def _ends(header: Header) -> list[int]:
    """Return where the sections begin, and the file ends."""
    sizes = (
        header.codes * STATIC_BYTES,
        header.segments * 4 * 8,
        (header.groups + 1 + (header.groups % 2 == 0)) * 4,
        header.groups * 4 * 8,
    )
    ends = [HEADER_BYTES]
    for size in sizes:
        ends.append(ends[-1] + size)
    return ends


def _checksums(descriptor: int, end: int, threads: Executor) -> Iterator[int]:
    def check(start: int) -> int:
        left, check, at = min(CHECKED_BYTES, end - start), 0, start
        while left and (block := os.pread(descriptor, min(left, 1 << 20), at)):
            check, left, at = zlib.crc32(block, check), left - len(block), at + len(block)
        return check

    return threads.map(check, range(HEADER_BYTES, end, CHECKED_BYTES))


def _sealed(header: Header) -> bytes:
    text = json.dumps(asdict(header)).encode()
    block = (MAGIC + text).ljust(HEADER_BYTES - 4, b"\0")
    return block + zlib.crc32(block).to_bytes(4, "little")


def _header(block: bytes) -> Header:
    start, check = block[:-4], block[-4:]
    if not start.startswith(MAGIC) or zlib.crc32(start).to_bytes(4, "little") != check:
        raise Damaged("the header of a scan file is not whole")
    told = json.loads(start[len(MAGIC) :].rstrip(b"\0"))
    header = Header(**{**told, "checks": tuple(told["checks"])})
    if header.version != VERSION:
        raise Damaged(f"a scan file of version {header.version}")
    return header


def _sync(folder: Path) -> None:
    """Bring the folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
