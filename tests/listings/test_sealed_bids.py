"""Sealed bids that are replaced, copied, false, withheld or weighted, against a real database."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.refusal import Unknown
from listings.sealed import commitment, envelope, service
from listings.sealed.envelope import BID
from listings.sealed.rules import (
    BidReplaced,
    OpeningDone,
    OpeningNotDue,
    RevealMismatch,
    RevealOver,
)
from tests.conftest import NOW
from tests.listings.sealed_factory import facts_of, garbage, opened_room


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
