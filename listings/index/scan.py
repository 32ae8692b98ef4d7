"""The exact scan: which of millions of codes lie within so many bits of the codes asked (pure).

Neighbouring seconds of a film are alike. Codes within `REACH` bits of a pivot among them form a
group, and by the triangle inequality a group whose pivot is farther than `far + REACH` from a
question holds nothing within `far` of it: only pivots are compared with every question, and nothing
is lost. Pivots are kept as four planes of words, so that the compiler compares eight at once.

A mirrored picture has the signs of its odd horizontal frequencies turned over. The planes hold the
even signs first and the odd ones last; with that the distance to the mirrored question costs one
more count instead of four.

Compiled on first use, which takes seconds: import this in a thread, never in a server's loop.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numba
import numba.core.config
import numpy as np
import numpy.typing as npt
from llvmlite import binding
from numba import types
from numba.extending import intrinsic

from listings.index.rules import MIRRORED, Codes

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint32]

REACH = 18  # bits between a pivot and the codes of its group; more, and too many groups are opened
BLOCK = 256  # pivots whose planes stay in the first cache while every question passes over them
CHUNK = 1 << 19  # pivots that one thread takes at once
FIRST_ROOM = 1 << 14  # hits of a chunk before it is scanned again with more room
MOST_BEFORE, MOST_OF_GROUP = 16, 255


# The compiler holds wide registers to be slow on some processors that count bits in them fastest.
_config: Any = numba.core.config
_config.CPU_NAME = binding.get_host_cpu_name()
_config.CPU_FEATURES = f"{binding.get_host_cpu_features().flatten()},-prefer-256-bit"


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile without holding the interpreter; keep the result where Python keeps its own."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder to keep it in: compiled once for each process
        return numba.njit(nogil=True)(function)


def _count_ones(_context: Any, _value: Any) -> Any:
    """Count the set bits of a word: one instruction where the processor has it."""

    def count(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), count


_ones: Any = intrinsic(_count_ones)


@dataclass(frozen=True, slots=True)
class Grouped:
    """Codes with their groups.

    `rows` is uint64, shape (n, 4): the codes as they are. Group g holds the codes `starts[g]` to
    `starts[g + 1]` (uint32, shape (groups + 1,)); `planes` is uint64, shape (4, groups): its pivot.
    """

    rows: Words
    starts: Numbers
    planes: Words


@dataclass(frozen=True, slots=True)
class Found:
    """Pairs within reach: the question's number, the code's place, bits apart, mirrored or not."""

    asked: Ints
    place: Ints
    bits: Ints
    mirrored: Ints


def group(rows: Words) -> Grouped:
    """Group codes that lie in the order of their time.

    Args:
        rows: uint64, shape (n, 4), contiguous.
    """
    starts, pivots = groups_of(rows)
    planes = np.empty((4, len(pivots)), np.uint64)
    unfold(rows, pivots, planes)
    return Grouped(rows, np.append(starts, np.uint32(len(rows))), planes)


def groups_of(rows: Words) -> tuple[Numbers, Numbers]:
    """Return where each group starts, and each group's pivot; codes in the order of their time."""
    starts, pivots = np.empty(len(rows) + 1, np.uint32), np.empty(len(rows), np.uint32)
    groups = _group(rows, starts, pivots)
    return starts[:groups].copy(), pivots[:groups].copy()


def unfold(rows: Words, chosen: Numbers, planes: Words) -> None:
    """Write the chosen codes into planes of shape (4, chosen), even signs first."""
    _unfold(rows, chosen, _TABLE, *planes)


def words(codes: Codes) -> Words:
    """Return codes of 32 bytes, shape (..., 32), as words, shape (..., 4)."""
    return np.ascontiguousarray(codes).view(np.uint64)


def scan(grouped: Grouped, asked: Words, *, far: int, threads: Executor) -> Found:
    """Return every pair of a question and a code at most `far` bits apart, as it is or mirrored.

    Args:
        grouped: the codes.
        asked: uint64, shape (questions, 4).
        far: bits.
        threads: where chunks are scanned side by side.
    """
    folded = np.empty((4, len(asked)), np.uint64)
    unfold(asked, np.arange(len(asked), dtype=np.uint32), folded)
    folded = np.ascontiguousarray(folded.T)

    def part(first: int) -> Ints:
        after = min(first + CHUNK, len(grouped.starts) - 1)
        room = FIRST_ROOM
        while True:
            out = np.empty((room, 4), np.int64)
            count = _scan(
                *grouped.planes,
                grouped.starts,
                grouped.rows,
                first,
                after,
                folded,
                asked,
                _MIXED,
                _FLIP,
                far,
                out,
            )
            if count <= room:
                return out[:count].copy()
            room = count

    groups = grouped.planes.shape[1]
    parts = list(threads.map(part, range(0, groups, CHUNK))) if len(asked) else []
    found = np.concatenate([np.empty((0, 4), np.int64), *parts])
    return Found(*np.ascontiguousarray(found.T))


def locate(place: Ints, segments: Ints) -> tuple[Ints, Ints]:
    """Return the entry and the instant (ms) of each place.

    Args:
        place: int64, shape (n,).
        segments: int64, shape (segments, 4): first place, entry, number, seconds kept (bits).
    """
    entry, at_ms = np.empty(len(place), np.int64), np.empty(len(place), np.int64)
    which = np.searchsorted(segments[:, 0], place, side="right") - 1
    _locate(place, which, segments, entry, at_ms)
    return entry, at_ms


def _order() -> tuple[Words, np.uint64]:
    """Return where each byte's bits go, shape (32, 256, 4), and which of word 2 are odd."""
    odd = np.unpackbits(MIRRORED)
    order = np.argsort(odd, kind="stable")  # even signs first
    assert not odd[order[:128]].any() and odd[order[192:]].all()  # noqa: S101 - what `_scan` counts on.
    goal = np.empty(256, np.int64)
    goal[order] = np.arange(256)
    table = np.zeros((32, 256, 4), np.uint64)
    values = np.arange(256)
    for bit in range(256):
        word, shift = divmod(int(goal[bit]), 64)
        is_set = ((values >> (7 - bit % 8)) & 1).astype(np.uint64)
        table[bit // 8, :, word] |= is_set << np.uint64(shift)
    mixed = sum(1 << place for place in range(64) if odd[order[128 + place]])
    return table, np.uint64(mixed)


_TABLE, _MIXED = _order()
_FLIP = MIRRORED.view(np.uint64)


@_compiled
def _apart(one: Any, other: Any) -> Any:
    return (
        _ones(one[0] ^ other[0])
        + _ones(one[1] ^ other[1])
        + _ones(one[2] ^ other[2])
        + _ones(one[3] ^ other[3])
    )


@_compiled
def _group(rows: Any, starts: Any, pivots: Any) -> Any:
    """Write the groups; a pivot lies between the first and the last of its group."""
    groups, first, total = 0, 0, len(rows)
    while first < total:
        pivot = first
        while pivot + 1 < total and pivot + 1 - first < MOST_BEFORE:
            near = True
            for each in range(first, pivot + 1):
                near = near and _apart(rows[each], rows[pivot + 1]) <= REACH
            if not near:
                break
            pivot += 1
        after = pivot + 1
        while (
            after < total
            and after - first < MOST_OF_GROUP
            and _apart(rows[pivot], rows[after]) <= REACH
        ):
            after += 1
        starts[groups], pivots[groups] = first, pivot
        groups, first = groups + 1, after
    starts[groups] = total
    return groups


@_compiled
def _unfold(rows: Any, chosen: Any, table: Any, p0: Any, p1: Any, p2: Any, p3: Any) -> None:
    """Write the chosen codes as planes, even signs first."""
    for number in range(len(chosen)):
        row = rows[chosen[number]]
        a = b = c = d = np.uint64(0)
        for byte in range(32):
            value = np.int64((row[byte >> 3] >> np.uint64(8 * (byte & 7))) & np.uint64(255))
            part = table[byte, value]
            a, b, c, d = a | part[0], b | part[1], c | part[2], d | part[3]
        p0[number], p1[number], p2[number], p3[number] = a, b, c, d


@_compiled
def _scan(  # noqa: PLR0913 - compiled code takes arrays, not objects.
    p0: Any, p1: Any, p2: Any, p3: Any, starts: Any, rows: Any, first: Any, after: Any,
    folded: Any, asked: Any, mixed: Any, flip: Any, far: Any, out: Any,
) -> Any:  # fmt: skip
    """Write (question, place, bits, mirrored) of every hit; return how many there are.

    The slices of a block are taken inside: indexing a plane from a bound keeps the compiler from
    comparing eight at once.
    """
    count = 0
    reach = np.uint64(far + REACH)
    flags = np.zeros(BLOCK, np.uint8)
    eights = flags.view(np.uint64)
    for start in range(first, after, BLOCK):
        size = min(BLOCK, after - start)
        r0, r1, r2, r3 = (
            p0[start : start + size], p1[start : start + size],
            p2[start : start + size], p3[start : start + size],
        )  # fmt: skip
        for question in range(len(folded)):
            if _nearest(r0, r1, r2, r3, folded[question], mixed) > reach:
                continue
            flags[size:] = 0
            _flag(r0, r1, r2, r3, folded[question], mixed, reach, flags)
            for eight in range(BLOCK >> 3):
                if eights[eight] != 0:
                    for each in range(eight << 3, (eight + 1) << 3):
                        if flags[each]:
                            count = _open(
                                rows, starts[start + each], starts[start + each + 1],
                                question, asked[question], flip, far, out, count,
                            )  # fmt: skip
    return count


@_compiled
def _nearest(r0: Any, r1: Any, r2: Any, r3: Any, asked: Any, mixed: Any) -> Any:
    """Return the fewest bits between a question, plain or mirrored, and a pivot of the block."""
    a, b, c, d = asked[0], asked[1], asked[2], asked[3]
    turned, nearest = c ^ mixed, np.uint64(256)
    for each in range(len(r0)):
        odd = _ones(r3[each] ^ d)
        plain = _ones(r2[each] ^ c) + odd
        mirrored = _ones(r2[each] ^ turned) + np.uint64(64) - odd
        even = _ones(r0[each] ^ a) + _ones(r1[each] ^ b)
        nearest = min(nearest, even + min(plain, mirrored))
    return nearest


@_compiled
def _flag(  # noqa: PLR0913 - compiled code takes arrays, not objects.
    r0: Any, r1: Any, r2: Any, r3: Any, asked: Any, mixed: Any, reach: Any, flags: Any
) -> None:
    """Flag the pivots of a block that are within reach."""
    a, b, c, d = asked[0], asked[1], asked[2], asked[3]
    turned = c ^ mixed
    for each in range(len(r0)):
        odd = _ones(r3[each] ^ d)
        plain = _ones(r2[each] ^ c) + odd
        mirrored = _ones(r2[each] ^ turned) + np.uint64(64) - odd
        even = _ones(r0[each] ^ a) + _ones(r1[each] ^ b)
        flags[each] = even + min(plain, mirrored) <= reach


@_compiled
def _open(  # noqa: PLR0913 - compiled code takes arrays, not objects.
    rows: Any,
    first: Any,
    after: Any,
    question: Any,
    asked: Any,
    flip: Any,
    far: Any,
    out: Any,
    count: Any,
) -> Any:
    """Compare a question with every code of a group; return the number of hits so far."""
    for place in range(first, after):
        plain = mirrored = np.uint64(0)
        for word in range(4):
            different = rows[place, word] ^ asked[word]
            plain += _ones(different)
            mirrored += _ones(different ^ flip[word])
        for turned, bits in ((0, plain), (1, mirrored)):
            if bits <= np.uint64(far):
                if count < len(out):
                    out[count, 0], out[count, 1] = question, place
                    out[count, 2], out[count, 3] = bits, turned
                count += 1
    return count


@_compiled
def _locate(place: Any, which: Any, segments: Any, entry: Any, at_ms: Any) -> None:
    for number in range(len(place)):
        segment = segments[which[number]]
        left, kept, second = place[number] - segment[0], segment[3], 0
        while left or not kept & 1:
            left -= kept & 1
            kept >>= 1
            second += 1
        entry[number] = segment[1]
        at_ms[number] = (segment[2] * 60 + second) * 1_000
