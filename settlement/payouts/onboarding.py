"""A payee's onboarding at the payment provider (收款账户开通): whether it may be paid.

An account may be paid once its capability is active. Before that the provider asks its owner for
papers, on a page of its own; a link to that page is good for one visit and some minutes, so it is
made when it is asked for. A link moves no money and is no instruction: of two the newer is kept.
What was approved for an account that is not active waits, and goes on by itself once it is.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import locking
from contracts.refusal import Unknown
from settlement.payouts import rules, service
from settlement.payouts.rules import Link, SeenAccount
from settlement.payouts.tables import PayoutAccount


@dataclass(frozen=True, slots=True)
class Due:
    """An account to be looked at; with an address to come back to, a link is wanted as well."""

    party_id: UUID
    provider_id: str
    return_url: str | None


async def opened(session: AsyncSession, party_id: UUID, *, provider_id: str, now: datetime) -> None:
    """Note the provider's account of a party, and have it looked at."""
    await service.account_ready(session, party_id, provider_id=provider_id)
    account = await _locked(session, party_id)
    account.look_at = now
    await session.flush()


async def ask(
    session: AsyncSession, party_id: UUID, *, return_url: str, now: datetime
) -> PayoutAccount:
    """Ask for a link to the provider's page; read the account until `link_url` is there.

    Args:
        session: the transaction of the wish.
        party_id: the payee.
        return_url: where its owner comes back to, done or not.
        now: the instant.

    Raises:
        Unknown: the party has asked for no account.
        PayoutAccountNotReady: the provider has not opened it.
        PayoutAccountActive: nothing is missing.
    """
    account = await _locked(session, party_id)
    rules.check_onboards(account.state, account.capability)
    account.link_url, account.link_until = None, None
    account.return_url, account.look_at = return_url, now
    await session.flush()
    return account


async def due(session: AsyncSession, *, now: datetime) -> Due | None:
    """Take up an account that is to be looked at; its next look is put off at once."""
    wanted = (
        select(PayoutAccount)
        .where(col(PayoutAccount.look_at) <= now)
        .order_by(col(PayoutAccount.look_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    account = await session.scalar(wanted.execution_options(populate_existing=True))
    if account is None or account.provider_id is None:
        return None
    account.look_at = now + rules.LOOK_AGAIN
    await session.flush()
    return Due(account.party_id, account.provider_id, account.return_url)


async def apply_seen(session: AsyncSession, seen: SeenAccount, *, now: datetime) -> bool:
    """Take over how an account stands at the provider; False when it is none of ours.

    Once it is active, what waited for it is instructed in the same transaction.
    """
    account = await locking.find_locked(
        session, PayoutAccount, col(PayoutAccount.provider_id) == seen.provider_id
    )
    if account is None:
        return False
    account.capability, account.seen_at = seen.capability, now
    if seen.capability == rules.ACTIVE:
        account.look_at, account.return_url = None, None
        account.link_url, account.link_until = None, None
        await session.flush()
        await service.go_on(session, account.party_id, now=now)
        return True
    account.look_at = account.look_at or now + rules.LOOK_AGAIN
    await session.flush()
    return True


async def linked(session: AsyncSession, party_id: UUID, link: Link) -> None:
    """Keep a link that the provider made, if it is still wanted."""
    account = await _locked(session, party_id)
    if account.return_url is not None:
        account.link_url, account.link_until, account.return_url = link.url, link.until, None
        await session.flush()


async def _locked(session: AsyncSession, party_id: UUID) -> PayoutAccount:
    account = await locking.find_locked(
        session, PayoutAccount, col(PayoutAccount.party_id) == party_id
    )
    if account is None:
        raise Unknown("There is no such payout account.")
    return account
