"""Sub-licences (转授权): a grant never exceeds what its grantor holds (pure).

Source: 著作权法 (2020) art. 29 and 民法典 art. 867: a licensee licenses on what it was granted, and
only where its own licence allows it. `sublicence_depth` says how many times over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from contracts.refusal import Kind, Refusal
from contracts.rights import algebra
from contracts.rights.algebra import RightsBox
from contracts.titles.rules import Lot, Taken, Units


class ExceedsHolding(Refusal):
    """The grantor holds no single grant that covers what it would license on."""

    kind, code = Kind.CONFLICT, "exceeds-holding"
    hint = "Offer no more than one of your grants in `holdings` holds; `exceeds` names the axes."


@dataclass(frozen=True, slots=True)
class Holding:
    """An effective grant that its holder may license on; `runs_spent` it has shown or licensed on.

    `live` is what was granted under it and still stands.
    """

    grant_id: UUID
    box: RightsBox
    units: Units
    sublicence_depth: int
    runs_spent: int = 0
    live: tuple[Taken, ...] = ()


def exceeding(held: Holding, asked: Lot) -> tuple[str, ...]:
    """Return the axes on which a lot goes beyond a holding; none when the holding covers it."""
    has, wants = held.box, asked.box
    beyond = {
        "work": asked.units[0] < held.units[0] or asked.units[1] > held.units[1],
        "right": wants.right != has.right,
        "media": bool(wants.media & ~has.media),
        "territories": bool(wants.territories & ~has.territories),
        "languages": bool(wants.languages & ~has.languages),
        "window": not has.window.covers(wants.window),
        "exclusivity": not algebra.at_least_as_strict(has.exclusivity, wants.exclusivity),
        "runs": not _runs_left(held, wants),
        "sublicence_depth": asked.sublicence_depth >= held.sublicence_depth,
    }
    return tuple(axis for axis, too_far in beyond.items() if too_far)


def grounds(holdings: Sequence[Holding], lots: Sequence[Lot]) -> list[UUID]:
    """Return the holding that each lot is granted under: the first that covers it and is free.

    Where none that covers a lot is free, the first that covers it is named, so that the clash is
    what the grantor is told. Runs that one lot takes are not there for the next.

    Raises:
        ExceedsHolding: no single holding covers a lot; its place, counted from 0, is named.
    """
    left, chosen = list(holdings), []
    for place, lot in enumerate(lots):
        covering = [at for at, held in enumerate(left) if not exceeding(held, lot)]
        if not covering:
            raise _exceeds(left, lot, place)
        at = next((at for at in covering if _free(left[at], lot)), covering[0])
        given = left[at].runs_spent + (lot.box.runs_max or 0)
        chosen.append(left[at].grant_id)
        left[at] = replace(left[at], runs_spent=given)
    return chosen


def _runs_left(held: Holding, wants: RightsBox) -> bool:
    if held.box.runs_max is None:
        return True
    return wants.runs_max is not None and wants.runs_max + held.runs_spent <= held.box.runs_max


def _free(held: Holding, lot: Lot) -> bool:
    return not any(
        other.units[0] < lot.units[1]
        and lot.units[0] < other.units[1]
        and algebra.clashes(lot.box, other.box) is not None
        for other in held.live
    )


def _exceeds(holdings: Sequence[Holding], lot: Lot, place: int) -> ExceedsHolding:
    told = [
        {"grant": str(held.grant_id), "exceeds": list(exceeding(held, lot))} for held in holdings
    ]
    return ExceedsHolding(
        "This goes beyond what you hold and may license on.",
        place=place,
        holdings=sorted(told, key=lambda one: len(one["exceeds"]))[:10],
    )
