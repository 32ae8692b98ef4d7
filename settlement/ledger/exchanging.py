"""Changing money between currencies: quotes, and the four lines of an exchange (换汇)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from settlement.ledger import driving, rules, service
from settlement.ledger.rules import Line, Quote, QuoteNotValid
from settlement.ledger.tables import LedgerExchange, LedgerQuote


async def quote(
    session: AsyncSession, quote_id: UUID, quoted: Quote, *, source: str, actor: str
) -> tuple[LedgerQuote, bool]:
    """Keep a rate as it was quoted; return it and whether it is new.

    Raises:
        RateInvalid, WrongCurrency: see `rules.check_quote`.
        IdReused: the id names another quote.
    """
    rules.check_quote(quoted)
    row = {
        "base": quoted.base,
        "counter": quoted.counter,
        "rate": quoted.rate,
        "source": source,
        "quoted_at": quoted.quoted_at,
        "valid_until": quoted.valid_until,
    }
    made = insert(LedgerQuote).values({"id": quote_id, "actor": actor, **row})
    kept = made.on_conflict_do_nothing(index_elements=["id"]).returning(col(LedgerQuote.id))
    new = await driving.asked(session, kept, {}) is not None
    known = await get_quote(session, quote_id)
    if any(getattr(known, name) != value for name, value in row.items()):
        raise IdReused("This id names another quote.")
    return known, new


async def exchange(  # noqa: PLR0913 - a journal has this many fields
    session: AsyncSession,
    quote_id: UUID,
    *,
    give: Line,
    into: Line,
    idem_key: str,
    actor: str,
    deal_id: UUID | None,
    now: datetime,
) -> int:
    """Change an amount at a quote in one journal of four lines; return the journal's id.

    Args:
        session: the transaction of the effect that is booked.
        quote_id: the quote, which the journal keeps naming.
        give: the account and the signed amount that leave it: + what is owed, - what is owned.
        into: the account and the amount expected there, without a sign that matters: what the quote
            gives must equal it, so that nobody books what was not shown.
        idem_key: the effect's name; one effect, one journal.
        actor: who did it.
        deal_id: the deal it belongs to, if any.
        now: when it took effect; the quote holds then.

    Raises:
        Unknown: there is no such quote.
        QuoteNotValid: it does not hold now, is of other currencies, or gives another amount.
        JournalKeyReused, LimitReached, AccountNotOpen, PeriodClosed: see `service.post`.
    """
    found = await get_quote(session, quote_id)
    code, expected = into
    bought = rules.exchanged(plain(found), give[1], into=expected.currency, at=now)
    if not bought.amount_minor or abs(bought.amount_minor) != abs(expected.amount_minor):
        raise QuoteNotValid("The quote gives another amount.", gives=bought.amount_minor)
    made = await service.post(
        session,
        idem_key=idem_key,
        kind="fx.exchanged",
        actor=actor,
        deal_id=deal_id,
        lines=rules.exchange_lines(give, code, bought),
        now=now,
        reason=f"at quote {quote_id}",
    )
    await _name_quote(session, made, quote_id, sold=give[1], bought=bought)
    return made


async def get_quote(session: AsyncSession, quote_id: UUID) -> LedgerQuote:
    """Return a quote.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(LedgerQuote, quote_id)
    if found is None:
        raise Unknown("There is no such quote.")
    return found


def plain(row: LedgerQuote) -> Quote:
    """Return the quote as the rules know it."""
    return Quote(row.base, row.counter, row.rate, row.quoted_at, row.valid_until)


async def _name_quote(
    session: AsyncSession, journal_id: int, quote_id: UUID, *, sold: Money, bought: Money
) -> None:
    row = {
        "journal_id": journal_id,
        "quote_id": quote_id,
        "sold_currency": sold.currency,
        "sold_minor": abs(sold.amount_minor),
        "bought_currency": bought.currency,
        "bought_minor": abs(bought.amount_minor),
    }
    await session.execute(insert(LedgerExchange).values(row).on_conflict_do_nothing())
