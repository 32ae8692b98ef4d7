"""API keys: made by a signed-in person, shown once, narrowed by scopes, revocable."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.parties.rules import BadName
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.identity import queries, secret
from exchange.identity import service as identity
from exchange.identity.rules import (
    BadExpiry,
    CsrfToken,
    ScopeMissing,
    ScopeNotAllowed,
    SignInNeeded,
)
from exchange.identity.tables import ApiKey

router = APIRouter(route_class=JsonRoute, tags=["keys"])

_SIGNED = (SignInNeeded, CsrfToken, NotAllowed, InvalidContent)
Scope = Literal["read", "list", "bid", "deal", "money"]


class ApiKeyIn(Shape):
    """A key to be made; `expires_at` null: it stays until it is revoked."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "竞价系统",
                    "scopes": ["read", "bid"],
                    "expires_at": "2027-01-01T00:00:00Z",
                }
            ]
        }
    )

    name: Annotated[str, Field(max_length=400)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=5)]
    expires_at: AwareDatetime | None


class ApiKeyOut(Shape):
    """A key; `secret` is in the first answer only, null ever after."""

    id: UUID
    name: str
    prefix: str
    last4: str
    scopes: list[Scope]
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    secret: str | None


class ApiKeyPage(Shape):
    """A page of keys."""

    items: Sequence[ApiKeyOut]
    next: UUID | None


@router.put(
    "/api-keys/{key_id}",
    status_code=201,
    responses={
        200: {"model": ApiKeyOut, "description": "It was made before; `secret` is null."},
        **problems.responses(*_SIGNED, Malformed, ScopeNotAllowed, BadExpiry, BadName, IdReused),
    },
)
async def create_api_key(
    key_id: UUID,
    body: ApiKeyIn,
    response: Response,
    *,
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
) -> ApiKeyOut:
    """Make an API key of one's own. If the answer is lost, revoke the key and make another."""
    live = context.settings.environment == "production"
    key, text = await identity.create_key(
        session,
        key_id,
        caller=caller,
        prefix=secret.LIVE if live else secret.TEST,
        now=now,
        name=body.name,
        scopes=body.scopes,
        expires_at=body.expires_at,
    )
    response.status_code = 200 if text is None else 201
    response.headers["Cache-Control"] = "no-store"
    return _key_out(key, text)


@router.get("/api-keys", responses=problems.responses(*_SIGNED, ScopeMissing))
async def list_api_keys(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> ApiKeyPage:
    """List one's own API keys, those revoked or expired too."""
    caller.need("read")
    rows = await queries.keys_of(session, caller.person_id, after=page_after(after), limit=limit)
    return ApiKeyPage(items=[_key_out(row, None) for row in rows], next=next_after(rows, limit))


@router.delete(
    "/api-keys/{key_id}", status_code=204, responses=problems.responses(*_SIGNED, Unknown)
)
async def revoke_api_key(key_id: UUID, session: Session, caller: Signed, now: Now) -> None:
    """Revoke an API key of one's own; a key may also revoke itself."""
    await identity.revoke_key(session, key_id, caller=caller, now=now)


def _key_out(key: ApiKey, text: str | None) -> ApiKeyOut:
    shown = key.model_dump(include=set(ApiKeyOut.model_fields))
    return ApiKeyOut.model_validate({**shown, "secret": text})
