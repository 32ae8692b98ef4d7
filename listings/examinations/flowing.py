"""Pictures that flow from the decoder into the measures without resting on a disk.

A sample a second of a film is tens of gigabytes. The decoder writes samples into a pipe in its
folder; a thread reads them, takes the times that were written beside, and measures a few at once.
"""

import os
import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from threading import Event, Thread

import anyio.to_thread

BLOCK = 1 << 20
AHEAD_S = 0.1  # how often a pipe that nobody writes into looks whether somebody ever will

Take = Callable[[bytes, tuple[int, ...]], None]


@asynccontextmanager
async def flowing(place: Path, frame_bytes: int, batch: int, take: Take) -> AsyncIterator[None]:
    """Make a pipe at `place`; inside, what is written into it is handed over in batches.

    Args:
        place: where the pipe is; the times of its pictures are in `<place>.times`.
        frame_bytes: the size of a picture.
        batch: how many pictures are handed over at once.
        take: told the bytes of a batch and the times of its pictures in milliseconds.

    Raises:
        Exception: whatever `take` raised.
    """
    os.mkfifo(place, 0o600)
    pipe = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    ended, failed = Event(), list[Exception]()

    def follow() -> None:
        try:
            _follow(pipe, ended, _Batches(place, frame_bytes, batch, take))
        except Exception as error:  # noqa: BLE001 - told to the one who waits, not to the thread.
            failed.append(error)
            _drain(pipe, ended)

    thread = Thread(target=follow, name=f"measures {place.name}")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        await anyio.to_thread.run_sync(thread.join)
        os.close(pipe)
    if failed:
        raise failed[0]


class _Batches:
    """Cuts a stream of bytes into pictures."""

    def __init__(self, place: Path, frame_bytes: int, batch: int, take: Take) -> None:
        self._times, self._size, self._batch, self._take = place, frame_bytes, batch, take
        self._kept, self._given = bytearray(), 0

    def add(self, content: bytes) -> None:
        self._kept += content
        whole = self._size * self._batch
        while len(self._kept) >= whole:
            self._give(self._batch)

    def close(self) -> None:
        self._give(len(self._kept) // self._size)

    def _give(self, count: int) -> None:
        known = times_of(self._times)[self._given :]
        count = min(count, len(known))  # a picture without its time was cut off
        if count:
            pictures = bytes(memoryview(self._kept)[: count * self._size])
            self._take(pictures, tuple(known[:count]))
            self._given += count
        del self._kept[: max(count, 1) * self._size]


def times_of(place: Path) -> list[int]:
    """Return the times (ms) that were written beside an output; a line cut short is left out."""
    times = place.with_name(f"{place.name}.times")
    lines = times.read_text("ascii", "replace").splitlines() if times.is_file() else []
    found = []
    for line in lines:
        at, _, tick = line.partition(" ")
        num, _, den = tick.partition("/")
        if at.lstrip("-").isdigit() and num.isdigit() and den.isdigit() and int(den):
            found.append(round(Fraction(int(at) * int(num) * 1000, int(den))))
    return found


def _follow(pipe: int, ended: Event, batches: _Batches) -> None:
    written = False
    while content := _next(pipe, ended, written):
        written = True
        batches.add(content)
    batches.close()


def _next(pipe: int, ended: Event, written: bool) -> bytes:
    """Return the next bytes; none when the writer has closed, or ended without ever opening."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while True:
        over = ended.is_set()
        events = poll.poll(AHEAD_S * 1000)
        if events and events[0][1] & select.POLLIN:
            return os.read(pipe, BLOCK)
        if over or (events and written):
            return b""
        if events:  # closed before anything was written
            ended.wait(AHEAD_S)


def _drain(pipe: int, ended: Event) -> None:
    """Go on reading, so that the decoder is not stopped by a fault of ours."""
    while _next(pipe, ended, True):
        pass
