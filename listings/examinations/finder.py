"""Finds key frames near wanted instants and prints them as JSON; run as a script in the sandbox.

`finder.py FILE EVERY_S`: the last key frame at or before every multiple of EVERY_S seconds, in
ticks of the stream's time base from the beginning of the file.
"""

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.stream import VideoStream

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mxf,mpegts"
COVER = 0x0400
AHEAD = 64  # packets in which the picture that is shown first must come
PATIENCE = 2_000  # packets read for a key frame; a longer group of pictures is not cut


def find(path: Path, every_s: int) -> dict[str, Any]:
    """Return `tick` (num, den), `zero` (the first picture) and `keys`, both in ticks."""
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    with av.open(str(path), options=options) as container:
        video = next(v for v in container.streams.video if not int(v.disposition) & COVER)
        tick = Fraction(video.time_base or 0)
        if not tick:
            return {"tick": [0, 1], "zero": None, "keys": []}
        begin = round(Fraction(container.start_time or 0, 1_000_000) / tick)
        first = [packet.pts for packet in _packets(container, video, AHEAD)]
        zero = min((pts - begin for pts in first if pts is not None), default=None)
        keys = [] if None in first else _keys(container, video, begin, every_s / tick)
    return {"tick": [tick.numerator, tick.denominator], "zero": zero, "keys": keys}


def _packets(container: Any, video: VideoStream, most: int) -> list[Any]:
    found: list[Any] = []
    for packet in container.demux(video):
        if packet.size:
            found.append(packet)
        if len(found) >= most or not packet.size:
            break
    return found


def _keys(container: Any, video: VideoStream, begin: int, every: Fraction) -> list[int]:
    length = video.duration or int(
        Fraction(container.duration or 0, 1_000_000) / Fraction(video.time_base or 1)
    )
    keys: list[int] = []
    for wanted in range(1, int(length / every) + 1):
        found = _key(container, video, begin + int(wanted * every))
        last = keys[-1] if keys else 0
        if found is not None and found - begin > last + every / 2:
            keys.append(found - begin)
    if keys and length - keys[-1] < every / 4:
        keys.pop()  # a last piece of seconds is not worth its start
    return keys


def _key(container: Any, video: VideoStream, at: int) -> int | None:
    try:
        container.seek(at, stream=video, backward=True)
        for count, packet in enumerate(container.demux(video)):
            if packet.is_keyframe and packet.pts is not None:
                return int(packet.pts)
            if count > PATIENCE:
                break
    except (av.FFmpegError, ValueError):
        return None
    return None


def main() -> None:
    """Look into the file named first for key frames every so many seconds."""
    sys.stdout.write(json.dumps(find(Path(sys.argv[1]), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
