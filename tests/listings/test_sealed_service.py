import asyncio
import itertools
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.money import Money
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import IdReused, Refusal, Unknown
from exchange import deposit_verbs
from exchange.context import Context
from exchange.db import Database
from listings.auctions import queries as auctions_read
from listings.auctions import rules as auction_rules
from listings.auctions import service as auctions
from listings.auctions.tables import Auction
from listings.sealed import commitment, envelope, keys, service, sharing
from listings.sealed.ceremony import FalseShare
from listings.sealed.envelope import BID
from listings.sealed.opening import BadOpeningKey
from listings.sealed.rules import (
    BidReplaced,
    OpeningDone,
    OpeningKeyNotReady,
    OpeningNotDue,
    RevealMismatch,
    RevealOver,
)
from listings.sealed.sharing import HOLDERS
from settlement.deposits import service as deposits
from settlement.deposits.rules import Terms
from settlement.deposits.tables import DepositReceipt
from tests.conftest import NOW
from tests.exchange.identity_factory import PASSWORD, signed_client
from tests.exchange.portal_site import served
from tests.listings import admissions_factory
from tests.listings.auctions_factory import enrol
from tests.listings.sealed_factory import Room, ceremony_of, opened_room, prepared, sale_of

PAIRS = list(itertools.combinations(HOLDERS, 2))


async def facts_of(room: Room, kind: str) -> list[dict[str, Any]]:
    rows = await room.session.execute(
        text("SELECT record FROM fact WHERE subject = :a AND kind = :k ORDER BY id"),
        {"a": room.auction.id, "k": kind},
    )
    return [canonical.loads(record) for record in rows.scalars()]


# before the auction


@pytest.mark.parametrize("missing", HOLDERS)
async def test_an_auction_opens_only_once_all_three_have_shown_their_shares(
    session: AsyncSession, missing: str
) -> None:
    held = ceremony_of(ids.new(NOW))
    seller = (await enrol(session, now=NOW, kind="rights_holder")).id
    await prepared(session, held, seller, holders=tuple(h for h in HOLDERS if h != missing))

    async def publish() -> Auction:
        return await auctions.open_auction(
            session, held.opening.auction, listing_id=ids.new(NOW), work_id=ids.new(NOW),
            seller_id=seller, sale=sale_of(held), now=NOW,
        )  # fmt: skip

    with pytest.raises(OpeningKeyNotReady) as refused:
        await publish()
    assert refused.value.data["missing"] == [missing]
    await prepared(session, held, seller)
    auction = await publish()
    assert canonical.loads(auction.rulebook)["opening"] == held.wire


async def test_a_key_of_another_auction_seller_or_ceremony_opens_no_auction(
    session: AsyncSession,
) -> None:
    held, other = ceremony_of(ids.new(NOW)), ceremony_of(ids.new(NOW))
    seller = (await enrol(session, now=NOW, kind="rights_holder")).id
    thief = (await enrol(session, now=NOW, kind="rights_holder")).id
    await prepared(session, held, seller)
    auction = held.opening.auction
    again = ceremony_of(auction)  # the same auction, another ceremony
    for wire, whose in ((again.wire, seller), (held.wire, thief)):
        with pytest.raises(OpeningKeyNotReady):
            await keys.use(session, auction, wire, seller_id=whose)
    with pytest.raises(BadOpeningKey):
        await keys.use(session, auction, other.wire, seller_id=seller)
    with pytest.raises(BadOpeningKey):
        await keys.register(session, ids.new(NOW), held.wire, party_id=seller, now=NOW)
    for wire, whose in ((again.wire, seller), (held.wire, thief)):
        with pytest.raises(IdReused):
            await keys.register(session, auction, wire, party_id=whose, now=NOW)
    _, created = await keys.register(session, auction, held.wire, party_id=seller, now=NOW)
    assert not created
    await keys.use(session, auction, held.wire, seller_id=seller)


async def test_a_share_is_not_acknowledged_by_whoever_does_not_have_it(
    session: AsyncSession,
) -> None:
    held = ceremony_of(ids.new(NOW))
    seller = (await enrol(session, now=NOW, kind="rights_holder")).id
    await prepared(session, held, seller, holders=())
    said: dict[str, Any] = {"person_id": ids.new(NOW), "now": NOW}
    signature = bytes.fromhex(held.acknowledged("seller"))
    auction = held.opening.auction
    with pytest.raises(FalseShare):
        await keys.acknowledge(
            session, auction, "auditor", signature=signature, party_id=EXCHANGE_PARTY_ID, **said
        )
    with pytest.raises(Unknown):
        await keys.acknowledge(
            session, auction, "seller", signature=signature, party_id=EXCHANGE_PARTY_ID, **said
        )
    with pytest.raises(Unknown):
        await keys.acknowledge(
            session, auction, "nobody", signature=signature, party_id=seller, **said
        )
    first = await keys.acknowledge(
        session, auction, "seller", signature=signature, party_id=seller, **said
    )
    later = {**said, "now": NOW + timedelta(days=1)}
    again = await keys.acknowledge(
        session, auction, "seller", signature=b"another", party_id=seller, **later
    )
    assert again.acknowledged_at == first.acknowledged_at


# the opening


@pytest.mark.parametrize("pair", PAIRS, ids=["-".join(pair) for pair in PAIRS])
async def test_any_two_shares_open_every_bid_together_and_the_award_follows(
    session: AsyncSession, pair: tuple[str, str]
) -> None:
    room = await opened_room(session)
    bids = [
        await room.bid(who, amount)
        for who, amount in zip(room.bidders, (150_000, 170_000, 160_000), strict=True)
    ]
    await room.close()
    await room.hand_in(pair[0])
    assert await room.revealed() is None
    assert await room.result() is None
    await room.hand_in(pair[1])
    body = await room.revealed()
    assert body is not None
    assert [one["bid"] for one in body["openings"]] == [str(bid) for bid in bids]
    assert [one["content"]["amount_minor"] for one in body["openings"]] == [
        150_000, 170_000, 160_000,
    ]  # fmt: skip
    assert body["failures"] == []
    result = await room.result()
    assert result is not None
    assert result["outcome"] == "sold"
    assert [(one["bid"], one["amount_minor"]) for one in result["awards"]] == [
        (str(bids[1]), 170_000)
    ]
    [told] = await facts_of(room, "bids.revealed")
    assert (told["opened"], told["failed"], told["method"]) == (3, 0, "sealed")
    assert len(await facts_of(room, "award.made")) == 1


async def test_whoever_reads_the_log_can_open_every_bid_again_with_the_published_key(
    session: AsyncSession,
) -> None:
    room = await opened_room(session)
    await room.bid(room.bidders[0], 150_000)
    await room.send(
        room.bidders[1], {**room.sealed(room.bidders[1], 1).content, "commitment": "0" * 64}
    )
    await room.close()
    await room.hand_in("seller")
    await room.hand_in("auditor")
    events = await auctions_read.events(session, room.auction.id)
    bids = {event.body["bid"]: event.body for event in events if event.kind == "bid"}
    [revealed] = [event.body for event in events if event.kind == "revealed"]
    private = int(revealed["key"]["private"], 16)
    assert envelope.point_of(private) == room.held.opening.public
    shares = {one["holder"]: int(one["share"], 16) for one in revealed["key"]["shares"]}
    assert sharing.join(shares) == private
    for one in revealed["openings"]:
        logged = bids[one["bid"]]
        content, nonce = envelope.unseal(
            private, logged["content"], auction=room.auction.id, paddle=logged["paddle"]
        )
        assert (content, nonce.hex()) == (one["content"], one["nonce"])
    for one in revealed["failures"]:
        logged = bids[one["bid"]]
        with pytest.raises(envelope.SealBroken):
            envelope.unseal(
                private, logged["content"], auction=room.auction.id, paddle=logged["paddle"]
            )


async def test_the_log_of_an_opened_auction_replays_to_its_result(session: AsyncSession) -> None:
    room = await opened_room(session, method="vickrey")
    for who, amount in zip(room.bidders, (150_000, 170_000, 160_000), strict=True):
        await room.bid(who, amount)
    await room.close()
    await room.hand_in("exchange")
    await room.hand_in("seller")
    result = await room.result()
    assert result is not None
    assert [one["amount_minor"] for one in result["awards"]] == [160_000]
    events = await auctions_read.events(session, room.auction.id)
    book = auctions_read.book(room.auction)
    before = [event for event in events if event.kind != "awarded"]
    assert auction_rules.award(book, before) == result


async def test_shares_count_only_after_the_close_and_the_database_itself_refuses_them_before(
    session: AsyncSession,
) -> None:
    room = await opened_room(session)
    await room.bid(room.bidders[0], 150_000)
    with pytest.raises(OpeningNotDue):
        await room.hand_in("seller", at=NOW + timedelta(minutes=1))
    with pytest.raises(DBAPIError, match="sealed until its close"):
        async with session.begin_nested():
            await session.execute(
                text("INSERT INTO sealed_share VALUES (:a, 'seller', :p, :p, :s, now())"),
                {"a": room.auction.id, "p": room.seller, "s": b"s" * 32},
            )
    await room.close()
    await room.hand_in("seller")


async def test_a_false_share_a_wrong_holder_and_a_replayed_share_open_nothing(
    session: AsyncSession,
) -> None:
    room = await opened_room(session)
    await room.bid(room.bidders[0], 150_000)
    await room.close()
    other = await opened_room(session)
    for share in (room.held.shares["auditor"], other.held.shares["seller"], 1, 0, 2**256 - 1):
        with pytest.raises(FalseShare):
            await room.hand_in("seller", share=share)
    with pytest.raises(Unknown):
        await room.hand_in("seller", party=room.bidders[0])
    with pytest.raises(Unknown):
        await room.hand_in("nobody", share=5)
    await room.hand_in("seller")
    await room.hand_in("seller")  # again is the same, and no second share
    assert await room.revealed() is None
    assert len(await facts_of(room, "share.released")) == 1
    await room.hand_in("auditor")
    assert await room.revealed() is not None
    with pytest.raises(OpeningDone):
        await room.hand_in("exchange")


async def test_a_bidder_changes_its_sealed_bid_until_the_close_and_the_last_one_stands(
    session: AsyncSession,
) -> None:
    room = await opened_room(session, bidders=2)
    one, other = room.bidders
    await room.bid(one, 900_000)
    second = await room.bid(other, 200_000)
    last = await room.bid(one, 150_000)
    await room.close()
    await room.hand_in("seller")
    await room.hand_in("exchange")
    body = await room.revealed()
    assert body is not None
    assert [each["bid"] for each in body["openings"]] == [str(second), str(last)]
    result = await room.result()
    assert result is not None
    assert result["awards"][0]["bid"] == str(second)


def garbage(room: Room) -> dict[str, str]:
    raw = bytearray(room.held.opening.plain_bytes + commitment.OVERHEAD)
    raw[:2] = b"\x01\x04"
    return {"commitment": "ab" * 32, "sealed": commitment.encoded(bytes(raw))}


async def test_invariant_22_a_copied_bid_a_false_commitment_and_garbage_are_out(
    session: AsyncSession,
) -> None:
    room = await opened_room(session, bidders=5)
    good, thief, liar, vandal, low = room.bidders
    sealed = room.sealed(good, 150_000)
    best = await room.send(good, sealed.content)
    copied = await room.send(thief, sealed.content)
    # The liar seals 500 000 under its own name, and promises something else.
    promised = commitment.of(
        auction=room.auction.id, listing=room.auction.listing_id, paddle=room.paddles[liar],
        content={"amount_minor": 1_000, "currency": "CNY"}, nonce=b"n" * 32,
    )  # fmt: skip
    inside = canonical.dumps(
        {"content": {"amount_minor": 500_000, "currency": "CNY"}, "nonce": "aa" * 32}
    )
    box = envelope.box(
        room.held.opening.public,
        commitment.prefixed(inside).ljust(room.held.opening.plain_bytes, b"\0"),
        label=BID, about=envelope._about(room.auction.id, room.paddles[liar], promised),
    )  # fmt: skip
    lied = await room.send(liar, {"commitment": promised, "sealed": commitment.encoded(box)})
    broken = await room.send(vandal, garbage(room))
    below = await room.bid(low, 99_999)  # under the floor, which nobody could see
    await room.close()
    await room.hand_in("seller")
    await room.hand_in("exchange")
    body = await room.revealed()
    assert body is not None
    assert [one["bid"] for one in body["openings"]] == [str(best)]
    assert {one["bid"]: one["reason"] for one in body["failures"]} == {
        str(copied): "does-not-decrypt",
        str(lied): "commitment-mismatch",
        str(broken): "does-not-decrypt",
        str(below): "bad-content",
    }
    result = await room.result()
    assert result is not None
    assert [one["bid"] for one in result["awards"]] == [str(best)]
    failed = await facts_of(room, "seal.failed")
    assert {one["party"] for one in failed} == {str(p) for p in (thief, liar, vandal, low)}
    parties = await session.execute(
        text("SELECT parties FROM fact WHERE subject = :a AND kind = 'seal.failed'"),
        {"a": room.auction.id},
    )
    assert {frozenset(row) for row in parties.scalars()} == {
        frozenset({room.seller, party}) for party in (thief, liar, vandal, low)
    }


async def test_a_bidder_whose_last_bid_does_not_open_does_not_fall_back_on_an_earlier_one(
    session: AsyncSession,
) -> None:
    room = await opened_room(session, bidders=2)
    one, other = room.bidders
    await room.bid(one, 900_000)
    await room.send(one, garbage(room))
    await room.bid(other, 150_000)
    await room.close()
    await room.hand_in("seller")
    await room.hand_in("exchange")
    result = await room.result()
    assert result is not None
    assert [each["paddle"] for each in result["awards"]] == [room.paddles[other]]
    assert [each["paddle"] for each in result["ranking"]] == [room.paddles[other]]


# the bidders themselves


async def test_invariant_23_what_is_not_revealed_is_out_and_changes_no_ranking_of_the_others(
    session: AsyncSession,
) -> None:
    room = await opened_room(session, bidders=3, reveal_s=3600)
    sealed = {who: room.sealed(who, 150_000 + n * 10_000) for n, who in enumerate(room.bidders)}
    bids = {who: await room.send(who, one.content) for who, one in sealed.items()}
    await room.close()
    await room.hand_in("seller")  # one share alone
    for n, who in enumerate(room.bidders[:2]):
        content = {"amount_minor": 150_000 + n * 10_000, "currency": "CNY"}
        await room.reveal(who, bids[who], content, sealed[who].nonce)
        await room.reveal(who, bids[who], content, sealed[who].nonce)  # again is the same
    assert await room.revealed() is None
    await service.open_due(session, now=room.closed_at + timedelta(seconds=3599))
    assert await room.result() is None
    assert await service.open_due(session, now=room.closed_at + timedelta(seconds=3600)) >= 1
    body = await room.revealed()
    assert body is not None
    assert body["key"] is None
    assert [one["bid"] for one in body["openings"]] == [str(bids[who]) for who in room.bidders[:2]]
    assert body["failures"] == [{"bid": str(bids[room.bidders[2]]), "reason": "not-revealed"}]
    result = await room.result()
    assert result is not None
    ranked = [room.paddles[who] for who in (room.bidders[1], room.bidders[0])]
    assert [one["paddle"] for one in result["ranking"]] == ranked
    await service.open_due(session, now=room.closed_at + timedelta(days=1))
    assert await room.result() == result
    with pytest.raises(OpeningDone):
        await room.hand_in("auditor")


async def test_a_withheld_reveal_is_opened_anyway_when_the_second_share_comes(
    session: AsyncSession,
) -> None:
    room = await opened_room(session, bidders=2)
    sealed = room.sealed(room.bidders[0], 150_000)
    first = await room.send(room.bidders[0], sealed.content)
    withheld = await room.bid(room.bidders[1], 300_000)
    await room.close()
    content = {"amount_minor": 150_000, "currency": "CNY"}
    await room.reveal(room.bidders[0], first, content, sealed.nonce)
    await room.hand_in("seller")
    await room.hand_in("auditor")
    body = await room.revealed()
    assert body is not None
    assert [one["bid"] for one in body["openings"]] == [str(first), str(withheld)]
    result = await room.result()
    assert result is not None
    assert result["awards"][0]["bid"] == str(withheld)


async def test_a_bidder_reveals_only_its_own_standing_bid_as_it_was_in_time(
    session: AsyncSession,
) -> None:
    room = await opened_room(session, bidders=2)
    one, other = room.bidders
    old = room.sealed(one, 150_000)
    replaced = await room.send(one, old.content)
    kept = room.sealed(one, 160_000)
    bid_id = await room.send(one, kept.content)
    content = {"amount_minor": 160_000, "currency": "CNY"}
    with pytest.raises(OpeningNotDue):
        await room.reveal(one, bid_id, content, kept.nonce, at=NOW + timedelta(minutes=1))
    await room.close()
    with pytest.raises(Unknown):
        await room.reveal(other, bid_id, content, kept.nonce)
    with pytest.raises(Unknown):
        await room.reveal(one, ids.new(NOW), content, kept.nonce)
    with pytest.raises(BidReplaced) as by:
        await room.reveal(one, replaced, {**content, "amount_minor": 150_000}, old.nonce)
    assert by.value.data["by"] == str(bid_id)
    odd: list[tuple[dict[str, Any], bytes]] = [
        ({**content, "amount_minor": 160_001}, kept.nonce),
        ({**content, "more": 1}, kept.nonce),
        (content, b"n" * 32),
        (content, b"short"),
        ({"amount_minor": 1.5}, kept.nonce),
    ]
    for said, nonce in odd:
        with pytest.raises(RevealMismatch):
            await room.reveal(one, bid_id, said, nonce)
    late = room.closed_at + timedelta(seconds=3600)
    with pytest.raises(RevealOver):
        await room.reveal(one, bid_id, content, kept.nonce, at=late)
    await room.reveal(one, bid_id, content, kept.nonce, at=late - timedelta(microseconds=1))


async def test_an_auction_nobody_bid_in_ends_unsold_without_a_share(session: AsyncSession) -> None:
    room = await opened_room(session)
    await room.close()
    result = await room.result()
    assert result is not None
    assert (result["outcome"], result["reason"]) == ("unsold", "no-bids")
    await service.open_due(session, now=room.closed_at + timedelta(days=9))
    assert await room.revealed() is None


async def test_a_weighted_bid_opens_with_its_values(session: AsyncSession) -> None:
    criteria = [
        {"code": "price", "kind": "price", "weight_bp": 5000, "worst": 100_000, "best": 300_000,
         "title_zh": "报价", "title_en": "Price"},
        {"code": "days", "kind": "number", "weight_bp": 5000, "worst": 100, "best": 0,
         "title_zh": "天数", "title_en": "Days"},
    ]  # fmt: skip
    room = await opened_room(session, method="weighted", terms={"criteria": criteria})
    dear, fast, odd = room.bidders
    await room.bid(dear, 200_000, values={"days": 100})
    best = await room.bid(fast, 190_000, values={"days": 0})
    short = await room.bid(odd, 300_000)  # no values: no bid
    await room.close()
    await room.hand_in("seller")
    await room.hand_in("exchange")
    result = await room.result()
    assert result is not None
    assert [one["bid"] for one in result["awards"]] == [str(best)]
    body = await room.revealed()
    assert body is not None
    assert body["failures"] == [{"bid": str(short), "reason": "bad-content"}]


async def test_what_was_handed_in_is_never_changed_or_taken_away(session: AsyncSession) -> None:
    room = await opened_room(session)
    sealed = room.sealed(room.bidders[0], 150_000)
    bid_id = await room.send(room.bidders[0], sealed.content)
    await room.close()
    await room.hand_in("seller")
    await room.reveal(
        room.bidders[0], bid_id, {"amount_minor": 150_000, "currency": "CNY"}, sealed.nonce
    )
    for table in ("sealed_key", "sealed_acknowledgement", "sealed_share", "sealed_reveal"):
        for change in ("DELETE FROM", "UPDATE"):
            sets = " SET auction_id = auction_id" if change == "UPDATE" else ""
            with pytest.raises(DBAPIError):
                async with session.begin_nested():
                    await session.execute(text(f"{change} {table}{sets}"))


# invariant 21


def forms(amount_minor: int) -> list[str]:
    """Every way an amount is likely to be written down: digits, decimals, groups, hex, base64."""
    yuan = f"{amount_minor // 100}.{amount_minor % 100:02}"
    grouped = f"{amount_minor // 100:,}.{amount_minor % 100:02}"
    as_json = canonical.dumps({"amount_minor": amount_minor})[1:-1]
    digits = str(amount_minor).encode()
    encoded = {
        commitment.encoded(b"x" * shift + digits)[4:12] for shift in range(3)
    }  # whatever stands before it
    return [
        str(amount_minor), yuan, grouped, f"{amount_minor:x}", digits.hex(), as_json.hex(),
        amount_minor.to_bytes(8).hex(), *encoded,
    ]  # fmt: skip


async def dumped(session: AsyncSession) -> str:
    """Everything in the database, as its owner reads it: each row of each table as text."""
    await session.execute(text("RESET ROLE"))
    tables = await session.execute(
        text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    )
    rows = []
    for table in tables.scalars().all():
        found = await session.execute(text(f'SELECT t::text FROM "{table}" t'))  # noqa: S608 - names of our own tables.
        rows += found.scalars().all()
    await session.execute(text("SET ROLE exchange_app"))
    return "\n".join(rows)


async def test_invariant_21_no_amount_can_be_read_in_the_whole_database_before_the_opening(
    session: AsyncSession,
) -> None:
    room = await opened_room(session)
    amounts = (8_675_309_417, 7_318_529_463, 9_241_753_886)
    for who, amount in zip(room.bidders, amounts, strict=True):
        await room.bid(who, amount)
    clear = {"amount_minor": amounts[0], "currency": "CNY"}
    stranger = (await enrol(session, now=NOW, state="registered")).id
    for who in (room.bidders[0], stranger):  # a mistake: the amount is sent in clear
        with pytest.raises(Refusal):
            await room.send(who, clear)
    with pytest.raises(Refusal):
        await room.send(room.bidders[0], {**room.sealed(room.bidders[0], 5).content, **clear})
    looked_for = [form for amount in amounts for form in forms(amount)]
    open_ = await dumped(session)
    assert str(room.auction.id) in open_
    assert [form for form in looked_for if form in open_] == []
    await room.close()
    await room.hand_in("seller")
    closed = await dumped(session)
    assert [form for form in looked_for if form in closed] == []
    await room.hand_in("auditor")
    opened = await dumped(session)
    hexed = [canonical.dumps({"amount_minor": amount})[1:-1].hex() for amount in amounts]
    assert all(form in opened for form in hexed)  # the search does find what is there


async def test_the_worker_opens_what_is_due(db: Database) -> None:
    async with db.transaction() as session:
        room = await opened_room(session, bidders=1)
        sealed = room.sealed(room.bidders[0], 150_000)
        bid_id = await room.send(room.bidders[0], sealed.content)
        await room.close()
        await room.reveal(
            room.bidders[0], bid_id, {"amount_minor": 150_000, "currency": "CNY"}, sealed.nonce
        )
    async with db.transaction() as session:
        assert await service.open_due(session, now=room.closed_at + timedelta(hours=2)) >= 1
    async with db.transaction() as session:
        row = await session.get_one(Auction, room.auction.id)
        assert canonical.loads(row.result or b"{}")["outcome"] == "sold"


# many at once


async def test_two_shares_at_the_same_moment_open_the_bids_once(db: Database) -> None:
    for _ in range(3):
        async with db.transaction() as session:
            room = await opened_room(session, bidders=2)
            await room.bid(room.bidders[0], 150_000)
            await room.bid(room.bidders[1], 160_000)
            await room.close()

        async def hand_in(holder: str, room: Room = room) -> str:
            try:
                async with db.transaction() as session:
                    await service.hand_in(
                        session, room.auction.id, holder, room.held.shares[holder],
                        party_id=room.seller, person_id=room.seller, now=room.closed_at,
                    )  # fmt: skip
            except OpeningDone:
                return "done"
            return "taken"

        told = await asyncio.gather(*(hand_in(holder) for holder in HOLDERS for _ in range(2)))
        assert set(told) <= {"taken", "done"}
        async with db.transaction() as session:
            events = await auctions_read.events(session, room.auction.id)
            kinds = [event.kind for event in events]
            assert (kinds.count("revealed"), kinds.count("awarded")) == (1, 1)
            handed = await session.execute(
                text("SELECT count(*) FROM sealed_share WHERE auction_id = :a"),
                {"a": room.auction.id},
            )
            assert handed.scalar_one() == 2


async def test_an_outsider_reads_the_same_bytes_with_no_bid_and_with_five(
    db: Database, client: httpx.AsyncClient
) -> None:
    async with db.transaction() as session:
        room = await opened_room(session, bidders=5)
    path = f"/v1/auctions/{room.auction.id}/opening"
    before = (await client.get(path)).content
    async with db.transaction() as session:
        room.session = session
        for who in room.bidders:
            await room.bid(who, 150_000)
    after = (await client.get(path)).content
    assert before == after
    assert b'"state":"sealed"' in after


@pytest.mark.parametrize("named", [True, False])
async def test_staff_are_told_whose_bid_did_not_open_where_the_notice_forfeits_for_that(
    context: Context, db: Database, named: bool
) -> None:
    async with db.transaction() as session:
        forfeits = ("seal-not-opened",) if named else ("collusion",)
        room = await opened_room(session, bidders=2, forfeits=list(forfeits))
        good, failed = room.bidders
        await held(session, room, failed, forfeits)
        await room.bid(good, 170_000)
        await room.send(failed, garbage(room))
        await room.close()
        await room.hand_in("seller")
        await room.hand_in("auditor")
        fact: Any = SimpleNamespace(record={"auction": str(room.auction.id)})
        await deposit_verbs.free_deposits(context, session, fact, NOW)
    async with signed_client(context, role="operator") as (_, who), served(context) as site:
        page = await signed_in(site, who.email)
    [row] = re.findall(rf"(?s)<tr>(?:(?!<tr>).)*{failed}.*?</tr>", page)
    assert ("sealed bid did not open" in row) == named
    assert ("Give a deposit back" in row) != named


async def held(session: AsyncSession, room: Room, party: UUID, forfeits: tuple[str, ...]) -> None:
    """A deposit that the bank credited."""
    terms = Terms(room.auction.id, party, room.seller, Money(5_000, "CNY"), None, forfeits)
    await deposits.require(session, terms, now=NOW)
    by = await admissions_factory.staff(session, now=NOW)
    receipt = DepositReceipt(
        id=ids.new(NOW), auction_id=room.auction.id, party_id=party, amount_minor=5_000,
        reference=f"BANK {party}", credited_at=NOW, recorded_by=by, recorded_at=NOW,
    )  # fmt: skip
    await deposits.receive(session, receipt, currency="CNY")


async def signed_in(site: str, email: str) -> str:
    """The queue as a person of the staff sees it."""
    async with httpx.AsyncClient(base_url=site, follow_redirects=True) as browser:
        await browser.post("/sign-in", data={"email": email, "password": PASSWORD})
        return (await browser.get("/console?lang=en")).text


async def test_staff_are_told_which_shares_are_waited_for(context: Context, db: Database) -> None:
    come = ceremony_of(ids.new(NOW))
    async with db.transaction() as session:
        room = await opened_room(session, bidders=1)
        await prepared(session, come, room.seller, holders=("exchange",))
        await room.bid(room.bidders[0], 170_000)
        await room.close()
        await room.hand_in("exchange")
    async with signed_client(context, role="auditor") as (_, who), served(context) as site:
        page = await signed_in(site, who.email)
    for auction, label in (
        (come.opening.auction, "Acknowledge the share"),
        (room.auction.id, "Hand in the share"),
    ):
        [row] = re.findall(rf"<tr>(?:(?!<tr>).)*{auction}.*?</tr>", page, re.DOTALL)
        assert label in row
        assert "Auditor" in row  # the exchange's own was shown, and handed in, before
    async with db.transaction() as session:
        room.session = session
        await room.hand_in("auditor")
    async with signed_client(context, role="auditor") as (_, who), served(context) as site:
        assert str(room.auction.id) not in await signed_in(site, who.email)
