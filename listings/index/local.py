"""The index on this machine: scan files for the body, rows for what no file holds yet.

Any number of processes read while one writes. A file that is damaged, missing or of another
database is left out, and its entries are read from their rows: answers stay the same.
"""

import fcntl
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from listings.index import parts, rules, scan, voting
from listings.index.parts import Damaged, Part
from listings.index.rules import FAR, Line, Minute, Question
from listings.index.scan import Grouped, Ints
from listings.index.voting import Hits

Span = tuple[int, int]  # entries, both ends included


_THREADS = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="scan")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which files serve, and which entries must come from their rows."""

    parts: tuple[Part, ...]
    gaps: tuple[Span, ...]
    since: int


class Scans:
    """The scan files of a folder, opened once and checked when they appear."""

    def __init__(self, folder: Path) -> None:
        """Look at nothing yet.

        Args:
            folder: made when the first file is written.
        """
        self.folder = folder
        self._open: dict[tuple[str, int, int], Part | None] = {}
        self._lock = Lock()

    def parts(self) -> list[Part]:
        """Return the files that are whole, opening those that are new."""
        with self._lock:
            seen = {}
            for path in sorted(self.folder.glob(f"*{parts.SUFFIX}")):
                try:
                    stat = path.stat()
                except FileNotFoundError:  # replaced by a larger one meanwhile
                    continue
                key = (path.name, stat.st_ino, stat.st_mtime_ns)
                seen[key] = self._open[key] if key in self._open else self._read(path)
            self._open = seen
            return [part for part in seen.values() if part is not None]

    def damaged(self) -> list[str]:
        """Return the names of the files that are there and cannot be used."""
        self.parts()
        return [key[0] for key, part in self._open.items() if part is None]

    @contextmanager
    def writing(self) -> Iterator[bool]:
        """Tell whether this process may write; one does at a time, others leave it to that one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def write(self, span: Span, *, chain: bytes, minutes: Iterable[Minute]) -> None:
        """Write the file of some entries."""
        parts.write(
            self.folder, first=span[0], last=span[1], chain=chain, minutes=minutes,
            threads=_THREADS,
        )  # fmt: skip

    def remove_all_but(self, spans: Collection[Span]) -> None:
        """Remove the files that larger ones replaced, damaged ones, and what a crash left."""
        kept = {parts.name(*span) for span in spans}
        for path in sorted(self.folder.iterdir()):
            if path.suffix == ".new" or (path.suffix == parts.SUFFIX and path.name not in kept):
                path.unlink(missing_ok=True)

    def _read(self, path: Path) -> Part | None:
        try:
            return parts.read(path, threads=_THREADS)
        except Damaged:
            return None


def plan(found: Iterable[Part], *, chains: Mapping[int, bytes], head: int, since: int = 0) -> Plan:
    """Choose files so that few entries are left to be read from rows.

    Args:
        found: the files that are whole.
        chains: of the entries they end with, as the database has them.
        head: the last entry.
        since: entries up to this one are not wanted.
    """
    good = [
        part
        for part in found
        if part.header.chain == chains.get(part.header.last, b"").hex() and part.header.last > since
    ]
    chosen, gaps, after = [], [], since
    for part in sorted(good, key=lambda one: (one.header.first, -one.header.last)):
        if part.header.last <= after:
            continue
        if part.header.first > after + 1:
            gaps.append((after + 1, part.header.first - 1))
        chosen.append(part)
        after = part.header.last
    if after < head:
        gaps.append((after + 1, head))
    return Plan(tuple(chosen), tuple(gaps), since)


def lines(planned: Plan, rest: Sequence[Minute], question: Question) -> list[Line]:
    """Return the lines that the codes of a clip vote for.

    Args:
        planned: the files that serve.
        rest: the segments of the gaps.
        question: what is asked.
    """
    asked, window, words = _informative(question)
    found, after = [], planned.since
    bodies = [(part.grouped, part.segments, part.header.last) for part in planned.parts]
    for grouped, segments, last in [*bodies, (*_of_rows(rest), None)]:
        pairs = scan.scan(grouped, words, far=FAR, threads=_THREADS)
        entry, there_ms = scan.locate(pairs.place, segments)
        columns = (
            asked[pairs.asked], window[pairs.asked], pairs.mirrored, entry, there_ms, pairs.bits,
        )  # fmt: skip
        fresh = entry > (after if last is not None else planned.since)
        found.append(np.stack([column[fresh] for column in columns]))
        after = last or after
    hits = Hits(*np.concatenate(found, axis=1))
    return voting.lines(hits, at_ms=question.at_ms, scene=rules.scenes(question.codes[:, 0]))


def lines_of_rows(minutes: Sequence[Minute], question: Question) -> list[Line]:
    """Return the lines among segments that were read from their rows."""
    return lines(Plan((), (), 0), minutes, question)


def _informative(question: Question) -> tuple[Ints, Ints, scan.Words]:
    """Return number, window and words of the codes that say something."""
    asked, window = np.nonzero(rules.worth_asking(question.codes))
    return asked, window, scan.words(question.codes[asked, window])


def _of_rows(minutes: Sequence[Minute]) -> tuple[Grouped, Ints]:
    codes = b"".join(minute.codes for minute in minutes)
    counts = np.array([minute.kept.bit_count() for minute in minutes], np.int64)
    segments = np.empty((len(minutes), 4), np.int64)
    segments[:, 0] = np.cumsum(counts) - counts
    for column, field in ((1, "entry"), (2, "seg"), (3, "kept")):
        segments[:, column] = [getattr(minute, field) for minute in minutes]
    rows = np.frombuffer(codes, np.uint64).reshape(-1, 4)
    return scan.group(rows), segments
