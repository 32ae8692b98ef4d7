"""Fapiao: what their fields hold, how they go on, and that nothing is made out twice."""

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.calendar import day_of
from contracts.money import Money
from contracts.refusal import IdReused, InvalidContent
from exchange.db import Database
from settlement.fapiao import documents, gateway, queries, rules, service
from settlement.fapiao.documents import COLUMNS, Asked, Reds
from settlement.fapiao.rules import (
    BadTaxId,
    Details,
    FapiaoDetailsMissing,
    FapiaoExists,
    FapiaoFileUnsupported,
    FapiaoNothingLeft,
    FapiaoNotRed,
    FapiaoNumberTaken,
    FapiaoOutOfTurn,
)
from settlement.invoices.printing import SUBJECTS
from settlement.plans.rules import SERVICE_FEE
from settlement.taxes import rules as taxes
from tests.conftest import NOW
from tests.settlement import fapiao_factory, redletters_factory
from tests.settlement.fapiao_factory import DETAILS, OFD, PDF, XML, clerk, number
from tests.settlement.redletters_factory import asked as letter_of
from tests.settlement.returns_factory import staff
from tests.settlement.settlement_factory import Trade, invoiced

PRICE = Money(120_000_001, "CNY")


async def owed(session: AsyncSession, price: Money = PRICE) -> Trade:
    return await invoiced(session, price=price, now=NOW)


@given(minor=st.integers(1, 10**12), rate_bp=st.integers(0, 130).map(lambda tens: tens * 10))
def test_the_total_is_the_amounts_and_the_taxes(minor: int, rate_bp: int) -> None:
    """Blue and red alike, with two places for amounts and three at most for the rate."""
    taxed = taxes.included(Money(minor, "CNY"), rate_bp)
    for red in (None, Reds("2" * 20, "04")):
        said = documents.document(
            Asked(
                id=ids.new(NOW),
                type="81",
                seller_name="卖方",
                seller_tax_id=fapiao_factory.TAX_ID,
                buyer=DETAILS,
                item="*著作权*《长城》",
                tax_code="4030000000000000000",
                net=taxed.net,
                tax=taxed.tax,
                rate_bp=rate_bp,
                remark="UHDX",
                red=red,
            )
        )
        lines = [(Decimal(line["amount"]), Decimal(line["tax"])) for line in said["lines"]]
        assert sum(sum(line) for line in lines) == Decimal(said["total"])
        assert abs(Decimal(said["total"])) * 100 == minor
        assert (Decimal(said["total"]) < 0) == (red is not None)
        assert Decimal(said["lines"][0]["tax_rate"]) == Decimal(rate_bp) / 10_000
        assert len(said["lines"][0]["tax_rate"].partition(".")[2]) <= 3
        (row,) = documents.rows(said, confirmation=None)
        assert set(row) == set(COLUMNS)


@given(st.text(alphabet="0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=18, max_size=18))
def test_a_code_of_eighteen_checks_or_is_refused(typed: str) -> None:
    good = fapiao_factory.TAX_ID
    assert rules.tax_id(f" {good.lower()} ") == good
    for place in range(18):
        changed = good[:place] + ("2" if good[place] == "1" else "1") + good[place + 1 :]
        with pytest.raises(BadTaxId):
            rules.tax_id(changed)
    try:
        assert rules.tax_id(typed) == typed
    except BadTaxId as refused:
        assert refused.data["field"] == "tax_id"


@pytest.mark.parametrize("typed", ["1" * 14, "1" * 16, "1" * 21, "", "11000010001029-5"], ids=len)
def test_what_is_no_tax_id_is_refused(typed: str) -> None:
    with pytest.raises(BadTaxId):
        rules.tax_id(typed)


def test_ids_of_fifteen_and_twenty_are_taken_as_they_are() -> None:
    assert rules.tax_id("110000100010275") == "110000100010275"
    assert rules.tax_id("a" * 20) == "A" * 20


@pytest.mark.parametrize(
    "change", [{"account": "123"}, {"phone": "call me"}], ids=["account", "phone"]
)
def test_details_that_cannot_be_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidContent):
        rules.checked(Details("示范台", fapiao_factory.TAX_ID, **change))


def test_every_kind_of_settlement_has_a_tax_code_of_nineteen_digits() -> None:
    assert set(gateway.codes()) == SUBJECTS.keys() - {SERVICE_FEE} | {rules.COMMISSION}
    assert all(rules.TAX_CODE.fullmatch(found) for found, _ in gateway.codes().values())


def test_a_sheet_goes_on_only_where_the_tax_authority_lets_it() -> None:
    every = [f"{state:02d}" for state in range(1, 11)]
    for was in every:
        for then in every:
            if then in rules.FOLLOWS.get(was, ()):
                ends = rules.confirmed("requested", was, then) == "refused"
                assert ends == (then in rules.VOID)
            else:
                with pytest.raises(FapiaoOutOfTurn):
                    rules.confirmed("requested", was, then)
    assert rules.VOID.isdisjoint(rules.FOLLOWS)


async def test_a_fapiao_is_asked_for_entered_by_hand_and_kept(session: AsyncSession) -> None:
    trade, by = await owed(session), await clerk(session, now=NOW)
    row = await fapiao_factory.asked(session, trade.invoice.id, person_id=by, now=NOW)
    said = queries.document_of(row)
    assert said["total"] == "1200000.01"
    assert said["seller"] == {"name": trade.owners[0].name_zh, "tax_id": trade.owners[0].uscc}
    assert said["buyer"]["tax_id"] == fapiao_factory.TAX_ID
    assert said["lines"][0]["tax_code"] == "4030000000000000000"
    issued = await service.record(
        session, row.id, number=number(), issued_on=day_of(NOW), person_id=by, now=NOW
    )
    again = await service.record(
        session, row.id, number=str(issued.number), issued_on=day_of(NOW), person_id=by, now=NOW
    )
    assert (again.state, again.number) == ("issued", issued.number)
    for form, content in (("pdf", PDF), ("ofd", OFD), ("xml", XML)):
        for _ in range(2):
            file = await service.keep_file(
                session, row.id, form=form, content=content, person_id=by, now=NOW
            )
        assert (await queries.get_file(session, row.id, form)).content == content
        assert len(file.sha256) == 64
    assert [form for form, _ in await queries.forms_of(session, row.id)] == ["ofd", "pdf", "xml"]


async def test_the_file_for_entering_has_the_same_fields_in_json_and_csv(
    session: AsyncSession,
) -> None:
    trade, by = await owed(session), await clerk(session, now=NOW)
    row = await fapiao_factory.asked(session, trade.invoice.id, person_id=by, now=NOW)
    waiting = [(queries.document_of(row), None)]
    whole = json.loads(gateway.ByHand().hand_over(waiting, "json"))["fapiaos"][0]
    table = gateway.ByHand().hand_over(waiting, "csv").decode("utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(table))
    assert tuple(line) == COLUMNS
    assert (line["fapiao"], line["total"]) == (whole["fapiao"], whole["total"])
    assert line["buyer_tax_id"] == whole["buyer"]["tax_id"]
    assert (line["item"], line["tax"]) == (whole["lines"][0]["item"], whole["lines"][0]["tax"])


async def test_an_invoice_has_one_fapiao_until_it_is_refused(session: AsyncSession) -> None:
    trade, by = await owed(session), await clerk(session, now=NOW)
    with pytest.raises(FapiaoDetailsMissing):
        await ask(session, trade, by)
    row = await fapiao_factory.asked(session, trade.invoice.id, person_id=by, now=NOW)
    with pytest.raises(FapiaoExists) as refused:
        await ask(session, trade, by)
    assert refused.value.data == {"fapiao": str(row.id)}
    with pytest.raises(IdReused):
        await ask(session, trade, by, id=row.id, type="81")
    for _ in range(2):
        await service.refuse(session, row.id, reason="抬头有误", now=NOW)
    another, new = await ask(session, trade, by)
    assert (new, another.state) == (True, "requested")
    with pytest.raises(FapiaoOutOfTurn):
        await service.record(
            session, row.id, number=number(), issued_on=day_of(NOW), person_id=by, now=NOW
        )


async def ask(session: AsyncSession, trade: Trade, by: Any, **change: Any) -> Any:
    values = {"invoice_id": trade.invoice.id, "type": "82", "person_id": by, "now": NOW}
    return await service.ask(session, change.pop("id", None) or ids.new(NOW), **values | change)


async def test_what_is_not_in_renminbi_gets_no_fapiao(session: AsyncSession) -> None:
    trade, by = await owed(session, Money(100, "USD")), await clerk(session, now=NOW)
    with pytest.raises(FapiaoNothingLeft):
        await fapiao_factory.asked(session, trade.invoice.id, person_id=by, now=NOW)


async def test_two_fapiao_never_have_one_number(session: AsyncSession) -> None:
    by = await clerk(session, now=NOW)
    taken = number()
    for turn in range(2):
        trade = await owed(session)
        row = await fapiao_factory.asked(session, trade.invoice.id, person_id=by, now=NOW)
        values: Any = {"number": taken, "issued_on": day_of(NOW), "person_id": by, "now": NOW}
        if turn:
            with pytest.raises(FapiaoNumberTaken):
                await service.record(session, row.id, **values)
        else:
            await service.record(session, row.id, **values)


async def test_a_fapiao_of_tomorrow_and_a_file_of_another_form_are_refused(
    session: AsyncSession,
) -> None:
    trade, by = await owed(session), await clerk(session, now=NOW)
    row = await fapiao_factory.asked(session, trade.invoice.id, person_id=by, now=NOW)
    with pytest.raises(InvalidContent):
        await service.record(
            session,
            row.id,
            number=number(),
            issued_on=day_of(NOW) + timedelta(days=1),
            person_id=by,
            now=NOW,
        )
    keep: Any = {"person_id": by, "now": NOW}
    with pytest.raises(FapiaoOutOfTurn):
        await service.keep_file(session, row.id, form="pdf", content=PDF, **keep)
    await service.record(
        session, row.id, number=number(), issued_on=day_of(NOW), person_id=by, now=NOW
    )
    with pytest.raises(FapiaoFileUnsupported):
        await service.keep_file(session, row.id, form="pdf", content=OFD, **keep)
    await service.keep_file(session, row.id, form="pdf", content=PDF, **keep)
    with pytest.raises(FapiaoFileUnsupported):
        await service.keep_file(session, row.id, form="pdf", content=PDF + b"!", **keep)


async def test_a_red_letter_leads_to_a_red_fapiao_once_both_sides_confirmed(db: Database) -> None:
    people = await staff(db)
    async with db.transaction() as session:
        trade, by = await owed(session), await clerk(session, now=NOW)
        blue = await fapiao_factory.issued(session, trade.invoice.id, person_id=by, now=NOW)
    letter = await redletters_factory.issued(db, letter_of(trade.invoice.id, 20_000_000), people)
    async with db.transaction() as session:
        row, _ = await red(session, letter.id, by)
        said = queries.document_of(row)
        assert (said["total"], said["red"]["blue_number"]) == ("-200000.00", blue.number)
        assert said["red"]["reason_code"] == "04"
        issue: Any = {"issued_on": day_of(NOW), "person_id": by, "now": NOW}
        with pytest.raises(FapiaoOutOfTurn):
            await service.record(session, row.id, number=number(), **issue)
        await service.confirm(session, row.id, state="07", now=NOW)  # 72 hours are over
        assert row.state == "refused"
        again, _ = await red(session, letter.id, by)
        await service.confirm(session, again.id, state="04", now=NOW)
        await service.record(session, again.id, number=number(), **issue)
        assert again.state == "issued"
        with pytest.raises(FapiaoExists):
            await red(session, letter.id, by)


async def red(session: AsyncSession, letter_id: Any, by: Any) -> Any:
    return await service.ask_red(
        session,
        ids.new(NOW),
        red_letter_id=letter_id,
        confirmation="02",
        person_id=by,
        now=NOW,
    )


async def test_what_a_red_letter_took_back_before_is_left_out_and_needs_no_red_fapiao(
    db: Database,
) -> None:
    people = await staff(db)
    async with db.transaction() as session:
        trade, by = await owed(session), await clerk(session, now=NOW)
    letter = await redletters_factory.issued(db, letter_of(trade.invoice.id, 20_000_001), people)
    later = NOW + timedelta(hours=1)
    async with db.transaction() as session:
        blue = await fapiao_factory.issued(session, trade.invoice.id, person_id=by, now=later)
        assert queries.document_of(blue)["total"] == "1000000.00"
        with pytest.raises(FapiaoNotRed):
            await red(session, letter.id, by)


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE fapiao SET content = 'x' WHERE id = :id", "stays what was asked for"),
        ("UPDATE fapiao SET state = 'issued' WHERE id = :id", "fapiao_issued_with_a_number"),
        (
            "UPDATE fapiao SET state = 'issued', number = '12', issued_on = now(), "
            "recorded_by = requested_by WHERE id = :id",
            "fapiao_number_has_twenty_digits",
        ),
        ("DELETE FROM fapiao WHERE id = :id", "stays what was asked for"),
        ("UPDATE fapiao SET confirmation = '04' WHERE id = :id", "fapiao_red_has_a_sheet"),
    ],
    ids=["changed", "unnumbered", "short-number", "deleted", "blue-with-a-sheet"],
)
async def test_the_database_keeps_what_was_asked_for(
    db: Database, statement: str, rule: str
) -> None:
    async with db.transaction() as session:
        trade, by = await owed(session), await clerk(session, now=NOW)
        row = await fapiao_factory.asked(session, trade.invoice.id, person_id=by, now=NOW)
    with pytest.raises((DBAPIError, IntegrityError), match=rule):
        async with db.transaction() as session:
            await session.execute(text(statement), {"id": row.id})
