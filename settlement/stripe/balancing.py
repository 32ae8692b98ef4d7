"""The provider's balance beside the ledger: its list is taken over, then both are compared."""

from collections.abc import Sequence
from datetime import datetime

from settlement.clearing import queries as clearing
from settlement.clearing import rules as comparing
from settlement.clearing import service as cutting
from settlement.clearing.rules import ProviderUneven
from settlement.clearing.tables import PspCutoff
from settlement.stripe import lists, rules
from settlement.stripe.gateway import AnswerLost, Gateway
from settlement.stripe.service import Transactions


async def compare_due(db: Transactions, gateway: Gateway, *, now: datetime) -> int:
    """Compare once a day; return how many currencies were compared."""
    async with db.transaction() as session:
        line = await lists.take_up(session, rules.MOVEMENTS, again=comparing.AGAIN, now=now)
    if line is None:
        return 0
    try:
        return len(await compare(db, gateway, now=now))
    except AnswerLost:
        return 0


async def compare(db: Transactions, gateway: Gateway, *, now: datetime) -> Sequence[PspCutoff]:
    """Take over the provider's movements, and cut off; how often changes nothing.

    Something may move between the list and the balance: the newest are then listed once more, and
    at last all of them.

    Raises:
        AnswerLost: nobody answered; what was taken over stays.
        ProviderUneven: the list does not make the balance, however often it is read.
    """
    for from_the_beginning in (False, False):
        try:
            return await _compare(db, gateway, from_the_beginning=from_the_beginning, now=now)
        except ProviderUneven:
            continue
    return await _compare(db, gateway, from_the_beginning=True, now=now)


async def _compare(
    db: Transactions, gateway: Gateway, *, from_the_beginning: bool, now: datetime
) -> Sequence[PspCutoff]:
    async with db.transaction() as session:
        last = await clearing.last_created_at(session)
    whole = from_the_beginning or last is None
    entries = await gateway.movements(None if whole or last is None else last - comparing.OVERLAP)
    balances = await gateway.balances()
    async with db.transaction() as session:
        await cutting.take_over(session, entries, now=now)
    async with db.transaction() as session:
        cutoffs = await cutting.cut_off(session, balances, now=now)
        await lists.was_read(session, rules.MOVEMENTS, every=comparing.DAILY, now=now)
    return cutoffs
