"""Mutants of real files: flipped bits, cut ends, zeroed runs, repeated and shuffled structures."""

import random
from collections.abc import Callable
from pathlib import Path

from tests.listings import masters_files as files
from tests.listings.masters_media import FLOWER, FRIDAY, STREAM

Region = tuple[int, int]
Mutate = Callable[[random.Random, bytearray, Region], bytearray]
HEAD, TAIL = 6 * 1024, 3 * 1024
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def originals(room: Path) -> dict[str, bytes]:
    """Return small real files in every container, cut from the clips of the tests."""
    few = ("-t", "0.4")
    x264 = ("-vf", "scale=320:-2", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
    hevc = (
        "-vf", "scale=320:-2,format=yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast",
        "-x265-params", f"log-level=none:hdr10=1:master-display={files.MASTERING}:max-cll=9,4",
    )  # fmt: skip
    mpeg2 = ("-vf", "scale=320:180,fps=25,format=yuv422p", "-c:v", "mpeg2video", "-q:v", "3")
    pcm = ("-c:a", "pcm_s24le", "-ar", "48000")
    prores = ("-vf", "scale=320:-2", "-c:v", "prores_ks", *files.TIMECODE)
    made = {
        "plain.mp4": (FLOWER, (*few, *x264)),
        "early.mp4": (FRIDAY, (*few, *x264, "-movflags", "+faststart")),
        "prores.mov": (STREAM, ("-t", "0.15", *prores, *pcm)),
        "hevc.mkv": (FRIDAY, (*few, *hevc, "-c:a", "flac")),
        "hevc.mp4": (FLOWER, (*few, *hevc, "-tag:v", "hvc1", "-c:a", "aac")),
        "avc.ts": (FLOWER, (*few, *x264)),
        "mpeg2.mxf": (FRIDAY, (*few, *mpeg2, *pcm, *files.TIMECODE)),
    }
    for name, (source, options) in made.items():
        files.ffmpeg("-i", str(source), *options, str(room / name))
    return {name: (room / name).read_bytes() for name in made}


def regions(content: bytes) -> list[Region]:
    """Return where the structures stand: the head, the tail, and every index that is known."""
    found = [(0, min(HEAD, len(content))), (max(0, len(content) - TAIL), len(content))]
    for name in (b"moov", b"stbl", b"stsd", b"colr", b"\x1c\x53\xbb\x6b", b"hvcC", b"avcC"):
        at = content.find(name)
        if at >= 0:
            found.append((max(0, at - 8), min(len(content), at + 2048)))
    return found


def flips(draw: random.Random, content: bytearray, region: Region) -> bytearray:
    for _ in range(draw.choice((1, 2, 4, 16, 64))):
        content[draw.randrange(*region)] ^= 1 << draw.randrange(8)
    return content


def noise(draw: random.Random, content: bytearray, region: Region) -> bytearray:
    at = draw.randrange(*region)
    length = draw.choice((4, 16, 64, 256))
    content[at : at + length] = draw.randbytes(min(length, len(content) - at))
    return content


def zeros(draw: random.Random, content: bytearray, region: Region) -> bytearray:
    at = draw.randrange(*region)
    length = min(draw.choice((4, 32, 256, 2048)), len(content) - at)
    content[at : at + length] = bytes(length)
    return content


def extremes(draw: random.Random, content: bytearray, region: Region) -> bytearray:
    for _ in range(draw.choice((1, 2, 8))):
        at = min(draw.randrange(*region), len(content) - 4)
        content[at : at + 4] = draw.choice(EXTREMES).to_bytes(4, draw.choice(("big", "little")))
    return content


def cut(draw: random.Random, content: bytearray, region: Region) -> bytearray:
    where = draw.choice((draw.randrange(*region), draw.randrange(1, len(content))))
    return content[: max(1, where)]


def missing(draw: random.Random, content: bytearray, region: Region) -> bytearray:
    at = draw.randrange(*region)
    del content[at : at + draw.choice((1, 4, 188, 1024))]
    return content


def doubled(draw: random.Random, content: bytearray, region: Region) -> bytearray:
    """Repeat a structure: an atom with its own size where there is one, else a run of bytes."""
    at = draw.randrange(*region)
    size = int.from_bytes(content[at : at + 4], "big")
    length = size if 8 <= size <= region[1] - at else draw.choice((8, 64, 512))
    part = content[at : at + length]
    content[at:at] = part * draw.choice((1, 2, 50))
    return content


def doubled_atom(draw: random.Random, content: bytearray, _: Region) -> bytearray:
    """Repeat a whole named atom; bytes where the container has none."""
    names = [name for name in (b"moov", b"trak", b"stsd", b"mdia", b"colr", b"stts", b"elst")
             if name in content]  # fmt: skip
    if not names:
        return doubled(draw, content, (0, min(HEAD, len(content))))
    at = content.index(draw.choice(names)) - 4
    size = int.from_bytes(content[at : at + 4], "big")
    content[at + size : at + size] = content[at : at + size] * draw.choice((1, 3, 20))
    return content


def swapped(draw: random.Random, content: bytearray, region: Region) -> bytearray:
    one, two = (min(draw.randrange(*region), len(content) - 64) for _ in range(2))
    content[one : one + 32], content[two : two + 32] = (
        content[two : two + 32], content[one : one + 32],
    )  # fmt: skip
    return content


WAYS: tuple[Mutate, ...] = (
    flips, noise, zeros, extremes, cut, missing, doubled, doubled_atom, swapped,
)  # fmt: skip


def mutant(draw: random.Random, sources: dict[str, bytes]) -> tuple[str, bytes]:
    """Return a name that tells what was done, and the bytes."""
    source = draw.choice(sorted(sources))
    content = bytearray(sources[source])
    ways = draw.sample(WAYS, draw.choice((1, 1, 2)))
    for way in ways:
        begin, end = draw.choice(regions(bytes(content)))
        if end - begin > 8:
            content = way(draw, content, (begin, end))
    return f"{'-'.join(way.__name__ for way in ways)}.{source}", bytes(content)
