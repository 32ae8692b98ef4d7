"""Opening auctions, writing their log, and concluding them.

Whoever changes an auction holds its row's lock: the lock orders bids and every other event, so that
the log has one order and no gap.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking, rfc3339
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from contracts.titles import queries as titles
from listings.admissions import queries as admissions
from listings.admissions import service as admitting
from listings.auctions import chain, payment, queries, rulebook, rules
from listings.auctions.ingress import NotDurable
from listings.auctions.model import Book, Event, Standing
from listings.auctions.tables import Auction, AuctionEvent
from listings.bundles import cells as bundle_cells
from listings.sealed import keys as opening_keys
from settlement.fees import agreeing

DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_SETTINGS = text(
    "SELECT current_setting('fsync'), current_setting('full_page_writes'), "
    "current_setting('synchronous_commit')"
)


async def open_auction(  # noqa: PLR0913 - a frozen auction is told everything at once.
    session: AsyncSession,
    auction_id: UUID,
    *,
    listing_id: UUID,
    work_id: UUID,
    seller_id: UUID,
    sale: Mapping[str, Any],
    now: datetime,
    rights: Sequence[Mapping[str, Any]] = (),
    supersedes: UUID | None = None,
) -> Auction:
    """Open the auction of a listing with the rules in `sale`, frozen from here on.

    The seller and co-owners of the work are barred. Other rules are another auction.

    Args:
        session: the open transaction.
        auction_id: the id that the seller chose.
        listing_id: what is sold.
        work_id: the work whose rights they are.
        seller_id: who sells.
        sale: the whole sale as the wire carries it, a hidden reserve included.
        now: the instant of publication.
        rights: the listing's rights, which a package auction divides into cells.
        supersedes: the void auction of the listing whose place this one takes.

    Raises:
        Refusal: any of `rulebook.read_sale`.
        IdReused: the id names another auction.
        NotDurable: the server may lose what it has confirmed.
    """
    known = await session.get(Auction, auction_id)
    if known is not None:
        return _same_auction(known, listing_id=listing_id, seller_id=seller_id)
    await check_durable(session)
    read, barred = await _read(session, auction_id, sale, work_id, seller_id, now=now)
    secret = _secret(read)
    rules_ = rulebook.rulebook(
        read, auction=auction_id, listing=listing_id, work=work_id, supersedes=supersedes,
        holders=await admitting.set_aside(session, auction_id, read.holders),
        more_terms=_cells(read, rights), **_commitments(auction_id, secret),
        fees=await agreeing.named(session, currency=read.currency, now=now),
    )  # fmt: skip
    auction = _row(rules_, secret, seller_id=seller_id, barred=sorted(barred))
    session.add(auction)
    await session.flush()
    await append(session, auction, "opened", {"rulebook_sha256": auction.rulebook_sha256}, at=now)
    await facts.record(session, "auction.opened", auction_id, _opened(auction), now=now)
    return auction


async def check_durable(session: AsyncSession) -> None:
    """Refuse a server that may lose what it has confirmed.

    Raises:
        NotDurable: fsync, full_page_writes or synchronous_commit is off.
    """
    row = (await session.execute(_SETTINGS)).one()
    off = [name for name, value in zip(DURABLE, row, strict=True) if value == "off"]
    if off:
        raise NotDurable("The database may lose what it has confirmed.", off=off)


async def locked(session: AsyncSession, auction_id: UUID) -> Auction:
    """Return the auction, locked until the transaction ends.

    Raises:
        Unknown: there is none of that id.
    """
    auction = await locking.find_locked(session, Auction, col(Auction.id) == auction_id)
    if auction is None:
        raise Unknown("There is no such auction.")
    return auction


async def append(
    session: AsyncSession, auction: Auction, kind: str, body: Mapping[str, Any], *, at: datetime
) -> bytes:
    """Append one event to the log of an auction whose row is locked; return its hash.

    Bids come in batches instead (`placing.place_bids`).

    Raises:
        BrokenLog: the event cannot follow what the log holds (a bug, not a refusal).
    """
    book = queries.book(auction)
    before = queries.standing(auction) if auction.standing else rules.begin(book)
    seq = before.seq + 1
    event = Event(seq, kind, at, dict(body))
    after = rules.advance(book, before, event)
    raw = canonical.dumps(event.body)
    previous = auction.head_sha256 or chain.GENESIS
    head = chain.link(previous, chain.event(seq, kind, at, raw))
    session.add(AuctionEvent(auction_id=auction.id, seq=seq, kind=kind, at=at, body=raw, hash=head))
    _stand(auction, after, head=head, kind=kind, at=at)
    await session.flush()
    return head


async def conclude(session: AsyncSession, auction_id: UUID, *, now: datetime) -> dict[str, Any]:
    """Award a closed auction by its log and make the result known; after a default, award anew.

    Raises:
        Unknown: there is no such auction.
        BrokenLog: it has not closed, or its log lacks what the award needs.
    """
    auction = await locked(session, auction_id)
    book = queries.book(auction)
    result = rules.award(book, await queries.events(session, auction_id))
    again = auction.result is not None
    await append(session, auction, "awarded", result, at=now)
    auction.result = canonical.dumps(result)
    await session.flush()
    if not again:
        await facts.record(session, "auction.closed", auction.id, _closed(auction, result), now=now)
    whose = await admissions.parties_of(session, auction_id)
    winners = [whose[award["paddle"]] for award in result["awards"]]
    await admitting.release(session, auction_id, keep=winners)
    for award, winner in zip(result["awards"], winners, strict=True):
        await facts.record(
            session,
            "award.made",
            auction.id,
            _award(auction, book, award, winner),
            parties=[auction.seller_id, winner],
            now=now,
        )
    return result


async def _read(
    session: AsyncSession,
    auction_id: UUID,
    sale: Mapping[str, Any],
    work_id: UUID,
    seller_id: UUID,
    *,
    now: datetime,
) -> tuple[rulebook.Sale, frozenset[UUID]]:
    """Read the sale, and who is barred from it; its opening key is in use from here on."""
    owners = {share.party_id for share in await titles.shares(session, work_id)}
    barred = frozenset({seller_id} | owners)
    read = rulebook.read_sale(sale, barred=barred, now=now)
    if read.opening is not None:
        await opening_keys.use(session, auction_id, read.opening, seller_id=seller_id)
    return read, barred


def _secret(read: rulebook.Sale) -> dict[str, Any]:
    """Draw what the rulebook commits to and the log opens after the close."""
    secret: dict[str, Any] = dict(read.secret)
    if "reserve_minor" in secret:
        secret["nonce"] = secrets.token_bytes(32).hex()
    if read.tie_rule == "lottery":
        secret["seed"] = secrets.token_bytes(32).hex()
    return secret


def _commitments(auction_id: UUID, secret: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what the rulebook says of each secret."""
    seed, reserve = secret.get("seed"), secret.get("reserve_minor")
    nonce = bytes.fromhex(secret.get("nonce", ""))
    return {
        "seed_commitment": rulebook.seed_commitment(auction_id, bytes.fromhex(seed))
        if seed
        else None,
        "reserve_commitment": rulebook.reserve_commitment(auction_id, reserve, nonce)
        if reserve
        else None,
    }


def _cells(read: rulebook.Sale, rights: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the cells that a package auction divides the rights into."""
    if read.method != "package":
        return {}
    return {"cells": bundle_cells.listed(rights, read.terms)}


def _row(
    rules_: Mapping[str, Any], secret: dict[str, Any], *, seller_id: UUID, barred: list[UUID]
) -> Auction:
    raw = canonical.dumps(rules_)
    book = rulebook.read(rules_, reserve_minor=secret.get("reserve_minor"))
    standing = rules.begin(book)
    step = book.terms.get("step") or {}
    return Auction(
        id=book.auction,
        work_id=book.work,
        listing_id=book.listing,
        seller_id=seller_id,
        barred=barred,
        state="open",
        method=book.method,
        supersedes=book.supersedes,
        rulebook=raw,
        rulebook_sha256=canonical.sha256_hex(raw),
        currency=book.currency,
        floor_minor=book.terms.get("floor_minor") or book.terms.get("price_minor") or 1,
        step_minor=step.get("minor"),
        opens_at=book.opens_at,
        announced_closes_at=book.closes_at,
        closes_at=standing.closes_at,
        soft_close_s=book.closing.window_s if book.closing.kind == "soft" else None,
        hard_stop_at=standing.hard_stop_at,
        secret=secret or None,
    )


def _stand(auction: Auction, after: Standing, *, head: bytes, kind: str, at: datetime) -> None:
    for name, value in columns(after).items():
        setattr(auction, name, value)
    auction.head_sha256 = head
    if kind in ("closed", "voided"):
        auction.state = "closed" if kind == "closed" else "void"
        auction.closed_at = auction.closed_at or at
    elif auction.state in ("open", "paused"):
        auction.state = "paused" if after.paused_at else "open"


def columns(standing: Standing) -> dict[str, Any]:
    """Return the columns of an auction's row that follow from its standing."""
    waits = standing.phase == "ended" or standing.paused_at is not None
    return {
        "closes_at": standing.closes_at,
        "hard_stop_at": standing.hard_stop_at,
        "leading_bid": standing.leading_bid,
        "leading_amount_minor": standing.price_minor,
        "bids": standing.bids,
        "extensions": standing.extensions,
        "seq": standing.seq,
        "standing": standing.to_json(),
        "due_at": None if waits else standing.closes_at,
    }


def _same_auction(known: Auction, *, listing_id: UUID, seller_id: UUID) -> Auction:
    if (known.listing_id, known.seller_id) != (listing_id, seller_id):
        raise IdReused("This id names the auction of another listing.")
    return known


def _opened(auction: Auction) -> dict[str, Any]:
    return {
        "auction": str(auction.id),
        "listing": str(auction.listing_id),
        "rulebook_sha256": auction.rulebook_sha256,
        "opens_at": rfc3339.exact(auction.opens_at),
        "closes_at": rfc3339.exact(auction.announced_closes_at),
    }


def _closed(auction: Auction, result: Mapping[str, Any]) -> dict[str, Any]:
    awards = result["awards"]
    return {
        "auction": str(auction.id),
        "listing": str(auction.listing_id),
        "sold": result["outcome"] == "sold",
        "bid": awards[0]["bid"] if len(awards) == 1 else None,
        "amount_minor": sum(award["amount_minor"] for award in awards) if awards else None,
        "currency": auction.currency,
        "bids": result["bids"],
        "closed_at": rfc3339.exact(auction.closes_at),
        "result_sha256": canonical.sha256_hex(auction.result or b""),
        "log_head": (auction.head_sha256 or b"").hex(),
    }


def _award(auction: Auction, book: Book, award: Mapping[str, Any], winner: UUID) -> dict[str, Any]:
    items, amount_minor = award["items"], award["amount_minor"]
    return {
        "auction": str(auction.id),
        "listing": str(auction.listing_id),
        "work": str(auction.work_id),
        "licensor": str(auction.seller_id),
        "licensee": str(winner),
        "bid": award["bid"],
        "amount_minor": amount_minor,
        "currency": auction.currency,
        "rights": None if items is None else bundle_cells.rights(book.terms["cells"], items),
        "price": None if book.payment is None else payment.price(book.payment, amount_minor),
    }
