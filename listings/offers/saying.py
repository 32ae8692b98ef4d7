"""What a version needs before it is said: the rights it may name, its sides, its bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, rfc3339
from contracts.parties import queries as parties
from contracts.parties.rules import PartyNotVerified
from contracts.refusal import Unknown
from contracts.titles import parting
from contracts.titles import queries as titles
from contracts.titles import rules as title_rules
from contracts.works.tables import Work
from listings.catalogue import queries as catalogue
from listings.catalogue import rules as catalogue_rules
from listings.disclosures import paying
from listings.masters import queries as masters
from listings.masters.tables import Master
from listings.offers import queries, rules
from listings.offers.rules import LICENSEE, LICENSOR, Offerable, Said
from listings.offers.tables import Offer, OfferVersion
from settlement.fees import agreeing


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says for a side: its bytes as sent, and its content as agreed by the rules."""

    version_id: UUID
    side: str
    person_id: UUID
    asked: bytes
    content: Mapping[str, Any]


async def offerables(
    session: AsyncSession, ask: Mapping[str, Any], *, party_id: UUID, named: frozenset[UUID]
) -> dict[UUID, Offerable]:
    """Return the rights that are asked for: open to all, the party's own, or named before.

    Raises:
        Unknown: one is none that the party may see.
    """
    wanted = {right["offerable"] for work in ask["works"] for right in work["rights"]}
    found = await queries.shown(session, wanted)
    for each in sorted(wanted):
        shown = found.get(each)
        visible = shown is not None and (
            shown.row.audience == "broadcasters" or shown.row.party_id == party_id or each in named
        )
        if not visible:
            raise Unknown("There is no such right.", offerable=str(each))
    return {each: shown.value() for each, shown in found.items()}


async def understood(
    session: AsyncSession, ask: Mapping[str, Any], before: Sequence[OfferVersion], *, party_id: UUID
) -> tuple[dict[str, Any], UUID]:
    """Return what is said, as agreed by the rules, and whose rights it is about.

    Raises:
        Unknown: a right is none that the party may see.
        Refusal: any of `rules.agreed`.
    """
    earlier = named(before)
    known = await offerables(session, ask, party_id=party_id, named=earlier)
    content = rules.agreed(ask, known, known=earlier)
    return content, licensor_of(content, known)


def named(before: Sequence[OfferVersion]) -> frozenset[UUID]:
    """Return the rights that earlier versions name."""
    contents = [canonical.loads(version.content) for version in before]
    return frozenset(
        UUID(one) for content in contents for work in content["works"] for one in work["offerables"]
    )


def licensor_of(content: Mapping[str, Any], known: Mapping[UUID, Offerable]) -> UUID:
    """Return whose rights an offer is about."""
    return known[UUID(content["works"][0]["offerables"][0])].party_id


def check_licensor(offer: Offer, licensor_id: UUID) -> None:
    """Check that a negotiation stays about the rights of the licensor that it began with.

    Raises:
        BadOffer: the rights are another's.
    """
    if licensor_id != offer.licensor_id:
        raise rules.BadOffer("The rights are another licensor's.")


async def check_sides(session: AsyncSession, sides: Mapping[str, UUID]) -> None:
    """Check that a rights holder licenses to a broadcaster, both verified.

    Raises:
        Unknown: a side is no party, or the licensee no broadcaster.
        PartyNotVerified: a side is not verified.
    """
    found = {side: await parties.get_party(session, party) for side, party in sides.items()}
    if found[LICENSEE].kind != "broadcaster":
        raise Unknown("There is no such party.", party=str(sides[LICENSEE]))
    for side, party in found.items():
        if party.state != "verified":
            raise PartyNotVerified("The exchange has not verified this party.", side=side)


async def check_payment(
    session: AsyncSession, content: Mapping[str, Any], licensor_id: UUID, *, now: datetime
) -> None:
    """Check instalments by the rules for whoever owns the licensor, as they are today.

    Raises:
        InstalmentsNotAllowed: a rule asks for more than they give.
    """
    schedules = [rules.due_of(content, work).schedule for work in content["works"]]
    await paying.check(session, licensor_id, schedules, now=now)


async def with_fees(session: AsyncSession, word: Word, *, now: datetime) -> Word:
    """Return a word that names the fee schedule in force, by which both sides pay if it is taken.

    Every version names its own: what is accepted is what was read.
    """
    fees = await agreeing.named(session, currency=word.content["currency"], now=now)
    return word if fees is None else replace(word, content={**word.content, "fees": fees})


async def check_owners(
    session: AsyncSession, content: Mapping[str, Any], licensee_id: UUID
) -> None:
    """Check that nobody would license its own work.

    Raises:
        OwnRights: the licensee is an owner.
    """
    for one in content["works"]:
        work = await session.get_one(Work, UUID(one["work"]))
        shares = await titles.shares(session, work.id)
        owners = title_rules.owners(work.party_id, (share.party_id for share in shares))
        if licensee_id in owners:
            raise rules.OwnRights("The licensee owns this work.", work=one["work"])


async def check_free(
    session: AsyncSession, content: Mapping[str, Any], sides: Mapping[str, UUID], *, now: datetime
) -> None:
    """Check that all rights of an offer are free; trees are locked in the order of their roots.

    Raises:
        Refusal: any of `contracts.titles.admission.admit`.
    """
    works = [(await session.get_one(Work, UUID(one["work"])), one) for one in content["works"]]
    for work, one in sorted(works, key=lambda pair: (pair[0].root_id, pair[0].id)):
        await parting.check_free(
            session, work.id, grantor_id=sides[LICENSOR], grantee_id=sides[LICENSEE],
            boxes=one["rights"], now=now,
        )  # fmt: skip


async def master_for(
    session: AsyncSession, master_id: UUID, *, party_id: UUID, work_id: UUID
) -> Master:
    """Return the party's examined master of a work.

    Raises:
        Unknown: it is not the party's.
        MasterOfAnotherWork, MasterNotReady: it cannot be delivered for this work.
    """
    master = await masters.get_master_of(session, master_id, party_id)
    catalogue_rules.check_belongs(master.work_id, work=work_id)
    catalogue_rules.check_ready(master.state)
    return master


async def check_listing(
    session: AsyncSession, listing_id: UUID, *, party_id: UUID, work_id: UUID, master_id: UUID,
    right: Mapping[str, Any],
) -> None:  # fmt: skip
    """Check that a right lies within a published listing of the party's.

    Raises:
        Unknown: there is no such listing.
        BadOffer: it is of another work or master.
        RightsNotOffered: the right goes beyond it.
    """
    listing = await catalogue.get_published(session, listing_id)
    if listing.party_id != party_id:
        raise Unknown("There is no such listing.")
    if (listing.work_id, listing.master_id) != (work_id, master_id):
        raise rules.BadOffer("The listing is of another work or master.", field="listing_id")
    parting.check_inside([right], listing.rights)


def bytes_of(ask: Mapping[str, Any], **more: UUID | None) -> bytes:
    """Return what was sent as bytes, by which the same request is known again."""
    return canonical.dumps(_plain({**ask, **more}))


def version(offer: Offer, word: Word, *, now: datetime) -> OfferVersion:
    """Return the row of the next version of a negotiation."""
    sealed = rules.sealed(
        word.content, offer=offer.id, version=word.version_id, number=offer.versions,
        by=word.side, sides=offer.sides,
    )  # fmt: skip
    return OfferVersion(
        offer_id=offer.id,
        number=offer.versions,
        id=word.version_id,
        by_side=word.side,
        person_id=word.person_id,
        asked=word.asked,
        content=sealed,
        sha256=canonical.sha256_hex(sealed),
        expires_at=datetime.fromisoformat(word.content["expires_at"]),
        made_at=now,
    )


def said(made: OfferVersion) -> Said:
    """Return a version as the rules know it."""
    return Said(made.by_side, made.id, made.sha256, made.expires_at)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return rfc3339.exact(value)
    return str(value) if isinstance(value, UUID) else value
