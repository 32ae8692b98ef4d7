"""Reading agreements, their documents and signing sessions."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.agreements.tables import Agreement, AgreementDocument, AgreementSession
from contracts.refusal import Unknown


async def find_agreement(session: AsyncSession, agreement_id: UUID) -> Agreement | None:
    """Return the agreement, or None."""
    return await session.get(Agreement, agreement_id)


async def get_agreement_of(
    session: AsyncSession, agreement_id: UUID, party_id: UUID | None
) -> Agreement:
    """Return the agreement as its party sees it; None as party is the staff.

    Raises:
        Unknown: there is none, or it is another party's.
    """
    found = await find_agreement(session, agreement_id)
    if found is None or party_id not in (None, found.party_id):
        raise Unknown("There is no such agreement.", agreement=str(agreement_id))
    return found


async def agreements_of(
    session: AsyncSession, party_id: UUID | None, *, after: UUID, limit: int
) -> Sequence[Agreement]:
    """Return a page of a party's agreements (of all, for the staff), in the order of their ids."""
    chosen = select(Agreement).where(col(Agreement.id) > after)
    if party_id is not None:
        chosen = chosen.where(col(Agreement.party_id) == party_id)
    return (await session.scalars(chosen.order_by(col(Agreement.id)).limit(limit))).all()


async def signed_by(
    session: AsyncSession, subject_id: UUID, parties: Collection[UUID]
) -> dict[UUID, datetime]:
    """Return when each of the parties signed its agreement about something; none who did not."""
    chosen = select(col(Agreement.party_id), col(Agreement.signed_at)).where(
        col(Agreement.subject_id) == subject_id,
        col(Agreement.party_id).in_(parties),
        col(Agreement.signed_at).is_not(None),
    )
    return {party: at for party, at in (await session.execute(chosen)).all() if at is not None}


async def document(session: AsyncSession, agreement_id: UUID) -> AgreementDocument:
    """Return the latest revision of the agreement's PDF.

    Raises:
        Unknown: there is no such agreement.
    """
    chosen = (
        select(AgreementDocument)
        .where(col(AgreementDocument.agreement_id) == agreement_id)
        .order_by(col(AgreementDocument.revision).desc())
        .limit(1)
    )
    found = (await session.scalars(chosen)).one_or_none()
    if found is None:
        raise Unknown("There is no such agreement.", agreement=str(agreement_id))
    return found


async def document_of_hash(
    session: AsyncSession, agreement_id: UUID, sha256: str
) -> AgreementDocument:
    """Return the revision of the agreement's PDF that has a hash.

    Raises:
        Unknown: none has.
    """
    chosen = select(AgreementDocument).where(
        col(AgreementDocument.agreement_id) == agreement_id, col(AgreementDocument.sha256) == sha256
    )
    found = (await session.scalars(chosen)).one_or_none()
    if found is None:
        raise Unknown("The agreement has no such revision.", agreement=str(agreement_id))
    return found


async def base_document(session: AsyncSession, agreement_id: UUID) -> AgreementDocument:
    """Return revision 0: the agreement as typeset, before any signature.

    Raises:
        Unknown: there is no such agreement.
    """
    found = await session.get(AgreementDocument, (agreement_id, 0))
    if found is None:
        raise Unknown("There is no such agreement.", agreement=str(agreement_id))
    return found


async def find_session(
    session: AsyncSession, agreement_id: UUID, session_id: UUID
) -> AgreementSession | None:
    """Return the signing session, or None."""
    return await session.get(AgreementSession, (agreement_id, session_id))


async def completed_sessions(
    session: AsyncSession, agreement_id: UUID
) -> Sequence[AgreementSession]:
    """Return the session whose signature stands in the agreement, if there is one."""
    chosen = select(AgreementSession).where(
        col(AgreementSession.agreement_id) == agreement_id,
        col(AgreementSession.completed_at).is_not(None),
    )
    return (await session.scalars(chosen)).all()
