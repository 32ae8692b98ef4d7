"""Opening deals: what was awarded or accepted is frozen as the terms of a contract."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import packages, pricing, queries, rows, sealing, templates, terms, timing
from contracts.deals.pricing import Price
from contracts.deals.tables import Deal
from contracts.facts import service as facts
from contracts.money import Money
from contracts.parties import service as registry
from contracts.parties.tables import Party
from contracts.titles import parting
from contracts.titles import rules as title_rules
from contracts.titles import service as titles


async def open_deal(  # noqa: PLR0913 - a deal is made of that many parts, and callers name each.
    session: AsyncSession,
    deal_id: UUID,
    *,
    work_id: UUID,
    listing: Mapping[str, Any],
    award: Mapping[str, Any],
    licensor: Party,
    licensee: Party,
    anchor: Mapping[str, Any],
    fees: Mapping[str, Any] | None = None,
    now: datetime,
) -> Deal:
    """Open the deal that an award or an accepted offer leads to: freeze its terms.

    What an auction awarded is held from now on, what follows an offer from the first signature on.

    Args:
        session: the open transaction.
        deal_id: of the deal; the same id again returns the deal that is there.
        work_id: the work.
        listing: the record of `listing.published`; with `listing` None of what was never listed.
        award: the record of the fact `award.made`; or `offer`, `version` and `version_sha256` of
            what was accepted, with the same `amount_minor`, `currency`, `rights` and `price`.
        licensor: who grants.
        licensee: who is granted.
        anchor: `fact` of `listing.published` or None; `log`, its origin; `site`, for public checks.
        fees: what the exchange charges both sides; None: the sale named no schedule.
        now: the instant of freezing.

    Raises:
        ContractHeadMissing: the listing lacks what 著作权法 art. 26 requires.
        TextCannotBePrinted: a name or title would not show on paper what it says.
        RightsNotOffered: an awarded right lies outside of the listing's.
        RightsNotReserved: the awarded rights are not reserved any more.
    """
    if (known := await queries.find_deal(session, deal_id)) is not None:
        return known
    exchange = await registry.ensure_exchange(session, now=now)
    sides = (_side("licensor", licensor), _side("licensee", licensee), _side("exchange", exchange))
    granted = _granted(award, listing)
    agreed = terms.Agreed(deal_id, listing, anchor, award, price_of(award), sides, granted, fees)
    deal = _frozen(agreed, work_id, now=now)
    session.add(deal)
    await session.flush()
    if "auction" in award:
        await _hold(session, deal, award, now=now)
    await make_known(session, deal, now=now)
    return deal


async def open_package(  # noqa: PLR0913 - a deal is made of that many parts, and callers name each.
    session: AsyncSession,
    deal_id: UUID,
    *,
    parts: Sequence[packages.Part],
    accepted: Mapping[str, Any],
    sides: tuple[Party, Party],
    anchor: Mapping[str, Any],
    fees: Mapping[str, Any] | None = None,
    now: datetime,
) -> Deal:
    """Open the one deal of several works that an accepted offer leads to: freeze its terms.

    Args:
        session: the open transaction.
        deal_id: of the deal; the same id again returns the deal that is there.
        parts: the works, each with its rights and its share of the price.
        accepted: `offer`, `version` and `version_sha256` of what was accepted.
        sides: licensor and licensee.
        anchor: `log`, its origin; `site`, for public checks.
        fees: see `open_deal`.
        now: the instant of freezing.

    Raises:
        BadPackage: the works do not make up a package.
        ContractHeadMissing, TextCannotBePrinted: see `open_deal`.
    """
    if (known := await queries.find_deal(session, deal_id)) is not None:
        return known
    exchange = await registry.ensure_exchange(session, now=now)
    named = tuple(_side(role, party) for role, party in zip(sealing.ROLES[1:], sides, strict=True))
    due = Money(sum(part.amount.amount_minor for part in parts), parts[0].amount.currency)
    agreed = terms.Agreed(
        deal_id, {"listing": None}, anchor, accepted, Price(pricing.FLAT, due),
        (*named, _side(sealing.ROLES[0], exchange)), (), fees,
    )  # fmt: skip
    content = packages.build(agreed, parts, now=now)
    works = [UUID(part.listing["work"]) for part in parts]
    deal = _row(agreed, content, works, now=now)
    session.add(deal)
    await session.flush()
    await make_known(session, deal, now=now)
    return deal


async def divide(
    session: AsyncSession, awards: Sequence[Mapping[str, Any]], *, now: datetime
) -> None:
    """Divide a listing's reserved rights among the awards that take parts of them; once.

    Args:
        session: the open transaction.
        awards: the records of every `award.made` of one auction, as `parted` returns them.
        now: the instant.
    """
    parts = {_source(one): one["rights"] for one in awards if one.get("rights") is not None}
    if parts:
        first = awards[0]
        await parting.divide(
            session, UUID(first["work"]), source=first["listing"], parts=parts,
            grantor_id=UUID(first["licensor"]), now=now,
        )  # fmt: skip


def parted(
    awards: Sequence[Mapping[str, Any]], listing: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """Return the awards of one auction, each that followed a default with its rights by name.

    The first award of a whole listing holds what the listing reserved. Once that has been given up,
    the next best's rights are reserved anew, as a part of their own.
    """
    whole = [{**one, "rights": one.get("rights") or listing["rights"]} for one in awards]
    return [*awards[:1], *whole[1:]]


async def lapse(
    session: AsyncSession, award: Mapping[str, Any], *, reason: str, now: datetime
) -> None:
    """Tell both sides that no deal follows an award: its rights are not there any more."""
    told = {"auction": award["auction"], "listing": award["listing"], "reason": reason}
    auction_id, sides = UUID(award["auction"]), [UUID(award["licensor"]), UUID(award["licensee"])]
    await facts.record(session, "award.lapsed", auction_id, told, parties=sides, now=now)


def price_of(award: Mapping[str, Any]) -> Price:
    """Return the price of an award: the fixed amount, or as its model says.

    Raises:
        ValueError: the model's sum is not the award's amount (a bug, not a refusal).
    """
    due = Money(award["amount_minor"], award["currency"])
    wire = award.get("price")
    if wire is None:
        return Price(pricing.FLAT, due)
    price = pricing.read(wire, currency=due.currency)
    if price.due != due:
        raise ValueError("the award's amount is not what its price model makes due")
    return price


async def _hold(
    session: AsyncSession, deal: Deal, award: Mapping[str, Any], *, now: datetime
) -> None:
    whose = {"grantee_id": deal.licensee_id, "deal_id": deal.id}
    await titles.hold(session, deal.work_id, source=_source(award), now=now, **whose)


def _granted(award: Mapping[str, Any], listing: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the rights of a deal: those of the listing, or the part of them that was awarded."""
    whole: Sequence[Mapping[str, Any]] = listing["rights"]
    part: Sequence[Mapping[str, Any]] | None = award.get("rights")
    if part is None:
        return whole
    parting.check_inside(part, whole)
    return part


def _source(award: Mapping[str, Any]) -> str:
    listing: str = award["listing"]
    return listing if award.get("rights") is None else parting.part_source(listing, award["bid"])


def _frozen(agreed: terms.Agreed, work_id: UUID, *, now: datetime) -> Deal:
    """Return the deal whose terms are what was agreed, as they stand at this instant."""
    template = templates.for_grants(agreed.rights)
    content = terms.build(agreed, template=template, now=now)
    return _row(agreed, content, [work_id], now=now)


def _row(
    agreed: terms.Agreed, content: Mapping[str, Any], works: Sequence[UUID], *, now: datetime
) -> Deal:
    frozen = canonical.dumps(content)
    licensor, licensee, _exchange = agreed.sides
    return Deal(
        id=agreed.deal,
        work_id=works[0],
        further_works=list(works[1:]),
        contract_no=content["contract"],
        listing_id=_id(agreed.listing["listing"]),
        auction_id=_id(agreed.award.get("auction")),
        offer_id=_id(agreed.award.get("offer")),
        licensor_id=licensor.party,
        licensee_id=licensee.party,
        terms=frozen,
        terms_sha256=canonical.sha256_hex(frozen),
        amount_minor=agreed.price.due.amount_minor,
        currency=agreed.price.due.currency,
        created_at=now,
    )


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _side(role: str, party: Party) -> terms.Side:
    return terms.Side(role, party.id, party.name_zh, party.name_en, party.uscc)


async def make_known(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Tell both sides that the terms are frozen, and set when the time to sign runs out."""
    await timing.arm_signing(session, deal, expires_at=now + title_rules.HOLD_LASTS)
    payload = {
        "deal": str(deal.id),
        "listing": deal.listing_id and str(deal.listing_id),
        "offer": deal.offer_id and str(deal.offer_id),
        "terms_sha256": deal.terms_sha256,
        "supersedes": deal.supersedes and str(deal.supersedes),
    }
    await rows.tell(session, "deal.opened", deal, payload, now=now)
