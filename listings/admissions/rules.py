"""Admission decided: who may bid, under which number, and for how much (准入, pure).

Source: 拍卖法 art. 22 (the auctioneer's staff do not bid), art. 30 (a seller neither bids nor has
others bid), art. 37 (no collusion); 广州产权交易所 资产交易操作规程 art. 8 (the names and the
number of bidders stay secret).
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from contracts import canonical, rfc3339
from contracts.refusal import InvalidContent, Kind, Refusal

VERIFIED, APPLIED = "verified", "applied"  # the two kinds of admission of a rulebook
# How somebody stands in one auction. The first three and `refused`, `suspended` are stored.
RESERVED, WAITING, ADMITTED = "reserved", "applied", "admitted"
REFUSED, SUSPENDED = "refused", "suspended"
MISSING, UNVERIFIED, OWN, RELATED, BLOCKED = "missing", "unverified", "own", "related", "blocked"
LAPSED = "lapsed"  # admitted, and the card or letter that stood for its deposit holds no more
UNSIGNED = "unsigned"  # applied, and the deposit agreement waits for its signature
PADDLE_TAG = b"uhdx/paddle/v1\x00"
# Hidden numbers are drawn from four digits: enough that a draw rarely has to be repeated, and the
# numbers set aside for holders of a first refusal stay below.
FIRST_HIDDEN, HIDDEN = 1_000, 9_000


class OwnListing(Refusal):
    """A seller, or a co-owner of the work, does not bid for it (拍卖法 art. 30)."""

    kind, code = Kind.FORBIDDEN, "own-listing"
    hint = "Only parties without a share in the work may bid."


class BidderNotVerified(Refusal):
    """The bidder is not a verified broadcaster."""

    kind, code = Kind.FORBIDDEN, "bidder-not-verified"
    hint = "Bid for a broadcaster whose papers the exchange has checked."


class NotAdmitted(Refusal):
    """The auction admits only whoever applied and was admitted before the bidding."""

    kind, code = Kind.FORBIDDEN, "not-admitted"
    hint = "Read GET /v1/auctions/{id}/admission: it says what is missing."


class DepositAgreementUnsigned(Refusal):
    """The rules ask for a signed deposit agreement, and the bidder has not signed it."""

    kind, code = Kind.FORBIDDEN, "deposit-agreement-unsigned"
    hint = "Sign it: PUT /v1/auctions/{id}/deposit-agreement, or `exchange sign {id} --deposit`."


class DepositLapsed(Refusal):
    """The deposit is no longer held: a card's hold, or a letter of guarantee, has run out."""

    kind, code = Kind.FORBIDDEN, "deposit-lapsed"
    hint = "Charge a card or wire the deposit; your bids so far stand."


class NoAgreementAsked(Refusal):
    """The rules of the auction ask for no signature under a deposit agreement."""

    kind, code = Kind.UNKNOWN, "no-agreement-asked"
    hint = "Apply and pay the deposit: that is the agreement, where a deposit is asked at all."


class RelatedToSeller(Refusal):
    """Seller, operator and bidder are connected (关联方): such a bid would be the seller's own."""

    kind, code = Kind.FORBIDDEN, "related-to-seller"
    hint = "If the connection on record is wrong, send the exchange the papers that show it."


class Blocked(Refusal):
    """The exchange has barred the party from bidding (拉黑), for a time or for this work."""

    kind, code = Kind.FORBIDDEN, "bidder-blocked"
    hint = "`until` says when it ends, if it does; ask the exchange for its reasons."


class CapExceeded(Refusal):
    """The bid would bind the bidder for more than it may be bound for in this auction."""

    kind, code = Kind.CONFLICT, "cap-exceeded"
    hint = "Bid `most_minor` or less, or ask the exchange for another cap."


class ExposureExceeded(Refusal):
    """The bid would bind the bidder for more than its credit line leaves free (授信额度)."""

    kind, code = Kind.CONFLICT, "exposure-exceeded"
    hint = "Bid `room_minor` or less here, or wait until you are outbid elsewhere."


class AdmissionClosed(Refusal):
    """The time to apply for admission is over."""

    kind, code = Kind.CONFLICT, "admission-closed"
    hint = "Applications were taken until `until`."


class AdmissionDecided(Refusal):
    """The application was admitted or refused before."""

    kind, code = Kind.CONFLICT, "admission-decided"
    hint = "Read the admission's `state`; papers are not changed after the decision."


@dataclass(frozen=True, slots=True)
class Gate:
    """What a rulebook says about admission."""

    kind: str
    deposit_minor: int
    until: datetime | None
    most_bidders: int | None
    cap_minor: int | None
    is_hidden: bool
    forfeits: tuple[str, ...]
    closes_at: datetime
    must_sign: bool = False
    modes: tuple[str, ...] = ("wire",)
    card_margin_h: int = 0
    guarantee_days: int = 0
    ends_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """How a party stands in one auction, as a bid is judged by it.

    Attributes:
        paddle: the number (号牌) under which it bids; None while it is not admitted.
        cap_minor: the most it may be bound for in this auction; None is no cap.
        room_minor: what its credit line leaves for this auction; None is no line.
        until: when a block ends, if it does.
    """

    party_id: UUID
    paddle: int | None
    state: str
    cap_minor: int | None = None
    room_minor: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A party that wants to bid for the first time."""

    is_broadcaster: bool
    is_verified: bool
    is_owner: bool
    is_related: bool
    is_blocked: bool


def check(admission: Admission, *, committed_minor: int) -> None:
    """Check that a party may be bound for `committed_minor` in this auction.

    Raises:
        OwnListing, BidderNotVerified, RelatedToSeller, Blocked, NotAdmitted,
            DepositAgreementUnsigned, DepositLapsed: it may not bid.
        CapExceeded, ExposureExceeded: it may, but not for so much.
    """
    _check_state(admission)
    cap, room = admission.cap_minor, admission.room_minor
    if cap is not None and committed_minor > cap:
        raise CapExceeded("This is more than you may bid here.", most_minor=cap)
    if room is not None and committed_minor > room:
        raise ExposureExceeded(
            "Your credit line does not cover this beside your other bids.", room_minor=max(room, 0)
        )


def _check_state(admission: Admission) -> None:
    if admission.state == ADMITTED:
        return
    if admission.state == BLOCKED:
        until = admission.until and rfc3339.exact(admission.until)
        raise Blocked("The exchange has barred you from bidding here.", until=until)
    raise {
        OWN: OwnListing("You have a share in what is sold here."),
        UNVERIFIED: BidderNotVerified("Only verified broadcasters bid."),
        RELATED: RelatedToSeller("You are connected with the seller's side."),
        SUSPENDED: RelatedToSeller("A connection with the seller's side was declared."),
        LAPSED: DepositLapsed("Your deposit is no longer held."),
        UNSIGNED: DepositAgreementUnsigned("Your deposit agreement is not signed."),
    }.get(
        admission.state,
        NotAdmitted("You are not admitted to this auction.", state=admission.state),
    )


def standing(candidate: Candidate) -> str:
    """Return as what a party stands that has not been admitted: ADMITTED if nothing speaks against.

    Barred first: a co-owner is told so, verified or not.
    """
    if candidate.is_owner:
        return OWN
    if not (candidate.is_broadcaster and candidate.is_verified):
        return UNVERIFIED
    if candidate.is_blocked:
        return BLOCKED
    return RELATED if candidate.is_related else ADMITTED


@lru_cache(maxsize=1_024)
def gate(rulebook: bytes) -> Gate:
    """Read what a rulebook says about admission; one of version 1 admits verified broadcasters."""
    book: Mapping[str, Any] = canonical.loads(rulebook)
    given = book.get("admission") or {"kind": VERIFIED}
    until = given.get("until")
    return Gate(
        kind=given["kind"],
        deposit_minor=given.get("deposit_minor") or 0,
        until=until and datetime.fromisoformat(until),
        most_bidders=given.get("most_bidders"),
        cap_minor=given.get("cap_minor"),
        is_hidden=(book.get("secrecy") or {}).get("bidders") == "hidden",
        forfeits=tuple(book.get("forfeits") or ()),
        closes_at=datetime.fromisoformat(book["closes_at"]),
        must_sign=given.get("agreement") == "signed",
        modes=tuple(given.get("deposit_modes") or ("wire",)),
        card_margin_h=given.get("card_margin_h") or 0,
        guarantee_days=given.get("guarantee_days") or 0,
        ends_by=_ends_by(book),
    )


def _ends_by(book: Mapping[str, Any]) -> datetime | None:
    """Return the longest that an auction can run by its rules; None where nothing bounds it."""
    if book.get("hard_stop_at"):
        return datetime.fromisoformat(book["hard_stop_at"])
    closing = book.get("closing") or {}
    moved = closing.get("most_extensions") if closing.get("window_s") else 0
    if moved is None:
        return None
    match = (book.get("first_refusal") or {}).get("window_s") or 0
    longest = moved * (closing.get("window_s") or 0) + match
    return datetime.fromisoformat(book["closes_at"]) + timedelta(seconds=longest)


def check_open(gate: Gate, now: datetime) -> None:
    """Check that applications are still taken.

    Raises:
        AdmissionClosed: the day has come.
    """
    until = gate.until or gate.closes_at
    if now >= until:
        raise AdmissionClosed("Applications are over.", until=rfc3339.exact(until))


def check_licence(licence: Mapping[str, str] | None, *, until: datetime) -> None:
    """Check that the licence an applicant names is held for as long as the bidding lasts.

    Raises:
        InvalidContent: it ends before.
    """
    if licence is None:
        return
    ends_on = date.fromisoformat(licence["expires_on"])
    if ends_on < until.date():
        raise InvalidContent("The licence ends before the bidding does.", field="licence")


def next_number(taken: Collection[int]) -> int:
    """Return the number after the highest one taken."""
    return max(taken, default=0) + 1


def hidden_number(taken: Collection[int], draw: int) -> int:
    """Return the free number that `draw` points at: its order tells nothing about who came when.

    Args:
        taken: the numbers given.
        draw: a random whole number, at least 0.
    """
    free = [one for one in range(FIRST_HIDDEN, FIRST_HIDDEN + HIDDEN) if one not in taken]
    return free[draw % len(free)]


def with_room(admission: Admission, room_minor: int) -> Admission:
    """Return the admission with what its credit line leaves for this auction."""
    return replace(admission, room_minor=room_minor)


def least(*limits: int | None) -> int | None:
    """Return the tightest of the limits that are set."""
    return min((one for one in limits if one is not None), default=None)


def commitment(auction_id: UUID, party_id: UUID, blind: bytes) -> str:
    """Return what stands for a party in the log: it binds the paddle to it, and tells nothing.

    The party itself, or the exchange before a court, opens it with `blind`.
    """
    return hashlib.sha256(PADDLE_TAG + auction_id.bytes + party_id.bytes + blind).hexdigest()
