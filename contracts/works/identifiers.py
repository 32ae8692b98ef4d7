"""Identifiers of works and permits: checked on entry, doubted on import, recognised (pure).

Source: `contracts/works/forms.py` for the forms; check characters after ISO/IEC 7064 MOD 37,36
started at 36 (EIDR, ISAN), GB 32100-2015 (modulus 31), and for patents the sum of the twelve digits
weighted 2 to 9 and 2 to 5, modulus 11, ten written X.

The words for callers are `check` (refuses), `inspect` (never refuses) and `recognise`.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_37_36

from contracts.parties.rules import BadName, BadUscc, clean_name, clean_uscc
from contracts.refusal import InvalidContent, Kind, Refusal
from contracts.works.forms import FORMS, PERMIT_KINDS

LONGEST = 200
_PATENT_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_CHINESE_FOLDED = str.maketrans("（）", "()")


class BadIdentifier(Refusal):
    """The identifier (标识符) has not the form of its kind, or its check character does not fit."""

    kind, code = Kind.INVALID, "bad-identifier"
    hint = "See `example` for the form; copy the identifier from its certificate."


class BadEidr(Refusal):
    """The EIDR has the wrong form or check character."""

    kind, code = Kind.INVALID, "bad-eidr"
    hint = "Write it as 10.5240/XXXX-XXXX-XXXX-XXXX-XXXX-C, with its own check character."


class BadIsan(Refusal):
    """The ISAN has the wrong form or a wrong check character."""

    kind, code = Kind.INVALID, "bad-isan"
    hint = "Write it as XXXX-XXXX-XXXX-XXXX-C or XXXX-XXXX-XXXX-XXXX-C-XXXX-XXXX-C."


class BadPermit(Refusal):
    """The permit number (许可证号) has none of the forms that permits have."""

    kind, code = Kind.INVALID, "bad-permit"
    hint = "Copy it from the permit, e.g. (粤)剧审字(2026)第001号 or 电审故字[2026]第001号."


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier that checks.

    Attributes:
        kind: one of `forms.FORMS`, e.g. `eidr`, `tv-drama-permit`.
        canonical: the one writing of it that is compared and kept.
        groups: its parts by name, e.g. `year`, `number`, `check`.
    """

    kind: str
    canonical: str
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is wrong with an identifier: a warning on import, the reason of a refusal on entry.

    Attributes:
        code: `form`, `check-character`, or `style` (good, but not written canonically).
        said: what is wrong, for people.
        fix: what to do about it.
    """

    code: str
    said: str
    fix: str


def check(kind: str, text: str) -> Identifier:
    """Return the identifier that the text is.

    Raises:
        InvalidContent: the kind is not known.
        BadEidr: it is no good EIDR of a work.
        BadIsan: it is no good ISAN.
        BadPermit: it is no good number of this permit.
        BadUscc: it is no good unified social credit code.
        BadIdentifier: it is no good identifier of another kind.
    """
    if kind not in FORMS:
        raise InvalidContent("This kind of identifier is not known.", known=list(FORMS))
    read = _read(kind, text)
    if isinstance(read, Identifier):
        return read
    reasons = {"identifier_kind": kind, "fault": read.code, "example": FORMS[kind].example}
    raise _refusal(kind)(read.said, **reasons)


def inspect(kind: str, text: str) -> list[Doubt]:
    """Return what is doubtful about a text that claims to be of this kind; nothing when it is good.

    Raises:
        InvalidContent: the kind is not known.
    """
    if kind not in FORMS:
        raise InvalidContent("This kind of identifier is not known.", known=list(FORMS))
    read = _read(kind, text)
    if isinstance(read, Doubt):
        return [read]
    if read.canonical != text:
        return [
            Doubt("style", "It is good, but not written canonically.", f"Write {read.canonical}")
        ]
    return []


def recognise(text: str) -> Identifier | None:
    """Return the identifier that the text is, of the kind that says most; None when it is none.

    A DCI is never recognised: any text may be one.
    """
    return next(_readings(text), None)


def meant(text: str) -> str | None:
    """Name the kind that a text was meant to be of, good or not; None when nothing tells."""
    found = recognise(text)
    if found is not None:
        return found.kind
    folded = _folded(text)
    return next((kind for kind, form in FORMS.items() if form.cue.search(folded)), None)


def clean_permit(text: str) -> str:
    """Return a permit number as it was written, without spaces at its ends.

    Raises:
        BadPermit: it has none of the forms of PERMIT_KINDS.
    """
    number = unicodedata.normalize("NFC", text).strip()
    if permit_of(number) is None:
        known = [form.name_zh for form in PERMIT_KINDS.values()]
        raise BadPermit("The permit number has none of the known forms.", known=known)
    return number


def permit_of(number: str) -> str | None:
    """Name the permit (in Chinese) that a number of this form belongs to, or None."""
    forms = PERMIT_KINDS.values()
    return next((form.name_zh for form in forms if form.pattern.fullmatch(number)), None)


def _readings(text: str) -> Iterator[Identifier]:
    for kind in FORMS:
        read = None if kind == "dci" else _read(kind, text)
        if isinstance(read, Identifier):
            yield read


def _read(kind: str, text: str) -> Identifier | Doubt:
    form, folded = FORMS[kind], _folded(text)
    found = form.pattern.fullmatch(folded) if len(folded) <= LONGEST else None
    if found is None:
        said = f"It has not the form of this kind: {form.name_en} ({form.name_zh})."
        return Doubt("form", said + _strangers(kind, folded), f"Write it like {form.example}.")
    parts = _parts(kind, found.groupdict())
    canonical = (
        form.template.format(**parts) if form.template else _untemplated(kind, parts, folded)
    )
    return _wrong(kind, parts) or Identifier(kind, canonical, parts)


def _strangers(kind: str, folded: str) -> str:
    """Name what stands among hexadecimal digits and is none."""
    if kind not in ("eidr", "isan"):
        return ""
    digits = re.split("[/:]", folded.upper())[-1][:-1]
    strange = "".join(dict.fromkeys(re.sub("[0-9A-F-]", "", digits)))
    return f" Only 0-9 and A-F stand before the last character, not {strange[:20]}." * bool(strange)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().translate(_CHINESE_FOLDED)


def _parts(kind: str, groups: Mapping[str, str | None]) -> dict[str, str]:
    """Return the groups that were there, in capitals; a second form's under the same names."""
    return {
        name.removesuffix("_2"): _cased(kind, name, part)
        for name, part in groups.items()
        if part is not None
    }


def _cased(kind: str, name: str, part: str) -> str:
    if kind == "eidr-user" or name in ("text", "extension"):
        return part
    return "superparty" if part.lower() == "superparty" else part.upper()


def _untemplated(kind: str, parts: Mapping[str, str], folded: str) -> str:
    if kind == "isan":
        version = f"-{parts['version']}-{parts['version_check']}" if "version" in parts else ""
        return f"{parts['digits']}-{parts['check']}{version}"
    return folded if kind == "dci" else folded.upper()


def _wrong(kind: str, parts: Mapping[str, str]) -> Doubt | None:
    if kind in ("eidr", "eidr-x"):
        return _mod_37_36(parts["digits"], parts["check"])
    if kind == "isan":
        # The second check character stands for root, episode and version, without the first one.
        doubt = _mod_37_36(parts["digits"], parts["check"])
        if doubt is None and "version" in parts:
            return _mod_37_36(parts["digits"] + parts["version"], parts["version_check"])
        return doubt
    if kind == "patent":
        total = sum(int(a) * b for a, b in zip(parts["digits"], _PATENT_WEIGHTS, strict=True))
        return _compared(parts["check"], "0123456789X"[total % 11])
    if kind == "uscc":
        return _uscc(parts["digits"] + parts["check"])
    return _dci(parts["text"]) if kind == "dci" else None


def _mod_37_36(digits: str, check_character: str) -> Doubt | None:
    bare = digits.replace("-", "")
    try:
        mod_37_36.validate(bare + check_character)
    except ValidationError:
        return _compared(check_character, mod_37_36.calc_check_digit(bare))
    return None


def _compared(given: str, wanted: str) -> Doubt | None:
    if given == wanted:
        return None
    return Doubt(
        "check-character",
        f"The check character {given} does not fit: for these digits it would be {wanted}.",
        "Look for a mistyped or exchanged digit; do not just change the check character.",
    )


def _uscc(text: str) -> Doubt | None:
    try:
        clean_uscc(text)
    except BadUscc as refusal:
        return Doubt("check-character", refusal.detail, refusal.hint)
    return None


def _dci(text: str) -> Doubt | None:
    try:
        clean_name(text, field="dci", most=LONGEST)
    except BadName as refusal:
        return Doubt("form", refusal.detail, refusal.hint)
    return None


def _refusal(kind: str) -> type[Refusal]:
    if kind in PERMIT_KINDS:
        return BadPermit
    special: dict[str, type[Refusal]] = {"eidr": BadEidr, "isan": BadIsan, "uscc": BadUscc}
    return special.get(kind, BadIdentifier)
