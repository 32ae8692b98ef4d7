"""Screeners (审看样片): links by which one viewer may watch a master's proxy for a while."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.refusal import (
    CommitUnknown,
    IdReused,
    InvalidContent,
    Malformed,
    Unknown,
)
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.films import ANSWERS, RangeOutside, film
from exchange.identity.rules import Role
from listings.masters import queries as masters
from listings.screeners import gateway, queries, rules, service
from listings.screeners.rules import BadScreener, NoProxy, ScreenerEnded, ScreenerNotReady
from listings.screeners.tables import Screener

router = APIRouter(route_class=JsonRoute, tags=["screeners"])

_OVER = (Unknown, ScreenerEnded, ScreenerNotReady)
# 32 bytes in base64url; a longer text cannot be one.
Secret = Annotated[str, Path(min_length=43, max_length=43, pattern="^[A-Za-z0-9_-]{43}$")]
FILM_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ScreenerIn(Shape):
    """Who may watch (the name is burnt into the picture), until when, how often."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "viewer": "广州广播电视台 节目中心",
                    "expires_at": "2026-12-20T00:00:00Z",
                    "most_views": 5,
                }
            ]
        }
    )

    viewer: Annotated[str, Field(max_length=400)]
    expires_at: AwareDatetime
    most_views: Annotated[int | None, Field(strict=True, ge=1, le=rules.MOST_VIEWS)] = None


class ScreenerOut(Shape):
    """A screener; `link` is in the first answer only, null ever after.

    `done_bp` is the share of the film that is made, in basis points, while `state` is preparing.
    """

    id: UUID
    master_id: UUID
    viewer: str
    state: Literal["preparing", "ready", "failed", "ended"]
    done_bp: int
    views: int
    most_views: int | None
    created_at: AwareDatetime
    expires_at: AwareDatetime
    revoked_at: AwareDatetime | None
    link: str | None


class ScreenersOut(Shape):
    """A page of screeners."""

    items: Sequence[ScreenerOut]
    next: UUID | None


class ViewingOut(Shape):
    """A viewing: `film` is the address of the film for the next twelve hours."""

    id: UUID
    viewer: str
    film: str


@router.put(
    "/masters/{master_id}/screeners/{screener_id}",
    status_code=201,
    responses={
        200: {"model": ScreenerOut, "description": "It was given before; `link` is null."},
        **problems.signed(Malformed, Unknown, IdReused, BadScreener, NoProxy, CommitUnknown),
    },
)
async def give_screener(  # noqa: PLR0913 - the path, the body and what FastAPI injects.
    master_id: UUID,
    screener_id: UUID,
    body: ScreenerIn,
    response: Response,
    *,
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
) -> ScreenerOut:
    """Let somebody watch a master. If the answer is lost, revoke it and give another."""
    caller.need("list", Role.HOLDER)
    await masters.get_master_of(session, master_id, caller.party_id)
    proxy = gateway.proxy_key(master_id)
    if await anyio.to_thread.run_sync(context.objects.size, proxy) is None:
        raise NoProxy("The master has no proxy.")
    screener, secret = await service.grant(
        session,
        screener_id,
        master_id=master_id,
        party_id=caller.party_id,
        wish=rules.wish(body.viewer, body.expires_at, body.most_views, now=now),
        now=now,
    )
    response.status_code = 200 if secret is None else 201
    response.headers["Cache-Control"] = "no-store"
    link = None if secret is None else f"{context.settings.public_url}/s/{secret}"
    return shown(screener, link)


@router.get(
    "/masters/{master_id}/screeners",
    responses=problems.signed(Unknown),
)
async def list_screeners(
    master_id: UUID, session: Session, caller: Signed, after: UUID | None = None, limit: Limit = 50
) -> ScreenersOut:
    """List a master's screeners, for its owner and staff."""
    caller.need("read")
    if not caller.is_staff:
        await masters.get_master_of(session, master_id, caller.party_id)
    rows = await queries.of_master(session, master_id, after=page_after(after), limit=limit)
    return ScreenersOut(items=[shown(row, None) for row in rows], next=next_after(rows, limit))


@router.delete(
    "/masters/{master_id}/screeners/{screener_id}",
    status_code=204,
    responses=problems.signed(Unknown, CommitUnknown),
)
async def revoke_screener(
    master_id: UUID, screener_id: UUID, session: Session, caller: Signed, now: Now
) -> None:
    """Take a screener back; who is watching can go no further."""
    caller.need("list", Role.HOLDER)
    await service.revoke(session, master_id, screener_id, party_id=caller.party_id, now=now)


@router.post(
    "/screeners/{secret}/viewings",
    status_code=201,
    responses=problems.responses(*_OVER, InvalidContent, CommitUnknown),
)
async def open_screener(
    secret: Secret, response: Response, session: Session, now: Now
) -> ViewingOut:
    """Begin to watch, with the link alone; each counts as one view."""
    viewing = await service.open_viewing(session, secret, now=now)
    screener = await queries.by_secret(session, secret)
    response.headers["Cache-Control"] = "no-store"
    film = f"/v1/screeners/{secret}/viewings/{viewing.id}/film"
    return ViewingOut(id=viewing.id, viewer=screener.viewer, film=film)


@router.get(
    "/screeners/{secret}/viewings/{viewing_id}/film",
    response_class=FileResponse,
    responses={
        **ANSWERS,
        **problems.responses(*_OVER, InvalidContent, Malformed, RangeOutside),
    },
)
async def stream_screener(
    secret: Secret,
    viewing_id: UUID,
    request: Request,
    *,
    context: Ctx,
    session: Session,
    now: Now,
) -> FileResponse:
    """Send the film with the viewer's name in it, or the part that `Range` asks for."""
    screener = await queries.by_secret(session, secret)
    service.check_alive(screener, now=now)
    viewing = await queries.get_viewing(session, screener.id, viewing_id)
    rules.check_viewing(opened_at=viewing.opened_at, now=now)
    key = gateway.film_key(screener.master_id, screener.id)
    path = await anyio.to_thread.run_sync(context.objects.local, key)
    return film(request, path, headers=FILM_HEADERS)


def shown(screener: Screener, link: str | None) -> ScreenerOut:
    """Return the wire shape of a screener."""
    fields: dict[str, Any] = screener.model_dump(include=set(ScreenerOut.model_fields))
    return ScreenerOut.model_validate({**fields, "link": link})
