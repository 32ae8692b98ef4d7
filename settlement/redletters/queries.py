"""Reading red letters."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, or_, select

from contracts.refusal import Unknown
from settlement.invoices.tables import Invoice
from settlement.plans.tables import Settlement
from settlement.redletters.rules import ISSUED, PREPARED, REFUSED
from settlement.redletters.tables import RedLetter


async def get_red_letter(
    session: AsyncSession, red_letter_id: UUID, *, party_id: UUID | None
) -> RedLetter:
    """Return a red letter: every one to staff, who pass None, issued ones to both sides.

    Raises:
        Unknown: there is none, or none that the party may see.
    """
    found = await session.get(RedLetter, red_letter_id)
    if found is None or (party_id is not None and not await _is_told(session, found, party_id)):
        raise Unknown("There is no such red letter.")
    return found


async def page(
    session: AsyncSession, *, party_id: UUID | None, after: UUID, limit: int
) -> Sequence[RedLetter]:
    """Return red letters in the order of their ids: a party's issued ones; staff pass None."""
    wanted = select(RedLetter).where(col(RedLetter.id) > after)
    if party_id is not None:
        wanted = (
            wanted.join(Invoice, col(Invoice.id) == col(RedLetter.invoice_id))
            .join(Settlement, col(Settlement.deal_id) == col(Invoice.deal_id))
            .where(col(RedLetter.state) == ISSUED)
            .where(
                or_(
                    col(Settlement.licensor_id) == party_id,
                    col(Settlement.licensee_id) == party_id,
                )
            )
        )
    return (await session.scalars(wanted.order_by(col(RedLetter.id)).limit(limit))).all()


async def of_invoice(session: AsyncSession, invoice_id: UUID) -> Sequence[RedLetter]:
    """Return the red letters of an invoice in their order, refused ones too."""
    wanted = select(RedLetter).where(col(RedLetter.invoice_id) == invoice_id)
    return (await session.scalars(wanted.order_by(col(RedLetter.id)))).all()


async def find_open(session: AsyncSession, invoice_id: UUID) -> RedLetter | None:
    """Return the red letter of an invoice that waits for its decision, or None."""
    rows = await of_invoice(session, invoice_id)
    return next((row for row in rows if row.state == PREPARED), None)


async def find_of_refund(session: AsyncSession, refund_id: UUID) -> RedLetter | None:
    """Return the red letter that stands for a refund, or None."""
    wanted = select(RedLetter).where(
        col(RedLetter.refund_id) == refund_id, col(RedLetter.state) != REFUSED
    )
    return (await session.scalars(wanted)).one_or_none()


async def find_of_dispute(session: AsyncSession, dispute_id: UUID) -> RedLetter | None:
    """Return the red letter that follows a lost dispute, or None."""
    wanted = select(RedLetter).where(col(RedLetter.dispute_id) == dispute_id)
    return (await session.scalars(wanted)).one_or_none()


async def prepared(session: AsyncSession, *, limit: int) -> Sequence[RedLetter]:
    """Return the red letters that wait for a decision, the oldest first."""
    wanted = select(RedLetter).where(col(RedLetter.state) == PREPARED)
    return (await session.scalars(wanted.order_by(col(RedLetter.prepared_at)).limit(limit))).all()


async def _is_told(session: AsyncSession, row: RedLetter, party_id: UUID) -> bool:
    wanted = (
        select(Settlement)
        .join(Invoice, col(Invoice.deal_id) == col(Settlement.deal_id))
        .where(col(Invoice.id) == row.invoice_id)
    )
    settlement = (await session.scalars(wanted)).one()
    return row.state == ISSUED and party_id in (settlement.licensor_id, settlement.licensee_id)
