"""One picture of a master at an instant, out of its proxy: two works are compared at the same time.

Thumbnails lie seconds apart, which is too far where something moves.
"""

from pathlib import Path

import anyio

from listings.masters import gateway
from listings.masters.gateway import Limits, Sandbox

WIDTH = 320
LIMITS = Limits(cpu_s=20, wall_s=30, file_bytes=4 * 1024**2)


async def still(proxy: Path, at_ms: int, *, folder: Path, sandbox: Sandbox) -> bytes:
    """Return the JPEG of the picture at an instant; empty when the proxy has none there.

    Args:
        proxy: a master's 720p proxy.
        at_ms: the instant, from the beginning.
        folder: an empty folder.
        sandbox: where it runs.
    """
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-protocol_whitelist", "file"]
    command += ["-ss", f"{at_ms // 1000}.{at_ms % 1000:03}", "-i", f"file:{proxy}"]
    command += ["-frames:v", "1", "-vf", f"scale={WIDTH}:-2:flags=area", "-q:v", "4"]
    command += ["-f", "mjpeg", f"file:{folder / 'still.jpg'}"]
    await sandbox.run(command, reads=proxy, writes=folder, limits=LIMITS)
    made = anyio.Path(folder / "still.jpg")
    return await made.read_bytes() if await made.exists() else b""
