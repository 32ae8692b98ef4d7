"""Applying for admission (报名), and what staff decide: papers, caps, refusal, reinstatement.

Each verb locks the auction's row first, as a batch of bids does.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import calendar, locking
from contracts.agreements import queries as agreements
from contracts.money import Money
from contracts.refusal import Unknown
from listings.admissions import queries, rules, service
from listings.admissions.rules import Gate
from listings.admissions.tables import AdmissionRow
from listings.auctions import queries as auctions
from listings.auctions.tables import Auction
from settlement.approvals.rules import Decision
from settlement.deposits import letters
from settlement.deposits import queries as deposit_queries
from settlement.deposits import service as deposits
from settlement.deposits.rules import RETURN_WITHIN_DAYS, Terms
from settlement.deposits.tables import Deposit, DepositReceipt
from settlement.guarantees.tables import Guarantee

MOST_AT_ONCE = 100


async def apply(
    session: AsyncSession,
    auction_id: UUID,
    party_id: UUID,
    *,
    application: Mapping[str, Any],
    now: datetime,
) -> AdmissionRow:
    """Ask to bid; where the rulebook admits whoever is verified, that is all.

    Elsewhere papers and licence are kept for staff, and the deposit is asked for. The application
    may be sent again with other content until staff have looked at it.

    Raises:
        Unknown: there is no such auction.
        OwnListing, BidderNotVerified, RelatedToSeller, Blocked, NotAdmitted: the party may not bid.
        AdmissionClosed: the time to apply is over.
        AdmissionDecided: staff have decided, and this is another content.
        InvalidContent: the licence ends before the bidding.
    """
    auction = await _locked(session, auction_id)
    gate = rules.gate(auction.rulebook)
    if gate.kind == rules.VERIFIED:
        return await _admit_verified(session, auction, party_id, now=now)
    known = await queries.find_admission(session, auction_id, party_id)
    if known is not None and known.application == application:
        return known
    await _check_party(session, auction, party_id, now=now)
    _check_running(auction, now)
    rules.check_open(gate, now)
    rules.check_licence(application.get("licence"), until=gate.closes_at)
    row = known or AdmissionRow(auction_id=auction_id, party_id=party_id, state=rules.WAITING)
    if row.state not in (rules.WAITING, rules.RESERVED) or row.papers_checked_at is not None:
        raise rules.AdmissionDecided("Staff have looked at your application.", state=row.state)
    row.state, row.application, row.applied_at = rules.WAITING, dict(application), now
    session.add(row)
    await session.flush()
    await _ask_deposit(session, auction, party_id, gate=gate, now=now)
    return row


async def accept_papers(
    session: AsyncSession,
    auction_id: UUID,
    party_id: UUID,
    *,
    person_id: UUID,
    cap_minor: int | None,
    now: datetime,
) -> AdmissionRow:
    """Accept an applicant's papers, with a cap of its own if any; admit it if its deposit is in.

    A suspended bidder is reinstated: staff found that nothing connects it with the seller.

    Raises:
        Unknown: there is no such auction or applicant.
        RelatedToSeller, Blocked: it may not bid, papers or not.
        AdmissionDecided: it was refused.
    """
    auction = await _locked(session, auction_id)
    row = await queries.get_admission(session, auction_id, party_id)
    if row.state == rules.REFUSED:
        raise rules.AdmissionDecided("This application was refused.", state=row.state)
    await _check_party(session, auction, party_id, now=now)
    row.cap_minor = cap_minor
    row.papers_checked_by, row.papers_checked_at = person_id, now
    if row.state == rules.SUSPENDED:
        row.state, row.reason, row.suspended_at = rules.ADMITTED, None, None
    await session.flush()
    await _admit_if_complete(session, auction, row, now=now)
    return row


async def receive_deposit(
    session: AsyncSession, receipt: DepositReceipt, *, currency: str, now: datetime
) -> Deposit:
    """Record what the bank credited; admit the applicant whose papers are accepted, if it is all.

    Raises:
        Unknown: there is no such auction, or no deposit was asked for.
        IdReused, ReceiptKnown, WrongCurrency: see `deposits.receive`.
    """
    auction = await _locked(session, receipt.auction_id)
    deposit, _ = await deposits.receive(session, receipt, currency=currency)
    row = await queries.find_admission(session, auction.id, receipt.party_id)
    if row is not None:
        await _admit_if_complete(session, auction, row, now=now)
    return deposit


async def lock(session: AsyncSession, auction_ids: Collection[UUID]) -> None:
    """Lock auctions in the order of their ids, before any deposit of theirs is locked."""
    for auction_id in sorted(auction_ids):
        await locking.find_locked(session, Auction, col(Auction.id) == auction_id)


async def admit_paid(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime
) -> None:
    """Admit an applicant whose deposit a statement showed, if nothing else is missing.

    Raises:
        Unknown: there is no such auction.
    """
    row = await queries.find_admission(session, auction_id, party_id)
    if row is not None:
        await _admit_if_complete(session, await _locked(session, auction_id), row, now=now)


async def accept_letter(
    session: AsyncSession, letter: Guarantee, *, decision: Decision, now: datetime
) -> Guarantee:
    """Accept a letter of guarantee; admit the applicant if that was all it waited for.

    Raises:
        Unknown: there is no such auction.
        DepositSecured, GuaranteeDecided, GuaranteeOtherPerson, GuaranteeChanged, ProofSpent: see
            `letters.accept`.
    """
    auction = await _locked(session, letter.auction_id)
    accepted = await letters.accept(session, letter.id, decision=decision, now=now)
    row = await queries.find_admission(session, auction.id, letter.party_id)
    if row is not None:
        await _admit_if_complete(session, auction, row, now=now)
    return accepted


async def admit_due(session: AsyncSession, *, now: datetime) -> int:
    """Admit applicants whose card holds or paid since: the provider knows nothing of admissions."""
    admitted = 0
    for auction_id, party_id in await queries.secured(session, now=now, limit=MOST_AT_ONCE):
        auction = await _locked(session, auction_id)
        row = await queries.find_admission(session, auction_id, party_id)
        if row is not None:
            await _admit_if_complete(session, auction, row, now=now)
            admitted += row.state == rules.ADMITTED
    return admitted


async def check_may_sign(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime
) -> Auction:
    """Let only a party that may still apply sign the deposit agreement; return the auction.

    Raises:
        Unknown: there is no such auction.
        NoAgreementAsked: its rules ask for no signature.
        OwnListing, BidderNotVerified, RelatedToSeller, Blocked: the party may not bid.
        AdmissionClosed: the time to apply is over.
    """
    auction = await auctions.get_auction(session, auction_id)
    gate = rules.gate(auction.rulebook)
    if not gate.must_sign:
        raise rules.NoAgreementAsked("These rules ask for no signed agreement.")
    await _check_party(session, auction, party_id, now=now)
    _check_running(auction, now)
    rules.check_open(gate, now)
    return auction


async def agreement_signed(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime
) -> None:
    """Admit the applicant whose deposit agreement is signed, if that was all it waited for.

    Raises:
        Unknown: there is no such auction.
    """
    auction = await _locked(session, auction_id)
    row = await queries.find_admission(session, auction_id, party_id)
    if row is not None:
        await _admit_if_complete(session, auction, row, now=now)


async def refuse(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, reason: str, now: datetime
) -> AdmissionRow:
    """Refuse an applicant, with a reason; its deposit is free to go back.

    Raises:
        Unknown: there is no such auction or applicant.
        AdmissionDecided: it was admitted; its bids stand.
    """
    await _locked(session, auction_id)
    row = await queries.get_admission(session, auction_id, party_id)
    if row.state not in (rules.WAITING, rules.REFUSED):
        raise rules.AdmissionDecided("This party was admitted.", state=row.state)
    row.state, row.reason = rules.REFUSED, reason
    await session.flush()
    await deposits.set_one_free(session, auction_id, party_id, return_by=return_by(now), now=now)
    return row


async def missing(session: AsyncSession, auction: Auction, row: AdmissionRow) -> list[str]:
    """Return what an applicant waits for: `agreement`, `deposit`, `papers`; none once decided.

    An admitted bidder whose deposit has lapsed waits for one again.
    """
    gate = rules.gate(auction.rulebook)
    if row.state == rules.ADMITTED and gate.deposit_minor:
        deposit = await deposit_queries.find_deposit(session, auction.id, row.party_id)
        return ["deposit"] if deposit is not None and deposit.frozen_at is None else []
    if row.state != rules.WAITING:
        return []
    found = []
    if not await _agreement_is_in(session, auction, row.party_id, gate=gate):
        found.append("agreement")
    if not await _deposit_is_in(session, auction, row.party_id, gate=gate):
        found.append("deposit")
    if row.papers_checked_at is None:
        found.append("papers")
    return found


def return_by(now: datetime) -> date:
    """Return the day by which a freed deposit goes back: T+3 working days.

    Three days of the calendar where the year's working days are not published yet: that is never
    later.
    """
    today = calendar.day_of(now)
    try:
        return calendar.add_working_days(today, RETURN_WITHIN_DAYS)
    except calendar.YearNotLoaded:
        return today + timedelta(days=RETURN_WITHIN_DAYS)


async def _admit_verified(
    session: AsyncSession, auction: Auction, party_id: UUID, *, now: datetime
) -> AdmissionRow:
    known = await queries.find_admission(session, auction.id, party_id)
    if known is None or known.state == rules.RESERVED:
        await _check_party(session, auction, party_id, now=now)
        _check_running(auction, now)  # the log has told the roll: nobody joins it later
    admission = (await service.loaded(session, auction, [party_id], now=now))[party_id]
    rules.check(admission, committed_minor=0)
    return await queries.get_admission(session, auction.id, party_id)


async def _admit_if_complete(
    session: AsyncSession, auction: Auction, row: AdmissionRow, *, now: datetime
) -> None:
    gate = rules.gate(auction.rulebook)
    if row.state != rules.WAITING or row.papers_checked_at is None or now >= auction.closes_at:
        return
    if not await _deposit_is_in(session, auction, row.party_id, gate=gate):
        return
    if not await _agreement_is_in(session, auction, row.party_id, gate=gate):
        return
    if await service.is_full(session, auction.id, gate):
        return
    await service.give_paddle(session, auction.id, row.party_id, gate=gate, now=now)
    row.state = rules.ADMITTED
    await session.flush()


async def _deposit_is_in(
    session: AsyncSession, auction: Auction, party_id: UUID, *, gate: Gate
) -> bool:
    """Tell whether the deposit was in before the day, by the bank's date."""
    if not gate.deposit_minor:
        return True
    deposit = await deposit_queries.find_deposit(session, auction.id, party_id)
    if deposit is None or deposit.frozen_at is None:
        return False
    return deposit.frozen_at < (gate.until or gate.closes_at)


async def _agreement_is_in(
    session: AsyncSession, auction: Auction, party_id: UUID, *, gate: Gate
) -> bool:
    """Tell whether the deposit agreement was signed before the day, where it has to be signed."""
    if not gate.must_sign:
        return True
    signed_at = (await agreements.signed_by(session, auction.id, [party_id])).get(party_id)
    return signed_at is not None and signed_at < (gate.until or gate.closes_at)


async def _ask_deposit(
    session: AsyncSession, auction: Auction, party_id: UUID, *, gate: Gate, now: datetime
) -> None:
    if gate.deposit_minor:
        terms = Terms(
            auction_id=auction.id,
            party_id=party_id,
            seller_id=auction.seller_id,
            required=Money(gate.deposit_minor, auction.currency),
            until=gate.until,
            forfeits=gate.forfeits,
            modes=gate.modes,
            ends_by=gate.ends_by,
            card_margin_h=gate.card_margin_h,
            guarantee_days=gate.guarantee_days,
        )
        await deposits.require(session, terms, now=now)


async def _check_party(
    session: AsyncSession, auction: Auction, party_id: UUID, *, now: datetime
) -> None:
    standings = await service.standings(session, auction, [party_id], now=now)
    rules.check(standings[party_id], committed_minor=0)


def _check_running(auction: Auction, now: datetime) -> None:
    if auction.state not in ("open", "paused") or now >= auction.closes_at:
        raise rules.AdmissionClosed("The auction has ended.")


async def _locked(session: AsyncSession, auction_id: UUID) -> Auction:
    auction = await locking.find_locked(session, Auction, col(Auction.id) == auction_id)
    if auction is None:
        raise Unknown("There is no such auction.")
    return auction
