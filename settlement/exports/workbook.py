"""Writing a table as a workbook whose cells are all text; its rows wait on the disk."""

from collections.abc import Sequence
from typing import IO, Any

LONGEST_CELL = 32_767  # ECMA-376 part 1 §18.3.1.4


class TextBook:
    """A workbook of one sheet, written row by row."""

    def __init__(self, title: str) -> None:
        """Begin the sheet."""
        from openpyxl import Workbook, cell  # noqa: PLC0415 - megabytes, only where one is written

        self._new_cell = cell.WriteOnlyCell
        self._book = Workbook(write_only=True)
        self._sheet: Any = self._book.create_sheet(title)

    def add(self, row: Sequence[str]) -> None:
        """Write a row."""
        self._sheet.append([self._cell(text) for text in row])

    def save(self, file: IO[bytes]) -> None:
        """Write the workbook, once."""
        self._book.save(file)

    def _cell(self, text: str) -> Any:
        """Return a cell of type text, which no program takes for a number, a date or a formula."""
        cell: Any = self._new_cell(self._sheet, value=text[:LONGEST_CELL])
        cell.data_type = "s"
        return cell
