"""Opening keys and sealed bids for tests."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids, rfc3339
from contracts.parties import service as parties
from contracts.parties.rules import EXCHANGE_PARTY_ID
from listings.admissions import service as admissions
from listings.auctions import ending, placing
from listings.auctions import service as auctions
from listings.auctions.arrivals import Arrival
from listings.auctions.tables import Auction
from listings.sealed import ceremony, commitment, envelope, keys, opening, queries, service
from listings.sealed.curve import Point
from listings.sealed.envelope import Sealed
from listings.sealed.opening import Opening
from listings.sealed.rules import Found
from listings.sealed.sharing import HOLDERS
from tests.conftest import NOW
from tests.listings.auctions_factory import enrol

AUCTION = UUID("0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a02")
LISTING = UUID("0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a03")


@dataclass(frozen=True)
class Ceremony:
    """A key as its makers and holders know it: everything, in one place, which nobody has."""

    opening: Opening
    shares: dict[str, int]
    files: dict[str, dict[str, Any]]
    keys: dict[str, int]  # the private key of each holder

    @property
    def wire(self) -> dict[str, Any]:
        return self.opening.wire()

    def acknowledged(self, holder: str) -> str:
        return envelope.have_share(self.shares[holder], self.opening).hex()

    def share(self, holder: str) -> str:
        return self.shares[holder].to_bytes(32).hex()


def openssl(scalar: int) -> Point:
    """A multiple of the base point, as OpenSSL finds it."""
    numbers = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    return Point(numbers.x, numbers.y)


def ceremony_of(
    auction: UUID = AUCTION, *, plain_bytes: int = 1024, reveal_s: int = 3600
) -> Ceremony:
    """Hold a ceremony for an auction."""
    keys = {holder: envelope.draw()[0] for holder in HOLDERS}
    made, files = ceremony.generate(
        auction,
        holders={holder: envelope.point_of(keys[holder]) for holder in HOLDERS},
        plain_bytes=plain_bytes,
        reveal_s=reveal_s,
    )
    shares = {
        holder: ceremony.read_share(files[holder], opening=made, private=keys[holder])
        for holder in HOLDERS
    }
    return Ceremony(opening.parse(made.wire(), auction=auction), shares, files, keys)


@dataclass
class Room:
    """A sealed auction that is open, its key, its seller, and bidders with their paddles."""

    session: AsyncSession
    auction: Auction
    held: Ceremony
    seller: UUID
    paddles: dict[UUID, int]

    @property
    def bidders(self) -> list[UUID]:
        return list(self.paddles)

    def sealed(self, party: UUID, amount_minor: int, **more: Any) -> Sealed:
        """A bid sealed as its bidder does it."""
        content = {"amount_minor": amount_minor, "currency": "CNY", **more}
        return envelope.seal(
            self.held.opening, listing=self.auction.listing_id, paddle=self.paddles[party],
            content=content,
        )  # fmt: skip

    async def send(
        self, party: UUID, content: dict[str, Any], *, at: datetime | None = None
    ) -> UUID:
        """Send a content as it is; the bid's id comes back."""
        bid_id = ids.new(NOW)
        received_at = at or self.auction.opens_at + timedelta(seconds=1)
        arrival = Arrival(bid_id, party, ids.new(NOW), content, received_at)
        await placing.place_bid(self.session, self.auction.id, arrival, now=received_at)
        return bid_id

    async def bid(self, party: UUID, amount_minor: int, **more: Any) -> UUID:
        return await self.send(party, self.sealed(party, amount_minor, **more).content)

    async def close(self) -> None:
        row = await auctions.locked(self.session, self.auction.id)
        await ending.close(self.session, row, now=row.closes_at)

    @property
    def closed_at(self) -> datetime:
        return self.auction.closes_at

    async def hand_in(
        self, holder: str, *, share: int | None = None, party: UUID | None = None,
        at: datetime | None = None,
    ) -> None:  # fmt: skip
        await service.hand_in(
            self.session, self.auction.id, holder,
            self.held.shares[holder] if share is None else share,
            party_id=party or (self.seller if holder == "seller" else EXCHANGE_PARTY_ID),
            person_id=ids.new(NOW), now=at or self.closed_at,
        )  # fmt: skip

    async def reveal(
        self, party: UUID, bid_id: UUID, content: dict[str, Any], nonce: bytes,
        *, at: datetime | None = None,
    ) -> None:  # fmt: skip
        await service.reveal(
            self.session, self.auction.id, bid_id, Found(content, nonce),
            party_id=party, person_id=ids.new(NOW), now=at or self.closed_at,
        )  # fmt: skip

    async def revealed(self) -> dict[str, Any] | None:
        return await queries.revealed(self.session, self.auction.id)

    async def result(self) -> dict[str, Any] | None:
        await self.session.refresh(self.auction)
        return None if self.auction.result is None else dict(canonical.loads(self.auction.result))


def sale_of(held: Ceremony, *, method: str = "sealed", **changes: Any) -> dict[str, Any]:
    """Terms of a sealed sale: floor 1000.00 CNY, an hour long."""
    return {
        "method": method,
        "auction_id": str(held.opening.auction),
        "currency": "CNY",
        "floor_minor": 100_000,
        "opens_at": rfc3339.exact(NOW),
        "closes_at": rfc3339.exact(NOW + timedelta(hours=1)),
        "secrecy": {"bidders": "hidden", "amounts": "sealed"},
        "opening": held.wire,
        **changes,
    }


async def prepared(
    session: AsyncSession, held: Ceremony, seller: UUID, *, holders: tuple[str, ...] = HOLDERS
) -> None:
    """Register a key and have holders acknowledge it."""
    await parties.ensure_exchange(session, now=NOW)
    auction = held.opening.auction
    await keys.register(session, auction, held.wire, party_id=seller, now=NOW)
    for holder in holders:
        await keys.acknowledge(
            session, auction, holder, signature=bytes.fromhex(held.acknowledged(holder)),
            party_id=seller if holder == "seller" else EXCHANGE_PARTY_ID,
            person_id=ids.new(NOW), now=NOW,
        )  # fmt: skip


async def opened_room(
    session: AsyncSession, *, bidders: int = 3, reveal_s: int = 3600, **changes: Any
) -> Room:
    """Open a sealed auction and admit bidders to it."""
    held = ceremony_of(ids.new(NOW), reveal_s=reveal_s)
    seller = (await enrol(session, now=NOW, kind="rights_holder")).id
    await prepared(session, held, seller)
    auction = await auctions.open_auction(
        session, held.opening.auction, listing_id=ids.new(NOW), work_id=ids.new(NOW),
        seller_id=seller, sale=sale_of(held, **changes), now=NOW,
    )  # fmt: skip
    enrolled = [(await enrol(session, now=NOW)).id for _ in range(bidders)]
    admitted = await admissions.loaded(session, auction, enrolled, now=NOW)
    paddles = {party: admitted[party].paddle or 0 for party in enrolled}
    return Room(session, auction, held, seller, paddles)


async def facts_of(room: Room, kind: str) -> list[dict[str, Any]]:
    rows = await room.session.execute(
        text("SELECT record FROM fact WHERE subject = :a AND kind = :k ORDER BY id"),
        {"a": room.auction.id, "k": kind},
    )
    return [canonical.loads(record) for record in rows.scalars()]


def garbage(room: Room) -> dict[str, str]:
    raw = bytearray(room.held.opening.plain_bytes + commitment.OVERHEAD)
    raw[:2] = b"\x01\x04"
    return {"commitment": "ab" * 32, "sealed": commitment.encoded(bytes(raw))}
