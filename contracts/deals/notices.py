"""Notices between the sides of a deal (通知): of a breach, an offer to end, an early end.

A notice is received when it is in the log, as the clause about notices says; its time is that of
its leaf. After a notice of breach the period to cure runs; where nothing stops it, the deal ends.
So does it after a demand for payment, if what was late then is still unpaid: settlement says so.
Where a clause lets a side end the contract without a reason, its notice ends the deal when the
clause's period is over; it cannot be taken back (民法典 art. 565 ¶1), but both may agree otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking, rfc3339
from contracts.deals import ending, lifecycle, rows, rules, timing
from contracts.deals.tables import Deal, DealNotice
from contracts.parties import queries as parties
from contracts.parties.rules import clean_name
from contracts.refusal import IdReused, Kind, Refusal, Unknown

TYPE = "uhdx.notice/v1"
# Which clause lets which sides end a contract early, and which parameter is its period.
EARLY_END: Mapping[str, tuple[tuple[str, ...], str]] = {
    "termination-convenience": (("licensee",), "convenience_days"),
}
LONGEST_TEXT = 2000
# Which answer settles which kind, from which side.
ANSWERS = {
    ("breach", "giver", "withdrawn"): "withdrawn",
    ("breach", "giver", "cured"): "cured",
    ("payment", "giver", "withdrawn"): "withdrawn",
    ("mutual", "giver", "withdrawn"): "withdrawn",
    ("mutual", "other", "agreed"): "terminated",
    ("mutual", "other", "refused"): "refused",
}


class NoticeSettled(Refusal):
    """The notice has been settled otherwise."""

    kind, code = Kind.CONFLICT, "notice-settled"
    hint = "See `outcome` of the notice; give another one where there is reason to."


class NoticeRunning(Refusal):
    """A notice of this kind from this side is not settled yet."""

    kind, code = Kind.CONFLICT, "notice-running"
    hint = "Withdraw the notice in `notice` first, or wait for what comes of it."


class AnswerNotPossible(Refusal):
    """This side cannot answer this notice so."""

    kind, code = Kind.CONFLICT, "answer-not-possible"
    hint = "Who gave a notice withdraws it or says it is cured; the other side agrees or refuses."


class NoEarlyEnd(Refusal):
    """No clause of the contract lets this side end it without a reason."""

    kind, code = Kind.CONFLICT, "no-early-end"
    hint = "Offer to end it by agreement, or give notice of a breach where there is one."


@dataclass(frozen=True, slots=True)
class Said:
    """What a notice says; its `signature` (DER) by `key_id` is over the bytes of `content`."""

    kind: str
    text: str
    key_id: UUID | None = None
    signature: bytes | None = None


def content(deal: Deal, notice_id: UUID, *, party_id: UUID, kind: str, text: str) -> bytes:
    """Return the RFC 8785 bytes of a notice: what a party signs that signs it with its key."""
    return canonical.dumps(
        {
            "typ": TYPE,
            "notice": str(notice_id),
            "deal": str(deal.id),
            "contract": deal.contract_no,
            "terms_sha256": deal.terms_sha256,
            "party": str(party_id),
            "kind": kind,
            "text": text,
        }
    )


async def give(
    session: AsyncSession,
    deal_id: UUID,
    notice_id: UUID,
    *,
    party_id: UUID,
    said: Said,
    now: datetime,
) -> tuple[DealNotice, bool]:
    """Give the other side notice; return it and whether it is new.

    Raises:
        Unknown: the party has no such deal.
        IdReused: the id belongs to a notice with other content.
        BadName: the text is empty, too long, or holds characters that cannot be seen.
        DealNotInForce: there is nothing to end.
        NoEarlyEnd: an early end is not this side's to choose.
        NoticeRunning: one of this kind from this side is not settled.
        KeyNotActive, BadSignature: it is signed, but not with a key of the party over its bytes.
    """
    deal = await rows.locked(session, deal_id)
    role = rows.role_of(deal, party_id)
    text = clean_name(said.text, field="text", most=LONGEST_TEXT)
    written = content(deal, notice_id, party_id=party_id, kind=said.kind, text=text)
    known = await session.get(DealNotice, (deal_id, notice_id))
    if known is not None:
        if (known.content, known.signature) != (written, said.signature):
            raise IdReused("This id belongs to a notice with other content.")
        return known, False
    lifecycle.check_in_force(deal.life)
    if said.kind == "convenience" and early_end_days(deal, role=role) is None:
        raise NoEarlyEnd("Your side cannot end this contract without a reason.", role=role)
    await _check_alone(session, deal, party_id, said.kind)
    await _check_signature(session, party_id, said, written)
    sha256 = canonical.sha256_hex(written)
    payload = {
        "deal": str(deal_id), "notice": str(notice_id), "kind": said.kind, "party": str(party_id),
        "sha256": sha256, "text": text,
    }  # fmt: skip
    told = await rows.tell(session, "notice.given", deal, payload, now=now)
    notice = DealNotice(
        deal_id=deal_id, id=notice_id, kind=said.kind, party_id=party_id, text=text,
        content=written, sha256=sha256, key_id=said.key_id, signature=said.signature,
        fact_id=told, given_at=now,
    )  # fmt: skip
    session.add(notice)
    await session.flush()
    await timing.arm(session, deal_id, "deemed-receipt", ref=notice_id, due_at=now)
    return notice, True


def early_end_days(deal: Deal, *, role: str) -> int | None:
    """Return after how many days a side may end the deal without a reason; None where it may not.

    The clause that says so is in the contract as it was signed, with the days agreed there.
    """
    terms = canonical.loads(deal.terms)
    for clause in terms["clauses"]:
        sides, period = EARLY_END.get(clause["ref"], ((), ""))
        if role in sides:
            days: int = terms["parameters"][period]
            return days
    return None


async def receive(
    session: AsyncSession, deal: Deal, notice: DealNotice, *, how: str, now: datetime
) -> None:
    """Note that a locked deal's notice was received when it was logged; the time to cure begins."""
    notice.received_at = notice.given_at
    if notice.kind == "breach":
        days: int = canonical.loads(deal.terms)["parameters"]["cure_days"]
        notice.cure_by = lifecycle.cure_by(notice.given_at, days=days)
        await timing.arm(session, deal.id, "cure-end", ref=notice.id, due_at=notice.cure_by)
    elif notice.kind == "payment":  # whoever keeps the money says whether it was paid in time
        days = canonical.loads(deal.terms)["parameters"]["cure_days"]
        notice.cure_by = lifecycle.cure_by(notice.given_at, days=days)
    elif notice.kind == "convenience":
        role = rows.role_of(deal, notice.party_id)
        notice.cure_by = lifecycle.cure_by(
            notice.given_at, days=early_end_days(deal, role=role) or 0
        )
        await timing.arm(session, deal.id, "notice-end", ref=notice.id, due_at=notice.cure_by)
    await session.flush()
    payload = {
        "deal": str(deal.id),
        "notice": str(notice.id),
        "how": how,
        "received_at": rfc3339.exact(notice.received_at),
        "cure_by": notice.cure_by and rfc3339.exact(notice.cure_by),
    }
    await rows.tell(session, "notice.received", deal, payload, now=now)


async def answer(
    session: AsyncSession,
    deal_id: UUID,
    notice_id: UUID,
    *,
    party_id: UUID,
    said: str,
    now: datetime,
) -> DealNotice:
    """Settle a notice: withdrawn or cured by who gave it; an offer to end is agreed or refused.

    The same answer again changes nothing.

    Raises:
        Unknown: the party has no such deal or notice.
        AnswerNotPossible: not by this side, or not to this kind.
        NoticeSettled: it is settled otherwise.
        DealNotInForce: the deal has ended.
    """
    deal = await rows.locked(session, deal_id)
    rows.role_of(deal, party_id)
    notice = await get_locked(session, deal_id, notice_id)
    side = "giver" if party_id == notice.party_id else "other"
    outcome = ANSWERS.get((notice.kind, side, said))
    if outcome is None:
        raise AnswerNotPossible("This notice is not answered so from your side.", kind=notice.kind)
    if notice.outcome == outcome:
        return notice
    if notice.outcome is not None:
        raise NoticeSettled("This notice is settled.", outcome=notice.outcome)
    lifecycle.check_in_force(deal.life)
    await settle(session, deal, notice, outcome, party_id=party_id, now=now)
    if outcome == "terminated":
        await ending.terminate(
            session, deal, cause="mutual", notice=notice.id, by=party_id, now=now
        )
    return notice


async def settle(
    session: AsyncSession,
    deal: Deal,
    notice: DealNotice,
    outcome: str,
    *,
    party_id: UUID | None,
    now: datetime,
) -> None:
    """Note what came of a notice, and by whom; None where a period ran out."""
    notice.outcome, notice.settled_at = outcome, now
    await session.flush()
    payload = {
        "deal": str(deal.id),
        "notice": str(notice.id),
        "outcome": outcome,
        "party": None if party_id is None else str(party_id),
    }
    await rows.tell(session, "notice.settled", deal, payload, now=now)


async def get_locked(session: AsyncSession, deal_id: UUID, notice_id: UUID) -> DealNotice:
    """Load a notice under its lock.

    Raises:
        Unknown: there is no such notice.
    """
    notice = await locking.find_locked(
        session, DealNotice, col(DealNotice.deal_id) == deal_id, col(DealNotice.id) == notice_id
    )
    if notice is None:
        raise Unknown("There is no such notice.", notice=str(notice_id))
    return notice


async def _check_alone(session: AsyncSession, deal: Deal, party_id: UUID, kind: str) -> None:
    running = await locking.find_locked(
        session,
        DealNotice,
        col(DealNotice.deal_id) == deal.id,
        col(DealNotice.kind) == kind,
        col(DealNotice.party_id) == party_id,
        col(DealNotice.settled_at).is_(None),
    )
    if running is not None:
        raise NoticeRunning("A notice of this kind is not settled.", notice=str(running.id))


async def _check_signature(
    session: AsyncSession, party_id: UUID, said: Said, written: bytes
) -> None:
    if said.key_id is None or said.signature is None:
        return
    key = await parties.active_key(session, party_id, said.key_id)
    if not rules.fits(said.signature, written, public_key_pem=key.public_key_pem.encode()):
        raise rules.BadSignature("The signature does not fit the bytes of the notice.")
