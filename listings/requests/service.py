"""Asking, answering, and opening all answers together once the deadline has passed.

Answers are rows withheld by rule, each committed to when it is given: its maker gets the commitment
at once, everybody concerned gets all of them at the opening. Nothing about an answer is recorded as
a fact before, so that the log does not tell how many there are.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking, rfc3339
from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.parties.rules import PartyNotVerified
from contracts.refusal import IdReused, Unknown
from listings.offers import rules as offer_rules
from listings.offers import saying
from listings.offers import service as offers
from listings.offers.rules import LICENSEE, LICENSOR
from listings.offers.saying import Word
from listings.offers.tables import Offer
from listings.requests import queries, rules
from listings.requests.tables import Proposal, ProposalRequest

OPENED_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for, by when, and who may answer (None: every verified rights holder)."""

    title: str
    text: str
    rights: Sequence[Mapping[str, Any]]
    genres: Sequence[str]
    deadline_at: datetime
    invited: Sequence[UUID] | None


async def ask(
    session: AsyncSession, request_id: UUID, *, party_id: UUID, wish: Wish, now: datetime
) -> tuple[ProposalRequest, bool]:
    """Ask for proposals; return the request and whether it is new.

    Raises:
        IdReused: the id names another request.
        PartyNotVerified: the asker is not verified.
        Unknown: an invited party is no rights holder of the exchange.
        BadRequest, BadOffer: see `rules`.
        Refusal: any of `contracts.rights.rules.resolve`.
    """
    content = rules.wish(wish.title, wish.text, wish.rights, wish.genres)
    invited = rules.check_invited(wish.invited, asker=party_id)
    sealed = rules.sealed(content, request=request_id, party=party_id, deadline_at=wish.deadline_at)
    known = await session.get(ProposalRequest, request_id)
    if known is not None:
        if (known.party_id, known.content, known.invited) != (party_id, sealed, invited):
            raise IdReused("This id names another request.")
        return known, False
    rules.check_deadline(wish.deadline_at, now=now)
    await _check_parties(session, party_id, invited)
    request = ProposalRequest(
        id=request_id, party_id=party_id, content=sealed, sha256=canonical.sha256_hex(sealed),
        invited=invited, deadline_at=wish.deadline_at, made_at=now,
    )  # fmt: skip
    try:
        async with session.begin_nested():
            session.add(request)
    except IntegrityError as error:
        raise IdReused("This id names another request.") from error
    payload = {
        "request": str(request_id), "sha256": request.sha256, "open": invited is None,
        "deadline_at": rfc3339.exact(wish.deadline_at),
    }  # fmt: skip
    told = [party_id, *(invited or ())]
    await facts.record(session, "request.made", request_id, payload, parties=told, now=now)
    return request, True


async def withdraw(
    session: AsyncSession, request_id: UUID, *, party_id: UUID, now: datetime
) -> ProposalRequest:
    """Ask no more, before the deadline; the answers stay sealed for good. Again is the same.

    Raises:
        Unknown: it is not the party's request.
        RequestOver: the deadline has passed.
    """
    request = await _locked(session, request_id)
    if request.party_id != party_id:
        raise Unknown(queries.NO_REQUEST)
    if request.state == "withdrawn":
        return request
    rules.check_open(request.state, request.deadline_at, now=now)
    answers = await _answers(session, request_id)
    await _end(session, request, answers, outcome="withdrawn", now=now)
    return request


async def answer(
    session: AsyncSession,
    request_id: UUID,
    answer_id: UUID,
    *,
    party_id: UUID,
    person_id: UUID,
    offer: Mapping[str, Any],
    now: datetime,
) -> tuple[Proposal, bool]:
    """Answer a request with an offer; another answer replaces the one before it.

    The same id with the same content is the answer that is there, also after the deadline.

    Raises:
        Unknown: there is no such request that the party may answer, or no such right.
        IdReused: the id names another answer.
        RequestOver: the deadline has passed.
        AnswerTooShort: it would run out before it is opened.
        PartyNotVerified: the party is not verified.
        Refusal: any of `listings.offers.rules.agreed`.
    """
    request = await _locked(session, request_id)
    viewer = await parties.get_party(session, party_id)
    if request.party_id == party_id or not queries.sees(request, viewer):
        raise Unknown(queries.NO_REQUEST)
    asked = saying.bytes_of(offer)
    known = await session.get(Proposal, (request_id, answer_id))
    if known is not None:
        if (known.party_id, known.asked) != (party_id, asked):
            raise IdReused("This id names another answer.")
        return known, False
    rules.check_open(request.state, request.deadline_at, now=now)
    content = await _content(session, request, party_id, offer)
    nonce = secrets.token_bytes(32)
    made = Proposal(
        request_id=request_id, id=answer_id, party_id=party_id, person_id=person_id, asked=asked,
        content=content, nonce=nonce, made_at=now,
        commitment=rules.commitment(
            request=request_id, party=party_id, content=content, nonce=nonce
        ),
    )  # fmt: skip
    before = await queries.find_own(session, request_id, party_id)
    if before is not None:
        before.state = "replaced"
        await session.flush()
    session.add(made)
    await session.flush()
    return made, True


async def take_back(
    session: AsyncSession, request_id: UUID, answer_id: UUID, *, party_id: UUID, now: datetime
) -> Proposal:
    """Take an answer back before the deadline; again changes nothing.

    Raises:
        Unknown: it is not the party's answer.
        RequestOver: the deadline has passed.
    """
    request = await _locked(session, request_id)
    made = await session.get(Proposal, (request_id, answer_id), populate_existing=True)
    if made is None or made.party_id != party_id:
        raise Unknown("There is no such answer.")
    if made.state != "sealed":
        return made
    rules.check_open(request.state, request.deadline_at, now=now)
    made.state = "withdrawn"
    await session.flush()
    return made


async def open_due(session: AsyncSession, *, now: datetime) -> int:
    """Open the answers of each request whose deadline has passed, together; return how many."""
    due = (
        select(ProposalRequest)
        .where(
            col(ProposalRequest.state) == "open",
            col(ProposalRequest.deadline_at) <= now - rules.OPENED_AFTER,
        )
        .order_by(col(ProposalRequest.deadline_at))
        .limit(OPENED_AT_ONCE)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    requests = (await session.scalars(due)).all()
    for request in requests:
        answers = await _answers(session, request.id)
        for each in answers:
            each.state = "opened"
        await _end(session, request, answers, outcome="opened", now=now)
    return len(requests)


async def negotiate(
    session: AsyncSession,
    request_id: UUID,
    answer_id: UUID,
    *,
    offer_id: UUID,
    version_id: UUID,
    party_id: UUID,
    now: datetime,
) -> Offer:
    """Turn an opened answer into a negotiation whose first version it is; again is the same.

    Raises:
        Unknown: it is not an answer to the party's request.
        AnswersSealed: the answers are not opened yet.
        RequestOver: the request was withdrawn.
        IdReused: the answer is negotiated under another id, or an id is taken.
        BadOffer: the answer binds no longer.
    """
    request = await _locked(session, request_id)
    if request.party_id != party_id:
        raise Unknown(queries.NO_REQUEST)
    rules.check_opened(request.state)
    made = await session.get(Proposal, (request_id, answer_id), populate_existing=True)
    if made is None or made.state != "opened":
        raise Unknown("There is no such answer.")
    if made.offer_id is not None:
        if made.offer_id != offer_id:
            raise IdReused("This answer is negotiated already.", offer=str(made.offer_id))
        return await session.get_one(Offer, offer_id)
    content = canonical.loads(made.content)
    word = Word(version_id, LICENSOR, made.person_id, made.asked, content)
    sides = {LICENSOR: made.party_id, LICENSEE: party_id}
    offer = await offers.open_from(
        session, offer_id, word, sides=sides, request_id=request_id, now=now
    )
    made.offer_id = offer_id
    await session.flush()
    return offer


async def _content(
    session: AsyncSession, request: ProposalRequest, party_id: UUID, offer: Mapping[str, Any]
) -> bytes:
    content, licensor = await saying.understood(session, offer, (), party_id=party_id)
    if licensor != party_id:
        raise Unknown("There is no such right.")
    await saying.check_sides(session, {LICENSOR: party_id, LICENSEE: request.party_id})
    rules.check_binds(offer["expires_at"], deadline_at=request.deadline_at)
    offer_rules.check_end(offer["expires_at"], now=request.deadline_at)
    return canonical.dumps(content)


async def _check_parties(
    session: AsyncSession, asker_id: UUID, invited: Sequence[UUID] | None
) -> None:
    asker = await parties.get_party(session, asker_id)
    if asker.state != "verified":
        raise PartyNotVerified("The exchange has not verified this party.")
    for each in invited or ():
        if (await parties.get_party(session, each)).kind != "rights_holder":
            raise Unknown("There is no such party.", party=str(each))


async def _answers(session: AsyncSession, request_id: UUID) -> Sequence[Proposal]:
    wanted = select(Proposal).where(
        col(Proposal.request_id) == request_id, col(Proposal.state) == "sealed"
    )
    ordered = wanted.order_by(col(Proposal.id)).execution_options(populate_existing=True)
    return (await session.scalars(ordered)).all()


async def _end(
    session: AsyncSession,
    request: ProposalRequest,
    answers: Sequence[Proposal],
    *,
    outcome: str,
    now: datetime,
) -> None:
    request.state, request.ended_at = outcome, now
    await session.flush()
    payload = {
        "request": str(request.id),
        "outcome": outcome,
        "commitments": sorted(each.commitment for each in answers if outcome == "opened"),
    }
    told = sorted({request.party_id, *(request.invited or ()), *(one.party_id for one in answers)})
    await facts.record(session, "request.ended", request.id, payload, parties=told, now=now)


async def _locked(session: AsyncSession, request_id: UUID) -> ProposalRequest:
    found = await locking.find_locked(
        session, ProposalRequest, col(ProposalRequest.id) == request_id
    )
    if found is None:
        raise Unknown(queries.NO_REQUEST)
    return found
