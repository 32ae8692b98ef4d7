"""Fapiao for tests: details that check, fapiao asked for and issued, files of each form."""

import random
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.calendar import day_of
from settlement.fapiao import service
from settlement.fapiao.rules import Details
from settlement.fapiao.tables import Fapiao
from settlement.invoices import queries as invoices
from settlement.plans import queries as plans
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person

TAX_ID = "12100000400010275N"
DETAILS = Details(
    "示范电视台", TAX_ID, "北京市复兴路1号", "010-12345678", "示范银行", "11001234567890"
)
PDF, OFD, XML = b"%PDF-1.7 a fapiao", b"PK\x03\x04 a fapiao", b"<?xml version='1.0'?><fapiao/>"


def number() -> str:
    """Twenty digits that no other test has."""
    return "26" + "".join(random.choices("0123456789", k=18))


async def clerk(session: AsyncSession, *, now: datetime) -> UUID:
    """A person who enters fapiao."""
    home = await party(session, now=now)
    return (await person(session, party_id=home.id, role="operator", now=now)).id


async def asked(
    session: AsyncSession, invoice_id: UUID, *, person_id: UUID, now: datetime, type: str = "82"
) -> Fapiao:
    """A fapiao asked for; the buyer has said to whom it is made out."""
    invoice = await invoices.get_invoice_of(session, invoice_id, payer_id=None)
    await service.say_details(
        session, invoice.payer_id, details=DETAILS, person_id=person_id, now=now
    )
    row, _ = await service.ask(
        session, ids.new(now), invoice_id=invoice_id, type=type, person_id=person_id, now=now
    )
    return row


async def issued(
    session: AsyncSession, invoice_id: UUID, *, person_id: UUID, now: datetime
) -> Fapiao:
    """An issued fapiao with its PDF."""
    row = await asked(session, invoice_id, person_id=person_id, now=now)
    await service.record(
        session, row.id, number=number(), issued_on=day_of(now), person_id=person_id, now=now
    )
    await service.keep_file(session, row.id, form="pdf", content=PDF, person_id=person_id, now=now)
    return row


async def of_a_deal(session: AsyncSession, deal_id: UUID, *, now: datetime) -> dict[str, str]:
    """The issued fapiao of a deal's price, as paths name it, and both sides' details."""
    person_id = await clerk(session, now=now)
    invoice = await invoices.find_invoice_of_deal(session, deal_id)
    assert invoice is not None
    settlement = await plans.get_settlement(session, deal_id)
    await service.say_details(
        session, settlement.licensor_id, details=DETAILS, person_id=person_id, now=now
    )
    row = await issued(session, invoice.id, person_id=person_id, now=now)
    return {"fapiao_id": str(row.id), "form": "pdf"}
