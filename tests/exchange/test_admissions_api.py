"""Admission, deposits and limits over the API: one auction of each kind, lived through."""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from contracts import ids, rfc3339
from contracts.parties.tables import Party
from exchange import clock
from exchange.context import Context
from listings.catalogue import service as catalogue
from settlement.collecting import rules as references
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import signed_client
from tests.listings.auctions_factory import open_auction, sale_of
from tests.listings.masters_factory import ready_master
from tests.settlement.approvals_factory import proved
from tests.settlement.bank_factory import Bank, followed

DEPOSIT = 20_000
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ASCENDING = ("step_minor", "soft_close_s", "hard_stop_at")
PAPERS = {"papers": [{"kind": "business-licence", "sha256": HASH}]}


@dataclass
class Hall:
    """The staff and two bidders of one exchange."""

    context: Context
    operator: httpx.AsyncClient
    approver: httpx.AsyncClient
    outsider: httpx.AsyncClient
    seller: httpx.AsyncClient
    selling: Party
    bidders: list[httpx.AsyncClient]
    parties: list[Party]
    listing: str = ""

    async def auction(self, **changes: Any) -> str:
        now = clock.now()
        async with self.context.db.transaction() as session:
            made = await open_auction(session, seller_id=self.selling.id, now=now, **changes)
            return str(made.id)

    async def secret_auction(self, **changes: Any) -> str:
        """A listed auction of one secret bid each, by nobody knows whom."""
        now = clock.now()
        given = sale_of(ids.new(now), now, method="vickrey", **changes)
        sale = {name: given[name] for name in given if name not in ASCENDING}
        async with self.context.db.transaction() as session:
            film = await work(session, party_id=self.selling.id, now=now)
            master = await ready_master(
                session, party_id=self.selling.id, work_id=film.id, now=now,
                seed=secrets.randbelow(2**31),
            )  # fmt: skip
            listing, _ = await catalogue.draft(
                session, ids.new(now), party_id=self.selling.id, work_id=film.id,
                master_id=master.id, rights=[wire()], sale=sale, now=now,
            )  # fmt: skip
            await catalogue.publish(session, listing.id, party_id=self.selling.id, now=now)
            self.listing = str(listing.id)
        return str(sale["auction_id"])

    async def applied(self, auction: str, bidder: int = 0, **said: Any) -> httpx.Response:
        address = f"/v1/auctions/{auction}/admission"
        return await self.bidders[bidder].put(address, json={**PAPERS, **said})

    async def paid(self, auction: str, minor: int = DEPOSIT, *, at: Any = None) -> httpx.Response:
        said = {
            "amount_minor": minor,
            "currency": "CNY",
            "reference": f"BANK-{uuid4()}",
            "credited_at": rfc3339.exact(at or clock.now()),
        }
        where = f"/v1/auctions/{auction}/deposits/{self.parties[0].id}/receipts/{uuid4()}"
        return await self.operator.put(where, json=said)

    async def decided(self, auction: str, **said: Any) -> httpx.Response:
        where = f"/v1/auctions/{auction}/admissions/{self.parties[0].id}/decision"
        return await self.operator.post(where, json={"decision": "accept", **said})

    async def bid(self, auction: str, minor: int = 100_000, bidder: int = 0) -> httpx.Response:
        where = f"/v1/auctions/{auction}/bids/{uuid4()}"
        return await self.bidders[bidder].put(
            where, json={"amount_minor": minor, "currency": "CNY"}
        )


@pytest.fixture
async def hall(context: Context) -> AsyncIterator[Hall]:
    async with AsyncExitStack() as stack:
        now = clock.now()
        async with context.db.transaction() as session:
            selling = await party(session, now=now)
            parties = [await party(session, kind="broadcaster", now=now) for _ in range(5)]

        async def client(role: str, of: Party | None = None) -> httpx.AsyncClient:
            opened, _ = await stack.enter_async_context(signed_client(context, role=role, of=of))
            return opened

        yield Hall(
            context=context,
            operator=await client("operator"),
            approver=await client("approver"),
            outsider=await client("broadcaster"),
            seller=await client("holder", selling),
            selling=selling,
            bidders=[await client("broadcaster", one) for one in parties],
            parties=parties,
        )


def applied_sale(**admission: Any) -> dict[str, Any]:
    until = rfc3339.exact(clock.now() + timedelta(minutes=5))
    given = {"kind": "applied", "deposit_minor": DEPOSIT, "until": until, **admission}
    return {"admission": given, "forfeits": ["non-payment", "winner-refuses"]}


async def test_papers_and_deposit_admit_whichever_comes_last(hall: Hall) -> None:
    auction = await hall.auction(**applied_sale())
    first = await hall.applied(auction)
    assert first.status_code == 200, first.text
    assert (first.json()["state"], first.json()["paddle"]) == ("applied", None)
    assert first.json()["missing"] == ["deposit", "papers"]
    assert (await hall.bid(auction)).json()["code"] == "not-admitted"
    half = await hall.paid(auction, DEPOSIT // 2)
    assert (half.status_code, half.json()["state"]) == (200, "received")
    accepted = await hall.decided(auction)
    assert (accepted.json()["state"], accepted.json()["missing"]) == ("applied", ["deposit"])
    whole = await hall.paid(auction, DEPOSIT // 2)
    assert whole.json()["state"] == "frozen"
    mine = (await hall.bidders[0].get(f"/v1/auctions/{auction}/admission")).json()
    assert (mine["state"], mine["paddle"], mine["missing"]) == ("admitted", 1, [])
    own = (await hall.bidders[0].get(f"/v1/auctions/{auction}/deposit")).json()
    assert (own["held_minor"], own["state"]) == (DEPOSIT, "frozen")
    assert (await hall.bid(auction)).status_code == 201


async def test_a_statement_that_names_the_deposit_admits_the_bidder(hall: Hall) -> None:
    auction = await hall.auction(**applied_sale())
    assert (await hall.applied(auction)).status_code == 200
    assert (await hall.decided(auction)).json()["missing"] == ["deposit"]
    async with hall.context.db.transaction() as session:
        bank = Bank(await followed(session, "CNY"))
    reference = references.of_deposit(UUID(auction), hall.parties[0].id)
    bank.line(DEPOSIT, text=f"deposit {references.spaced(reference)}")
    told = await hall.operator.post("/v1/bank/statements", content=bank.statement(0))
    assert (told.status_code, told.json()["matched"]) == (200, 1), told.text
    mine = (await hall.bidders[0].get(f"/v1/auctions/{auction}/admission")).json()
    assert (mine["state"], mine["missing"]) == ("admitted", [])
    assert (await hall.bid(auction)).status_code == 201
    file = await hall.operator.get(f"/v1/auctions/{auction}/deposits/{hall.parties[0].id}")
    (receipt,) = file.json()["receipts"]
    assert receipt["bank_account_id"] == str(bank.account.id)


async def test_an_application_is_refused_with_a_reason_and_its_deposit_is_due_back(
    hall: Hall,
) -> None:
    auction = await hall.auction(**applied_sale())
    await hall.applied(auction)
    await hall.paid(auction)
    assert (await hall.decided(auction, decision="refuse")).json()["code"] == "invalid-content"
    refused = await hall.decided(auction, decision="refuse", reason="资信证明不符")
    assert (refused.json()["state"], refused.json()["reason"]) == ("refused", "资信证明不符")
    own = (await hall.bidders[0].get(f"/v1/auctions/{auction}/deposit")).json()
    assert own["return_by"] is not None
    assert (await hall.bid(auction)).json()["code"] == "not-admitted"


async def test_an_application_is_taken_once_staff_have_looked_and_the_same_again_is_the_same(
    hall: Hall,
) -> None:
    auction = await hall.auction(**applied_sale(deposit_minor=0))
    await hall.applied(auction)
    other = {"kind": "channel", "number": "1", "expires_on": "2029-12-31"}
    assert (await hall.applied(auction, licence=other)).status_code == 200
    short = {**other, "expires_on": "2020-01-01"}
    assert (await hall.applied(auction, 1, licence=short)).json()["code"] == "invalid-content"
    accepted = await hall.decided(auction, cap_minor=150_000)
    assert (accepted.json()["state"], accepted.json()["cap_minor"]) == ("admitted", 150_000)
    again = await hall.applied(auction, licence=other)
    assert (again.status_code, again.json()["paddle"]) == (200, 1)
    changed = await hall.applied(auction)
    assert (changed.status_code, changed.json()["code"]) == (409, "admission-decided")
    over = await hall.bid(auction, 151_000)
    assert (over.status_code, over.json()["code"]) == (409, "cap-exceeded")


async def test_a_bidder_learns_its_number_before_its_first_bid_where_all_verified_may_bid(
    hall: Hall,
) -> None:
    auction = await hall.auction(secrecy={"bidders": "hidden", "amounts": "open"})
    told = await hall.applied(auction)
    assert (told.status_code, told.json()["state"]) == (200, "admitted")
    assert told.json()["paddle"] >= 1_000


async def test_a_relation_declared_during_the_bidding_suspends_and_its_end_lets_staff_reinstate(
    hall: Hall,
) -> None:
    auction = await hall.auction()
    assert (await hall.bid(auction)).status_code == 201
    relation, whose = uuid4(), hall.parties[0].id
    said = {"kind": "owner", "other_party_id": str(hall.selling.id), "share_bp": 6_000,
            "evidence": "公司章程"}  # fmt: skip
    where = f"/v1/parties/{whose}/relations/{relation}"
    for suspended in (1, 0):
        told = await hall.operator.put(where, json=said)
        assert (told.status_code, told.json()["suspended"]) == (200, suspended), told.text
    bids = (await hall.seller.get(f"/v1/auctions/{auction}/bids")).json()["items"]
    assert len(bids) == 1
    assert (await hall.bid(auction, 110_000)).json()["code"] == "related-to-seller"
    assert (await hall.decided(auction)).json()["code"] == "related-to-seller"
    assert (await hall.operator.post(f"{where}/end")).json()["ended_at"] is not None
    assert (await hall.bid(auction, 110_000)).json()["code"] == "related-to-seller"
    assert (await hall.decided(auction)).json()["state"] == "admitted"
    assert (await hall.bid(auction, 110_000)).status_code == 201


async def test_a_block_stops_bids_and_its_lifting_lets_them_in_again(hall: Hall) -> None:
    auction, block = await hall.auction(), uuid4()
    where = f"/v1/parties/{hall.parties[0].id}/blocks/{block}"
    assert (await hall.operator.put(where, json={"reason": "拒签合同"})).status_code == 200
    assert (await hall.bid(auction)).json()["code"] == "bidder-blocked"
    lifted = await hall.operator.post(f"{where}/lift")
    assert lifted.json()["lifted_at"] is not None
    assert (await hall.bid(auction)).status_code == 201


async def test_a_credit_line_holds_over_two_auctions_and_its_party_reads_it(hall: Hall) -> None:
    one, two = await hall.auction(), await hall.auction()
    whose = f"/v1/parties/{hall.parties[0].id}"
    line = await hall.operator.put(f"{whose}/credit-lines/CNY", json={"limit_minor": 150_000})
    assert line.status_code == 200, line.text
    assert (await hall.bid(one)).status_code == 201
    no = await hall.bid(two)
    assert (no.status_code, no.json()["code"]) == (409, "exposure-exceeded")
    assert no.json()["room_minor"] == 50_000
    mine = (await hall.bidders[0].get(f"{whose}/limits")).json()
    assert [each["amount_minor"] for each in mine["exposures"]] == [100_000]
    assert (mine["blocks"], mine["relations"]) == (None, None)
    assert (await hall.outsider.get(f"{whose}/limits")).status_code == 404
    assert (await hall.bid(one, 101_000, bidder=1)).status_code == 201
    assert (await hall.bid(two)).status_code == 201


async def test_a_credit_line_counts_what_its_party_was_bound_for_before(hall: Hall) -> None:
    one, two = await hall.auction(), await hall.auction()
    assert (await hall.bid(one)).status_code == 201
    where = f"/v1/parties/{hall.parties[0].id}/credit-lines/CNY"
    await hall.operator.put(where, json={"limit_minor": 150_000})
    assert (await hall.bid(two)).json()["room_minor"] == 50_000


async def test_forfeiture_and_return_take_an_operator_and_an_approver(hall: Hall) -> None:
    auction = await hall.auction(**applied_sale())
    await hall.applied(auction)
    await hall.paid(auction, DEPOSIT + 500)
    where = f"/v1/auctions/{auction}/deposits/{hall.parties[0].id}"
    no = await hall.operator.put(
        f"{where}/movements/{uuid4()}",
        json={"kind": "forfeit", "amount_minor": DEPOSIT, "reason": "collusion"},
    )
    assert (no.json()["code"], no.json()["named"]) == (
        "trigger-not-named",
        ["non-payment", "winner-refuses"],
    )
    back = {"kind": "return", "amount_minor": 500, "reason": "多付退回"}
    made = (await hall.operator.put(f"{where}/movements/{uuid4()}", json=back)).json()
    act = f"/v1/deposit-movements/{made['id']}"
    decision = {"content_sha256": made["content_sha256"]}
    for who, status in ((hall.operator, 403), (hall.approver, 200)):
        done = await who.post(f"{act}/approval", json=await proved(who, **decision))
        assert done.status_code == status
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    sent = await hall.operator.post(f"{act}/return", json={"reference": f"OUT-{uuid4()}"})
    assert sent.json()["state"] == "done"
    lost = {"kind": "forfeit", "amount_minor": DEPOSIT, "reason": "non-payment"}
    made = (await hall.approver.put(f"{where}/movements/{uuid4()}", json=lost)).json()
    decision = await proved(hall.approver, content_sha256=made["content_sha256"])
    own = await hall.approver.post(f"/v1/deposit-movements/{made['id']}/approval", json=decision)
    assert own.json()["code"] == "deposit-other-person"
    file = (await hall.operator.get(where)).json()
    assert [one["state"] for one in file["movements"]] == ["done", "prepared"]
    assert [one["amount_minor"] for one in file["receipts"]] == [DEPOSIT + 500]
    mine = (await hall.bidders[0].get("/v1/deposits")).json()["items"]
    assert [one["held_minor"] for one in mine] == [DEPOSIT]


async def seen_by(hall: Hall, who: httpx.AsyncClient, auction: str) -> list[tuple[int, bytes]]:
    """All that somebody outside can ask about an auction."""
    me = hall.selling.id
    found = []
    for address in (
        f"/v1/auctions/{auction}",
        f"/v1/auctions/{auction}/bids",
        f"/v1/auctions/{auction}/admission",
        f"/v1/auctions/{auction}/admissions",
        f"/v1/auctions/{auction}/deposit",
        f"/v1/auctions/{auction}/deposits/{hall.parties[0].id}",
        f"/v1/facts?subject={auction}",
        f"/v1/feed?subject={auction}&idle_s=0",
        f"/v1/parties/{hall.parties[0].id}/limits",
        f"/v1/parties/{me}/limits",
        "/v1/deposits",
        f"/auctions/{auction}",
        f"/auctions/{auction}/live",
        f"/v1/listings/{hall.listing}",
        f"/listings/{hall.listing}",
        "/catalogue",
    ):
        answer = await who.get(address)
        found.append((answer.status_code, without_time(answer.content)))
    return found


async def leaves_about(hall: Hall, auction: str) -> int:
    """Count the facts about an auction: each is a leaf that everybody sees, whoever may read it."""
    counted = text("SELECT count(*) FROM fact WHERE convert_from(record, 'UTF8') LIKE :named")
    async with hall.context.db.transaction() as session:
        return int(await session.scalar(counted, {"named": f"%{auction}%"}) or 0)


def without_time(content: bytes) -> bytes:
    """Leave out what differs between two readings at two instants: the clock, ids just drawn."""
    untimed = re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+]00:00)", b"T", content)
    return re.sub(rb'name="bid_id" value="[^"]*"', b"", untimed)


@pytest.mark.parametrize("kind", ["verified", "applied"])
async def test_an_outsider_and_the_seller_read_the_same_bytes_with_nobody_and_five_admitted(
    hall: Hall, kind: str
) -> None:
    sale = applied_sale() if kind == "applied" else {}
    auction = await hall.secret_auction(**sale, secrecy={"bidders": "hidden", "amounts": "secret"})
    watchers = (hall.outsider, hall.seller)
    before = [await seen_by(hall, who, auction) for who in watchers]
    leaves = await leaves_about(hall, auction)
    for bidder in range(5):
        assert (await hall.applied(auction, bidder)).status_code == 200
        if kind == "applied":
            hall.parties.insert(0, hall.parties.pop(bidder))
            await hall.paid(auction)
            assert (await hall.decided(auction)).json()["state"] == "admitted"
            hall.parties.insert(bidder, hall.parties.pop(0))
        assert (await hall.bid(auction, 100_000 + bidder, bidder)).status_code == 201
    after = [await seen_by(hall, who, auction) for who in watchers]
    assert await leaves_about(hall, auction) == leaves
    for address in (f"/auctions/{auction}", f"/auctions/{auction}/live", f"/v1/auctions/{auction}"):
        assert (await hall.outsider.get(address)).status_code == 200
    for one, other in zip(before, after, strict=True):
        for early, late in zip(one, other, strict=True):
            assert early == late
