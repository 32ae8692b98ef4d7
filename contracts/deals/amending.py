"""Amendments (变更): a patch, the full restated terms, and the three signatures of any contract.

An amendment is a deal of its own that supersedes another: its terms are those of its base with a
patch applied to them. When everybody has signed it takes the place of its base, and the rights that
its base was granted stand under it from then on. The base stays valid evidence of what was before.
What an amendment may change is `AMENDABLE`: rights and price are agreed anew, not patched.

Source: 民法典 art. 543 (change by agreement), art. 544 (what is unclear is unchanged).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, rfc3339
from contracts.deals import (
    ending,
    library,
    lifecycle,
    opening,
    patching,
    queries,
    rows,
    terms,
)
from contracts.deals.tables import Deal
from contracts.facts import service as facts
from contracts.refusal import IdReused, Kind, Refusal
from contracts.titles import admission
from contracts.titles import queries as titles

# What may be changed by agreement, between which numbers.
AMENDABLE: Mapping[str, tuple[int, int]] = {
    "/parameters/due_days": (1, 365),
    "/parameters/delivery_days": (1, 365),
    "/parameters/accept_days": (1, 90),
    "/parameters/late_bp_daily": (0, 20),
    "/parameters/cure_days": (7, 180),
    "/parameters/notice_days": (1, 90),
}
MOST_CHANGES = 20
# What every contract has of its own, and an amendment sets itself.
OWN = ("contract", "deal", "supersedes", "frozen_at", "evidence")


class NotAmendable(Refusal):
    """An amendment may not change this, or not to that."""

    kind, code = Kind.INVALID, "not-amendable"
    hint = "Replace what `amendable` names, within its numbers; agree rights and prices anew."


class NothingAmended(Refusal):
    """The patch leaves the terms as they are."""

    kind, code = Kind.INVALID, "nothing-amended"
    hint = "Change at least one of the terms."


class AmendmentWaits(Refusal):
    """An amendment of this deal is under signature already."""

    kind, code = Kind.CONFLICT, "amendment-waits"
    hint = "Sign or decline the deal in `amendment` first."


def check(changes: Sequence[Mapping[str, Any]]) -> None:
    """Let only changes pass that an amendment may make: `replace` and `test` of what is listed.

    Raises:
        NotAmendable: one is something else, or out of range.
    """
    known = {path: list(most) for path, most in AMENDABLE.items()}
    if not 1 <= len(changes) <= MOST_CHANGES:
        raise NotAmendable("Make between 1 and 20 changes.", amendable=known)
    for place, change in enumerate(changes):
        path, value = change.get("path"), change.get("value")
        least, most = AMENDABLE.get(str(path), (1, 0))
        wanted = change.keys() == {"op", "path", "value"} and change["op"] in ("replace", "test")
        if not (wanted and type(value) is int and least <= value <= most):
            raise NotAmendable("This cannot be changed so.", place=place, amendable=known)


def restated(
    before: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]],
    *,
    before_sha256: str,
    deal_id: UUID,
    now: datetime,
) -> dict[str, Any]:
    """Return the full terms of an amendment: its base's, changed, under a name of their own (pure).

    Raises:
        PatchFails: a change names nothing, or tests false.
        NothingAmended: nothing is changed.
        ParameterMissing: a clause leaves something open that the terms do not give.
    """
    after: dict[str, Any] = patching.apply(changes, before)
    if patching.equal(after, before):
        raise NothingAmended("The patch changes nothing.")
    number = terms.contract_number(deal_id, now)
    after |= {
        "contract": number,
        "deal": str(deal_id),
        "frozen_at": rfc3339.to_the_second(now),
        "supersedes": {
            "contract": before["contract"],
            "terms_sha256": before_sha256,
        },
    }
    if "verify" in after.get("evidence", {}):
        own: str = after["evidence"]["verify"]
        after["evidence"]["verify"] = own.replace(before["contract"], number)
    for named in after["clauses"]:
        clause = library.clause(named["ref"], named["version"], named["sha256"])
        clause.filled(after["parameters"])
    return after


async def propose(
    session: AsyncSession,
    deal_id: UUID,
    amendment_id: UUID,
    *,
    party_id: UUID,
    changes: Sequence[Mapping[str, Any]],
    now: datetime,
) -> tuple[Deal, bool]:
    """Freeze an amendment of a deal in force, for all three to sign; say whether it is new.

    Raises:
        Unknown: the party has no such deal.
        IdReused: the id belongs to another deal.
        DealNotInForce: there is nothing to amend.
        AmendmentWaits: one is under signature.
        NotAmendable, NothingAmended, PatchFails: the changes cannot be made.
    """
    base = await rows.locked(session, deal_id)
    rows.role_of(base, party_id)
    check(changes)
    known = await queries.find_deal(session, amendment_id)
    if known is not None:
        return _same(known, base, changes), False
    lifecycle.check_in_force(base.life)
    waiting = await queries.find_amendment(session, deal_id)
    if waiting is not None:
        raise AmendmentWaits("An amendment is under signature.", amendment=str(waiting.id))
    before = canonical.loads(base.terms)
    after = restated(
        before, changes, before_sha256=base.terms_sha256, deal_id=amendment_id, now=now
    )
    deal = _row(base, amendment_id, after, patching.difference(before, after), now=now)
    session.add(deal)
    await session.flush()
    await opening.make_known(session, deal, now=now)
    return deal, True


async def take_effect(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Put a signed amendment in the place of its base: the base ends, its rights are carried over.

    Raises:
        DealNotInForce: the base has ended meanwhile.
    """
    if deal.supersedes is None:
        raise ValueError("this deal amends nothing")
    base = await rows.locked(session, deal.supersedes)
    await ending.supersede(session, base, successor=deal, now=now)
    await admission.locked(session, deal.work_id)
    grants = [
        grant
        for grant in await titles.by_deal(session, deal.work_id, base.id)
        if grant.state == "effective"
    ]
    for grant in grants:
        grant.deal_id = deal.id
    await session.flush()
    payload = {
        "work": str(deal.work_id),
        "deal": str(deal.id),
        "from_deal": str(base.id),
        "grants": [str(grant.id) for grant in grants],
    }
    sides = [deal.licensor_id, deal.licensee_id]
    await facts.record(session, "grant.carried", deal.id, payload, parties=sides, now=now)


def check_law(before: bytes, patch: bytes, after: bytes) -> bool:
    """Tell whether the patch turns one terms object into the other, byte for byte (pure)."""
    made = patching.apply(canonical.loads(patch), canonical.loads(before))
    return canonical.dumps(made) == after


def changes_of(deal: Deal) -> list[dict[str, Any]]:
    """Return what an amendment changes in substance, without what every contract has of its own."""
    if deal.patch is None:
        return []
    own = {f"/{name}" for name in OWN}
    every: list[dict[str, Any]] = canonical.loads(deal.patch)
    return [
        change
        for change in every
        if change["path"] not in own and not change["path"].startswith(tuple(f"{o}/" for o in own))
    ]


def _row(
    base: Deal,
    amendment_id: UUID,
    after: Mapping[str, Any],
    patch: Sequence[Mapping[str, Any]],
    *,
    now: datetime,
) -> Deal:
    frozen = canonical.dumps(dict(after))
    return Deal(
        id=amendment_id,
        work_id=base.work_id,
        contract_no=after["contract"],
        listing_id=base.listing_id,
        auction_id=base.auction_id,
        offer_id=base.offer_id,
        licensor_id=base.licensor_id,
        licensee_id=base.licensee_id,
        terms=frozen,
        terms_sha256=canonical.sha256_hex(frozen),
        amount_minor=base.amount_minor,
        currency=base.currency,
        supersedes=base.id,
        patch=canonical.dumps(list(patch)),
        created_at=now,
    )


def _same(known: Deal, base: Deal, changes: Sequence[Mapping[str, Any]]) -> Deal:
    made = patching.apply(changes, canonical.loads(base.terms))
    said = canonical.loads(known.terms)["parameters"]
    if known.supersedes != base.id or made["parameters"] != said:
        raise IdReused("This id belongs to another deal.")
    return known
