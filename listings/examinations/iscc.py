"""The official codes of a master for interchange: International Standard Content Codes (pure).

Units are taken at 256 bits. The ISCC-CODE is made of meta, video, data and instance; the audio unit
stands beside them, for a code holds one unit of content.

Source: ISO 24138:2024 by the library `iscc-lib`: §5.2 Meta-Code, §5.3.3 and §5.3.4 audio and video,
§5.4 Data-Code, §5.5 Instance-Code, §6 ISCC-CODE.
"""

from collections.abc import Mapping
from typing import Any

import iscc_lib
import numpy as np

from listings.examinations import mpeg7

STANDARD = "ISO 24138:2024"
BITS = 256


class Sums:
    """Data-Code and Instance-Code of a file whose bytes pass by once."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._hasher = iscc_lib.SumHasher()

    def update(self, content: bytes) -> None:
        """Take in further bytes."""
        self._hasher.update(content)

    def units(self) -> dict[str, str]:
        """Return the units `data` and `instance`; nothing can be taken in any more."""
        data, instance = self._hasher.finalize(BITS, wide=True, add_units=True)["units"]
        return {"data": data, "instance": instance}


def video(frames: mpeg7.Rows, bits: int = BITS) -> str:
    """Return the Content-Code Video of a film's signature, five frames a second."""
    vectors = mpeg7.vectors(frames).tolist()
    return str(iscc_lib.gen_video_code_v0(vectors, bits)["iscc"])


def audio(chromaprint: bytes, bits: int = BITS) -> str:
    """Return the Content-Code Audio of raw Chromaprint codes, 4 bytes each, little endian."""
    codes = np.frombuffer(chromaprint, "<i4").tolist()
    return str(iscc_lib.gen_audio_code_v0(codes, bits)["iscc"])


def meta(title: str) -> str:
    """Return the Meta-Code of a title."""
    return str(iscc_lib.gen_meta_code_v0(title, bits=BITS)["iscc"])


def content(frames: mpeg7.Rows, chromaprint: bytes) -> dict[str, str]:
    """Return the units of what is seen (`video`) and heard (`audio`), where there is any."""
    units = {"video": video(frames)} if len(frames) else {}
    return {**units, "audio": audio(chromaprint)} if chromaprint else units


def record(units: Mapping[str, str]) -> dict[str, Any]:
    """Return the record of a master's codes: the standard, the ISCC-CODE and its units."""
    joined = [units[name] for name in ("meta", "video", "data", "instance") if name in units]
    whole = "data" in units and "instance" in units
    code = str(iscc_lib.gen_iscc_code_v0(joined)["iscc"]) if whole else None
    return {"standard": STANDARD, "code": code, "units": dict(units)}
