"""Certifying and signing the contracts of deals, and following them to their payment."""

from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import (
    carrying,
    holding,
    lifecycle,
    papers,
    queries,
    revisions,
    rows,
    rules,
    sealing,
    timestamps,
    timing,
)
from contracts.deals.gateway import Press
from contracts.deals.papers import Revision
from contracts.deals.rules import DealNotEffective, NotYourTurn, SessionUsed
from contracts.deals.tables import Deal, SigningSession
from contracts.log import witnesses
from contracts.log.tables import LogPolicy
from contracts.parties import queries as parties
from contracts.parties import service as registry
from contracts.parties.gateway import Certifier
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import IdReused, Unknown
from contracts.titles import rules as title_rules


async def certify(
    session: AsyncSession, deal_id: UUID, *, press: Press, certifier: Certifier, now: datetime
) -> Deal:
    """Typeset the contract and certify it: from now on only signatures may be added.

    Raises:
        Unknown: there is no such deal.
        TextCannotBePrinted: a character has no glyph.
        PressFailed: the typesetter did not finish.
    """
    deal = await rows.locked(session, deal_id)
    if deal.signing != "drafted":
        return deal
    base = await press.contract(deal.terms, frozen_at=deal.created_at)
    exchange = await registry.ensure_exchange(session, now=now)
    sealed = await papers.certified(
        revisions.paper(deal), base, press=press, certifier=certifier, exchange=exchange, now=now
    )
    first = revisions.document(deal, 1, sealed.pdf, now=now)
    session.add_all([revisions.document(deal, 0, base, now=now), first])
    deal.base_sha256, deal.pdf_sha256 = canonical.sha256_hex(base), first.sha256
    deal.signing = "certified"
    await session.flush()
    payload = {
        "deal": str(deal.id),
        "terms_sha256": deal.terms_sha256,
        "base_sha256": deal.base_sha256,
        "pdf_sha256": deal.pdf_sha256,
    }
    await rows.tell(session, "deal.certified", deal, payload, now=now)
    await _tell_level(session, deal, sealed, role=sealing.ROLES[0], now=now)
    return deal


async def open_session(  # noqa: PLR0913 - a session has that many parts.
    session: AsyncSession,
    deal_id: UUID,
    session_id: UUID,
    *,
    party_id: UUID,
    key_id: UUID,
    press: Press,
    now: datetime,
    room: int = timestamps.OWN_BYTES,
) -> tuple[SigningSession, bool]:
    """Begin a party's signature: prepare the exact bytes; return the session and whether it is new.

    `room` is what to leave for a time-stamp, in bytes (`timestamps.room`).

    Raises:
        Unknown: the party has no part in the deal.
        DealVoided: nobody signs this deal any more.
        NotYourTurn: another signature comes first, or the contract is signed.
        KeyNotActive: the key is revoked or not the party's.
        CertificateExpired: its certificate is not in force.
        IdReused: the id belongs to a session for another key.
        SessionExpired: the session of this id ran out.
    """
    deal = await rows.locked(session, deal_id)
    role = rows.role_of(deal, party_id)
    known = await queries.find_session(session, deal_id, session_id)
    if known is not None:
        return _again(known, party_id=party_id, key_id=key_id, now=now), False
    rules.check_turn(deal.signing, role=role)
    key = await parties.active_key(session, party_id, key_id)
    latest = await queries.document(session, deal_id)
    lay = partial(sealing.prepare, latest.pdf, role=role, room=room)
    laid = await papers.prepared(session, key, lay, press=press, now=now)
    begun = SigningSession(
        deal_id=deal_id, id=session_id, party_id=party_id, key_id=key_id, role=role,
        **papers.opened(key, laid, on_sha256=latest.sha256, now=now),
    )  # fmt: skip
    session.add(begun)
    await session.flush()
    return begun, True


async def complete_session(
    session: AsyncSession,
    deal_id: UUID,
    session_id: UUID,
    *,
    party_id: UUID,
    signature: bytes,
    certifier: Certifier,
    now: datetime,
) -> Deal:
    """Put the party's signature into the contract; the licensee's makes the deal take effect.

    Args:
        session: the open transaction; when this refuses, nothing has changed.
        deal_id: the deal.
        session_id: the session that was opened for this signature.
        party_id: who completes it.
        signature: r‖s (64 bytes) or DER, over the session's `tbs`.
        certifier: the exchange's own certificate and root, which the whole file is checked against.
        now: the instant.

    Raises:
        Unknown: the party has no such deal or session.
        SessionUsed: the session is completed, with another signature.
        SessionExpired: the session ran out.
        DealVoided: the deal was voided meanwhile.
        NotYourTurn: somebody else's signature went in meanwhile.
        KeyNotActive: the key was revoked meanwhile.
        WrongKey: the signature is of another key of one of the parties.
        BadSignature: the signature does not fit.
        DocumentNotSound: the signed file does not pass its own check.
        Refusal: any of `contracts.titles.parting.keep`, where another was signed before it.
    """
    deal = await rows.locked(session, deal_id)
    begun = await _begun(session, deal, session_id, party_id=party_id)
    der = rules.signature_der(signature)
    if begun.completed_at is not None:
        if begun.signature != der:
            raise SessionUsed("This session is completed with another signature.")
        return deal
    rules.check_time(begun.expires_at, now=now)
    state = rules.check_turn(deal.signing, role=begun.role)
    if begun.on_sha256 != deal.pdf_sha256:
        raise NotYourTurn("The contract has changed since this session was opened.")
    await papers.check_key(session, begun, der, sides=(deal.licensor_id, deal.licensee_id))
    await _keep_rights(session, deal, begun.role, now=now)
    made = await _signed(session, deal, begun, der, certifier=certifier, now=now)
    begun.completed_at, begun.signature = now, der
    await _keep(session, deal, begun, made, state=state, now=now)
    return deal


async def void(
    session: AsyncSession, deal_id: UUID, *, reason: str, by: UUID, now: datetime
) -> Deal:
    """Give up a deal that cannot go on (作废) and free its rights; again changes nothing.

    Args:
        session: the open transaction.
        deal_id: the deal.
        reason: why, for both parties to read; what was said first stays.
        by: the person of the staff who decides it, or the exchange where a rule does.
        now: the instant.

    Raises:
        Unknown: there is no such deal.
        DealExecuted: both parties have signed.
        DealDeclined, DealExpired: it was given up otherwise.
    """
    deal = await rows.locked(session, deal_id)
    if deal.signing == "voided":
        return deal
    rules.check_voidable(deal.signing)
    lifecycle.check_open(deal.life)
    await holding.release(session, deal, now=now)
    deal.signing = "voided"
    await session.flush()
    payload = {"deal": str(deal.id), "reason": reason, "by": str(by)}
    await rows.tell(session, "deal.voided", deal, payload, now=now)
    return deal


async def mark_paid(session: AsyncSession, deal_id: UUID, *, now: datetime) -> Deal:
    """Note that everybody has been paid what the deal owes; again changes nothing.

    A deal that has taken its place, and asks for no more, is paid with it.

    Raises:
        Unknown: there is no such deal.
        DealNotEffective: it has not taken effect.
    """
    deal = await rows.locked(session, deal_id)
    if deal.performance == "pending":
        raise DealNotEffective("The deal has not taken effect.", signing=deal.signing)
    deal.performance = "paid"
    await session.flush()
    await carrying.pay_on(session, deal, now=now)
    return deal


async def _signed(
    session: AsyncSession,
    deal: Deal,
    begun: SigningSession,
    der: bytes,
    *,
    certifier: Certifier,
    now: datetime,
) -> Revision:
    before = await queries.document(session, deal.id)
    keys = revisions.keys_of(await queries.completed_sessions(session, deal.id))
    return await papers.signed(
        revisions.paper(deal), before.pdf, begun, der, keys=keys, certifier=certifier, now=now
    )


async def _keep(
    session: AsyncSession,
    deal: Deal,
    begun: SigningSession,
    made: Revision,
    *,
    state: str,
    now: datetime,
) -> None:
    """Store the signed revision and make the signature known; then, if it is the last, the deal."""
    policy = await witnesses.demanded(session)
    revision = sealing.ROLES.index(begun.role) + 1
    signed = revisions.document(deal, revision, made.pdf, now=now)
    session.add(signed)
    deal.signing, deal.pdf_sha256 = state, signed.sha256
    if state == "executed":
        deal.performance, deal.executed_at = "pending" if policy else "effective", now
    await session.flush()
    payload = {
        "deal": str(deal.id),
        "party": str(begun.party_id),
        "role": begun.role,
        "spki_sha256": begun.spki_sha256,
        "pdf_sha256": signed.sha256,
    }
    await rows.tell(session, "deal.signed", deal, payload, now=now)
    await _tell_level(session, deal, made, role=begun.role, now=now)
    if state == "executed":
        await _execute(session, deal, policy=policy, now=now)


async def _tell_level(
    session: AsyncSession, deal: Deal, made: Revision, *, role: str, now: datetime
) -> None:
    """Put on record that a signature went without a time-stamp: it is of a lower level (B-B)."""
    if made.is_stamped:
        return
    payload = {
        "deal": str(deal.id),
        "role": role,
        "pdf_sha256": deal.pdf_sha256,
        "level": made.level,
    }
    await rows.tell(session, "deal.unstamped", deal, payload, now=now)


async def _execute(
    session: AsyncSession, deal: Deal, *, policy: LogPolicy | None, now: datetime
) -> None:
    """Grant the rights in the transaction of the last signature."""
    if deal.supersedes is None:
        await holding.make_effective(session, deal, now=now)
    else:
        await carrying.take_effect(session, deal, now=now)
    ends = lifecycle.window_end(canonical.loads(deal.terms)["grants"])
    await timing.arm(session, deal.id, "window-end", ref=deal.id, due_at=ends)
    payload = {
        "deal": str(deal.id),
        "terms_sha256": deal.terms_sha256,
        "pdf_sha256": deal.pdf_sha256,
        "amount_minor": deal.amount_minor,
        "currency": deal.currency,
        "policy_sha256": policy.sha256 if policy else None,
    }
    await rows.tell(session, "deal.executed", deal, payload, now=now)


async def void_overtaken(session: AsyncSession, deal_id: UUID, *, now: datetime) -> list[UUID]:
    """Give up the unsigned deals of offers whose rights a signed one took; return which.

    Both sides of each are told by `deal.voided`.

    Raises:
        Unknown: there is no such deal.
    """
    winner, voided = await queries.get_deal(session, deal_id), []
    for other in await queries.unsigned_of_offers(session, holding.works_of(winner)):
        try:
            await holding.check_free(session, other, now=now)
        except title_rules.RightsAlreadyGranted as gone:
            voided.append(other.id)
            await void(session, other.id, reason=gone.code, by=EXCHANGE_PARTY_ID, now=now)
    return voided


async def _keep_rights(session: AsyncSession, deal: Deal, role: str, *, now: datetime) -> None:
    """Hold what was agreed in an offer: the first signature has the rights."""
    if role != "licensor" or deal.offer_id is None or deal.supersedes is not None:
        return
    await holding.keep(session, deal, now=now)
    await timing.arm_signing(session, deal, expires_at=now + title_rules.HOLD_LASTS)


async def _begun(
    session: AsyncSession, deal: Deal, session_id: UUID, *, party_id: UUID
) -> SigningSession:
    rows.role_of(deal, party_id)
    begun = await queries.find_session(session, deal.id, session_id)
    if begun is None or begun.party_id != party_id:
        raise Unknown("There is no such signing session.", session=str(session_id))
    return begun


def _again(known: SigningSession, *, party_id: UUID, key_id: UUID, now: datetime) -> SigningSession:
    if (known.party_id, known.key_id) != (party_id, key_id):
        raise IdReused("This id belongs to a session for another key.")
    if known.completed_at is None:
        rules.check_time(known.expires_at, now=now)
    return known
