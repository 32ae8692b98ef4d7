"""Putting payouts into a batch, and approving or refusing all of them at once."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused, Refusal, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import APPROVED, PREPARED, REFUSED, Decision, SamePerson, Subject
from settlement.batches import queries, rules
from settlement.batches.rules import Item
from settlement.batches.tables import PayoutBatch, PayoutBatchItem
from settlement.payouts import queries as payouts
from settlement.payouts import service as paying
from settlement.payouts.rules import Transfer
from settlement.payouts.tables import Payout

OBJECT = "payout-batch"


async def prepare(
    session: AsyncSession,
    batch_id: UUID,
    *,
    payout_ids: Collection[UUID],
    person_id: UUID,
    now: datetime,
) -> tuple[PayoutBatch, bool]:
    """Put payouts into a batch (经办); return it and whether it is new.

    Raises:
        Unknown: there is no such payout.
        IdReused: the id names a batch of other payouts.
        PayoutInBatch: a payout is decided, or another batch holds it.
    """
    known = await session.get(PayoutBatch, batch_id)
    if known is not None:
        if {item.payout_id for item in await queries.items(session, batch_id)} != set(payout_ids):
            raise IdReused("This id names a batch of other payouts.")
        return known, False
    found = [await paying.locked(session, payout) for payout in sorted(set(payout_ids))]
    held = await queries.held(session, payout_ids)
    taken = [str(one.id) for one in found if one.state != PREPARED or one.id in held]
    if taken:
        raise rules.PayoutInBatch("Payouts are decided, or in another batch.", payouts=taken)
    items = [item for payout in found for item in [await _item(session, payout)]]
    raw = rules.content(batch_id, items)
    batch = PayoutBatch(
        id=batch_id,
        state=PREPARED,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        prepared_by=person_id,
        prepared_at=now,
    )
    session.add(batch)
    await session.flush()
    session.add_all(_row(batch_id, item) for item in items)
    await _tell(session, "payout-batch.prepared", batch, now=now)
    return batch, True


async def approve(
    session: AsyncSession, batch_id: UUID, *, decision: Decision, now: datetime
) -> PayoutBatch:
    """Approve every payout of a batch (复核): book them and write their instructions, or none.

    The same approval again gets the same answer.

    Raises:
        Unknown: there is no such batch.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules.check_decision`; who
            prepared one of the payouts does not approve it in a batch either.
        PayoutBatchVoid: a payout was decided meanwhile, or would do other things by now.
        ProofSpent: the proof has served for another decision.
    """
    batch = await _locked(session, batch_id)
    if batch.state == APPROVED and decision.repeats(batch.decided_by, batch.content_sha256):
        return batch
    items = await queries.items(session, batch_id)
    now_says = rules.content(batch_id, [item.item() for item in items])
    deciding.check_decision(
        decision, subject=_subject(batch), state=batch.state, content_now=now_says
    )
    due = await _unchanged(session, items, decision, now=now)
    await approvals.approve_and_use(session, _subject(batch), decision=decision, now=now)
    batch.state, batch.decided_by, batch.decided_at = APPROVED, decision.person_id, now
    await _become(session, items, APPROVED)
    for payout, transfers in due:
        await paying.carry_out(session, payout, transfers, by=decision.person_id, now=now)
    await _tell(session, "payout-batch.approved", batch, now=now)
    return batch


async def refuse(
    session: AsyncSession, batch_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> PayoutBatch:
    """Refuse a batch with a reason; its payouts wait as before, and can go into another.

    Raises:
        Unknown: there is no such batch.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules.check_decision`.
    """
    batch = await _locked(session, batch_id)
    if batch.reason == reason and decision.repeats(batch.decided_by, batch.content_sha256):
        return batch
    await approvals.refuse_prepared(
        session, batch, _subject(batch), decision=decision, reason=reason, now=now
    )
    batch.reason = reason
    await _become(session, await queries.items(session, batch_id), REFUSED)
    await _tell(session, "payout-batch.refused", batch, now=now)
    return batch


async def _unchanged(
    session: AsyncSession, items: Sequence[PayoutBatchItem], decision: Decision, *, now: datetime
) -> list[tuple[Payout, list[Transfer]]]:
    """Return the payouts, locked, with what each of them pays."""
    found, changed = [], []
    for item in items:
        payout = await paying.locked(session, item.payout_id)
        seen = Decision(decision.person_id, item.payout_sha256)
        try:
            found.append((payout, await paying.checked(session, payout, seen, now=now)))
        except SamePerson:
            raise
        except Refusal:
            changed.append(str(item.payout_id))
    if changed:
        raise rules.PayoutBatchVoid("Payouts of the batch have changed.", payouts=changed)
    return found


async def _become(session: AsyncSession, items: Sequence[PayoutBatchItem], state: str) -> None:
    """Note the batch's state on its items, once the batch itself has it."""
    await session.flush()
    for item in items:
        item.state = state
    await session.flush()


async def _item(session: AsyncSession, payout: Payout) -> Item:
    transfers = await payouts.transfers(session, payout.id)
    total = sum(transfer.amount_minor for transfer in transfers)
    return Item(payout.id, payout.content_sha256, Money(total, transfers[0].currency))


def _row(batch_id: UUID, item: Item) -> PayoutBatchItem:
    return PayoutBatchItem(
        batch_id=batch_id,
        payout_id=item.payout_id,
        payout_sha256=item.sha256,
        amount_minor=item.amount.amount_minor,
        currency=item.amount.currency,
        state=PREPARED,
    )


async def _locked(session: AsyncSession, batch_id: UUID) -> PayoutBatch:
    batch = await locking.find_locked(session, PayoutBatch, col(PayoutBatch.id) == batch_id)
    if batch is None:
        raise Unknown("There is no such batch.")
    return batch


def _subject(batch: PayoutBatch) -> Subject:
    return Subject(OBJECT, batch.id, batch.content_sha256, batch.prepared_by)


async def _tell(session: AsyncSession, kind: str, batch: PayoutBatch, *, now: datetime) -> None:
    await session.flush()
    record = {"batch": str(batch.id), "content_sha256": batch.content_sha256}
    await facts.record(session, kind, batch.id, record, parties=[], now=now)
