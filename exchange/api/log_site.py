"""The published log, as C2SP clients read it: `/log` is its prefix (also at any web server).

Source: C2SP tlog-tiles.
"""

import asyncio
import gzip
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import PlainTextResponse

from contracts.log import tiles
from contracts.log.site import LogSite
from contracts.log.tiles import BadBundle, NoSuchTile
from contracts.refusal import Unknown
from exchange.api import problems
from exchange.api.deps import Ctx

router = APIRouter(prefix="/log", tags=["log"])

_EXAMPLE = "log.uhdx.example/2026\n42\nXnbm…=\n\n— log.uhdx.example/2026 sl3KC…=\n"
_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_NOW = "public, max-age=1"  # the source: a few seconds at most


@router.get(
    "/checkpoint",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"text/plain": {"example": _EXAMPLE}}},
        **problems.responses(Unknown),
    },
)
async def get_published_checkpoint(context: Ctx) -> PlainTextResponse:
    """Return the published checkpoint; every tile that it refers to can be read. Public."""
    signed = await asyncio.to_thread(LogSite(context.settings.log_site).checkpoint)
    if signed is None:
        raise Unknown("The log is still empty.")
    return PlainTextResponse(signed, headers={"Cache-Control": _FOR_NOW})


@router.get(
    "/tile/{path:path}",
    response_class=Response,
    responses={
        200: {
            "description": "Hashes of 32 bytes, or leaves each after its length (two bytes).",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        },
        **problems.responses(NoSuchTile, BadBundle),
    },
)
async def get_tile(
    path: str, context: Ctx, accept_encoding: Annotated[str, Header()] = ""
) -> Response:
    """Return a tile (`0/x001/234`) or a bundle of leaves (`entries/000.p/7`). Public."""
    tile = tiles.parse(f"tile/{path}")
    content = await asyncio.to_thread(LogSite(context.settings.log_site).read, tile)
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if tile.level is None and "gzip" in accept_encoding:  # hashes cannot be made smaller
        content = await asyncio.to_thread(gzip.compress, content, 6, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type="application/octet-stream", headers=headers)
