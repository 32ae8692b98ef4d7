"""A stranger with the exported log alone finds every bid that was not opened as it was sealed."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.refusal import Refusal
from listings.auctions import chain, export, verify_auction
from listings.auctions import queries as auctions_read
from listings.sealed import audit, commitment, service
from listings.sealed.audit import Fault, NothingOpened
from tests.conftest import NOW
from tests.listings.sealed_factory import Room, opened_room

Documents = list[dict[str, Any]]


async def exported(room: Room) -> list[bytes]:
    """The log as it is exported."""
    rows = await auctions_read.log(room.session, room.auction.id, after=-1, limit=1000)
    events = [(chain.event(row.seq, row.kind, row.at, row.body), row.hash) for row in rows]
    auction = room.auction
    return list(export.lines(auction.rulebook, auction.rulebook_sha256, events))


async def finished(session: AsyncSession, **changes: Any) -> Room:
    """An opened auction: three good bids, a replaced one, garbage, and one under the floor."""
    room = await opened_room(session, bidders=5, **changes)
    await room.bid(room.bidders[0], 900_000)
    for n, who in enumerate(room.bidders[:3]):
        await room.bid(who, 150_000 + n * 1_000)
    raw = b"\x01\x04" + b"x" * (room.held.opening.plain_bytes + commitment.OVERHEAD - 2)
    garbage = {"commitment": "ab" * 32, "sealed": commitment.encoded(raw)}
    await room.send(room.bidders[3], garbage)
    await room.bid(room.bidders[4], 99_999)
    await room.close()
    await room.hand_in("seller")
    await room.hand_in("auditor")
    return room


@pytest.mark.parametrize("method", ["sealed", "vickrey", "intent"])
async def test_a_second_implementation_finds_the_same_result_and_the_audit_no_fault(
    session: AsyncSession, method: str
) -> None:
    room = await finished(session, method=method)
    lines = await exported(room)
    found = verify_auction.verify(b"".join(lines))
    assert verify_auction.dumps(found["result"]) == room.auction.result
    report = audit.audit(lines)
    assert (report.checked, report.trusted, report.faults) == (5, 0, ())


def swapped(documents: Documents, change: Callable[[dict[str, Any]], None]) -> list[bytes]:
    """The log with another opening, as a cheating exchange would have written it."""
    change(next(event["body"] for event in documents[1:] if event["kind"] == "revealed"))
    return [canonical.dumps(document) for document in documents]


def call_broken(body: dict[str, Any]) -> None:
    one = body["openings"].pop(2)
    body["failures"].append({"bid": one["bid"], "reason": "does-not-decrypt"})


def call_bad(body: dict[str, Any]) -> None:
    one = body["openings"].pop(2)
    body["failures"].append({"bid": one["bid"], "reason": "bad-content"})


def leave_out(body: dict[str, Any]) -> None:
    body["openings"].pop(2)


def change_amount(body: dict[str, Any]) -> None:
    body["openings"][2]["content"]["amount_minor"] = 100_000


def forgive(body: dict[str, Any]) -> None:
    body["failures"][0]["reason"] = "not-revealed"


def other_key(body: dict[str, Any]) -> None:
    body["key"]["private"] = "01" * 32


def no_scalar(body: dict[str, Any]) -> None:
    body["key"]["private"] = "ff" * 32


def add_one(body: dict[str, Any]) -> None:
    body["failures"].append(
        {"bid": "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0aff", "reason": "bad-content"}
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (call_broken, {"does-not-decrypt"}), (call_bad, {"bad-content"}), (leave_out, {"left-out"}),
        (change_amount, {"opened"}), (forgive, {"not-revealed"}), (other_key, {"key"}),
        (no_scalar, {"key"}), (add_one, {"bad-content"}),
    ],
)  # fmt: skip
async def test_an_opening_that_cheats_a_bidder_is_found(
    session: AsyncSession, change: Callable[[dict[str, Any]], None], said: set[str]
) -> None:
    room = await finished(session)
    documents = [canonical.loads(line) for line in await exported(room)]
    report = audit.audit(swapped(documents, change))
    assert {fault.said for fault in report.faults} == said
    assert all(isinstance(fault, Fault) and fault.said != fault.found for fault in report.faults)


async def test_without_the_key_only_what_bidders_showed_can_be_checked(
    session: AsyncSession,
) -> None:
    room = await opened_room(session, bidders=2)
    sealed = room.sealed(room.bidders[0], 150_000)
    bid_id = await room.send(room.bidders[0], sealed.content)
    await room.bid(room.bidders[1], 160_000)
    await room.close()
    content = {"amount_minor": 150_000, "currency": "CNY"}
    await room.reveal(room.bidders[0], bid_id, content, sealed.nonce)
    late = room.closed_at.replace(day=room.closed_at.day + 1)
    assert await service.open_due(session, now=late) == 1
    lines = await exported(room)
    verify_auction.verify(b"".join(lines))
    report = audit.audit(lines)
    assert (report.checked, report.trusted, report.faults) == (2, 1, ())
    documents = [canonical.loads(line) for line in lines]

    def lie(body: dict[str, Any]) -> None:
        body["openings"][0]["content"]["amount_minor"] = 900_000

    assert [fault.found for fault in audit.audit(swapped(documents, lie)).faults] == [
        "commitment-mismatch"
    ]


@pytest.mark.parametrize("lines", [[], [b"{}"], [b"[]"], [b"no"], [b"null", b"null"]])
def test_what_is_no_log_of_a_sealed_auction_is_refused(lines: list[bytes]) -> None:
    with pytest.raises(Refusal):
        audit.audit(lines)


async def test_a_log_that_is_not_opened_yet_is_refused(session: AsyncSession) -> None:
    room = await opened_room(session)
    await room.bid(room.bidders[0], 150_000)
    with pytest.raises(NothingOpened):
        audit.audit(await exported(room))
    assert room.auction.opens_at == NOW
