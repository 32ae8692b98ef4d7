"""Live streams: one auction, and all that concerns one's own account."""

from uuid import UUID

from fastapi import APIRouter, Request

from contracts import canonical
from contracts.log.queries import BEFORE_ALL
from contracts.refusal import InvalidContent, Unknown
from exchange import streams
from exchange.api import problems
from exchange.api.deps import MaybeCaller, Session, Signed
from exchange.api.facts import STREAM, After, IdleS, LastEventId, stream
from exchange.identity.rules import ScopeMissing, SignInNeeded
from exchange.telling import Viewer
from listings.auctions import queries
from listings.auctions.tables import Auction

router = APIRouter(tags=["auctions"])


@router.get(
    "/auctions/{auction_id}/events",
    response_class=streams.EventStream,
    responses={
        200: STREAM,
        **problems.responses(SignInNeeded, ScopeMissing, Unknown, InvalidContent),
    },
)
async def follow_auction(
    request: Request,
    auction_id: UUID,
    session: Session,
    caller: MaybeCaller,
    after: After = BEFORE_ALL,
    idle_s: IdleS = 300,
    last_event_id: LastEventId = None,
) -> streams.EventStream:
    """Follow an auction live (server-sent events).

    With a key or session, every bid comes. Whoever only watches sees the latest state, at most
    five times a second; so does everybody while the rules hide how many bid.
    """
    if caller is not None:
        caller.need("read")
    auction = await queries.get_auction(session, auction_id)
    viewer = Viewer(
        caller.party_id if caller else None,
        staff=caller is not None and caller.is_staff,
        subject=auction_id,
        latest_only=caller is None or _hides_bidders(auction),
    )
    return stream(request, viewer, after, last_event_id, idle_s)


@router.get(
    "/me/events",
    response_class=streams.EventStream,
    responses={200: STREAM, **problems.responses(SignInNeeded, ScopeMissing, InvalidContent)},
)
async def follow_account(
    request: Request,
    caller: Signed,
    after: After = BEFORE_ALL,
    idle_s: IdleS = 300,
    last_event_id: LastEventId = None,
) -> streams.EventStream:
    """Follow live what names one's own party: admissions, receipts, awards, deals, payments.

    Staff, who act for no party, get every fact.
    """
    caller.need("read")
    viewer = Viewer(caller.party_id, staff=caller.is_staff, own=not caller.is_staff)
    return stream(request, viewer, after, last_event_id, idle_s)


def _hides_bidders(auction: Auction) -> bool:
    """Tell whether the number of bids is still a secret."""
    if auction.state in ("closed", "void"):
        return False
    secrecy = canonical.loads(auction.rulebook).get("secrecy") or {}
    return secrecy.get("bidders") == "hidden"
