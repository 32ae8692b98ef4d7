"""The clause library: immutable, versioned clauses in Chinese and English.

Source: Common Paper's separation of variables from standard terms that never change.
A published version of a clause is never edited: a new text is a new version. The terms of a deal
name each clause by reference, version and hash.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Any

import noto_cjk_sans_otc

from contracts import canonical
from contracts.refusal import Kind, Refusal


class ClauseUnknown(Refusal):
    """The terms name a clause that the library does not hold in that version with that text."""

    kind, code = Kind.INVALID, "clause-unknown"
    hint = "Use a published version of a clause from the library."


class ParameterMissing(Refusal):
    """A clause needs a parameter that the terms do not give."""

    kind, code = Kind.INVALID, "clause-parameter-missing"
    hint = "Give every parameter named in `missing`."


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause in both languages; `heads` are those of 著作权法 arts. 26-27 it covers."""

    ref: str
    version: str
    heads: tuple[str, ...]
    title: Mapping[str, str]
    zh: str
    en: str
    sha256: str

    def named(self) -> dict[str, str]:
        """Return how the terms of a deal name the clause."""
        return {"ref": self.ref, "version": self.version, "sha256": self.sha256}

    def parameters(self) -> frozenset[str]:
        """Return the names that the texts leave open."""
        found = (name for text in (self.zh, self.en) for _, name, _, _ in Formatter().parse(text))
        return frozenset(name for name in found if name)

    def filled(self, parameters: Mapping[str, Any]) -> dict[str, str]:
        """Return both texts with every parameter in its place.

        Raises:
            ParameterMissing: a parameter is not given.
        """
        missing = sorted(self.parameters() - parameters.keys())
        if missing:
            raise ParameterMissing(f"Clause {self.ref} lacks a parameter.", missing=missing)
        values = {name: str(value) for name, value in parameters.items()}
        return {"zh": self.zh.format_map(values), "en": self.en.format_map(values)}


def _clause(raw: Mapping[str, Any]) -> Clause:
    return Clause(
        ref=raw["ref"],
        version=raw["version"],
        heads=tuple(raw["heads"]),
        title=raw["title"],
        zh=raw["zh"],
        en=raw["en"],
        sha256=canonical.sha256_hex(canonical.dumps(raw)),
    )


LIBRARY: tuple[Clause, ...] = tuple(
    _clause(raw)
    for raw in json.loads(files("contracts.deals").joinpath("clauses.json").read_text("utf-8"))[
        "clauses"
    ]
)


def named(name: str) -> Clause:
    """Return the clause of a name like `grant/1`.

    Raises:
        ClauseUnknown: there is none.
    """
    for known in LIBRARY:
        if f"{known.ref}/{known.version}" == name:
            return known
    raise ClauseUnknown(f"There is no clause {name!r}.", ref=name)


def clause(ref: str, version: str, sha256: str) -> Clause:
    """Return the clause that a deal's terms name.

    Raises:
        ClauseUnknown: there is none of that name, version and text.
    """
    for known in LIBRARY:
        if (known.ref, known.version, known.sha256) == (ref, version, sha256):
            return known
    raise ClauseUnknown(f"Clause {ref!r} version {version!r} is unknown.", ref=ref)


def font_folder() -> Path:
    """Return the folder that holds the Chinese font."""
    return Path(str(noto_cjk_sans_otc.FONT_PATH)).parent
