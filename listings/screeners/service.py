"""Verbs of screeners: give, make, open, take back, clear away."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids, locking
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from listings.masters import queries as masters
from listings.screeners import queries, rules
from listings.screeners.rules import NoProxy, Wish
from listings.screeners.tables import Screener, Viewing


async def grant(
    session: AsyncSession,
    screener_id: UUID,
    *,
    master_id: UUID,
    party_id: UUID,
    wish: Wish,
    now: datetime,
) -> tuple[Screener, str | None]:
    """Let somebody watch; return the screener and, the first time only, the link's secret.

    Raises:
        Unknown: the master is not the party's.
        NoProxy: it is not ready.
        IdReused: the id is taken by another screener.
    """
    master = await masters.get_master_of(session, master_id, party_id)
    if master.state != "ready":
        raise NoProxy("The master is not ready.", state=master.state)
    said: dict[str, Any] = {
        "master_id": master_id, "party_id": party_id, "viewer": wish.viewer,
        "expires_at": wish.expires_at, "most_views": wish.most_views,
    }  # fmt: skip
    secret = secrets.token_urlsafe(rules.SECRET_BYTES)
    row = {
        **said, "id": screener_id, "views": 0, "state": "preparing", "done_bp": 0,
        "secret_sha256": rules.digest(secret), "created_at": now,
    }  # fmt: skip
    made = await session.execute(
        insert(Screener).values(**row).on_conflict_do_nothing().returning(col(Screener.id))
    )
    created = made.scalar_one_or_none() is not None
    screener = await session.get_one(Screener, screener_id)
    if any(getattr(screener, name) != value for name, value in said.items()):
        raise IdReused("The id is taken by another screener.")
    if created:
        await _record(session, screener, "screener.granted", now)
    return screener, secret if created else None


async def show_progress(session: AsyncSession, screener_id: UUID, *, done_bp: int) -> None:
    """Let the owner see how far the making of a screener is."""
    await session.execute(
        update(Screener)
        .where(col(Screener.id) == screener_id, col(Screener.state) == "preparing")
        .values(done_bp=done_bp)
    )


async def made(session: AsyncSession, screener_id: UUID, *, good: bool) -> Screener:
    """Write down that the film is there, or that it cannot be made."""
    screener = await _locked(session, screener_id)
    if screener.state == "preparing":
        screener.state, screener.done_bp = ("ready", 10_000) if good else ("failed", 0)
        await session.flush()
    return screener


async def open_viewing(session: AsyncSession, secret: str, *, now: datetime) -> Viewing:
    """Begin to watch; each counts as one view.

    Raises:
        Unknown: no link has this secret.
        ScreenerEnded, ScreenerNotReady: see `rules.check_alive` and `rules.check_views`.
    """
    screener = await _locked(session, (await queries.by_secret(session, secret)).id)
    check_alive(screener, now=now)
    rules.check_views(views=screener.views, most_views=screener.most_views)
    screener.views += 1
    viewing = Viewing(id=ids.new(now), screener_id=screener.id, opened_at=now)
    session.add(viewing)
    await _record(session, screener, "screener.opened", now, viewing=str(viewing.id))
    await session.flush()
    return viewing


async def revoke(
    session: AsyncSession, master_id: UUID, screener_id: UUID, *, party_id: UUID, now: datetime
) -> Screener:
    """Take a link back; who is watching can go no further. Again is the same.

    Raises:
        Unknown: it is not a screener of the party's master.
    """
    screener = await _locked(session, screener_id)
    if (screener.master_id, screener.party_id) != (master_id, party_id):
        raise Unknown("There is no such screener.")
    if screener.revoked_at is None:
        screener.revoked_at = now
        await _record(session, screener, "screener.revoked", now)
        await session.flush()
    return screener


async def end_due(session: AsyncSession, *, limit: int, now: datetime) -> Sequence[Screener]:
    """End what ran out or was taken back; the caller removes the films after commit."""
    over = (
        select(Screener)
        .where(
            col(Screener.state) != "ended",
            or_(col(Screener.expires_at) <= now, col(Screener.revoked_at).is_not(None)),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ended = (await session.scalars(over)).all()
    for screener in ended:
        screener.state = "ended"
    await session.flush()
    return ended


def check_alive(screener: Screener, *, now: datetime) -> None:
    """Refuse a screener that is over or not there yet; see `rules.check_alive`."""
    rules.check_alive(
        state=screener.state,
        expires_at=screener.expires_at,
        revoked_at=screener.revoked_at,
        now=now,
    )


async def _locked(session: AsyncSession, screener_id: UUID) -> Screener:
    screener = await locking.find_locked(session, Screener, col(Screener.id) == screener_id)
    if screener is None:
        raise Unknown("There is no such screener.")
    return screener


async def _record(
    session: AsyncSession, screener: Screener, kind: str, now: datetime, **more: Any
) -> None:
    payload = {"screener": str(screener.id), "master": str(screener.master_id), **more}
    await facts.record(session, kind, screener.id, payload, parties=[screener.party_id], now=now)
