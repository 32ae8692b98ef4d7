"""Asking for fapiao (开票申请), taking over that they were issued, keeping their files."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.calendar import day_of
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from settlement.fapiao import documents, gateway, queries, rules
from settlement.fapiao.documents import Asked, Reds, Wanted
from settlement.fapiao.rules import Between, Details
from settlement.fapiao.tables import Fapiao, FapiaoDetails, FapiaoFile
from settlement.invoices import queries as invoices
from settlement.invoices import service as invoicer
from settlement.invoices.tables import Invoice
from settlement.plans import queries as plans
from settlement.plans.rules import SERVICE_FEE
from settlement.redletters import queries as red_letters
from settlement.redletters.rules import CODES
from settlement.redletters.rules import ISSUED as RED_ISSUED
from settlement.redletters.tables import RedLetter


async def say_details(
    session: AsyncSession, party_id: UUID, *, details: Details, person_id: UUID, now: datetime
) -> FapiaoDetails:
    """Note to whom a party's fapiao are made out from now on.

    Raises:
        BadTaxId, BadName, InvalidContent: see `rules.checked`.
    """
    said = rules.checked(details)
    row = await locking.find_locked(session, FapiaoDetails, col(FapiaoDetails.party_id) == party_id)
    if row is None:
        row = FapiaoDetails(
            party_id=party_id, **_fields(said), updated_by=person_id, updated_at=now
        )
        session.add(row)
    elif row.value() != said:
        for name, value in _fields(said).items():
            setattr(row, name, value)
        row.updated_by, row.updated_at = person_id, now
    await session.flush()
    return row


async def ask(
    session: AsyncSession,
    fapiao_id: UUID,
    *,
    invoice_id: UUID,
    type: str,
    person_id: UUID,
    now: datetime,
) -> tuple[Fapiao, bool]:
    """Ask for the fapiao of what an invoice still says; return it and whether it is new.

    Raises:
        Unknown: there is no such invoice.
        IdReused: the id names another fapiao.
        FapiaoExists: the invoice has one.
        FapiaoNothingLeft: nothing is left of it, or it is not in renminbi.
        FapiaoDetailsMissing: the buyer has not said to whom it is made out.
    """
    invoice = await invoicer.locked(session, invoice_id)
    said = {"invoice_id": invoice_id, "red_letter_id": None, "type": type, "kind": rules.PRICE}
    known = await find_known(session, fapiao_id, said)
    if known is not None:
        return known, False
    other = await queries.find_blue(session, invoice_id)
    if other is not None:
        raise rules.FapiaoExists("This invoice has a fapiao.", fapiao=str(other.id))
    settlement = await plans.get_settlement(session, invoice.deal_id)
    if settlement.kind == SERVICE_FEE:
        raise rules.FapiaoNothingLeft("It is all the exchange's fee: ask with kind commission.")
    gross = Money(invoice.amount_minor - invoice.reversed_minor, invoice.currency)
    if gross.amount_minor == 0 or gross.currency != rules.RENMINBI:
        raise rules.FapiaoNothingLeft("There is nothing to make a fapiao out for.")
    tax = Money(invoice.tax_minor - invoice.reversed_tax_minor, invoice.currency)
    buyer = await queries.find_details(session, invoice.payer_id)
    if buyer is None:
        raise rules.FapiaoDetailsMissing(
            "The buyer has not said to whom it is made out.", party=str(invoice.payer_id)
        )
    wanted = Wanted(type, buyer.value(), gross, tax)
    asked = await _asked(session, fapiao_id, invoice, wanted)
    between = await _sides(session, invoice)
    return await write(session, asked, between, person_id=person_id, now=now), True


async def ask_red(
    session: AsyncSession,
    fapiao_id: UUID,
    *,
    red_letter_id: UUID,
    confirmation: str,
    person_id: UUID,
    now: datetime,
) -> tuple[Fapiao, bool]:
    """Ask for the red fapiao of a red letter; its confirmation sheet (红字确认单) has this state.

    Raises:
        Unknown: there is no such red letter.
        IdReused: the id names another fapiao.
        FapiaoExists: the red letter has one.
        FapiaoNotRed: no fapiao was issued that it takes anything off.
    """
    letter = await red_letters.get_red_letter(session, red_letter_id, party_id=None)
    invoice = await invoicer.locked(session, letter.invoice_id)
    said = {"red_letter_id": red_letter_id, "kind": rules.PRICE}
    known = await find_known(session, fapiao_id, said)
    if known is not None:
        return known, False
    other = await queries.find_red(session, red_letter_id)
    if other is not None:
        raise rules.FapiaoExists("This red letter has a fapiao.", fapiao=str(other.id))
    blue = await _blue_of(session, letter)
    tax = Money(letter.tax_minor, letter.currency)
    red = Reds(str(blue.number), CODES[letter.reason_code])
    wanted = Wanted(blue.type, queries.buyer_of(blue), letter.amount, tax, red)
    asked = await _asked(session, fapiao_id, invoice, wanted)
    between = replace(await _sides(session, invoice), sheet=(letter.id, confirmation))
    return await write(session, asked, between, person_id=person_id, now=now), True


async def confirm(session: AsyncSession, fapiao_id: UUID, *, state: str, now: datetime) -> Fapiao:
    """Note how a red fapiao's confirmation sheet went on; a void one ends it.

    Raises:
        Unknown: there is no such fapiao.
        FapiaoOutOfTurn: the sheet does not go there.
    """
    row = await locked(session, fapiao_id)
    if row.confirmation == state:
        return row
    row.state = rules.confirmed(row.state, row.confirmation, state)
    row.confirmation = state
    if row.state == rules.REFUSED:
        row.refused_reason = f"红字确认单作废 (confirmation sheet void, {state})"
        await _tell(session, "fapiao.refused", row, now=now)
    await session.flush()
    return row


async def record(
    session: AsyncSession,
    fapiao_id: UUID,
    *,
    number: str,
    issued_on: date,
    person_id: UUID,
    now: datetime,
) -> Fapiao:
    """Note that a fapiao was issued, with its number; the same again changes nothing.

    Raises:
        Unknown: there is no such fapiao.
        FapiaoOutOfTurn: it is not asked for any more, or not confirmed yet.
        FapiaoNumberTaken: another has the number.
        InvalidContent: the day has not come.
    """
    row = await locked(session, fapiao_id)
    if (row.state, row.number, row.issued_on) == (rules.ISSUED, number, issued_on):
        return row
    rules.check_issue(
        row.state, confirmation=row.confirmation, issued_on=issued_on, today=day_of(now)
    )
    other = await queries.find_numbered(session, number)
    if other is not None:
        raise rules.FapiaoNumberTaken("Another fapiao has this number.", number=number)
    row.state, row.number, row.issued_on, row.recorded_by = (
        rules.ISSUED, number, issued_on, person_id,
    )  # fmt: skip
    await session.flush()
    await _tell(session, "fapiao.issued", row, now=now)
    return row


async def refuse(session: AsyncSession, fapiao_id: UUID, *, reason: str, now: datetime) -> Fapiao:
    """Note that a fapiao will not be issued, and why; another can be asked for.

    Raises:
        Unknown: there is no such fapiao.
        FapiaoOutOfTurn: it is issued, or was refused for another reason.
    """
    row = await locked(session, fapiao_id)
    if (row.state, row.refused_reason) == (rules.REFUSED, reason):
        return row
    if row.state != rules.REQUESTED:
        raise rules.FapiaoOutOfTurn(f"This fapiao is {row.state}.", state=row.state)
    row.state, row.refused_reason = rules.REFUSED, reason
    await session.flush()
    await _tell(session, "fapiao.refused", row, now=now)
    return row


async def keep_file(
    session: AsyncSession,
    fapiao_id: UUID,
    *,
    form: str,
    content: bytes,
    person_id: UUID,
    now: datetime,
) -> FapiaoFile:
    """Keep a file of an issued fapiao, once for each form.

    Raises:
        Unknown: there is no such fapiao.
        FapiaoOutOfTurn: it is not issued.
        FapiaoFileUnsupported: it is not of this form, or another of this form is kept.
    """
    row = await locked(session, fapiao_id)
    if row.state != rules.ISSUED:
        raise rules.FapiaoOutOfTurn(f"This fapiao is {row.state}.", state=row.state)
    rules.check_file(form, content)
    known = await queries.find_file(session, fapiao_id, form)
    if known is not None:
        if known.content != content:
            raise rules.FapiaoFileUnsupported("Another file of this form is kept.", form=form)
        return known
    file = FapiaoFile(
        fapiao_id=fapiao_id,
        form=form,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        kept_by=person_id,
        kept_at=now,
    )
    session.add(file)
    await session.flush()
    return file


async def locked(session: AsyncSession, fapiao_id: UUID) -> Fapiao:
    """Return a fapiao, locked until the transaction ends.

    Raises:
        Unknown: there is none.
    """
    row = await locking.find_locked(session, Fapiao, col(Fapiao.id) == fapiao_id)
    if row is None:
        raise Unknown("There is no such fapiao.")
    return row


async def _blue_of(session: AsyncSession, letter: RedLetter) -> Fapiao:
    """Return the issued fapiao that a red letter takes something off.

    Raises:
        FapiaoNotRed: there is none, or it was made out for what the letter had left.
    """
    blue = await queries.find_blue(session, letter.invoice_id)
    if blue is None or blue.state != rules.ISSUED or letter.state != RED_ISSUED:
        raise rules.FapiaoNotRed("There is nothing that it takes anything off.")
    if letter.decided_at is None or letter.decided_at < blue.requested_at:
        raise rules.FapiaoNotRed("The fapiao was made out without it.", fapiao=str(blue.id))
    return blue


async def find_known(
    session: AsyncSession, fapiao_id: UUID, said: Mapping[str, object]
) -> Fapiao | None:
    """Return the fapiao of this id, where there is one and it is of the same.

    Raises:
        IdReused: it is of something else.
    """
    known = await session.get(Fapiao, fapiao_id)
    if known is not None and any(getattr(known, name) != value for name, value in said.items()):
        raise IdReused("This id names another fapiao.")
    return known


async def _asked(session: AsyncSession, fapiao_id: UUID, invoice: Invoice, wanted: Wanted) -> Asked:
    page = await invoices.issued(session, invoice.id, party_id=None)
    settlement = await plans.get_settlement(session, invoice.deal_id)
    code, short = gateway.codes()[settlement.kind]
    return Asked(
        id=fapiao_id,
        type=wanted.type,
        seller_name=page.seller.name_zh,
        seller_tax_id=page.seller.uscc,
        buyer=wanted.buyer,
        item=f"*{short}*《{page.title['zh']}》",
        tax_code=code,
        net=wanted.gross - wanted.tax,
        tax=wanted.tax,
        rate_bp=invoice.tax_rate_bp,
        remark=f"{page.contract_no} {invoice.number}",
        red=wanted.red,
    )


async def _sides(session: AsyncSession, invoice: Invoice) -> Between:
    settlement = await plans.get_settlement(session, invoice.deal_id)
    return Between(invoice.id, rules.PRICE, settlement.licensee_id, settlement.licensor_id)


async def write(
    session: AsyncSession, asked: Asked, between: Between, *, person_id: UUID, now: datetime
) -> Fapiao:
    """Write down a fapiao that is asked for, and tell both sides."""
    raw = canonical.dumps(documents.document(asked))
    sheet = between.sheet
    row = Fapiao(
        id=asked.id,
        invoice_id=between.invoice_id,
        red_letter_id=None if sheet is None else sheet[0],
        confirmation=None if sheet is None else sheet[1],
        buyer_id=between.buyer_id,
        seller_id=between.seller_id,
        kind=between.kind,
        type=asked.type,
        state=rules.REQUESTED,
        total_minor=(asked.net + asked.tax).amount_minor,
        tax_minor=asked.tax.amount_minor,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        requested_by=person_id,
        requested_at=now,
    )
    session.add(row)
    await session.flush()
    await _tell(session, "fapiao.requested", row, now=now)
    return row


async def _tell(session: AsyncSession, kind: str, row: Fapiao, *, now: datetime) -> None:
    record = {
        "fapiao": str(row.id),
        "invoice": str(row.invoice_id),
        "red_letter": None if row.red_letter_id is None else str(row.red_letter_id),
        "number": row.number,
        "content_sha256": row.content_sha256,
        "total_minor": row.total_minor,
        "tax_minor": row.tax_minor,
    }
    parties = [row.buyer_id, row.seller_id]
    await facts.record(session, kind, row.id, record, parties=parties, now=now)


def _fields(details: Details) -> dict[str, str]:
    names = ("title", "tax_id", "address", "phone", "bank", "account")
    return {name: getattr(details, name) for name in names}
