"""Checks of where a deal comes from: an auction whose log replays to its award, or an offer.

The log of the auction is replayed by the second implementation of the rules, which shares no code
with the one that decided. It is a program of its own (`verify_auction.py`): whoever checks gives it
as `replay`; without it the check says that nothing was replayed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts import canonical
from contracts.deals import pricing
from contracts.evidence.opened import (
    AUCTION,
    EVENTS,
    OFFER,
    Bundle,
    Failed,
    Replay,
    all_same,
)
from contracts.money import Money, from_decimal

APART = "listing, award and deal do not belong together"


def origin(bundle: Bundle) -> str:
    """The deal is what the auction's rules make of its bids, or the offer that was accepted."""
    if bundle.all_of("offer.accepted"):
        return _offer(bundle)
    return _log(bundle) if AUCTION in bundle.files else _bids(bundle)


def agreed(
    bundle: Bundle, terms: Mapping[str, Any], sides: Mapping[str, str]
) -> list[tuple[Any, Any]]:
    """Return what terms and award, or terms and offer, have to say alike."""
    if bundle.all_of("offer.accepted"):
        accepted = _accepted(bundle)
        said = {name: accepted[name] for name in ("offer", "version", "version_sha256")}
        content = bundle.json(OFFER)
        return [
            (terms["award"], said),
            (sides.get("licensor"), content["licensor"]),
            (sides.get("licensee"), content["licensee"]),
            *_packaged(terms, content),
        ]
    given = _award(bundle)
    price = Money(given["amount_minor"], given["currency"])
    return [
        (terms["award"], {"auction": given["auction"], "bid": given["bid"]}),
        (terms["consideration"]["amount"], price.decimal()),
        (terms["consideration"]["currency"], price.currency),
        (sides.get("licensor"), given["licensor"]),
        (sides.get("licensee"), given["licensee"]),
        *_priced(terms, given),
    ]


def _priced(terms: Mapping[str, Any], given: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return what a contract and the award have to say alike of how the price is paid."""
    said, wire = terms["consideration"], given.get("price")
    if wire is None:
        return [("instalments" in said, False), ("share_bp" in said, False)]
    wanted = pricing.consideration(pricing.read(wire, currency=given["currency"]))
    return [({name: said.get(name) for name in wanted}, wanted)]


def _packaged(terms: Mapping[str, Any], content: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return what a contract of several works and its offer have to say alike."""
    if content.get("contract") != "package":
        return [("works" in terms, False)]
    asked = [
        (one["work"], Money(one["price"]["amount_minor"], content["currency"]).decimal())
        for one in content["works"]
    ]
    said = [(one["work"], one["amount"]) for one in terms["consideration"]["lines"]]
    return [(said, asked)]


def _offer(bundle: Bundle) -> str:
    if OFFER not in bundle.files:
        raise Failed(OFFER, "is missing")
    accepted = _accepted(bundle)
    if canonical.sha256_hex(bundle.files[OFFER]) != accepted["version_sha256"]:
        raise Failed(OFFER, "is not the version that was accepted")
    made = [event.record for event in bundle.all_of("offer.made")]
    by = [one["by"] for one in made if one["version_sha256"] == accepted["version_sha256"]]
    if not by or accepted["by"] in by:
        raise Failed(EVENTS, "nobody made the version to the side that accepted it")
    opened, executed = _first(bundle, "deal.opened"), _first(bundle, "deal.executed")
    all_same(
        [(opened["offer"], accepted["offer"]), (bundle.first_deal, executed["deal"])],
        EVENTS,
        "offer and deal do not belong together",
    )
    return f"offer {accepted['offer']}, version {accepted['version_sha256'][:16]}…"


def _log(bundle: Bundle) -> str:
    """The auction's log replays to the result, and the result holds the award."""
    head, *events = map(canonical.loads, bundle.files[AUCTION].splitlines())
    given, closed = _award(bundle), bundle.all_of("auction.closed")[-1].record
    all_same(
        [
            (head["rulebook"]["listing"], given["listing"]),
            (head["rulebook"]["currency"], given["currency"]),
        ],
        AUCTION,
        "is not the log whose result was recorded",
    )
    if closed["log_head"] not in [event["hash"] for event in events]:
        raise Failed(AUCTION, "does not hold the event that was recorded as its last")
    said = f"{_money(given)} (NOT REPLAYED: pass verify_auction.py with --rules)"
    if bundle.replay is not None:
        bids = _replayed(bundle, bundle.replay, given, closed)
        said = f"{bids} bids replay to {_money(given)}"
    _belong(bundle, given)
    return said


def _replayed(
    bundle: Bundle, replay: Replay, given: Mapping[str, Any], closed: Mapping[str, Any]
) -> int:
    """Replay the auction's log; return the number of its bids."""
    found = replay(bundle.files[AUCTION])
    _paid_alike(bundle, given, found["payments"])
    wanted = (given["bid"], given["amount_minor"])
    if wanted not in [(one["bid"], one["amount_minor"]) for one in found["result"]["awards"]]:
        raise Failed(AUCTION, "its result is not the award")
    all_same(
        [
            (found["auction"], given["auction"]),
            (found["result_sha256"], closed["result_sha256"]),
            (found["bids"], closed["bids"]),
        ],
        AUCTION,
        "is not the log whose result was recorded",
    )
    bids: int = found["bids"]
    return bids


def _paid_alike(
    bundle: Bundle, given: Mapping[str, Any], payments: Sequence[Mapping[str, Any]]
) -> None:
    """The parts of the contract's price are what the second program makes of the rulebook."""
    said = bundle.json(bundle.first_terms)["consideration"].get("instalments", [])
    parts = [
        [
            from_decimal(one["amount"], given["currency"]).amount_minor,
            one["due_days"],
            from_decimal(one["interest"], given["currency"]).amount_minor,
        ]
        for one in said
    ]
    mine: Sequence[Any] = next((one["parts"] for one in payments if one["bid"] == given["bid"]), [])
    if parts != mine:
        raise Failed(AUCTION, "its rulebook has the price paid in other parts")


def _bids(bundle: Bundle) -> str:
    """Of an auction without a log: the best bid won, for its amount."""
    given, closed = _award(bundle), bundle.one("auction.closed").record
    bids = [event.record for event in bundle.all_of("bid.placed")]
    best = max(bids, key=lambda bid: (bid["amount_minor"], -bid["sequence"]), default=None)
    if best is None or len(bids) != closed["bids"]:
        raise Failed(EVENTS, "the bids are not as many as the auction closed with")
    for field in ("bid", "amount_minor", "currency"):
        if not best[field] == closed[field] == given[field]:
            raise Failed(EVENTS, f"the best bid and the award differ in {field}")
    _belong(bundle, given)
    return f"{len(bids)} bids; {_money(given)}"


def _belong(bundle: Bundle, given: Mapping[str, Any]) -> None:
    opened, executed = _first(bundle, "deal.opened"), _first(bundle, "deal.executed")
    all_same(
        [
            (opened["listing"], given["listing"]),
            (bundle.one("listing.published").record["listing"], given["listing"]),
            (bundle.first_deal, executed["deal"]),
            (executed["amount_minor"], given["amount_minor"]),
            (executed["currency"], given["currency"]),
        ],
        EVENTS,
        APART,
    )


def _award(bundle: Bundle) -> Mapping[str, Any]:
    """Return the award that this deal follows from; a package auction makes several."""
    bid = bundle.json(bundle.first_terms)["award"].get("bid")
    made = [event.record for event in bundle.all_of("award.made") if not event.is_withheld]
    mine = [record for record in made if record["bid"] == bid]
    if len(mine) != 1:
        raise Failed(EVENTS, f"holds {len(mine)} awards for the bid of the terms, not one")
    return mine[0]


def _accepted(bundle: Bundle) -> Mapping[str, Any]:
    return bundle.one("offer.accepted").record


def _first(bundle: Bundle, kind: str) -> Mapping[str, Any]:
    """Return what a fact says of the first contract: amendments change what it led to."""
    return bundle.of(bundle.first_deal, kind).record


def _money(record: Mapping[str, Any]) -> str:
    price = Money(record["amount_minor"], record["currency"])
    return f"{price.currency} {price.decimal()}"
