"""Reading what a grant or a deal says, to be written as ODRL."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.deals.rules import DealNotEffective
from contracts.deals.tables import Deal
from contracts.encumbrances import moments
from contracts.encumbrances import queries as encumbrances
from contracts.encumbrances.rules import Burden
from contracts.encumbrances.tables import ACTIVE, Encumbrance
from contracts.odrl.export import Granting, Holdback, Work
from contracts.refusal import Kind, Refusal, Unknown
from contracts.rights import axes
from contracts.titles import queries as titles
from contracts.titles.tables import LIVE, RightsGrant
from contracts.works import queries as works


class SeveralWorks(Refusal):
    """A contract of several works is not one policy about one asset."""

    kind, code = Kind.CONFLICT, "deal-of-several-works"
    hint = "Export each of its grants: GET /v1/works/{id}/grants/{id}/odrl."


class GrantIsOver(Refusal):
    """The grant was given back or has ended, so that nothing is permitted by it any more."""

    kind, code = Kind.GONE, "grant-is-over"
    hint = "List the grants of the work for those that stand."


async def of_grant(
    session: AsyncSession, work_id: UUID, grant_id: UUID, *, viewer: UUID | None
) -> Granting:
    """Return what a live grant says, as a party may see it (None: staff).

    Raises:
        Unknown: there is no such grant, or none that the party has to do with.
        GrantIsOver: it was given back, or has ended.
    """
    grant = await session.get(RightsGrant, (work_id, grant_id))
    if grant is None or not await _may_see(session, grant, viewer):
        raise Unknown("There is no such grant.", grant=str(grant_id))
    if grant.state not in LIVE:
        raise GrantIsOver("The grant is over.", state=grant.state)
    return Granting(
        id=grant.id,
        licensor=grant.grantor_id,
        licensee=grant.grantee_id,
        work=await work_of(session, work_id),
        grants=[grant.wire],
        holdbacks=await _holdbacks(session, grant.root_id, [grant.id]),
        agreed=grant.state == "effective",
    )


async def of_deal(session: AsyncSession, deal: Deal) -> Granting:
    """Return what an executed deal says.

    Raises:
        DealNotEffective: both parties have not signed yet.
        SeveralWorks: it is a package, and a policy is about one work.
    """
    if deal.executed_at is None:
        raise DealNotEffective("The deal has not taken effect.", signing=deal.signing)
    if deal.further_works:
        raise SeveralWorks("This deal is of several works.")
    terms = canonical.loads(deal.terms)
    grants = await titles.by_deal(session, deal.work_id, deal.id)
    root = grants[0].root_id if grants else deal.work_id
    return Granting(
        id=deal.id,
        licensor=deal.licensor_id,
        licensee=deal.licensee_id,
        work=await work_of(session, deal.work_id),
        grants=terms["grants"],
        holdbacks=await _holdbacks(session, root, [grant.id for grant in grants]),
        price=deal.price,
        number=deal.contract_no,
    )


async def work_of(session: AsyncSession, work_id: UUID) -> Work:
    """Return the work with its identifiers and all that it is a part of."""
    work = await works.get_work(session, work_id)
    inside, parent = [], work.parent_id
    while parent is not None:
        inside.append(parent)
        parent = (await works.get_work(session, parent)).parent_id
    return Work(work.id, eidr=work.eidr, isan=work.isan, inside=inside)


async def _may_see(session: AsyncSession, grant: RightsGrant, viewer: UUID | None) -> bool:
    if viewer is None or viewer in (grant.grantor_id, grant.grantee_id):
        return True
    work = await works.get_work(session, grant.work_id)
    owners = [share.party_id for share in await titles.shares(session, grant.work_id)]
    return viewer in (work.party_id, *owners)


async def _holdbacks(
    session: AsyncSession, root_id: UUID, grants: Sequence[UUID]
) -> list[Holdback]:
    """Return what was promised with the grants, as it stands."""
    promised = select(col(Encumbrance.id)).where(
        col(Encumbrance.root_id) == root_id,
        col(Encumbrance.grant_id).in_(grants),
        col(Encumbrance.kind) == "holdback",
        col(Encumbrance.state) == ACTIVE,
    )
    records = set(await session.scalars(promised))
    if not records:
        return []
    burdens = await encumbrances.burdens(session, root_id)
    return [held for one in burdens if one.record_id in records for held in _held(one)]


def _held(burden: Burden) -> Iterator[Holdback]:
    span = burden.span
    end = None if span.end_latest == moments.FOREVER else span.end_latest
    for right, media in axes.media_of_uses(burden.uses):
        yield Holdback(
            right=right,
            media=media,
            territories=burden.territories,
            languages=burden.languages,
            start=span.start_earliest,
            end=end,
            waits_for=None if span.is_fixed else burden.waits_for,
        )
