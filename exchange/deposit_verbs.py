"""Reactions about deposits and exposure: the end of an auction, of an award, of a deal."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import queries as deals
from contracts.facts.rules import SealedFact
from exchange.context import Context
from listings.admissions import applying, barring
from listings.admissions import queries as admissions
from listings.admissions import service as admitting
from listings.admissions.tables import PartyBlock
from listings.auctions import queries as auctions
from settlement.deposits import carding
from settlement.deposits import service as deposits


async def free_deposits(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `auction.closed` and `auction.voided`: all but the winners get theirs back, T+3."""
    auction = await auctions.get_auction(session, UUID(fact.record["auction"]))
    result = canonical.loads(auction.result) if auction.result else {"awards": []}
    kept = result["awards"]
    if result.get("outcome") == "shortlist":
        kept = result["ranking"]
    whose = await admissions.parties_of(session, auction.id)
    keep = {whose[one["paddle"]] for one in kept} if auction.state != "void" else set()
    await deposits.set_free(
        session, auction.id, keep=keep, return_by=applying.return_by(now), now=now
    )
    if auction.state == "void":
        await admitting.release(session, auction.id)


async def keep_deposit(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `award.made`: the winner's deposit waits for the deal, after a default too.

    What its card holds is captured: no card holds until a contract is signed and paid.
    """
    award = fact.record
    if award["auction"] is not None:
        whose = (UUID(award["auction"]), UUID(award["licensee"]))
        await deposits.keep(session, *whose)
        await carding.draw_kept(session, *whose, now=now)


async def free_after_lapse(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `award.lapsed`: no deal will come of it, and the winner is bound no more."""
    if fact.record["auction"] is not None:
        for party_id in fact.parties:
            await _free(session, UUID(fact.record["auction"]), party_id, now=now)


async def free_after_void(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `deal.voided`, `deal.declined` and `deal.expired`: no contract comes of the award.

    The deposit may go back, unless staff forfeit it by the notice.
    """
    deal = await deals.get_deal(session, UUID(fact.record["deal"]))
    if deal.auction_id is not None and deal.supersedes is None:
        await _free(session, deal.auction_id, deal.licensee_id, now=now)


async def free_after_payment(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `settlement.booked`: the winner has paid, and its letter of guarantee goes back."""
    deal = await deals.get_deal(session, UUID(fact.record["deal"]))
    if deal.auction_id is not None:
        await _free(session, deal.auction_id, deal.licensee_id, now=now)


async def bar_defaulter(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `deposit.forfeited`: whoever defaults does not bid when the work is sold again."""
    record = fact.record
    auction = await auctions.get_auction(session, UUID(record["auction"]))
    await barring.block(
        session,
        PartyBlock(
            id=fact.id,
            party_id=UUID(record["party"]),
            work_id=auction.work_id,
            reason=f"Deposit forfeited: {record['reason']} (保证金不予退还)",
            placed_at=now,
        ),
    )


async def _free(session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime) -> None:
    await admitting.free(session, auction_id, party_id)
    await deposits.set_one_free(
        session, auction_id, party_id, return_by=applying.return_by(now), now=now
    )
