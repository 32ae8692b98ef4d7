"""A zip with one form only: stored, sorted, without times, so that equal contents are equal bytes.

Source: PKWARE APPNOTE 6.3.10 (§4.3.7 local header, §4.3.12 central directory, §4.3.16 end).
Differs from the source: a reader here takes nothing but what the writer here writes. It is read as
if it came from an enemy: no compression, no sizes that are not there, no names that lead elsewhere.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
VERSION = 20  # 2.0, the least that any reader knows
UNIX = 3 << 8
MODE = 0o100644 << 16
FIRST_DAY = 1 << 5 | 1  # 1980-01-01, the zero of the format
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
MOST_FILES = 65_535
MOST_BYTES = 2**32 - 1
BLOCK = 1 << 16


class NotAnArchive(Exception):
    """The bytes are not what `pack` writes; `where` names the place."""

    def __init__(self, where: str) -> None:
        """Say where the first difference is."""
        super().__init__(f"the archive is broken at {where}")
        self.where = where


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The files of an archive, and the first place where it is not as `pack` writes it."""

    files: Mapping[str, bytes]
    broken_at: str | None


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of the files.

    Raises:
        ValueError: a name leads elsewhere, or there is more than the format holds (a bug).
    """
    if len(files) > MOST_FILES or not all(NAME.fullmatch(name) for name in files):
        raise ValueError("too many files, or a name that does not belong in an archive")
    body, directory = bytearray(), bytearray()
    for name, content in sorted(files.items()):
        about = (VERSION, 0, 0, 0, FIRST_DAY, zlib.crc32(content), len(content), len(content))
        place = len(body)
        body += _LOCAL.pack(LOCAL, *about, len(name), 0) + name.encode() + content
        directory += _CENTRAL.pack(
            CENTRAL, UNIX | VERSION, *about, len(name), 0, 0, 0, 0, MODE, place
        )
        directory += name.encode()
    if len(body) + len(directory) > MOST_BYTES:
        raise ValueError("the archive is larger than the format holds")
    count = len(files)
    end = _END.pack(END, 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + end)


def unpack(raw: bytes) -> Unpacked:
    """Read an archive and compare it with what `pack` makes of its files.

    Raises:
        NotAnArchive: it cannot even be read file by file.
    """
    files: dict[str, bytes] = {}
    starts: list[tuple[int, str]] = []
    place = 0
    while raw[place : place + 4] != CENTRAL:
        name, content = _read(raw, place, after=starts[-1][1] if starts else "the beginning")
        if name in files:
            raise NotAnArchive(f"the header of {name}, which is there twice")
        files[name] = content
        starts.append((place, name))
        place += _LOCAL.size + len(name) + len(content)
    starts.append((place, "the zip directory"))
    return Unpacked(files, _first_difference(raw, pack(files), starts))


def _read(raw: bytes, place: int, *, after: str) -> tuple[str, bytes]:
    broken = NotAnArchive(f"the zip header after {after} (byte {place})")
    if len(raw) < place + _LOCAL.size:
        raise broken
    magic, *_, size, _, name_size, _ = _LOCAL.unpack_from(raw, place)
    start = place + _LOCAL.size + name_size
    try:
        name = raw[place + _LOCAL.size : start].decode("ascii")
    except UnicodeDecodeError:
        raise broken from None
    if magic != LOCAL or not NAME.fullmatch(name) or len(raw) < start + size:
        raise broken
    return name, raw[start : start + size]


def _first_difference(raw: bytes, made: bytes, starts: list[tuple[int, str]]) -> str | None:
    if raw == made:
        return None
    block = next(
        at for at in range(0, len(raw) + BLOCK, BLOCK) if _block(raw, at) != _block(made, at)
    )
    pairs = enumerate(zip(_block(raw, block), _block(made, block), strict=False), start=block)
    at = next((i for i, (left, right) in pairs if left != right), min(len(raw), len(made)))
    name = [name for start, name in starts if start <= at][-1]
    return f"{name} (byte {at} of the archive)"


def _block(raw: bytes, at: int) -> bytes:
    return raw[at : at + BLOCK]
