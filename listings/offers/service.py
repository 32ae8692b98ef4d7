"""Negotiating: every word is decided under the negotiation's lock.

Accepting reserves nothing. A deal is opened for each work of the version accepted, and the first
deal to be signed has the rights (`contracts.titles.parting.keep`).
"""

from collections.abc import Mapping
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
from contracts.refusal import IdReused, Unknown
from listings.offers import queries, rules, saying
from listings.offers.rules import LICENSEE, LICENSOR, Thread
from listings.offers.saying import Word
from listings.offers.tables import Offer, OfferVersion, thread

EXPIRED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks: a person of a party, and on which side it would open an offer."""

    party_id: UUID
    person_id: UUID
    side: str


async def propose(
    session: AsyncSession,
    offer_id: UUID,
    version_id: UUID,
    *,
    speaker: Speaker,
    ask: Mapping[str, Any],
    licensee_id: UUID | None,
    now: datetime,
) -> tuple[OfferVersion, bool]:
    """Open a negotiation, counter, or replace one's own last word; again is the same version.

    Args:
        session: the open transaction.
        offer_id: of the negotiation, which opens with its first version.
        version_id: of what is said now.
        speaker: who says it.
        ask: see `rules.agreed`.
        licensee_id: with whom a licensor opens it; None otherwise.
        now: the instant.

    Raises:
        Unknown: a right, or the licensee, is none that the speaker may see.
        IdReused: an id is taken by something else.
        Refusal: any of `rules.agreed`, `rules.counter`, and of the checks of `saying`.
    """
    asked = saying.bytes_of(ask, licensee_id=licensee_id)
    offer = await locking.find_locked(session, Offer, col(Offer.id) == offer_id)
    if offer is not None and offer.side_of(speaker.party_id) is None:
        offer = None  # others' negotiations are not there; at the most, their id is taken
    known = await queries.find_version(session, version_id)
    if known is not None:
        if (known.offer_id, known.person_id, known.asked) != (offer_id, speaker.person_id, asked):
            raise IdReused("This id names another version.")
        return known, False
    before = [] if offer is None else await queries.versions(session, offer_id)
    content, licensor = await saying.understood(session, ask, before, party_id=speaker.party_id)
    word = Word(version_id, _side(offer, speaker), speaker.person_id, asked, content)
    if offer is not None:
        saying.check_licensor(offer, licensor)
        return await _counter(session, offer, word, latest=before[-1], now=now), True
    sides = _sides(speaker, licensor=licensor, licensee=licensee_id)
    try:
        return await _open(session, offer_id, word, sides=sides, now=now), True
    except IdReused:
        await _mine_or_raise(session, offer_id, speaker)
        return await propose(
            session, offer_id, version_id, speaker=speaker, ask=ask, licensee_id=licensee_id,
            now=now,
        )  # fmt: skip


async def open_from(
    session: AsyncSession,
    offer_id: UUID,
    word: Word,
    *,
    sides: Mapping[str, UUID],
    request_id: UUID,
    now: datetime,
) -> Offer:
    """Open a negotiation with the answer to a request as the licensor's first version.

    Raises:
        IdReused: an id is taken.
        BadOffer: the answer binds no longer.
        PartyNotVerified, OwnRights: see `propose`.
    """
    made = await _open(session, offer_id, word, sides=sides, request_id=request_id, now=now)
    return await session.get_one(Offer, made.offer_id)


async def accept(
    session: AsyncSession,
    offer_id: UUID,
    *,
    party_id: UUID,
    version_id: UUID,
    sha256: str,
    now: datetime,
) -> Offer:
    """Accept the latest version, named by id and hash; again changes nothing.

    The rights must be free at this moment, but they are reserved for nobody: whoever's deal is
    signed first has them.

    Raises:
        Unknown: the party has no part in it.
        OfferEnded, OfferExpired, OfferSuperseded, OwnOffer: see `rules.accept`.
        RightsAlreadyGranted, RightsNotAvailable: somebody else has them.
        Refusal: any other of `contracts.titles.admission.admit`.
    """
    offer, side = await _locked(session, offer_id, party_id)
    if offer.state == "accepted" and offer.accepted_version == version_id:
        return offer
    latest = await queries.latest(session, offer)
    after = rules.accept(thread(offer, latest), by=side, version=version_id, sha256=sha256, now=now)
    await saying.check_sides(session, offer.sides)
    await saying.check_free(session, canonical.loads(latest.content), offer.sides, now=now)
    offer.accepted_version = version_id
    payload = {
        "offer": str(offer_id), "version": str(version_id), "version_sha256": sha256, "by": side,
    }  # fmt: skip
    await _end(session, offer, after, now=now)
    await _record(session, "offer.accepted", offer, payload, now=now)
    return offer


async def decline(
    session: AsyncSession, offer_id: UUID, *, party_id: UUID, reason: str, now: datetime
) -> Offer:
    """Say no to what the other side said last; again changes nothing.

    Raises:
        Unknown: the party has no part in it.
        BadOffer: the reason is too long, or holds signs that cannot be seen.
        OfferEnded, OfferExpired, OwnOffer: see `rules.decline`.
    """
    offer, side = await _locked(session, offer_id, party_id)
    latest = await queries.latest(session, offer)
    if offer.state == "declined" and latest.by_side != side:
        return offer
    after = rules.decline(thread(offer, latest), by=side, now=now)
    offer.reason = rules.message(reason) or None
    await _end(session, offer, after, now=now)
    await _record_end(session, offer, now=now)
    return offer


async def withdraw(
    session: AsyncSession, offer_id: UUID, *, party_id: UUID, version_id: UUID, now: datetime
) -> Offer:
    """Take back what the party said last, while it is unanswered; again changes nothing.

    Raises:
        Unknown: the party has no part in it.
        OfferEnded, OfferExpired, OfferSuperseded, OwnOffer: see `rules.withdraw`.
    """
    offer, side = await _locked(session, offer_id, party_id)
    latest = await queries.latest(session, offer)
    if offer.state == "withdrawn" and (latest.by_side, latest.id) == (side, version_id):
        return offer
    after = rules.withdraw(thread(offer, latest), by=side, version=version_id, now=now)
    await _end(session, offer, after, now=now)
    await _record_end(session, offer, now=now)
    return offer


async def expire_due(session: AsyncSession, *, now: datetime) -> int:
    """End what ran out unanswered; return how many. Those being answered just now are left."""
    due = (
        select(Offer)
        .where(col(Offer.state) == "open", col(Offer.expires_at) <= now)
        .order_by(col(Offer.expires_at))
        .limit(EXPIRED_AT_ONCE)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    offers = (await session.scalars(due)).all()
    for offer in offers:
        after = rules.expire(thread(offer, await queries.latest(session, offer)), now=now)
        await _end(session, offer, after, now=now)
        await _record_end(session, offer, now=now)
    return len(offers)


def _side(offer: Offer | None, speaker: Speaker) -> str:
    found = None if offer is None else offer.side_of(speaker.party_id)
    return found or speaker.side


async def _mine_or_raise(session: AsyncSession, offer_id: UUID, speaker: Speaker) -> None:
    """Go on where the speaker's own request with this id was first: this one comes after it.

    Raises:
        IdReused: the id is somebody else's.
    """
    found = await session.get(Offer, offer_id)
    if found is None or found.side_of(speaker.party_id) is None:
        raise IdReused("The id of the offer or of its version is taken.")


def _sides(speaker: Speaker, *, licensor: UUID, licensee: UUID | None) -> dict[str, UUID]:
    """Return who negotiates: a licensor names the licensee, a licensee the rights of a licensor."""
    if speaker.side == LICENSOR:
        if licensee is None or licensor != speaker.party_id:
            raise rules.BadOffer("Name the licensee, and rights of your own.", field="licensee_id")
        return {LICENSOR: licensor, LICENSEE: licensee}
    if licensee not in (None, speaker.party_id):
        raise rules.BadOffer("You are the licensee yourself.", field="licensee_id")
    return {LICENSOR: licensor, LICENSEE: speaker.party_id}


async def _counter(
    session: AsyncSession, offer: Offer, word: Word, *, latest: OfferVersion, now: datetime
) -> OfferVersion:
    await saying.check_owners(session, word.content, offer.licensee_id)
    await saying.check_payment(session, word.content, offer.licensor_id, now=now)
    word = await saying.with_fees(session, word, now=now)
    standing = thread(offer, latest)
    offer.versions += 1
    made = saying.version(offer, word, now=now)
    after = rules.counter(standing, saying.said(made), now=now)
    offer.versions, offer.expires_at = after.versions, after.expires_at
    session.add(made)
    await session.flush()
    await _record_version(session, offer, made, now=now)
    return made


async def _open(
    session: AsyncSession,
    offer_id: UUID,
    word: Word,
    *,
    sides: Mapping[str, UUID],
    request_id: UUID | None = None,
    now: datetime,
) -> OfferVersion:
    await saying.check_sides(session, sides)
    await saying.check_owners(session, word.content, sides[LICENSEE])
    await saying.check_payment(session, word.content, sides[LICENSOR], now=now)
    word = await saying.with_fees(session, word, now=now)
    offer = Offer(
        id=offer_id,
        licensor_id=sides[LICENSOR],
        licensee_id=sides[LICENSEE],
        opened_by=word.side,
        request_id=request_id,
        versions=1,
        expires_at=datetime.fromisoformat(word.content["expires_at"]),
        created_at=now,
    )
    made = saying.version(offer, word, now=now)
    rules.begin(saying.said(made), now=now)
    await _add(session, offer, made, now=now)
    return made


async def _add(session: AsyncSession, offer: Offer, made: OfferVersion, *, now: datetime) -> None:
    try:
        async with session.begin_nested():
            session.add(offer)
            await session.flush()
            session.add(made)
    except IntegrityError as error:
        # Another request took the id between the look and the insert.
        raise IdReused("The id of the offer or of its version is taken.") from error
    await _record_version(session, offer, made, now=now)


async def _locked(session: AsyncSession, offer_id: UUID, party_id: UUID) -> tuple[Offer, str]:
    offer = await locking.find_locked(session, Offer, col(Offer.id) == offer_id)
    side = offer.side_of(party_id) if offer is not None else None
    if offer is None or side is None:
        raise Unknown(queries.NO_OFFER)
    return offer, side


async def _end(session: AsyncSession, offer: Offer, after: Thread, *, now: datetime) -> None:
    offer.state, offer.ended_at = after.state, now
    await session.flush()


async def _record_version(
    session: AsyncSession, offer: Offer, made: OfferVersion, *, now: datetime
) -> None:
    payload = {
        "offer": str(offer.id),
        "version": str(made.id),
        "number": made.number,
        "by": made.by_side,
        "version_sha256": made.sha256,
        "expires_at": rfc3339.exact(made.expires_at),
    }
    await _record(session, "offer.made", offer, payload, now=now)


async def _record_end(session: AsyncSession, offer: Offer, *, now: datetime) -> None:
    payload = {"offer": str(offer.id), "outcome": offer.state, "reason": offer.reason}
    await _record(session, "offer.ended", offer, payload, now=now)


async def _record(
    session: AsyncSession, kind: str, offer: Offer, payload: Mapping[str, Any], *, now: datetime
) -> None:
    sides = [offer.licensor_id, offer.licensee_id]
    await facts.record(session, kind, offer.id, payload, parties=sides, now=now)
