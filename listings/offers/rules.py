"""Offers decided: whose turn it is, what binds, and which prices a set of rights allows (pure).

Source: 民法典 (2020) art. 472-488: an offer binds until it expires or is revoked before it is
accepted; an answer with other content is a new offer; 著作权法 art. 26 ¶2 for what is agreed.

    open → accepted | declined | withdrawn | expired

Every version is made by one side and never changes; only the latest can be answered, by the other
side, before it expires. A further version by the same side replaces what it said before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import canonical, rfc3339
from contracts.deals import packages, pricing
from contracts.refusal import Kind, Refusal
from contracts.rights import rules as rights
from contracts.titles import parting
from contracts.titles import rules as titles

TYPE = "uhdx.offer/v1"
LICENSOR, LICENSEE = "licensor", "licensee"
OTHER: Mapping[str, str] = {LICENSOR: LICENSEE, LICENSEE: LICENSOR}
MOST_VERSIONS = 50
MOST_WORKS = 10
LONGEST_MESSAGE = 2_000
EACH, PACKAGE = "each", "package"  # a contract for each work, or one for all of them
# An offer that stays open longer outlives the prices it was made with; the parties renew it.
LONGEST_OPEN = timedelta(days=90)


class BadOffer(Refusal):
    """The offer does not hold together."""

    kind, code = Kind.INVALID, "bad-offer"
    hint = "Name each work once, rights of one licensor, and an end within 90 days."


class OfferableClosed(Refusal):
    """A right is not open to offers any more."""

    kind, code = Kind.CONFLICT, "offerable-closed"
    hint = "Leave out the right in `offerable`, or ask its holder to open it again."


class PriceModelNotCommon(Refusal):
    """The price is reckoned in a way that not every right of the offer may be sold under."""

    kind, code = Kind.CONFLICT, "price-model-not-common"
    hint = "Use a model in `common`, or leave out the rights in `rights` that do not name yours."


class OfferEnded(Refusal):
    """The negotiation has ended."""

    kind, code = Kind.CONFLICT, "offer-ended"
    hint = "Open another offer under a new id."


class OfferExpired(Refusal):
    """The latest version ran out before it was answered."""

    kind, code = Kind.CONFLICT, "offer-expired"
    hint = "Open another offer under a new id."


class OfferSuperseded(Refusal):
    """Another version than the latest was answered."""

    kind, code = Kind.CONFLICT, "offer-superseded"
    hint = "Read the version in `latest`, and answer that with its id and hash."


class OwnOffer(Refusal):
    """A side answers what it said itself, or takes back what the other side said."""

    kind, code = Kind.CONFLICT, "own-offer"
    hint = "Answer what the other side offers; withdraw what you offer yourself."


class TooManyVersions(Refusal):
    """The negotiation has gone to and fro too often."""

    kind, code = Kind.CONFLICT, "too-many-versions"
    hint = "Accept or decline, and open another offer if need be."


class OwnRights(Refusal):
    """Somebody would license rights to an owner of the work."""

    kind, code = Kind.CONFLICT, "own-rights"
    hint = "Owners need no licence of their own work."


@dataclass(frozen=True, slots=True)
class Thread:
    """How a negotiation stands; the latest version is what can be answered."""

    state: str
    versions: int
    by: str
    version: UUID
    sha256: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """A version as it is about to be added."""

    by: str
    version: UUID
    sha256: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Offerable:
    """A right that is open to offers, with the master it would be delivered from."""

    id: UUID
    party_id: UUID
    work_id: UUID
    title: Mapping[str, str]
    listing_id: UUID | None
    master: Mapping[str, str]
    right: Mapping[str, Any]
    models: Sequence[str]
    is_open: bool


def begin(said: Said, *, now: datetime) -> Thread:
    """Open a negotiation with its first version.

    Raises:
        BadOffer: it ends in the past, or too far ahead.
    """
    check_end(said.expires_at, now=now)
    return Thread("open", 1, said.by, said.version, said.sha256, said.expires_at)


def counter(thread: Thread, said: Said, *, now: datetime) -> Thread:
    """Add a version: a counter-offer, or another word of the side that spoke last.

    Raises:
        OfferEnded, OfferExpired: nothing can be said any more.
        TooManyVersions: there are MOST_VERSIONS.
        BadOffer: it ends in the past, or too far ahead.
    """
    _check_alive(thread, now=now)
    if thread.versions >= MOST_VERSIONS:
        raise TooManyVersions("There are too many versions.", most=MOST_VERSIONS)
    check_end(said.expires_at, now=now)
    return Thread("open", thread.versions + 1, said.by, said.version, said.sha256, said.expires_at)


def accept(thread: Thread, *, by: str, version: UUID, sha256: str, now: datetime) -> Thread:
    """Accept the latest version, named by id and hash, for the side that did not make it.

    Raises:
        OfferEnded, OfferExpired: it cannot be accepted any more.
        OfferSuperseded: another version, or other content, is the latest.
        OwnOffer: the side made it itself.
    """
    _check_alive(thread, now=now)
    _check_latest(thread, version=version)
    if thread.sha256 != sha256:
        raise OfferSuperseded(
            "This is not the content of the version.", latest=str(thread.version),
            sha256=thread.sha256,
        )  # fmt: skip
    if thread.by == by:
        raise OwnOffer("The other side accepts what you offer.")
    return replace(thread, state="accepted")


def decline(thread: Thread, *, by: str, now: datetime) -> Thread:
    """End the negotiation with a no to what the other side said last.

    Raises:
        OfferEnded, OfferExpired: it has ended.
        OwnOffer: the side spoke last itself.
    """
    _check_alive(thread, now=now)
    if thread.by == by:
        raise OwnOffer("Withdraw what you offer yourself.")
    return replace(thread, state="declined")


def withdraw(thread: Thread, *, by: str, version: UUID, now: datetime) -> Thread:
    """Take back what the side said last, while it is unanswered; the negotiation ends.

    Raises:
        OfferEnded, OfferExpired: it has ended.
        OfferSuperseded: it was answered, or replaced.
        OwnOffer: the other side said it.
    """
    _check_alive(thread, now=now)
    _check_latest(thread, version=version)
    if thread.by != by:
        raise OwnOffer("Decline what the other side offers.")
    return replace(thread, state="withdrawn")


def expire(thread: Thread, *, now: datetime) -> Thread:
    """Return the negotiation as time has left it: from `expires_at` on it is expired."""
    if thread.state == "open" and now >= thread.expires_at:
        return replace(thread, state="expired")
    return thread


def check_end(expires_at: datetime, *, now: datetime) -> None:
    """Check the instant until which an offer binds.

    Raises:
        BadOffer: it is past, or too far ahead.
    """
    if not now < expires_at <= now + LONGEST_OPEN:
        raise BadOffer("The offer cannot end then.", latest=rfc3339.exact(now + LONGEST_OPEN))


def agreed(
    ask: Mapping[str, Any], offerables: Mapping[UUID, Offerable], *, known: frozenset[UUID]
) -> dict[str, Any]:
    """Return what an offer says, checked, in the one form that is hashed.

    Args:
        ask: currency, model, message, expires_at, maybe `contract` (`each` or `package`), and
            works: each with its price (without `model`) and rights: each an `offerable` and, where
            less is asked, a `right`.
        offerables: what is open, by id.
        known: offerables that an earlier version names, which may have closed since.

    Raises:
        BadOffer: a work is named twice, rights are of several works, or nothing is asked.
        OfferableClosed: a right is not open to offers any more.
        RightsNotOffered: a right goes beyond what is open.
        RightsOfferedTwice, TooManyLots: the rights of a work cannot be asked for together.
        PriceModelNotCommon: a right may not be sold under this model.
        UnknownPriceModel, PriceNotSettledYet, BadPrice, AmountOutOfRange, WrongCurrency: the price.
        Refusal: any of `contracts.rights.rules.resolve`.
    """
    works = [_work(one, ask, offerables, known) for one in ask["works"]]
    if not 1 <= len(works) <= MOST_WORKS:
        raise BadOffer("The number of works is out of range.", most=MOST_WORKS)
    if len({one["work"] for one in works}) != len(works):
        raise BadOffer("A work is named twice.")
    used = [offerables[UUID(one)] for work in works for one in work["offerables"]]
    if len({one.party_id for one in used}) != 1:
        raise BadOffer("The rights are of several licensors.")
    _check_model(ask["model"], used)
    if _first_end(works) <= ask["expires_at"]:
        raise BadOffer("A right runs out before the offer does.")
    return {
        "typ": TYPE,
        **_bundled(ask, works),
        "currency": ask["currency"],
        "model": ask["model"],
        "works": works,
        "message": message(ask["message"]),
        "expires_at": rfc3339.exact(ask["expires_at"]),
    }


def _bundled(ask: Mapping[str, Any], works: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Say that all works are for one contract, where that is asked; else nothing is said.

    A package has a fixed sum: what a share or runs of one of its works bring has no clause there.
    """
    if ask.get("contract", EACH) == EACH:
        return {}
    if len(works) < packages.FEWEST or ask["model"] != pricing.FLAT:
        raise BadOffer("One contract is for two works or more, for a fixed sum.", field="contract")
    return {"contract": PACKAGE}


def sealed(
    content: Mapping[str, Any], *, offer: UUID, version: UUID, number: int, by: str,
    sides: Mapping[str, UUID],
) -> bytes:  # fmt: skip
    """Return the bytes of a version, whose SHA-256 an acceptance names."""
    named = {side: str(party) for side, party in sides.items()}
    place = {"offer": str(offer), "version": str(version), "number": number, "by": by}
    return canonical.dumps({**content, **place, **named})


def message(text: str) -> str:
    """Return a message as it is kept: trimmed, of printable signs and line ends.

    Raises:
        BadOffer: it is too long, or holds signs that cannot be seen.
    """
    clean = text.replace("\r\n", "\n").strip()
    odd = any(not sign.isprintable() and sign != "\n" for sign in clean)
    if odd or len(clean) > LONGEST_MESSAGE:
        raise BadOffer("The message cannot be kept.", field="message", most=LONGEST_MESSAGE)
    return clean


def due_of(content: Mapping[str, Any], work: Mapping[str, Any]) -> pricing.Price:
    """Return the price of one work of an offer."""
    return pricing.read(price_of(content, work), currency=content["currency"])


def price_of(content: Mapping[str, Any], work: Mapping[str, Any]) -> dict[str, Any]:
    """Return the price of one work of an offer with the model that all share."""
    return {"model": content["model"], **work["price"]}


def _work(
    one: Mapping[str, Any],
    ask: Mapping[str, Any],
    offerables: Mapping[UUID, Offerable],
    known: frozenset[UUID],
) -> dict[str, Any]:
    found = [_open(offerables, right["offerable"], known) for right in one["rights"]]
    if not found or len({(each.work_id, each.master["id"], each.listing_id) for each in found}) > 1:
        raise BadOffer("Each work of an offer has rights of that work, from one master.")
    wires = [rights.normal(right.get("right") or each.right)
             for right, each in zip(one["rights"], found, strict=True)]  # fmt: skip
    for place, (wire, each) in enumerate(zip(wires, found, strict=True)):
        if not parting.is_inside(wire, each.right):
            raise parting.RightsNotOffered("A right goes beyond what is open.", place=place)
    titles.lots(wires, units=titles.WHOLE)
    price = dict(one["price"])
    pricing.read({"model": ask["model"], **price}, currency=ask["currency"])
    first = found[0]
    return {
        "work": str(first.work_id),
        "title": dict(first.title),
        "listing": first.listing_id and str(first.listing_id),
        "master": dict(first.master),
        "rights": wires,
        "offerables": [str(each.id) for each in found],
        "price": price,
    }


def _open(offerables: Mapping[UUID, Offerable], wanted: UUID, known: frozenset[UUID]) -> Offerable:
    found = offerables[wanted]
    if not found.is_open and wanted not in known:
        raise OfferableClosed("A right is not open to offers.", offerable=str(wanted))
    return found


def _check_model(model: str, used: Sequence[Offerable]) -> None:
    if any(model not in each.models for each in used):
        raise PriceModelNotCommon(
            "Not every right may be sold like this.",
            common=pricing.common(each.models for each in used),
            rights=[{"offerable": str(each.id), "models": list(each.models)} for each in used
                    if model not in each.models],
        )  # fmt: skip


def _first_end(works: Sequence[Mapping[str, Any]]) -> datetime:
    return min(rights.resolve(wire).window.end for work in works for wire in work["rights"])


def _check_alive(thread: Thread, *, now: datetime) -> None:
    if thread.state != "open":
        raise OfferEnded("The negotiation has ended.", state=thread.state)
    if now >= thread.expires_at:
        raise OfferExpired("It ran out.", expired_at=rfc3339.exact(thread.expires_at))


def _check_latest(thread: Thread, *, version: UUID) -> None:
    if thread.version != version:
        raise OfferSuperseded("Another version is the latest.", latest=str(thread.version))
