"""The texts of contracts at the start of a process, and the deposit agreement of an auction."""

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals import deposits, publishing
from contracts.deals.deposits import Notice
from contracts.deals.terms import Side
from contracts.money import Money
from contracts.parties import queries as parties
from contracts.parties import service as registry
from contracts.parties.tables import Party
from contracts.refusal import Kind, Refusal
from contracts.works import queries as works
from exchange import clock
from exchange.context import Context
from listings.admissions import rules as admissions
from listings.auctions import queries as auctions


class NoDepositAsked(Refusal):
    """The auction asks for no deposit, so there is nothing to agree on."""

    kind, code = Kind.UNKNOWN, "no-deposit-asked"
    hint = "Look at `admission.deposit_minor` in the auction's rulebook."


async def check_texts(context: Context) -> None:
    """Compare the texts here with those published, where the database can be asked.

    Raises:
        TextChanged: one differs; the process does not start.
    """
    with suppress(DBAPIError):
        async with context.db.transaction() as session:
            await publishing.check(session)


async def publish_texts(context: Context) -> int:
    """Publish the templates that are new in this release."""
    async with context.db.transaction() as session:
        return await publishing.publish(session, now=clock.now())


async def deposit_agreement(
    context: Context, session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime
) -> dict[str, Any]:
    """Return the terms of a bidder's deposit agreement; they are the same at any time.

    Raises:
        Unknown: there is no such auction.
        NoDepositAsked: it asks for no deposit.
        TextCannotBePrinted: a name or title would not show on paper what it says.
    """
    auction = await auctions.get_auction(session, auction_id)
    gate = admissions.gate(auction.rulebook)
    if not gate.deposit_minor:
        raise NoDepositAsked("This auction asks for no deposit.", auction=str(auction_id))
    work = await works.get_work(session, auction.work_id)
    notice = Notice(
        auction=auction.id,
        rulebook_sha256=auction.rulebook_sha256,
        title={"zh": work.title_zh, "en": work.title_en},
        opens_at=auction.opens_at,
        closes_at=gate.closes_at,
        until=gate.until or gate.closes_at,
        deposit=Money(gate.deposit_minor, auction.currency),
        forfeits=gate.forfeits,
        log=context.settings.log_origin,
    )
    exchange = await registry.ensure_exchange(session, now=now)
    bidder = await parties.get_party(session, party_id)
    return deposits.build(
        notice, bidder=_side("bidder", bidder), exchange=_side("exchange", exchange)
    )


def _side(role: str, party: Party) -> Side:
    return Side(role, party.id, party.name_zh, party.name_en, party.uscc)
