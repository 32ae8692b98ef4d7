"""What the content of a file shows it to be: each kind is checked, whatever its name says."""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread

from listings.masters.gateway import Sandbox
from listings.packages import artwork, gateway, markup, rules, subtitles
from listings.packages.markup import BadMarkup
from listings.packages.refusals import NotAPicture, NotASound, NotMetadata

SOUNDS = ("wav", "w64", "aiff", "caf", "flac", "mxf")
RIFF = (b"RIFF", b"RF64", b"BW64")
MOST_CHUNKS = 64


async def check(kind: str, path: Path, sandbox: Sandbox) -> dict[str, Any]:
    """Return what a file is, as plain JSON without floats.

    Raises:
        AssetContent: it is not of its kind; one of the refusals of `refusals`.
    """
    size = (await anyio.Path(path).stat()).st_size
    rules.check_size(kind, size)
    if kind in _WHOLE:
        content = await anyio.Path(path).read_bytes()
        return await anyio.to_thread.run_sync(_WHOLE[kind], content)
    if kind == "sound_stem":
        return await _sound(path, size, sandbox)
    if kind == "picture":
        return await _picture(path, sandbox)
    return {"format": "unknown", "bytes": size}


async def _sound(path: Path, size: int, sandbox: Sandbox) -> dict[str, Any]:
    head = await anyio.to_thread.run_sync(_riff, path, size)
    found = await gateway.streams(path, sandbox)
    if found is None or found["format"].split(",")[0] not in SOUNDS:
        raise NotASound("The file is no sound that is read here.")
    sounds = [stream for stream in found["streams"] if stream["kind"] == "sound"]
    if not sounds or any(stream["kind"] == "picture" for stream in found["streams"]):
        raise NotASound("The file holds no sound, or more than sound.")
    told = {"format": found["format"], "streams": [_heard(sound) for sound in sounds]}
    return told if head is None else {**told, "broadcast_wave": head}


def _riff(path: Path, size: int) -> bool | None:
    """Tell whether a WAV is a Broadcast Wave (a `bext` chunk, EBU Tech 3285); None for others.

    Raises:
        NotASound: its data end before it says they do.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in RIFF or head[8:12] != b"WAVE":
            return None
        extended, at, large = False, 12, None
        for _ in range(MOST_CHUNKS):
            file.seek(at)
            chunk = file.read(8)
            if len(chunk) < 8:
                break
            name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
            extended = extended or name == b"bext"
            if name == b"ds64":  # EBU Tech 3306: the true lengths of a file beyond 4 GiB
                large = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))[1]
            if name == b"data" and length == 0xFFFFFFFF and large is not None:
                length = large
            if name == b"data" and at + 8 + length > size:
                raise NotASound("The sound ends before the file says it does.")
            at += 8 + length + length % 2
    return extended


def _heard(sound: Mapping[str, Any]) -> dict[str, Any]:
    length = gateway.seconds(dict(sound))
    return {
        "codec": sound["codec"],
        "channels": sound["channels"],
        "layout": sound["layout"],
        "sample_rate": sound["sample_rate"],
        "duration_ms": None if length is None else int(length * 1000),
    }


async def _picture(path: Path, sandbox: Sandbox) -> dict[str, Any]:
    found = await gateway.streams(path, sandbox)
    pictures = [one for one in (found or {"streams": []})["streams"] if one["kind"] == "picture"]
    if found is None or not pictures:
        raise NotAPicture("The file holds no moving picture.")
    first, length = pictures[0], gateway.seconds(pictures[0])
    return {
        "format": found["format"],
        "codec": first["codec"],
        "width": first["width"],
        "height": first["height"],
        "duration_ms": None if length is None else int(length * 1000),
    }


def _metadata(content: bytes) -> dict[str, Any]:
    if content.lstrip()[:1] == b"<":
        try:
            root = markup.parse(content)
        except BadMarkup as wrong:
            raise NotMetadata("The XML cannot be read.", why=str(wrong)) from wrong
        return {"format": "xml", "root": markup.name(root)[:200],
                "namespace": markup.namespace(root)[:300]}  # fmt: skip
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise NotMetadata("The file is neither XML nor text in UTF-8.") from wrong
    if "\x00" in text or not text.strip():
        raise NotMetadata("The file is empty, or no text.")
    return {"format": "json" if _is_json(text) else "text"}


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise NotMetadata("The JSON cannot be read.", why=str(wrong)[:200]) from wrong
    return True


_WHOLE: Mapping[str, Callable[[bytes], dict[str, Any]]] = {
    "subtitle": subtitles.read,
    "artwork": artwork.read,
    "metadata": _metadata,
}
