"""The sandbox: everything that reads an upload's insides runs in a limited child process.

Where bubblewrap works, the child has no network, no home, no other file than its input, an empty
environment and no privileges. Elsewhere (macOS, containers without user namespaces) it has limits
and an empty environment alone, and the log says so; `EXCHANGE_SANDBOX=require` refuses to go on.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import stat
import sys
import sysconfig
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import imageio_ffmpeg
import psutil
from anyio.to_thread import run_sync as to_thread

from contracts.refusal import Kind, Refusal
from listings.masters.refusals import ExaminationTimeout, ExaminationTooLarge, NotAVideo

_log = logging.getLogger("exchange.sandbox")

GIB = 1024**3
LAUNCHER = Path(__file__).with_name("launcher.py")
PACKAGE = Path(__file__).parents[1]  # the child's scripts import their neighbours
TMP_BYTES = 64 * 1024**2  # of memory that the child's own /tmp may take
WATCH_S = 0.5  # between two looks at how much a child has written
MOST_LINE = 65536
MOST_OUTPUT = 4 * 1024**2  # of what a child writes to its standard output or error
NOBODY = "65534"
# The kernel kills at the hard limit of processor time; seen directly, or through bubblewrap.
USED_UP = (-signal.SIGKILL, 128 + signal.SIGKILL)
SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache")

OnLine = Callable[[str], Awaitable[None]]
Mode = Literal["auto", "require", "off"]


class ChildStuck(ExaminationTimeout):
    """The program that reads the file stopped working without ending."""

    code = "examination-stuck"


class SandboxMissing(Refusal):
    """The sandbox is required and does not work on this machine."""

    kind, code = Kind.UNAVAILABLE, "sandbox-missing"
    hint = "Install bubblewrap and allow user namespaces, or set EXCHANGE_SANDBOX=auto."


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use; 8 GiB of addresses hold the frames of an 8K 10-bit decoder.

    `file_bytes` bounds one file that it writes, `folder_bytes` all of them together. A child that
    uses no processor for `idle_s` is taken for stuck; None lets it rest as long as it likes.
    """

    cpu_s: int
    wall_s: float
    memory_bytes: int = 8 * GIB
    file_bytes: int = 64 * 1024**2
    processes: int = 256
    folder_bytes: int | None = None
    idle_s: float | None = None

    @property
    def all_bytes(self) -> int:
        """How much may be written altogether; eight full files where nothing is said."""
        return self.file_bytes * 8 if self.folder_bytes is None else self.folder_bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its status (negative: the signal) and the tails of what it wrote."""

    status: int
    output: bytes
    errors: str


class Sandbox(Protocol):
    """Runs a command that may read one file and, when asked, write into one folder."""

    async def run(
        self,
        command: Sequence[str],
        *,
        reads: Path,
        writes: Path | None,
        limits: Limits,
        on_line: OnLine | None = None,
    ) -> Ended:
        """Run the command to its end.

        Raises:
            NotAVideo: what it is to read is no plain file (a link, a pipe, a device).
            ExaminationTimeout: it was stopped by the clock.
            ExaminationTooLarge: it wrote more than its folder may hold.
        """
        ...


class Child:
    """A child process with limits; inside bubblewrap when `bwrap` is given."""

    def __init__(self, bwrap: str | None) -> None:
        """Use the bubblewrap at this path, or none."""
        self.bwrap = bwrap

    async def run(
        self,
        command: Sequence[str],
        *,
        reads: Path,
        writes: Path | None,
        limits: Limits,
        on_line: OnLine | None = None,
    ) -> Ended:
        """Run the command to its end; see `Sandbox`."""
        _check_plain(reads)
        process = await asyncio.create_subprocess_exec(
            *self._wrapped(command, reads, writes, limits),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            start_new_session=True,
            limit=MOST_OUTPUT,
        )
        try:
            async with (
                asyncio.timeout(limits.wall_s),
                _watched(process, writes, limits) as full,
                _kept_busy(process, limits.idle_s) as stuck,
            ):
                ended = await _ended(process, on_line)
        except TimeoutError as late:
            raise ExaminationTimeout("The examination was stopped by the clock.") from late
        finally:
            await _stop(process)
        if stuck.is_set():
            raise ChildStuck("The program that reads the file stopped working.")
        if full.is_set():
            raise ExaminationTooLarge("The examination wrote more than it may.")
        if ended.status in USED_UP:
            raise ExaminationTimeout("The examination used up its processor time.")
        return ended

    def _wrapped(
        self, command: Sequence[str], reads: Path, writes: Path | None, limits: Limits
    ) -> list[str]:
        # Outside a namespace the count of processes is the whole user's: no limit fits that.
        processes = limits.processes if self.bwrap else 0
        bounds = (limits.cpu_s, limits.memory_bytes, limits.file_bytes, processes)
        limited = [sys.executable, "-I", "-S", str(LAUNCHER), *map(str, bounds), "--", *command]
        return [*self._walls(reads, writes), *limited] if self.bwrap else limited

    def _walls(self, reads: Path, writes: Path | None) -> list[str]:
        walls = [str(self.bwrap), "--unshare-all", "--die-with-parent", "--new-session"]
        walls += ["--uid", NOBODY, "--gid", NOBODY, "--cap-drop", "ALL", "--clearenv"]
        walls += ["--proc", "/proc", "--dev", "/dev"]
        walls += ["--size", str(TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108 - the child's own.
        for path in (*SYSTEM, *_programs()):
            walls += ["--ro-bind-try", path, path]
        walls += ["--ro-bind", str(reads), str(reads)]
        if writes is not None:
            walls += ["--bind", str(writes), str(writes)]
        walls += ["--remount-ro", "/dev", "--remount-ro", "/"]  # else they are memory to fill
        return [*walls, "--chdir", "/", "--"]


def _programs() -> list[str]:
    """Return what the child needs of this installation: Python, packages, ffmpeg, our scripts."""
    places = [sys.base_prefix, sys.prefix, *map(sysconfig.get_path, ("purelib", "platlib"))]
    places += [str(Path(sys.executable).resolve()), ffmpeg(), str(PACKAGE)]
    return list(dict.fromkeys(places))


def ffmpeg() -> str:
    """Return the path of the ffmpeg that comes with the dependencies."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


_found: dict[str, Child] = {}


async def sandbox(mode: Mode) -> Sandbox:
    """Return the sandbox of this process; whether bubblewrap works is found out once.

    Raises:
        SandboxMissing: it is required and does not work.
    """
    if mode not in _found:
        _found[mode] = Child(None if mode == "off" else await _working_bwrap())
        if _found[mode].bwrap is None and mode != "off":
            _log.warning("bubblewrap does not work here: uploads are examined with limits alone")
    if _found[mode].bwrap is None and mode == "require":
        raise SandboxMissing("The sandbox does not work on this machine.")
    return _found[mode]


async def _working_bwrap() -> str | None:
    path = shutil.which("bwrap")
    if path is None:
        return None
    trial = [sys.executable, "-I", "-c", "import av"]
    ended = await Child(path).run(
        trial, reads=LAUNCHER, writes=None, limits=Limits(cpu_s=30, wall_s=60)
    )
    if ended.status != 0:
        _log.warning("bubblewrap failed: %s", ended.errors.strip()[-300:])
        return None
    return path


def _check_plain(path: Path) -> None:
    """Refuse a link, which could lead elsewhere, and a pipe or device, which has no end."""
    try:
        plain = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        plain = False
    if not plain:
        raise NotAVideo("What is to be read is no plain file.")


@contextlib.asynccontextmanager
async def _watched(
    process: asyncio.subprocess.Process, writes: Path | None, limits: Limits
) -> AsyncIterator[asyncio.Event]:
    """Stop the child when its folder is full; the event tells that it was."""
    full = asyncio.Event()

    async def watch(folder: Path) -> None:
        most = limits.all_bytes
        while await to_thread(_written, folder) <= most:  # noqa: ASYNC110 - no event tells it.
            await asyncio.sleep(WATCH_S)
        full.set()
        await _stop(process)

    task = asyncio.create_task(watch(writes)) if writes else None
    try:
        yield full
    finally:
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def _kept_busy(
    process: asyncio.subprocess.Process, idle_s: float | None
) -> AsyncIterator[asyncio.Event]:
    """Stop the child when it uses no processor for long; the event tells that it was."""
    stuck = asyncio.Event()

    async def watch(most_s: float) -> None:
        used, rested = -1.0, 0.0
        while rested < most_s:
            await asyncio.sleep(WATCH_S)
            now = _processor_s(process.pid)
            rested, used = (rested + WATCH_S if now <= used else 0.0), now
        stuck.set()
        await _stop(process)

    task = asyncio.create_task(watch(idle_s)) if idle_s else None
    try:
        yield stuck
    finally:
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _processor_s(pid: int) -> float:
    """Return the processor time of a process and all below it; 0 once it has ended."""
    total = 0.0
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(pid)
        for each in (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = each.cpu_times()
                total += times.user + times.system
    return total


def _written(folder: Path) -> int:
    """Return the bytes of all files of a folder; those that vanish meanwhile count nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(place, name).lstat().st_size
    return total


async def _ended(process: asyncio.subprocess.Process, on_line: OnLine | None) -> Ended:
    async with asyncio.TaskGroup() as tasks:
        errors = tasks.create_task(_tail(process.stderr))
        output = tasks.create_task(
            _tail(process.stdout) if on_line is None else _lines(process.stdout, on_line)
        )
    return Ended(await process.wait(), output.result(), errors.result().decode("utf-8", "replace"))


async def _tail(stream: asyncio.StreamReader | None) -> bytes:
    """Return the last bytes of a stream; a child that writes without end fills no memory."""
    kept = b""
    while stream is not None and (piece := await stream.read(65536)):
        kept = (kept + piece)[-MOST_OUTPUT:]
    return kept


async def _lines(stream: asyncio.StreamReader | None, on_line: OnLine) -> bytes:
    """Pass lines on as they come; of one without an end the last part alone is kept."""
    rest = b""
    while stream is not None and (piece := await stream.read(MOST_LINE)):
        *lines, rest = (rest + piece).split(b"\n")
        rest = rest[-MOST_LINE:]
        for line in lines:
            await on_line(line.decode("utf-8", "replace").strip())
    if rest:
        await on_line(rest.decode("utf-8", "replace").strip())
    return b""


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Kill the child and whatever it started, if any of it still runs."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
