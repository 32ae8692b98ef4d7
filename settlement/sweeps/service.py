"""Sweeping: prepared, decided by another person, instructed, followed until the bank shows it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical, ids, locking
from contracts.facts import service as facts
from contracts.money import WrongCurrency
from contracts.refusal import IdReused, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.bank import queries as banks
from settlement.bank import rules as bank_rules
from settlement.bank.tables import BankAccount
from settlement.ledger import service as ledger
from settlement.ledger.rules import Line
from settlement.outbound import rules as outbound_rules
from settlement.outbound import service as outbound
from settlement.sweeps import queries, rules
from settlement.sweeps.rules import Ask, SeenSweep
from settlement.sweeps.tables import Sweep

ACTOR = "exchange"
OBJECT = "sweep"


async def prepare(
    session: AsyncSession, sweep_id: UUID, *, ask: Ask, person_id: UUID, now: datetime
) -> tuple[Sweep, bool]:
    """Prepare a sweep of what is free at the provider (经办); return it and whether it is new.

    Raises:
        Unknown: there is no such account at a bank.
        WrongCurrency: the account is in another currency.
        IdReused: the id names another sweep.
        CustodyMoney: a bank holds the account for others.
        SweepTooLarge: less is free.
    """
    account = await banks.get_account(session, ask.account_id)
    known = await session.get(Sweep, sweep_id)
    if known is not None:
        if known.ask() != ask:
            raise IdReused("This id names another sweep.")
        return known, False
    if account.currency != ask.amount.currency:
        raise WrongCurrency("The account is in another currency.", currency=account.currency)
    bank_rules.check_own(custody=account.instruct_only)
    rules.check_amount(ask.amount, await queries.funds(session, account.currency, now=now))
    raw = _content(sweep_id, ask, account)
    sweep = Sweep(
        id=sweep_id,
        account_id=account.id,
        amount_minor=ask.amount.amount_minor,
        currency=ask.amount.currency,
        descriptor=bank_rules.descriptor(sweep_id),
        state=rules.PREPARED,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        prepared_by=person_id,
        prepared_at=now,
    )
    session.add(sweep)
    await _tell(session, "sweep.prepared", sweep, now=now)
    return sweep, True


async def approve(
    session: AsyncSession, sweep_id: UUID, *, decision: Decision, now: datetime
) -> Sweep:
    """Approve a sweep (复核): from now on it counts as gone, and its instruction is written.

    The same approval again gets the same answer.

    Raises:
        Unknown: there is no such sweep.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules`.
        ProofSpent: the proof has served for another decision.
        SweepTooLarge: less is free by now.
    """
    # Two sweeps approved at once would each find the same money free.
    await session.execute(text("LOCK TABLE sweep IN SHARE ROW EXCLUSIVE MODE"))
    sweep = await _locked(session, sweep_id)
    again = decision.repeats(sweep.decided_by, sweep.content_sha256)
    if again and sweep.state not in (rules.PREPARED, rules.REFUSED):
        return sweep
    account = await banks.get_account(session, sweep.account_id)
    deciding.check_decision(
        decision,
        subject=_subject(sweep),
        state=sweep.state,
        content_now=_content(sweep.id, sweep.ask(), account),
    )
    rules.check_amount(sweep.amount, await queries.funds(session, sweep.currency, now=now))
    await approvals.approve_and_use(session, _subject(sweep), decision=decision, now=now)
    intent_id = await _instruct(session, sweep, now=now)
    sweep.intent_id = intent_id
    sweep.state, sweep.decided_by, sweep.decided_at = rules.APPROVED, decision.person_id, now
    await _tell(session, "sweep.approved", sweep, now=now)
    return sweep


async def refuse(
    session: AsyncSession, sweep_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> Sweep:
    """Refuse a sweep with a reason; another can be prepared.

    Raises:
        Unknown: there is no such sweep.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules`.
    """
    sweep = await _locked(session, sweep_id)
    if sweep.refused_reason == reason and decision.repeats(sweep.decided_by, sweep.content_sha256):
        return sweep
    await approvals.refuse_prepared(
        session, sweep, _subject(sweep), decision=decision, reason=reason, now=now
    )
    sweep.refused_reason = reason
    await _tell(session, "sweep.refused", sweep, now=now)
    return sweep


async def made(session: AsyncSession, sweep_id: UUID, *, provider_id: str, now: datetime) -> None:
    """Book a payout that the provider made, once, however it was heard of."""
    sweep = await _locked(session, sweep_id)
    if sweep.state != rules.APPROVED:
        return
    sweep.state, sweep.provider_id, sweep.made_at = rules.IN_TRANSIT, provider_id, now
    sweep.look_at = now + rules.LOOK_FIRST
    await _book(session, f"{provider_id}:made", rules.made_lines(sweep.amount), now=now)
    await _tell(session, "sweep.made", sweep, now=now)


async def apply_seen(session: AsyncSession, seen: SeenSweep, *, now: datetime) -> bool:
    """Take over how the provider shows a payout; False when it is none of ours.

    One that was not ordered here is left to the comparison of balances, which names it.
    """
    found = await _of_seen(session, seen)
    if found is None:
        return False
    await made(session, found.id, provider_id=seen.provider_id, now=now)
    sweep = await _locked(session, found.id)
    sweep.arrives_on = seen.arrives_on
    if rules.climbs(sweep.state, seen.state):
        sweep.state = seen.state
        if seen.state == rules.FAILED:
            sweep.fault = seen.fault
            key = f"{seen.provider_id}:failed"
            await _book(session, key, rules.failed_lines(sweep.amount), now=now)
            await _tell(session, "sweep.failed", sweep, now=now)
    sweep.look_at = rules.next_look(
        sweep.state, landed=sweep.landed_at is not None, arrives_on=sweep.arrives_on, now=now
    )
    await session.flush()
    return True


async def landed(
    session: AsyncSession,
    sweep_id: UUID,
    *,
    amount_minor: int,
    key: str,
    into: str,
    now: datetime,
) -> bool:
    """Book a sweep that a statement shows, once; False when it landed before, or is another.

    Args:
        session: the transaction of the statement.
        sweep_id: the sweep.
        amount_minor: what came in.
        key: the line of the statement, or the release that explains it.
        into: the ledger's account that the money is in.
        now: the instant.
    """
    sweep = await _locked(session, sweep_id)
    if sweep.landed_at is not None or sweep.intent_id is None:
        return False
    if sweep.amount_minor != amount_minor:
        return False
    sweep.landed_at = now
    await _book(session, f"{key}:landed", rules.landed_lines(into, sweep.amount), now=now)
    await _tell(session, "sweep.landed", sweep, now=now)
    return True


async def unheard(session: AsyncSession, *, now: datetime) -> str | None:
    """Take up one sweep that had no news for long; return its provider id, or None.

    Its next look is put off at once, so that several workers look at different sweeps.
    """
    wanted = (
        select(Sweep)
        .where(col(Sweep.look_at) <= now)
        .order_by(col(Sweep.look_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    sweep = await session.scalar(wanted.execution_options(populate_existing=True))
    if sweep is None:
        return None
    sweep.look_at = now + rules.LOOK_FIRST
    await session.flush()
    found: str | None = sweep.provider_id
    return found


async def _instruct(session: AsyncSession, sweep: Sweep, *, now: datetime) -> UUID:
    intent_id = ids.new(now)
    await outbound.intend(
        session,
        intent_id,
        op=outbound_rules.CREATE_PAYOUT,
        object_key=f"sweep:{sweep.id}",
        object_id=sweep.id,
        params=outbound_rules.payout_params(
            amount_minor=sweep.amount_minor,
            currency=sweep.currency,
            descriptor=sweep.descriptor,
            names={"sweep": str(sweep.id), "intent_id": str(intent_id)},
        ),
        now=now,
    )
    return intent_id


async def _book(session: AsyncSession, key: str, lines: list[Line], *, now: datetime) -> None:
    await session.flush()
    await ledger.post(
        session,
        idem_key=key,
        kind=f"sweep.{key.rpartition(':')[2]}",
        actor=ACTOR,
        deal_id=None,
        lines=lines,
        now=now,
    )


async def _locked(session: AsyncSession, sweep_id: UUID) -> Sweep:
    sweep = await locking.find_locked(session, Sweep, col(Sweep.id) == sweep_id)
    if sweep is None:
        raise Unknown("There is no such sweep.")
    return sweep


async def _of_seen(session: AsyncSession, seen: SeenSweep) -> Sweep | None:
    known = col(Sweep.provider_id) == seen.provider_id
    found = await locking.find_locked(session, Sweep, known)
    if found is not None or seen.sweep_id is None:
        return found
    named = await session.get(Sweep, seen.sweep_id)
    return named if named is not None and named.state == rules.APPROVED else None


async def _tell(session: AsyncSession, kind: str, sweep: Sweep, *, now: datetime) -> None:
    await session.flush()
    record: dict[str, Any] = {
        "sweep": str(sweep.id),
        "account": str(sweep.account_id),
        "content_sha256": sweep.content_sha256,
        "amount_minor": sweep.amount_minor,
        "currency": sweep.currency,
    }
    await facts.record(session, kind, sweep.id, record, parties=[], now=now)


def _content(sweep_id: UUID, ask: Ask, account: BankAccount) -> bytes:
    return rules.content(
        sweep_id, ask, account=account.number, descriptor=bank_rules.descriptor(sweep_id)
    )


def _subject(sweep: Sweep) -> Subject:
    return Subject(OBJECT, sweep.id, sweep.content_sha256, sweep.prepared_by)
