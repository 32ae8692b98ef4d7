"""Whoever issues fapiao (发票): only who is licensed can, and each in its own way.

The exchange hands over what has to be entered, and takes back the number and the files. `ByHand`
needs no contract with anybody: its file is entered at the tax authority's platform by the seller's
people. A vendor's interface would be another `Issuer`, answered with the same verbs.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Literal, Protocol

from settlement.exports.rules import written
from settlement.fapiao.documents import COLUMNS, rows

Form = Literal["json", "csv"]
Waiting = Sequence[tuple[Mapping[str, Any], str | None]]  # documents with their confirmations


class Issuer(Protocol):
    """Gets fapiao issued that were asked for."""

    def hand_over(self, waiting: Waiting, form: Form) -> bytes:
        """Return what the issuer needs to issue what waits."""


class ByHand:
    """Fapiao that people enter: a file of all that waits, with exactly the fields to fill."""

    def hand_over(self, waiting: Waiting, form: Form) -> bytes:
        """Return JSON, or a CSV table with a row for each line (UTF-8, with its mark)."""
        if form == "json":
            said = [{**document, "confirmation": sheet} for document, sheet in waiting]
            return json.dumps({"fapiaos": said}, ensure_ascii=False, indent=1).encode()
        buffer = io.StringIO()
        buffer.write("\ufeff")
        writer = csv.writer(buffer)
        writer.writerow(COLUMNS)
        for document, sheet in waiting:
            for row in rows(document, confirmation=sheet):
                writer.writerow([written(row[name]) for name in COLUMNS])
        return buffer.getvalue().encode()


@cache
def codes() -> Mapping[str, tuple[str, str]]:
    """Return by kind of settlement its tax classification code (税收分类编码) and short name."""
    file = resources.files("settlement.fapiao").joinpath("codes.csv")
    table = csv.DictReader(io.StringIO(file.read_text("utf-8")))
    return {row["kind"]: (row["code"], row["name_zh"]) for row in table}
