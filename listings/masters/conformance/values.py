"""What conformance speaks of: checks, requirements, profiles, outcomes, reports (pure values).

Reports become canonical documents: integers, texts, truth values, null and lists only.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import cached_property
from typing import Any

from contracts import canonical

FORMAT = "conformance-1"
MOST_PLACES = 100  # of one finding that a report lists; the rest is counted
READERS = ("av", "mediainfo", "ffmpeg")
Value = int | str | tuple[str, ...]
Wanted = Mapping[str, Value]
Span = tuple[int, int]  # from, until; milliseconds


class Result(Enum):
    """What a check came to; nothing unmeasured ever passes."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password.
    FAIL = "FAIL"
    WARN = "WARN"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    NOT_MEASURED = "NOT_MEASURED"
    UNSUPPORTED = "UNSUPPORTED"


class Severity(Enum):
    """How grave a failure is: what blocks may not carry the UHD label."""

    BLOCK = "block"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class Engine(Enum):
    """Who measures: both readers of the headers, the decode pass, another tool, a person."""

    PROBE = "probe"
    DECODE = "decode"
    EXTERNAL = "external"
    MANUAL = "manual"


class Tier(Enum):
    """How closely a file was looked at."""

    PROBE = "probe"
    SAMPLED = "sampled"
    FULL = "full"

    @property
    def depth(self) -> int:
        """0 for headers alone, 1 for sampled pictures, 2 for every picture."""
        return list(Tier).index(self)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the catalogue. `reads` names the keys of the technical record behind it."""

    id: str
    key: str
    group: str
    engines: frozenset[Engine]
    reads: tuple[str, ...]
    name: Mapping[str, str]
    hint: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a profile wants of a check, by which clause. `verified`: the figure was seen there."""

    check: Check
    severity: Severity
    wanted: Wanted
    standard: str
    clause: str
    source: str
    verified: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the requirement as plain values."""
        return {
            "id": self.check.id,
            "severity": self.severity.value,
            "wanted": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.wanted.items()
            },
            "standard": self.standard,
            "clause": self.clause,
            "source": self.source,
            "verified": self.verified,
        }


@dataclass(frozen=True)
class Profile:
    """A standard's demands as they hold on a day; `labels` where meeting them makes a UHD work."""

    id: str
    name: Mapping[str, str]
    valid_from: date
    valid_to: date | None
    source: str
    labels: bool
    requirements: tuple[Requirement, ...]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of the canonical bytes of what is wanted; reports carry it."""
        rows = [each.as_dict() for each in self.requirements]
        return canonical.sha256_hex(canonical.dumps({"id": self.id, "requirements": rows}))


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: the technical record, the measures of the decode pass, what people declare.

    `measures` is None at tier `probe`.
    """

    record: Mapping[str, Any]
    measures: Mapping[str, Any] | None
    declared: Mapping[str, Any]
    tier: Tier

    @property
    def video(self) -> Mapping[str, Any]:
        """The picture's part of the record."""
        found: Mapping[str, Any] = self.record.get("video") or {}
        return found

    @property
    def audio(self) -> Sequence[Mapping[str, Any]]:
        """The sound tracks of the record."""
        found: Sequence[Mapping[str, Any]] = self.record.get("audio") or ()
        return found

    @property
    def duration_ms(self) -> int:
        """How long the picture lasts."""
        return int(self.record.get("duration_ms") or 0)

    @property
    def decodable(self) -> bool:
        """Whether a decoder gave a first picture; true where the record does not say."""
        return self.video.get("decodable") is not False

    @property
    def broken(self) -> bool:
        """Whether a decoder exists and could make nothing of the file."""
        return not self.decodable and self.video.get("undecodable") == "broken"

    def measure(self, name: str) -> Any:
        """Return a measure; None when it was not taken."""
        return None if self.measures is None else self.measures.get(name)

    def asked_twice(self, key: str) -> bool:
        """Tell whether both readers were asked for a key, so that silence means absence."""
        return key in (self.record.get("readers") or {})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check came to. `note` is a code of `data/notes.csv`.

    `severity` is set where the outcome is graver than the requirement's own.
    """

    result: Result
    wanted: str
    seen: str = ""
    where: Sequence[Span] = ()
    note: str | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A requirement with its outcome, who saw it, and what to do."""

    requirement: Requirement
    outcome: Outcome
    by: tuple[str, ...] = ()
    readers: Mapping[str, Any] = field(default_factory=dict)
    note: Mapping[str, str] | None = None

    @property
    def result(self) -> Result:
        """What the check came to."""
        return self.outcome.result

    @property
    def severity(self) -> Severity:
        """How grave a failure is."""
        return self.outcome.severity or self.requirement.severity

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain values."""
        check, told = self.requirement.check, self.outcome
        places = [list(span) for span in told.where]
        return {
            **self.requirement.as_dict(),
            "key": check.key,
            "group": check.group,
            "name": dict(check.name),
            "engines": sorted(engine.value for engine in check.engines),
            "result": told.result.value,
            "severity": self.severity.value,
            "parameters": self.requirement.as_dict()["wanted"],
            "wanted": told.wanted,
            "seen": told.seen,
            "by": list(self.by),
            "readers": {key: dict(seen) for key, seen in self.readers.items()},
            "where": places[:MOST_PLACES],
            "places": len(places),
            "note": dict(self.note) if self.note else None,
            "hint": dict(check.hint) if told.result not in (Result.PASS, *_IDLE) else None,
        }


_IDLE = (Result.NOT_APPLICABLE,)
_UNDECIDED = (Result.NOT_MEASURED, Result.UNSUPPORTED)


@dataclass(frozen=True, slots=True)
class Report:
    """What a profile finds in a file, at the depth that was looked at."""

    profile: Profile
    tier: Tier
    findings: tuple[Finding, ...]

    @property
    def blocking(self) -> list[str]:
        """Ids of the checks whose failure blocks."""
        return [each.requirement.check.id for each in self._block() if each.result is Result.FAIL]

    @property
    def undecided(self) -> list[str]:
        """Ids of the checks that must be measured before anything can be said."""
        return [each.requirement.check.id for each in self._block() if each.result in _UNDECIDED]

    @property
    def conforms(self) -> bool | None:
        """Whether nothing blocks; None while something that could is unmeasured."""
        if self.blocking:
            return False
        return None if self.undecided else True

    @property
    def uhd_label(self) -> bool | None:
        """Whether the file may carry the UHD label; None also where the profile gives none."""
        return self.conforms if self.profile.labels else None

    @property
    def counts(self) -> dict[str, int]:
        """How many checks came to what."""
        counted = Counter(each.result for each in self.findings)
        return {result.value: counted[result] for result in Result}

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a canonical document's content."""
        return {
            "format": FORMAT,
            "profile": {
                "id": self.profile.id,
                "name": dict(self.profile.name),
                "source": self.profile.source,
                "sha256": self.profile.sha256,
            },
            "tier": self.tier.value,
            "conforms": self.conforms,
            "uhd_label": self.uhd_label,
            "blocking": self.blocking,
            "undecided": self.undecided,
            "counts": self.counts,
            "findings": [each.as_dict() for each in self.findings],
        }

    def _block(self) -> list[Finding]:
        return [each for each in self.findings if each.severity is Severity.BLOCK]
