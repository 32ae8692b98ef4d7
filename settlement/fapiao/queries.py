"""Reading fapiao."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, or_, select

from contracts.refusal import Unknown
from settlement.fapiao.rules import COMMISSION, PRICE, REFUSED, RENMINBI, REQUESTED, Details
from settlement.fapiao.tables import Fapiao, FapiaoDetails, FapiaoFile
from settlement.invoices.rules import REVERSED
from settlement.invoices.tables import Invoice
from settlement.plans.rules import SERVICE_FEE
from settlement.plans.tables import Settlement


async def find_details(session: AsyncSession, party_id: UUID) -> FapiaoDetails | None:
    """Return to whom a party's fapiao are made out, or None."""
    return await session.get(FapiaoDetails, party_id)


async def get_details(session: AsyncSession, party_id: UUID) -> FapiaoDetails:
    """Return to whom a party's fapiao are made out.

    Raises:
        Unknown: it has not said.
    """
    found = await find_details(session, party_id)
    if found is None:
        raise Unknown("There are no such details.")
    return found


async def get_fapiao(session: AsyncSession, fapiao_id: UUID, *, party_id: UUID | None) -> Fapiao:
    """Return a fapiao to its buyer and its seller; staff pass None and see every one.

    Raises:
        Unknown: there is none, or it is others'.
    """
    found = await session.get(Fapiao, fapiao_id)
    if found is None or party_id not in (None, found.buyer_id, found.seller_id):
        raise Unknown("There is no such fapiao.")
    return found


async def page(
    session: AsyncSession, *, party_id: UUID | None, after: UUID, limit: int
) -> Sequence[Fapiao]:
    """Return the fapiao of a party on either side (staff: everybody's), in order of their ids."""
    wanted = select(Fapiao).where(col(Fapiao.id) > after)
    if party_id is not None:
        wanted = wanted.where(
            or_(col(Fapiao.buyer_id) == party_id, col(Fapiao.seller_id) == party_id)
        )
    return (await session.scalars(wanted.order_by(col(Fapiao.id)).limit(limit))).all()


async def find_blue(session: AsyncSession, invoice_id: UUID, kind: str = PRICE) -> Fapiao | None:
    """Return the fapiao of an invoice that is asked for or issued, or None."""
    wanted = select(Fapiao).where(
        col(Fapiao.invoice_id) == invoice_id,
        col(Fapiao.kind) == kind,
        col(Fapiao.red_letter_id).is_(None),
        col(Fapiao.state) != REFUSED,
    )
    return (await session.scalars(wanted)).one_or_none()


async def find_red(session: AsyncSession, red_letter_id: UUID, kind: str = PRICE) -> Fapiao | None:
    """Return the red fapiao of a red letter that is asked for or issued, or None."""
    wanted = select(Fapiao).where(
        col(Fapiao.red_letter_id) == red_letter_id,
        col(Fapiao.kind) == kind,
        col(Fapiao.state) != REFUSED,
    )
    return (await session.scalars(wanted)).one_or_none()


async def without_commission(
    session: AsyncSession, licensor_id: UUID, *, limit: int
) -> Sequence[tuple[UUID, str]]:
    """Return id and number of a licensor's invoices whose commission has no fapiao yet."""
    has_one = (
        select(Fapiao.id)
        .where(
            col(Fapiao.invoice_id) == col(Invoice.id),
            col(Fapiao.kind) == COMMISSION,
            col(Fapiao.red_letter_id).is_(None),
            col(Fapiao.state) != REFUSED,
        )
        .exists()
    )
    wanted = (
        select(Invoice.id, Invoice.number)
        .join(Settlement, col(Settlement.deal_id) == col(Invoice.deal_id))
        .where(
            col(Settlement.licensor_id) == licensor_id,
            col(Settlement.kind) != SERVICE_FEE,
            col(Invoice.currency) == RENMINBI,
            col(Invoice.state) != REVERSED,
            ~has_one,
        )
        .order_by(col(Invoice.number).desc())
        .limit(limit)
    )
    return [(id, number) for id, number in (await session.execute(wanted)).all()]


async def find_numbered(session: AsyncSession, number: str) -> Fapiao | None:
    """Return the fapiao of a number, or None."""
    return (await session.scalars(select(Fapiao).where(col(Fapiao.number) == number))).one_or_none()


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[Fapiao]:
    """Return the fapiao that are asked for and not issued, the oldest first."""
    wanted = select(Fapiao).where(col(Fapiao.state) == REQUESTED)
    return (await session.scalars(wanted.order_by(col(Fapiao.requested_at)).limit(limit))).all()


def document_of(row: Fapiao) -> dict[str, Any]:
    """Return the fields of a fapiao as they were asked for."""
    found: dict[str, Any] = json.loads(row.content)
    return found


def buyer_of(row: Fapiao) -> Details:
    """Return to whom a fapiao was made out when it was asked for."""
    said = document_of(row)["buyer"]
    return Details(
        said["name"], said["tax_id"], said["address"], said["phone"], said["bank"],
        said["account"],
    )  # fmt: skip


async def forms_of(session: AsyncSession, fapiao_id: UUID) -> Sequence[tuple[str, str]]:
    """Return the files kept of a fapiao: the form of each, and its SHA-256."""
    wanted = select(FapiaoFile.form, FapiaoFile.sha256).where(
        col(FapiaoFile.fapiao_id) == fapiao_id
    )
    found = (await session.execute(wanted.order_by(col(FapiaoFile.form)))).all()
    return [(form, sha256) for form, sha256 in found]


async def find_file(session: AsyncSession, fapiao_id: UUID, form: str) -> FapiaoFile | None:
    """Return a file of a fapiao, or None."""
    return await session.get(FapiaoFile, (fapiao_id, form))


async def get_file(session: AsyncSession, fapiao_id: UUID, form: str) -> FapiaoFile:
    """Return a file of a fapiao.

    Raises:
        Unknown: none of this form is kept.
    """
    found = await find_file(session, fapiao_id, form)
    if found is None:
        raise Unknown("There is no such file.")
    return found
