"""Who may grant what: shares of co-owners, and grants that collide (pure).

Source: 著作权法 (2020) art. 14 ¶2 (co-owners), art. 26 and 29 (what was licensed to whom).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.money import WHOLE_BP
from contracts.parties.rules import clean_name
from contracts.refusal import InvalidContent, Kind, Refusal
from contracts.rights import algebra, axes
from contracts.rights import rules as rights
from contracts.rights.algebra import RightsBox

MOST_OWNERS = 100
# A month: the paper is typeset at once, and both sides sign within days; whoever has not signed in
# a month keeps the rights from the market for nothing.
HOLD_DAYS = 30
HOLD_LASTS = timedelta(days=HOLD_DAYS)
LONGEST_HOLD = timedelta(days=366)  # a hold for longer is an option, which is an encumbrance
MOST_LOTS = 50
LONGEST_NOTE = 500
REVERSIONS = ("default", "expiry-of-option", "agreement", "termination")
NIL = UUID(int=0)  # `under` of what the owners grant themselves
Units = tuple[int, int]
WHOLE: Units = (0, 2**30)


class BadShares(Refusal):
    """The shares do not add up to the whole, or leave out who declares them."""

    kind, code = Kind.INVALID, "bad-shares"
    hint = "Give each owner once, you among them, at least 1 and 10000 basis points together."


class SharesSettled(Refusal):
    """Others have agreed to the shares, or rights are granted on them."""

    kind, code = Kind.CONFLICT, "shares-settled"
    hint = "Shares that a co-owner agreed to change only by a new agreement of all owners."


class RightsNotHeld(Refusal):
    """The grantor does not own the work."""

    kind, code = Kind.CONFLICT, "rights-not-held"
    hint = "Only the registrant or a declared owner of the work grants its rights."


class SharesOfTheRoot(Refusal):
    """Who owns a work is said of the whole tree, once."""

    kind, code = Kind.INVALID, "shares-of-the-root"
    hint = "Declare the shares of the work in `root`: seasons, episodes and edits follow it."


class CoOwnerConsentMissing(Refusal):
    """A co-owner has not agreed, which an exclusive licence needs (著作权法 art. 14 ¶2)."""

    kind, code = Kind.CONFLICT, "co-owner-consent-missing"
    hint = "Ask the co-owners in `owners` to consent to their shares, or offer 普通 licences."


class HoldExpired(Refusal):
    """The hold ran out before the deal was signed."""

    kind, code = Kind.CONFLICT, "hold-expired"
    hint = "The rights are free again: offer them anew."


class BadHoldExpiry(Refusal):
    """A hold ends in the past or too far ahead."""

    kind, code = Kind.INVALID, "bad-hold-expiry"
    hint = f"End the hold within {LONGEST_HOLD.days} days from now."


class BadLicensee(Refusal):
    """A recorded licence names no licensee, or names it twice."""

    kind, code = Kind.INVALID, "bad-licensee"
    hint = "Give `licensee_id` of a party of the exchange, or `licensee_name` of anybody else."


class GrantNotEffective(Refusal):
    """The grant is not effective, so it cannot come back."""

    kind, code = Kind.CONFLICT, "grant-not-effective"
    hint = "Lift a hold, void a deal under signature; what has ended stays as it ended."


class TooManyLots(Refusal):
    """There are no rights in the request, or more than it may name."""

    kind, code = Kind.INVALID, "too-many-lots"
    hint = f"Name between 1 and {MOST_LOTS} rights at once."


class RightsAlreadyGranted(Refusal):
    """The rights, or a part of them, are reserved or granted already."""

    kind, code = Kind.CONFLICT, "rights-already-granted"
    hint = "Offer other rights, media, territories, languages or days than those in `overlap`."


class RightsOfferedTwice(Refusal):
    """Two rights of one offer hold the same use."""

    kind, code = Kind.INVALID, "rights-offered-twice"
    hint = "Cut the rights of an offer so that no two of them overlap."


class RightsNotReserved(Refusal):
    """There are no rights in the state that this step starts from."""

    kind, code = Kind.CONFLICT, "rights-not-reserved"
    hint = "See the grants of the work for where they went."


@dataclass(frozen=True, slots=True)
class Taken:
    """Rights that are live in the register, where they come from, and what they are granted under.

    `units` is the block of the work that they are rights in.
    """

    source: str
    state: str
    box: RightsBox
    under: UUID = NIL
    units: Units = WHOLE


@dataclass(frozen=True, slots=True)
class Lot:
    """Rights that are asked for in one work: as written, and as what they mean."""

    wire: dict[str, Any]
    box: RightsBox
    units: Units
    sublicence_depth: int = 0
    round_no: int | None = None


def lots(wires: Sequence[Mapping[str, Any]], *, units: Units) -> list[Lot]:
    """Return rights from the wire as lots in the work of this block.

    Raises:
        TooManyLots: none, or more than the most.
        RightsOfferedTwice: two of them overlap.
        Refusal: any of `contracts.rights.rules.resolve`.
    """
    if not 1 <= len(wires) <= MOST_LOTS:
        raise TooManyLots("The number of rights is out of range.", most=MOST_LOTS)
    asked = [
        Lot(
            rights.normal(wire), rights.resolve(wire), units,
            rights.sublicence_depth(wire), rights.round_no(wire),
        )
        for wire in wires
    ]  # fmt: skip
    check_apart([lot.box for lot in asked])
    return asked


def owners(registrant: UUID, declared: Iterable[UUID]) -> set[UUID]:
    """Return who owns a work: those with shares, or its registrant where none are declared."""
    return set(declared) or {registrant}


def check_expiry(expires_at: datetime, *, now: datetime) -> None:
    """Check the end of a hold.

    Raises:
        BadHoldExpiry: it is past, or too far ahead.
    """
    if not now < expires_at <= now + LONGEST_HOLD:
        raise BadHoldExpiry("A hold cannot end then.", latest=(now + LONGEST_HOLD).isoformat())


def check_unexpired(expiries: Iterable[datetime | None], *, now: datetime) -> None:
    """Check that holds still run; an end belongs to them no more than that of a window does.

    Raises:
        HoldExpired: one has run out.
    """
    past = sorted(end for end in expiries if end is not None and end <= now)
    if past:
        raise HoldExpired("The hold on these rights ran out.", expired_at=past[0].isoformat())


def licensee_name(party_id: UUID | None, name: str | None) -> str | None:
    """Return the cleaned name of a licensee that is no party of the exchange, or None.

    Raises:
        BadLicensee: neither a party nor a name is given, or both.
        BadName: the name is empty, too long, or holds characters that cannot be seen.
    """
    if (party_id is None) == (name is None):
        raise BadLicensee("Name one licensee.")
    return None if name is None else clean_name(name, field="licensee_name")


def reversion_note(reason: str, note: str) -> str:
    """Return the cleaned note of a reversion for one of the known reasons.

    Raises:
        InvalidContent: there is no such reason.
        BadName: the note is empty, too long, or holds characters that cannot be seen.
    """
    if reason not in REVERSIONS:
        raise InvalidContent("There is no such reason.", known=list(REVERSIONS))
    return clean_name(note, field="note", most=LONGEST_NOTE)


def check_effective(state: str) -> None:
    """Check that a grant can come back.

    Raises:
        GrantNotEffective: it is not granted, or has ended.
    """
    if state != "effective":
        raise GrantNotEffective("This grant is not effective.", state=state)


def check_consents(boxes: Iterable[RightsBox], *, missing: Sequence[UUID]) -> None:
    """Check that all co-owners agree where all must.

    Raises:
        CoOwnerConsentMissing: a licence is exclusive or sole and an owner has not agreed.
    """
    if missing and any(algebra.needs_all_owners(box) for box in boxes):
        raise CoOwnerConsentMissing(
            "Not every co-owner has agreed.", owners=[str(owner) for owner in missing]
        )


def check_shares(shares: Mapping[UUID, int], *, declarer: UUID) -> None:
    """Check shares in basis points.

    Raises:
        BadShares: they do not make the whole, or the declarer has none.
    """
    if not 1 <= len(shares) <= MOST_OWNERS:
        raise BadShares("There are too few or too many owners.", most=MOST_OWNERS)
    if any(type(bp) is not int or bp < 1 for bp in shares.values()):
        raise BadShares("Each share is at least one basis point.")
    if sum(shares.values()) != WHOLE_BP:
        raise BadShares("The shares do not make the whole.", sum_bp=sum(shares.values()))
    if declarer not in shares:
        raise BadShares("Who declares the shares has one.")


def check_holder(registrant: UUID, owners: Iterable[UUID], *, grantor: UUID) -> None:
    """Check that the grantor owns the work: by its shares, or by registration where none are.

    Raises:
        RightsNotHeld: it does not.
    """
    if grantor not in (set(owners) or {registrant}):
        raise RightsNotHeld("These rights are not yours to grant.")


def check_apart(boxes: Sequence[RightsBox]) -> None:
    """Check that no two rights of one offer hold the same use.

    Raises:
        RightsOfferedTwice: two do; their places are named, counted from 0.
    """
    for place, box in enumerate(boxes):
        for other in range(place):
            if algebra.overlaps(boxes[other], box) is not None:
                raise RightsOfferedTwice("Two rights overlap.", places=[other, place])


def check_free(boxes: Sequence[RightsBox], taken: Sequence[Taken]) -> None:
    """Check that the rights collide with nothing in the register.

    Raises:
        RightsAlreadyGranted: they do; the overlap and its source are named.
    """
    for box in boxes:
        for other in taken:
            common = algebra.clashes(box, other.box)
            if common is not None:
                raise already_granted(common, other)


def already_granted(common: RightsBox, other: Taken) -> RightsAlreadyGranted:
    """Return the refusal that names where two grants meet and where the first comes from."""
    return RightsAlreadyGranted(
        "These rights are taken in part or in whole.",
        source=other.source,
        state=other.state,
        exclusivity=other.box.exclusivity.value,
        overlap={
            "right": common.right,
            "media": list(axes.MEDIA.codes(common.media)),
            "territories": list(axes.TERRITORIES.codes(common.territories)),
            "languages": list(axes.LANGUAGES.codes(common.languages)),
            "start": common.window.start.isoformat(),
            "end": common.window.end.isoformat(),
        },
    )
