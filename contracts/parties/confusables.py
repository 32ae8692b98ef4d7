"""Characters by which a name can be mistaken for another (混淆字符): found, and told (pure).

Source: Unicode TR 39 §4 (mixed and whole-script confusables), §5.1; the letters listed are those
whose usual shapes are the same, from its table of confusables.
Differs from the source: its whole table calls l and 1, or 一 and ー, confusable everywhere. Names
of this trade mix Chinese with Latin and digits all the time; refused is what is narrower: a word of
Latin with Cyrillic, Greek or another alphabet in it; a foreign alphabet of which only look-alikes
occur; letters in another dress (full-width, mathematical); radicals that stand for characters.
"""

import re
import unicodedata
from collections.abc import Iterable

# Alphabets by ranges of code points, as far as their letters can stand among Latin ones.
_ALPHABETS: tuple[tuple[str, int, int], ...] = (
    ("greek", 0x0370, 0x03FF), ("cyrillic", 0x0400, 0x052F), ("armenian", 0x0530, 0x058F),
    ("cherokee", 0x13A0, 0x13FF), ("greek", 0x1F00, 0x1FFF), ("cyrillic", 0x1C80, 0x1C8F),
    ("coptic", 0x2C80, 0x2CFF), ("cyrillic", 0xA640, 0xA69F), ("lisu", 0xA4D0, 0xA4FF),
    ("kana", 0x3041, 0x30FF), ("bopomofo", 0x3105, 0x312F), ("cherokee", 0xAB70, 0xABBF),
)  # fmt: skip
# Letters that look like Latin ones, by alphabet; like Chinese characters for kana and bopomofo.
_ALIKE = {
    "greek": "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονϲϳ",
    "cyrillic": "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁԛԝһӏҮү",
    "armenian": "ՕՍոսցօհ",
    "cherokee": "ᎪᎫᎬᎷᎻᎡᎢᏀᏃᏙᏚᏞᏟᏢᏦᏴᏎᏔᏕᏖ",
    "kana": "ニハヘカロエタトノミーリチオセ",
    "bopomofo": "ㄅㄇㄈㄊㄋㄏㄐㄑㄒㄔㄕㄖㄗㄘㄙㄚㄝㄞㄠㄡㄢㄣㄤㄥㄦㄧㄨㄩ",
}
_BESIDE_CHINESE = ("kana", "bopomofo")
# Always in another's dress: phonetic letters, clicks, radicals for the characters themselves,
# letterlike signs, full-width and mathematical letters and digits.
_DRESSED = re.compile(
    "[\u0250-\u02af\u01c0-\u01c3\u1d00-\u1dbf\u2e80-\u2fdf\u2102\u210a-\u2115\u2119-\u211d"
    "\u2124\u2128\u212c\u212d\u212f-\u2134\u2139\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
    "\U0001d400-\U0001d7ff]"
)
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")


def found(text: str) -> list[str]:
    """Return the characters, each once and in order, by which the text can be mistaken."""
    wrong = set(_DRESSED.findall(text))
    for word in _words(text):
        if any(_is_latin(sign) for sign in word):
            wrong |= {sign for sign in word if _alphabet(sign) not in (None, *_BESIDE_CHINESE)}
    wrong |= _only_alike(text)
    return [sign for sign in dict.fromkeys(text) if sign in wrong]


def codes(signs: Iterable[str]) -> list[str]:
    """Return characters as a person can tell them apart, e.g. `U+0430 CYRILLIC SMALL LETTER A`."""
    return [f"U+{ord(sign):04X} {unicodedata.name(sign, '')}".strip() for sign in signs]


def _only_alike(text: str) -> set[str]:
    """Return the letters of every alphabet of which nothing but look-alikes occurs."""
    by_alphabet: dict[str, set[str]] = {}
    for sign in text:
        if (alphabet := _alphabet(sign)) is not None:
            by_alphabet.setdefault(alphabet, set()).add(sign)
    chinese = _HAN.search(text) is not None
    return {
        sign
        for alphabet, signs in by_alphabet.items()
        if signs <= set(_ALIKE.get(alphabet, "")) and (chinese or alphabet not in _BESIDE_CHINESE)
        for sign in signs
    }


def _words(text: str) -> list[str]:
    """Return the runs of letters with their marks; Chinese characters part words."""
    return re.findall(r"(?:[^\W\d_]|[\u0300-\u036f])+", _HAN.sub(" ", text))


def _is_latin(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith("LATIN ")


def _alphabet(sign: str) -> str | None:
    if not sign.isalpha():
        return None
    code = ord(sign)
    return next((name for name, first, last in _ALPHABETS if first <= code <= last), None)
