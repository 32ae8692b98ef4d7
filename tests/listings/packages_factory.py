"""Offers of several works in one contract, accepted and opened, for tests."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import queries as deals
from contracts.deals import service as contracts_service
from contracts.deals.rules import deal_id_of
from contracts.deals.tables import Deal
from contracts.facts import queries as facts
from contracts.facts.rules import SealedFact
from contracts.parties.gateway import LocalAuthority
from exchange import offer_verbs
from exchange.context import Context
from listings.offers import service
from tests.contracts.deals_factory import PRESS
from tests.listings.offers_factory import WEEK, Room, ask, say


def for_one(first: Room, *more: Room) -> list[Room]:
    """Return rooms of one licensor that all speak for the first one's broadcaster."""
    return [first, *(Room(**{**one.__dict__, "licensee": first.licensee}) for one in more)]


async def agreed(
    session: AsyncSession,
    of: Sequence[Room],
    *,
    amounts: Sequence[int] | None = None,
    now: datetime,
) -> UUID:
    """Offer the works of the rooms as one contract, and accept it; return the offer."""
    works = ask(*of)["works"]
    for work, amount in zip(works, amounts or [5_000_000] * len(of), strict=True):
        work["price"] = {"amount_minor": amount}
    made = await say(
        session, ids.new(now), of[0], "licensee", rooms=of, works=works, contract="package",
        now=now, expires_at=now + WEEK,
    )  # fmt: skip
    await service.accept(
        session, made.offer_id, party_id=of[0].licensor.id, version_id=made.id,
        sha256=made.sha256, now=now,
    )  # fmt: skip
    return made.offer_id


async def opened(
    context: Context,
    session: AsyncSession,
    authority: LocalAuthority,
    offer_id: UUID,
    *,
    now: datetime,
) -> Deal:
    """Run the reaction to the acceptance, twice as it may happen, and certify the contract."""
    found = await facts.find_first_of(session, offer_id, "offer.accepted")
    assert found is not None
    record = canonical.loads(found.record)
    fact = SealedFact(1, found.id, found.kind, offer_id, [], record, now)
    for _ in range(2):
        await offer_verbs.open_offered_deals(context, session, fact, now)
    assert list(await deals.ids_of_offer(session, offer_id)) == [deal_id_of(found.id)]
    return await contracts_service.certify(
        session, deal_id_of(found.id), press=PRESS, certifier=authority.certifier, now=now
    )
