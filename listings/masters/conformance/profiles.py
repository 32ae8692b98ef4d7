"""Profiles of conformance, read from dated files and checked while they are read.

Source: the files in `data/`, which name theirs; `data/TERMS.md` says how they are written.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from contracts.refusal import Kind, Refusal
from listings.masters.conformance import rules
from listings.masters.conformance.judging import Form
from listings.masters.conformance.values import (
    Check,
    Engine,
    Profile,
    Requirement,
    Severity,
    Value,
)

DATA = files("listings.masters.conformance").joinpath("data")
DEFAULT_4K, DEFAULT_8K, TAGS = "CN4K_MASTER_2023", "CN8K_MASTER_2021", "UHD_TAGS_2017"
SOURCES = ("quoted", "customary", "own", "topic")
GROUPS = ("file", "picture", "light", "sound", "declared")
_RATE = re.compile(r"[1-9]\d*/[1-9]\d*")


class UnknownProfile(Refusal):
    """There is no such profile of conformance, or it does not hold on that day."""

    kind, code = Kind.INVALID, "unknown-profile"
    hint = "Name one of the profiles in `known`."


class BadProfile(ValueError):
    """A file of profiles breaks its own terms: a fault of this installation, not of a master."""


def names() -> tuple[str, ...]:
    """Return the ids of all profiles."""
    return tuple(row["id"] for row in _rows("profiles.csv"))


@cache
def get(name: str, on: date) -> Profile:
    """Return a profile as it holds on a day.

    Raises:
        UnknownProfile: there is none of that name, or it holds on other days only.
    """
    row = next((each for each in _rows("profiles.csv") if each["id"] == name), None)
    if row is None or not _holds(row, on):
        raise UnknownProfile("There is no such profile on that day.", known=list(names()))
    read = read_rows(name, _rows(f"profiles/{name}.csv"), on=on)
    return Profile(
        id=name,
        name={"zh": row["name_zh"], "en": row["name_en"]},
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_to=_day(row["valid_to"]),
        source=row["source"],
        labels=row["labels"] == "yes",
        requirements=read,
    )


def default(record: Mapping[str, Any]) -> str:
    """Return the name of the profile that a master is held to unless another is asked for."""
    wide = (record.get("video") or {}).get("width") or 0
    return DEFAULT_8K if wide > 4096 else DEFAULT_4K


def read_rows(name: str, rows: Iterable[Mapping[str, str]], *, on: date) -> tuple[Requirement, ...]:
    """Return the requirements that hold on a day, in the order of the catalogue.

    Raises:
        BadProfile: a row names no check, no clause or no known word, or says a check twice.
    """
    found: dict[str, Requirement] = {}
    for row in rows:
        try:
            requirement, holds = _requirement(row), _holds(row, on)
        except (KeyError, ValueError) as bad:
            raise BadProfile(f"{name}, {row.get('check')}: {bad}") from bad
        if holds:
            if requirement.check.id in found:
                raise BadProfile(f"{name}, {requirement.check.id}: two rows hold on {on}")
            found[requirement.check.id] = requirement
    return tuple(found[known] for known in catalogue() if known in found)


@cache
def catalogue() -> Mapping[str, Check]:
    """Return every check, in the order of the catalogue.

    Raises:
        BadProfile: the catalogue and what can be judged are not the same.
    """
    made = {row["id"]: _check(row) for row in _rows("checks.csv")}
    if set(made) != set(rules.JUDGES):
        raise BadProfile(f"checks.csv: {sorted(set(made) ^ set(rules.JUDGES))}")
    return made


def _check(row: Mapping[str, str]) -> Check:
    if row["group"] not in GROUPS:
        raise BadProfile(f"checks.csv, {row['id']}: no group {row['group']}")
    return Check(
        id=row["id"],
        key=row["key"],
        group=row["group"],
        engines=frozenset(map(Engine, row["engines"].split("|"))),
        reads=tuple(filter(None, row["reads"].split("|"))),
        name={"zh": row["name_zh"], "en": row["name_en"]},
        hint={"zh": row["hint_zh"], "en": row["hint_en"]},
    )


def _requirement(row: Mapping[str, str]) -> Requirement:
    check = catalogue().get(row["check"])
    if check is None:
        raise ValueError("no such check")
    for name in ("standard", "clause"):
        if not row[name].strip():
            raise ValueError(f"no {name}")
    if row["source"] not in SOURCES or row["verified"] != _verified(row["source"]):
        raise ValueError("source and verified do not fit")
    return Requirement(
        check=check,
        severity=Severity(row["severity"]),
        wanted=_wanted(check.id, row["wanted"]),
        standard=row["standard"],
        clause=row["clause"],
        source=row["source"],
        verified=row["verified"] == "yes",
    )


def _verified(source: str) -> str:
    return "yes" if source == "quoted" else "no"


def _wanted(check: str, text: str) -> dict[str, Value]:
    """Read `name=value;…` by what the check's judge takes."""
    judge = rules.JUDGES[check]
    given: dict[str, Value] = {}
    for part in filter(None, text.split(";")):
        name, _, value = part.partition("=")
        if name not in judge.takes or name in given:
            raise ValueError(f"no parameter {name}, or twice")
        given[name] = _value(judge.takes[name], value)
    lacking = set(judge.takes) - judge.open - set(given)
    if lacking:
        raise ValueError(f"lacks {', '.join(sorted(lacking))}")
    return given


def _value(form: Form, text: str) -> Value:
    if not text:
        raise ValueError("a parameter without a value")
    if form is Form.NUMBER:
        return int(text)
    if form is Form.TEXT:
        return text
    parts = tuple(text.split("|"))
    if not all(parts) or (form is Form.RATES and not all(map(_RATE.fullmatch, parts))):
        raise ValueError(f"{text} is not {form.value}")
    return parts


def _holds(row: Mapping[str, str], on: date) -> bool:
    first, end = _day(row["valid_from"]), _day(row["valid_to"])
    return (first is None or first <= on) and (end is None or on < end)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


@cache
def _rows(name: str) -> tuple[Mapping[str, str], ...]:
    return tuple(csv.DictReader(DATA.joinpath(name).read_text("utf-8").splitlines()))
