"""Reading the chain of title (权属链)."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.chains.tables import TitleDocument
from contracts.refusal import Unknown


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


async def documents_page(
    session: AsyncSession, work_id: UUID, *, after: UUID, limit: int
) -> list[TitleDocument]:
    """Return the documents of a work in the order of their ids, those after `after`."""
    wanted = select(TitleDocument).where(
        col(TitleDocument.work_id) == work_id, col(TitleDocument.id) > after
    )
    return list(await session.scalars(wanted.order_by(col(TitleDocument.id)).limit(limit)))


async def need_filed(session: AsyncSession, work_id: UUID, wanted: Collection[UUID]) -> None:
    """Refuse unless each of these documents of the work is filed.

    Raises:
        Unknown: the work has no filed document of that id.
    """
    found = await session.scalars(
        select(col(TitleDocument.id)).where(
            col(TitleDocument.work_id) == work_id,
            col(TitleDocument.id).in_(wanted),
            col(TitleDocument.state) == "filed",
        )
    )
    missing = sorted(set(wanted).difference(found.all()))
    if missing:
        raise Unknown("There is no such document.", document=str(missing[0]))
