"""Signed bids (签名报价): an Ed25519 signature over the canonical bid, checked at the door.

The message binds the bid to its auction, rules, listing, bidder, content and time, so that it is
good for nothing else. Keys are those the party registered; one revoked before the bid came in, or
registered after it, does not sign.

Source: RFC 8032 (Ed25519), RFC 8785 (canonical bytes).
"""

import base64
import binascii
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from contracts import canonical
from contracts.parties import queries as parties
from contracts.refusal import InvalidContent, Kind, Refusal
from exchange.db import Database
from listings.auctions import queries as auctions
from listings.auctions.arrivals import Arrival, Signature

VERSION = "uhdx/bid/v1"
MEMBERS = {"key", "client_time", "expires_at", "value"}
MOST_KNOWN = 20_000


class BadBidSignature(Refusal):
    """The signature is not one of this key over this bid."""

    kind, code = Kind.INVALID, "bad-bid-signature"
    hint = (
        "Sign the RFC 8785 bytes of {v, auction, rulebook_sha256, listing, bid, party, key, "
        "content, client_time, expires_at} with a registered Ed25519 key."
    )


class SignatureExpired(Refusal):
    """The signed bid was good until an instant that has passed."""

    kind, code = Kind.CONFLICT, "signature-expired"
    hint = "Sign the bid again with a later `expires_at`."


class Signing:
    """Checks signatures of bids; which listing an auction sells is looked up once."""

    def __init__(self, db: Database) -> None:
        """Prepare."""
        self._db = db
        self._listings: dict[UUID, UUID] = {}

    async def checked(self, auction_id: UUID, arrival: Arrival, given: Any) -> Arrival:
        """Return the arrival with its signature, known to be good.

        Raises:
            InvalidContent: a member is missing or no such thing.
            BadBidSignature: the key does not sign for the party now, or did not sign this.
            SignatureExpired: it was good until before the bid came in.
        """
        key_id, signature, expires_at = _read(given)
        if arrival.rulebook_sha256 is None:
            raise _invalid("rulebook_sha256", "a signed bid names its rules")
        message = {
            "v": VERSION,
            "auction": str(auction_id),
            "rulebook_sha256": arrival.rulebook_sha256,
            "listing": str(await self._listing(auction_id)),
            "bid": str(arrival.bid_id),
            "party": str(arrival.party_id),
            "key": str(key_id),
            "content": dict(arrival.content),
            "client_time": given["client_time"],
            "expires_at": given["expires_at"],
        }
        raw = canonical.dumps(message)
        key = await self._key(arrival.party_id, key_id)
        if key is None or not key.signs_at(arrival.received_at):
            raise BadBidSignature("This key does not sign for your organisation now.")
        try:
            key.public.verify(signature, raw)
        except InvalidSignature as error:
            raise BadBidSignature("The signature is not of this bid.") from error
        if arrival.received_at >= expires_at:
            raise SignatureExpired("The signed bid has expired.", expires_at=given["expires_at"])
        signed = Signature(key_id, given["value"], raw, canonical.sha256_hex(raw))
        return replace(arrival, signed=signed)

    async def _listing(self, auction_id: UUID) -> UUID:
        known = self._listings.get(auction_id)
        if known is None:
            async with self._db.transaction() as session:
                known = (await auctions.get_auction(session, auction_id)).listing_id
            if len(self._listings) >= MOST_KNOWN:
                self._listings.clear()
            self._listings[auction_id] = known
        return known

    async def _key(self, party_id: UUID, key_id: UUID) -> "_Key | None":
        """Read the key each time: one that was just revoked signs nothing more."""
        async with self._db.transaction() as session:
            row = await parties.find_key(session, party_id, key_id)
        if row is None:
            return None
        public = load_pem_public_key(row.public_key_pem.encode())
        if not isinstance(public, Ed25519PublicKey):
            return None
        return _Key(public, row.registered_at, row.revoked_at)


class _Key:
    """A registered key and when it is good."""

    def __init__(
        self, public: Ed25519PublicKey, registered_at: datetime, revoked_at: datetime | None
    ) -> None:
        self.public, self._from, self._until = public, registered_at, revoked_at

    def signs_at(self, at: datetime) -> bool:
        return self._from <= at and (self._until is None or at < self._until)


def _read(given: Any) -> tuple[UUID, bytes, datetime]:
    if not isinstance(given, dict) or set(given) != MEMBERS:
        raise _invalid("signature", "key, client_time, expires_at and value")
    if not all(isinstance(value, str) and len(value) <= 200 for value in given.values()):
        raise _invalid("signature", "texts")
    try:
        key_id = UUID(given["key"])
        signature = base64.b64decode(given["value"], validate=True)
        expires_at = datetime.fromisoformat(given["expires_at"])
        client_time = datetime.fromisoformat(given["client_time"])
    except (ValueError, binascii.Error) as error:
        raise _invalid("signature", "a UUID, two instants, base64") from error
    if expires_at.tzinfo is None or client_time.tzinfo is None:
        raise _invalid("signature", "instants name their zone")
    if str(key_id) != given["key"]:
        raise _invalid("signature.key", "a UUID in lower case with hyphens")
    return key_id, signature, expires_at


def _invalid(field: str, rule: str) -> InvalidContent:
    return InvalidContent("A field breaks its rule.", errors=[{"field": field, "rule": rule}])
