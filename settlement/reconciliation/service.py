"""Importing statements: a rule matches a line, or it is suspended with an owner and a deadline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.facts import service as facts
from contracts.money import Money
from settlement.bank import queries as bank
from settlement.bank import storing
from settlement.bank.rules import NOTIFICATION, PAID, RETURNED, Entry, Statement
from settlement.bank.storing import Kept
from settlement.bank.tables import BankAccount, BankEntry, BankStatement, PaymentItem
from settlement.invoices import wires
from settlement.ledger import service as ledger
from settlement.reconciliation import crediting, noting, queries, rules, summing
from settlement.reconciliation import paying as paying_out
from settlement.reconciliation.rules import Awaited, Known, Match, Paying
from settlement.reconciliation.tables import ReconMatch, SuspenseItem
from settlement.sweeps import queries as sweep_rows
from settlement.sweeps import service as sweeps

ACTOR = "bank"
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file brought and what became of its lines."""

    kept: Kept
    matched: int
    suspended: int
    deposits: Sequence[tuple[UUID, UUID]] = ()  # by auction and bidder: what came in for them


@dataclass(frozen=True, slots=True)
class _Booked:
    """What became of the lines of one statement."""

    matched: int
    suspended: int
    deposits: Sequence[tuple[UUID, UUID]]


async def import_file(
    session: AsyncSession,
    raw: bytes,
    statements: Sequence[Statement],
    *,
    deposits: Mapping[str, Awaited],
    person_id: UUID,
    now: datetime,
) -> Imported:
    """Import a file of a bank, whole or not at all; the same file again changes nothing.

    Locks are taken in one order, also by whoever types a receipt: the deposits' auctions, which the
    caller has locked, then the deposits, then the account and all that its lines pay.

    Args:
        session: the transaction of the import.
        raw: the file.
        statements: what `bank.reading.read` found in it.
        deposits: by reference those that lines may pay, see `crediting.awaited`.
        person_id: who imports, and owns what nothing explains.
        now: the instant.

    Raises:
        StatementGap, StatementIdReused, OwnAccountUnknown: see `storing.keep`.
    """
    await crediting.lock(session, deposits)
    kept = await storing.keep(session, raw, statements, person_id=person_id, now=now)
    matched = suspended = 0
    credited: list[tuple[UUID, UUID]] = []
    for statement in kept.new:
        if statement.kind == NOTIFICATION:
            continue  # it tells references; the statement that follows books the money
        account = await bank.get_account(session, statement.account_id)
        booked = await _book(session, account, statement, deposits, owner_id=person_id, now=now)
        matched, suspended = matched + booked.matched, suspended + booked.suspended
        credited += booked.deposits
    return Imported(kept, matched, suspended, credited)


async def _book(
    session: AsyncSession,
    account: BankAccount,
    statement: BankStatement,
    deposits: Mapping[str, Awaited],
    *,
    owner_id: UUID,
    now: datetime,
) -> _Booked:
    """Book a statement; return what became of its lines."""
    await _book_opening(session, account, statement, owner_id=owner_id, now=now)
    lines = await bank.entries(session, statement.id)
    states: dict[UUID, str] = {}
    known = await _known(session, account, [line.entry() for line in lines], deposits, states)
    left: list[BankEntry] = []
    credited: list[tuple[UUID, UUID]] = []
    for line in lines:
        match = rules.match(line.entry(), known)
        if match is None or not await _take(
            session, account, line, match, person_id=owner_id, now=now
        ):
            left.append(line)
        else:
            if match.deposit is not None:
                credited.append((match.deposit.auction_id, match.deposit.party_id))
            states |= {each.item_id: _state_after(line) for each in match.items}
    await _suspend(session, account, statement, left, known, owner_id=owner_id, now=now)
    named = [found for line in left if (found := _named(line, known)) is not None]
    await summing.sum_up(session, account, named, owner_id=owner_id, now=now)
    await _tell(session, account, statement, len(lines) - len(left), now=now)
    return _Booked(len(lines) - len(left), len(left), credited)


async def _known(
    session: AsyncSession,
    account: BankAccount,
    entries: Sequence[Entry],
    deposits: Mapping[str, Awaited],
    states: dict[UUID, str],
) -> Known:
    """Load all that the entries may belong to; `states` is filled and stays the caller's."""
    learned: dict[str, str] = {}
    for banks in _chunks({one.bank_ref for one in entries if one.bank_ref}):
        learned |= await bank.references(session, account.id, banks)
    told = {one.end_to_end_id for one in entries if one.end_to_end_id} | set(learned.values())
    items: dict[str, Paying] = {}
    for references in _chunks(told):
        for item in await bank.items_of_account(session, account.id, references):
            items[item.end_to_end_id] = _paying(item, states)
    batches: dict[str, list[Paying]] = {}
    for messages in _chunks({one.batch_id for one in entries if one.batch_id}):
        found = await bank.items_of_messages(session, account.id, messages)
        for message, each in found.items():
            batches[message] = [_paying(item, states) for item in each]
    invoices = {}
    for numbers in _chunks({number for one in entries for number in rules.numbers(one)}):
        for owed in await queries.owed(session, currency=account.currency, numbers=numbers):
            invoices[owed.number] = owed
    expected = await sweep_rows.expected(session, account.currency)
    return Known(items, batches, invoices, learned, states, expected, account.id, deposits)


async def _take(
    session: AsyncSession,
    account: BankAccount,
    line: BankEntry,
    match: Match,
    *,
    person_id: UUID,
    now: datetime,
) -> bool:
    """Book what a line was matched with; False when what it is for takes it no more."""
    code = account.code
    if match.invoice is not None:
        received = Money(line.amount_minor, account.currency)
        reference = f"bank:{line.id}"
        if not await wires.receive_wire(
            session, match.invoice.invoice_id, received, reference=reference, account=code,
            held_at=account.id, now=now,
        ):  # fmt: skip
            return False
        sides = [("invoice", str(match.invoice.invoice_id), line.amount_minor)]
    elif match.deposit is not None:
        whose = match.deposit
        if not await crediting.credit(session, account, line, whose, person_id=person_id, now=now):
            return False
        sides = [("deposit", f"{whose.auction_id}:{whose.party_id}", line.amount_minor)]
    elif match.sweep is not None:
        if not await sweeps.landed(
            session, match.sweep.sweep_id, amount_minor=line.amount_minor,
            key=f"bank:{line.id}", into=code, now=now,
        ):  # fmt: skip
            return False
        sides = [("sweep", str(match.sweep.sweep_id), line.amount_minor)]
    else:
        sides = await _take_payments(session, account, line, match, now=now)
    await _note(session, account, line, match, sides, now=now)
    return True


async def _take_payments(
    session: AsyncSession, account: BankAccount, line: BankEntry, match: Match, *, now: datetime
) -> list[tuple[str, str, int]]:
    """Book payments of ours that a line shows, made or come back; return the books' sides."""
    code = account.code
    came_back = rules.is_return(line.entry())
    sides = []
    for paying in match.items:
        item = await session.get_one(PaymentItem, paying.item_id)
        key = f"bank:{line.id}:{item.end_to_end_id}"
        if came_back:
            item.return_reason = line.return_reason
            await paying_out.come_back(session, item, key=key, into=code, now=now)
        else:
            await paying_out.pay(session, item, key=key, out_of=code, now=now)
        sign = 1 if came_back else -1
        sides.append(("payment", str(item.id), sign * item.amount_minor))
    return sides


async def _note(
    session: AsyncSession,
    account: BankAccount,
    line: BankEntry,
    match: Match,
    sides: Sequence[tuple[str, str, int]],
    *,
    now: datetime,
) -> None:
    """Keep which rule matched a line with what."""
    match_id = ids.new(now)
    content = canonical.dumps(
        {"match": str(match_id), "entry": str(line.id), "sides": [list(side) for side in sides]}
    )
    session.add(
        ReconMatch(
            id=match_id,
            account_id=account.id,
            rule=match.rule,
            score=match.score,
            state=rules.MADE,
            content=content,
            sha256=canonical.sha256_hex(content),
            made_at=now,
        )
    )
    await session.flush()
    told = [("bank", "entry", str(line.id), line.amount_minor)]
    told += [("book", *side) for side in sides]
    await noting.add_sides(session, match_id, told)


async def _book_opening(
    session: AsyncSession,
    account: BankAccount,
    statement: BankStatement,
    *,
    owner_id: UUID,
    now: datetime,
) -> None:
    """Suspend what lay in an account when it was first followed, until somebody explains it."""
    opening = statement.opening_minor or 0
    if statement.turn != 1 or opening == 0:
        return
    item = noting.suspended(account.id, opening, account.currency, owner_id=owner_id, now=now)
    await session.execute(insert(SuspenseItem), [{**item, "cause": rules.OPENING}])
    await _post(session, account, statement, "opening", [opening], now=now)


async def _suspend(
    session: AsyncSession,
    account: BankAccount,
    statement: BankStatement,
    lines: Sequence[BankEntry],
    known: Known,
    *,
    owner_id: UUID,
    now: datetime,
) -> None:
    """Suspend lines that nothing explains: one journal, and one named item for each."""
    moved = [line for line in lines if line.amount_minor]
    if not moved:
        return
    items = [
        {
            **noting.suspended(
                account.id, line.amount_minor, account.currency, owner_id=owner_id, now=now
            ),
            "cause": rules.UNMATCHED,
            "entry_id": line.id,
            "invoice_id": _named(line, known),
        }
        for line in moved
    ]
    for start in range(0, len(items), CHUNK):
        await session.execute(insert(SuspenseItem), items[start : start + CHUNK])
    await _post(
        session, account, statement, "suspended", [line.amount_minor for line in moved], now=now
    )


async def _post(
    session: AsyncSession,
    account: BankAccount,
    statement: BankStatement,
    what: str,
    amounts: Sequence[int],
    *,
    now: datetime,
) -> None:
    await ledger.post(
        session,
        idem_key=f"bank-statement:{statement.id}:{what}",
        kind=f"bank.{what}",
        actor=ACTOR,
        deal_id=None,
        lines=rules.suspended_lines(account.code, amounts, account.currency),
        now=now,
    )


def _named(line: BankEntry, known: Known) -> UUID | None:
    """Return the one open invoice that a credit names, or None."""
    owed = rules.invoice_named(line.entry(), known.invoices) if line.amount_minor > 0 else None
    return None if owed is None else owed.invoice_id


def _paying(item: PaymentItem, states: dict[UUID, str]) -> Paying:
    states[item.id] = item.state
    return Paying(item.id, item.amount_minor)


def _state_after(line: BankEntry) -> str:
    return RETURNED if rules.is_return(line.entry()) else PAID


def _chunks(words: Iterable[str]) -> list[list[str]]:
    ordered = sorted(words)
    return [ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK)]


async def _tell(
    session: AsyncSession,
    account: BankAccount,
    statement: BankStatement,
    matched: int,
    *,
    now: datetime,
) -> None:
    record = {
        "statement": str(statement.id),
        "account": str(account.id),
        "entries": statement.entries,
        "matched": matched,
        "closing_minor": statement.closing_minor or 0,
        "currency": account.currency,
    }
    await facts.record(session, "statement.imported", statement.id, record, parties=[], now=now)
