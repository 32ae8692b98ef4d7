"""What limits a work: promises and charges read from the wire, and what they keep from whom (pure).

Source: 著作权法 (2020) art. 14 ¶2 and art. 28 (出质), 民法典 art. 444 ¶2 (a pledgor licenses only
with the pledgee's consent), 著作权集体管理条例 art. 20 (a holder licenses nothing that is under an
exclusive mandate); holdback, blackout, option and first refusal as contracts of the trade use them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from contracts.encumbrances import moments
from contracts.encumbrances.moments import When
from contracts.refusal import Kind, Refusal
from contracts.rights import axes, logic, vocabulary
from contracts.rights.algebra import RightsBox
from contracts.rights.axes import TODAY, Axis
from contracts.rights.logic import Span, Verdict
from contracts.rights.rules import MediumNeedsAnotherRight, NothingOffered

# Each kind with its Chinese name, in the order in which forms list them.
KINDS: Mapping[str, str] = {
    "holdback": "授权方保留期承诺",
    "blackout": "禁播",
    "option": "选择权",
    "first-refusal": "优先购买权",
    "pledge": "质权",
    "mandate": "集体管理授权",
    "clearance": "未取得底层权利",
}
FOR_SOMEBODY = ("holdback", "option", "first-refusal", "pledge", "mandate")
NEEDS_REFERENCE = ("pledge",)  # 质权登记号: a pledge of copyright exists once it is registered
NEEDS_ALL_OWNERS = ("pledge",)  # art. 14 ¶2
# Promises that a live grant to somebody else would have broken before they were made.
PROMISES = ("holdback", "blackout", "option")
ALL = "*"  # every licensable right, or every medium
_AXES = ("media", "territories", "excluded", "languages")
_WINDOW = ("first_day", "start", "last_day", "end")


class BeneficiaryNeeded(Refusal):
    """A promise or charge of this kind is somebody's, and names nobody."""

    kind, code = Kind.INVALID, "beneficiary-needed"
    hint = "Name `beneficiary_id`, or `beneficiary_name` for one who is not on the exchange."


class ReferenceNeeded(Refusal):
    """A pledge (质权) names no registration number (质权登记号)."""

    kind, code = Kind.INVALID, "reference-needed"
    hint = "Give the registration number in `reference`; a pledge exists once it is registered."


class EncumbranceViolated(Refusal):
    """Rights that live grants gave to others break the promise before it is made."""

    kind, code = Kind.CONFLICT, "encumbrance-violated"
    hint = "Leave what `grants` hold out of the promise, or end those grants first."


class OwnersDisagree(Refusal):
    """A co-owner of the work has not agreed to its share, and so not to what binds all of them."""

    kind, code = Kind.CONFLICT, "owners-disagree"
    hint = "Have every co-owner in `missing` agree first (著作权法 art. 14)."


class NotYoursToLift(Refusal):
    """The encumbrance is another's to give up: whom it serves, or the exchange that declared it."""

    kind, code = Kind.FORBIDDEN, "not-yours-to-lift"
    hint = "Ask whom it serves to lift it, or the exchange with a document."


class EncumbranceLifted(Refusal):
    """The encumbrance was lifted before."""

    kind, code = Kind.CONFLICT, "encumbrance-lifted"
    hint = "See its `lifted_at` and `lifted_reason`; what was lifted is declared anew."


class NoConsentNeeded(Refusal):
    """Nobody benefits from the encumbrance, so nobody can consent to an exception."""

    kind, code = Kind.CONFLICT, "no-consent-needed"
    hint = "Lift the encumbrance, and declare what is left of it."


class EvidenceNeeded(Refusal):
    """The exchange records another's consent only with the document that says so."""

    kind, code = Kind.INVALID, "evidence-needed"
    hint = "Give the SHA-256 of the document in `document_sha256`."


class EventSettled(Refusal):
    """The event has another day already."""

    kind, code = Kind.CONFLICT, "event-settled"
    hint = "The exchange corrects a day that was recorded wrongly, with a reason."


class EventAhead(Refusal):
    """The event has not happened yet."""

    kind, code = Kind.INVALID, "event-ahead"
    hint = "Record the day once it has come; windows count from what happened, not from plans."


@dataclass(frozen=True, slots=True)
class Terms:
    """What is encumbered, without the work: rights and media as given, masks of axes, and when."""

    rights: tuple[str, ...]
    media: int
    territories: int
    languages: int
    when: When

    @property
    def uses(self) -> int:
        """The uses of the rights by the media."""
        mask = 0
        for right in self.rights:
            mask |= axes.uses(right, self.media)
        return mask


@dataclass(frozen=True, slots=True)
class Burden:
    """An encumbrance as it stands: a box of uses and a span each end of which may be unknown.

    `units` is the half-open block of the work in its tree; `uses`, `territories` and `languages`
    are masks. `beneficiary` is the party on the exchange whom it does not bind: it stands outside
    a holdback, option, first refusal or mandate of its own. Where consents cut an encumbrance, what
    is left of it is several burdens with one `record_id`.
    """

    record_id: UUID
    kind: str
    units: tuple[int, int]
    uses: int
    territories: int
    languages: int
    span: Span
    waits_for: str | None
    beneficiary: UUID | None


@dataclass(frozen=True, slots=True)
class Granted:
    """Rights that somebody has, and the grant that gave them."""

    grant_id: UUID
    box: RightsBox


def resolve(wire: Mapping[str, Any]) -> Terms:
    """Return what an encumbrance says.

    Args:
        wire: `right` or `rights` (codes of art. 10, or `*` for all), media (`*` for all),
            territories, excluded, languages and tz as of a grant; `first_day` or `start`; and
            `last_day`, `end` or neither (no end). Days are included; a moment is `{"event",
            "lag"?, "not_before"?, "not_after"?}`: a window begins, or is over, with the midnight
            that begins its day.

    Raises:
        UnknownRight: art. 10 has no such right.
        RightNotLicensable: the right stays with the author.
        UnknownMedium, UnknownTerritory, UnknownLanguage: a code is in no vocabulary.
        MediumNeedsAnotherRight: a medium is used under none of the rights, or a right by none.
        NothingOffered: an axis is empty.
        UnknownEvent: an event is not in the vocabulary.
        BadLag: the time from an event is no duration.
        BadWindow: a day cannot be read, the zone is unknown, or the window is empty or not clear.
    """
    when = moments.when(wire)
    on = _definitions(when)
    territories = axes.TERRITORIES.mask(wire["territories"], on=on)
    terms = Terms(
        rights=_rights(wire),
        media=_some(_media(wire["media"], on), "medium"),
        territories=_some(
            territories & ~axes.TERRITORIES.mask(wire.get("excluded") or (), on=on), "territory"
        ),
        languages=_some(axes.LANGUAGES.mask(wire["languages"], on=on), "language"),
        when=when,
    )
    _fits(terms)
    return terms


def normal(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an encumbrance says in the one form that is stored: checked, sorted, no groups.

    `resolve` of the result gives the same. The refusals are those of `resolve`.
    """
    terms = resolve(wire)
    on = _definitions(terms.when)
    kept = {"territories": axes.TERRITORIES, "excluded": axes.TERRITORIES, "media": axes.MEDIA}
    plain: dict[str, Any] = {"rights": list(terms.rights), "tz": wire["tz"]}
    for axis in _AXES:
        plain[axis] = _plain(wire.get(axis) or (), kept.get(axis, axes.LANGUAGES), on)
    for key in _WINDOW:
        if wire.get(key):
            said = wire[key]
            plain[key] = _moment(said) if isinstance(said, Mapping) else str(said)
    return plain


def check_declared(kind: str, *, has_beneficiary: bool, reference: str | None) -> None:
    """Check that an encumbrance of a kind names what that kind cannot be without.

    Raises:
        BeneficiaryNeeded: it is somebody's by its nature, and names nobody.
        ReferenceNeeded: a pledge without its registration number.
    """
    if kind in FOR_SOMEBODY and not has_beneficiary:
        raise BeneficiaryNeeded(f"A {kind} ({KINDS[kind]}) names whom it serves.", encumbrance=kind)
    if kind in NEEDS_REFERENCE and not reference:
        raise ReferenceNeeded("A pledge is known by its registration number.")


def needs_all_owners(kind: str, *, by: UUID | None, is_for_somebody: bool) -> bool:
    """Tell whether every co-owner must agree to what a party (None: the exchange) declares.

    No co-owner pledges alone, nor keeps the others from licensing 普通 by what they could not lift:
    what serves somebody (著作权法 art. 14 ¶2). The exchange records what was decided elsewhere.
    """
    return kind in NEEDS_ALL_OWNERS or (by is not None and is_for_somebody)


def check_agreed(missing: Sequence[UUID]) -> None:
    """Check that every co-owner has agreed to its share.

    Raises:
        OwnersDisagree: some have not.
    """
    if missing:
        raise OwnersDisagree("A co-owner has not agreed.", missing=[str(one) for one in missing])


def check_unbroken(terms: Terms, granted: Iterable[Granted], *, events: Mapping[str, date]) -> None:
    """Check that a promise is not broken by what others hold before it is made.

    What may break it, once an event has a day, is no breach yet.

    Raises:
        EncumbranceViolated: it is; the grants are named.
    """
    span = terms.when.span(events)
    breaches = [str(one.grant_id) for one in granted if _breaks(one.box, terms, span)]
    if breaches:
        raise EncumbranceViolated("Live grants break the promise already.", grants=breaches)


def check_may_lift(
    by: UUID | None, *, beneficiary: UUID | None, is_for_somebody: bool, owners: Iterable[UUID]
) -> None:
    """Check that a party (None: the exchange) may lift an encumbrance.

    `owners` are none where the exchange declared it, as an order of a court or an authority.

    Raises:
        NotYoursToLift: it serves somebody else, or is the exchange's.
    """
    if by is None or by == beneficiary or (not is_for_somebody and by in owners):
        return
    raise NotYoursToLift("It is given up by whom it serves, or by the exchange.")


def check_asked(*, is_for_somebody: bool, lifted: str | None) -> None:
    """Check that there is somebody to consent, and something to consent to.

    Raises:
        NoConsentNeeded: the encumbrance serves nobody.
        EncumbranceLifted: it was lifted, for this reason.
    """
    if not is_for_somebody:
        raise NoConsentNeeded("The encumbrance serves nobody who could consent.")
    if lifted is not None:
        raise EncumbranceLifted("It was lifted before.", lifted_reason=lifted)


def check_evidence(by: UUID | None, *, document_sha256: str | None) -> None:
    """Check that the exchange (None), which consents for another, holds the document.

    Raises:
        EvidenceNeeded: it gave none.
    """
    if by is None and document_sha256 is None:
        raise EvidenceNeeded("A consent is recorded with its document.")


def _breaks(box: RightsBox, terms: Terms, span: Span) -> bool:
    meet = (
        axes.uses(box.right, box.media) & terms.uses
        and box.territories & terms.territories
        and box.languages & terms.languages
    )
    window = Span.fixed(box.window.start, box.window.end)
    return bool(meet) and logic.meets(window, span) is Verdict.CONFLICT


def _definitions(when: When) -> date:
    """Return the day whose definitions of groups count: the first that the window can have."""
    return when.start.day or when.start.not_before or TODAY


def _rights(wire: Mapping[str, Any]) -> tuple[str, ...]:
    named = [*(wire.get("rights") or ()), *([wire["right"]] if wire.get("right") else ())]
    if named == [ALL]:
        return tuple(right.code for right in vocabulary.RIGHTS.values() if right.licensable)
    found = {vocabulary.right(code) for code in named}
    return tuple(right.code for right in sorted(found, key=lambda right: right.number))


def _media(codes: Sequence[str], on: date) -> int:
    return axes.MEDIA.all if list(codes) == [ALL] else axes.MEDIA.mask(codes, on=on)


def _fits(terms: Terms) -> None:
    """Refuse a medium that none of the rights is used by, and a right that none of the media is.

    All media are encumbered as far as the rights go.
    """
    _some(len(terms.rights), "right")
    used = 0
    for _, media in axes.media_of_uses(terms.uses):
        used |= media
    unused = terms.media & ~used
    if not used or (unused and terms.media != axes.MEDIA.all):
        odd = axes.MEDIA.codes(unused)
        raise MediumNeedsAnotherRight(
            "A medium is used under none of the rights.",
            medium=list(odd),
            needs=sorted({one for code in odd for one in _needs(code)}),
        )


def _needs(medium: str) -> frozenset[str]:
    return vocabulary.MEDIA[medium.partition(".")[0]].rights


def _some(mask: int, axis: str) -> int:
    if not mask:
        raise NothingOffered(f"No {axis} is left in the encumbrance.", axis=axis)
    return mask


def _plain(codes: Sequence[str], axis: Axis, on: date) -> list[str]:
    if axis is axes.MEDIA and list(codes) == [ALL]:
        return [ALL]
    return sorted({member for code in codes for member in axis.members(code, on=on)})


def _moment(said: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in said.items() if value}
