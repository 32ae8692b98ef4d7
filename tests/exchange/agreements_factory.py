"""Auctions whose rules ask for a signed deposit agreement, and bidders who sign it."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.agreements import queries, service
from contracts.agreements.tables import Agreement
from contracts.parties.gateway import LocalAuthority
from contracts.parties.tables import Party
from exchange import agreement_verbs
from exchange.authority import open_authority
from exchange.context import Context
from exchange.demo import signer
from listings.auctions.tables import Auction
from tests.contracts.deals_factory import PRESS, Signatory, with_key
from tests.contracts.works_factory import work
from tests.listings.auctions_factory import open_auction

DEPOSIT = 2_000_000
ASKED: dict[str, Any] = {"kind": "applied", "deposit_minor": DEPOSIT, "agreement": "signed"}


async def asking_auction(
    session: AsyncSession, *, seller: Party, now: datetime, **admission: Any
) -> Auction:
    """An open auction of a registered work; `admission` changes what its rules ask."""
    film = await work(session, party_id=seller.id, now=now)
    return await open_auction(
        session, seller_id=seller.id, work_id=film.id, now=now,
        admission={**ASKED, **admission}, forfeits=["collusion", "winner-refuses"],
    )  # fmt: skip


async def drawn_up(
    context: Context, session: AsyncSession, auction: Auction, bidder: Party, *, now: datetime
) -> Agreement:
    """The bidder's agreement, certified and not signed."""
    agreement, _ = await agreement_verbs.draw_up(context, session, auction.id, bidder.id, now=now)
    return agreement


async def signed(
    context: Context, session: AsyncSession, auction: Auction, bidder: Party, *, now: datetime
) -> Agreement:
    """The bidder's agreement, signed with a new key of its own."""
    authority = open_authority(context.settings, now=now)
    agreement = await drawn_up(context, session, auction, bidder, now=now)
    who = await with_key(session, authority, bidder, now=now)
    await sign(session, authority, agreement, who, now=now)
    return agreement


async def sign(
    session: AsyncSession,
    authority: LocalAuthority,
    agreement: Agreement,
    who: Signatory,
    *,
    now: datetime,
) -> Agreement:
    """Both phases of the signature."""
    session_id = ids.new(now)
    begun, _ = await service.open_session(
        session, agreement.id, session_id,
        party_id=who.party.id, key_id=who.key.id, press=PRESS, now=now,
    )  # fmt: skip
    return await service.complete_session(
        session, agreement.id, session_id,
        party_id=who.party.id, signature=signer.sign_tbs(who.key_pem, begun.tbs),
        certifier=authority.certifier, now=now,
    )  # fmt: skip


async def latest_pdf(session: AsyncSession, agreement: Agreement) -> bytes:
    """The file as it stands."""
    return (await queries.document(session, agreement.id)).pdf
