"""Invariant 23 with the database behind it: withheld and paid make the gross, each tax once."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.money import Money
from settlement.approvals.rules import ContentChanged, SamePerson
from settlement.bank.tables import PaymentItem
from settlement.ledger import queries as books
from settlement.payouts import queries as payouts
from settlement.payouts import service as paying
from settlement.payouts.tables import Payout
from settlement.remittances import queries as remittances
from settlement.remittances import service as remitting
from settlement.remittances.rules import (
    AuthorityAccountMissing,
    Group,
    NothingToRemit,
    ReceiptRecorded,
    RemittanceNotPaid,
)
from settlement.remittances.tables import RemittanceItem
from settlement.residences import service as residences
from settlement.residences.rules import Residence, in_force
from settlement.taxes import gateway as taxes
from settlement.taxes import rules as tax_rules
from settlement.withholding import queries, rules
from settlement.withholding.rules import Remaining
from settlement.withholding.tables import WithheldTax
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import (
    Bank,
    approved_file,
    approved_payout,
    closed,
    followed,
    staff,
    wired,
    with_bank_account,
)
from tests.settlement.settlement_factory import Trade
from tests.settlement.withholding_factory import (
    TO,
    approved_remittance,
    authority,
    prepared_remittance,
    receipt,
    resident,
    treaty,
)

PRICE = Money(1_000_000, "EUR")
GROSS = st.integers(0, 10**13)
INCOME, VAT = tax_rules.WITHHELD_INCOME, tax_rules.WITHHELD_VAT


def cut(gross_minor: int, residence: Residence, *, payer: str = "CN", on: date) -> rules.Cut:
    return rules.cut(
        UUID(int=1),
        Money(gross_minor, "CNY"),
        payer=payer,
        residence=residence,
        rows=taxes.shipped(),
        on=on,
    )


@given(GROSS, st.sampled_from(["CN", "HK", "US", "FR"]), st.booleans())
def test_invariant_23_withheld_and_paid_make_the_gross(
    gross_minor: int, country: str, claims: bool
) -> None:
    claim = treaty() if claims and country != "CN" else None
    one = cut(gross_minor, Residence(country, date(2026, 1, 1), claim), on=date(2026, 5, 1))
    assert one.net.amount_minor + sum(k.amount.amount_minor for k in one.kept) == gross_minor
    assert one.net.amount_minor >= 0
    taxes_once = [kept.rule.code for kept in one.kept]
    assert len(taxes_once) == len(set(taxes_once))
    if country == "CN":
        assert one.kept == ()


@given(GROSS, st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_what_goes_back_in_steps_is_never_more_than_was_withheld(
    gross_minor: int, steps: list[int]
) -> None:
    gross_minor += 1
    tax = gross_minor // 7
    back = returned = 0
    for step in [*steps, gross_minor]:
        minor = min(step, gross_minor - back)
        gone = rules.back(Remaining(gross_minor, tax, back, returned), minor)
        assert 0 <= gone <= min(minor, tax - returned)
        back, returned = back + minor, returned + gone
    assert (back, returned) == (gross_minor, tax)


def test_a_treaty_lowers_the_rate_while_it_is_shown() -> None:
    there = Residence("HK", date(2026, 1, 1), treaty())
    inside, after = (cut(1_060_000, there, on=day) for day in (TO, TO + timedelta(days=1)))
    assert {k.rule.code: k.amount.amount_minor for k in inside.kept} == {
        INCOME: 70_000, VAT: 60_000,
    }  # fmt: skip
    assert inside.certificate_no == "HK-2026-0042"
    assert {k.rule.code: k.amount.amount_minor for k in after.kept} == {
        INCOME: 100_000, VAT: 60_000,
    }  # fmt: skip
    assert after.certificate_no is None


def test_nothing_is_withheld_where_the_payer_is_abroad_too() -> None:
    assert cut(100, Residence("US", date(2026, 1, 1)), payer="DE", on=date(2026, 5, 1)).kept == ()


def test_the_residence_that_began_last_holds() -> None:
    first, then = Residence("US", date(2026, 1, 1)), Residence("CN", date(2026, 6, 1))
    assert in_force([then, first], on=date(2026, 5, 31)).country == "US"
    assert in_force([then, first], on=date(2026, 6, 1)).country == "CN"
    assert in_force([], on=date(2026, 6, 1)).country == "CN"
    again = Residence("HK", date(2026, 6, 1))
    assert in_force([first, then, again], on=date(2026, 7, 1)) == again


def test_each_tax_has_its_period_and_its_last_day() -> None:
    rows = taxes.deadlines()
    assert tax_rules.falls_due(rows, INCOME, on=date(2026, 2, 25)) == (
        "2026-02-25", date(2026, 3, 4),
    )  # fmt: skip
    assert tax_rules.falls_due(rows, VAT, on=date(2026, 2, 3)) == ("2026-02", date(2026, 3, 15))


async def abroad(
    session: AsyncSession, *, now: datetime, country: str = "US"
) -> tuple[Bank, Trade, Payout]:
    """A paid trade whose first owner is abroad, paid out to the bank's file."""
    bank = Bank(await followed(session))
    trade = await wired(session, bank, PRICE)
    for owner in trade.owners:
        await with_bank_account(session, owner.id)
    await resident(session, trade.owners[0].id, country)
    return bank, trade, await approved_payout(session, trade, now=now)


async def withheld_of(session: AsyncSession, trade: Trade) -> dict[str, WithheldTax]:
    found = (await queries.of_deals(session, [trade.deal_id]))[trade.deal_id]
    return {row.tax: row for row in found}


async def balance(session: AsyncSession, code: str) -> int:
    wanted = text(
        "SELECT coalesce(sum(p.amount_minor), 0) FROM ledger_posting p "
        "JOIN ledger_account a ON a.id = p.account_id WHERE a.code = :code"
    )
    return int((await session.execute(wanted, {"code": code})).scalar_one())


async def test_a_payout_abroad_pays_the_net_and_owes_the_rest_to_the_authority(
    session: AsyncSession,
) -> None:
    before = await balance(session, f"tax:wht:CN/{VAT}:EUR")
    _, trade, payout = await abroad(session, now=NOW + timedelta(days=1))
    first, second = trade.owner_ids
    rows = await withheld_of(session, trade)
    paid = {one.party_id: one.amount_minor for one in await payouts.transfers(session, payout.id)}
    gross = rows[VAT].gross_minor
    assert paid[first] + rows[VAT].amount_minor + rows[INCOME].amount_minor == gross
    assert {row.party_id for row in rows.values()} == {first}
    assert gross + paid[second] == await gross_of(session, trade)
    assert rows[INCOME].rule == "withheld-income/CN-abroad/2008-01-01"
    assert "企业所得税法" in rows[INCOME].legal_basis
    assert before - await balance(session, f"tax:wht:CN/{VAT}:EUR") == rows[VAT].amount_minor
    assert await balance(session, f"payee:{first}:due:EUR") == 0
    assert await balance(session, f"payee:{first}:in-transit:EUR") == -paid[first]
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


async def gross_of(session: AsyncSession, trade: Trade) -> int:
    wanted = text("SELECT sum(amount_minor) FROM settlement_line WHERE deal_id = :d "
                  "AND kind = 'share'")  # fmt: skip
    return int((await session.execute(wanted, {"d": trade.deal_id})).scalar_one())


async def test_a_payout_home_says_what_it_said_before(session: AsyncSession) -> None:
    _, trade, payout = await abroad(session, now=NOW + timedelta(days=1), country="CN")
    assert b"withheld" not in payout.content
    assert await withheld_of(session, trade) == {}


async def test_a_residence_found_after_preparing_voids_the_payout(session: AsyncSession) -> None:
    bank = Bank(await followed(session))
    trade = await wired(session, bank, PRICE)
    for owner in trade.owners:
        await with_bank_account(session, owner.id)
    payout, _ = await paying.prepare(
        session, ids.new(NOW), deal_id=trade.deal_id, person_id=await staff(session), now=NOW
    )
    await resident(session, trade.owners[0].id, "US")
    decision = await decided(session, await staff(session), payout.content_sha256, now=NOW)
    with pytest.raises(ContentChanged):
        await paying.approve(session, payout.id, decision=decision, now=NOW)


async def test_the_database_refuses_a_payout_that_withholds_other_than_it_says(
    session: AsyncSession,
) -> None:
    _, trade, payout = await abroad(session, now=NOW + timedelta(days=1))
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    row = (await withheld_of(session, trade))[VAT]
    with pytest.raises(DBAPIError, match="withheld_tax"):
        async with session.begin_nested():
            await session.execute(
                text("UPDATE withheld_tax SET amount_minor = 1 WHERE id = :id"), {"id": row.id}
            )
    forged = {**row.model_dump(), "id": ids.new(NOW), "party_id": trade.owners[1].id}
    with pytest.raises(DBAPIError, match="withheld when its payout is approved"):
        async with session.begin_nested():
            session.add(WithheldTax(**{**forged, "created_at": NOW}))
            await session.flush()
    assert payout.state == "approved"


async def test_a_residence_takes_two_people(session: AsyncSession) -> None:
    from_day = await resident(session, (await wired_owner(session)), "US")
    one = from_day.prepared_by
    with pytest.raises(SamePerson):
        await decide_as(session, from_day.party_id, one)


async def wired_owner(session: AsyncSession) -> UUID:
    trade = await wired(session, Bank(await followed(session)), PRICE)
    return trade.owners[0].id


async def decide_as(session: AsyncSession, party_id: UUID, maker: UUID) -> None:
    row, _ = await residences.prepare(
        session, ids.new(NOW), party_id=party_id, said=Residence("FR", date(2026, 2, 1)),
        person_id=maker, now=NOW,
    )  # fmt: skip
    decision = await decided(session, maker, row.content_sha256, now=NOW)
    await residences.approve(session, row.id, decision=decision, now=NOW)


async def test_invariant_23_each_withheld_tax_is_remitted_once(session: AsyncSession) -> None:
    now = NOW + timedelta(days=40)
    bank, trade, _ = await abroad(session, now=now)
    row = (await withheld_of(session, trade))[INCOME]
    group = Group("CN", INCOME, "EUR", row.period)
    with pytest.raises(AuthorityAccountMissing):
        await prepared_remittance(session, Group("CN", INCOME, "XOF", row.period), now=now)
    await authority(session)
    (due,) = [one for one in await remittances.dues(session, limit=999) if one.group == group]
    assert (due.amount, due.due_on) == (row.amount, row.due_on)
    remittance = await prepared_remittance(session, group, now=now)
    with pytest.raises(NothingToRemit):
        await prepared_remittance(session, group, now=now)
    own = await decided(session, remittance.prepared_by, remittance.content_sha256, now=now)
    with pytest.raises(SamePerson):
        await remitting.approve(session, remittance.id, decision=own, now=now)
    by = await decided(session, await staff(session), remittance.content_sha256, now=now)
    await remitting.approve(session, remittance.id, decision=by, now=now)
    with pytest.raises(NothingToRemit):
        await prepared_remittance(session, group, now=now)
    (item,) = await remittances.items(session, remittance.id)
    second = RemittanceItem(
        remittance_id=remittance.id, withheld_id=item.withheld_id, amount_minor=1, state="approved"
    )
    assert item.withheld_id == row.id
    assert bank.account.currency == "EUR"
    with pytest.raises(DBAPIError):
        async with session.begin_nested():
            await session.execute(
                text(
                    "INSERT INTO remittance_item (remittance_id, withheld_id, amount_minor, state) "
                    "VALUES (:r, :w, 1, 'prepared')"
                ),
                {"r": second.remittance_id, "w": second.withheld_id},
            )


async def test_a_remittance_is_paid_by_the_bank_and_its_receipt_recorded(
    session: AsyncSession,
) -> None:
    now = NOW + timedelta(days=41)
    bank, trade, _ = await abroad(session, now=now)
    row = (await withheld_of(session, trade))[INCOME]
    await authority(session)
    remittance = await approved_remittance(session, Group("CN", INCOME, "EUR", row.period), now=now)
    with pytest.raises(RemittanceNotPaid):
        await note(session, remittance.id, receipt(), now=now)
    file = await approved_file(session, bank.account, now=now)
    assert b"<Cd>WHLD</Cd>" in file.document
    item = (
        await session.scalars(
            select(PaymentItem).where(col(PaymentItem.remittance_id) == remittance.id)
        )
    ).one()
    in_transit = f"tax:wht:CN/{INCOME}:in-transit:EUR"
    before = await balance(session, in_transit)
    opening = bank.balance_minor
    bank.line(-item.amount_minor, ref=item.end_to_end_id)
    await closed(session, bank, since=opening)
    await session.refresh(remittance)
    assert remittance.state == "paid"
    assert await balance(session, in_transit) == before + item.amount_minor
    number = receipt()
    await note(session, remittance.id, number, now=now)
    assert (await note(session, remittance.id, number, now=now)).receipt_no == number
    with pytest.raises(ReceiptRecorded):
        await note(session, remittance.id, receipt(), now=now)


async def note(
    session: AsyncSession, remittance_id: UUID, number: str, *, now: datetime
) -> remitting.Remittance:
    return await remitting.record_receipt(
        session,
        remittance_id,
        number=number,
        issued_on=now.date(),
        person_id=await staff(session, "operator"),
        now=now,
    )


async def test_a_remittance_that_comes_back_waits_for_another_file(session: AsyncSession) -> None:
    now = NOW + timedelta(days=42)
    bank, trade, _ = await abroad(session, now=now)
    row = (await withheld_of(session, trade))[INCOME]
    await authority(session)
    remittance = await approved_remittance(session, Group("CN", INCOME, "EUR", row.period), now=now)
    await approved_file(session, bank.account, now=now)
    wanted = select(PaymentItem).where(col(PaymentItem.remittance_id) == remittance.id)
    item = (await session.scalars(wanted)).one()
    for amount in (-item.amount_minor, item.amount_minor):
        opening = bank.balance_minor
        more = {"back": "AC04"} if amount > 0 else {}
        bank.line(amount, ref=item.end_to_end_id, **more)
        await closed(session, bank, since=opening)
    await session.refresh(remittance)
    await session.refresh(item)
    assert (remittance.state, item.state) == ("approved", "returned")
    await approved_file(session, bank.account, now=now)
    assert len((await session.scalars(wanted)).all()) == 2


async def test_an_account_changed_after_preparing_voids_the_remittance(
    session: AsyncSession,
) -> None:
    now = NOW + timedelta(days=43)
    _, trade, _ = await abroad(session, now=now)
    row = (await withheld_of(session, trade))[INCOME]
    await authority(session)
    group = Group("CN", INCOME, "EUR", row.period)
    remittance = await prepared_remittance(session, group, now=now)
    await authority(session)
    by = await decided(session, await staff(session), remittance.content_sha256, now=now)
    with pytest.raises(ContentChanged):
        await remitting.approve(session, remittance.id, decision=by, now=now)


async def test_the_books_balance_whatever_is_withheld(session: AsyncSession) -> None:
    await abroad(session, now=NOW + timedelta(days=44))
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    assert await books.check(session) == []
