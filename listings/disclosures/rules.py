"""What a disclosure must file: who has to, the price it may ask, the days it must run (pure).

Source: 企业国有资产交易监督管理办法 (32号令) arts. 12, 17-19, 49, 50. By its art. 18 what is
relisted is disclosed for twenty working days; 国资发产权规〔2025〕17号 may have shortened that: the
longer period is kept.

Differs from the source: a floor of 1,000,000 CNY and less, for which no rule is written, is
disclosed for five working days; one of exactly 10,000,000 for twenty; so is a floor in another
currency. Prices are compared as they are, in one currency.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from contracts.refusal import Kind, Refusal

STATE_OWNED = ("state", "state_controlled")
OWNERSHIPS = (*STATE_OWNED, "other")
SUBJECTS = ("assignment", "licence")
CNY_FEN = 100
SMALL_MINOR, LARGE_MINOR = 1_000_000 * CNY_FEN, 10_000_000 * CNY_FEN
SMALL_DAYS, MIDDLE_DAYS, LARGE_DAYS = 5, 10, 20
LEAST_EXTENSION_DAYS = 5
MOST_EXTENSION_DAYS = 60


class BadDisclosure(Refusal):
    """What is filed contradicts itself or lacks a part."""

    kind, code = Kind.INVALID, "bad-disclosure"
    hint = "Mend the field that `field` names."


class FloorBelowAssessed(Refusal):
    """At its first disclosure nothing is offered below its assessed value (32号令 art. 17)."""

    kind, code = Kind.CONFLICT, "floor-below-assessed"
    hint = "Set a floor of `least_minor` or more; a lower one is for a second disclosure."


class ConsentNeeded(Refusal):
    """Below nine tenths of the assessed value the approving body consents (32号令 art. 18)."""

    kind, code = Kind.CONFLICT, "approving-body-consent-needed"
    hint = "File the written consent of the body that approved the transfer, or raise the floor."


class AssessmentTooOld(Refusal):
    """Twelve months after the first disclosure, audit and valuation are redone (art. 19)."""

    kind, code = Kind.CONFLICT, "assessment-too-old"
    hint = "File a valuation made after `first_disclosed_on`, and disclose anew."


class DisclosureNeeded(Refusal):
    """A sale by a state-owned seller is disclosed first, and its filing accepted."""

    kind, code = Kind.CONFLICT, "disclosure-needed"
    hint = "File the disclosure of this listing; publish once the exchange has accepted it."


class OwnershipDeclared(Refusal):
    """Who owns the party was declared; only the exchange changes it."""

    kind, code = Kind.CONFLICT, "ownership-declared"
    hint = "Ask the exchange to correct it, with the papers that show it."


@dataclass(frozen=True, slots=True)
class Notice:
    """What the seller files; amounts in minor units of one currency, days in Shanghai.

    Attributes:
        first_on: the first day of the first disclosure of this subject, when this is a later one.
        changed: whether price or terms differ from the disclosure before.
        extension_days: working days of each extension, when the notice announces one.
        consented: whether the approving body's written consent is on file.
    """

    currency: str
    floor_minor: int
    assessed_minor: int
    assessed_on: date
    extension_days: int | None = None
    first_on: date | None = None
    changed: bool = False
    consented: bool = False


def is_required(
    ownership: str, subject: str, *, floor_minor: int, threshold_minor: int | None
) -> bool:
    """Tell whether the steps of 32号令 are a must, and not merely offered.

    They are for whoever is state-owned and transfers title. A licence is no transfer: there the
    seller's group sets the amount from which it asks for them (32号令 art. 49), or None.
    """
    if ownership not in STATE_OWNED:
        return False
    return subject == "assignment" or (
        threshold_minor is not None and floor_minor >= threshold_minor
    )


def required_days(notice: Notice) -> int:
    """Return the working days of disclosure that the floor asks for (art. 50; 20 when relisted)."""
    if notice.changed or notice.currency != "CNY" or notice.floor_minor >= LARGE_MINOR:
        return LARGE_DAYS
    return MIDDLE_DAYS if notice.floor_minor > SMALL_MINOR else SMALL_DAYS


def check_filing(notice: Notice, *, today: date) -> None:
    """Check what is filed, and again on the day of its publication.

    Raises:
        BadDisclosure: an amount or day is none, or the extension is shorter than five days.
        AssessmentTooOld: twelve months have passed since the first disclosure.
        FloorBelowAssessed: a first disclosure below the assessed value.
        ConsentNeeded: a later one below nine tenths of it, without consent.
    """
    _check_values(notice, today=today)
    if notice.first_on is not None and today > _a_year_after(notice.first_on):
        raise AssessmentTooOld(
            "More than twelve months have passed since the first disclosure.",
            first_disclosed_on=notice.first_on.isoformat(),
        )
    if notice.first_on is None and notice.floor_minor < notice.assessed_minor:
        raise FloorBelowAssessed(
            "The floor is below the assessed value.", least_minor=notice.assessed_minor
        )
    if notice.floor_minor * 10 < notice.assessed_minor * 9 and not notice.consented:
        raise ConsentNeeded(
            "The floor is below nine tenths of the assessed value.",
            least_minor=-(-notice.assessed_minor * 9 // 10),
        )


def chained_from(first_on: date | None, *, assessed_on: date) -> date | None:
    """Return the first disclosure that a later one counts from; None when it starts anew.

    It starts anew when the valuation was made after the twelve months of the first.
    """
    if first_on is None or assessed_on > _a_year_after(first_on):
        return None
    return first_on


def _check_values(notice: Notice, *, today: date) -> None:
    faults: dict[str, Any] = {
        "floor_minor": notice.floor_minor < 1,
        "assessed_minor": notice.assessed_minor < 1,
        "assessed_on": notice.assessed_on > today,
        "extension_days": notice.extension_days is not None
        and not LEAST_EXTENSION_DAYS <= notice.extension_days <= MOST_EXTENSION_DAYS,
    }
    for field, wrong in faults.items():
        if wrong:
            raise BadDisclosure(f"{field} is out of range.", field=field)


def _a_year_after(day: date) -> date:
    """Return the day twelve months later; 29 February has its last day of February."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)
