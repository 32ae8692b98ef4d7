"""Rows of a sheet → the model: every row one transaction, rows of one ALID one avail."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from contracts.avails import elements, identifiers, layouts, mddf, otherterms, texts
from contracts.avails.findings import Finding, found
from contracts.avails.layouts import Row
from contracts.avails.model import (
    Asset,
    Avail,
    Bound,
    Document,
    Format,
    Place,
    Term,
    Tongue,
    Transaction,
)
from contracts.avails.order import settled
from contracts.avails.workbook import Sheet

MOST_VALUES = 500  # codes in one cell, values of one column of an asset
# Which column identifies the asset of a row, by its type of work.
CONTENT_ID = {
    "Episode": "EpisodeContentID", "Season": "SeasonContentID", "Series": "SeriesContentID",
    "Volume": "VolumeContentID",
}  # fmt: skip
TITLE = {
    "Episode": "EpisodeTitleInternalAlias", "Season": "SeriesTitleInternalAlias",
    "Series": "SeriesTitleInternalAlias", "Volume": "VolumeTitleInternalAlias",
}  # fmt: skip
_AVAIL_TYPES = {
    "Movie": "single", "Short": "single", "Episode": "episode", "Season": "season",
    "Series": "series", "Volume": "volume", "Collection": "bundle", "Supplemental": "supplement",
    "Promotion": "promotion",
}  # fmt: skip
_REQUIRED = (
    "DisplayName", "EntryType", "WorkType", "Territory", "LicenseType", "FormatProfile",
    "Start", "End",
)  # fmt: skip
_ENTITLEMENTS = {"UV_ID": "UVVU", "DMA_ID": "DMA"}
_SEVERAL = re.compile(r"[,;\s]+")
# What an asset may be told in more than one way: titles by language, identifiers, dates.
_MANY = re.compile(
    r"(?!.*TitleID|ReleaseYear).*"
    r"(Title|AltID|Retailer|Release|Director|Company|GroupIdentity|SeriesID|SeasonID).*"
)


def read(sheets: list[Sheet]) -> tuple[Document, list[Finding]]:
    """Return the document that the sheets of a workbook say, and what is odd about them."""
    findings: list[Finding] = []
    rows: list[Row] = []
    version = mddf.NEWEST_SHEET
    for sheet in sheets:
        if not layouts.is_avails(sheet):
            findings.append(found("sheet-skipped", _top(sheet), value=sheet.name))
            continue
        layout, some, odd = layouts.read(sheet)
        version = layout.version
        rows += some
        findings += odd
    return Document(tuple(_avails(rows, findings)), form="xlsx", version=version), findings


def _top(sheet: Sheet) -> Place:
    return Place(row=1, sheet=sheet.name)


def _avails(rows: list[Row], findings: list[Finding]) -> Iterator[Avail]:
    """Yield one avail per ALID and entry type, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        findings += _missing(row)
        for column, value in row.cells.items():
            findings += identifiers.check(column, value, row.place)
        groups.setdefault((_alid(row), row["EntryType"] or ""), []).append(row)
    for some in groups.values():
        yield settled(_avail(some, findings))


def _missing(row: Row) -> Iterator[Finding]:
    for column in _REQUIRED:
        if row[column] is None:
            yield found("required-missing", row.place, column)
    work_type = row["WorkType"] or ""
    content_id, title = CONTENT_ID.get(work_type, "ContentID"), TITLE.get(work_type)
    for column in ("ALID", content_id):
        if row[column] is None:
            yield found("required-id", row.place, column)
    if row[title or "TitleInternalAlias"] is None:
        yield found("required-title", row.place, title or "TitleInternalAlias")
    captions = (row["CaptionIncluded"] or "").lower()
    american = work_type == "Episode" and "US" in _SEVERAL.split(row["Territory"] or "")
    if (american and not captions) or (captions == "no" and row["CaptionExemption"] is None):
        yield found("captions", row.place, "CaptionIncluded")


def _alid(row: Row) -> str:
    """Return the ALID of a row; the identifier of its asset stands in for a missing one."""
    return row["ALID"] or row[CONTENT_ID.get(row["WorkType"] or "", "ContentID")] or ""


def _avail(rows: list[Row], findings: list[Finding]) -> Avail:
    first = rows[0]
    assets: dict[tuple[str, str], _Gathered] = {}
    for row in rows:
        asset = _asset(row)
        key = (asset.work_type, asset.content_id)
        findings += assets.setdefault(key, _Gathered(asset)).add(asset)
    return Avail(
        alid=_alid(first),
        entry_type=first["EntryType"] or "",
        licensor=first["DisplayName"] or "",
        service_provider=first["ServiceProvider"],
        avail_type=_AVAIL_TYPES.get(first["WorkType"] or "", "single"),
        assets=tuple(gathered.asset() for gathered in assets.values()),
        transactions=tuple(_offer(row, findings) for row in rows),
        exception=texts.flag(first["ExceptionFlag"] or "") == "true",
        entitlements=tuple(
            (ecosystem, row.cells[column])
            for row in rows
            for column, ecosystem in _ENTITLEMENTS.items()
            if column in row.cells
        ),
        place=first.place,
    )


def _asset(row: Row) -> Asset:
    work_type = row["WorkType"] or ""
    return Asset(
        work_type=work_type,
        content_id=row[CONTENT_ID.get(work_type, "ContentID")] or _alid(row),
        facts=tuple(
            (column, elements.fact(column, row.cells[column]))
            for column in mddf.asset_columns()
            if column in row.cells and mddf.paths(column, work_type)
        ),
        bundled=_list(row, "BundledALIDs"),
        place=row.place,
    )


class _Gathered:
    """What the rows of one asset say of it; what a later row says otherwise is told, not taken."""

    def __init__(self, first: Asset) -> None:
        self._first = first
        self._facts: dict[str, dict[str, None]] = {}  # by column: its values in the order of rows

    def add(self, asset: Asset) -> Iterator[Finding]:
        """Take what a row adds; yield what it contradicts."""
        for column, value in asset.facts:
            known = self._facts.setdefault(column, {})
            if not known or (_MANY.fullmatch(column) and len(known) < MOST_VALUES):
                known[value] = None
            elif value not in known:
                earlier = next(iter(known))
                yield found("asset-differs", asset.place, column, value=value, earlier=earlier)

    def asset(self) -> Asset:
        """Return the asset with everything that was taken."""
        facts = ((column, value) for column, known in self._facts.items() for value in known)
        return replace(self._first, facts=tuple(facts))


def _offer(row: Row, findings: list[Finding]) -> Transaction:
    return Transaction(
        id=row["AvailID"],
        licensee=row["Licensee"],
        licence_type=row["LicenseType"] or "",
        description=row["Description"],
        territories=tuple(_places(row, "Territory")),
        excluded=tuple(_places(row, "TerritoryExclusion")),
        start=_bound(row, "Start", texts.start),
        end=_bound(row, "End", texts.end),
        window_duration=texts.duration(row["WindowDuration"]),
        allowed=_tongues(row, "AllowedLanguages"),
        assets=_tongues(row, "AssetLanguage") + _provided(row),
        holdback=_tongues(row, "HoldbackLanguage"),
        rights_description=row["LicenseRightsDescription"],
        format=Format(
            row["FormatProfile"] or "", *(row[name] for name in ("HDR", "WCG", "HFR", "NGAudio"))
        ),
        contract_id=row["ContractID"],
        reporting_id=row["ReportingID"],
        terms=tuple(_terms(row, findings)),
        instructions=row["OtherInstructions"],
        place=row.place,
    )


def _bound(row: Row, column: str, reader: Callable[[str], Bound]) -> Bound:
    bound = reader(row[column] or "")
    if bound.condition is None:
        return bound
    return texts.condition(bound.condition, row[f"{column}Lag"])


def _list(row: Row, column: str) -> tuple[str, ...]:
    return _split(row[column] or "")


@lru_cache(maxsize=4096)
def _split(text: str) -> tuple[str, ...]:
    """Return the codes of a cell; equal ones share their memory, whatever a file repeats."""
    parts = (sys.intern(part) for part in _SEVERAL.split(text) if part)
    return tuple(islice(parts, MOST_VALUES))


def _places(row: Row, column: str) -> Iterator[str]:
    """Yield codes of territories; a UN M49 code taken for a number is whole again."""
    yield from (code.zfill(3) if code.isdecimal() else code for code in _list(row, column))


def _tongues(row: Row, column: str) -> tuple[Tongue, ...]:
    return tuple(Tongue(tag) for tag in _list(row, column))


def _provided(row: Row) -> tuple[Tongue, ...]:
    return tuple(Tongue(tag, provided=True) for tag in _list(row, "RequiredFulfillmentLanguages"))


def _terms(row: Row, findings: list[Finding]) -> Iterator[Term]:
    currency = row["PriceCurrency"]
    for column, (kind, name) in mddf.term_columns().items():
        value = row[column]
        if value is None:
            continue
        if kind == "Duration":
            value = texts.hours(value) or value
        if kind == "Money" and texts.amount(value) is None:
            findings.append(found("bad-number", row.place, column, value=value))
            kind = "Text"
        yield elements.term(name, kind, value, currency=currency if kind == "Money" else None)
    yield from _price(row, findings)
    yield from otherterms.read(row["OtherTerms"])


@dataclass(frozen=True, slots=True)
class Price:
    """What the three price columns of a row say."""

    name: str | None
    value: str | None
    currency: str | None


def _price(row: Row, findings: list[Finding]) -> Iterator[Term]:
    price = Price(row["PriceType"], row["PriceValue"], row["PriceCurrency"])
    if price.name is None or (price.value is None and price.name != "NA"):
        if price.name is not None or price.value is not None:
            missing = "PriceValue" if price.value is None else "PriceType"
            findings.append(found("price-incomplete", row.place, missing))
        return
    value = price.value or ""
    number = texts.amount(value)
    kind = _price_kinds().get(price.name, "Text" if number is None else "Money")
    if kind == "Money" and number is None:
        findings.append(found("bad-number", row.place, "PriceValue", value=value))
        kind = "Text"
    yield elements.term(
        price.name, kind, value, currency=price.currency if kind == "Money" else None
    )


def _price_kinds() -> Mapping[str, str]:
    return mddf.price_types()
