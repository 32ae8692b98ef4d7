"""Transfers that were made: booked, told, and what they finish, however many come at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import writing
from contracts.facts import service as facts
from contracts.facts.service import Happened
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.ledger.rules import Entry
from settlement.payouts import finishing, queries, rules
from settlement.payouts.tables import Payout, PayoutTransfer

EXECUTOR = "exchange"


@dataclass(frozen=True, slots=True)
class Told:
    """What the provider says of an instruction: it made the transfer."""

    payout_id: UUID
    intent_id: UUID
    provider_id: str


@dataclass(frozen=True, slots=True)
class Made:
    """A transfer that was made, what it is called there, and the account that the money left."""

    transfer: PayoutTransfer
    provider_id: str
    out_of: str


async def transfers_made(session: AsyncSession, told: Sequence[Told], *, now: datetime) -> None:
    """Book the transfers that the provider made; what was booked before is left as it is."""
    payouts = await locked(session, {one.payout_id for one in told})
    transfers = await queries.transfers_of(session, payouts)
    by_intent = {one.intent_id: one for several in transfers.values() for one in several}
    await book(
        session,
        payouts.values(),
        [
            Made(by_intent[one.intent_id], one.provider_id, accounts.PSP_CLEARING)
            for one in told
            if by_intent[one.intent_id].state != rules.TRANSFER_MADE
        ],
        now=now,
    )


async def locked(session: AsyncSession, payout_ids: Collection[UUID]) -> dict[UUID, Payout]:
    """Return payouts by id, locked in the order of their ids until the transaction ends."""
    wanted = select(Payout).where(col(Payout.id).in_(payout_ids)).order_by(col(Payout.id))
    found = await session.scalars(
        wanted.with_for_update(key_share=True).execution_options(populate_existing=True)
    )
    return {payout.id: payout for payout in found}


async def book(
    session: AsyncSession, payouts: Collection[Payout], made: Sequence[Made], *, now: datetime
) -> None:
    """Book transfers of payouts that are locked; the last one pays its payout and settlement."""
    deals = {payout.id: payout.deal_id for payout in payouts}
    for one in made:
        one.transfer.state, one.transfer.provider_id = rules.TRANSFER_MADE, one.provider_id
    await writing.write_changes(session, [one.transfer for one in made])
    entries = [
        Entry(
            idem_key=f"{one.provider_id}:made",
            kind="transfer.made",
            actor=EXECUTOR,
            deal_id=deals[one.transfer.payout_id],
            lines=rules.made_lines(one.transfer.transfer(), out_of=one.out_of),
        )
        for one in made
    ]
    await ledger.post_many(session, entries, now=now)
    told = [_told(one, now=now) for one in made]
    touched = {one.transfer.payout_id for one in made}
    unfinished = await queries.unfinished(session, touched)
    whole = [payout for payout in payouts if payout.id in touched - unfinished]
    await facts.record_many(session, told + await finishing.finish(session, whole, now=now))


def _told(one: Made, *, now: datetime) -> Happened:
    transfer = one.transfer
    record = {
        "payout": str(transfer.payout_id),
        "party": str(transfer.party_id),
        "amount_minor": transfer.amount_minor,
        "currency": transfer.currency,
        "provider": one.provider_id,
    }
    whose = [transfer.party_id]
    return facts.happened("transfer.made", transfer.payout_id, record, parties=whose, now=now)
