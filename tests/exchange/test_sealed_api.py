"""A sealed sale over HTTP, from the listing's draft to the contract that follows the opening."""

from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import UUID

import httpx

from contracts import ids, rfc3339
from exchange import clock
from exchange.context import Context
from listings.auctions import ending
from listings.auctions import service as auctions
from listings.sealed import envelope
from tests.exchange.identity_factory import signed_client
from tests.exchange.portal_site import turn
from tests.exchange.test_listings_api import address, offer
from tests.listings.sealed_factory import Ceremony, ceremony_of

ROLES = {"seller": "holder", "exchange": "operator", "auditor": "auditor"}
BIDDERS = {"one": 150_000, "two": 170_000}


async def clients_of(stack: AsyncExitStack, context: Context) -> dict[str, httpx.AsyncClient]:
    made = {}
    for who, role in {**ROLES, **dict.fromkeys(BIDDERS, "broadcaster")}.items():
        made[who], _ = await stack.enter_async_context(signed_client(context, role=role))
    return made


def good(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, answer.text
    return answer


async def close(context: Context, auction_id: UUID) -> None:
    async with context.db.transaction() as session:
        row = await auctions.locked(session, auction_id)
        await ending.close(session, row, now=row.closes_at)


async def sealed_sale(
    context: Context, clients: dict[str, httpx.AsyncClient], held: Ceremony
) -> str:
    """Draft and publish a listing whose bids are sealed; its path comes back."""
    seller, now = clients["seller"], clock.now()
    me = UUID(good(await seller.get("/v1/me")).json()["party"]["id"])
    sale = {
        "method": "sealed", "auction_id": str(held.opening.auction), "currency": "CNY",
        "floor_minor": 100_000, "opens_at": rfc3339.exact(now),
        "closes_at": rfc3339.exact(now + timedelta(hours=1)),
        "secrecy": {"bidders": "hidden", "amounts": "sealed", "opening": held.wire},
    }  # fmt: skip
    path = address()
    body = await offer(context, me, sale=sale)
    good(await seller.put(path, json=body))
    assert (await seller.put(path, json=body)).status_code == 200
    early = await seller.post(f"{path}/publication")
    assert (early.status_code, early.json()["code"]) == (409, "opening-key-not-ready")
    assert early.json()["missing"] == ["seller", "exchange", "auditor"]
    room = f"/v1/auctions/{held.opening.auction}/opening-key"
    good(await seller.put(room, json=held.wire))
    for holder in ROLES:
        said = {"signature": held.acknowledged(holder)}
        good(await clients[holder].put(f"{room}/acknowledgements/{holder}", json=said))
    good(await seller.post(f"{path}/publication"))
    return path


async def send_bids(clients: dict[str, httpx.AsyncClient], held: Ceremony, listing: UUID) -> None:
    room = f"/v1/auctions/{held.opening.auction}"
    for who, amount in BIDDERS.items():
        paddle = good(await clients[who].put(f"{room}/admission", json={})).json()["paddle"]
        content = {"amount_minor": amount, "currency": "CNY"}
        sealed = envelope.seal(held.opening, listing=listing, paddle=paddle, content=content)
        bid = f"{room}/bids/{ids.new(clock.now())}"
        clear = await clients[who].put(bid, json=content)
        assert (clear.status_code, clear.json()["code"]) == (422, "bid-not-sealed"), clear.text
        assert good(await clients[who].put(bid, json=sealed.content)).status_code == 201
        shown = await clients["auditor"].get(f"{room}/bids")
        assert str(amount) not in shown.text


async def test_a_sealed_sale_goes_from_its_draft_to_its_contract(context: Context) -> None:
    held = ceremony_of(ids.new(clock.now()))
    auction = held.opening.auction
    async with AsyncExitStack() as stack:
        clients = await clients_of(stack, context)
        path = await sealed_sale(context, clients, held)
        await send_bids(clients, held, UUID(path.rpartition("/")[2]))
        await close(context, auction)
        shares = f"/v1/auctions/{auction}/opening/shares"
        for holder in ("auditor", "seller"):
            share = {"share": held.share(holder)}
            told = good(await clients[holder].put(f"{shares}/{holder}", json=share)).json()
        assert told["state"] == "opened"
        late = await clients["exchange"].put(
            f"{shares}/exchange", json={"share": held.share("exchange")}
        )
        assert (late.status_code, late.json()["code"]) == (409, "opening-done")
        await turn(context, about=auction)  # the worker's part
        listing = good(await clients["seller"].get(path)).json()
        assert listing["state"] == "sold"
        deals = good(await clients["two"].get("/v1/deals")).json()["items"]
        assert len(deals) == 1
        assert good(await clients["one"].get("/v1/deals")).json()["items"] == []
