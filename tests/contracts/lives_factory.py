"""Deals of two sides at every point of their lives, and what their rows and facts say."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.deals import (
    lifecycle,
    notices,
    rows,
    service,
    timers,
)
from contracts.deals.notices import Said
from contracts.deals.tables import Deal, DealNotice
from contracts.facts import queries as facts
from contracts.facts.tables import Fact, FactPending
from contracts.log import service as log
from contracts.log.tables import LogEntry
from contracts.parties.gateway import LocalAuthority
from contracts.titles import queries as titles
from tests.conftest import NOW
from tests.contracts.deals_factory import (
    Signatory,
    certified_deal,
    opened_deal,
    sign,
    signatory,
)
from tests.contracts.log_factory import a_signer
from tests.contracts.parties_factory import party

MONTH = timedelta(days=30)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW)


class Pair:
    """Both sides of a deal, and the deal."""

    def __init__(self, deal: Deal, licensor: Signatory, licensee: Signatory) -> None:
        self.deal, self.licensor, self.licensee = deal, licensor, licensee

    @property
    def sides(self) -> tuple[UUID, UUID]:
        return self.licensor.party.id, self.licensee.party.id


async def certified(session: AsyncSession, authority: LocalAuthority) -> Pair:
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
    )
    return Pair(deal, licensor, licensee)


async def in_force(session: AsyncSession, authority: LocalAuthority) -> Pair:
    """A deal in force whose paper nobody looks at: what signing it writes, without the printing."""
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await opened_deal(session, licensor=licensor.party, licensee=licensee.party, now=NOW)
    pair = Pair(deal, licensor, licensee)
    deal.base_sha256 = deal.pdf_sha256 = "ab" * 32
    deal.signing, deal.performance, deal.executed_at = "executed", "effective", NOW
    hashes = {"base_sha256": "ab" * 32, "pdf_sha256": "ab" * 32}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("deal.certified", {"terms_sha256": deal.terms_sha256, **hashes}),
        *(
            ("deal.signed", {"party": str(who.party.id), "role": role, "pdf_sha256": "ab" * 32,
                             "spki_sha256": who.key.spki_sha256})
            for role, who in (("licensor", licensor), ("licensee", licensee))
        ),
    ]  # fmt: skip
    for kind, record in steps:
        await rows.tell(session, kind, deal, {"deal": str(deal.id), **record}, now=NOW)
    await service._execute(session, deal, policy=None, now=NOW)
    return pair


async def signed_by_all(session: AsyncSession, authority: LocalAuthority) -> Pair:
    pair = await certified(session, authority)
    await sign(session, authority, pair.deal, pair.licensor, now=NOW)
    await sign(session, authority, pair.deal, pair.licensee, now=NOW)
    return pair


async def drafted(session: AsyncSession) -> Deal:
    licensor = await party(session, kind="rights_holder", now=NOW)
    licensee = await party(session, kind="broadcaster", now=NOW)
    return await opened_deal(session, licensor=licensor, licensee=licensee, now=NOW)


async def fire_all(session: AsyncSession, now: datetime) -> None:
    while await timers.fire_due(session, now=now):
        pass


async def logged(session: AsyncSession, folder: Path) -> None:
    """Put what waits into the log, inside this transaction."""
    while await log.seal(session, signer=a_signer(folder), limit=256, now=NOW):
        pass


async def told(session: AsyncSession, deal_id: UUID, kind: str) -> list[dict[str, Any]]:
    return [canonical.loads(one.record) for one in await facts.all_of(session, deal_id, kind)]


async def states(session: AsyncSession, deal: Deal) -> list[str]:
    return sorted(grant.state for grant in await titles.grants_of_work(session, deal.work_id))


async def replayed(session: AsyncSession, deal: Deal) -> lifecycle.Life | None:
    """What the facts of a deal tell, in the order in which they were recorded."""
    rows = await session.execute(
        select(Fact)
        .outerjoin(LogEntry, col(LogEntry.fact_id) == col(Fact.id))
        .outerjoin(FactPending, col(FactPending.fact_id) == col(Fact.id))
        .where(col(Fact.subject) == deal.id)
        .order_by(col(LogEntry.seq).nulls_last(), col(FactPending.turn))
    )
    return lifecycle.replay([(one.kind, canonical.loads(one.record)) for one in rows.scalars()])


async def breach(session: AsyncSession, pair: Pair, *, at: datetime = NOW) -> DealNotice:
    notice, _ = await notices.give(
        session, pair.deal.id, ids.new(at),
        party_id=pair.licensor.party.id, said=Said("breach", "许可费未付 / The fee is unpaid."),
        now=at,
    )  # fmt: skip
    return notice
