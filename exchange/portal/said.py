"""Values in words: rights, territories, technical records and fingerprints for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.rights import vocabulary, wording
from exchange.portal.language import Language, mark
from listings.auctions import payment as paying

# A list longer than this is told by its first names and their number.
NAMED_AT_MOST = 6


def rights(wire: Mapping[str, Any], spoken: Language) -> dict[str, str]:
    """Return the parts of an offered right in words, and the sentence of the contract."""
    right = vocabulary.RIGHTS[wire["right"]]
    return {
        "right": spoken.pick(right.zh, right.en),
        "media": _names(wire["media"], vocabulary.OUTLETS, spoken),
        "territories": _names(wire["territories"], vocabulary.PLACES, spoken),
        "excluded": _names(wire.get("excluded") or (), vocabulary.PLACES, spoken),
        "languages": _names(wire["languages"], vocabulary.TONGUES, spoken),
        "sentence": wording.wording_of(wire, "zh" if spoken.code == "zh-CN" else "en"),
    }


def payment(wire: Mapping[str, Any], spoken: Language) -> str:
    """Return how the price of an auction is paid, in the words that its rulebook froze."""
    sentences = paying.sentences(wire)
    return spoken.pick(sentences["payment_zh"], sentences["payment"])


def territory(code: str, spoken: Language) -> str:
    """Return the name of a territory or country."""
    return _names([code], vocabulary.PLACES, spoken)


def places(codes: Sequence[str], spoken: Language) -> str:
    """Return the names of territories and groups."""
    return _names(codes, vocabulary.PLACES, spoken)


def media(codes: Sequence[str], spoken: Language) -> str:
    """Return the names of media, with how the viewer pays."""
    return _names(codes, vocabulary.OUTLETS, spoken)


def tongues(codes: Sequence[str], spoken: Language) -> str:
    """Return the names of languages and versions."""
    return _names(codes, vocabulary.TONGUES, spoken)


def choices(words: Mapping[str, Any], spoken: Language) -> list[tuple[str, str]]:
    """Return (code, name in both languages) for a chooser, in the order of the vocabulary."""
    ordered = sorted(words.values(), key=lambda word: word.number)
    return [(word.code, both(word.zh, word.en, spoken)) for word in ordered]


def both(zh: str, en: str, spoken: Language) -> str:
    """Return a name in the reader's language with the other one behind it."""
    first, second = (zh, en) if spoken.code == "zh-CN" else (en, zh)
    return first if first == second else f"{first} · {second}"


def _names(codes: Sequence[str], words: Mapping[str, Any], spoken: Language) -> str:
    names = [_name(code, words, spoken) for code in codes]
    join = "、" if spoken.code == "zh-CN" else ", "
    if len(names) <= NAMED_AT_MOST:
        return join.join(names)
    return join.join(names[:NAMED_AT_MOST]) + f" … ({len(names)})"


def _name(code: str, words: Mapping[str, Any], spoken: Language) -> str:
    if code == vocabulary.WORLD:
        return spoken.say(mark("the whole world"))
    if code == vocabulary.ANY_LANGUAGE:
        return spoken.say(mark("all languages"))
    word = words.get(code)
    return code if word is None else spoken.pick(word.zh, word.en)


FINDINGS: Mapping[str, str] = {
    "raster": mark("Raster"),
    "rate": mark("Frame rate"),
    "bit-depth": mark("Bit depth"),
    "primaries": mark("Colour primaries"),
    "transfer": mark("Transfer characteristic"),
    "matrix": mark("Colour matrix"),
    "range": mark("Signal range"),
    "sound": mark("Sound"),
    "sample-rate": mark("Sample rate"),
}
TRANSFERS: Mapping[str, str] = {"arib-std-b67": "HLG (ARIB STD-B67)", "smpte2084": "PQ (ST 2084)"}


# Words of findings; all others are codes and numbers that both languages write alike.
FOUND = frozenset({mark("a sound track"), mark("none"), mark("unknown")})
TRACES: Mapping[str, str] = {
    "version": mark("Fingerprint version"),
    "video_codes": mark("Codes of the picture"),
    "audio_codes": mark("Codes of the sound"),
    "sha256": mark("Fingerprint SHA-256"),
}


def technical(probe: Mapping[str, Any], spoken: Language) -> list[tuple[str, str]]:
    """Return the technical record as (label, text), labels in English for the catalogue."""
    video = probe["video"]
    seconds = probe["duration_ms"] / 1000
    rows = [
        (mark("Raster"), f"{video['width']} × {video['height']}"),
        (mark("Frame rate"), _rate(video["rate"], spoken)),
        (mark("Duration"), f"{spoken.number(round(seconds, 2))} s"),
        (mark("Codec"), _joined(video["codec"], video["profile"])),
        (mark("Bit depth"), _joined(f"{video['bit_depth']} bit", video["sampling"])),
        (mark("Colour primaries"), _joined(video["primaries"])),
        (
            mark("Transfer characteristic"),
            TRANSFERS.get(video["transfer"], _joined(video["transfer"])),
        ),
        (mark("Colour matrix"), _joined(video["matrix"], video["range"])),
        (mark("Container"), probe["container"].partition(",")[0]),
    ]
    return rows + [(mark("Sound"), _sound(sound, spoken)) for sound in probe["audio"]]


def fingerprint(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the plain entries of a fingerprint record as (label, text)."""
    rows = [(label, str(record[name])) for name, label in TRACES.items() if name in record]
    iscc = record.get("iscc") or {}
    units = iscc.get("units") or {}
    codes = (
        (mark("ISCC (ISO 24138)"), iscc.get("code")),
        (mark("ISCC of the picture"), units.get("video")),
        (mark("ISCC of the sound"), units.get("audio")),
        (mark("SHA-256 of the coded picture"), (record.get("essence") or {}).get("video")),
    )
    return rows + [(label, code) for label, code in codes if code]


def _rate(rate: Mapping[str, int] | None, spoken: Language) -> str:
    if rate is None:
        return "–"
    return f"{spoken.number(round(rate['num'] / rate['den'], 3))} fps"


def _sound(sound: Mapping[str, Any], spoken: Language) -> str:
    kilohertz = spoken.number(sound["sample_rate"] / 1000)
    language = _name(sound["language"], vocabulary.LANGUAGES, spoken)
    parts = [sound["codec"], sound["layout"], f"{kilohertz} kHz"]
    return " · ".join(parts if sound["language"] == "und" else [*parts, language])


def _joined(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part) or "–"


def bank_account(code: str) -> str:
    """Write `iban:<number>` and `cnaps:<bank>:<number>` as a payment order asks for them."""
    scheme, _, rest = code.partition(":")
    bank, _, number = rest.rpartition(":")
    return " ".join(filter(None, (number, scheme.upper() if bank else "", bank)))
