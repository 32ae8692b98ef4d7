"""Placing bids in batches: one lock, one decision after the other, one statement, one commit.

The caller commits and only then answers, refusals too: a refusal quotes what the bids before it in
the batch have changed. The batch is taken once the lock is held: whatever comes in while another
process holds it goes along. It costs three round trips besides its commit, whatever its size, as
what is read together is sent together (a pipeline of the PostgreSQL protocol).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key

from contracts import canonical, driver
from contracts.facts import service as facts
from contracts.refusal import Refusal, Unknown
from listings.admissions import queries as admission_queries
from listings.admissions import service as admissions
from listings.admissions.rules import Admission
from listings.auctions import deciding, ending, queries, rules, service
from listings.auctions.arrivals import Arrival, Later, Placed
from listings.auctions.deciding import Answer, Batch
from listings.auctions.ending import End
from listings.auctions.ingress import IngressLost
from listings.auctions.model import Book, Standing
from listings.auctions.tables import Auction

MOST_KEPT = 512  # auctions whose frozen part a process keeps


class BatchOvertaken(Exception):
    """The auction's head moved under its own lock: somebody wrote around the log."""


@dataclass(frozen=True, slots=True)
class _Frozen:
    """What never changes of an auction."""

    book: Book
    rulebook: bytes


_FROZEN: dict[UUID, _Frozen] = {}
_LOCK = "SELECT seq, head_sha256, standing FROM auction WHERE id = %(auction)s FOR NO KEY UPDATE"
_FENCE = (
    "SELECT EXISTS (SELECT FROM exposure WHERE auction_id = %(auction)s AND amount_minor > 0), "
    "current_setting('fsync') = 'off' OR current_setting('full_page_writes') = 'off' "
    "OR current_setting('synchronous_commit') = 'off' "
    "FROM ingress WHERE id = %(door)s FOR KEY SHARE"
)
_KNOWN = (
    "SELECT id, party_id, amount_minor, currency, paddle, sequence, received_at, closes_at, leads, "
    "price_minor, event_sha256, fact_id, commitment, content "
    "FROM bid WHERE auction_id = %(auction)s AND id = ANY(%(bids)s)"
)
# The same statement for the driver, whose parameters are written otherwise.
_FACTS = facts.BATCH.replace(":facts", "%(facts)s")
_WRITE = f"""
WITH placed AS MATERIALIZED (
  SELECT * FROM json_to_recordset(CAST(%(bids)s AS json)) AS row (
    id uuid, party_id uuid, person_id uuid, paddle int, sequence bigint, amount_minor bigint,
    currency varchar, received_at timestamptz, closes_at timestamptz, content bytea, leads boolean,
    price_minor bigint, event_sha256 bytea, fact_id uuid, commitment varchar, blind bytea,
    message bytea, body bytea)),
bids AS (
  INSERT INTO bid (auction_id, id, party_id, person_id, paddle, sequence, amount_minor, currency,
    received_at, closes_at, content, leads, price_minor, event_sha256, fact_id, commitment, blind,
    message)
  SELECT %(auction)s, id, party_id, person_id, paddle, sequence, amount_minor, currency,
    received_at, closes_at, content, leads, price_minor, event_sha256, fact_id, commitment, blind,
    message
  FROM placed),
events AS (
  INSERT INTO auction_event (auction_id, seq, kind, at, body, hash)
  SELECT %(auction)s, sequence, 'bid', received_at, body, event_sha256 FROM placed),
refused AS (
  INSERT INTO refused_bid
    (auction_id, bid_id, party_id, person_id, received_at, content, code, told)
  SELECT %(auction)s, bid_id, party_id, person_id, received_at, content, code, told
  FROM json_to_recordset(CAST(%(refused)s AS json)) AS row (bid_id uuid, party_id uuid,
    person_id uuid, received_at timestamptz, content bytea, code varchar, told bytea)),
{_FACTS}
UPDATE auction SET closes_at = %(closes_at)s, hard_stop_at = %(hard_stop_at)s,
  leading_bid = %(leading_bid)s, leading_amount_minor = %(leading_amount_minor)s,
  bids = %(bids_count)s, extensions = %(extensions)s, seq = %(seq)s, head_sha256 = %(head)s,
  standing = CAST(%(standing)s AS jsonb), due_at = %(due_at)s
WHERE id = %(auction)s AND seq = %(before)s
"""  # noqa: S608 - both parts are written in this project, values are bound.
_AS_THEY_ARE = (
    "closes_at", "hard_stop_at", "leading_bid", "leading_amount_minor", "extensions", "seq",
    "due_at",
)  # fmt: skip


async def place_bids(
    session: AsyncSession,
    auction_id: UUID,
    take: Callable[[], Sequence[Arrival]],
    *,
    now: datetime,
    door: UUID | None = None,
) -> list[Answer]:
    """Decide bids in the order of their receipt and write all of it; answers in the given order.

    Args:
        session: the open transaction; whoever commits it answers.
        auction_id: the auction.
        take: called once the auction is locked; returns the bids that came in, as many as wait.
        now: the present instant.
        door: the process's row in `ingress`; None decides without a door (tests, imports).

    Raises:
        Unknown: there is no such auction.
        IngressLost, NotDurable: this process may not decide now.
    """
    batch, arrivals, is_bound = await _load(session, auction_id, take, now=now, door=door)
    before = batch.standing.seq
    answers: dict[int, Answer] = {}
    for place in sorted(range(len(arrivals)), key=lambda at: arrivals[at].received_at):
        arrival = arrivals[place]
        if door is not None and deciding.may_be_late(batch, arrival):
            before = await _write(session, batch, before)
            if not await _is_decided(session, batch, door):
                answers[place] = Later.LATER
                continue
            before = batch.standing.seq
        answers[place] = deciding.decide(batch, arrival)
    await _write(session, batch, before)
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
    [answer] = await place_bids(session, auction_id, lambda: [arrival], now=now)
    if isinstance(answer, Refusal):
        raise answer
    assert isinstance(answer, Placed)  # noqa: S101 - only doors are told to ask again.
    return answer


async def _load(
    session: AsyncSession,
    auction_id: UUID,
    take: Callable[[], Sequence[Arrival]],
    *,
    now: datetime,
    door: UUID | None,
) -> tuple[Batch, Sequence[Arrival], bool]:
    """Lock the auction, take the bids and read what they need; tell whether exposure is written."""
    await session.flush()  # what is read here does not pass through the session
    frozen = _FROZEN.get(auction_id) or await _freeze(session, auction_id)
    connection = await driver.beneath(session)
    async with connection.pipeline():
        locking = await connection.execute(_LOCK, {"auction": auction_id})
        fencing = await connection.execute(_FENCE, {"auction": auction_id, "door": door})
    row = await locking.fetchone()
    if row is None:
        raise Unknown("There is no such auction.")
    fence = await fencing.fetchone()
    if door is not None:
        if fence is None:
            raise IngressLost("This process was cut off from deciding bids.")
        if fence[1]:
            await service.check_durable(session)
    arrivals = take()
    asked = {
        "auction": auction_id,
        "bids": [arrival.bid_id for arrival in arrivals],
        "parties": list({arrival.party_id for arrival in arrivals}),
        "currency": frozen.book.currency,
        "now": now,
    }
    async with connection.pipeline():
        knowing = await connection.execute(_KNOWN, asked)
        admitting = await connection.execute(admissions.READY, asked)
    batch = Batch(
        auction_id=auction_id,
        book=frozen.book,
        standing=Standing.from_json(row[2]),
        head=bytes(row[1]),
        admitted=admissions.ready(await admitting.fetchall(), frozen.rulebook),
        known={row[0]: _again(auction_id, frozen.book, row) for row in await knowing.fetchall()},
    )
    batch.admitted = await _admitted(session, batch, arrivals, now=now)
    return batch, arrivals, fence is None or bool(fence[0])


async def _admitted(
    session: AsyncSession, batch: Batch, arrivals: Sequence[Arrival], *, now: datetime
) -> dict[UUID, Admission]:
    """Return how every bidder stands; whoever is not simply admitted is looked at closely."""
    admitted = dict(batch.admitted)
    parties = {one.party_id for one in arrivals if one.bid_id not in batch.known}
    missing = parties - admitted.keys()
    if missing:
        auction = await queries.get_auction(session, batch.auction_id)
        admitted |= await admissions.loaded(session, auction, missing, now=now)
    return admitted


async def _freeze(session: AsyncSession, auction_id: UUID) -> _Frozen:
    """Read and keep what never changes of an auction.

    Raises:
        Unknown: there is none, or it was held before auctions had logs.
    """
    auction = await queries.get_auction(session, auction_id)
    if auction.head_sha256 is None:
        raise Unknown("This auction was held before auctions had logs.")
    frozen = _Frozen(queries.book(auction), auction.rulebook)
    if len(_FROZEN) >= MOST_KEPT:
        _FROZEN.clear()
    _FROZEN[auction_id] = frozen
    return frozen


def _again(auction_id: UUID, book: Book, row: Sequence[Any]) -> Placed:
    return Placed(
        auction_id=auction_id,
        bid_id=row[0],
        party_id=row[1],
        amount_minor=row[2],
        currency=row[3],
        paddle=row[4],
        sequence=row[5],
        received_at=row[6],
        closes_at=row[7],
        leads=row[8] is not False,
        price_minor=row[9],
        event_sha256=row[10] or b"",
        fact_id=row[11],
        commitment=row[12],
        content=row[13] or b"",
        rulebook_sha256=book.sha256,
        is_hidden=book.secrecy["bidders"] == "hidden",
        is_open=book.secrecy["amounts"] == "open",
        is_new=False,
    )


async def _is_decided(session: AsyncSession, batch: Batch, door: UUID) -> bool:
    """Tell whether a bid that looks late can be judged; the end may have moved by an outage."""
    auction = await service.locked(session, batch.auction_id)
    end = await ending.find_end(session, auction, own=door)
    batch.standing, batch.head = queries.standing(auction), auction.head_sha256 or b""
    return end is not End.WAITS


async def _write(session: AsyncSession, batch: Batch, before: int) -> int:
    """Write what was decided and not written yet, in one statement; return the new last event."""
    if not (batch.bids or batch.refused):
        return before
    columns = service.columns(batch.standing)
    connection = await driver.beneath(session)
    done = await connection.execute(
        _WRITE,
        {
            "auction": batch.auction_id,
            "bids": canonical.quick(batch.bids).decode(),
            "refused": canonical.quick(batch.refused).decode(),
            "facts": facts.batch(batch.told),
            "before": before,
            "head": batch.head,
            "bids_count": columns["bids"],
            **{name: columns[name] for name in _AS_THEY_ARE},
            "standing": json.dumps(columns["standing"]),
        },
    )
    if done.rowcount != 1:
        raise BatchOvertaken(f"auction {batch.auction_id} is not at event {before}")
    loaded = session.identity_map.get(identity_key(Auction, batch.auction_id))
    for name, value in {**columns, "head_sha256": batch.head}.items() if loaded else ():
        set_committed_value(loaded, name, value)
    batch.bids, batch.refused, batch.told = [], [], []
    return batch.standing.seq


async def _expose(session: AsyncSession, batch: Batch) -> None:
    """Write what each bidder is bound for now, for the sum over auctions."""
    bound = rules.exposure(batch.book, batch.standing)
    whose = await admission_queries.parties_of(session, batch.auction_id)
    by_party = {whose[paddle]: minor for paddle, minor in bound.items() if minor}
    await admissions.expose(session, batch.auction_id, by_party, currency=batch.book.currency)
