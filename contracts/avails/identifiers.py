"""Identifiers in avails: what looks like an EIDR or ISAN is checked, and only warned about.

Source: EIDR ID Format 1.51 §2; ISO 15706-1/-2; MovieLabs "Common Metadata: Identifiers" for the
forms md:cid:eidr-s:…, md:alid:eidr-s:…
"""

import re
from collections.abc import Iterator

from contracts.avails.findings import Finding, found
from contracts.avails.model import Avail, Place
from contracts.refusal import Refusal
from contracts.works import identifiers as works

# Columns that hold identifiers; elsewhere a number that looks like one is just a text.
COLUMNS = frozenset(
    (
        "ALID", "BundledALIDs", "ContentID", "SeriesContentID", "SeasonContentID",
        "VolumeContentID", "EpisodeContentID", "TitleID", "EditID", "EpisodeTitleID", "EpisodeID",
        "SeasonID", "SeriesID", "VolumeID", "SeasonEIDR", "SeriesEIDR", "AltID", "EpisodeAltID",
        "SeasonAltID", "SeriesAltID", "VolumeAltID", "ReportingID", "UV_ID", "DMA_ID",
    )
)  # fmt: skip
OURS = "urn:uhdx:work:"  # before the id of a work of the exchange, in AltID
_EIDR = re.compile(r"(?:urn:eidr:)?10\.5240[/:](.*)", re.IGNORECASE)
_SHORT = re.compile(r".*:eidr-[sx]:(.*)", re.IGNORECASE)
_ISAN = re.compile(r"(?:.*:isan:|urn:isan:|isan[ :])(.*)", re.IGNORECASE)


def check(column: str, value: str, place: Place) -> Iterator[Finding]:
    """Yield what is wrong with the identifier that a column holds."""
    if column not in COLUMNS:
        return
    body = _eidr_body(value)
    if body is not None and eidr_of(value) is None:
        zeros = re.fullmatch(r"(?:0{4}-){5}.", body)
        code = "identifier-placeholder" if zeros else "bad-eidr"
        yield found(code, place, column, value=value)
    isan = _ISAN.fullmatch(value)
    if isan is not None and isan_of(value) is None:
        yield found("bad-isan", place, column, value=value)


def in_avail(avail: Avail) -> Iterator[Finding]:
    """Yield what is wrong with the identifiers of an avail that came as XML."""
    yield from check("ALID", avail.alid, avail.place)
    for asset in avail.assets:
        yield from check("ContentID", asset.content_id, asset.place)
        for alid in asset.bundled:
            yield from check("BundledALIDs", alid, asset.place)
        for column, value in asset.facts:
            yield from check(column, value, asset.place)
    for offer in avail.transactions:
        yield from check("ReportingID", offer.reporting_id or "", offer.place)
    for _, value in avail.entitlements:
        yield from check("UV_ID", value, avail.place)


def eidr_of(value: str) -> str | None:
    """Return the EIDR that a value means, in the form a work is registered with, or None."""
    body = _eidr_body(value)
    return None if body is None else _checked("eidr", f"10.5240/{body}")


def isan_of(value: str) -> str | None:
    """Return the ISAN that a value means, in the form a work is registered with, or None."""
    said = _ISAN.fullmatch(value)
    return None if said is None else _checked("isan", said[1])


def _eidr_body(value: str) -> str | None:
    said = _EIDR.fullmatch(value) or _SHORT.fullmatch(value)
    if said is None:
        return None
    # eidr-x adds an extension after a colon; only what stands before it has a check character.
    return said[1].partition(":")[0] if ":eidr-x:" in value.lower() else said[1]


def _checked(kind: str, text: str) -> str | None:
    try:
        return works.check(kind, text).canonical
    except Refusal:
        return None
