"""Auctions and staff for tests of admission and deposits: rows alone, no bidding."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids, rfc3339
from contracts.parties.tables import Party
from listings.auctions.tables import Auction
from tests.contracts import parties_factory
from tests.exchange.identity_factory import person

LASTS = timedelta(hours=1)


async def bidder(session: AsyncSession, *, now: datetime) -> Party:
    return await parties_factory.party(session, kind="broadcaster", now=now)


async def staff(session: AsyncSession, *, now: datetime, role: str = "operator") -> UUID:
    home = await parties_factory.party(session, now=now)
    return (await person(session, party_id=home.id, role=role, now=now)).id


async def auction(
    session: AsyncSession,
    *,
    now: datetime,
    admission: Mapping[str, Any] | None = None,
    hidden: bool = False,
    forfeits: Sequence[str] = ("winner-refuses", "non-payment"),
    seller_id: UUID | None = None,
    barred: Sequence[UUID] = (),
    auction_id: UUID | None = None,
    work_id: UUID | None = None,
) -> Auction:
    """An open auction with a rulebook that says what admission reads."""
    seller = seller_id or (await parties_factory.party(session, now=now)).id
    closes_at = now + LASTS
    book = canonical.dumps(
        {
            "version": 2,
            "closes_at": rfc3339.exact(closes_at),
            "admission": {
                "kind": "verified", "deposit_minor": 0, "until": None,
                "most_bidders": None, "cap_minor": None, **(admission or {}),
            },
            "secrecy": {"bidders": "hidden" if hidden else "alias", "amounts": "open"},
            "forfeits": list(forfeits),
        }
    )  # fmt: skip
    made = Auction(
        id=auction_id or ids.new(now),
        work_id=work_id or ids.new(now),
        listing_id=ids.new(now),
        seller_id=seller,
        barred=[seller, *barred],
        state="open",
        rulebook=book,
        rulebook_sha256=canonical.sha256_hex(book),
        currency="CNY",
        floor_minor=100_000,
        step_minor=1_000,
        opens_at=now,
        announced_closes_at=closes_at,
        closes_at=closes_at,
        soft_close_s=60,
        hard_stop_at=closes_at + LASTS,
    )
    session.add(made)
    await session.flush()
    return made
