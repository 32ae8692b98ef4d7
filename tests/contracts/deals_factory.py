"""Deals for tests: driven through the services, from two parties to both signatures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.deals import opening, rules, service
from contracts.deals.gateway import TypstPress
from contracts.deals.tables import Deal
from contracts.facts import service as facts
from contracts.parties import queries, vouching
from contracts.parties import service as registry
from contracts.parties.gateway import LocalAuthority
from contracts.parties.tables import Party, PartyKey
from contracts.titles import service as titles
from contracts.works.tables import Work
from exchange.demo import signer
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work

PRESS = TypstPress()
LOG = "log.uhdx.local/2026"
RIGHTS: dict[str, Any] = {
    "right": "broadcasting",
    "media": ["cable", "satellite"],
    "territories": ["CN"],
    "excluded": ["HK", "MO", "TW"],
    "languages": ["zh"],
    "first_day": "2027-01-01",
    "last_day": "2028-12-31",
    "tz": "Asia/Shanghai",
    "exclusivity": "exclusive",
    "runs_max": 3,
}


@dataclass(frozen=True)
class Signatory:
    """A party with a registered key, whose private half only the test holds."""

    party: Party
    key: PartyKey
    key_pem: bytes


async def signatory(
    session: AsyncSession, authority: LocalAuthority, *, kind: str, now: datetime
) -> Signatory:
    made = await party(session, kind=kind, now=now)
    return await with_key(session, authority, made, now=now)


async def with_key(
    session: AsyncSession, authority: LocalAuthority, owner: Party, *, now: datetime
) -> Signatory:
    key_pem, csr = signer.make_key_and_csr(owner.name_zh)
    if await queries.keys_of(session, owner.id):  # nobody holds the one before any more
        await vouching.allow_reset(
            session, owner.id, ids.new(now), by=ids.new(now), reason="测试", now=now
        )
    key = await registry.register_key(
        session, owner.id, ids.new(now), csr_pem=csr, issuer=authority, now=now
    )
    return Signatory(owner, key, key_pem)


def listing_record(
    work_id: UUID, licensor: Party, *, listing: UUID, auction: UUID, now: datetime
) -> dict[str, Any]:
    """What `listing.published` says."""
    return {
        "listing": str(listing),
        "work": str(work_id),
        "title": {"zh": "示范作品", "en": "Demonstration Work"},
        "master": str(ids.new(now)),
        "master_sha256": "ab" * 32,
        "master_chunk_root": None,
        "probe_sha256": "cd" * 32,
        "fingerprint_sha256": "ef" * 32,
        "rights": [RIGHTS],
        "sale": {},
        "party": str(licensor.id),
        "auction": str(auction),
    }


@dataclass(frozen=True)
class Award:
    """What an auction decided, with the facts that said so; nothing is agreed in writing yet."""

    work_id: UUID
    listing: dict[str, Any]
    published: UUID
    award: dict[str, Any]
    made: UUID


async def awarded(
    session: AsyncSession,
    *,
    licensor: Party,
    licensee: Party,
    amount_minor: int = 120_000_000,
    subject: Work | None = None,
    now: datetime,
) -> Award:
    """A listing with reserved rights whose auction the licensee has won."""
    made = subject or await work(session, party_id=licensor.id, now=now)
    listing, auction = ids.new(now), ids.new(now)
    record = listing_record(made.id, licensor, listing=listing, auction=auction, now=now)
    published = await facts.record(
        session, "listing.published", listing, record, parties=[licensor.id], now=now
    )
    await titles.reserve(
        session, made.id, grantor_id=licensor.id, boxes=[RIGHTS], source=str(listing), now=now
    )
    award = {
        "auction": str(auction),
        "listing": str(listing),
        "work": str(made.id),
        "licensor": str(licensor.id),
        "licensee": str(licensee.id),
        "bid": str(ids.new(now)),
        "amount_minor": amount_minor,
        "currency": "CNY",
        "rights": None,
        "price": None,
    }
    sides = [licensor.id, licensee.id]
    fact = await facts.record(session, "award.made", auction, award, parties=sides, now=now)
    return Award(made.id, record, published, award, fact)


async def opened_deal(
    session: AsyncSession,
    *,
    licensor: Party,
    licensee: Party,
    now: datetime,
    amount_minor: int = 120_000_000,
    subject: Work | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Deal:
    """A deal whose terms are frozen; `changes` replace fields of the listing's record."""
    won = await awarded(
        session,
        licensor=licensor,
        licensee=licensee,
        amount_minor=amount_minor,
        subject=subject,
        now=now,
    )
    return await opening.open_deal(
        session,
        rules.deal_id_of(won.made),
        work_id=won.work_id,
        listing={**won.listing, **(changes or {})},
        award=won.award,
        licensor=licensor,
        licensee=licensee,
        anchor={"fact": str(won.published), "log": LOG},
        now=now,
    )


async def certified_deal(
    session: AsyncSession,
    authority: LocalAuthority,
    *,
    licensor: Party,
    licensee: Party,
    now: datetime,
) -> Deal:
    deal = await opened_deal(session, licensor=licensor, licensee=licensee, now=now)
    return await service.certify(
        session, deal.id, press=PRESS, certifier=authority.certifier, now=now
    )


async def sign(
    session: AsyncSession, authority: LocalAuthority, deal: Deal, who: Signatory, *, now: datetime
) -> Deal:
    """Both phases of a signature."""
    session_id = ids.new(now)
    begun, _ = await service.open_session(
        session,
        deal.id,
        session_id,
        party_id=who.party.id,
        key_id=who.key.id,
        press=PRESS,
        now=now,
    )
    return await service.complete_session(
        session,
        deal.id,
        session_id,
        party_id=who.party.id,
        signature=signer.sign_tbs(who.key_pem, begun.tbs),
        certifier=authority.certifier,
        now=now,
    )


async def executed_deal(session: AsyncSession, *, now: datetime, keys_dir: Path) -> Deal:
    """A deal signed by everybody; its rights are granted."""
    authority = LocalAuthority.ensure(keys_dir, now)
    licensor = await signatory(session, authority, kind="rights_holder", now=now)
    licensee = await signatory(session, authority, kind="broadcaster", now=now)
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=now
    )
    await sign(session, authority, deal, licensor, now=now)
    return await sign(session, authority, deal, licensee, now=now)
