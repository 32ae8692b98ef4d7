"""The layout of a sheet of avails: which column says what, however its heading is spelt.

Source: MovieLabs' templates XLSX 1.7 to 1.9: row 1 groups, row 2 columns, row 3 rules (its first
cell holds the version from 1.8 on), data from row 4.
Differs from the source: case, blanks and slips of the pen in a heading do not matter, and neither
does the order of columns; the column alone decides, its group is only compared.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from contracts.avails import mddf, texts
from contracts.avails.findings import Finding, found
from contracts.avails.model import Place
from contracts.avails.refusals import MOST_TEXT, AvailsTooLarge
from contracts.avails.workbook import Sheet

_ALIKE = 0.9  # VolumeDistributinoNumber and BundleALIDs are; RetailerSeasonID and …SeriesID are not
_SURE = ("alid", "licensetype", "entrytype")  # a sheet with these columns is one of avails
_RULES_ROW = 3
_ERRORS = ("#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of data: its place, and what its cells say by column; empty cells are left out."""

    place: Place
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str | None:
        """Return what the column says, or None."""
        return self.cells.get(column)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of one sheet are: position → column; and the version it is read as."""

    version: str
    columns: Mapping[int, str]


def is_avails(sheet: Sheet) -> bool:
    """Tell whether the sheet's second row has the headings that every sheet of avails has."""
    names = {_plain(name) for name in _row(sheet, 2)}
    return names.issuperset(_SURE)


def read(sheet: Sheet) -> tuple[Layout, list[Row], list[Finding]]:
    """Return the layout of a sheet, its rows of data, and what is odd about either."""
    findings: list[Finding] = []
    columns = dict(_columns(sheet, findings))
    version = _version(sheet, columns.values(), findings)
    layout = Layout(version, {n: name for n, name in columns.items() if name})
    rows = [row for row in _rows(sheet, layout, findings) if row.cells]
    findings += _unread(sheet, columns, rows)
    return layout, rows, findings


def template(version: str) -> tuple[str, ...]:
    """Return every column of a version for films and series, as `group:column`."""
    return tuple(dict.fromkeys((*mddf.columns(version, "Movies"), *mddf.columns(version, "TV"))))


def _columns(sheet: Sheet, findings: list[Finding]) -> Iterator[tuple[int, str]]:
    groups, names = _row(sheet, 1), _row(sheet, 2)
    taken: set[str] = {_known()[_plain(name)] for name in names if _plain(name) in _known()}
    seen: set[str] = set()
    place = Place(row=2, sheet=sheet.name)
    for position, name in enumerate(names):
        if not _plain(name):
            continue
        key = _known().get(_plain(name)) or _alike(name, taken)
        if key is None:
            yield position, ""
            continue
        group, _, column = key.partition(":")
        if column != name:
            findings.append(found("column-guessed", place, column, value=name))
        above = groups[position] if position < len(groups) else ""
        if above and above != group:
            findings.append(found("group-guessed", place, column, value=above))
        if column in seen:
            findings.append(found("column-twice", place, column))
            continue
        seen.add(column)
        yield position, column


def _alike(name: str, taken: set[str]) -> str | None:
    """Return the column a misspelt heading means, unless the sheet has that column anyway."""
    digits = re.sub(r"\D", "", name)
    close = get_close_matches(_plain(name), _known(), n=1, cutoff=_ALIKE)
    key = _known()[close[0]] if close else None
    if key is None or key in taken or re.sub(r"\D", "", key) != digits:
        return None
    return key


def _version(sheet: Sheet, columns: Iterable[str | None], findings: list[Finding]) -> str:
    rules = _row(sheet, _RULES_ROW)
    said = rules[0] if rules else ""
    if said in mddf.SHEET_VERSIONS:
        return said
    given = {column for column in columns if column}
    version = min(mddf.SHEET_VERSIONS, key=lambda one: len(given - _names(one)))
    findings.append(
        found("version-guessed", Place(row=_RULES_ROW, sheet=sheet.name), value=version)
    )
    return version


def _rows(sheet: Sheet, layout: Layout, findings: list[Finding]) -> Iterator[Row]:
    length = 0
    for number, cells in sheet.rows:
        first = texts.cell(cells[0]) or ""
        if number <= _RULES_ROW or first.startswith("//"):
            continue
        place = Place(row=number, sheet=sheet.name)
        said: dict[str, str] = {}
        for position, column in layout.columns.items():
            value = texts.cell(cells[position]) if position < len(cells) else None
            if value in _ERRORS:
                findings.append(found("cell-error", place, column, value=value or ""))
            elif value is not None and not value.startswith("//"):  # a remark, not a value
                said[column] = value
        length += sum(map(len, said.values()))
        if length > MOST_TEXT:
            raise AvailsTooLarge("A sheet has too much text.", most_characters=MOST_TEXT)
        yield Row(place, said)


def _unread(sheet: Sheet, columns: Mapping[int, str], rows: Sequence[Row]) -> Iterator[Finding]:
    """Tell of columns that nothing is read from, if anything stands in them."""
    names = _row(sheet, 2)
    place = Place(row=2, sheet=sheet.name)
    data = [cells for number, cells in sheet.rows if number > _RULES_ROW]
    for position, column in columns.items():
        if not column and any(position < len(row) and row[position] is not None for row in data):
            yield found("column-unknown", place, names[position], value=names[position])
    kept = {column for row in rows for column in row.cells}
    for key in (*mddf.UNMAPPED, *_uncarried()):
        column = key.partition(":")[2]
        if column in kept:
            yield found("column-not-carried", place, column)


def _uncarried() -> list[str]:
    layout = mddf.columns(mddf.NEWEST_SHEET)
    return [
        key
        for key, path in layout.items()
        if path == mddf.NOT_CARRIED and not key.endswith(":OtherTerms")
    ]


def _row(sheet: Sheet, number: int) -> list[str]:
    cells = next((cells for at, cells in sheet.rows if at == number), ())
    return [texts.cell(cell) or "" for cell in cells]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@cache
def _known() -> Mapping[str, str]:
    """Return every column of every version by its plain name."""
    keys = [
        key
        for version in mddf.SHEET_VERSIONS
        for kind in ("Movies", "TV")
        for key in mddf.columns(version, kind)
    ]
    return {_plain(key.partition(":")[2]): key for key in (*keys, *mddf.UNMAPPED)}


@cache
def _names(version: str) -> frozenset[str]:
    keys = (*mddf.columns(version, "Movies"), *mddf.columns(version, "TV"), *mddf.UNMAPPED)
    return frozenset(key.partition(":")[2] for key in keys)
