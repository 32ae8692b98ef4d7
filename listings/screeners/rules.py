"""Decisions about screeners: who may watch what until when, and what is burnt into the picture."""

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.refusal import Kind, Refusal

LONGEST = timedelta(days=90)
LONGEST_VIEWING = timedelta(hours=12)  # a film with pauses; the link itself may end sooner
MOST_VIEWER = 60  # signs of a name that fit on one line of the picture
MOST_VIEWS = 1000
SECRET_BYTES = 32


class BadScreener(Refusal):
    """The viewer's name, the end or the number of views cannot be."""

    kind, code = Kind.INVALID, "bad-screener"
    hint = "Name the viewer in 1 to 60 printable signs, end within 90 days, allow 1 to 1000 views."


class NoProxy(Refusal):
    """The master has no proxy that a screener could be made from."""

    kind, code = Kind.CONFLICT, "no-proxy"
    hint = "Wait until the master is ready; if it was examined long ago, upload it again."


class ScreenerNotReady(Refusal):
    """The name is still being burnt into the picture."""

    kind, code = Kind.CONFLICT, "screener-not-ready"
    hint = "Open the link again in a minute."


class ScreenerEnded(Refusal):
    """The link ran out, was taken back, or was used as often as it may be."""

    kind, code = Kind.GONE, "screener-ended"
    hint = "Ask whoever sent you the link for another."


@dataclass(frozen=True, slots=True)
class Wish:
    """Who may watch, until when, how often (None: as often as they like)."""

    viewer: str
    expires_at: datetime
    most_views: int | None


def wish(viewer: str, expires_at: datetime, most_views: int | None, *, now: datetime) -> Wish:
    """Read a wish for a screener.

    Raises:
        BadScreener: one of its parts cannot be.
    """
    name = " ".join(unicodedata.normalize("NFC", viewer).split())
    hidden = any(unicodedata.category(sign)[0] == "C" for sign in name)
    if not name or len(name) > MOST_VIEWER or hidden:
        raise BadScreener("The viewer's name cannot be shown in the picture.", field="viewer")
    if not now < expires_at <= now + LONGEST:
        raise BadScreener("The end is past or too far away.", field="expires_at")
    if most_views is not None and not 1 <= most_views <= MOST_VIEWS:
        raise BadScreener("The number of views cannot be.", field="most_views")
    return Wish(name, expires_at, most_views)


def check_alive(
    *,
    state: str,
    expires_at: datetime,
    revoked_at: datetime | None,
    now: datetime,
) -> None:
    """Refuse a screener that is over or not there yet.

    Raises:
        ScreenerEnded: it ran out, was taken back, or could not be made.
        ScreenerNotReady: it is being made.
    """
    if revoked_at is not None or now >= expires_at or state in ("failed", "ended"):
        raise ScreenerEnded("This screener has ended.")
    if state != "ready":
        raise ScreenerNotReady("This screener is being made.")


def check_views(*, views: int, most_views: int | None) -> None:
    """Refuse one viewing too many.

    Raises:
        ScreenerEnded: the link was used as often as it may be.
    """
    if most_views is not None and views >= most_views:
        raise ScreenerEnded("This screener was watched as often as it may be.", views=views)


def check_viewing(*, opened_at: datetime, now: datetime) -> None:
    """Refuse to go on with a viewing that began too long ago.

    Raises:
        ScreenerEnded: it began more than twelve hours ago.
    """
    if now >= opened_at + LONGEST_VIEWING:
        raise ScreenerEnded("This viewing began too long ago; open the link again.")


def burnt(viewer: str, screener_id: UUID, made_at: datetime) -> str:
    """Return what is drawn into the picture: viewer, day (UTC) and the end of the screener's id."""
    return f"{viewer} · {made_at:%Y-%m-%d} · {screener_id.hex[-8:]}"


def digest(secret: str) -> str:
    """Return the SHA-256 (hex) that is stored instead of a link's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
