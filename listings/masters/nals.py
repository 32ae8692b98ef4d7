"""What the units of an AVC or HEVC picture say beside the picture: dynamic HDR metadata.

Decoders keep the messages they understand and drop the others; presence is read here from the
bytes, so that it does not depend on what a decoder knows.

Source: ITU-T H.265 §7.3.1.1, §7.3.2.4, §D.2.6 (T.35 message); T/UWA 005.1 (HDR Vivid: country 0x26,
provider 0x0004); ST 2094-40 (HDR10+: country 0xB5, provider 0x003C); Dolby Vision in HEVC: unit 62.
"""

from collections.abc import Iterator
from typing import Any

T35 = 4
RPU = 62
VIVID, HDR10_PLUS, DOLBY = "hdr_vivid", "hdr10_plus", "dolby_vision"
MAKERS = {b"\x26\x00\x04": VIVID, b"\xb5\x00\x3c": HDR10_PLUS}
MOST_MESSAGE = 65536


def dynamic(picture: bytes, codec: str, extradata: bytes) -> set[str]:
    """Return which kinds of dynamic metadata one picture carries."""
    found: set[str] = set()
    if codec not in ("hevc", "h264"):
        return found
    for unit in units(picture, length_bytes(codec, extradata)):
        kind = (unit[0] >> 1) & 0x3F if codec == "hevc" else unit[0] & 0x1F
        if codec == "hevc" and kind == RPU:
            found.add(DOLBY)
        elif kind in ((39, 40) if codec == "hevc" else (6,)):
            body = unit[2 if codec == "hevc" else 1 : MOST_MESSAGE]
            found |= _makers(body.replace(b"\x00\x00\x03", b"\x00\x00"))
    return found


def length_bytes(codec: str, extradata: bytes) -> int:
    """Return how many bytes of length precede a unit; 0 when start codes separate them."""
    at = {"hevc": 21, "h264": 4}[codec]
    return (extradata[at] & 3) + 1 if extradata[:1] == b"\x01" and len(extradata) > at else 0


def units(picture: bytes, lengths: int) -> Iterator[bytes]:
    """Yield the units of a picture, none of them empty."""
    if not lengths:
        yield from (unit for unit in picture.split(b"\x00\x00\x01")[1:] if unit)
        return
    at = 0
    while at + lengths < len(picture):
        size = int.from_bytes(picture[at : at + lengths], "big")
        if unit := picture[at + lengths : at + lengths + size]:
            yield unit
        at += lengths + size


def _makers(body: bytes) -> set[str]:
    """Return the makers of the T.35 messages of a unit."""
    found, at = set(), 0
    while at + 2 < len(body):
        kind, at = _counted(body, at)
        size, at = _counted(body, at)
        maker: Any = MAKERS.get(body[at : at + 3]) if kind == T35 else None
        if maker:
            found.add(maker)
        at += size
    return found


def _counted(body: bytes, at: int) -> tuple[int, int]:
    """Read a number that is written as 255, 255, …, rest."""
    total = 0
    while at < len(body) and body[at] == 255:
        total, at = total + 255, at + 1
    return total + (body[at] if at < len(body) else 0), at + 1
