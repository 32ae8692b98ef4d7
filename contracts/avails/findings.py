"""What is wrong, doubtful or worth knowing in a file of avails: place, column, severity, remedy."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any

from contracts.avails.model import NOWHERE, Place

MOST = 5000  # a report with more findings than this helps nobody
_LONGEST_VALUE = 120


class Severity(Enum):
    """How bad it is: an error keeps a file from being applied, a warning does not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found; texts are in `data/findings.json` under its code, in both languages."""

    code: str
    place: Place = NOWHERE
    column: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    graver: Severity | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is; `graver` (set by a rule that says so) wins over the code's own."""
        return self.graver or Severity(_texts()[self.code][0])

    def message(self, language: str) -> str:
        """Say what was found, in zh or en."""
        return self._said(1 if language == "zh" else 2)

    def fix(self, language: str) -> str:
        """Say what to do about it, in zh or en."""
        return self._said(3 if language == "zh" else 4)

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return {
            "row": self.place.row,
            "sheet": self.place.sheet,
            "path": self.place.path,
            "column": self.column,
            "severity": self.severity.value,
            "code": self.code,
            "message": {"zh": self.message("zh"), "en": self.message("en")},
            "fix": {"zh": self.fix("zh"), "en": self.fix("en")},
        }

    def _said(self, which: int) -> str:
        said: str = _texts()[self.code][which]
        known = {"column": self.column or "", **self.data}
        return said.format_map({name: value[:_LONGEST_VALUE] for name, value in known.items()})


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found in one file, in the order of the file."""

    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "Report":
        """Return a report in the order of rows; beyond MOST the mildest are left out."""
        some = sorted(findings, key=_position)
        if len(some) > MOST:
            grave = sorted(some, key=lambda one: list(Severity).index(one.severity))[:MOST]
            some = [*sorted(grave, key=_position), Finding("more")]
        return cls(tuple(some))

    def count(self, severity: Severity) -> int:
        """Return how many findings have this severity."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def errors(self) -> int:
        """How many errors there are."""
        return self.count(Severity.ERROR)

    @property
    def warnings(self) -> int:
        """How many warnings there are."""
        return self.count(Severity.WARNING)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "errors": self.errors,
            "warnings": self.warnings,
            "findings": [finding.as_dict() for finding in self.findings],
        }


def found(code: str, place: Place, column: str | None = None, **data: str) -> Finding:
    """Return a finding; `data` fills the places in its texts."""
    return Finding(code, place, column, data)


@cache
def structure_zh() -> Mapping[str, str]:
    """Return the structural rules' messages in Chinese, by the rule's name."""
    said: Mapping[str, str] = _data()["structure_zh"]
    return said


def _position(finding: Finding) -> tuple[str, int, int, str]:
    place = finding.place
    return (place.sheet or "", place.row or 0, 0, "") if place.row else ("", 0, 1, "")


@cache
def _texts() -> Mapping[str, list[str]]:
    said: Mapping[str, list[str]] = _data()["findings"]
    return said


@cache
def _data() -> Any:
    return json.loads(
        (files("contracts.avails") / "data" / "findings.json").read_text(encoding="utf-8")
    )
