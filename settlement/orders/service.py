"""Ordering something of the ledger, and doing it once another person approves exactly that."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import APPROVED, PREPARED, Decision, Subject
from settlement.ledger import closing, exchanging, statements
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.ledger.closing import Decided
from settlement.orders import queries, rules
from settlement.orders.tables import LedgerOrder

OBJECT = "ledger-order"
SIDES = ("give", "take")  # of an exchange: what leaves an account, what the other gets


async def prepare(
    session: AsyncSession,
    order_id: UUID,
    *,
    kind: str,
    what: Mapping[str, Any],
    reason: str,
    person_id: UUID,
    now: datetime,
) -> tuple[LedgerOrder, bool]:
    """Order something of the ledger (经办); return the order and whether it is new.

    Raises:
        IdReused: the id names another order.
        Unknown: the account, journal or quote that it names is not there.
        JournalUnbalanced, JournalInTwoCurrencies, AccountNotByHand, JournalItemNotNamed,
        JournalStays: see `rules`.
        PeriodClosed, CloseNotLater: the books are closed there already.
    """
    raw = rules.content(order_id, kind, what, reason)
    known = await session.get(LedgerOrder, order_id)
    if known is not None:
        if known.content != raw:
            raise IdReused("This id names another order.")
        return known, False
    await _check(session, kind, what, now=now)
    order = LedgerOrder(
        id=order_id,
        kind=kind,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        reason=reason,
        state=PREPARED,
        prepared_by=person_id,
        prepared_at=now,
    )
    session.add(order)
    await _tell(session, "ledger-order.prepared", order, now=now)
    return order, True


async def approve(
    session: AsyncSession, order_id: UUID, *, decision: Decision, now: datetime
) -> LedgerOrder:
    """Approve an order (复核) and do it at once; the same approval again changes nothing.

    Raises:
        Unknown: there is no such order.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules.check_decision`.
        ProofSpent: the proof has served for another decision.
        LimitReached, AccountNotOpen, AccountUnlimited, AccountNotMarkable, PeriodClosed,
        CloseNotLater, AlreadyReversed, ReversalStays, QuoteNotValid: what the ledger says no with.
        JournalItemNotNamed: another order has explained the item since.
    """
    order = await _locked(session, order_id)
    if order.state == APPROVED and decision.repeats(order.decided_by, order.content_sha256):
        return order
    subject = _subject(order)
    deciding.check_decision(decision, subject=subject, state=order.state, content_now=order.content)
    given = await approvals.approve_and_use(session, subject, decision=decision, now=now)
    order.journal_id = await _carry_out(session, order, by=decision.person_id, now=now)
    order.approval_id, order.state = given.id, APPROVED
    order.decided_by, order.decided_at = decision.person_id, now
    await _tell(session, "ledger-order.approved", order, now=now)
    return order


async def refuse(
    session: AsyncSession, order_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> LedgerOrder:
    """Refuse an order with a reason; nothing is booked.

    Raises:
        Unknown: there is no such order.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules.check_decision`.
    """
    order = await _locked(session, order_id)
    if order.refused_reason == reason and decision.repeats(order.decided_by, order.content_sha256):
        return order
    await approvals.refuse_prepared(
        session, order, _subject(order), decision=decision, reason=reason, now=now
    )
    order.refused_reason = reason
    await _tell(session, "ledger-order.refused", order, now=now)
    return order


def key(order_id: UUID) -> str:
    """Return the key under which what an order books stands in the ledger."""
    return f"order:{order_id}"


async def _check(
    session: AsyncSession, kind: str, what: Mapping[str, Any], *, now: datetime
) -> None:
    """Check what can be known before the approval; the ledger has the last word at it."""
    if kind == rules.JOURNAL:
        lines = rules.journal_lines(what)
        codes = [accounts.account_code(code, amount.currency) for code, amount in lines]
        rules.check_known(lines, await queries.known_accounts(session, codes))
        await _check_items(session, what, besides=None)
        await _check_open(session, what.get("effective_at"), now=now)
    elif kind == rules.REVERSAL:
        _, booked = await queries.get_journal(session, what["journal"])
        rules.check_reversible(booked)
    elif kind == rules.EXCHANGE:
        await exchanging.get_quote(session, UUID(what["quote"]))
        lines = [rules.line(what[side]["account"], what[side]["amount_minor"]) for side in SIDES]
        rules.check_not_kept(lines)
        codes = [accounts.account_code(code, amount.currency) for code, amount in lines]
        rules.check_known(lines, await queries.known_accounts(session, codes))
    elif kind == rules.MARK:
        await statements.find_account(session, what["account"])
    elif datetime.fromisoformat(what["until"]) > now:
        raise accounts.CloseNotLater("The books are closed up to a past instant.")


async def _check_items(
    session: AsyncSession, what: Mapping[str, Any], *, besides: UUID | None
) -> None:
    """Check that each line on an account made of items explains what is left of one."""
    for (code, named), moved in rules.explained(what).items():
        left = await queries.left_minor(session, code, named, besides=besides)
        rules.check_item(code, moved, left_minor=left)


async def _check_open(session: AsyncSession, effective_at: str | None, *, now: datetime) -> None:
    """Check that a journal would take effect in the open period, and not in time to come."""
    if effective_at is None:
        return
    at, since = datetime.fromisoformat(effective_at), await closing.open_since(session)
    if at > now or (since is not None and at < since):
        raise accounts.PeriodClosed("The books are not open then.", open_since=str(since))


async def _carry_out(
    session: AsyncSession, order: LedgerOrder, *, by: UUID, now: datetime
) -> int | None:
    """Do what an order says; return the journal that it left, where it leaves one."""
    what = canonical.loads(order.content)["what"]
    if order.kind == rules.JOURNAL:
        return await _book(session, order, what, by=by, now=now)
    if order.kind == rules.REVERSAL:
        journal_id, booked = await queries.get_journal(session, what["journal"])
        rules.check_reversible(booked)
        return await ledger.reverse(
            session, journal_id, idem_key=key(order.id), actor=str(by), reason=order.reason,
            now=now,
        )  # fmt: skip
    if order.kind == rules.EXCHANGE:
        give, into = (
            rules.line(what[side]["account"], what[side]["amount_minor"]) for side in SIDES
        )
        return await exchanging.exchange(
            session, UUID(what["quote"]), give=give, into=into, idem_key=key(order.id),
            actor=str(by), deal_id=None, now=now,
        )  # fmt: skip
    decided = Decided(str(by), order.reason)
    if order.kind == rules.MARK:
        await closing.mark(
            session, order.id, code=what["account"], status=what["status"], decided=decided, now=now
        )
    else:
        until = datetime.fromisoformat(what["until"])
        await closing.close(session, order.id, until=until, decided=decided, now=now)
    return None


async def _book(
    session: AsyncSession, order: LedgerOrder, what: Mapping[str, Any], *, by: UUID, now: datetime
) -> int:
    lines = rules.journal_lines(what)
    codes = [accounts.account_code(code, amount.currency) for code, amount in lines]
    rules.check_known(lines, await queries.known_accounts(session, codes))
    effective = what.get("effective_at")
    journal_id = await ledger.post(
        session,
        idem_key=key(order.id),
        kind=rules.MANUAL,
        actor=str(by),
        deal_id=None,
        lines=lines,
        now=now if effective is None else datetime.fromisoformat(effective),
        reason=order.reason,
    )
    # Booking has locked the accounts' balances: whoever explains the same item waits or is seen.
    await _check_items(session, what, besides=order.id)
    return journal_id


async def _locked(session: AsyncSession, order_id: UUID) -> LedgerOrder:
    order = await locking.find_locked(session, LedgerOrder, col(LedgerOrder.id) == order_id)
    if order is None:
        raise Unknown("There is no such order.")
    return order


def _subject(order: LedgerOrder) -> Subject:
    return Subject(OBJECT, order.id, order.content_sha256, order.prepared_by)


async def _tell(session: AsyncSession, kind: str, order: LedgerOrder, *, now: datetime) -> None:
    await session.flush()
    record = {"order": str(order.id), "kind": order.kind, "content_sha256": order.content_sha256}
    await facts.record(session, kind, order.id, record, parties=[], now=now)
