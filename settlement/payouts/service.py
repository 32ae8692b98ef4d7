"""Paying out: accounts of payees, payouts prepared and decided, transfers made."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids, locking, writing
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.invoices import queries as invoices
from settlement.ledger import service as ledger
from settlement.outbound import rules as outbound_rules
from settlement.outbound import service as outbound
from settlement.outbound.service import Instruction
from settlement.payees import queries as bank_accounts
from settlement.payees.rules import is_at_a_bank
from settlement.payouts import queries, rules
from settlement.payouts.rules import Transfer
from settlement.payouts.tables import Payout, PayoutAccount, PayoutTransfer
from settlement.plans import queries as plans
from settlement.plans import service as settlements
from settlement.plans.rules import FUNDED, PAYING
from settlement.plans.tables import Settlement
from settlement.recoveries import queries as recoveries
from settlement.withholding import service as withholding

OBJECT = "payout"


async def open_account(
    session: AsyncSession, party_id: UUID, *, country: str, now: datetime
) -> tuple[PayoutAccount, bool]:
    """Ask the provider for a party's account; return it and whether it is new.

    Raises:
        IdReused: the party asked for an account in another country.
    """
    known = await session.get(PayoutAccount, party_id)
    if known is not None:
        if known.country != country:
            raise IdReused("The party has a payout account in another country.")
        return known, False
    account = PayoutAccount(
        party_id=party_id, country=country, state=rules.ACCOUNT_REQUESTED, requested_at=now
    )
    session.add(account)
    await session.flush()
    intent_id = ids.new(now)
    await outbound.intend(
        session,
        intent_id,
        op=outbound_rules.CREATE_ACCOUNT,
        object_key=f"account:{party_id}",
        object_id=party_id,
        params=outbound_rules.account_params(
            country=country, names={"party": str(party_id), "intent_id": str(intent_id)}
        ),
        now=now,
    )
    return account, True


async def account_ready(session: AsyncSession, party_id: UUID, *, provider_id: str) -> None:
    """Note the provider's account of a party."""
    account = await queries.get_account(session, party_id)
    account.state, account.provider_id = rules.ACCOUNT_READY, provider_id
    await session.flush()


async def account_failed(session: AsyncSession, party_id: UUID) -> None:
    """Note that the provider refused to open a party's account."""
    account = await queries.get_account(session, party_id)
    if account.state == rules.ACCOUNT_REQUESTED:
        account.state = rules.ACCOUNT_FAILED
        await session.flush()


async def prepare(
    session: AsyncSession, payout_id: UUID, *, deal_id: UUID, person_id: UUID, now: datetime
) -> tuple[Payout, bool]:
    """Prepare the payout of a paid deal (经办); return it and whether it is new.

    Raises:
        Unknown: the deal has no settlement.
        IdReused: the id names the payout of another deal.
        SettlementNotFunded: the money has not arrived, or has gone out.
        PayoutAlreadyPrepared: another payout of the deal waits or was approved.
        PayoutAccountMissing: a payee cannot be paid.
    """
    settlement = await settlements.locked(session, deal_id)
    known = await session.get(Payout, payout_id)
    if known is not None:
        if known.deal_id != deal_id:
            raise IdReused("This id names the payout of another deal.")
        return known, False
    live = await queries.find_live(session, deal_id)
    if live is not None:
        raise rules.PayoutAlreadyPrepared("This deal has a payout.", payout=str(live.id))
    transfers, raw = await _content(session, payout_id, settlement, now=now)
    payout = Payout(
        id=payout_id,
        deal_id=deal_id,
        state=rules.PREPARED,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        prepared_by=person_id,
        prepared_at=now,
    )
    session.add(payout)
    await session.flush()
    await writing.write_new(session, PayoutTransfer, [_row(payout_id, one) for one in transfers])
    record = {"payout": str(payout_id), "deal": str(settlement.root_id), **_hash(payout)}
    await _tell(session, "payout.prepared", payout, record, transfers, now=now)
    return payout, True


async def approve(
    session: AsyncSession, payout_id: UUID, *, decision: Decision, now: datetime
) -> Payout:
    """Approve a payout (复核): book it and write one instruction for each transfer.

    The same approval again gets the same answer.

    Raises:
        Unknown: there is no such payout.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules.check_decision`.
        ProofSpent: the proof has served for another decision.
    """
    payout = await locked(session, payout_id)
    again = decision.repeats(payout.decided_by, payout.content_sha256)
    if again and payout.state in (rules.APPROVED, rules.PAID):
        return payout
    transfers = await checked(session, payout, decision, now=now)
    await approvals.approve_and_use(session, _subject(payout), decision=decision, now=now)
    await carry_out(session, payout, transfers, by=decision.person_id, now=now)
    return payout


async def checked(
    session: AsyncSession, payout: Payout, decision: Decision, *, now: datetime
) -> list[Transfer]:
    """Return what a payout pays, once it is sure that it may be approved as it was read.

    Raises:
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules.check_decision`.
        SettlementNotFunded, PayoutAccountMissing: it would not be prepared now.
    """
    settlement = await settlements.locked(session, payout.deal_id)
    transfers: list[Transfer] = []
    raw = payout.content
    if payout.state == rules.PREPARED:
        transfers, raw = await _content(session, payout.id, settlement, now=now)
    deciding.check_decision(decision, subject=_subject(payout), state=payout.state, content_now=raw)
    return transfers


async def carry_out(
    session: AsyncSession, payout: Payout, transfers: list[Transfer], *, by: UUID, now: datetime
) -> None:
    """Book a payout that was approved, alone or in a batch, and write its instructions.

    Args:
        session: the transaction of the approval.
        payout: the payout, locked.
        transfers: what it pays, as `checked` returned it.
        by: who approved it.
        now: the instant.
    """
    payout.state, payout.decided_by, payout.decided_at = rules.APPROVED, by, now
    await settlements.advance(session, payout.deal_id, to=PAYING)
    await ledger.post(
        session,
        idem_key=f"payout:{payout.id}:approved",
        kind="payout.approved",
        actor=str(by),
        deal_id=payout.deal_id,
        lines=rules.approved_lines(transfers),
        now=now,
    )
    await withholding.keep(
        session, rules.cuts(transfers), payout_id=payout.id, deal_id=payout.deal_id, now=now
    )
    await _instruct(session, payout, now=now)
    record = {"payout": str(payout.id), **_hash(payout)}
    await _tell(session, "payout.approved", payout, record, transfers, now=now)


async def refuse(
    session: AsyncSession, payout_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> Payout:
    """Refuse a payout with a reason; another can be prepared.

    Raises:
        Unknown: there is no such payout.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules.check_decision`.
    """
    payout = await locked(session, payout_id)
    if payout.reason == reason and decision.repeats(payout.decided_by, payout.content_sha256):
        return payout
    await approvals.refuse_prepared(
        session, payout, _subject(payout), decision=decision, reason=reason, now=now
    )
    payout.reason = reason
    await session.flush()
    record = {"payout": str(payout.id), **_hash(payout)}
    transfers = await queries.transfers(session, payout.id)
    await _tell(session, "payout.refused", payout, record, transfers, now=now)
    return payout


async def _content(
    session: AsyncSession, payout_id: UUID, settlement: Settlement, *, now: datetime
) -> tuple[list[Transfer], bytes]:
    """Return what the payout would do if it were prepared now, as values and canonical bytes."""
    source = await invoices.source_of_deal(session, settlement.deal_id)
    if settlement.state != FUNDED:
        raise rules.SettlementNotFunded(
            "The settlement has no money to pay out.", state=settlement.state
        )
    lines = await plans.payees(session, settlement.deal_id)
    taken = await recoveries.taken(session, settlement.deal_id)
    left = {line.payee_id: line.amount_minor - taken.get(line.line, 0) for line in lines}
    payees = [payee for payee, minor in left.items() if minor]
    if not payees:
        raise rules.SettlementNotFunded("All of it went back to the buyer.", state=settlement.state)
    if source.wired:
        ready = await bank_accounts.usable(session, payees, currency=settlement.currency, now=now)
    else:
        ready = await queries.ready_accounts(session, payees)
    rules.check_accounts(payees, ready)
    owed = {payee: Money(left[payee], settlement.currency) for payee in payees}
    transfers = [
        Transfer(cut.party_id, ready[cut.party_id], cut.net, cut)
        for cut in await withholding.reckon(session, owed, payer_id=settlement.licensee_id, now=now)
    ]
    raw = rules.content(
        payout_id, deal_id=settlement.deal_id, charge=source.charge, transfers=transfers
    )
    return transfers, raw


async def go_on(session: AsyncSession, party_id: UUID, *, now: datetime) -> None:
    """Instruct the approved transfers that waited for a party's account, which is active now."""
    for payout in await queries.waiting_for(session, party_id):
        await _instruct(session, payout, now=now)


async def _instruct(session: AsyncSession, payout: Payout, *, now: datetime) -> None:
    charge = canonical.known(payout.content)["charge"]
    instructed, sending = [], []
    rows = await queries.transfers(session, payout.id)
    held_up = await queries.held_up(session, [row.party_id for row in rows])
    for row in rows:
        if is_at_a_bank(row.account):
            continue  # a payment file instructs it: settlement/bank
        if row.state != rules.TRANSFER_PENDING or row.party_id in held_up:
            continue  # its account is onboarded first: settlement/payouts/onboarding.py
        intent_id = ids.new(now)
        names = {
            "deal": str(payout.deal_id),
            "payout": str(payout.id),
            "intent_id": str(intent_id),
        }
        params = outbound_rules.transfer_params(
            amount_minor=row.amount_minor,
            currency=row.currency,
            account=row.account,
            charge=charge,
            names=names,
        )
        key = f"transfer:{payout.id}:{row.party_id}"
        instructed.append(Instruction(intent_id, key, payout.id, params))
        sending.append(row)
    if not instructed:
        return
    await outbound.intend_many(session, outbound_rules.CREATE_TRANSFER, instructed, now=now)
    for row, instruction in zip(sending, instructed, strict=True):
        row.state, row.intent_id = rules.TRANSFER_SENDING, instruction.intent_id
    await writing.write_changes(session, sending)


async def _tell(
    session: AsyncSession,
    kind: str,
    payout: Payout,
    record: dict[str, Any],
    transfers: Sequence[Transfer | PayoutTransfer],
    *,
    now: datetime,
) -> None:
    parties = sorted(transfer.party_id for transfer in transfers)
    await facts.record(session, kind, payout.id, record, parties=parties, now=now)


async def locked(session: AsyncSession, payout_id: UUID) -> Payout:
    """Return a payout, locked until the transaction ends.

    Raises:
        Unknown: there is none.
    """
    payout = await locking.find_locked(session, Payout, col(Payout.id) == payout_id)
    if payout is None:
        raise Unknown("There is no such payout.")
    return payout


def _subject(payout: Payout) -> Subject:
    return Subject(OBJECT, payout.id, payout.content_sha256, payout.prepared_by)


def _hash(payout: Payout) -> dict[str, str]:
    return {"content_sha256": payout.content_sha256}


def _row(payout_id: UUID, transfer: Transfer) -> dict[str, Any]:
    return {
        "payout_id": payout_id,
        "party_id": transfer.party_id,
        "account": transfer.account,
        "amount_minor": transfer.amount.amount_minor,
        "currency": transfer.amount.currency,
        "state": rules.TRANSFER_PENDING,
    }
