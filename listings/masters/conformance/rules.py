"""Judging a master by a profile (pure).

Nothing passes that was not measured, a file that cannot be decoded is not judged by what only
decoding shows, and the report states how closely the file was looked at.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from listings.masters.conformance import declared as declarations
from listings.masters.conformance import files, light, notes, sound, video
from listings.masters.conformance.judging import Judge
from listings.masters.conformance.values import (
    READERS,
    Engine,
    Finding,
    Outcome,
    Profile,
    Report,
    Requirement,
    Result,
    Subject,
    Tier,
)

JUDGES: Mapping[str, Judge] = dict(
    chain.from_iterable(
        group.JUDGES.items() for group in (files, video, light, sound, declarations)
    )
)


def judge(
    profile: Profile,
    record: Mapping[str, Any],
    measures: Mapping[str, Any] | None,
    declared: Mapping[str, Any],
    *,
    tier: Tier,
) -> Report:
    """Judge a master.

    Args:
        profile: what is wanted.
        record: the technical record of the file.
        measures: of the decode pass; None when there was none.
        declared: what a person declared of it.
        tier: how closely to look; the report states less where less was measured.
    """
    subject = Subject(record, None, declared, Tier.PROBE)
    reached = min(tier, _tier(measures), key=lambda each: each.depth)
    if subject.decodable and reached is not Tier.PROBE:
        subject = Subject(record, measures, declared, reached)
    return Report(
        profile, subject.tier, tuple(_finding(each, subject) for each in profile.requirements)
    )


def _tier(measures: Mapping[str, Any] | None) -> Tier:
    """Return the depth that measures were taken at."""
    return Tier.PROBE if measures is None else Tier(measures["tier"])


def _finding(requirement: Requirement, subject: Subject) -> Finding:
    outcome = JUDGES[requirement.check.id].decide(requirement.wanted, subject)
    if _undecodable(requirement, subject, outcome):
        outcome = Outcome(Result.UNSUPPORTED, outcome.wanted, note="no-decoder")
    return Finding(
        requirement,
        outcome,
        by=_by(requirement, subject, outcome),
        readers=_readers(requirement, subject),
        note=notes.said(outcome.note) if outcome.note else None,
    )


def _undecodable(requirement: Requirement, subject: Subject, outcome: Outcome) -> bool:
    """Tell whether a check needs pictures that nobody here can decode.

    What the headers alone already fail (V04), and a file found broken (F04), stay failed.
    """
    if Engine.DECODE not in requirement.check.engines or subject.decodable:
        return False
    return outcome.result is not Result.FAIL


def _readers(requirement: Requirement, subject: Subject) -> Mapping[str, Any]:
    """Return what each reader saw of the keys behind a check."""
    seen: Mapping[str, Any] = subject.record.get("readers") or {}
    return {
        key: {name: said(told[name]) for name in READERS if name in told}
        for key, told in seen.items()
        if _stem(key) in requirement.check.reads
    }


def _stem(key: str) -> str:
    """Return `audio.sample_rate` of `audio.0.sample_rate`."""
    return ".".join(part for part in key.split(".") if not part.isdigit())


def said(value: Any) -> str | None:
    """Write what a reader saw, for people."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        if set(value) == {"num", "den"}:
            return f"{value['num']}/{value['den']}"
        return ", ".join(f"{name} {each}" for name, each in value.items() if each is not None)
    return str(value)


def _by(requirement: Requirement, subject: Subject, outcome: Outcome) -> tuple[str, ...]:
    """Return who the outcome rests on."""
    if outcome.result in (Result.NOT_MEASURED, Result.UNSUPPORTED):
        return ()
    engines = requirement.check.engines
    found = []
    if Engine.PROBE in engines:
        found += _readers_behind(_readers(requirement, subject))
    if Engine.DECODE in engines and subject.measures is not None:
        found.append("decode")
    if engines & {Engine.MANUAL, Engine.EXTERNAL}:
        found.append("declared")
    return tuple(found)


def _readers_behind(told: Mapping[str, Any]) -> list[str]:
    """Return the readers that saw something; all that were asked where none did."""
    saw = [name for name in READERS if any(seen.get(name) for seen in told.values())]
    return (
        saw or [name for name in READERS if any(name in seen for seen in told.values())] or ["av"]
    )
