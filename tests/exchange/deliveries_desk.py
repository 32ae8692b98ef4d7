"""A deal about a film whose bytes the test has, and clients for whoever looks at it."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.deals.tables import Deal
from contracts.facts import service as facts
from exchange import clock, keys
from exchange.app import create_app
from exchange.context import Context
from listings.deliveries import envelopes
from listings.masters import chunks
from listings.masters.tables import Master
from tests.contracts.deals_factory import opened_deal
from tests.contracts.parties_factory import party
from tests.exchange import identity_factory as identity
from tests.exchange.portal_site import turn
from tests.listings.deliveries_factory import Handover
from tests.listings.masters_factory import ready_master

PLACE = "https://delivery.licensor.example/film.mxf.sealed"


@dataclass
class Hands:
    """The two sides of an executed deal, a stranger and the staff."""

    context: Context
    deal: Deal
    licensor: httpx.AsyncClient
    licensee: httpx.AsyncClient
    stranger: httpx.AsyncClient
    auditor: httpx.AsyncClient
    private: X25519PrivateKey  # of the licensee

    @property
    def path(self) -> str:
        return f"/v1/deals/{self.deal.id}/deliveries"

    @property
    def escrow(self) -> bytes:
        return keys.escrow_key(self.context.settings).public

    def said(self, delivery: Handover, place: str = PLACE) -> dict[str, Any]:
        sealed = base64.b64encode(delivery.escrow(self.escrow)).decode()
        return {"manifest": delivery.manifest.wire(), "escrow_b64": sealed, "place": place}

    async def offer(self, delivery: Handover) -> str:
        """Offer a delivery; return its path."""
        path = f"{self.path}/{ids.new(clock.now())}"
        answer = await self.licensor.put(path, json=self.said(delivery))
        assert answer.status_code == 201, answer.text
        return path

    async def register(self, private: X25519PrivateKey | None = None) -> str:
        """Register the licensee's key; return its id."""
        public = base64.b64encode(envelopes.public_of(private or self.private)).decode()
        key_id = ids.new(clock.now())
        path = f"/v1/parties/{self.deal.licensee_id}/delivery-keys/{key_id}"
        answer = await self.licensee.put(path, json={"public_b64": public})
        assert answer.status_code == 201, answer.text
        return str(key_id)

    async def pay(self) -> None:
        """Book the settlement as payouts do; nothing is sealed yet."""
        said = {"deal": str(self.deal.id), "payout": str(ids.new(clock.now())),
                "postings_sha256": "ab" * 32}  # fmt: skip
        sides = [self.deal.licensor_id, self.deal.licensee_id]
        async with self.context.db.transaction() as session:
            await facts.record(
                session, "settlement.booked", self.deal.id, said, parties=sides, now=clock.now()
            )

    async def turn(self, about: UUID | None = None) -> None:
        """What the worker does: seal, and run what that wakes about the deal."""
        await turn(self.context, about=about or self.deal.id)

    async def released(self, delivery: Handover) -> str:
        """Offer, register, pay and wait; return the delivery's path."""
        path = await self.offer(delivery)
        await self.register()
        await self.pay()
        await self.turn()
        await self.turn()
        return path

    async def state(self, path: str) -> str:
        """The state of a delivery."""
        told = (await self.licensor.get(self.path)).json()
        return next(one["state"] for one in told["items"] if one["id"] == path.rpartition("/")[2])


async def master_of(
    session: AsyncSession, plain: bytes, *, party_id: UUID, now: datetime
) -> Master:
    """A ready master that consists of these bytes."""
    master = await ready_master(session, party_id=party_id, work_id=None, now=now)
    sums = chunks.sums([plain])
    master.sha256, master.chunk_root = sums.sha256, sums.chunk_root
    master.declared_bytes = master.received_bytes = sums.bytes
    await session.flush()
    return master


async def in_force(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Put a deal in force as its last signature does; how that comes about is tested elsewhere."""
    deal.base_sha256 = deal.pdf_sha256 = "ab" * 32
    deal.signing, deal.performance, deal.executed_at = "executed", "effective", now
    await session.flush()


@asynccontextmanager
async def hands(context: Context, plain: bytes) -> AsyncIterator[Hands]:
    """A deal in force about these bytes."""
    now, who = clock.now(), {}
    async with context.db.transaction() as session:
        one = await party(session, kind="rights_holder", now=now)
        two = await party(session, kind="broadcaster", now=now)
        other = await party(session, kind="broadcaster", now=now)
        master = await master_of(session, plain, party_id=one.id, now=now)
        listed = {"master": str(master.id), "master_sha256": master.sha256}
        deal = await opened_deal(session, licensor=one, licensee=two, changes=listed, now=now)
        await in_force(session, deal, now=now)
        for name, role, of in (
            ("licensor", "holder", one), ("licensee", "broadcaster", two),
            ("stranger", "broadcaster", other), ("auditor", "auditor", one),
        ):  # fmt: skip
            made = await identity.person(session, party_id=of.id, role=role, now=now)
            who[name] = await identity.api_key(session, person=made, now=now)
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=transport, base_url="http://exchange.test",
                    headers=identity.headers(key),
                )
            )
            for name, key in who.items()
        }  # fmt: skip
        yield Hands(context, deal, **clients, private=X25519PrivateKey.generate())
