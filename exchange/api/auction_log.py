"""The log of an auction, for everybody, once the result is in."""

from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from contracts import canonical
from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems
from exchange.api.deps import Ctx, Session
from exchange.context import Context
from listings.auctions import chain, export, queries
from listings.auctions.export import ResultAwaited
from listings.auctions.tables import Auction

router = APIRouter(tags=["auctions"])

PAGE = 2_000
JSON_LINES = "application/jsonl"
_EXAMPLE = '{"rulebook":{…},"rulebook_sha256":"9f3c…"}\n{"at":"…","body":{…},"hash":"…",…}\n'


@router.get(
    "/auctions/{auction_id}/log",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Line 1: the rulebook and its hash. Then one event a line, with hash.",
            "content": {JSON_LINES: {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        **problems.responses(Unknown, ResultAwaited, InvalidContent),
    },
)
async def get_auction_log(auction_id: UUID, context: Ctx, session: Session) -> StreamingResponse:
    """Export the whole log of an auction as JSON lines. Public from the result on.

    Each line is RFC 8785 bytes; every event carries the hash that chains it to those before. Check
    it on any machine with `python3 verify_auction.py FILE`, a program of one file.
    """
    auction = await queries.get_auction(session, auction_id)
    if auction.seq is None:
        raise Unknown("This auction was held before auctions had logs.")
    if not is_public(auction):
        raise ResultAwaited("The log of this auction is not public yet.", state=auction.state)
    return StreamingResponse(
        _lines(context, auction, auction.seq),
        media_type=JSON_LINES,
        headers={"Content-Disposition": f'attachment; filename="auction-{auction_id}.jsonl"'},
    )


def is_public(auction: Auction) -> bool:
    """Tell whether the log hides nothing any more: after the result, or where nothing was hidden.

    An auction that became void before its result keeps bids and bidders as secret as they were.
    """
    if auction.result is not None:
        return True
    secrecy = canonical.loads(auction.rulebook)["secrecy"]
    was_open = secrecy == {"amounts": "open", "bidders": "alias"}
    return auction.state == "void" and was_open


async def _lines(context: Context, auction: Auction, last: int) -> AsyncIterator[bytes]:
    """Read page by page: no transaction is open while the client takes its time."""
    yield export.head(auction.rulebook, auction.rulebook_sha256)
    seq = -1
    while seq < last:
        async with context.db.transaction() as session:
            rows = await queries.log(session, auction.id, after=seq, limit=PAGE)
        kept = [row for row in rows if row.seq <= last]
        seq = kept[-1].seq
        yield b"".join(
            export.line(chain.event(row.seq, row.kind, row.at, row.body), row.hash) for row in kept
        )
