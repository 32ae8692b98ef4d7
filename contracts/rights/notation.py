"""Territories in the notation of the trade: `+WRD -US -CA` (pure).

Read from left to right: `+` (or no sign, or `＋`) adds a territory or group, `-` (or `−`) takes one
away from what stands so far. Signs stand at the code or before it; spaces and commas separate.
"""

import re
from datetime import date

from contracts.refusal import Kind, Refusal
from contracts.rights import axes
from contracts.rights.axes import TODAY

LONGEST = 2000
_PLUS, _MINUS = "+＋", "-－−–"
_TERM = re.compile(
    rf"([{re.escape(_PLUS + _MINUS)}]?)\s*([A-Za-z0-9]+(?:-[A-Za-z0-9]+)*)(?=[\s,，、;；]|$)"
)
_BETWEEN = re.compile(r"[\s,，、;；]*")


class BadNotation(Refusal):
    """The territories are not written as in `+WRD -US -CA`."""

    kind, code = Kind.INVALID, "bad-notation"
    hint = "Write codes with + or - before each, apart by spaces: +WRD -US -CA, or +150 -GB-SCT."


def territories(text: str, *, on: date = TODAY) -> int:
    """Return the mask of the territories that a text names, groups as they are defined on a day.

    Raises:
        BadNotation: it cannot be read, begins by taking away, or names nothing in the end.
        UnknownTerritory: a code is not kept.
    """
    mask = 0
    for place, (sign, code) in enumerate(_terms(text)):
        named = axes.TERRITORIES.mask([code], on=on)
        if sign and sign in _MINUS:
            if not place:
                raise BadNotation("Nothing stands before the first minus.", text=text[:100])
            mask &= ~named
        else:
            mask |= named
    if not mask:
        raise BadNotation("No territory is left.", text=text[:100])
    return mask


def written(mask: int) -> str:
    """Return territories in this notation; `territories` reads the same mask back."""
    included, left_out = axes.TERRITORIES.said(mask)
    return " ".join([*(f"+{code}" for code in included), *(f"-{code}" for code in left_out)])


def _terms(text: str) -> list[tuple[str, str]]:
    if len(text) > LONGEST:
        raise BadNotation("The text is too long.", most=LONGEST)
    found, at = [], _end(_BETWEEN, text, 0)
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None:
            raise BadNotation("This cannot be read as territories.", at=at, text=text[:100])
        found.append((term[1], term[2].upper()))
        at = _end(_BETWEEN, text, term.end())
    return found


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
