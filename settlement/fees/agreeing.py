"""What a sale names and a contract says of fees, and what a settlement makes of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import Money, from_decimal
from settlement.fees import queries, rules
from settlement.fees.rules import BUYER, SELLER, Agreed, Case


async def named(session: AsyncSession, *, currency: str, now: datetime) -> dict[str, str] | None:
    """Return how rules of a sale, or an offer, name the schedule in force; None before the first.

    What names none pays by the schedule of the day on which it is settled.
    """
    dated, day = await queries.dated(session), rules.day_of(now)
    found = rules.find_in_force(dated, on=day, currency=currency)
    return None if found is None else {"schedule": found[1].id, "sha256": found[1].sha256}


async def said(
    session: AsyncSession, name: Mapping[str, str] | None, *, sale: str, listed: Money, price: Money
) -> dict[str, Any] | None:
    """Return what a contract says of fees: the schedule its sale named, and what each side pays.

    None where the sale named none, as those from before.

    Raises:
        Unknown: there is no such schedule.
    """
    if name is None:
        return None
    schedule = await queries.named(session, name["sha256"])
    case = Case(sale, listed, price)
    seller, buyer = (rules.fee(schedule, side, case).amount for side in (SELLER, BUYER))
    return {
        **{key: name[key] for key in ("schedule", "sha256")},
        "sale": sale,
        "listed": listed.decimal(),
        "price": price.decimal(),
        "seller": seller.decimal(),
        "buyer": buyer.decimal(),
    }


def agreed(terms: Mapping[str, Any], *, before: Money) -> Agreed | None:
    """Return what signed terms say of fees; `before` is the price as it was settled before."""
    if "fees" not in terms:
        return None
    fees, currency = terms["fees"], terms["consideration"]["currency"]
    listed, price = (from_decimal(fees[name], currency) for name in ("listed", "price"))
    return Agreed(fees["sha256"], Case(fees["sale"], listed, price), before.amount_minor)
