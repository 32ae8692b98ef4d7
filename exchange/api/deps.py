"""What endpoints ask for: the process's context, a transaction, the instant, the caller."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from exchange import clock
from exchange.context import Context
from exchange.identity import service as identity
from exchange.identity.rules import Caller, SignInNeeded

COOKIE = "exchange_session"
CSRF_HEADER = "X-CSRF-Token"


class Shape(BaseModel):
    """Base of wire shapes: unknown fields are refused.

    Numbers and truth values are declared strict, so that none is taken from text or for the other.
    """

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)


def get_context(request: Request) -> Context:
    """Return the process's context."""
    context: Context = request.app.state.context
    return context


async def get_session(
    context: Annotated[Context, Depends(get_context)],
) -> AsyncIterator[AsyncSession]:
    """Open the request's one transaction; it commits before the answer leaves."""
    async with context.db.transaction() as session:
        yield session


def get_now() -> datetime:
    """Take the instant of the request, once, at ingress."""
    return clock.now()


Ctx = Annotated[Context, Depends(get_context)]
# scope="function": the commit comes before the response, so a failing commit is never a success.
Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
Now = Annotated[datetime, Depends(get_now)]
Limit = Annotated[int, Query(ge=1, le=200)]  # of a page


async def find_caller(request: Request, session: Session, now: Now) -> Caller | None:
    """Recognise the caller by API key or session cookie; None when neither was sent.

    Raises:
        SignInNeeded: a key or cookie was sent and is not (or no longer) good.
    """
    header = request.headers.get("authorization", "")
    if header:
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise SignInNeeded("The Authorization header holds no API key.")
        return await identity.caller_by_key(session, key.strip(), now=now)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    safe = request.method in ("GET", "HEAD", "OPTIONS")
    token = None if safe else request.headers.get(CSRF_HEADER, "")
    return await identity.caller_by_session(session, cookie, csrf_token=token, now=now)


MaybeCaller = Annotated[Caller | None, Depends(find_caller)]


async def get_caller(caller: MaybeCaller) -> Caller:
    """Require somebody we know."""
    if caller is None:
        raise SignInNeeded("Sign in, or send an API key.")
    return caller


Signed = Annotated[Caller, Depends(get_caller)]


def page_after(cursor: UUID | None) -> UUID:
    """Return where a page starts: after `cursor`, or at the beginning."""
    return cursor or UUID(int=0)


class Listed(Protocol):
    """What stands on a page: it has an id, which pages are ordered by."""

    @property
    def id(self) -> UUID:
        """The id."""
        ...


def next_after(page: Sequence[Listed], limit: int) -> UUID | None:
    """Return the cursor of the next page; None when this page is not full and so the last."""
    return page[-1].id if len(page) == limit else None
