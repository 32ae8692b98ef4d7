"""Taking over the provider's movements, and cutting off: every difference gets a name."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.facts import service as facts
from settlement.clearing import queries, rules
from settlement.clearing.rules import Entry, Held, Sums
from settlement.clearing.tables import PspCutoff, PspEntry, PspItem, PspOwner
from settlement.reconciliation.rules import due_on
from settlement.sweeps import queries as sweeps

CHUNK = 500


async def take_over(session: AsyncSession, entries: Sequence[Entry], *, now: datetime) -> int:
    """Keep movements as the provider lists them, each once; return how many are new."""
    new = 0
    for start in range(0, len(entries), CHUNK):
        rows = [
            PspEntry.of(entry, now=now).model_dump() for entry in entries[start : start + CHUNK]
        ]
        added = insert(PspEntry).values(rows).on_conflict_do_nothing().returning(col(PspEntry.id))
        new += len((await session.scalars(added)).all())
    return new


async def cut_off(
    session: AsyncSession, balances: Mapping[str, int], *, now: datetime
) -> list[PspCutoff]:
    """Compare ledger and provider, name every difference, and close what differs no more.

    Args:
        session: the transaction of the cut-off.
        balances: what the provider shows now, in minor units by currency.
        now: the instant.

    Raises:
        ProviderUneven: the movements imported do not make these balances.
    """
    # Two cut-offs at once would name a difference twice.
    await session.execute(text("LOCK TABLE psp_item IN SHARE ROW EXCLUSIVE MODE"))
    listed = await queries.listed_by_currency(session)
    rules.check_listed({code: minor for code, (minor, _) in listed.items()}, balances)
    made = [
        await _of_currency(session, currency, listed.get(currency, (0, 0))[1], now=now)
        for currency in sorted({*listed, *await queries.currencies(session)})
    ]
    await session.flush()
    for one in made:
        await _tell(session, one, now=now)
    return made


async def take_up(session: AsyncSession, item_id: UUID, *, person_id: UUID, now: datetime) -> Held:
    """Take up money in suspense at the provider: it is this person's task from then on.

    Another may take it over; the same person again changes nothing.

    Raises:
        Unknown: no such money is in suspense, or it was explained.
    """
    item = await queries.get_held(session, item_id)
    values = {
        "id": item.id, "reference": item.reference, "currency": item.currency,
        "owner_id": person_id, "since": now,
    }  # fmt: skip
    added = insert(PspOwner).values(values)
    taken = added.on_conflict_do_update(
        index_elements=[col(PspOwner.id)],
        set_={"owner_id": person_id, "since": now},
        where=col(PspOwner.owner_id) != person_id,
    ).returning(col(PspOwner.id))
    if (await session.scalars(taken)).one_or_none() is not None:
        record = {
            "item": str(item.id),
            "reference": item.reference,
            "owner": str(person_id),
            "amount_minor": item.amount_minor,
            "currency": item.currency,
        }
        kind = "provider-suspense.taken"
        await facts.record(session, kind, item.id, record, parties=[], now=now)
    return item


async def _of_currency(
    session: AsyncSession, currency: str, entries: int, *, now: datetime
) -> PspCutoff:
    sums = rules.summed(
        await queries.booked(session, currency), await queries.listed(session, currency)
    )
    items = rules.differing(sums)
    await _name(session, currency, items, now=now)
    cutoff = PspCutoff(
        id=ids.new(now),
        at=now,
        currency=currency,
        entries=entries,
        ledger_minor=sum(one.ledger_minor for one in sums.values()),
        provider_minor=sum(one.provider_minor for one in sums.values()),
        open_minor=sum(one.difference_minor for one in items),
        items=len(items),
        in_transit_minor=await sweeps.in_transit_minor(session, currency),
    )
    session.add(cutoff)
    return cutoff


async def _name(
    session: AsyncSession, currency: str, items: Sequence[Sums], *, now: datetime
) -> None:
    """Open an item for each difference, change those that moved, close those that went."""
    wanted = select(PspItem).where(
        col(PspItem.currency) == currency, col(PspItem.closed_at).is_(None)
    )
    known = {item.reference: item for item in await session.scalars(wanted)}
    for one in items:
        item = known.pop(one.reference, None)
        if item is not None:
            item.ledger_minor, item.provider_minor = one.ledger_minor, one.provider_minor
            continue
        session.add(
            PspItem(
                id=ids.new(now),
                reference=one.reference,
                currency=currency,
                ledger_minor=one.ledger_minor,
                provider_minor=one.provider_minor,
                opened_at=now,
                due_on=due_on(now),
            )
        )
    for gone in known.values():
        gone.closed_at = max(now, gone.opened_at)
    await session.flush()


async def _tell(session: AsyncSession, cutoff: PspCutoff, *, now: datetime) -> None:
    record = {
        "cutoff": str(cutoff.id),
        "currency": cutoff.currency,
        "entries": cutoff.entries,
        "ledger_minor": cutoff.ledger_minor,
        "provider_minor": cutoff.provider_minor,
        "items": cutoff.items,
    }
    await facts.record(session, "provider.compared", cutoff.id, record, parties=[], now=now)
