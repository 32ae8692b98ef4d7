"""Reactions about offers: an accepted one opens a deal for each of its works."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import opening, rules
from contracts.deals import service as deals
from contracts.deals.packages import Part
from contracts.facts.rules import SealedFact
from contracts.money import Money
from contracts.parties import queries as parties
from contracts.refusal import Unknown
from exchange.context import Context
from listings.catalogue import queries as catalogue
from listings.offers import queries
from listings.offers.rules import PACKAGE, due_of, price_of
from settlement.fees import agreeing
from settlement.fees.rules import NEGOTIATED


async def open_offered_deals(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `offer.accepted`: freeze the version accepted as the terms of a deal per work.

    Where it is for one contract, that is one deal of all the works.

    Raises:
        Unknown: there is no such version.
    """
    version = await queries.find_version(session, UUID(fact.record["version"]))
    if version is None:
        raise Unknown("There is no such version.", version=fact.record["version"])
    content = canonical.loads(version.content)
    licensor = await parties.get_party(session, UUID(content["licensor"]))
    licensee = await parties.get_party(session, UUID(content["licensee"]))
    if content.get("contract") == PACKAGE:
        await opening.open_package(
            session,
            rules.deal_id_of(fact.id),
            parts=[await _part(session, content, work) for work in content["works"]],
            accepted={name: fact.record[name] for name in ("offer", "version", "version_sha256")},
            sides=(licensor, licensee),
            anchor={"log": context.settings.log_origin, "site": context.settings.public_url},
            fees=await _fees(session, content, *content["works"]),
            now=now,
        )
        return
    for place, work in enumerate(content["works"]):
        await opening.open_deal(
            session,
            rules.deal_id_of(fact.id, place),
            work_id=UUID(work["work"]),
            listing=_subject(work),
            award=_agreed(content, work, fact.record),
            licensor=licensor,
            licensee=licensee,
            anchor={
                "fact": await _published(session, work["listing"]),
                "log": context.settings.log_origin,
                "site": context.settings.public_url,
            },
            fees=await _fees(session, content, work),
            now=now,
        )


async def void_overtaken_deals(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `deal.signed`: whoever signed first has the rights; the others are told."""
    if fact.record["role"] == "licensor":
        await deals.void_overtaken(session, UUID(fact.record["deal"]), now=now)


async def _fees(
    session: AsyncSession, content: Mapping[str, Any], *works: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return what the contract says of fees: those that the accepted version named."""
    minor = sum(due_of(content, work).due.amount_minor for work in works)
    price = Money(minor, content["currency"])
    return await agreeing.said(
        session, content.get("fees"), sale=NEGOTIATED, listed=price, price=price
    )


async def _part(session: AsyncSession, content: Mapping[str, Any], work: Mapping[str, Any]) -> Part:
    fact = await _published(session, work["listing"])
    return Part(_subject(work), fact, work["rights"], due_of(content, work).due)


def _subject(work: Mapping[str, Any]) -> dict[str, Any]:
    master = work["master"]
    return {
        "listing": work["listing"],
        "work": work["work"],
        "title": work["title"],
        "master": master["id"],
        "master_sha256": master["sha256"],
        "probe_sha256": master["probe_sha256"],
        "fingerprint_sha256": master["fingerprint_sha256"],
        "rights": work["rights"],
    }


def _agreed(
    content: Mapping[str, Any], work: Mapping[str, Any], accepted: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "offer": accepted["offer"],
        "version": accepted["version"],
        "version_sha256": accepted["version_sha256"],
        "amount_minor": due_of(content, work).due.amount_minor,
        "currency": content["currency"],
        "rights": None,
        "price": None if content["model"] == "flat" else price_of(content, work),
    }


async def _published(session: AsyncSession, listing_id: str | None) -> str | None:
    if listing_id is None:
        return None
    listing = await catalogue.get_published(session, UUID(listing_id))
    return None if listing.publication_fact is None else str(listing.publication_fact)
