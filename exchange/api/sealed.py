"""Sealed bids (密封报价): the key that opens them, its three holders, and the opening."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from contracts import canonical
from contracts.canonical import NotCanonical
from contracts.refusal import (
    CommitUnknown,
    IdReused,
    InvalidContent,
    Malformed,
    Unknown,
)
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.identity.rules import Caller, Role
from listings.auctions import queries as auctions
from listings.sealed import keys, queries, rules, service
from listings.sealed.ceremony import FalseShare
from listings.sealed.opening import BadOpeningKey
from listings.sealed.rules import (
    BidReplaced,
    Found,
    NotTheHolder,
    OpeningDone,
    OpeningNotDue,
    RevealMismatch,
    RevealOver,
)
from listings.sealed.sharing import HOLDERS
from listings.sealed.tables import SealedKey

router = APIRouter(route_class=JsonRoute, tags=["sealed bids"])

HOLDER_OF = {Role.HOLDER: "seller", Role.OPERATOR: "exchange", Role.AUDITOR: "auditor"}
Holder = Literal["seller", "exchange", "auditor"]
Point = Annotated[
    str, Field(pattern="^04[0-9a-f]{128}$", description="An uncompressed P-256 point.")
]
Hex32 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
EXAMPLE: dict[str, Any] = {
    "version": 1,
    "auction": "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01",
    "public": (
        "046379840bb200afdaba988fbc1b83e4291afbaa7c1a4b6f7df94d353251078191"
        "8ba045a47f2830ab106a049623cb7052154dd8f4be24e44ef12ff5cd28e3ed82"
    ),
    "plain_bytes": 1024,
    "reveal_s": 86_400,
    "shares": [
        {
            "holder": "seller",
            "x": 1,
            "point": (
                "04e7be240592622c2cf6d34f70c0f7b6774e12b7f101d8b747502a6682a30849a3"
                "0d7b0627b40e30f7d689e3cba12e445300ea2cdc1ab1226a31670954a64df28e"
            ),
        },
        {
            "holder": "exchange",
            "x": 2,
            "point": (
                "04a55b6cf26d6ac95cb12d5355b13ebb91e587646e72bc72cfb0073f031f86885b"
                "0cf43f7a93e746f797922f6ecf1ac870856afc1937b7ab6c5c6495a526137e72"
            ),
        },
        {
            "holder": "auditor",
            "x": 3,
            "point": (
                "04a2b9c65926aa9a65fbef7d6dd9a2cf0e8277ecb0f40decd02c01a1fc6ab7a673"
                "ba4c4a83fc7354445b7a8af36739205fb9d3217a6f3902501462169464b74ab5"
            ),
        },
    ],
}


class SharePoint(Shape):
    """A share of the key, by the point that proves it without telling it."""

    holder: Holder
    x: Annotated[int, Field(strict=True, ge=1, le=3)]
    point: Point


class OpeningKeyIn(Shape):
    """`opening.json` as `exchange sealed keygen` or `combine` wrote it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    version: Literal[1]
    auction: UUID
    public: Point
    plain_bytes: Annotated[
        int, Field(strict=True, description="The one length of what is sealed, in bytes.")
    ]
    reveal_s: Annotated[
        int,
        Field(strict=True, description="How long bidders may open their bids themselves, seconds."),
    ]
    shares: Annotated[list[SharePoint], Field(min_length=3, max_length=3)]


class HolderOut(Shape):
    """One of the three who hold a share."""

    holder: Holder
    acknowledged_at: Annotated[
        datetime | None, Field(description="When it showed that it has its share.")
    ]
    handed_in_at: Annotated[datetime | None, Field(description="When it handed its share in.")]


class OpeningKeyOut(Shape):
    """A registered key; an auction opens with it once all three have acknowledged."""

    auction_id: UUID
    key: dict[str, Any]
    key_sha256: str
    registered_at: datetime
    holders: list[HolderOut]


class AcknowledgementIn(Shape):
    """An ECDSA signature (P-256, SHA-256, DER) that the share itself made over the key's hash."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"signature": "3006020101020101"}]})

    signature: Annotated[str, Field(pattern="^([0-9a-f]{2}){8,80}$")]


class ReleaseIn(Shape):
    """A share: 32 bytes, big endian, in hexadecimal."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"share": "5a" * 32}]})

    share: Hex32


class RevealIn(Shape):
    """What was sealed, exactly as it was kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "content": {"amount_minor": 101_000_000, "currency": "CNY"},
                    "nonce": "5a" * 32,
                }
            ]
        }
    )

    content: Annotated[dict[str, Any], Field(max_length=10)]
    nonce: Hex32


class OpeningOut(Shape):
    """How the opening stands; what was opened is shown all at once, with the key that opened it."""

    auction_id: UUID
    state: Literal["not-sealed", "sealed", "closed", "opened", "void"]
    key: dict[str, Any] | None
    holders: list[HolderOut]
    reveal_until: datetime | None
    opened: dict[str, Any] | None


@router.put(
    "/auctions/{auction_id}/opening-key",
    status_code=201,
    responses={
        200: {"model": OpeningKeyOut, "description": "It was registered before."},
        **problems.signed(Malformed, IdReused, BadOpeningKey, CommitUnknown),
    },
)
async def register_opening_key(
    auction_id: UUID,
    given: OpeningKeyIn,
    now: Now,
    session: Session,
    caller: Signed,
    response: Response,
) -> OpeningKeyOut:
    """Register the key of an auction to come, under the id that its listing will name."""
    caller.need("list", Role.HOLDER)
    key, created = await keys.register(
        session, auction_id, given.model_dump(mode="json"), party_id=caller.party_id, now=now
    )
    response.status_code = 201 if created else 200
    return await _key_out(session, key)


@router.get("/auctions/{auction_id}/opening-key", responses=problems.signed(Unknown))
async def get_opening_key(auction_id: UUID, session: Session, caller: Signed) -> OpeningKeyOut:
    """Show a key and who has acknowledged it, to the seller and to staff."""
    caller.need("read")
    key = await queries.get_key(session, auction_id)
    if not caller.is_staff and caller.party_id != key.party_id:
        raise Unknown("There is no opening key of this auction.")
    return await _key_out(session, key)


@router.put(
    "/auctions/{auction_id}/opening-key/acknowledgements/{holder}",
    responses=problems.signed(Malformed, Unknown, NotTheHolder, FalseShare, CommitUnknown),
)
async def acknowledge_share(
    auction_id: UUID,
    holder: Holder,
    given: AcknowledgementIn,
    *,
    now: Now,
    session: Session,
    caller: Signed,
) -> OpeningKeyOut:
    """Show that one has one's share, without telling it: the seller, an operator, an auditor."""
    _need_holder(caller, holder)
    await keys.acknowledge(
        session,
        auction_id,
        holder,
        signature=bytes.fromhex(given.signature),
        party_id=caller.party_id,
        person_id=caller.person_id,
        now=now,
    )
    return await _key_out(session, await queries.get_key(session, auction_id))


@router.put(
    "/auctions/{auction_id}/opening/shares/{holder}",
    responses=problems.signed(
        Malformed, Unknown, NotTheHolder, FalseShare, OpeningNotDue, OpeningDone,
        CommitUnknown,
    ),
)  # fmt: skip
async def release_share(
    auction_id: UUID,
    holder: Holder,
    given: ReleaseIn,
    *,
    now: Now,
    session: Session,
    caller: Signed,
) -> OpeningOut:
    """Hand a share in after the close; the second of two opens every bid, all at once."""
    _need_holder(caller, holder)
    await service.hand_in(
        session,
        auction_id,
        holder,
        int(given.share, 16),
        party_id=caller.party_id,
        person_id=caller.person_id,
        now=now,
    )
    return await get_opening(auction_id, session)


@router.put(
    "/auctions/{auction_id}/bids/{bid_id}/opening",
    responses=problems.signed(
        Malformed, Unknown, NotCanonical, OpeningNotDue, OpeningDone, RevealOver,
        BidReplaced, RevealMismatch, CommitUnknown,
    ),
)  # fmt: skip
async def reveal_bid(
    auction_id: UUID,
    bid_id: UUID,
    given: RevealIn,
    *,
    now: Now,
    session: Session,
    caller: Signed,
) -> OpeningOut:
    """Open one's own bid after the close, in case fewer than two shares come. Shown with the rest.

    Nobody else sees it before all are opened.
    """
    caller.need("bid", Role.BROADCASTER)
    await service.reveal(
        session,
        auction_id,
        bid_id,
        Found(given.content, bytes.fromhex(given.nonce)),
        party_id=caller.party_id,
        person_id=caller.person_id,
        now=now,
    )
    return await get_opening(auction_id, session)


@router.get("/auctions/{auction_id}/opening", responses=problems.responses(Unknown, InvalidContent))
async def get_opening(auction_id: UUID, session: Session) -> OpeningOut:
    """Show how the opening of an auction's bids stands. Public."""
    auction = await auctions.get_auction(session, auction_id)
    book = auctions.book(auction)
    if book.secrecy["amounts"] != "sealed":
        return OpeningOut(
            auction_id=auction_id, state="not-sealed", key=None, holders=[], reveal_until=None,
            opened=None,
        )  # fmt: skip
    key = await queries.get_key(session, auction_id)
    lot = await queries.lot(session, auction, reveal_s=keys.parsed(key).reveal_s)
    return OpeningOut(
        auction_id=auction_id,
        state=_state(lot),
        key=canonical.loads(key.document),
        holders=await _holders(session, auction_id),
        reveal_until=lot.reveal_until if lot.is_closed else None,
        opened=await queries.revealed(session, auction_id),
    )


def _need_holder(caller: Caller, holder: str) -> None:
    """Check that the caller acts for the holder.

    The scope is `read`, all that an auditor's key covers; the share itself is what has force.
    """
    caller.need("read", *HOLDER_OF)
    if HOLDER_OF[caller.role] != holder:
        raise NotTheHolder("This share is another holder's.", holder=HOLDER_OF[caller.role])


def _state(lot: rules.Lot) -> Literal["sealed", "closed", "opened", "void"]:
    if lot.is_opened:
        return "opened"
    if lot.is_void:
        return "void"
    return "closed" if lot.is_closed else "sealed"


async def _key_out(session: Session, key: SealedKey) -> OpeningKeyOut:
    return OpeningKeyOut(
        auction_id=key.auction_id,
        key=canonical.loads(key.document),
        key_sha256=key.key_sha256,
        registered_at=key.registered_at,
        holders=await _holders(session, key.auction_id),
    )


async def _holders(session: Session, auction_id: UUID) -> list[HolderOut]:
    known = await queries.acknowledgements(session, auction_id)
    handed = await queries.shares(session, auction_id)
    return [
        HolderOut(
            holder=holder,
            acknowledged_at=known[holder].acknowledged_at if holder in known else None,
            handed_in_at=handed[holder].handed_in_at if holder in handed else None,
        )
        for holder in HOLDERS
    ]
