"""Remitting withheld taxes: prepared by one person, decided by another, then paid by a bank."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical, locking
from contracts.calendar import day_of
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused, InvalidContent, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.ledger import service as ledger
from settlement.payees import rules as payee_rules
from settlement.payees.rules import Details
from settlement.remittances import queries, rules
from settlement.remittances.rules import Group, Part
from settlement.remittances.tables import Remittance, RemittanceItem, TaxAuthority
from settlement.withholding import queries as withheld
from settlement.withholding.tables import WithheldTax

OBJECT = "remittance"


async def record_authority(
    session: AsyncSession,
    code: str,
    *,
    names: tuple[str, str],
    account: Details,
    person_id: UUID,
    now: datetime,
) -> TaxAuthority:
    """Note where taxes withheld for an authority are paid; a remittance keeps its own copy.

    Args:
        session: the open transaction.
        code: the authority, as the tax rules name it.
        names: in Chinese and in English.
        account: where it is paid, in one currency.
        person_id: who records it.
        now: the instant.

    Raises:
        BankAccountMalformed: the number cannot be one.
        InvalidContent: no authority is called so.
    """
    rules.check_authority(code)
    plain = payee_rules.checked(account)
    made = TaxAuthority(
        code=code,
        currency=plain.currency,
        name_zh=names[0],
        name_en=names[1],
        scheme=plain.scheme,
        number=plain.number,
        member_id=plain.member_id,
        holder=plain.holder,
        bank_name=plain.bank_name,
        updated_by=person_id,
        updated_at=now,
    )
    row = await session.merge(made)
    await session.flush()
    return row


async def prepare(
    session: AsyncSession, remittance_id: UUID, *, group: Group, person_id: UUID, now: datetime
) -> tuple[Remittance, bool]:
    """Put all that waits of a tax and period into a remittance (经办); return it, and if new.

    Raises:
        IdReused: the id names another remittance.
        NothingToRemit: nothing waits, or another remittance of the group waits for its decision.
        AuthorityAccountMissing: nobody has said where it is paid.
    """
    known = await session.get(Remittance, remittance_id)
    if known is not None:
        if known.group != group:
            raise IdReused("This id names another remittance.")
        return known, False
    authority = await _authority(session, group)  # under its lock: two at once take turns
    if await queries.find_open(session, group) is not None:
        raise rules.NothingToRemit("Another remittance of it waits for its decision.")
    rows = await _locked_rows(session, group)
    parts = await _parts(session, rows)
    if not parts:
        raise rules.NothingToRemit("Nothing of this tax and period waits.")
    due_on = min(row.due_on for row in rows)
    account = authority.details()
    remittance = _row(
        remittance_id, group, parts, account, due_on=due_on, person_id=person_id, now=now
    )
    session.add(remittance)
    await session.flush()
    session.add_all(
        RemittanceItem(
            remittance_id=remittance_id,
            withheld_id=part.withheld_id,
            amount_minor=part.amount.amount_minor,
            state=rules.PREPARED,
        )
        for part in parts
    )
    await _tell(session, "remittance.prepared", remittance, now=now)
    return remittance, True


def _row(
    remittance_id: UUID,
    group: Group,
    parts: Sequence[Part],
    account: Details,
    *,
    due_on: date,
    person_id: UUID,
    now: datetime,
) -> Remittance:
    raw = rules.content(remittance_id, group, due_on=due_on, parts=parts, account=account)
    return Remittance(
        id=remittance_id,
        authority=group.authority,
        tax=group.tax,
        currency=group.currency,
        period=group.period,
        due_on=due_on,
        amount_minor=sum(part.amount.amount_minor for part in parts),
        account=account.code,
        holder=account.holder,
        state=rules.PREPARED,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        prepared_by=person_id,
        prepared_at=now,
    )


async def approve(
    session: AsyncSession, remittance_id: UUID, *, decision: Decision, now: datetime
) -> Remittance:
    """Approve a remittance (复核): book it; the next payment file instructs it.

    The same approval again gets the same answer.

    Raises:
        Unknown: there is no such remittance.
        AlreadyDecided, SamePerson, ProofSpent: see `approvals.rules`.
        ContentChanged: something of it went back since, or the authority's account changed.
    """
    row = await locked(session, remittance_id)
    if row.state in rules.HOLDING and decision.repeats(row.decided_by, row.content_sha256):
        return row
    items = await queries.items(session, row.id)
    account = (await _authority(session, row.group)).details()
    rows = await _locked_ids(session, [item.withheld_id for item in items])
    parts = await _parts(session, rows)
    raw = rules.content(row.id, row.group, due_on=row.due_on, parts=parts, account=account)
    deciding.check_decision(decision, subject=_subject(row), state=row.state, content_now=raw)
    await approvals.approve_and_use(session, _subject(row), decision=decision, now=now)
    row.decided_by, row.decided_at = decision.person_id, now
    await _become(session, row, rules.APPROVED)
    await _post(session, row, "approved", rules.approved_lines(row.group, row.amount), now=now)
    await _tell(session, "remittance.approved", row, now=now)
    return row


async def refuse(
    session: AsyncSession, remittance_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> Remittance:
    """Refuse a remittance with a reason; what is in it can go into another.

    Raises:
        Unknown: there is no such remittance.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules`.
    """
    row = await locked(session, remittance_id)
    if row.reason == reason and decision.repeats(row.decided_by, row.content_sha256):
        return row
    await approvals.refuse_prepared(
        session, row, _subject(row), decision=decision, reason=reason, now=now
    )
    row.reason = reason
    await _become(session, row, rules.REFUSED)
    await _tell(session, "remittance.refused", row, now=now)
    return row


async def paid(
    session: AsyncSession, remittance_id: UUID, *, key: str, out_of: str, now: datetime
) -> None:
    """Book that a statement shows the payment; `key` names its line, `out_of` the account."""
    row = await locked(session, remittance_id)
    if row.state != rules.APPROVED:
        return
    row.paid_at = now
    await _become(session, row, rules.PAID)
    lines = rules.paid_lines(row.group, row.amount, out_of=out_of)
    await _post(session, row, "paid", lines, key=key, now=now)
    await _tell(session, "remittance.paid", row, now=now)


async def came_back(
    session: AsyncSession, remittance_id: UUID, *, key: str, into: str, now: datetime
) -> None:
    """Book that the payment came back: it waits for another payment file."""
    row = await locked(session, remittance_id)
    row.paid_at = None
    row.receipt_no = row.receipt_on = row.receipt_by = None
    await _become(session, row, rules.APPROVED)
    lines = rules.returned_lines(row.group, row.amount, into=into)
    await _post(session, row, "returned", lines, key=key, now=now)
    await _tell(session, "remittance.returned", row, now=now)


async def record_receipt(
    session: AsyncSession,
    remittance_id: UUID,
    *,
    number: str,
    issued_on: date,
    person_id: UUID,
    now: datetime,
) -> Remittance:
    """Note the tax office's receipt of a paid remittance (完税凭证); the same again is the same.

    Raises:
        Unknown: there is no such remittance.
        RemittanceNotPaid: the bank has not shown it.
        ReceiptRecorded: it has another, or another remittance has this one.
        InvalidContent: the day has not come.
    """
    row = await locked(session, remittance_id)
    if (row.receipt_no, row.receipt_on) == (number, issued_on):
        return row
    if row.state != rules.PAID:
        raise rules.RemittanceNotPaid(f"This remittance is {row.state}.", state=row.state)
    if issued_on > day_of(now):
        raise InvalidContent("A receipt is not of a day to come.", field="issued_on")
    other = await session.scalar(
        select(Remittance.id).where(
            col(Remittance.authority) == row.authority, col(Remittance.receipt_no) == number
        )
    )
    if row.receipt_no is not None or other is not None:
        raise rules.ReceiptRecorded("A receipt is recorded.", remittance=str(other or row.id))
    row.receipt_no, row.receipt_on, row.receipt_by = number, issued_on, person_id
    await session.flush()
    payees = {one.party_id for one in await _rows_of(session, row)}
    record = {**_record(row), "receipt": number, "issued_on": issued_on.isoformat()}
    await facts.record(
        session, "remittance.receipted", row.id, record, parties=sorted(payees), now=now
    )
    return row


async def locked(session: AsyncSession, remittance_id: UUID) -> Remittance:
    """Return a remittance, locked until the transaction ends.

    Raises:
        Unknown: there is none.
    """
    row = await locking.find_locked(session, Remittance, col(Remittance.id) == remittance_id)
    if row is None:
        raise Unknown("There is no such remittance.")
    return row


async def _authority(session: AsyncSession, group: Group) -> TaxAuthority:
    found = await locking.find_locked(
        session,
        TaxAuthority,
        col(TaxAuthority.code) == group.authority,
        col(TaxAuthority.currency) == group.currency,
    )
    if found is None:
        raise rules.AuthorityAccountMissing(
            "Nobody has said where it is paid.", authority=group.authority, currency=group.currency
        )
    return found


async def _rows_of(session: AsyncSession, row: Remittance) -> Sequence[WithheldTax]:
    items = await queries.items(session, row.id)
    found = await withheld.by_id(session, [item.withheld_id for item in items])
    return list(found.values())


async def _locked_rows(session: AsyncSession, group: Group) -> Sequence[WithheldTax]:
    """Return what waits of a group, locked in the order that whoever takes back locks in."""
    wanted = queries.open_of(group).order_by(col(WithheldTax.id))
    return (await session.scalars(wanted.with_for_update(key_share=True))).all()


async def _locked_ids(session: AsyncSession, ids: Sequence[UUID]) -> Sequence[WithheldTax]:
    wanted = select(WithheldTax).where(col(WithheldTax.id).in_(ids)).order_by(col(WithheldTax.id))
    return (await session.scalars(wanted.with_for_update(key_share=True))).all()


async def _parts(session: AsyncSession, rows: Sequence[WithheldTax]) -> list[Part]:
    back = await withheld.reversed_before(session, [row.id for row in rows])
    left = [(row, row.amount_minor - back.get(row.id, 0)) for row in rows]
    return [Part(row.id, Money(minor, row.currency)) for row, minor in left if minor]


async def _become(session: AsyncSession, row: Remittance, state: str) -> None:
    row.state = state
    await session.flush()
    for item in await queries.items(session, row.id):
        item.state = state
    await session.flush()


async def _post(
    session: AsyncSession,
    row: Remittance,
    what: str,
    lines: list[tuple[str, Money]],
    *,
    key: str | None = None,
    now: datetime,
) -> None:
    await ledger.post(
        session,
        idem_key=f"{key or f'remittance:{row.id}'}:{what}",
        kind=f"remittance.{what}",
        actor=str(row.decided_by),
        deal_id=None,
        lines=lines,
        now=now,
    )


def _record(row: Remittance) -> dict[str, Any]:
    return {
        "remittance": str(row.id),
        "authority": row.authority,
        "tax": row.tax,
        "period": row.period,
        "content_sha256": row.content_sha256,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
    }


async def _tell(session: AsyncSession, kind: str, row: Remittance, *, now: datetime) -> None:
    await session.flush()
    await facts.record(session, kind, row.id, _record(row), parties=[], now=now)


def _subject(row: Remittance) -> Subject:
    return Subject(OBJECT, row.id, row.content_sha256, row.prepared_by)
