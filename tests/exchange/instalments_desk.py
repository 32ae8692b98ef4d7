"""A contract in instalments, negotiated, printed, signed by all and asked for, for tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import queries as deals
from contracts.deals import service as contracts_service
from contracts.deals.tables import Deal
from contracts.facts import queries as facts
from contracts.facts.rules import SealedFact
from contracts.parties.gateway import LocalAuthority
from exchange import offer_verbs, settlement_verbs
from exchange.context import Context
from listings.offers import service as offers
from tests.conftest import NOW
from tests.contracts.deals_factory import PRESS, sign, with_key
from tests.listings.offers_factory import Room, a_room, ask, say

PRICE: dict[str, Any] = {
    "amount_minor": 120_000_001, "rate_bp": 300, "security": "银行保函 GC-2026-001",
    "parts": [{"share_bp": 3000, "due_days": 5}, {"share_bp": 7000, "due_days": 180}],
}  # fmt: skip


@dataclass(frozen=True)
class Sold:
    """The room of the negotiation, and the deal that everybody signed."""

    room: Room
    deal: Deal


async def sold_in_parts(
    context: Context,
    *,
    planned_at: datetime = NOW,
    model: str = "instalments",
    price: Mapping[str, Any] = PRICE,
) -> Sold:
    """Negotiate, sign and ask for a price, in two instalments unless it is another; committed."""
    async with context.db.transaction() as session:
        authority = LocalAuthority.ensure(context.settings.keys, NOW)
        room = await a_room(session, models=[model])
        signers = [
            await with_key(session, authority, side, now=NOW)
            for side in (room.licensor, room.licensee)
        ]
        deal = await _agreed(context, session, room, model, price)
        deal = await contracts_service.certify(
            session, deal.id, press=PRESS, certifier=authority.certifier, now=NOW
        )
        for signer in signers:
            await sign(session, authority, deal, signer, now=NOW)
        await settlement_verbs.plan_settlement(
            context, session, await told(session, deal, "deal.executed"), planned_at
        )
    return Sold(room, deal)


async def told(session: AsyncSession, deal: Deal, kind: str) -> SealedFact:
    """The last fact of a kind about a deal, as a reaction to it gets it."""
    found = (await facts.all_of(session, deal.id, kind))[-1]
    record = canonical.loads(found.record)
    return SealedFact(1, found.id, found.kind, found.subject, found.parties, record, NOW)


async def _agreed(
    context: Context, session: AsyncSession, room: Room, model: str, price: Mapping[str, Any]
) -> Deal:
    offer_id, works = ids.new(NOW), ask(room)["works"]
    works[0]["price"] = dict(price)
    said = await say(session, offer_id, room, "licensee", model=model, works=works)
    await offers.accept(
        session, offer_id, party_id=room.licensor.id, version_id=said.id, sha256=said.sha256,
        now=NOW,
    )  # fmt: skip
    found = await facts.find_first_of(session, offer_id, "offer.accepted")
    assert found is not None
    record = canonical.loads(found.record)
    fact = SealedFact(1, found.id, found.kind, found.subject, found.parties, record, NOW)
    await offer_verbs.open_offered_deals(context, session, fact, NOW)
    (deal,) = await deals.deals_of(session, room.licensee.id)
    return deal
