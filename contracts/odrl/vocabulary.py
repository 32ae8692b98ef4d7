"""Terms of ODRL 2.2 and of our profile, and the IRIs that stand for codes of the register (pure).

Source: W3C ODRL Vocabulary & Expression 2.2 (2018-02-15) for names and `includedIn`; RFC 7972 (EIDR
URN), RFC 4246 (ISAN URN), RFC 9562 (urn:uuid), BCP 47 §2.2.7 (private use subtags).
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from contracts.refusal import Refusal
from contracts.rights import axes
from contracts.rights import vocabulary as rights

ODRL = "http://www.w3.org/ns/odrl/2/"
CC = "http://creativecommons.org/ns#"
PROFILE = "urn:uhdx:odrl:profile:1"
UHDX = PROFILE + "#"
# The slash-free forms are ours to keep: a territory, a medium and a currency by their codes.
TERRITORY = "urn:iso:std:iso:3166:"
CURRENCY = "urn:iso:std:iso:4217:"
MEDIUM = "urn:uhdx:medium:"
EVENT = "urn:uhdx:event:"  # an event of the trade, by its code
RUN = UHDX + "run"  # unit of a count: one run (播出一次)
EXCLUSIVITY, RIGHT, DEPTH = UHDX + "exclusivity", UHDX + "right", UHDX + "sublicenceDepth"
# Other spellings of the same codes that policies from elsewhere carry.
_TERRITORY_IRIS = (TERRITORY, "https://www.iso.org/obp/ui/#iso:code:3166:")
_LANGUAGE_IRIS = ("http://id.loc.gov/vocabulary/iso639-1/", "http://lexvo.org/id/iso639-1/")
# A version is a private use subtag, which has at most eight letters.
_VERSIONS = {"original": "original", "dubbed": "dubbed", "subtitled": "subtitle"}

_IN_USE = (
    "acceptTracking aggregate annotate anonymize archive attribute compensate concurrentUse delete "
    "derive digitize display distribute ensureExclusivity execute grantUse include index inform "
    "install modify move nextPolicy obtainConsent play present print read reproduce reviewPolicy "
    "stream synchronize textToSpeech transform translate uninstall watermark"
)
_CC_IN_USE = (
    "Attribution CommericalUse DerivativeWorks Distribution Notice Reproduction ShareAlike Sharing "
    "SourceCode"
)
# What a right of 著作权法 art. 10 is closest to among the actions of ODRL; the others are `use`.
_NEAREST = {
    "reproduction": "reproduce",
    "distribution": "distribute",
    "performance": "present",
    "projection": "display",
    "adaptation": "derive",
    "translation": "translate",
    "compilation": "aggregate",
}
LICENSABLE = tuple(code for code, right in rights.RIGHTS.items() if right.licensable)
ACTIONS: Mapping[str, str] = {UHDX + code: code for code in LICENSABLE}
INCLUDED_IN: Mapping[str, str] = {
    **{ODRL + name: ODRL + "use" for name in _IN_USE.split()},
    **{CC + name: ODRL + "use" for name in _CC_IN_USE.split()},
    ODRL + "extract": ODRL + "reproduce",
    ODRL + "give": ODRL + "transfer",
    ODRL + "sell": ODRL + "transfer",
    **{UHDX + code: ODRL + _NEAREST.get(code, "use") for code in LICENSABLE},
}
TOP_ACTIONS = frozenset({ODRL + "use", ODRL + "transfer"})


def uuid_iri(value: UUID) -> str:
    """Return the IRI of a party, work, grant or deal of this exchange."""
    return f"urn:uuid:{value}"


def eidr_iri(eidr: str) -> str:
    """Return the URN of an EIDR (RFC 7972): urn:eidr:10.5240:XXXX-…-C."""
    return "urn:eidr:" + eidr.replace("/", ":", 1)


def isan_iri(isan: str) -> str:
    """Return the URN of an ISAN (RFC 4246)."""
    return "urn:isan:" + isan


def language_tag(code: str) -> str:
    """Return a language of the register as a BCP 47 tag: zh-x-dubbed for zh:dubbed.

    What is private already goes on: zh-x-other-dubbed.
    """
    tag, _, version = code.partition(":")
    if not version:
        return tag
    return f"{tag}-{_VERSIONS[version]}" if "-x-" in tag else f"{tag}-x-{_VERSIONS[version]}"


def territory_mask(value: str, *, is_iri: bool) -> int | None:
    """Return the territories that an IRI (or a bare code) means, None when it is not ours."""
    code = _behind(value, _TERRITORY_IRIS) if is_iri else value
    return None if code is None else _mask(axes.TERRITORIES, code)


def medium_mask(value: str) -> int | None:
    """Return the media that an IRI means, None when it is not ours."""
    code = _behind(value, (MEDIUM,))
    return None if code is None else _mask(axes.MEDIA, code)


def language_mask(value: str, *, is_iri: bool) -> int | None:
    """Return the languages, by version, that a tag or IRI means, None when it is not kept."""
    tag = _behind(value, _LANGUAGE_IRIS) if is_iri else value
    if tag is None:
        return None
    names = {subtag: version for version, subtag in _VERSIONS.items()}
    rest, _, last = tag.rpartition("-")
    if "-x-" in tag and last in names:
        return _mask(axes.LANGUAGES, f"{rest.removesuffix('-x')}:{names[last]}")
    return _mask(axes.LANGUAGES, tag)


def right_mask(value: str) -> int | None:
    """Return the right that an IRI of our profile means, as a bit, None when it is not ours."""
    code = ACTIONS.get(value)
    return None if code is None else 1 << LICENSABLE.index(code)


def _mask(axis: axes.Axis, code: str) -> int | None:
    try:
        return axis.mask([code]) or None
    except Refusal:
        return None


def _behind(value: str, prefixes: Iterable[str]) -> str | None:
    return next((value[len(one) :] for one in prefixes if value.startswith(one)), None)
