"""Tables on narrow screens: each cell learns the head of its column, so that rows become cards.

A style sheet cannot see from a cell to the head of its column. Every table of every page passes
through here instead of saying each label twice in its template.
"""

import re
from html import escape, unescape

LEAST_COLUMNS = 3  # two columns fit a narrow screen as they are
_TABLE = re.compile(r"<table((?: id=\"[^\"]*\")?)>(.*?)</table>", re.DOTALL)
_HEAD = re.compile(r"<thead><tr>(.*?)</tr></thead>", re.DOTALL)
_COLUMN = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_ROW = re.compile(r"<tr\b[^>]*>.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<(t[hd])\b([^>]*)>")
_TAG = re.compile(r"<[^>]*>")
_SPAN = re.compile(r'colspan="(\d+)"')


def with_labels(page: str) -> str:
    """Return a page whose plain tables carry `data-label` in every cell, and the class `cards`.

    Tables with a class of their own are laid out by it; one without a head, or with a head of
    several rows, stays as it is.
    """
    return _TABLE.sub(_labelled, page)


def _labelled(table: re.Match[str]) -> str:
    head = _HEAD.search(table[2])
    if head is None:
        return table[0]
    labels = [_plain(column) for column in _COLUMN.findall(head[1])]
    if len(labels) < LEAST_COLUMNS:
        return table[0]
    before, after = table[2][: head.end()], table[2][head.end() :]
    rows = _ROW.sub(lambda row: _row(row[0], labels), after)
    return f'<table{table[1]} class="cards">{before}{rows}</table>'


def _row(row: str, labels: list[str]) -> str:
    column = 0

    def cell(found: re.Match[str]) -> str:
        nonlocal column
        label = labels[column] if column < len(labels) else ""
        span = _SPAN.search(found[2])
        column += 1 if span is None else int(span[1])
        said = f' data-label="{escape(label)}"' if label and span is None else ""
        return f"<{found[1]}{found[2]}{said}>"

    return _CELL.sub(cell, row)


def _plain(cell: str) -> str:
    """Return the text of a cell of the head."""
    return " ".join(unescape(_TAG.sub("", cell)).split())
