"""Canonical bytes: RFC 8785 (JCS) out, strict JSON in.

JCS does not normalise Unicode and `json.loads` keeps the last of duplicate keys; both would let one
text have two hashes, so texts that are not NFC, duplicate keys, floats and NaN are refused.
"""

import hashlib
import json
import unicodedata
from typing import Any

import orjson
import rfc8785

from contracts.refusal import Kind, Refusal

# Nothing but JSON's own types and what derives from them: what else orjson knows would hide a
# mistake.
_AS_WRITTEN = (
    orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
)  # fmt: skip


class NotCanonical(Refusal):
    """The value has no single canonical form: a float, a duplicate key, a text not in NFC."""

    kind, code = Kind.INVALID, "not-canonical"
    hint = "Use NFC text, unique keys, integers below 2^53 and strings for everything else."


def dumps(value: Any) -> bytes:
    """Return the RFC 8785 bytes of a JSON value without floats.

    Raises:
        NotCanonical: the value holds a float, an unsafe integer, or text that is not NFC.
    """
    _check(value)
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise NotCanonical(str(error)) from error


def quick(value: Any) -> bytes:
    """Return what `dumps` returns, many times faster, for a value known to be canonical.

    Known: no floats, integers up to 2^53 - 1. For ASCII, orjson keeps the order of names and the
    escapes of RFC 8785; anything else goes the long way.
    """
    written = orjson.dumps(value, option=_AS_WRITTEN)
    return written if written.isascii() else dumps(value)


def loads(raw: bytes) -> Any:
    """Read JSON strictly.

    Raises:
        NotCanonical: it is not UTF-8 JSON, has duplicate keys, floats, NaN or text not in NFC.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise NotCanonical("The text is not JSON.") from error
    _check(value)
    return value


def known(raw: bytes) -> Any:
    """Read what `dumps` wrote before, many times faster than `loads`; nothing is checked again."""
    return orjson.loads(raw)


def sha256_hex(raw: bytes) -> str:
    """Return the SHA-256 of the bytes in lower-case hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise NotCanonical("A key appears twice.")
    return table


def _no_float(text: str) -> Any:
    raise NotCanonical(f"{text} is not an integer.")


def _check(value: Any) -> None:
    if isinstance(value, float):
        raise NotCanonical("Floats have no place in a canonical document.")
    if isinstance(value, str) and not unicodedata.is_normalized("NFC", value):
        raise NotCanonical("A text is not in Unicode normal form C.")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key)
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
