"""Columns of many rows as parameters: arrays in PostgreSQL's own binary form, joined in one go.

The driver would turn a list into an array item by item; a batch of the log has hundreds.

Source: PostgreSQL, `array_recv` (src/backend/utils/adt/arrayfuncs.c) and the type's own `_recv`.
"""

import struct
from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = struct.Struct("!iiiii")  # dimensions, whether NULLs come, type of items, count, first place
_LENGTH = struct.Struct("!i")
_BIGINT = struct.Struct("!iq")
INT8, UUID_, BYTEA = 20, 2950, 17  # object ids of the types, fixed in pg_type.dat


class Array(bytes):
    """An array in its binary form; `oid` is its type's object id."""

    __slots__ = ()
    oid: ClassVar[int]


class Bigints(Array):
    """`bigint[]`."""

    __slots__ = ()
    oid = 1016

    @classmethod
    def of(cls, items: Sequence[int]) -> "Bigints":
        """Pack integers."""
        return cls(_head(INT8, len(items)) + b"".join([_BIGINT.pack(8, item) for item in items]))


class Uuids(Array):
    """`uuid[]`."""

    __slots__ = ()
    oid = 2951

    @classmethod
    def of(cls, items: Sequence[UUID]) -> "Uuids":
        """Pack ids."""
        return cls(_fixed(UUID_, 16, [item.bytes for item in items]))


class Hashes(Array):
    """`bytea[]` of items of 32 bytes each."""

    __slots__ = ()
    oid = 1001

    @classmethod
    def of(cls, items: Sequence[bytes]) -> "Hashes":
        """Pack hashes."""
        return cls(_fixed(BYTEA, 32, items))


class Texts(Array):
    """`bytea[]` of items of any length."""

    __slots__ = ()
    oid = 1001

    @classmethod
    def of(cls, items: Sequence[bytes]) -> "Texts":
        """Pack byte strings."""
        parts = [part for item in items for part in (_LENGTH.pack(len(item)), item)]
        return cls(_head(BYTEA, len(items)) + b"".join(parts))


class _AsIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        """Return what was packed."""
        return obj


class _BigintsDumper(_AsIs):
    oid = Bigints.oid


class _UuidsDumper(_AsIs):
    oid = Uuids.oid


class _ByteasDumper(_AsIs):
    oid = Hashes.oid


def register(context: AdaptContext) -> None:
    """Teach a connection to pass these arrays on."""
    adapters = context.adapters
    adapters.register_dumper(Bigints, _BigintsDumper)
    adapters.register_dumper(Uuids, _UuidsDumper)
    adapters.register_dumper(Hashes, _ByteasDumper)
    adapters.register_dumper(Texts, _ByteasDumper)


def _head(item_type: int, count: int) -> bytes:
    """Return what comes before the items; an array without items has no dimension."""
    return (
        _HEAD.pack(1, 0, item_type, count, 1) if count else _HEAD.pack(0, 0, item_type, 0, 0)[:12]
    )


def _fixed(item_type: int, width: int, items: Sequence[bytes]) -> bytes:
    length = _LENGTH.pack(width)
    return _head(item_type, len(items)) + (length + length.join(items) if items else b"")
