"""What the bytes of a container's header say that neither reader tells; used in the sandbox.

Reads a bounded part of the file, follows no reference, and takes any bytes without an error.

Source: SMPTE ST 377-1 §6 (partition pack), ISO/IEC 14496-12 §4.2, §8.7.2, §12.1.5 (boxes, dref,
colr), ISO/IEC 13818-1 §2.4.4 (PAT, PMT).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

# Containers that masters and their copies come in; no playlists, which could name other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mxf,mpegts"
PARTITION = bytes.fromhex("060e2b34020501010d01020101")
STATUS = {1: "Open / Incomplete", 2: "Closed / Incomplete", 3: "Open / Complete",
          4: "Closed / Complete"}  # fmt: skip
RUN_IN = 65536  # the longest run-in before the header partition
MOST_BOXES, MOST_DEPTH, MOST_BODY = 20_000, 12, 64 * 1024
PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf")
VISUAL = 78  # bytes of a visual sample entry before its own boxes
PICTURES = frozenset(
    b"avc1 avc3 hvc1 hev1 dvh1 dvhe dvav dva1 apch apcn apcs apco ap4h ap4x AVdn AVdh av01"
    b" mjp2 vp09 vvc1 vvi1 avs2 avs3".split()
)
TS_PACKET, TS_SEEN = 188, 1024 * 1024
AUDIO_VIVID = "av3a"
AUDIO_VIVID_TYPE = 0xD5  # T/UWA 009.1 in a transport stream


def read(path: Path, container: str) -> dict[str, Any]:
    """Return what the header of a container says, by ffmpeg's name of it."""
    with path.open("rb") as file:
        if "mp4" in container:
            return _boxes(file, path.stat().st_size)
        if container == "mxf":
            return _mxf(file.read(RUN_IN + 32))
        return _transport(file.read(TS_SEEN)) if container == "mpegts" else {}


def _mxf(start: bytes) -> dict[str, Any]:
    at = start.find(PARTITION)
    known = at >= 0 and len(start) > at + 14 and start[at + 13] == 2
    return {"container_settings": STATUS.get(start[at + 14]) if known else None}


def _boxes(file: BinaryIO, size: int) -> dict[str, Any]:
    found: dict[str, Any] = {"external": False, "dolby_vision": False, "sounds": []}
    left, handler = [MOST_BOXES], b""
    for kind, body in _walk(file, 0, size, left=left, depth=0):
        if kind == b"dref":
            found["external"] |= _external(body)
        elif kind == b"hdlr":
            handler = body[8:12]
        elif kind == b"stsd" and handler == b"soun":
            found["sounds"].append(body[12:16].decode("latin-1"))
        elif kind in (b"dvcC", b"dvvC", b"dvwC"):
            found["dolby_vision"] = True
        elif kind == b"colr" and body[:4] in (b"nclc", b"nclx") and "colr" not in found:
            found["colr"] = [int.from_bytes(body[at : at + 2], "big") for at in (4, 6, 8)]
            if body[:4] == b"nclx" and len(body) > 10:
                found["full_range"] = bool(body[10] & 0x80)
    return found


def _walk(
    file: BinaryIO, at: int, end: int, *, left: list[int], depth: int
) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and the first bytes of the body of each box, parents before children."""
    while at + 8 <= end and left[0] and depth < MOST_DEPTH:
        left[0] -= 1
        file.seek(at)
        head = file.read(16)
        size, kind, skip = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, skip = int.from_bytes(head[8:16], "big"), 16
        stop = end if size == 0 else min(end, at + size)
        if stop < at + skip:
            return
        file.seek(at + skip)
        yield kind, file.read(min(MOST_BODY, stop - at - skip))
        inside = _inside(kind, at + skip)
        if inside is not None:
            yield from _walk(file, inside, stop, left=left, depth=depth + 1)
        at = stop


def _inside(kind: bytes, body: int) -> int | None:
    """Return where the children of a box start, or None when it has none of interest."""
    if kind in PARENTS:
        return body
    if kind == b"stsd":
        return body + 8
    return body + VISUAL if kind in PICTURES else None


def _external(dref: bytes) -> bool:
    """Tell whether a data reference points outside the file (its flag "self-contained" is off)."""
    at = 8
    while at + 12 <= len(dref):
        size = int.from_bytes(dref[at : at + 4], "big")
        if not dref[at + 11] & 1:
            return True
        at += max(size, 12)
    return False


def _transport(start: bytes) -> dict[str, Any]:
    vivid: set[int] = set()
    maps: set[int] = set()
    for at in range(0, len(start) - TS_PACKET + 1, TS_PACKET):
        packet = start[at : at + TS_PACKET]
        pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
        if packet[0] == 0x47 and packet[1] & 0x40 and (pid == 0 or pid in maps):
            section = _section(packet)
            if pid == 0:
                maps |= set(_programmes(section))
            else:
                vivid |= {place for kind, place in _streams(section) if kind == AUDIO_VIVID_TYPE}
    return {"vivid_ids": sorted(vivid)}


def _section(packet: bytes) -> bytes:
    """Return the section that starts in a packet, without its checksum."""
    body = packet[4:]
    if packet[3] & 0x20:
        body = body[1 + body[0] :]
    body = body[1 + body[0] :] if body else b""
    return body[: 3 + (int.from_bytes(body[1:3], "big") & 0x0FFF) - 4] if len(body) > 3 else b""


def _programmes(section: bytes) -> Iterator[int]:
    for at in range(8, len(section) - 3, 4):
        if section[at : at + 2] != b"\0\0":
            yield int.from_bytes(section[at + 2 : at + 4], "big") & 0x1FFF


def _streams(section: bytes) -> Iterator[tuple[int, int]]:
    """Yield type and packet id of each stream of a programme."""
    at = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF)
    while at + 5 <= len(section):
        yield section[at], int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
        at += 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0x0FFF)
