"""Who may grant what: shares of co-owners, and grants that collide (pure).

Source: 著作权法 (2020) art. 14 ¶2 (co-owners), art. 26 and 29 (what was licensed to whom).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.money import WHOLE_BP
from contracts.refusal import Kind, Refusal
from contracts.rights import algebra, axes
from contracts.rights.algebra import RightsBox

MOST_OWNERS = 100


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
    """Rights that are live in the register, and where they come from."""

    source: str
    state: str
    box: RightsBox


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
