"""Payees abroad for tests: their residences, what is withheld of them, and remittances of it."""

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.calendar import day_of
from contracts.money import Money
from settlement.bank.tables import PaymentItem
from settlement.payees.rules import Details
from settlement.remittances import service as remitting
from settlement.remittances.rules import Group
from settlement.remittances.tables import Remittance, TaxAuthority
from settlement.residences import service as residences
from settlement.residences.rules import Residence, Treaty
from settlement.residences.tables import TaxResidence
from settlement.withholding import queries
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import (
    Bank,
    approved_file,
    approved_payout,
    closed,
    followed,
    iban,
    staff,
)
from tests.settlement.settlement_factory import invoiced, paid, with_accounts

FROM, TO = date(2026, 1, 1), date(2026, 12, 31)


def treaty(**more: date) -> Treaty:
    return Treaty(
        certificate_no="HK-2026-0042",
        evidence="受益所有人声明及其依据 (declaration of beneficial ownership)",
        evidence_sha256="ab" * 32,
        valid_from=more.get("valid_from", FROM),
        valid_to=more.get("valid_to", TO),
    )


async def resident(
    session: AsyncSession,
    party_id: UUID,
    country: str,
    *,
    claim: Treaty | None = None,
    since: date = FROM,
    now: datetime = NOW,
) -> TaxResidence:
    """A residence that one person recorded and another approved."""
    row, _ = await residences.prepare(
        session,
        ids.new(now),
        party_id=party_id,
        said=Residence(country, since, claim),
        person_id=await staff(session, "operator"),
        now=now,
    )
    decision = await decided(session, await staff(session), row.content_sha256, now=now)
    return await residences.approve(session, row.id, decision=decision, now=now)


async def authority(session: AsyncSession, currency: str = "EUR") -> TaxAuthority:
    """The account of the tax authority in a currency; each call changes its number."""
    account = Details("iban", iban(), "National Treasury", currency, "Treasury Bank")
    return await remitting.record_authority(
        session,
        "CN",
        names=("国家税务总局", "State Taxation Administration"),
        account=account,
        person_id=await staff(session, "operator"),
        now=NOW,
    )


async def prepared_remittance(
    session: AsyncSession, group: Group, *, now: datetime = NOW
) -> Remittance:
    """All that waits of a group, in a remittance that waits for its decision."""
    row, _ = await remitting.prepare(
        session, ids.new(now), group=group, person_id=await staff(session, "operator"), now=now
    )
    return row


async def approved_remittance(
    session: AsyncSession, group: Group, *, now: datetime = NOW
) -> Remittance:
    """A remittance that another person approved."""
    row = await prepared_remittance(session, group, now=now)
    decision = await decided(session, await staff(session), row.content_sha256, now=now)
    return await remitting.approve(session, row.id, decision=decision, now=now)


def receipt() -> str:
    """A receipt's number of its own."""
    return f"WSPZ-{uuid4().hex[:16]}"


async def of_one(session: AsyncSession, *, now: datetime) -> dict[str, str]:
    """A payee abroad, what was withheld of it, and its remittance with a receipt, for paths."""
    trade = await invoiced(session, price=Money(1_000_000, "CNY"), now=now)
    await paid(session, trade, now=now)
    await with_accounts(session, trade, now=now)
    row = await resident(session, trade.owners[0].id, "US", now=now)
    await approved_payout(session, trade, now=now)
    withheld = (await queries.of_deals(session, [trade.deal_id]))[trade.deal_id][0]
    await authority(session, "CNY")
    group = Group("CN", withheld.tax, "CNY", withheld.period)
    remittance = await approved_remittance(session, group, now=now)
    await receipted(session, remittance, now=now)
    return {
        "residence_id": str(row.id),
        "withheld_id": str(withheld.id),
        "remittance_id": str(remittance.id),
        "authority_code": "CN",
    }


async def shown(session: AsyncSession, remittance: Remittance, *, now: datetime) -> None:
    """A payment file pays a remittance, and the bank's statement shows it."""
    bank = Bank(await followed(session, remittance.currency))
    await approved_file(session, bank.account, now=now)
    wanted = select(PaymentItem).where(col(PaymentItem.remittance_id) == remittance.id)
    item = (await session.scalars(wanted)).one()
    bank.line(-item.amount_minor, ref=item.end_to_end_id)
    assert (await closed(session, bank, since=0)).matched == 1


async def receipted(session: AsyncSession, remittance: Remittance, *, now: datetime) -> str:
    """The number of a remittance's receipt, after a bank's statement showed its payment."""
    await shown(session, remittance, now=now)
    number = receipt()
    await remitting.record_receipt(
        session,
        remittance.id,
        number=number,
        issued_on=day_of(now),
        person_id=await staff(session, "operator"),
        now=now,
    )
    return number
