"""Films that are sent whole or in the part that `Range` asks for."""

import re
from collections.abc import Mapping
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse

from contracts.refusal import Kind, Malformed, Refusal
from exchange.api.problems import Responses

_RANGES = re.compile(r"bytes=\s*(\d*-\d*)(\s*,\s*\d*-\d*)*\s*", re.ASCII)
_BYTES = {"schema": {"type": "string", "format": "binary"}}
ANSWERS: Responses = {
    200: {"description": "The whole film.", "content": {"video/mp4": _BYTES}},
    206: {"description": "The part that was asked for.", "content": {"video/mp4": _BYTES}},
}


class RangeOutside(Refusal):
    """The range that was asked for begins behind the end of the film."""

    kind, code = Kind.OUTSIDE, "range-outside"
    hint = "Ask for a range below `bytes`, or for the whole film."


def film(request: Request, path: Path, *, headers: Mapping[str, str]) -> FileResponse:
    """Answer with a film, or with a part of it.

    Source: RFC 9110 section 14. `If-Range` is judged by the answer itself.

    Raises:
        Malformed: the header is no range of bytes.
        RangeOutside: a range begins behind the end.
    """
    asked = request.headers.get("range")
    if asked is not None and "if-range" not in request.headers:
        _check(asked, path.stat().st_size)
    return FileResponse(path, media_type="video/mp4", headers=dict(headers))


def _check(asked: str, size: int) -> None:
    if len(asked) > 200 or not _RANGES.fullmatch(asked):
        raise Malformed("The Range header asks for no bytes that can be counted.")
    starts = [part.strip().partition("-")[0] for part in asked.partition("=")[2].split(",")]
    if any(len(start) > 18 or (start and int(start) >= size) for start in starts):
        raise RangeOutside("The range begins behind the end.", bytes=size)
