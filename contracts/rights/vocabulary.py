"""Vocabularies of rights: statutory rights, media, territories, languages, with stable numbers.

Source: 著作权法 (2020) art. 10; ISO 3166-1; BCP 47; the files in `data/` name theirs.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from contracts.refusal import Kind, Refusal

WORLD = "WRD"  # all territories
ANY_LANGUAGE = "*"  # all languages (RFC 4647 §2.1)
# Room behind each number of a medium, territory or language, so that a subdivision (a province, a
# variety of a language) can later take a place inside the block that its parent was granted as.
BLOCK = 1000


class UnknownRight(Refusal):
    """The right is not one of 著作权法 art. 10."""

    kind, code = Kind.INVALID, "unknown-right"
    hint = "Name one of the rights in `known`; 播映权 and the like are bundles, not rights."


class RightNotLicensable(Refusal):
    """The right stays with the author, or does not exist in audiovisual works."""

    kind, code = Kind.INVALID, "right-not-licensable"
    hint = "Name one of the rights in `known`."


class UnknownMedium(Refusal):
    """The medium is not in the vocabulary."""

    kind, code = Kind.INVALID, "unknown-medium"
    hint = "Name media from `known`."


class UnknownTerritory(Refusal):
    """The territory is no ISO 3166-1 alpha-2 code."""

    kind, code = Kind.INVALID, "unknown-territory"
    hint = "Use ISO 3166-1 alpha-2 codes, or WRD; CN alone means the mainland."


class UnknownLanguage(Refusal):
    """The language is no primary subtag of BCP 47 that the register keeps."""

    kind, code = Kind.INVALID, "unknown-language"
    hint = "Use two-letter primary subtags (zh, en …), zxx for no speech, or * for all."


class UnknownBundle(Refusal):
    """The name is no bundle of rights."""

    kind, code = Kind.INVALID, "unknown-bundle"
    hint = "Name a bundle from `known`, or each right by itself."


@dataclass(frozen=True, slots=True)
class Word:
    """A row of a vocabulary: its stable number, its code and its names."""

    number: int
    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Right(Word):
    """A right of 著作权法 art. 10; the number is its item."""

    licensable: bool


@dataclass(frozen=True, slots=True)
class Medium(Word):
    """A medium and the rights of which a licensee needs one to use it."""

    rights: frozenset[str]


@dataclass(frozen=True, slots=True)
class Part:
    """One right of a bundle, with the media that the bundle means."""

    bundle: str
    right: str
    media: frozenset[str]


def _rows(name: str) -> list[dict[str, str]]:
    text = files("contracts.rights").joinpath("data", f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()[1:]))


def _words(name: str) -> Mapping[str, Word]:
    return {
        row["code"]: Word(int(row["number"]), row["code"], row["zh"], row["en"])
        for row in _rows(name)
    }


RIGHTS: Mapping[str, Right] = {
    row["code"]: Right(
        int(row["number"]), row["code"], row["zh"], row["en"], row["licensable"] == "yes"
    )
    for row in _rows("rights")
}
MEDIA: Mapping[str, Medium] = {
    row["code"]: Medium(
        int(row["number"]), row["code"], row["zh"], row["en"], frozenset(row["rights"].split())
    )
    for row in _rows("media")
}
TERRITORIES = _words("territories")
LANGUAGES = _words("languages")
BUNDLES: tuple[Part, ...] = tuple(
    Part(row["bundle"], row["right"], frozenset(row["media"].split())) for row in _rows("bundles")
)
_ALIASES: Mapping[tuple[str, str], str] = {
    (row["axis"], row["alias"]): row["code"] for row in _rows("aliases")
}


def right(code: str) -> Right:
    """Return a right that can be licensed.

    Raises:
        UnknownRight: art. 10 has no such right.
        RightNotLicensable: it is a moral right, or none in audiovisual works.
    """
    found = RIGHTS.get(code)
    if found is None:
        raise UnknownRight(
            f"{code!r} is no right of 著作权法 art. 10.", right=code, known=_licensable()
        )
    if not found.licensable:
        raise RightNotLicensable(f"{found.zh} cannot be licensed.", right=code, known=_licensable())
    return found


def _licensable() -> list[str]:
    return sorted(right.code for right in RIGHTS.values() if right.licensable)


def media(codes: Iterable[str]) -> frozenset[str]:
    """Return the media named.

    Raises:
        UnknownMedium: one is not in the vocabulary.
    """
    return frozenset(_medium(code) for code in codes)


def _medium(code: str) -> str:
    if code not in MEDIA:
        raise UnknownMedium(f"Medium {code!r} is unknown.", medium=code, known=sorted(MEDIA))
    return code


def territories(codes: Iterable[str]) -> frozenset[str]:
    """Return the territories named, groups and aliases resolved.

    Raises:
        UnknownTerritory: one is no ISO 3166-1 alpha-2 code and no group.
    """
    found: set[str] = set()
    for code in codes:
        found.update(TERRITORIES if code == WORLD else [territory(code)])
    return frozenset(found)


def territory(code: str) -> str:
    """Return the one code of a territory: HK for CN-HK.

    Raises:
        UnknownTerritory: there is none.
    """
    plain = _ALIASES.get(("territory", code), code)
    if plain not in TERRITORIES:
        raise UnknownTerritory(f"Territory {code!r} is unknown.", territory=code)
    return plain


def languages(codes: Iterable[str]) -> frozenset[str]:
    """Return the languages named, aliases resolved.

    Raises:
        UnknownLanguage: one is not kept.
    """
    found: set[str] = set()
    for code in codes:
        found.update(LANGUAGES if code == ANY_LANGUAGE else [language(code)])
    return frozenset(found)


def language(code: str) -> str:
    """Return the one code of a language: he for iw.

    Raises:
        UnknownLanguage: there is none.
    """
    plain = _ALIASES.get(("language", code), code)
    if plain not in LANGUAGES:
        raise UnknownLanguage(f"Language {code!r} is unknown.", language=code)
    return plain


def bundle(name: str) -> tuple[Part, ...]:
    """Return the rights that a trade name stands for.

    Raises:
        UnknownBundle: it stands for none.
    """
    parts = tuple(part for part in BUNDLES if part.bundle == name)
    if not parts:
        known = sorted({part.bundle for part in BUNDLES})
        raise UnknownBundle(f"{name!r} is no bundle of rights.", bundle=name, known=known)
    return parts


def block(number: int) -> tuple[int, int]:
    """Return the half-open span of numbers that belongs to a medium, territory or language."""
    return number * BLOCK, (number + 1) * BLOCK
