"""Amendments (变更): a patch, the full restated terms, and the three signatures of any contract.

An amendment is a deal of its own that supersedes another: its terms are those of its base with a
patch applied to them. When everybody has signed it takes the place of its base, and the rights that
its base was granted stand under it from then on. The base stays valid evidence of what was before.

Rights are restated whole and judged by the register like a sale, before anybody signs and again
with the last signature. A price is raised only once the price before is paid: what is due besides
has a plan and an invoice of its own, and nothing that was booked is touched.

Source: 民法典 art. 543 (change by agreement), art. 544 (what is unclear is unchanged).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import (
    ending,
    holding,
    lifecycle,
    opening,
    patching,
    queries,
    regranting,
    restating,
    rows,
)
from contracts.deals.restating import Change
from contracts.deals.tables import Deal
from contracts.money import Money
from contracts.refusal import IdReused, Kind, Refusal


class AmendmentWaits(Refusal):
    """An amendment or assignment of this deal is under signature already."""

    kind, code = Kind.CONFLICT, "amendment-waits"
    hint = "Sign or decline the deal in `amendment` first."


class PriceUnpaid(Refusal):
    """The price as it stands is not paid, so nothing can be added to it."""

    kind, code = Kind.CONFLICT, "price-unpaid"
    hint = "Amend the price when what the contract asks for now is paid and settled."


async def propose(
    session: AsyncSession,
    deal_id: UUID,
    amendment_id: UUID,
    *,
    party_id: UUID,
    change: Change,
    now: datetime,
) -> tuple[Deal, bool]:
    """Freeze an amendment of a deal in force, for all three to sign; say whether it is new.

    Raises:
        Unknown: the party has no such deal.
        IdReused: the id belongs to another deal.
        DealNotInForce: there is nothing to amend.
        AmendmentWaits: one is under signature.
        PackageStaysWhole: it is of several works.
        NotAmendable, NothingAmended, PatchFails, PriceNotLowered: the change cannot be made.
        PriceUnpaid: the price before is not paid.
        RightsInUse: a right that would be replaced is licensed on, or has runs counted.
        Refusal: any of `contracts.titles.admission.admit`, where rights are granted anew.
    """
    base = await rows.locked(session, deal_id)
    rows.role_of(base, party_id)
    holding.check_single(base)
    change.check()
    known = await queries.find_deal(session, amendment_id)
    before = canonical.loads(base.terms)
    if known is not None:
        return _same(known, base, restating.amended(before, change, price=base.price)), False
    lifecycle.check_in_force(base.life)
    await check_alone(session, deal_id)
    after = restating.amended(before, change, price=base.price)
    price = change.amount_minor or base.amount_minor
    deal = successor(base, amendment_id, after, amount_minor=price, now=now)
    if deal.amount_minor != base.amount_minor and base.performance != "paid":
        raise PriceUnpaid("The price before is not paid.", performance=base.performance)
    await regranting.check(session, base, deal, now=now)
    session.add(deal)
    await session.flush()
    await opening.make_known(session, deal, now=now)
    return deal, True


async def check_alone(session: AsyncSession, deal_id: UUID) -> None:
    """Let nothing be opened in the place of a deal while something else is.

    Raises:
        AmendmentWaits: an amendment or assignment is under signature.
    """
    waiting = await queries.find_amendment(session, deal_id)
    if waiting is not None:
        raise AmendmentWaits("An amendment is under signature.", amendment=str(waiting.id))


async def take_effect(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Put a signed amendment in the place of its base: the base ends, its rights are carried over.

    Raises:
        DealNotInForce: the base has ended meanwhile.
        RightsInUse, Refusal: see `regranting.check`; the last signature is refused with it.
    """
    if deal.supersedes is None:
        raise ValueError("this deal amends nothing")
    base = await rows.locked(session, deal.supersedes)
    await ending.supersede(session, base, successor=deal, now=now)
    await regranting.carry(session, base, deal, now=now)
    due = supplement(base, deal)
    if due is not None:
        payload = {
            "deal": str(deal.id),
            "from_deal": str(base.id),
            "before_minor": base.amount_minor,
            "amount_minor": deal.amount_minor,
            "due_minor": due.amount_minor,
            "currency": deal.currency,
        }
        await rows.tell(session, "price.changed", deal, payload, now=now)


def supplement(base: Deal, deal: Deal) -> Money | None:
    """Return what an amendment asks for beyond the price of its base; None where nothing."""
    more = deal.amount_minor - base.amount_minor
    return Money(more, deal.currency) if more > 0 else None


def changes_of(deal: Deal) -> list[dict[str, Any]]:
    """Return what an amendment changes in substance, without what every contract has of its own."""
    if deal.patch is None:
        return []
    own = {f"/{name}" for name in restating.OWN}
    every: list[dict[str, Any]] = canonical.loads(deal.patch)
    return [
        change
        for change in every
        if change["path"] not in own and not change["path"].startswith(tuple(f"{o}/" for o in own))
    ]


def successor(
    base: Deal,
    deal_id: UUID,
    changed: dict[str, Any],
    *,
    amount_minor: int,
    now: datetime,
) -> Deal:
    """Return the row of an amendment: the terms of its base, changed, under its own name.

    Raises:
        ContractHeadMissing, TextCannotBePrinted, ParameterMissing: see `terms.check`.
    """
    before = canonical.loads(base.terms)
    after = restating.under_own_name(
        changed, supersedes=before, sha256=base.terms_sha256, deal_id=deal_id, now=now
    )
    deal = frozen(base, deal_id, after, licensee_id=base.licensee_id, now=now)
    deal.amount_minor = amount_minor
    return deal


def frozen(
    base: Deal, deal_id: UUID, after: Mapping[str, Any], *, licensee_id: UUID, now: datetime
) -> Deal:
    """Return the row of a deal that takes another's place, with the patch between their terms."""
    terms = canonical.dumps(dict(after))
    return Deal(
        id=deal_id,
        work_id=base.work_id,
        contract_no=after["contract"],
        listing_id=base.listing_id,
        auction_id=base.auction_id,
        offer_id=base.offer_id,
        licensor_id=base.licensor_id,
        licensee_id=licensee_id,
        terms=terms,
        terms_sha256=canonical.sha256_hex(terms),
        amount_minor=base.amount_minor,
        currency=base.currency,
        supersedes=base.id,
        assignor_id=None if licensee_id == base.licensee_id else base.licensee_id,
        patch=canonical.dumps(patching.difference(canonical.loads(base.terms), dict(after))),
        created_at=now,
    )


def _same(known: Deal, base: Deal, made: Mapping[str, Any]) -> Deal:
    said = restating.substance(canonical.loads(known.terms))
    if known.supersedes != base.id or not patching.equal(restating.substance(made), said):
        raise IdReused("This id belongs to another deal.")
    return known
