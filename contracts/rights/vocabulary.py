"""Vocabularies of rights: statutory rights, media, territories, languages, with stable numbers.

Source: 著作权法 (2020) art. 10; ISO 3166-1 and 3166-2; UN M49; BCP 47; the files in `data/` name
theirs.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from itertools import chain

import langcodes
from langcodes.tag_parser import LanguageTagError

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
    """The territory is no code of ISO 3166, no UN M49 region and no named group."""

    kind, code = Kind.INVALID, "unknown-territory"
    hint = (
        "Use ISO 3166-1 (CN: the mainland) or 3166-2 (CN-GD) codes, UN M49 regions, "
        "groups such as EU, or WRD."
    )


class UnknownLanguage(Refusal):
    """The language is no BCP 47 tag that the register keeps, or its version is none of three."""

    kind, code = Kind.INVALID, "unknown-language"
    hint = (
        "Use BCP 47 tags (zh, zh-Hant, pt-BR), with :original, :dubbed or :subtitled behind them "
        "if need be; zxx for no speech, * for all."
    )


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
    """A medium: the rights of which a licensee needs one to use it, who pays, how it is seen.

    `access` are ways the viewer pays, `delivery` is linear, on-demand, either (then the right
    decides), screening, copy or work.
    """

    rights: frozenset[str]
    access: tuple[str, ...]
    delivery: str


@dataclass(frozen=True, slots=True)
class Inner(Word):
    """A word inside the block of another: a province, a variety of a language; `number` is its
    place in that block."""

    parent: str


@dataclass(frozen=True, slots=True)
class Group:
    """A name for several words, in one of its definitions; both days are included, None is open."""

    axis: str
    code: str
    zh: str
    en: str
    since: date | None
    until: date | None
    members: tuple[str, ...]


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


def _inner(name: str, parent: str) -> Mapping[str, Inner]:
    return {
        row["code"]: Inner(int(row["number"]), row["code"], row["zh"], row["en"], row[parent])
        for row in _rows(name)
    }


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


RIGHTS: Mapping[str, Right] = {
    row["code"]: Right(
        int(row["number"]), row["code"], row["zh"], row["en"], row["licensable"] == "yes"
    )
    for row in _rows("rights")
}
MEDIA: Mapping[str, Medium] = {
    row["code"]: Medium(
        int(row["number"]), row["code"], row["zh"], row["en"], frozenset(row["rights"].split()),
        tuple(row["access"].split()), row["delivery"],
    )
    for row in _rows("media")
}  # fmt: skip
TERRITORIES = _words("territories")
SUBDIVISIONS = _inner("subdivisions", "country")
LANGUAGES = _words("languages")
VARIETIES = _inner("varieties", "language")
ROUNDS = _words("rounds")
EVENTS = _words("events")
GROUPS: tuple[Group, ...] = tuple(
    Group(
        row["axis"], row["code"], row["zh"], row["en"], _day(row["from"]), _day(row["until"]),
        tuple(row["members"].split()),
    )
    for row in _rows("groups")
)  # fmt: skip
BUNDLES: tuple[Part, ...] = tuple(
    Part(row["bundle"], row["right"], frozenset(row["media"].split())) for row in _rows("bundles")
)
_ALIASES: Mapping[tuple[str, str], str] = {
    (row["axis"], row["alias"]): row["code"] for row in _rows("aliases")
}
# How a viewer pays; the place is the number inside the block of a medium.
ACCESS: Mapping[str, Word] = {
    code: Word(place, code, zh, en)
    for place, (code, zh, en) in enumerate(
        (
            ("free", "免费", "free"),
            ("pay", "付费频道", "pay"),
            ("subscription", "会员订阅", "subscription"),
            ("per-view", "单次付费", "per view"),
            ("purchase", "购买", "purchase"),
        ),
        start=1,
    )
}
# In which voice a language is heard or read; ten numbers in a block are one variety's.
VERSIONS: Mapping[str, Word] = {
    code: Word(place, code, zh, en)
    for place, (code, zh, en) in enumerate(
        (
            ("original", "原声", "original"),
            ("dubbed", "配音", "dubbed"),
            ("subtitled", "字幕", "subtitled"),
        )
    )
}
OTHER_VARIETY = "-x-other"  # a private-use subtag (BCP 47 §2.2.7): varieties that have no row


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


def territory(code: str) -> str:
    """Return the one code of a territory or group: HK for CN-HK.

    Raises:
        UnknownTerritory: there is none.
    """
    plain = _ALIASES.get(("territory", code), code)
    if plain not in PLACES:
        raise UnknownTerritory(f"Territory {code!r} is unknown.", territory=code)
    return plain


def language(code: str) -> str:
    """Return the one code of a language, its variety and version: he for iw, zh-Hant for zh-TW.

    Raises:
        UnknownLanguage: there is none.
    """
    tag, colon, version = code.partition(":")
    found = f"{_tongue(tag)}{colon}{version}"
    if found not in TONGUES:
        raise UnknownLanguage(f"Language {code!r} is unknown.", language=code)
    return found


def _tongue(tag: str) -> str:
    """Return the kept code of a BCP 47 tag, by its script where the region only stands for one."""
    plain = _ALIASES.get(("language", tag), tag)
    if plain in TONGUES:
        return plain
    try:
        read = langcodes.Language.get(tag)
    except LanguageTagError:
        return tag
    full = read.maximize()
    tries = (str(read), f"{read.language}-{full.territory}", f"{read.language}-{full.script}")
    return next((one for one in tries if read.territory and one in TONGUES), str(read))


def medium(code: str) -> str:
    """Return the code of a medium, of one with its access, or of a group of media.

    Raises:
        UnknownMedium: it is not in the vocabulary.
    """
    if code not in OUTLETS:
        raise UnknownMedium(f"Medium {code!r} is unknown.", medium=code, known=sorted(MEDIA))
    return code


def group(axis: str, code: str, *, on: date) -> tuple[str, ...] | None:
    """Return the members of a group as defined on a day, or None when the code is no group.

    Before its first definition a group is read by that one, after its last by the last.
    """
    known = [one for one in GROUPS if (one.axis, one.code) == (axis, code)]
    if not known:
        return None
    fits = [one for one in known if one.until is None or on <= one.until]
    return (fits[0] if fits else known[-1]).members


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


def _with_access(word: Medium) -> Iterable[Word]:
    for access in word.access:
        way = ACCESS[access]
        yield Word(
            way.number, f"{word.code}.{access}", f"{word.zh}（{way.zh}）", f"{word.en} ({way.en})"
        )


def _with_versions(word: Word) -> Iterable[Word]:
    for code, version in VERSIONS.items():
        yield Word(
            version.number,
            f"{word.code}:{code}",
            f"{word.zh}（{version.zh}）",
            f"{word.en} ({version.en})",
        )


def _others() -> Iterable[Word]:
    for code in sorted({variety.parent for variety in VARIETIES.values()}):
        word = LANGUAGES[code]
        yield Word(0, f"{code}{OTHER_VARIETY}", f"{word.zh}（其他）", f"{word.en} (other)")


def _named(axis: str, *words: Iterable[Word]) -> Mapping[str, Word]:
    groups = (Word(0, one.code, one.zh, one.en) for one in GROUPS if one.axis == axis)
    return {word.code: word for word in chain(groups, *words)}


def _places() -> Mapping[str, Word]:
    """Return every territory by names that mean it alone: Georgia is a state and a country."""
    known = _named(
        "territory",
        TERRITORIES.values(),
        SUBDIVISIONS.values(),
        [Word(0, WORLD, "全球", "the whole world")],
    )
    told = {code: _in_its_country(word) for code, word in known.items()}
    uses = Counter(name for word in told.values() for name in {word.zh, word.en})
    for code, word in told.items():
        if uses[word.zh] > 1 or uses[word.en] > 1:
            zh, en = f"{word.zh}（{code}）", f"{word.en} ({code})"
            told[code] = Word(word.number, code, zh, en)
    return told


def _in_its_country(word: Word) -> Word:
    """Return a part of a country with the country's name; the mainland's go without saying."""
    country = TERRITORIES.get(word.code[:2]) if word.code[2:3] == "-" else None
    if country is None or country.code == "CN":
        return word
    space = "" if "一" <= word.zh[0] <= "龥" else " "  # most have no Chinese name yet
    zh, en = f"{country.zh}{space}{word.zh}", f"{word.en}, {country.en}"
    return Word(word.number, word.code, zh, en)


# Every code that an offer may name on an axis, with its names.
PLACES = _places()
OUTLETS = _named("medium", MEDIA.values(), *map(_with_access, MEDIA.values()))
_TAGS = (*LANGUAGES.values(), *VARIETIES.values(), *_others())
TONGUES = _named(
    "language",
    _TAGS,
    *map(_with_versions, _TAGS),
    [Word(0, ANY_LANGUAGE, "语言不限", "any language")],
)
