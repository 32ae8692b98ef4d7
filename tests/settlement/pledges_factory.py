"""Deposits that accept cards and letters, and what the provider and a bank say of them."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from settlement.cardholds.rules import Ask, SeenHold
from settlement.cardholds.tables import CardHold
from settlement.deposits import carding, letters, service
from settlement.deposits.rules import Terms
from settlement.deposits.tables import Deposit
from settlement.guarantees.rules import Letter, Offer
from settlement.guarantees.tables import Guarantee
from settlement.outbound import rules as outbound
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person

REQUIRED = 20_000
MODES = ("wire", "charge", "card_hold", "guarantee")
SCAN = b"%PDF-1.7\n%%EOF\n"
CARD_HOLDS = timedelta(days=7)


async def staff(session: AsyncSession, *, now: datetime, role: str = "approver") -> UUID:
    home = await party(session, now=now)
    return (await person(session, party_id=home.id, role=role, now=now)).id


async def asked(session: AsyncSession, *, now: datetime, **changes: Any) -> Deposit:
    """A deposit of an auction that runs for a day at most, and accepts every mode."""
    whose = changes.pop("of", None) or (await party(session, kind="broadcaster", now=now)).id
    given: dict[str, Any] = {
        "auction_id": ids.new(now),
        "seller_id": (await party(session, now=now)).id,
        "required": Money(REQUIRED, "CNY"),
        "until": None,
        "forfeits": ("non-payment", "winner-refuses"),
        "modes": MODES,
        "ends_by": now + timedelta(days=1),
        "card_margin_h": 24,
        "guarantee_days": 30,
    }
    return await service.require(session, Terms(party_id=whose, **given | changes), now=now)


async def given(
    session: AsyncSession,
    deposit: Deposit,
    *,
    now: datetime,
    mode: str = "card_hold",
    method: str | None = None,
) -> CardHold:
    """A card for the deposit, of which the provider has made its payment."""
    whose = (deposit.auction_id, deposit.party_id)
    hold, _ = await carding.give_card(
        session, ids.new(now), *whose, ask=Ask(mode, method),
        person_id=await staff(session, now=now), now=now,
    )  # fmt: skip
    await carding.made(
        session, hold.id, outbound.HOLD_PAYMENT, provider_id=f"pi_{hold.id.hex}",
        client_secret="secret", now=now,
    )  # fmt: skip
    return hold


def seen(hold: CardHold, status: str, *, now: datetime, **changes: Any) -> SeenHold:
    """How the provider shows the payment of a card."""
    nothing = Money(0, hold.currency)
    said: dict[str, Any] = {
        "held": hold.amount if status == "requires_capture" else nothing,
        "received": hold.amount if status == "succeeded" else nothing,
        "capture_before": now + CARD_HOLDS,
    }
    return SeenHold(f"pi_{hold.id.hex}", hold.id, status, **said | changes)


async def held(session: AsyncSession, deposit: Deposit, *, now: datetime) -> CardHold:
    """A card that holds the deposit."""
    hold = await given(session, deposit, now=now)
    assert await carding.apply_seen(session, seen(hold, "requires_capture", now=now), now=now)
    return hold


def letter(**changes: Any) -> Letter:
    """A letter that is valid for long beyond the auction."""
    said: dict[str, Any] = {
        "form": "letter-of-guarantee",
        "issuer": "中国工商银行北京分行",
        "issuer_bic": "ICBKCNBJBJM",
        "issuer_cnaps": "102100099996",
        "number": "LG-2026-0001",
        "amount": Money(REQUIRED, "CNY"),
        "valid_until": date(2027, 3, 31),
        "demand_terms": "见索即付",
        "beneficiary": "exchange",
    }
    return Letter(**said | changes)


async def offered(
    session: AsyncSession, deposit: Deposit, *, now: datetime, **changes: Any
) -> Guarantee:
    """A letter that was handed in for the deposit, by a person of the bidder."""
    one = Offer(ids.new(now), deposit.auction_id, deposit.party_id, letter(**changes), SCAN)
    by = (await person(session, party_id=deposit.party_id, role="broadcaster", now=now)).id
    row, is_new = await letters.offer(session, one, person_id=by, now=now)
    assert is_new
    return row


async def of_a_deposit(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime
) -> dict[str, str]:
    """A card that was declined and a letter that was handed in, by the names of paths."""
    deposit = await session.get_one(Deposit, (auction_id, party_id))
    hold = await given(session, deposit, now=now, mode="charge")
    await carding.refused(session, hold.id, outbound.CONFIRM_PAYMENT, now=now)
    row = await offered(session, deposit, now=now)
    return {"card_id": str(hold.id), "guarantee_id": str(row.id)}
