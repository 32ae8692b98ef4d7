"""Red letters for tests: prepared and decided by two people."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from exchange.db import Database
from settlement.invoices import service as invoicing
from settlement.invoices.tables import Invoice
from settlement.plans import claims
from settlement.redletters import service
from settlement.redletters.rules import ALLOWANCE, Ask
from settlement.redletters.tables import RedLetter
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.returns_factory import Staff


def asked(invoice_id: UUID, amount_minor: int, **more: Any) -> Ask:
    values: dict[str, Any] = {"reason_code": ALLOWANCE, "reason": "折让", **more}
    return Ask(invoice_id, Money(amount_minor, values.pop("currency", "CNY")), **values)


async def prepared(db: Database, ask: Ask, people: Staff) -> RedLetter:
    async with db.transaction() as session:
        row, _ = await service.prepare(
            session, ids.new(NOW), ask=ask, person_id=people.maker, now=NOW
        )
        return row


async def approved(db: Database, row: RedLetter, person_id: UUID) -> RedLetter:
    async with db.transaction() as session:
        decision = await decided(session, person_id, row.content_sha256, now=NOW)
        return await service.approve(session, row.id, decision=decision, now=NOW)


async def issued(db: Database, ask: Ask, people: Staff) -> RedLetter:
    """A red letter that two people have prepared and approved."""
    return await approved(db, await prepared(db, ask, people), people.checker)


async def fresh(db: Database, invoice_id: UUID) -> Invoice:
    async with db.sessions() as session:
        found = await session.get(Invoice, invoice_id)
        assert found is not None
        return found


async def of_a_claim(session: AsyncSession, deal_id: UUID, *, now: datetime) -> dict[str, str]:
    """An issued red letter of the invoice of royalties under a deal."""
    claim = await claims.claim(
        session, ids.new(now), of=deal_id, kind="royalties", amount=Money(1_000, "CNY"), now=now
    )
    invoice = await invoicing.issue(session, claim, now=now)
    home = await party(session, now=now)
    maker, checker = [
        await person(session, party_id=home.id, role="approver", now=now) for _ in range(2)
    ]
    row, _ = await service.prepare(
        session, ids.new(now), ask=asked(invoice.id, 5), person_id=maker.id, now=now
    )
    decision = await decided(session, checker.id, row.content_sha256, now=now)
    await service.approve(session, row.id, decision=decision, now=now)
    return {"red_letter_id": str(row.id)}
