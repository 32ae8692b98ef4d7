"""Taking back: off what is still due, or by reversing the transfers that were made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids, locking
from contracts.facts import service as facts
from contracts.money import Money
from settlement.invoices import queries as invoices
from settlement.ledger import service as ledger
from settlement.ledger.rules import Line
from settlement.outbound import rules as outbound_rules
from settlement.outbound import service as outbound
from settlement.payouts import queries as payouts
from settlement.payouts.tables import PayoutTransfer
from settlement.plans import queries as plans
from settlement.plans import service as settlements
from settlement.plans.rules import COMMISSION, PAID_OUT, PAYING
from settlement.plans.tables import SettlementLine
from settlement.recoveries import queries, rules
from settlement.recoveries.rules import Cause, PayoutUnderWay, Share
from settlement.recoveries.tables import Recovery
from settlement.remittances import queries as remittances
from settlement.withholding import service as withholding
from settlement.withholding.rules import Back

ACTOR = "exchange"


@dataclass(frozen=True, slots=True)
class Piece:
    """What one line of a settlement is to give back."""

    line: int
    kind: str
    payee_id: UUID
    amount: Money
    state: str  # of the settlement
    tax: Money  # the VAT within it, which goes back with a commission
    withheld: tuple[Back, ...] = ()  # what of it was withheld when its payee was paid

    @property
    def paid_out(self) -> bool:
        """Whether its payee was paid out."""
        return self.state == PAID_OUT

    @property
    def withheld_minor(self) -> int:
        """What of it never reached its payee."""
        return sum(one.amount.amount_minor for one in self.withheld)

    @property
    def debits(self) -> list[Line]:
        """The accounts that give it."""
        own = self.amount - Money(self.withheld_minor, self.amount.currency)
        moved = rules.debits(self.kind, self.payee_id, own, tax=self.tax, state=self.state)
        moved += [one.line for one in self.withheld]
        return [line for line in moved if line[1].amount_minor]


async def pieces(session: AsyncSession, deal_id: UUID, amount: Money) -> list[Piece]:
    """Return what each line gives back if `amount` is taken back now; nothing is changed.

    Raises:
        Unknown: the deal has no settlement.
        PayoutUnderWay: its transfers are on their way.
    """
    settlement = await settlements.locked(session, deal_id)
    if settlement.state == PAYING:
        raise PayoutUnderWay("The payout of this deal is under way.", state=settlement.state)
    lines = {line.line: line for line in await plans.lines(session, deal_id)}
    taken = await queries.taken(session, deal_id)
    shares = {
        number: Share(number, line.amount_minor, taken.get(number, 0))
        for number, line in lines.items()
        if line.amount_minor
    }
    fee_tax = await invoices.fee_tax_minor(session, deal_id)
    found = [
        Piece(
            line=number,
            kind=lines[number].kind,
            payee_id=lines[number].payee_id,
            amount=Money(minor, amount.currency),
            state=settlement.state,
            tax=_tax(lines[number], fee_tax, shares[number], minor, currency=amount.currency),
        )
        for number, minor in sorted(rules.steps(shares, amount.amount_minor).items())
    ]
    return await _with_withheld(session, found, shares, deal_id=deal_id)


async def _with_withheld(
    session: AsyncSession, found: list[Piece], shares: Mapping[int, Share], *, deal_id: UUID
) -> list[Piece]:
    """Return the pieces, each with what was withheld of it when its payee was paid."""
    payees = {one.payee_id for one in found if one.paid_out and one.kind != COMMISSION}
    rows = await withholding.locked(session, deal_id, payees) if payees else {}
    remitted = await remittances.remitted(
        session, [row.id for several in rows.values() for row in several]
    )
    whole = []
    for one in found:
        share = shares[one.line]
        backs = await withholding.going_back(
            session,
            rows.get(one.payee_id, ()) if one.kind != COMMISSION else (),
            left_minor=share.amount_minor - share.taken_minor,
            step_minor=one.amount.amount_minor,
            remitted=remitted,
        )
        whole.append(replace(one, withheld=tuple(backs)))
    return whole


def _tax(
    line: SettlementLine, fee_tax_minor: int, share: Share, step_minor: int, *, currency: str
) -> Money:
    charged = fee_tax_minor if line.kind == COMMISSION else 0
    return Money(rules.tax_step(charged, share, step_minor), currency)


async def take_back(
    session: AsyncSession, cause: Cause, taken: Sequence[Piece], *, deal_id: UUID, now: datetime
) -> None:
    """Write down what is taken back, and instruct the reversals of transfers that were made.

    The caller books the debits of the pieces, in the same transaction.
    """
    made = await _transfers(session, deal_id) if any(one.paid_out for one in taken) else {}
    for piece in taken:
        row = Recovery(
            id=ids.new(now),
            cause=cause.kind,
            cause_id=cause.id,
            deal_id=deal_id,
            line=piece.line,
            kind=piece.kind,
            payee_id=piece.payee_id,
            amount_minor=piece.amount.amount_minor,
            withheld_minor=piece.withheld_minor,
            currency=piece.amount.currency,
            state=rules.TAKEN,
            created_at=now,
        )
        if piece.paid_out and piece.kind != "commission":
            await _claim(session, row, made.get(piece.payee_id), now=now)
        session.add(row)
    await session.flush()
    backs = [back for piece in taken for back in piece.withheld]
    if backs:
        await withholding.take_back(session, backs, cause=cause.kind, cause_id=cause.id, now=now)


async def reversed_at_provider(
    session: AsyncSession, recovery_id: UUID, *, provider_id: str, now: datetime
) -> None:
    """Book a reversal that the provider made: the payee owes no more."""
    row = await locking.get_locked(session, Recovery, col(Recovery.id) == recovery_id)
    if row.state == rules.REVERSED:
        return
    row.state, row.provider_id = rules.REVERSED, provider_id
    await session.flush()
    await ledger.post(
        session,
        idem_key=f"{provider_id}:reversed",
        kind="transfer.reversed",
        actor=ACTOR,
        deal_id=row.deal_id,
        lines=rules.returned_lines(row.payee_id, row.own),
        now=now,
    )
    await facts.record(
        session,
        "transfer.reversed",
        row.deal_id,
        {
            "deal": str(row.deal_id),
            "cause": str(row.cause_id),
            "party": str(row.payee_id),
            "amount_minor": row.own.amount_minor,
            "currency": row.currency,
            "provider": provider_id,
        },
        parties=[row.payee_id],
        now=now,
    )


async def _transfers(session: AsyncSession, deal_id: UUID) -> Mapping[UUID, PayoutTransfer]:
    payout = await payouts.find_live(session, deal_id)
    rows = [] if payout is None else await payouts.transfers(session, payout.id)
    return {row.party_id: row for row in rows}


async def _claim(
    session: AsyncSession, row: Recovery, transfer: PayoutTransfer | None, *, now: datetime
) -> None:
    """A payee paid at the provider is asked through it; one paid by a bank owes it to us.

    Nobody is asked for what was withheld: it never reached the payee.
    """
    if row.own.amount_minor == 0:
        return
    if transfer is None or transfer.intent_id is None or transfer.provider_id is None:
        row.state = rules.OWED
        return
    intent_id = ids.new(now)
    await outbound.intend(
        session,
        intent_id,
        op=outbound_rules.REVERSE_TRANSFER,
        object_key=f"reversal:{row.id}",
        object_id=row.id,
        params=outbound_rules.reversal_params(
            transfer=transfer.provider_id,
            amount_minor=row.own.amount_minor,
            names={"recovery": str(row.id), "intent_id": str(intent_id)},
        ),
        now=now,
    )
    row.state, row.intent_id = rules.SENDING, intent_id
