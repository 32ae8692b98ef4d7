"""Small files in the formats of masters, made by ffmpeg, and surgery on their bytes."""

import struct
from pathlib import Path

from listings.masters import gateway
from listings.masters.probing import read
from tests.listings.masters_media import ffmpeg

HLG = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
SDR = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
TIMECODE = ("-timecode", "10:00:00:00")
MASTERING = "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,1)"
X264 = ("-c:v", "libx264", "-preset", "ultrafast")


def picture(
    target: Path, *encoder: str, size: str = "320x180", rate: str = "50", frames: int = 5,
    look: str = f"format=yuv420p,{SDR}", sound: tuple[str, ...] = (),
) -> Path:  # fmt: skip
    """Encode a few frames of a test chart, with a tone beside them where a sound is asked."""
    tone = ("-f", "lavfi", "-i", "sine=r=48000") if sound else ()
    chart = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}")
    seconds = str(round(frames / (50 if "/" in rate else int(rate)), 3))
    ffmpeg(
        *chart, *tone, "-frames:v", str(frames), *(("-t", seconds) if sound else ()), "-vf", look,
        *encoder, *sound, str(target),
    )  # fmt: skip
    return target


def avc_intra(target: Path, *, look: str = HLG) -> Path:
    """Return 4K 4:2:2 10 bit of class 300 in MXF OP1a: 3.8 MB for three frames."""
    return picture(
        target, "-c:v", "libx264", "-x264-params", "avcintra-class=300:avcintra-flavor=sony",
        *TIMECODE, size="3840x2160", frames=3, look=f"format=yuv422p10le,{look}",
        sound=("-c:a", "pcm_s24le"),
    )  # fmt: skip


def prores(target: Path) -> Path:
    """Return ProRes 422 HQ with a `colr` atom and a timecode track."""
    return picture(
        target, "-c:v", "prores_ks", "-profile:v", "hq", *TIMECODE,
        look=f"format=yuv422p10le,{HLG}", frames=3,
    )  # fmt: skip


def pq(target: Path, *, more: str = "", frames: int = 3) -> Path:
    """Return HEVC Main 10, PQ with ST 2086 and MaxCLL in its messages."""
    params = (
        f"log-level=none:hdr10=1:master-display={MASTERING}:max-cll=1000,400:colorprim=bt2020:"
        "transfer=smpte2084:colormatrix=bt2020nc:range=limited:repeat-headers=1" + more
    )
    return picture(
        target, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", params,
        look="format=yuv420p10le", frames=frames,
    )  # fmt: skip


def wrapped(source: Path, target: Path, *options: str) -> Path:
    """Put the streams of a file into another container, as they are."""
    ffmpeg("-i", str(source), "-map", "0", "-c", "copy", *options, str(target))
    return target


async def probed(path: Path) -> dict[str, object]:
    return await read(path, await gateway.sandbox("auto"))


def with_unit(source: Path, target: Path, unit: bytes) -> Path:
    """Insert a unit before the first picture of a raw HEVC stream, and wrap it by its name."""
    raw = source.with_suffix(".cut.hevc")
    wrapped(source, raw, "-f", "hevc")
    stream = raw.read_bytes()
    at = next(
        at
        for at in range(len(stream))
        if stream[at : at + 3] == b"\0\0\1" and (stream[at + 3] >> 1) & 63 in (19, 20)
    )
    raw.write_bytes(stream[:at] + b"\0\0\1" + unit + stream[at:])
    timed = source.with_suffix(".cut.mp4")
    ffmpeg("-framerate", "50", "-i", str(raw), "-c", "copy", str(timed))
    return wrapped(timed, target)


def t35(country: int, provider: int, rest: bytes) -> bytes:
    """Return the HEVC unit of one registered message (ITU-T T.35)."""
    body = bytes([country]) + provider.to_bytes(2, "big") + rest
    return bytes([39 << 1, 1, 4, len(body)]) + body + b"\x80"


def replaced(source: Path, target: Path, *changes: tuple[bytes, bytes]) -> Path:
    """Write the file with the first place of each old replaced by the new, of the same length."""
    content = source.read_bytes()
    for old, new in changes:
        assert old in content and len(old) == len(new), old
        content = content.replace(old, new, 1)
    target.write_bytes(content)
    return target


def emptied(source: Path, target: Path) -> Path:
    """Write an MP4 whose pictures and sounds are zeros, and whose index is whole."""
    content = source.read_bytes()
    start, end = content.index(b"mdat") + 4, content.rindex(b"moov") - 4
    target.write_bytes(content[:start] + bytes(end - start) + content[end:])
    return target


def boxed(source: Path, target: Path, entry: bytes, box: bytes) -> Path:
    """Insert a box at the end of the sample entry of an MP4 whose `moov` comes last."""
    content = bytearray(source.read_bytes())
    at = content.index(entry) - 4
    size = int.from_bytes(content[at : at + 4], "big")
    content[at + size : at + size] = box
    for name in (entry, b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        head = content.rindex(name, 0, at + 8) - 4
        old = int.from_bytes(content[head : head + 4], "big")
        content[head : head + 4] = (old + len(box)).to_bytes(4, "big")
    target.write_bytes(content)
    return target


def dolby_box() -> bytes:
    """Return a `dvvC` box of profile 8.1, level 6."""
    body = bytes([1, 0, (8 << 1) | 0, (6 << 3) | 0b101, 0x10]) + bytes(19)
    return struct.pack(">I", len(body) + 8) + b"dvvC" + body


def with_stream_type(source: Path, target: Path, old: int, new: int) -> Path:
    """Change the type of a stream in every PMT of a transport stream, with its checksum."""
    content = bytearray(source.read_bytes())
    for at in range(0, len(content), 188):
        packet = content[at : at + 188]
        if packet[1] & 0x40 and (packet[1] & 0x1F, packet[2]) == (0x10, 0x00):
            start = at + 5 + packet[4]
            length = 3 + (int.from_bytes(content[start + 1 : start + 3], "big") & 0x0FFF)
            place = start + 12 + (int.from_bytes(content[start + 10 : start + 12], "big") & 0x0FFF)
            while content[place] != old:
                more = int.from_bytes(content[place + 3 : place + 5], "big") & 0x0FFF
                place += 5 + more
            content[place] = new
            end = start + length - 4
            content[end : end + 4] = crc(bytes(content[start:end])).to_bytes(4, "big")
    target.write_bytes(content)
    return target


def crc(section: bytes) -> int:
    """Return the CRC of ISO/IEC 13818-1 annex A."""
    value = 0xFFFFFFFF
    for byte in section:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value
