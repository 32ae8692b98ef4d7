"""Parts as bytes and back, so that a piece measured on one machine is merged on another (pure)."""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from listings.masters.measures.active import Used
from listings.masters.measures.collect import Part
from listings.masters.measures.flashes import Series
from listings.masters.measures.full import Frames
from listings.masters.measures.motion import Motion
from listings.masters.measures.samples import Coding

KINDS = ("int64", "uint8", "bool")


def packed(part: Part) -> bytes:
    """Return a part as bytes, the same for the same part; `unpacked` reads them."""
    plain = {name: _plain(getattr(part, name)) for name in Part.__slots__}
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def unpacked(raw: bytes) -> Part:
    """Return the part that was packed."""
    plain = json.loads(raw)
    every, used, codes = plain["every_frame"], plain["used"], plain["codes"]
    return Part(
        plain["frames"],
        plain["decode_errors"],
        plain["depth"],
        tuple(plain["pictures"]),
        _array(codes) if codes else None,
        Used(_array(used["rows"]), _array(used["columns"])) if used else None,
        tuple(plain["patches"]),
        tuple(_motion(each) for each in plain["moving"]),
        tuple(_series(each) for each in plain["flashing"]),
        _frames(every) if every else None,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        content = base64.b64encode(zlib.compress(value.tobytes())).decode()
        return {"kind": value.dtype.name, "shape": list(value.shape), "content": content}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Coding | Used | Motion | Series | Frames):
        return {name: _plain(getattr(value, name)) for name in value.__slots__}
    return value


def _array(plain: Mapping[str, Any]) -> Any:
    kind = plain["kind"]
    if kind not in KINDS:
        raise ValueError(kind)
    content = zlib.decompress(base64.b64decode(plain["content"]))
    return np.frombuffer(content, kind).reshape(plain["shape"]).copy()


def _motion(plain: Mapping[str, Any]) -> Motion:
    arrays = {name: _array(plain[name]) for name in Motion.__slots__ if name != "first"}
    return Motion(plain["first"], **arrays)


def _series(plain: Mapping[str, Any]) -> Series:
    arrays = {name: _array(plain[name]) for name in ("general", "red", "head", "tail")}
    return Series(plain["first"], tuple(plain["rate"]), Coding(**plain["coding"]), **arrays)


def _frames(plain: Mapping[str, Any]) -> Frames:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
    }
    for name in ("black", "freeze"):
        values[name] = tuple((start, end) for start, end in plain[name])
    return Frames(**values)
