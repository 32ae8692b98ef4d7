"""Letters of guarantee: kept as they were handed in, and how they stand; nothing is booked here.

What a letter means for the deposit is decided in `settlement.deposits.letters`, whose verbs hold
the deposit's lock when they call these.
"""

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.refusal import Unknown
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.guarantees import rules
from settlement.guarantees.rules import Offer
from settlement.guarantees.tables import Guarantee

OBJECT = "guarantee"


async def keep(session: AsyncSession, offer: Offer, *, person_id: UUID, now: datetime) -> Guarantee:
    """Keep a letter and its scan as they were handed in."""
    letter, raw = offer.letter, rules.content(offer)
    row = Guarantee(
        id=offer.id,
        auction_id=offer.auction_id,
        party_id=offer.party_id,
        form=letter.form,
        issuer=letter.issuer,
        issuer_bic=letter.issuer_bic,
        issuer_cnaps=letter.issuer_cnaps,
        number=letter.number,
        amount_minor=letter.amount.amount_minor,
        currency=letter.amount.currency,
        valid_until=letter.valid_until,
        demand_terms=letter.demand_terms,
        beneficiary=letter.beneficiary,
        scan=offer.scan,
        scan_sha256=hashlib.sha256(offer.scan).hexdigest(),
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        state=rules.OFFERED,
        offered_by=person_id,
        offered_at=now,
    )
    session.add(row)
    await session.flush()
    return row


async def decide(
    session: AsyncSession,
    row: Guarantee,
    *,
    decision: Decision,
    reason: str | None,
    now: datetime,
) -> None:
    """Accept a letter, or refuse it with a reason; another natural person handed it in.

    Raises:
        GuaranteeDecided, GuaranteeOtherPerson, GuaranteeChanged: see `rules.check_decision`.
        ProofSpent: the proof has served for another decision.
    """
    rules.check_decision(
        state=row.state,
        offered_by=row.offered_by,
        decided_by=decision.person_id,
        same=decision.content_sha256 == row.content_sha256,
    )
    subject = Subject(OBJECT, row.id, row.content_sha256, row.offered_by)
    if reason is None:
        await approvals.approve_and_use(session, subject, decision=decision, now=now)
        row.state = rules.ACCEPTED
    else:
        by = decision.person_id
        await approvals.refuse(session, subject, checker_id=by, reason=reason, now=now)
        row.state, row.refused_reason, row.ended_at = rules.REFUSED, reason, now
    row.decided_by, row.decided_at = decision.person_id, now
    await session.flush()


async def end(
    session: AsyncSession, row: Guarantee, state: str, *, person_id: UUID | None, now: datetime
) -> None:
    """Note that a letter was given back, was paid, or has run out."""
    row.state, row.ended_by, row.ended_at = state, person_id, now
    await session.flush()


async def locked(session: AsyncSession, guarantee_id: UUID) -> Guarantee:
    """Return a letter, locked until the transaction ends.

    Raises:
        Unknown: there is none of that id.
    """
    row = await locking.find_locked(session, Guarantee, col(Guarantee.id) == guarantee_id)
    if row is None:
        raise Unknown("There is no such letter of guarantee.")
    return row
