"""Burns a viewer's name into a proxy, in the sandbox; the films and where they lie."""

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import anyio.to_thread
import noto_cjk_sans_otc

from listings.masters import gateway
from listings.masters.gateway import Limits, Sandbox

Report = Callable[[int], Awaitable[None]]
# The name wanders over the whole picture and never rests: no fixed box can be blurred away. The two
# periods have no common multiple below half an hour.
ACROSS = "(w-tw)*(0.5+0.48*sin(t/17))"
DOWN = "(h-th)*(0.5+0.48*cos(t/11))"
STYLE = "fontsize=h/22:fontcolor=white@0.55:borderw=2:bordercolor=black@0.35"
# 720p H.264 at 50 frames takes about half a processor second a second of film.
CPU_S_PER_S, START_S = 10, 60
BYTES_PER_S = 2 * 1024**2


@dataclass(frozen=True, slots=True)
class Films:
    """The derived files of masters that screeners are made of and written to."""

    objects: Path

    def folder(self, master_id: UUID) -> Path:
        """Return the folder of what was derived from a master."""
        return self.objects / "derived" / str(master_id)

    def proxy(self, master_id: UUID) -> Path:
        """Return where a master's 720p proxy is."""
        return self.folder(master_id) / "proxy.mp4"

    def film(self, master_id: UUID, screener_id: UUID) -> Path:
        """Return where a screener's film is."""
        return self.folder(master_id) / "screeners" / f"{screener_id}.mp4"


async def burn(
    source: Path, target: Path, *, text: str, seconds: float, sandbox: Sandbox, report: Report
) -> bool:
    """Draw a text into a film; tell whether it worked. What was there is replaced at the end.

    Args:
        source: an H.264 proxy.
        target: the film to be; its folder is made.
        text: one line; any signs, none is taken for a command.
        seconds: how long the film is.
        sandbox: where it runs.
        report: told the share done, in basis points.
    """
    await anyio.Path(target.parent).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix="."))
    try:
        await anyio.Path(folder / "name.txt").write_text(text, encoding="utf-8")
        ended = await sandbox.run(
            _command(source, folder),
            reads=source,
            writes=folder,
            limits=_limits(seconds),
            on_line=_listener(seconds, report),
        )
        film = anyio.Path(folder / "film.mp4")
        if ended.status != 0 or not await film.exists():
            return False
        await film.replace(target)
        return True
    finally:
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


def _command(source: Path, folder: Path) -> list[str]:
    font = _escaped(Path(str(noto_cjk_sans_otc.FONT_PATH)))
    name = _escaped(folder / "name.txt")
    drawn = f"drawtext=fontfile={font}:textfile={name}:expansion=none:{STYLE}"
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-progress", "pipe:1"]
    command += ["-stats_period", "0.5", "-protocol_whitelist", "file", "-i", f"file:{source}"]
    command += ["-vf", f"{drawn}:x='{ACROSS}':y='{DOWN}'", "-map", "0:v:0", "-map", "0:a:0?"]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
    command += ["-map_metadata", "-1", "-c:a", "copy", "-movflags", "+faststart"]
    return [*command, f"file:{folder / 'film.mp4'}"]


def _escaped(path: Path) -> str:
    """Write a path as the value of a filter's option: once for the option, once for the graph."""
    value = str(path)
    for sign in ("\\", "'", ":"):
        value = value.replace(sign, "\\" + sign)
    for sign in ("\\", "'", "[", "]", ",", ";"):
        value = value.replace(sign, "\\" + sign)
    return value


def _limits(seconds: float) -> Limits:
    return Limits(
        cpu_s=START_S + int(seconds * CPU_S_PER_S),
        wall_s=START_S + seconds * CPU_S_PER_S,
        file_bytes=int(seconds * BYTES_PER_S) + 64 * 1024**2,
    )


def _listener(seconds: float, report: Report) -> Callable[[str], Awaitable[None]]:
    told = -1

    async def listen(line: str) -> None:
        nonlocal told
        key, _, value = line.partition("=")
        if key == "out_time_us" and value.isdigit() and seconds > 0:
            done = min(10_000, int(value) // max(1, int(seconds * 100)))
            if done // 100 != told:
                told = done // 100
                await report(done)

    return listen
