"""Facts to seal, and sealers, for tests of what comes after sealing."""

from pathlib import Path
from uuid import UUID

from contracts import ids
from contracts.facts import service as facts
from contracts.facts.rules import SealedFact
from contracts.log import service as log
from contracts.log.gateway import LogSigner
from exchange.db import Database
from tests.conftest import NOW

ORIGIN = "log.uhdx.example/2026"


def a_signer(folder: Path) -> LogSigner:
    return LogSigner.ensure(folder, ORIGIN)


async def a_fact(db: Database, subject: UUID | None = None) -> UUID:
    """Commit a fact that everybody may read."""
    listing = subject or ids.new(NOW)
    async with db.transaction() as session:
        return await facts.record(
            session,
            "listing.ended",
            listing,
            {"listing": str(listing), "outcome": "unsold"},
            now=NOW,
        )


async def a_private_fact(db: Database, party: UUID) -> UUID:
    """Commit a fact that only this party may read."""
    async with db.transaction() as session:
        return await facts.record(
            session,
            "party.registered",
            party,
            {"party": str(party), "kind": "broadcaster"},
            parties=[party],
            now=NOW,
        )


async def seal_once(db: Database, signer: LogSigner, limit: int = 256) -> list[SealedFact]:
    async with db.transaction() as session:
        return await log.seal(session, signer=signer, limit=limit, now=NOW)


async def seal_all(db: Database, signer: LogSigner) -> list[SealedFact]:
    """Seal until nothing waits."""
    sealed: list[SealedFact] = []
    while batch := await seal_once(db, signer):
        sealed += batch
    return sealed
