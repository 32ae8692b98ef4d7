"""Checks of values that no schema makes: windows, places, languages, money, volumes."""

import re
from collections.abc import Iterator
from functools import cache

import langcodes
from babel.numbers import list_currencies

from contracts.avails import mddf
from contracts.avails.findings import Finding, found
from contracts.avails.model import Avail, Bound, Document, Transaction
from contracts.works.rules import COUNTRIES

_MOST_EPISODES = 100_000  # of all volumes together; beyond it overlaps are not looked for
LONGEST_ALID = 400  # characters: the register keeps an ALID in an index
# Codes that MovieLabs' own list of countries adds to ISO 3166-1: everywhere, the EU, none.
_ADDED = frozenset(("ZZ", "EU", "--"))
_SUBDIVISION = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}")
_M49 = re.compile(r"\d{3}")


def check(document: Document, *, version: str) -> Iterator[Finding]:
    """Yield what is wrong with the values of a document."""
    yield from _alids(document)
    yield from _volumes(document)
    for avail in document.avails:
        yield from _ids(avail)
        for offer in avail.transactions:
            yield from _windows(offer, mddf.vocabulary(version)["DateTimeCondition"])
            yield from _places(offer)
            yield from _languages(offer)
            yield from _money(offer)


def _alids(document: Document) -> Iterator[Finding]:
    seen: set[str] = set()
    for avail in document.avails:
        if not avail.alid:
            yield found("required-missing", avail.place, "ALID")
        if len(avail.alid) > LONGEST_ALID:
            yield found("too-long", avail.place, "ALID", most=str(LONGEST_ALID))
        if avail.alid and avail.alid in seen:
            yield found("alid-twice", avail.place, "ALID", value=avail.alid)
        seen.add(avail.alid)


def _ids(avail: Avail) -> Iterator[Finding]:
    seen: set[str] = set()
    for offer in avail.transactions:
        if offer.id and offer.id in seen:
            yield found("transaction-id-twice", offer.place, "AvailID", value=offer.id)
        seen.add(offer.id or "")


def _windows(offer: Transaction, conditions: frozenset[str]) -> Iterator[Finding]:
    for column, bound in (("Start", offer.start), ("End", offer.end)):
        if bound.condition and bound.condition not in conditions:
            code = "bad-date" if re.search(r"\d", bound.condition) else "vocabulary"
            known = ", ".join(sorted(conditions))
            yield found(code, offer.place, column, value=bound.condition, known=known)
    if _backwards(offer.start, offer.end):
        yield found("end-before-start", offer.place, "End", value=offer.end.text)


def _backwards(start: Bound, end: Bound) -> bool:
    if start.day is None or end.day is None:
        return False
    if (start.offset_s is None) is (end.offset_s is None):
        first, last = start.at("UTC"), end.at("UTC")
        return first is not None and last is not None and last <= first
    return (end.day, end.clock) <= (start.day, start.clock)


def _places(offer: Transaction) -> Iterator[Finding]:
    columns = (("Territory", offer.territories), ("TerritoryExclusion", offer.excluded))
    for column, codes in columns:
        for code in codes:
            if not is_place(code):
                yield found("bad-territory", offer.place, column, value=code)


def is_place(code: str) -> bool:
    """Tell whether a code is a country, a subdivision of one, or has the form of UN M49."""
    inside = _SUBDIVISION.fullmatch(code)
    if inside:
        return inside[1] in COUNTRIES
    return code in COUNTRIES or code in _ADDED or _M49.fullmatch(code) is not None


def _languages(offer: Transaction) -> Iterator[Finding]:
    columns = (
        ("AllowedLanguages", offer.allowed),
        ("AssetLanguage", offer.assets),
        ("HoldbackLanguage", offer.holdback),
    )
    for column, tongues in columns:
        for tongue in tongues:
            if not _is_language(tongue.tag):
                yield found("bad-language", offer.place, column, value=tongue.tag)


def _money(offer: Transaction) -> Iterator[Finding]:
    for term in offer.terms:
        if term.currency is not None and term.currency not in _currencies():
            yield found("bad-currency", offer.place, "PriceCurrency", value=term.currency)


def _volumes(document: Document) -> Iterator[Finding]:
    """Yield an episode's number for every volume beyond the first that holds it.

    Source: the validator of MovieLabs, which the structural rules leave this to.
    """
    taken: dict[tuple[str, int], str] = {}
    for avail in document.avails:
        for asset in avail.assets:
            first, count = (
                asset.fact("VolumeFirstEpisodeNumber"),
                asset.fact("VolumeNumberOfEpisodes"),
            )
            if asset.work_type != "Volume" or not _whole(first) or not _whole(count):
                continue
            season = asset.fact("SeasonContentID") or ""
            for episode in range(int(first or 0), int(first or 0) + int(count or 0)):
                if len(taken) >= _MOST_EPISODES:
                    return
                earlier = taken.setdefault((season, episode), asset.content_id)
                if earlier != asset.content_id:
                    yield found(
                        "volume-overlap",
                        asset.place,
                        "VolumeFirstEpisodeNumber",
                        value=str(episode),
                        earlier=earlier,
                    )


def _whole(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"\d{1,3}", text) is not None


@cache
def _is_language(tag: str) -> bool:
    return langcodes.tag_is_valid(tag)


@cache
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())
