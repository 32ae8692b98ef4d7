"""Burns a viewer's name into a proxy, in the sandbox; the films and where they lie."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import anyio
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


def proxy_key(master_id: UUID) -> str:
    """Return the key of a master's 720p proxy."""
    return f"derived/{master_id}/proxy.mp4"


def film_key(master_id: UUID, screener_id: UUID) -> str:
    """Return the key of a screener's film."""
    return f"derived/{master_id}/screeners/{screener_id}.mp4"


async def burn(
    source: Path, target: Path, *, text: str, seconds: float, sandbox: Sandbox, report: Report
) -> bool:
    """Draw a text into a film; tell whether it worked.

    Args:
        source: an H.264 proxy.
        target: the film to be, in an empty folder whose path no filter could mistake.
        text: one line; any signs, none is taken for a command.
        seconds: how long the film is.
        sandbox: where it runs.
        report: told the share done, in basis points.
    """
    name = target.parent / "name.txt"
    await anyio.Path(name).write_text(text, encoding="utf-8")
    ended = await sandbox.run(
        _command(source, target, name),
        reads=source,
        writes=target.parent,
        limits=_limits(seconds),
        on_line=_listener(seconds, report),
    )
    return ended.status == 0 and await anyio.Path(target).exists()


def _command(source: Path, target: Path, name: Path) -> list[str]:
    font = _escaped(Path(str(noto_cjk_sans_otc.FONT_PATH)))
    drawn = f"drawtext=fontfile={font}:textfile={_escaped(name)}:expansion=none:{STYLE}"
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-progress", "pipe:1"]
    command += ["-stats_period", "0.5", "-protocol_whitelist", "file", "-i", f"file:{source}"]
    command += ["-vf", f"{drawn}:x='{ACROSS}':y='{DOWN}'", "-map", "0:v:0", "-map", "0:a:0?"]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
    command += ["-map_metadata", "-1", "-c:a", "copy", "-movflags", "+faststart"]
    return [*command, f"file:{target}"]


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
