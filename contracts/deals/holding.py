"""What a deal holds in the register of rights, in each of its works: all of it, or none.

Trees are locked in the order of their roots, whatever order the terms name the works in, so that
two packages that share works wait for one another and never in a ring.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.deals import regranting
from contracts.deals.tables import Deal
from contracts.refusal import Kind, Refusal
from contracts.titles import parting
from contracts.titles import queries as register
from contracts.titles import service as titles
from contracts.titles.tables import RightsGrant
from contracts.works.tables import Work

Wires = Sequence[dict[str, Any]]
CHANGES = ("amend", "assign")  # steps of a contract of one work alone


class PackageStaysWhole(Refusal):
    """A contract of several works (多部作品合同) is neither amended nor handed on."""

    kind, code = Kind.CONFLICT, "package-stays-whole"
    hint = "End it by agreement, and negotiate the works anew."


def check_single(deal: Deal) -> None:
    """Let only a deal of one work pass: what changes a contract knows one.

    Raises:
        PackageStaysWhole: it is of several.
    """
    if deal.further_works:
        raise PackageStaysWhole("This contract is of several works.")


def works_of(deal: Deal) -> list[UUID]:
    """Return the works of a deal, in the order in which its terms name them."""
    return [deal.work_id, *deal.further_works]


def parts(deal: Deal) -> dict[UUID, Wires]:
    """Return the rights that a deal grants in each of its works."""
    wires = regranting.granted(deal)
    named = canonical.loads(deal.terms).get("works")
    if named is None:
        return {deal.work_id: wires}
    return {UUID(one["work"]): [wires[place] for place in one["grants"]] for one in named}


async def keep(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Hold the rights for the deal's time to sign, where nothing reserved them before.

    Raises:
        Refusal: any of `parting.keep`; then nothing is held in any of the works.
    """
    for work_id, boxes in await _in_turn(session, deal):
        await parting.keep(
            session, work_id, deal_id=deal.id, grantor_id=deal.licensor_id,
            grantee_id=deal.licensee_id, boxes=boxes, now=now,
        )  # fmt: skip


async def check_free(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Ask the register whether the rights could be held at this moment; nothing is written.

    Raises:
        Refusal: any of `parting.check_free`.
    """
    for work_id, boxes in await _in_turn(session, deal):
        await parting.check_free(
            session, work_id, grantor_id=deal.licensor_id, grantee_id=deal.licensee_id,
            boxes=boxes, now=now,
        )  # fmt: skip


async def make_effective(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Grant what the deal holds: from now on the rights are the licensee's.

    Raises:
        RightsNotReserved, HoldExpired: see `titles.make_effective`; then nothing is granted.
    """
    for work_id, _ in await _in_turn(session, deal):
        await titles.make_effective(session, work_id, deal_id=deal.id, now=now)


async def release(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Give back what the deal holds while it is signed; what is granted stays."""
    for work_id, _ in await _in_turn(session, deal):
        await parting.release_deal(session, work_id, deal_id=deal.id, now=now)


async def grants(session: AsyncSession, deal: Deal) -> list[RightsGrant]:
    """Return the deal's grants in the register, work by work."""
    return [
        grant
        for work_id in works_of(deal)
        for grant in await register.by_deal(session, work_id, deal.id)
    ]


async def _in_turn(session: AsyncSession, deal: Deal) -> list[tuple[UUID, Wires]]:
    """Return the parts of a deal in the order in which their trees are locked."""
    found = parts(deal)
    if len(found) == 1:
        return list(found.items())
    wanted = select(col(Work.id)).where(col(Work.id).in_(found))
    ordered = await session.scalars(wanted.order_by(col(Work.root_id), col(Work.id)))
    return [(work_id, found[work_id]) for work_id in ordered]
