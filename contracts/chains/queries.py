"""Reading the chain of title (权属链)."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.chains.tables import TitleDocument
from contracts.deals.tables import Deal
from contracts.refusal import Unknown
from contracts.titles import queries as titles
from contracts.works import queries as works
from contracts.works.tables import Work


async def find_document(
    session: AsyncSession, work_id: UUID, document_id: UUID
) -> TitleDocument | None:
    """Return the document, or None."""
    return await session.get(TitleDocument, (work_id, document_id))


async def get_document(session: AsyncSession, work_id: UUID, document_id: UUID) -> TitleDocument:
    """Return the document.

    Raises:
        Unknown: the work has none of that id.
    """
    document = await find_document(session, work_id, document_id)
    if document is None:
        raise Unknown("There is no such document.", document=str(document_id))
    return document


async def get_document_seen(
    session: AsyncSession, work: Work, document_id: UUID, *, viewer: UUID | None
) -> TitleDocument:
    """Return the document, as one who may see the chain of the work may see it (None: staff).

    Raises:
        Unknown: the work has none of that id, or it shows others' business.
    """
    wanted = select(TitleDocument).where(
        col(TitleDocument.work_id) == work.id,
        col(TitleDocument.id) == document_id,
        *await _seen_by(session, work, viewer),
    )
    document = (await session.scalars(wanted)).one_or_none()
    if document is None:
        raise Unknown("There is no such document.", document=str(document_id))
    return document


async def documents_page(
    session: AsyncSession, work: Work, *, viewer: UUID | None, after: UUID, limit: int
) -> list[TitleDocument]:
    """Return a page of what one who may see the chain of a work may see of it, in order of ids.

    Owners and staff (viewer None) see all. What shows a grant is seen besides by its two sides, by
    those who hold under it, and by who declared it.
    """
    wanted = select(TitleDocument).where(
        col(TitleDocument.work_id) == work.id,
        col(TitleDocument.id) > after,
        *await _seen_by(session, work, viewer),
    )
    return list(await session.scalars(wanted.order_by(col(TitleDocument.id)).limit(limit)))


async def _seen_by(
    session: AsyncSession, work: Work, viewer: UUID | None
) -> tuple[ColumnElement[bool], ...]:
    if viewer is None or viewer in await owners(session, work):
        return ()
    shown = col(TitleDocument.grant_id)
    mine = await titles.chain_of_party(session, work.root_id, viewer)
    return (or_(shown.is_(None), shown.in_(mine), col(TitleDocument.party_id) == viewer),)


async def need_filed(session: AsyncSession, work: Work, wanted: Collection[UUID]) -> None:
    """Refuse unless each of these is a filed document of the work or of its tree's root.

    Raises:
        Unknown: there is no filed document of that id.
    """
    found = await session.scalars(
        select(col(TitleDocument.id)).where(
            col(TitleDocument.work_id).in_((work.id, work.root_id)),
            col(TitleDocument.id).in_(wanted),
            col(TitleDocument.state) == "filed",
        )
    )
    missing = sorted(set(wanted).difference(found.all()))
    if missing:
        raise Unknown("There is no such document.", document=str(missing[0]))


async def get_work_seen(session: AsyncSession, work_id: UUID, viewer: UUID | None) -> Work:
    """Return a work whose chain a party may see (None: staff).

    Owners see it, and whoever has a deal in it, or rights in it that are held or granted.

    Raises:
        Unknown: there is no such work, or the party has nothing to do with it.
    """
    work = await works.get_work(session, work_id)
    if viewer is None or viewer in await owners(session, work):
        return work
    held = await titles.grants_of_party(session, work, viewer, states=("held", "effective"))
    if held or await _has_deal(session, work_id, viewer):
        return work
    raise Unknown("There is no such work.", work=str(work_id))


async def get_work_told(session: AsyncSession, work_id: UUID, party_id: UUID) -> Work:
    """Return a work whose chain a party may add to: an owner, or one that licenses on.

    Raises:
        Unknown: there is no such work, or the party has nothing to offer in it.
    """
    work = await works.get_work(session, work_id)
    if party_id in await owners(session, work):
        return work
    return await titles.get_offerable(session, work_id, party_id)


async def owners(session: AsyncSession, work: Work) -> set[UUID]:
    """Return the registrant of a work and its co-owners."""
    shares = await titles.shares(session, work.id)
    return {work.party_id, *(share.party_id for share in shares)}


async def _has_deal(session: AsyncSession, work_id: UUID, party_id: UUID) -> bool:
    sides = or_(col(Deal.licensor_id) == party_id, col(Deal.licensee_id) == party_id)
    of_work = or_(
        col(Deal.work_id) == work_id, literal(work_id) == func.any(col(Deal.further_works))
    )
    wanted = select(col(Deal.id)).where(of_work, sides)
    return await session.scalar(wanted.limit(1)) is not None
