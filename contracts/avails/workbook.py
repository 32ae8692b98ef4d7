"""Workbooks of avails: bytes ↔ rows of cells, bounded before anything is unpacked.

Source: ECMA-376 (Office Open XML); MovieLabs' XLSX templates 1.7 to 1.9.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from contracts.avails.refusals import (
    MOST_BYTES,
    MOST_COLUMNS,
    MOST_ROWS,
    MOST_UNPACKED_BYTES,
    AvailsDangerous,
    AvailsTooLarge,
    AvailsUnreadable,
)

_MOST_PARTS = 2000
_FAREST_ROW = 2**20  # no sheet has more rows, ECMA-376 part 1 §18.3.1.73
_CHUNK = 1024**2
# What openpyxl and zipfile raise when they meet a damaged part.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, SyntaxError, LookupError, ValueError, TypeError,
    AttributeError, ArithmeticError, OSError, EOFError, RuntimeError,
)  # fmt: skip
# A cell that starts so would be run as a formula by the program that opens it.
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # characters no cell may hold
_DTD = re.compile(rb"<\x00?!\x00?(?:D\x00?O\x00?C\x00?T\x00?Y\x00?P\x00?E|E\x00?N\x00?T\x00?I)")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One visible sheet: its name, and its rows that are not empty, each with its number."""

    name: str
    rows: tuple[tuple[int, tuple[object, ...]], ...]


def is_workbook(content: bytes) -> bool:
    """Tell whether the bytes begin as a zip archive does, and so may be a workbook."""
    return content[:4] == b"PK\x03\x04"


def read(content: bytes) -> list[Sheet]:
    """Return the visible sheets of a workbook, cells as values and never as formulas.

    Raises:
        AvailsTooLarge: the file, what it unpacks to, or a sheet is larger than what is read.
        AvailsDangerous: a part holds a DTD.
        AvailsUnreadable: it is no workbook.
    """
    from openpyxl import load_workbook  # noqa: PLC0415 - megabytes, only where a workbook is read

    _inspect(content)
    try:
        book = load_workbook(BytesIO(content), read_only=True, data_only=True, keep_links=False)
        return [
            Sheet(sheet.title, tuple(_rows(sheet)))
            for sheet in book.worksheets
            if sheet.sheet_state == "visible"
        ]
    except _DAMAGE as broken:
        raise AvailsUnreadable("The workbook is damaged.", at=str(broken)[:200]) from broken


def write(title: str, rows: Iterable[Sequence[str | None]]) -> bytes:
    """Return a workbook with one sheet of text cells, none of which can act as a formula."""
    from openpyxl import Workbook  # noqa: PLC0415 - megabytes, only where a workbook is written

    told = [[harmless(value) for value in row] for row in rows]  # a refusal comes before the book
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in told:
        sheet.append(row)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def harmless(value: str | None) -> str | None:
    """Return the text of a cell with an apostrophe before what would start a formula.

    Reading takes the apostrophe away again (`plain`).
    """
    if value is None:
        return None
    fit = _UNFIT.sub("", value)[:32_767]  # the longest text of a cell, ECMA-376 part 1 §18.3.1.4
    return f"'{fit}" if fit.startswith((*_STARTS_A_FORMULA, "'")) else fit


def plain(value: object) -> object:
    """Return a cell without the apostrophe that `harmless` put before it."""
    if isinstance(value, str) and value[:1] == "'" and value[1:2] in ("'", *_STARTS_A_FORMULA):
        return value[1:]
    return value


def _inspect(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise AvailsTooLarge("The file is too large.", most_bytes=MOST_BYTES)
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            parts = archive.infolist()
            # The reader of zipfile stops at the size announced, so the announcement binds.
            if sum(part.file_size for part in parts) > MOST_UNPACKED_BYTES:
                raise AvailsTooLarge("The workbook unpacks to too much.", most_bytes=MOST_BYTES)
            if len(parts) > _MOST_PARTS:
                raise AvailsTooLarge("The workbook has too many parts.", most_parts=_MOST_PARTS)
            for part in parts:
                _no_dtd(archive, part)
    except _DAMAGE as broken:
        raise AvailsUnreadable("The file is no workbook.", at=str(broken)[:200]) from broken


def _no_dtd(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Refuse a part with a DTD, in UTF-8 or UTF-16: entities are how XML grows without end."""
    if not part.filename.endswith((".xml", ".rels", ".vml")):
        return
    tail = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            if _DTD.search(tail + chunk):
                raise AvailsDangerous("A part of the workbook has a DTD.", part=part.filename[:200])
            tail = chunk[-32:]


def _rows(sheet: Any) -> Iterable[tuple[int, tuple[object, ...]]]:
    width = MOST_COLUMNS + 1
    for number, row in enumerate(sheet.iter_rows(max_col=width, values_only=True), start=1):
        if number > _FAREST_ROW:
            return
        if row.count(None) == len(row):
            continue
        if number > MOST_ROWS + 3:
            raise AvailsTooLarge("A sheet has too many rows.", most_rows=MOST_ROWS)
        if len(row) >= width and row[MOST_COLUMNS] is not None:
            raise AvailsTooLarge("A sheet has too many columns.", most_columns=MOST_COLUMNS)
        filled = max(at for at, value in enumerate(row) if value is not None) + 1
        yield number, tuple(plain(value) for value in row[:filled])
