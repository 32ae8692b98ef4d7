"""The algebra of licences: boxes over right, medium, territory, language and time.

A box holds every use named by one leaf on each axis. The meet of two boxes is a box or nothing, so
whether two grants collide is decided axis by axis. Unions of boxes are in `region`.
"""

from dataclasses import dataclass
from enum import Enum

from contracts.window import Window


class Exclusivity(Enum):
    """How a right is licensed (the statute knows 专有 and 非专有; the trade knows three)."""

    EXCLUSIVE = "exclusive"  # 独占: the licensee alone, the owner excluded too
    SOLE = "sole"  # 排他: the licensee alone beside the owner's own use
    NON_EXCLUSIVE = "non-exclusive"  # 普通: others may be licensed as well


_STRENGTH = {Exclusivity.NON_EXCLUSIVE: 0, Exclusivity.SOLE: 1, Exclusivity.EXCLUSIVE: 2}


@dataclass(frozen=True, slots=True)
class RightsBox:
    """One right, resolved to leaves: what may be used where, in which languages, when, how.

    `right` is a code of art. 10; `media`, `territories` and `languages` are masks of the axes of
    those names in `axes`, none empty; `runs_max` is the number of runs (播出次数), None for any.
    """

    right: str
    media: int
    territories: int
    languages: int
    window: Window
    exclusivity: Exclusivity
    runs_max: int | None


def overlaps(a: RightsBox, b: RightsBox) -> RightsBox | None:
    """Return the meet: the uses both boxes hold, as strict as the stricter of them, or None."""
    media, territories = a.media & b.media, a.territories & b.territories
    languages, window = a.languages & b.languages, a.window.meet(b.window)
    if a.right != b.right or not (media and territories and languages) or window is None:
        return None
    return RightsBox(
        right=a.right,
        media=media,
        territories=territories,
        languages=languages,
        window=window,
        exclusivity=max(a.exclusivity, b.exclusivity, key=_STRENGTH.__getitem__),
        runs_max=_fewer(a.runs_max, b.runs_max),
    )


def covers(a: RightsBox, b: RightsBox) -> bool:
    """Tell whether whoever holds `a` may do, and may keep others from, all that `b` says."""
    return (
        a.right == b.right
        and a.media | b.media == a.media
        and a.territories | b.territories == a.territories
        and a.languages | b.languages == a.languages
        and a.window.covers(b.window)
        and _STRENGTH[a.exclusivity] >= _STRENGTH[b.exclusivity]
        and _fewer(a.runs_max, b.runs_max) == b.runs_max
    )


def clashes(a: RightsBox, b: RightsBox) -> RightsBox | None:
    """Return where two grants to different licensees collide, or None.

    Two 普通 grants share a use; 独占 and 排他 both keep every other licensee out, so one of them
    suffices for a clash. They differ in what the owner may do itself: `owner_may_use`.
    """
    if a.exclusivity is b.exclusivity is Exclusivity.NON_EXCLUSIVE:
        return None
    return overlaps(a, b)


def owner_may_use(granted: RightsBox, own_use: RightsBox) -> bool:
    """Tell whether the owner's own use stands beside a grant: a 独占 grant shuts it out."""
    return granted.exclusivity is not Exclusivity.EXCLUSIVE or overlaps(granted, own_use) is None


def at_least_as_strict(a: Exclusivity, b: Exclusivity) -> bool:
    """Tell whether whoever licensed as `a` keeps others out as far as `b` does."""
    return _STRENGTH[a] >= _STRENGTH[b]


def needs_all_owners(box: RightsBox) -> bool:
    """Tell whether every co-owner must agree: 专有许可 (独占 and 排他), 著作权法 art. 14 ¶2."""
    return box.exclusivity is not Exclusivity.NON_EXCLUSIVE


def _fewer(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)
