"""Deals in force that change, and what is paid and granted under them."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import (
    amending,
    patching,
    rows,
    service,
    transfers,
)
from contracts.deals.restating import Change
from contracts.deals.tables import Deal, DealAssignment
from contracts.parties.gateway import LocalAuthority
from contracts.titles import queries as titles
from contracts.titles import service as register
from tests.conftest import NOW
from tests.contracts.deals_factory import RIGHTS, Signatory, signatory
from tests.contracts.lives_factory import (
    Pair,
    in_force,
)

VECTORS = Path(__file__).parents[1] / "vectors/contracts"
UNTIL = {**RIGHTS, "last_day": "2027-12-31"}
LONGER = {**RIGHTS, "last_day": "2029-12-31"}
AFTER = {**RIGHTS, "first_day": "2029-01-01", "last_day": "2029-12-31"}
LATER = {**RIGHTS, "first_day": "2028-01-01"}
SHOWN_AT = datetime.fromisoformat("2027-03-01T19:30+08:00")
PASSED_ON = {**RIGHTS, "sublicence_depth": 1}


async def executed(session: AsyncSession, deal: Deal, *signed_by: Signatory) -> None:
    """What the signatures of both sides write, without the printing."""
    deal.base_sha256 = deal.pdf_sha256 = "ab" * 32
    deal.signing, deal.performance, deal.executed_at = "executed", "effective", NOW
    hashes = {"base_sha256": "ab" * 32, "pdf_sha256": "ab" * 32}
    said: dict[str, Any] = {"terms_sha256": deal.terms_sha256, **hashes}
    await rows.tell(session, "deal.certified", deal, {"deal": str(deal.id), **said}, now=NOW)
    for role, who in zip(("licensor", "licensee"), signed_by, strict=True):
        said = {"party": str(who.party.id), "role": role, "pdf_sha256": "ab" * 32,
                "spki_sha256": who.key.spki_sha256}  # fmt: skip
        await rows.tell(session, "deal.signed", deal, {"deal": str(deal.id), **said}, now=NOW)
    await service._execute(session, deal, policy=None, now=NOW)


async def paid(session: AsyncSession, deal: Deal) -> None:
    """The price is settled, and the fact that says so is told."""
    said = {"deal": str(deal.id), "payout": str(ids.new(NOW)), "postings_sha256": "cd" * 32}
    await rows.tell(session, "settlement.booked", deal, said, now=NOW)
    await service.mark_paid(session, deal.id, now=NOW)


async def settled(session: AsyncSession, authority: LocalAuthority) -> Pair:
    pair = await in_force(session, authority)
    await paid(session, pair.deal)
    return pair


async def amended(session: AsyncSession, pair: Pair, **change: Any) -> Deal:
    deal, new = await amending.propose(
        session, pair.deal.id, ids.new(NOW),
        party_id=pair.licensee.party.id, change=Change(**change), now=NOW,
    )  # fmt: skip
    assert new
    return deal


async def reserve(session: AsyncSession, pair: Pair, right: dict[str, Any]) -> None:
    await register.reserve(
        session, pair.deal.work_id, grantor_id=pair.licensor.party.id, boxes=[right],
        source=str(ids.new(NOW)), now=NOW,
    )  # fmt: skip


async def grants(session: AsyncSession, deal: Deal) -> list[tuple[str, UUID | None, str]]:
    found = await titles.grants_of_work(session, deal.work_id)
    said = [(one.wire["last_day"], one.state, one.deal_id) for one in found]
    return [(state, deal_id, last) for last, state, deal_id in sorted(said, key=str)]


async def drafted(
    session: AsyncSession, authority: LocalAuthority, pair: Pair, *, to: Signatory | None = None
) -> tuple[DealAssignment, Signatory]:
    assignee = to or await signatory(session, authority, kind="broadcaster", now=NOW)
    draft, new = await transfers.draft(
        session, pair.deal.id, ids.new(NOW), party_id=pair.licensee.party.id,
        assignee_id=assignee.party.id, key_id=pair.licensee.key.id, now=NOW,
    )  # fmt: skip
    assert new
    return draft, assignee


def turns(before: bytes, patch: bytes, after: bytes) -> bool:
    """Whether the patch turns one terms object into the other, byte for byte."""
    made = patching.apply(canonical.loads(patch), canonical.loads(before))
    return canonical.dumps(made) == after
