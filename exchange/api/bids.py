"""Bids: placing them (answered at `exchange.door`), and their receipts."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field, StrictInt

from contracts.log import queries as log
from contracts.log.rules import NotSealedYet
from contracts.money import MOST_MINOR, AmountOutOfRange, WrongCurrency
from contracts.refusal import (
    CommitUnknown,
    IdReused,
    InvalidContent,
    Malformed,
    NotAllowed,
    Unknown,
)
from exchange import receipts
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Session, Shape, Signed
from exchange.bidding import ClockApart, TooManyBids, Undecided
from exchange.db import DatabaseAway
from exchange.identity.rules import ScopeMissing, SignInNeeded
from exchange.signing import BadBidSignature, SignatureExpired
from listings.admissions import rules as admissions
from listings.auctions import deciding, queries, refusals
from listings.auctions.arrivals import Placed
from listings.auctions.ingress import IngressLost, NotDurable

router = APIRouter(route_class=JsonRoute, tags=["auctions"])

_AUCTION = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_BID = "0199a3c0-8f22-7b6a-8a11-5d2f6a1f0b02"
_SHA256 = "5d1c0f0bdc0a0f1a6c2a1cb2b1d1b7f6e6e1b6d7c1b1a0e9f8d7c6b5a4938271"
Amount = Annotated[int, Field(strict=True, ge=1, le=MOST_MINOR)]


class PackageIn(Shape):
    """One of the packages of which a bidder takes at most one (XOR)."""

    cells: list[str]
    amount_minor: Amount


class BidSignatureIn(Shape):
    """An Ed25519 signature over the canonical bid."""

    key: UUID
    client_time: datetime
    expires_at: datetime
    value: Annotated[str, Field(description="base64")]


class BidIn(Shape):
    """A bid; which members it has is a matter of the auction's method.

    Amounts are whole minor units (分) of the auction's currency. Open methods and readable sealed
    bids: `amount_minor`, `currency` (Dutch: and `tick`; weighted: and `values`). Sealed bids:
    `commitment`, `sealed`. Packages: `currency`, `packages`. First refusal: `match`.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"amount_minor": 101_000_000, "currency": "CNY"}]}
    )

    amount_minor: Amount | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    tick: StrictInt | None = None
    values: dict[str, StrictInt] | None = None
    packages: list[PackageIn] | None = None
    commitment: str | None = None
    sealed: str | None = None
    match: Literal[True] | None = None
    rulebook_sha256: str | None = None
    signature: BidSignatureIn | None = None


class ReceiptOut(Shape):
    """What the exchange signs for a bid: Ed25519 over the RFC 8785 bytes of `receipt`."""

    receipt: dict[str, Any]
    key: Annotated[str, Field(description="SHA-256 of the key's SubjectPublicKeyInfo.")]
    signature: Annotated[str, Field(description="base64")]


class SealedReceiptOut(ReceiptOut):
    """A receipt with the place of the bid's fact in the public log, once it has one."""

    log_index: int | None
    leaf_sha256: str | None


class ReceiptKeyOut(Shape):
    """The key that signs receipts."""

    key: str
    public_key_pem: str


class BidOut(Shape):
    """An accepted bid, as it was answered first; for the present standing ask the auction."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _BID,
                    "auction_id": _AUCTION,
                    "amount_minor": 101_000_000,
                    "currency": "CNY",
                    "paddle": 2,
                    "sequence": 17,
                    "received_at": "2026-11-22T09:00:00.123456Z",
                    "leading": True,
                    "closes_at": "2026-11-22T09:10:00Z",
                    "receipt": {
                        "receipt": {
                            "v": receipts.VERSION,
                            "auction": _AUCTION,
                            "bid": _BID,
                            "sequence": 17,
                            "event_sha256": _SHA256,
                            "received_at": "2026-11-22T09:00:00.123456Z",
                            "rulebook_sha256": _SHA256,
                            "fact": _BID,
                            "commitment": _SHA256,
                        },
                        "key": _SHA256,
                        "signature": "c2lnbmF0dXJl",
                    },
                }
            ]
        }
    )

    id: UUID
    auction_id: UUID
    amount_minor: int | None
    currency: str
    paddle: Annotated[int | None, Field(description="Null while bidders stay hidden.")]
    sequence: Annotated[
        int | None, Field(description="The bid's number in the auction's log; null while hidden.")
    ]
    received_at: datetime
    leading: Annotated[bool | None, Field(description="It led when accepted; null if not open.")]
    closes_at: Annotated[datetime, Field(description="The close as this bid left it.")]
    receipt: ReceiptOut


@router.put(
    "/auctions/{auction_id}/bids/{bid_id}",
    responses={
        200: {"model": BidOut, "description": "The bid was accepted before; its first answer."},
        201: {"model": BidOut, "description": "The bid is accepted."},
        **problems.responses(
            SignInNeeded, ScopeMissing, NotAllowed, Unknown, IdReused, InvalidContent, Malformed,
            admissions.OwnListing, admissions.BidderNotVerified, admissions.NotAdmitted,
            admissions.DepositAgreementUnsigned,
            admissions.DepositLapsed,
            admissions.RelatedToSeller, admissions.Blocked, admissions.CapExceeded,
            admissions.ExposureExceeded, deciding.OtherRules, BadBidSignature, SignatureExpired,
            refusals.BidTooLow, refusals.AuctionClosed, refusals.AuctionNotOpen,
            refusals.AuctionPaused, WrongCurrency, AmountOutOfRange, CommitUnknown, DatabaseAway,
            TooManyBids, ClockApart, Undecided, IngressLost, NotDurable,
        ),
    },
)  # fmt: skip
async def place_bid(auction_id: UUID, bid_id: UUID, given: BidIn) -> BidOut:
    """Bid. The answer leaves after the bid is stored for good; repeating it changes nothing."""
    raise NotImplementedError("exchange.door answers bids before they come here")


@router.get(
    "/auctions/{auction_id}/bids/{bid_id}/receipt",
    responses=problems.responses(SignInNeeded, ScopeMissing, Unknown, InvalidContent),
)
async def get_receipt(
    auction_id: UUID, bid_id: UUID, context: Ctx, session: Session, caller: Signed
) -> SealedReceiptOut:
    """Show the receipt of one's own bid again, with its place in the public log once it has one."""
    caller.need("read")
    auction = await queries.get_auction(session, auction_id)
    bid = await queries.get_bid(session, auction_id, bid_id)
    if bid.party_id != caller.party_id or bid.event_sha256 is None:
        raise Unknown("There is no such bid.")
    placed = Placed.again(bid, queries.book(auction))
    is_over = auction.state in ("closed", "void")
    shown = placed.sequence if is_over or not placed.is_hidden else None
    signed = receipts.signer(context.settings).sign(receipts.body(placed, sequence=shown))
    index, leaf = None, None
    try:
        if bid.fact_id is not None:
            proof = await log.proof_of_fact(session, bid.fact_id)
            index, leaf = proof.entry.seq, proof.entry.leaf_hash.hex()
    except (NotSealedYet, Unknown):
        pass  # it waits for its number, or for the close
    return SealedReceiptOut(**signed, log_index=index, leaf_sha256=leaf)


@router.get("/receipt-key")
async def get_receipt_key(context: Ctx) -> ReceiptKeyOut:
    """Show the public key that receipts are checked with. Public."""
    signer = receipts.signer(context.settings)
    return ReceiptKeyOut(key=signer.spki_sha256, public_key_pem=signer.public_pem)
