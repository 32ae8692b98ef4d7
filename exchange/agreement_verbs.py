"""Deposit agreements (竞买保证金协议): their terms, drawing them up, and what a signature wakes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.agreements import lasting, queries, service
from contracts.agreements.service import Draft
from contracts.agreements.tables import Agreement
from contracts.deals import deposits
from contracts.deals.deposits import Notice
from contracts.deals.gateway import TypstPress
from contracts.deals.terms import Side
from contracts.facts.rules import SealedFact
from contracts.money import Money
from contracts.parties import queries as parties
from contracts.parties import service as registry
from contracts.parties.tables import Party
from contracts.refusal import Kind, Refusal
from contracts.works import queries as works
from exchange.authority import open_authority
from exchange.context import Context
from listings.admissions import applying
from listings.admissions import rules as admissions
from listings.auctions import queries as auctions
from listings.auctions.tables import Auction

DEPOSIT = "deposit"


class NoDepositAsked(Refusal):
    """The auction asks for no deposit, so there is nothing to agree on."""

    kind, code = Kind.UNKNOWN, "no-deposit-asked"
    hint = "Look at `admission.deposit_minor` in the auction's rulebook."


async def deposit_terms(
    context: Context, session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime
) -> bytes:
    """Return the terms of a bidder's deposit agreement: as drawn up, or as they would be.

    Raises:
        Unknown: there is no such auction.
        NoDepositAsked: it asks for no deposit.
        TextCannotBePrinted: a name or title would not show on paper what it says.
    """
    auction = await auctions.get_auction(session, auction_id)
    gate = admissions.gate(auction.rulebook)
    if not gate.deposit_minor:
        raise NoDepositAsked("This auction asks for no deposit.", auction=str(auction_id))
    if gate.must_sign:
        known = await find_deposit_agreement(session, auction_id, party_id)
        if known is not None:
            return known.terms
    build = deposits.build_signed if gate.must_sign else deposits.build
    notice = await _notice(context, session, auction)
    exchange = await registry.ensure_exchange(session, now=now)
    bidder = await parties.get_party(session, party_id)
    made = build(notice, bidder=_side("bidder", bidder), exchange=_side("exchange", exchange))
    return canonical.dumps(made)


async def find_deposit_agreement(
    session: AsyncSession, auction_id: UUID, party_id: UUID
) -> Agreement | None:
    """Return the agreement that was drawn up for a bidder in an auction, or None."""
    return await queries.find_agreement(session, deposits.agreement_id(auction_id, party_id))


async def draw_up(
    context: Context, session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime
) -> tuple[Agreement, bool]:
    """Draw up and certify a bidder's deposit agreement; again it is the one that was drawn up.

    Raises:
        Refusal: any of `applying.check_may_sign` and `service.draw_up`.
    """
    known = await find_deposit_agreement(session, auction_id, party_id)
    if known is not None:
        return known, False
    auction = await applying.check_may_sign(session, auction_id, party_id, now=now)
    terms = await deposit_terms(context, session, auction_id, party_id, now=now)
    draft = Draft(
        deposits.agreement_id(auction_id, party_id), DEPOSIT, auction_id, party_id, terms,
        frozen_at=auction.opens_at,
    )  # fmt: skip
    certifier = open_authority(context.settings, now=now).certifier
    return await service.draw_up(session, draft, press=TypstPress(), certifier=certifier, now=now)


async def admit_signer(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `agreement.signed`: whoever waited for nothing else is admitted."""
    agreement = await queries.get_agreement_of(session, fact.subject, None)
    await applying.agreement_signed(session, agreement.subject_id, agreement.party_id, now=now)


async def archive_agreement(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `agreement.signed`: time-stamp the whole file, so that it outlives its keys."""
    authority = open_authority(context.settings, now=now)
    await lasting.archive(session, fact.subject, authority=authority, now=now)


async def _notice(context: Context, session: AsyncSession, auction: Auction) -> Notice:
    gate = admissions.gate(auction.rulebook)
    work = await works.get_work(session, auction.work_id)
    return Notice(
        auction=auction.id,
        rulebook_sha256=auction.rulebook_sha256,
        title={"zh": work.title_zh, "en": work.title_en},
        opens_at=auction.opens_at,
        closes_at=gate.closes_at,
        until=gate.until or gate.closes_at,
        deposit=Money(gate.deposit_minor, auction.currency),
        forfeits=gate.forfeits,
        log=context.settings.log_origin,
    )


def _side(role: str, party: Party) -> Side:
    return Side(role, party.id, party.name_zh, party.name_en, party.uscc)
