"""What may be listed: the offer in its one form, and what stands in the way of publication (pure).

Source: 著作权法 (2020) art. 26 ¶2 (what a licence names).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.refusal import Kind, Refusal
from contracts.rights import rules as rights
from contracts.rights.algebra import RightsBox
from contracts.titles import rules as titles
from listings.auctions import rulebook
from listings.auctions.rulebook import Sale
from listings.bundles import cells

MOST_RIGHTS = 50
# A sale that runs longer would outlast the prices and the papers it was checked with.
LONGEST_SALE = timedelta(days=366)
PUBLIC = ("published", "sold", "unsold")


class BadSaleTerms(Refusal):
    """The terms of sale do not fit the rights, or the sale runs too long."""

    kind, code = Kind.INVALID, "bad-sale-terms"
    hint = "End the sale within a year and before the last of the rights has run out."


class TooManyRights(Refusal):
    """A listing offers no right, or more than one page of a contract can name."""

    kind, code = Kind.INVALID, "too-many-rights"
    hint = f"Offer between 1 and {MOST_RIGHTS} rights; make a second listing for more."


class MasterNotReady(Refusal):
    """The master has not passed its examination."""

    kind, code = Kind.CONFLICT, "master-not-ready"
    hint = "Wait until the master is `ready`; if it was refused, upload another."


class MasterOfAnotherWork(Refusal):
    """The master was uploaded for another work."""

    kind, code = Kind.CONFLICT, "master-of-another-work"
    hint = "List the master with the work it was uploaded for."


class ListingPublished(Refusal):
    """The listing is published; what it offers is frozen."""

    kind, code = Kind.CONFLICT, "listing-published"
    hint = "Make a new listing for other terms."


@dataclass(frozen=True, slots=True)
class Offer:
    """The rights and the sale of a listing, checked, in the form that is stored and published.

    `secret` is what of the sale stays unpublished: the amount of a hidden reserve (保留价).
    """

    rights: list[dict[str, Any]]
    sale: dict[str, Any]
    auction_id: UUID
    secret: dict[str, Any] | None = None


def offer(
    wires: Sequence[Mapping[str, Any]], sale: Mapping[str, Any], *, seller: UUID, now: datetime
) -> Offer:
    """Return what a listing offers; bundles (播映权) become the rights they stand for.

    Raises:
        TooManyRights: none, or more than the most.
        RightsOfferedTwice: two of them overlap.
        BadSaleTerms: the sale runs too long, or past the rights.
        BadCuts: a package auction cuts the rights where nothing is to be cut, or too finely.
        Refusal: any of `auctions.rulebook.read_sale`, and of `contracts.rights.rules.resolve` and
            `expand`.
    """
    expanded = [one for wire in wires for one in rights.expand(wire)]
    if not 1 <= len(expanded) <= MOST_RIGHTS:
        raise TooManyRights("The number of rights is out of range.", most=MOST_RIGHTS)
    boxes = [rights.resolve(wire) for wire in expanded]
    titles.check_apart(boxes)
    read = rulebook.read_sale(sale, barred=frozenset({seller}), now=now)
    check_times(read, boxes, now=now)
    normal = [rights.normal(wire) for wire in expanded]
    if read.method == "package":
        cells.listed(normal, read.terms)
    return Offer(normal, dict(read.public), read.auction_id, dict(read.secret) or None)


def whole_sale(sale: Mapping[str, Any], secret: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the terms of sale with what was kept apart from them."""
    if not secret:
        return dict(sale)
    return {**sale, "reserve": {**sale["reserve"], "amount_minor": secret["reserve_minor"]}}


def check_times(sale: Sale, boxes: Sequence[RightsBox], *, now: datetime) -> None:
    """Check that the sale ends in time.

    Raises:
        BadSaleTerms: it runs too long, or a right runs out before the sale's end.
    """
    if sale.ends_by - now > LONGEST_SALE:
        raise BadSaleTerms("The sale runs too long.", longest_days=LONGEST_SALE.days)
    for place, box in enumerate(boxes):
        if box.window.end <= sale.ends_by:
            raise BadSaleTerms("A right runs out before the sale ends.", place=place)


def check_belongs(master_work: UUID | None, *, work: UUID) -> None:
    """Check that a master was uploaded for the work, or for none in particular.

    Raises:
        MasterOfAnotherWork: it was uploaded for another.
    """
    if master_work not in (None, work):
        raise MasterOfAnotherWork("This master belongs to another work.")


def check_whole(state: str) -> None:
    """Check that a master may be drafted with: an unfinished upload can still be cancelled.

    Raises:
        MasterNotReady: its upload is not complete.
    """
    if state == "uploading":
        raise MasterNotReady("The upload of the master is not complete.", state=state)


def check_ready(state: str) -> None:
    """Check that a master may be shown to buyers.

    Raises:
        MasterNotReady: it has not passed its examination.
    """
    if state != "ready":
        raise MasterNotReady("The master is not ready.", state=state)
