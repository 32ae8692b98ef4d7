"""Disclosures for tests: filed for a draft, accepted if asked for."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from listings.catalogue.tables import Listing
from listings.disclosures import filing as filings
from listings.disclosures import service
from listings.disclosures.tables import Disclosure

FILED: dict[str, Any] = {
    "subject": "licence",
    "assessed_on": date(2026, 9, 30),
    "assessor": "示范资产评估有限公司",
    "assessment_no": "评备字〔2026〕第0018号",
    "approving_body": "示范广播电视集团",
    "decision_no": "集团会纪〔2026〕31号",
    "summary": "4K纪录片信息网络传播权。",
    "extension_days": 5,
}


async def filed(
    session: AsyncSession, listing: Listing, *, now: datetime, **changes: Any
) -> Disclosure:
    """File the disclosure of a draft, its floor for the assessed value."""
    said = {**FILED, "assessed_minor": listing.sale["floor_minor"], **changes}
    row, _ = await service.file(
        session, listing.id, party_id=listing.party_id, person_id=ids.new(now),
        filing=filings.read(said), now=now,
    )  # fmt: skip
    return row


async def accepted(session: AsyncSession, listing: Listing, *, now: datetime) -> Disclosure:
    """File a disclosure and accept it."""
    await filed(session, listing, now=now)
    return await service.review(
        session, listing.id, outcome="accepted", reason=None, person_id=ids.new(now), now=now
    )
