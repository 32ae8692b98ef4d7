"""Sentences beside outcomes, in both languages, by code."""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


def said(code: str) -> Mapping[str, str]:
    """Return the sentence of a code."""
    return _notes()[code]


@cache
def _notes() -> Mapping[str, Mapping[str, str]]:
    raw = files("listings.masters.conformance").joinpath("data/notes.csv").read_text("utf-8")
    return {
        row["code"]: {"zh": row["zh"], "en": row["en"]} for row in csv.DictReader(raw.splitlines())
    }
