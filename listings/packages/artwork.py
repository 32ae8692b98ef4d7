"""Artwork by its content: the headers of JPEG and PNG, and whether the file is whole (pure).

Nothing is decoded. Source: ITU-T T.81 Annex B (JPEG markers); W3C PNG §5, §11.2.2 (chunks, IHDR).
"""

import struct
import zlib
from typing import Any

from listings.packages.refusals import NotArtwork

MOST_BYTES = 64 * 1024**2
LEAST_SIDE, MOST_SIDE = 16, 16384
PNG = b"\x89PNG\r\n\x1a\n"
MOST_SEGMENTS = 4000
# Start of frame, of every process that browsers show: baseline, extended, progressive.
FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # PNG's colour types


def read(content: bytes) -> dict[str, Any]:
    """Return what a picture is: format, width, height, bits a channel, channels.

    Raises:
        NotArtwork: it is none, not whole, or too small or large.
    """
    if content.startswith(PNG):
        told = _png(content)
    elif content.startswith(b"\xff\xd8\xff"):
        told = _jpeg(content)
    else:
        raise NotArtwork("The file is neither a JPEG nor a PNG.", why="no signature")
    sides = (told["width"], told["height"])
    if not all(LEAST_SIDE <= side <= MOST_SIDE for side in sides):
        raise NotArtwork("The picture is too small or too large.", why="size",
                         width=sides[0], height=sides[1])  # fmt: skip
    return told


def _png(content: bytes) -> dict[str, Any]:
    chunks, at, seen = 0, len(PNG), b""
    header: bytes = b""
    while at + 12 <= len(content) and chunks < MOST_SEGMENTS * 16:
        (size,), kind = struct.unpack_from(">I", content, at), content[at + 4 : at + 8]
        data, mark = content[at + 8 : at + 8 + size], content[at + 8 + size : at + 12 + size]
        if len(mark) < 4 or struct.unpack(">I", mark)[0] != zlib.crc32(data, zlib.crc32(kind)):
            raise NotArtwork("The PNG is damaged or cut.", why="bad chunk", at=at)
        header = data if not chunks else header
        if not chunks and (kind != b"IHDR" or size != 13):
            break
        at, chunks, seen = at + 12 + size, chunks + 1, kind
        if kind == b"IEND":
            break
    if seen != b"IEND":
        raise NotArtwork("The PNG is damaged or cut.", why="no end")
    width, height, bits, colour = struct.unpack_from(">IIBB", header)
    if colour not in CHANNELS:
        raise NotArtwork("The PNG is damaged.", why="colour type")
    return {"format": "png", "width": width, "height": height, "bits": bits,
            "channels": CHANNELS[colour]}  # fmt: skip


def _jpeg(content: bytes) -> dict[str, Any]:
    if b"\xff\xd9" not in content[-4096:]:
        raise NotArtwork("The JPEG is cut.", why="no end")
    at = 2
    for _ in range(MOST_SEGMENTS):
        marker = content[at : at + 2]
        if len(marker) < 2 or marker[0] != 0xFF:
            break
        if marker[1] == 0xFF or marker[1] in ALONE:
            at += 1 if marker[1] == 0xFF else 2
            continue
        size = int.from_bytes(content[at + 2 : at + 4], "big")
        if marker[1] in FRAMES and len(content) >= at + 10:
            bits, height, width, channels = struct.unpack_from(">BHHB", content, at + 4)
            return {"format": "jpeg", "width": width, "height": height, "bits": bits,
                    "channels": channels}  # fmt: skip
        if marker[1] == 0xDA or size < 2:
            break
        at += 2 + size
    raise NotArtwork("The JPEG has no frame that can be shown.", why="no frame")
