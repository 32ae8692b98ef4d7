"""Signing in and out, API keys, and recognising callers."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from exchange.identity.rules import Caller


async def caller_by_key(session: AsyncSession, key: str, *, now: datetime) -> Caller:
    """Recognise the holder of an API key."""
    raise NotImplementedError


async def caller_by_session(
    session: AsyncSession, token: str, *, csrf_token: str | None, now: datetime
) -> Caller:
    """Recognise the person of a browser session; `csrf_token` is None for safe methods."""
    raise NotImplementedError
