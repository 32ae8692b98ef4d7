"""Placing bids in batches: one lock, one decision after the other, one statement, one commit.

The caller commits and only then answers, refusals too: a refusal quotes what the bids before it in
the batch have changed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import col

from contracts import canonical, rfc3339
from contracts.facts import service as facts
from contracts.facts.service import Happened
from contracts.refusal import IdReused, Kind, Refusal
from listings.admissions import queries as admission_queries
from listings.admissions import rules as admission_rules
from listings.admissions import service as admissions
from listings.admissions.rules import Admission
from listings.auctions import chain, ending, queries, rules, service
from listings.auctions.arrivals import Arrival, Later, Placed
from listings.auctions.ending import End
from listings.auctions.ingress import IngressLost
from listings.auctions.model import Accepted, Book, Standing
from listings.auctions.model import Bid as Proposal
from listings.auctions.refusals import BidNotSealed
from listings.auctions.tables import Auction, Bid

Answer = Placed | Refusal | Later


class OtherRules(Refusal):
    """The bid names the hash of another rulebook than this auction's."""

    kind, code = Kind.CONFLICT, "other-rules"
    hint = "Read the auction's rulebook again and bid by its `rulebook_sha256`."


class BatchOvertaken(Exception):
    """The auction's head moved under its own lock: somebody wrote around the log."""


_FENCE = text(
    "SELECT id, EXISTS (SELECT FROM exposure WHERE auction_id = :auction AND amount_minor > 0), "
    "current_setting('fsync') = 'off' OR current_setting('full_page_writes') = 'off' "
    "OR current_setting('synchronous_commit') = 'off' "
    "FROM ingress WHERE id = :ingress FOR KEY SHARE"
)
_WRITE = text(
    f"""
WITH placed AS MATERIALIZED (
  SELECT * FROM json_to_recordset(CAST(:bids AS json)) AS row (
    id uuid, party_id uuid, person_id uuid, paddle int, sequence bigint, amount_minor bigint,
    currency varchar, received_at timestamptz, closes_at timestamptz, content bytea, leads boolean,
    price_minor bigint, event_sha256 bytea, fact_id uuid, commitment varchar, blind bytea,
    message bytea, body bytea)),
bids AS (
  INSERT INTO bid (auction_id, id, party_id, person_id, paddle, sequence, amount_minor, currency,
    received_at, closes_at, content, leads, price_minor, event_sha256, fact_id, commitment, blind,
    message)
  SELECT :auction, id, party_id, person_id, paddle, sequence, amount_minor, currency, received_at,
    closes_at, content, leads, price_minor, event_sha256, fact_id, commitment, blind, message
  FROM placed),
events AS (
  INSERT INTO auction_event (auction_id, seq, kind, at, body, hash)
  SELECT :auction, sequence, 'bid', received_at, body, event_sha256 FROM placed),
refused AS (
  INSERT INTO refused_bid
    (auction_id, bid_id, party_id, person_id, received_at, content, code, told)
  SELECT :auction, bid_id, party_id, person_id, received_at, content, code, told
  FROM json_to_recordset(CAST(:refused AS json)) AS row (bid_id uuid, party_id uuid,
    person_id uuid, received_at timestamptz, content bytea, code varchar, told bytea)),
{facts.BATCH}
UPDATE auction SET closes_at = :closes_at, hard_stop_at = :hard_stop_at,
  leading_bid = :leading_bid, leading_amount_minor = :leading_amount_minor, bids = :bids_count,
  extensions = :extensions, seq = :seq, head_sha256 = :head,
  standing = CAST(:standing AS jsonb), due_at = :due_at
WHERE id = :auction AND seq = :before
"""  # noqa: S608 - both parts are written in this project, values are bound.
)


@dataclass(slots=True)
class _Batch:
    """What a batch has decided so far."""

    auction: Auction
    book: Book
    standing: Standing
    head: bytes
    admitted: Mapping[UUID, Admission]
    known: dict[UUID, Placed]
    bids: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    told: list[Happened] = field(default_factory=list)


async def place_bids(
    session: AsyncSession,
    auction_id: UUID,
    arrivals: Sequence[Arrival],
    *,
    now: datetime,
    door: UUID | None = None,
) -> list[Answer]:
    """Decide bids in the order of their receipt and write all of it; answers in the given order.

    Args:
        session: the open transaction; whoever commits it answers.
        auction_id: the auction.
        arrivals: bids that came in, as many as wait.
        now: the present instant.
        door: the process's row in `ingress`; None decides without a door (tests, imports).

    Raises:
        Unknown: there is no such auction.
        IngressLost, NotDurable: this process may not decide now.
    """
    auction = await service.locked(session, auction_id)
    is_bound = await _fence(session, auction_id, door)
    batch = await _load(session, auction, arrivals, now=now)
    answers: dict[int, Answer] = {}
    for place in sorted(range(len(arrivals)), key=lambda at: arrivals[at].received_at):
        arrival = arrivals[place]
        if door is not None and _may_be_late(batch, arrival):
            await _write(session, batch)
            if await ending.find_end(session, auction, own=door) is End.WAITS:
                answers[place] = Later.LATER
                continue
            batch.standing, batch.head = queries.standing(auction), auction.head_sha256 or b""
        answers[place] = _decide(batch, arrival)
    await _write(session, batch)
    if is_bound or any(one.room_minor is not None for one in batch.admitted.values()):
        await _expose(session, batch)
    return [answers[place] for place in range(len(arrivals))]


async def place_bid(
    session: AsyncSession, auction_id: UUID, arrival: Arrival, *, now: datetime
) -> Placed:
    """Place one bid by itself.

    Raises:
        Refusal: it is refused.
    """
    [answer] = await place_bids(session, auction_id, [arrival], now=now)
    if isinstance(answer, Refusal):
        raise answer
    assert isinstance(answer, Placed)  # noqa: S101 - only doors are told to ask again.
    return answer


async def _fence(session: AsyncSession, auction_id: UUID, door: UUID | None) -> bool:
    """Check this process's door, keep it from being struck off, tell if exposure is written."""
    if door is None:
        return True
    row = (await session.execute(_FENCE, {"auction": auction_id, "ingress": door})).one_or_none()
    if row is None:
        raise IngressLost("This process was cut off from deciding bids.")
    if row[2]:
        await service.check_durable(session)
    return bool(row[1])


async def _load(
    session: AsyncSession, auction: Auction, arrivals: Sequence[Arrival], *, now: datetime
) -> _Batch:
    wanted = [arrival.bid_id for arrival in arrivals]
    rows = await session.execute(
        select(Bid).where(col(Bid.auction_id) == auction.id, col(Bid.id).in_(wanted))
    )
    book = queries.book(auction)
    known = {bid.id: Placed.again(bid, book) for bid in rows.scalars()}
    parties = {arrival.party_id for arrival in arrivals if arrival.bid_id not in known}
    admitted = await admissions.loaded(session, auction, parties, now=now) if parties else {}
    return _Batch(
        auction=auction,
        book=book,
        standing=queries.standing(auction),
        head=auction.head_sha256 or b"",
        admitted=admitted,
        known=known,
    )


def _may_be_late(batch: _Batch, arrival: Arrival) -> bool:
    """Tell whether a bid looks late while the end may still move: another door may hold one."""
    standing = batch.standing
    return (
        arrival.bid_id not in batch.known
        and standing.phase == "bidding"
        and standing.paused_at is None
        and arrival.received_at >= standing.closes_at
        and not (batch.book.method in ("fixed", "dutch") and standing.leading_bid is not None)
    )


def _decide(batch: _Batch, arrival: Arrival) -> Answer:
    known = batch.known.get(arrival.bid_id)
    if known is not None:
        return _same(known, arrival)
    try:
        accepted = _judge(batch, arrival)
    except Refusal as refusal:
        batch.refused.append(_refused(arrival, refusal))
        return refusal
    return _take(batch, arrival, accepted)


def _same(known: Placed, arrival: Arrival) -> Answer:
    content = known.content or canonical.quick(
        {"amount_minor": known.amount_minor, "currency": known.currency}
    )
    if (known.party_id, content) != (arrival.party_id, canonical.quick(arrival.content)):
        return IdReused("This id names another bid of this auction.")
    return known


def _judge(batch: _Batch, arrival: Arrival) -> Accepted:
    named = arrival.rulebook_sha256
    if named not in (None, batch.book.sha256):
        raise OtherRules("The auction has other rules.", rulebook_sha256=batch.book.sha256)
    admission = batch.admitted[arrival.party_id]
    admission_rules.check(admission, committed_minor=0)
    paddle = admission.paddle
    assert paddle is not None  # noqa: S101 - whoever is admitted has a number.
    proposal = Proposal(arrival.bid_id, paddle, arrival.content, arrival.received_at)
    accepted = rules.judge(batch.book, batch.standing, proposal)
    if admission.cap_minor is not None or admission.room_minor is not None:
        bound = rules.exposure(batch.book, accepted.standing).get(paddle, 0)
        admission_rules.check(admission, committed_minor=bound)
    return accepted


def _take(batch: _Batch, arrival: Arrival, accepted: Accepted) -> Placed:
    """Write an accepted bid into the log and the batch."""
    auction, before, standing = batch.auction, batch.standing, accepted.standing
    paddle = batch.admitted[arrival.party_id].paddle or 0
    body = canonical.quick(
        {
            "bid": str(arrival.bid_id),
            "paddle": paddle,
            "content": arrival.content,
            "rulebook_sha256": batch.book.sha256,
            "signed": arrival.signed and arrival.signed.wire(),
            "after": accepted.after,
        }
    )
    raw = chain.event(standing.seq, "bid", arrival.received_at, body)
    batch.head = chain.link(batch.head, raw)
    batch.standing = standing
    fact = _fact(batch, arrival, paddle, moved=_moved(before, standing))
    placed = Placed(
        auction_id=auction.id,
        bid_id=arrival.bid_id,
        party_id=arrival.party_id,
        amount_minor=arrival.content.get("amount_minor"),
        currency=auction.currency,
        paddle=paddle,
        sequence=standing.seq,
        received_at=arrival.received_at,
        closes_at=standing.closes_at,
        leads=standing.leading_bid == arrival.bid_id,
        price_minor=standing.price_minor,
        event_sha256=batch.head,
        fact_id=fact.id,
        commitment=fact.commitment,
        content=canonical.quick(arrival.content),
        rulebook_sha256=batch.book.sha256,
        is_hidden=batch.book.secrecy["bidders"] == "hidden",
        is_open=batch.book.secrecy["amounts"] == "open",
        is_new=True,
    )
    batch.known[arrival.bid_id] = placed
    batch.bids.append(_row(placed, arrival, fact, body))
    return placed


def _moved(before: Standing, after: Standing) -> bool:
    return (before.price_minor, before.closes_at) != (after.price_minor, after.closes_at)


def _fact(batch: _Batch, arrival: Arrival, paddle: int, *, moved: bool) -> Happened:
    """Prepare what tells of the bid; it is told at the close where it would give a number away.

    The public log shows the kind and time of every leaf: one leaf for each bid would be a count.
    """
    is_hidden = batch.book.secrecy["bidders"] == "hidden"
    is_open = batch.book.secrecy["amounts"] == "open"
    auction_id, standing, at = batch.auction.id, batch.standing, arrival.received_at
    if is_open and (moved or not is_hidden):
        placed = facts.happened(
            "bid.placed",
            auction_id,
            {
                "auction": str(auction_id),
                "bid": str(arrival.bid_id),
                "paddle": None if is_hidden else paddle,
                "amount_minor": standing.price_minor,
                "currency": batch.auction.currency,
                "sequence": None if is_hidden else standing.seq,
                "received_at": rfc3339.exact(at),
                "closes_at": rfc3339.exact(standing.closes_at),
            },
            now=at,
        )
        batch.told.append(placed)
        return placed
    record = ending.received(auction_id, arrival.bid_id, batch.head, at)
    return facts.happened("bid.received", auction_id, record, parties=[arrival.party_id], now=at)


def _row(placed: Placed, arrival: Arrival, fact: Happened, body: bytes) -> dict[str, Any]:
    return {
        "id": str(placed.bid_id),
        "party_id": str(placed.party_id),
        "person_id": str(arrival.person_id),
        "paddle": placed.paddle,
        "sequence": placed.sequence,
        "amount_minor": placed.amount_minor,
        "currency": placed.currency,
        "received_at": placed.received_at.isoformat(),
        "closes_at": placed.closes_at.isoformat(),
        "content": _hex(placed.content),
        "leads": placed.leads,
        "price_minor": placed.price_minor,
        "event_sha256": _hex(placed.event_sha256),
        "fact_id": str(placed.fact_id),
        "commitment": placed.commitment,
        "blind": _hex(fact.blind),
        "message": None if arrival.signed is None else _hex(arrival.signed.message),
        "body": _hex(body),
    }


def _refused(arrival: Arrival, refusal: Refusal) -> dict[str, Any]:
    # An amount in clear where the exchange may not know it is not kept.
    content = {} if isinstance(refusal, BidNotSealed) else arrival.content
    return {
        "bid_id": str(arrival.bid_id),
        "party_id": str(arrival.party_id),
        "person_id": str(arrival.person_id),
        "received_at": arrival.received_at.isoformat(),
        "content": _hex(canonical.quick(content)),
        "code": refusal.code,
        "told": _hex(canonical.quick(refusal.data)),
    }


async def _write(session: AsyncSession, batch: _Batch) -> None:
    """Write what was decided and not written yet, in one statement."""
    if not (batch.bids or batch.refused):
        return
    auction, columns = batch.auction, service.columns(batch.standing)
    done = await session.execute(
        _WRITE,
        {
            "auction": auction.id,
            "bids": json.dumps(batch.bids),
            "refused": json.dumps(batch.refused),
            "facts": facts.batch(batch.told),
            "before": auction.seq,
            "head": batch.head,
            "bids_count": columns["bids"],
            **{name: columns[name] for name in _AS_THEY_ARE},
            "standing": json.dumps(columns["standing"]),
        },
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise BatchOvertaken(f"auction {auction.id} is not at event {auction.seq}")
    for name, value in {**columns, "head_sha256": batch.head}.items():
        set_committed_value(auction, name, value)
    batch.bids, batch.refused, batch.told = [], [], []


_AS_THEY_ARE = (
    "closes_at", "hard_stop_at", "leading_bid", "leading_amount_minor", "extensions", "seq",
    "due_at",
)  # fmt: skip


async def _expose(session: AsyncSession, batch: _Batch) -> None:
    """Write what each bidder is bound for now, for the sum over auctions."""
    bound = rules.exposure(batch.book, batch.standing)
    whose = await admission_queries.parties_of(session, batch.auction.id)
    by_party = {whose[paddle]: minor for paddle, minor in bound.items() if minor}
    await admissions.expose(session, batch.auction.id, by_party, currency=batch.auction.currency)


def _hex(raw: bytes) -> str:
    return "\\x" + raw.hex()
