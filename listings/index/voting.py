"""From hits to candidates: votes on lines through time, and the best of them (pure).

Integers throughout, and so simple that another engine counts the same votes in its own language.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from uuid import UUID

import numpy as np
import numpy.typing as npt

from listings.index.rules import (
    BEYOND_MS,
    BIN_MS,
    FAR,
    LEAST_VOTES,
    LINE_MS,
    MOST_OF_ONE,
    NEAR,
    SAME_MS,
    SLOPES_BP,
    STRETCH_MS,
    STRETCH_STEP_MS,
    Candidate,
    Line,
)

Ints = npt.NDArray[np.int64]

COARSE_MS = 5_000  # half of what holds every offset of one line, whatever its slope
RECENT = 4 * MOST_OF_ONE  # tracks that a line may go on: those of the stretches just before


@dataclass(frozen=True, slots=True)
class Hits:
    """Pairs of an asked code and a kept one that are alike; int64, shape (n,) each.

    `asked` is the number of the code in its clip, `window` the one it was seen through.
    """

    asked: Ints
    window: Ints
    mirrored: Ints
    entry: Ints
    there_ms: Ints
    bits: Ints


def lines(hits: Hits, *, at_ms: Ints, scene: Ints) -> list[Line]:
    """Return the lines with votes enough.

    A near hit is a vote for its code; of the distant ones each scene has one, unless a near one
    spoke for it. A code votes for a line once.

    Args:
        hits: what the scan found.
        at_ms: of each code of the clip.
        scene: of each code of the clip.
    """
    spread = _spread(hits, at_ms, _worthwhile(hits, at_ms))
    if not len(spread.hit):
        return []
    order = np.lexsort(spread.key)
    keys = [column[order] for column in spread.key]
    fresh = np.any([np.diff(column) != 0 for column in keys], axis=0)
    line = np.concatenate([[0], np.cumsum(fresh)])
    hit, count = spread.hit[order], int(line[-1]) + 1
    votes = _votes(line, hits.asked[hit], scene[hits.asked[hit]], hits.bits[hit] <= NEAR)
    weight = FAR + 1 - hits.bits[hit]
    strength, moment = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.add.at(strength, line, weight)
    np.add.at(moment, line, weight * spread.offset[order])
    here, starts = at_ms[hits.asked[hit]], np.flatnonzero(np.concatenate([[True], fresh]))
    first, last = np.minimum.reduceat(here, starts), np.maximum.reduceat(here, starts)
    at = [column[starts] for column in keys]
    return [
        Line(
            entry=int(at[0][each]), stretch=int(at[1][each]), window=int(at[2][each]),
            mirrored=bool(at[3][each]), slope_bp=int(at[4][each]), bin=int(at[5][each]),
            votes=int(votes[each]), strength=int(strength[each]), moment=int(moment[each]),
            first_ms=int(first[each]), last_ms=int(last[each]),
        )
        for each in np.flatnonzero(votes >= LEAST_VOTES)
    ]  # fmt: skip


def asked_in(at_ms: Ints, stretch: int) -> int:
    """Return how many codes of the clip lie in a stretch."""
    since = stretch * STRETCH_STEP_MS
    return int(((at_ms >= since) & (at_ms < since + STRETCH_MS)).sum())


def elect(
    found: Sequence[Line], *, living: Mapping[int, UUID], at_ms: Ints, most: int
) -> list[Candidate]:
    """Return the best candidates: neighbouring lines are one, and few of one master are shown.

    Args:
        found: lines of any engine, in any order.
        living: the masters of the entries that still count.
        at_ms: of each code of the clip.
        most: candidates to return.
    """
    chosen: list[tuple[Line, Candidate]] = []
    by_master = sorted((line for line in found if line.entry in living), key=lambda one: one.entry)
    for entry, group in groupby(by_master, key=lambda one: one.entry):
        best = _best(list(group))
        chosen += [(line, _candidate(line, living[entry], at_ms)) for line in best]
    chosen.sort(key=lambda pair: _rank(pair[0]))
    return [candidate for _, candidate in chosen[:most]]


@dataclass(frozen=True, slots=True)
class _Spread:
    """Every hit on every line that it may lie on."""

    key: tuple[Ints, ...]
    hit: Ints
    offset: Ints


def _worthwhile(hits: Hits, at_ms: Ints) -> Ints:
    """Return the hits that have others near their offset; no line has votes enough without."""
    here = at_ms[hits.asked]
    offset = (hits.there_ms - here + BEYOND_MS) // COARSE_MS
    worth = np.zeros(len(here), np.bool_)
    backs = STRETCH_MS // STRETCH_STEP_MS
    stretch = np.concatenate([here // STRETCH_STEP_MS - back for back in range(backs)])
    same = [np.tile(column, backs) for column in (hits.window, hits.mirrored, hits.entry)]
    for shift in (0, 1):
        crowded = _crowded((stretch, *same, np.tile((offset + shift) // 2, backs)))
        worth |= crowded.reshape(backs, -1).any(axis=0)
    return np.flatnonzero(worth)


def _crowded(columns: Sequence[Ints]) -> npt.NDArray[np.bool_]:
    """Tell which rows are equal to `LEAST_VOTES` or more, themselves included."""
    if not len(columns[0]):
        return np.zeros(0, np.bool_)
    order = np.lexsort(tuple(columns))
    fresh = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    group = np.concatenate([[0], np.cumsum(fresh)])
    crowded = np.empty(len(order), np.bool_)
    crowded[order] = np.bincount(group)[group] >= LEAST_VOTES
    return crowded


def _spread(hits: Hits, at_ms: Ints, chosen: Ints) -> _Spread:
    """Lay each chosen hit on its lines: every slope, both stretches and both bins it lies in."""
    keys, places, offsets = [], [], []
    here = at_ms[hits.asked[chosen]]
    for slope in SLOPES_BP:
        offset = hits.there_ms[chosen] - here * slope // 10_000
        place = (offset + BEYOND_MS) // BIN_MS - BEYOND_MS // BIN_MS
        for stretch_back in range(STRETCH_MS // STRETCH_STEP_MS):
            stretch = here // STRETCH_STEP_MS - stretch_back
            for bin_back in range(LINE_MS // BIN_MS):
                inside = np.flatnonzero(stretch >= 0)
                hit = chosen[inside]
                columns = (
                    hits.entry[hit], stretch[inside], hits.window[hit], hits.mirrored[hit],
                    np.full(len(hit), slope), place[inside] - bin_back,
                )  # fmt: skip
                keys.append(np.stack(columns))
                places.append(hit)
                offsets.append(offset[inside])
    whole = np.concatenate(keys, axis=1)
    return _Spread(tuple(whole), np.concatenate(places), np.concatenate(offsets))


def _votes(line: Ints, asked: Ints, scene: Ints, near: npt.NDArray[np.bool_]) -> Ints:
    """Return the votes of each line: its near codes, and its scenes without any."""
    count = int(line[-1]) + 1
    near_codes = np.unique(np.stack([line[near], asked[near]]), axis=1)
    near_scenes = np.unique(np.stack([line[near], scene[near]]), axis=1)
    all_scenes = np.unique(np.stack([line, scene]), axis=1)
    votes: Ints = (
        np.bincount(near_codes[0], minlength=count)
        + np.bincount(all_scenes[0], minlength=count)
        - np.bincount(near_scenes[0], minlength=count)
    )
    return votes


def _rank(line: Line) -> tuple[int, ...]:
    """Return what lines are sorted by, the best first; no two are equal."""
    return (
        -line.votes, -line.strength, abs(line.slope_bp - 10_000), line.slope_bp, line.entry,
        line.window, line.mirrored, line.stretch, line.bin,
    )  # fmt: skip


def _best(of_master: list[Line]) -> list[Line]:
    """Return the best lines of one master, each with the time that its neighbours add to it."""
    tracks: list[list[Line]] = []
    of_master.sort(key=lambda line: (line.mirrored, line.stretch, _rank(line)))
    for _, crowd in groupby(of_master, key=lambda line: (line.mirrored, line.stretch)):
        live = tracks[-RECENT:]
        for line in _separate(crowd):
            before = next((track for track in live if _same(track[-1], line)), None)
            if before is None:
                tracks.append([line])
            else:
                before.append(line)
                tracks.remove(before)
                tracks.append(before)
    return _separate(sorted((_joined(track) for track in tracks), key=_rank))


def _separate(ranked: Iterable[Line]) -> list[Line]:
    """Return the best lines, each about a part of the clip of its own.

    Within a shot that hardly changes, lines beside the true one have votes too.
    """
    kept: list[Line] = []
    for line in ranked:
        if len(kept) < MOST_OF_ONE and not any(_overlap(line, each) for each in kept):
            kept.append(line)
    return kept


def _overlap(one: Line, other: Line) -> bool:
    """Tell whether half of the shorter one lies in the other."""
    shared = min(one.last_ms, other.last_ms) - max(one.first_ms, other.first_ms)
    shorter = min(one.last_ms - one.first_ms, other.last_ms - other.first_ms)
    return shared >= 0 and 2 * shared >= shorter


def _same(one: Line, other: Line) -> bool:
    """Tell whether two lines of one master say the same, or go on where the other ended."""
    if one.mirrored != other.mirrored or abs(one.stretch - other.stretch) > 2:
        return False
    middle = (one.stretch + other.stretch) * STRETCH_STEP_MS // 2 + STRETCH_MS // 2
    return abs(_there(one, middle) - _there(other, middle)) <= SAME_MS


def _there(line: Line, here_ms: int) -> int:
    return line.moment // line.strength + here_ms * line.slope_bp // 10_000


def _joined(track: list[Line]) -> Line:
    """Return the best line of a track, over the time of all."""
    return replace(
        min(track, key=_rank),
        first_ms=min(line.first_ms for line in track),
        last_ms=max(line.last_ms for line in track),
    )


def _candidate(line: Line, master_id: UUID, at_ms: Ints) -> Candidate:
    return Candidate(
        master_id=master_id,
        offset_ms=line.moment // line.strength,
        slope_bp=line.slope_bp,
        mirrored=line.mirrored,
        window=line.window,
        votes=line.votes,
        asked=asked_in(at_ms, line.stretch),
        here_ms=line.first_ms,
        length_ms=line.last_ms - line.first_ms,
    )
