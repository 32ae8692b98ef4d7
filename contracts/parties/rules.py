"""What a party must be before it trades: names that read as they look, a code that checks (pure).

Source: GB 32100-2015 (统一社会信用代码: 18 characters, weights 3^i, modulus 31); Unicode TR 36 §2
for characters that make a name look like another.
"""

import unicodedata
from dataclasses import dataclass
from uuid import UUID

from stdnum.cn import uscc as stdnum_uscc
from stdnum.exceptions import ValidationError

from contracts.parties import confusables
from contracts.refusal import InvalidContent, Kind, Refusal

EXCHANGE_PARTY_ID = UUID("00000000-0000-7000-8000-000000000001")
TRADERS = ("rights_holder", "broadcaster")  # 权利人, 播出机构
LONGEST_NAME = 200
# Categories without a visible form of their own: controls, formats (zero-width, bidi), surrogates,
# private use, line and paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Letters and symbols that are drawn as nothing: combining grapheme joiner, Hangul and Khmer
# fillers, Mongolian free variation selectors, the blank Braille cell, variation selectors 1-256.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_SPACES = frozenset(" \u3000")


class BadName(Refusal):
    """A name or title is empty, too long, or holds characters that cannot be seen."""

    kind, code = Kind.INVALID, "bad-name"
    hint = "Use visible characters, within the length named in `most`."


class ConfusableName(Refusal):
    """A name or title holds characters by which it can be mistaken for another (混淆字符)."""

    kind, code = Kind.INVALID, "name-can-be-mistaken"
    hint = "Write the characters named in `characters` as ordinary letters of one alphabet."


class BadUscc(Refusal):
    """The unified social credit code (统一社会信用代码) has the wrong form or check character."""

    kind, code = Kind.INVALID, "bad-uscc"
    hint = "Copy the 18 characters from the business licence (营业执照)."


class UsccTaken(Refusal):
    """Another party is registered with this unified social credit code."""

    kind, code = Kind.CONFLICT, "uscc-taken"
    hint = "Ask a colleague whose organisation is registered already to add you."


class PartyNotVerified(Refusal):
    """The exchange has not verified the party yet (尚未通过核验)."""

    kind, code = Kind.CONFLICT, "party-not-verified"
    hint = "Wait until an operator of the exchange has verified the organisation."


class KeyNotActive(Refusal):
    """The signing key is revoked, or is not one of this party's keys."""

    kind, code = Kind.CONFLICT, "key-not-active"
    hint = "Register a signing key of your own and use its id."


class KeyTaken(Refusal):
    """The public key was registered before, under another id or by another party."""

    kind, code = Kind.CONFLICT, "key-taken"
    hint = "Generate a fresh P-256 key pair; a revoked key cannot be registered again."


@dataclass(frozen=True, slots=True)
class Organisation:
    """What a party says about itself, cleaned: two spellings of one content compare equal."""

    kind: str
    name_zh: str
    name_en: str
    uscc: str


def organisation(*, kind: str, name_zh: str, name_en: str, uscc: str) -> Organisation:
    """Return the cleaned description of a party that wants to trade.

    Raises:
        InvalidContent: the kind is not one of TRADERS.
        BadName: a name breaks its rule.
        ConfusableName: a name can be mistaken for another.
        BadUscc: the code does not check.
    """
    if kind not in TRADERS:
        raise InvalidContent("A party is a rights holder or a broadcaster.", known=list(TRADERS))
    return Organisation(
        kind,
        clear_name(name_zh, field="name_zh"),
        clear_name(name_en, field="name_en"),
        clean_uscc(uscc),
    )


def clean_name(text: str, *, field: str, most: int = LONGEST_NAME) -> str:
    """Return the text in NFC, without spaces at its ends.

    Raises:
        BadName: nothing is left, more than `most` characters are, or one cannot be seen.
    """
    name = unicodedata.normalize("NFC", text).strip(" \u3000")
    if not 1 <= len(name) <= most:
        raise BadName(f"{field} needs 1 to {most} characters.", field=field, most=most)
    unseen = next((sign for sign in name if not _is_visible(sign)), None)
    if unseen is not None:
        raise BadName(
            f"{field} holds a character that cannot be seen.",
            field=field,
            most=most,
            character=f"U+{ord(unseen):04X}",
        )
    return name


def clear_name(text: str, *, field: str, most: int = LONGEST_NAME) -> str:
    """Return what `clean_name` returns, of a name that contracts print: no other reads like it.

    Raises:
        BadName: see `clean_name`.
        ConfusableName: letters of several alphabets in a word, or look-alikes alone.
    """
    name = clean_name(text, field=field, most=most)
    if found := confusables.found(name):
        raise ConfusableName(
            f"{field} can be mistaken for another name.",
            field=field,
            characters=confusables.codes(found),
        )
    return name


def clean_uscc(text: str) -> str:
    """Return the 18 characters of a code whose check character fits, in upper case.

    Raises:
        BadUscc: the form or the check character is wrong.
    """
    code = text.strip().upper()
    if len(code) != 18 or not code.isascii() or not code.isalnum():
        raise BadUscc("A unified social credit code has 18 letters and digits.")
    try:
        return str(stdnum_uscc.validate(code))
    except ValidationError as wrong:
        raise BadUscc("The unified social credit code does not check.") from wrong


def need_verified(state: str) -> None:
    """Let only verified parties pass.

    Raises:
        PartyNotVerified: the party is merely registered.
    """
    if state != "verified":
        raise PartyNotVerified("The exchange has not verified your organisation yet.")


def _is_visible(sign: str) -> bool:
    category = unicodedata.category(sign)
    if category == "Zs":
        return sign in _SPACES
    nonchar = ord(sign) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(sign) <= 0xFDEF
    return not nonchar and category not in _INVISIBLE and sign not in _BLANK
