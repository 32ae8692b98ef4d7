"""Works cut out of real clips, and what is done to copies of them.

Every clip is cut into several works: other scenes of one film, and other minutes of one fixed
camera, which is the trap. A work is 10-bit HLG BT.2020, 960x540, 25 pictures a second; a copy is
8-bit H.264, 640x360 at most. Two stretches are set aside and are no work: the material in which an
excerpt or an inset picture is hidden.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from listings.masters import gateway

LONGEST_S, LEAST_S = 8, 2.5
MOST_WORKS, MOST_IN_ALL = 6, 42  # out of one clip, and of all: pairs grow with the square
FOIL_S = 20
MASTER, COPY, RATE = (960, 540), (640, 360), 25
HLG = (
    "zscale=w={w}:h={h}:min={matrix}:tin=709:pin=709:rin={range}"
    ":t=arib-std-b67:p=2020:m=2020_ncl:r=tv,format=yuv420p10le"
)
SDR = (
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=709,tonemap=hable,"
    "zscale=t=709:m=709:r=tv,format=yuv420p"
)
PLAIN = "scale=640:360,format=yuv420p"
LOGO = (
    "drawbox=x=iw*0.84:y=ih*0.04:w=iw*0.13:h=ih*0.12:color=white@0.9:t=fill,"
    "drawbox=x=iw*0.86:y=ih*0.06:w=iw*0.05:h=ih*0.08:color=red@0.9:t=fill,"
    "drawbox=x=0:y=ih*0.88:w=iw:h=ih*0.09:color=blue@0.8:t=fill,"
    "drawbox=x=mod(t*60\\,iw):y=ih*0.90:w=iw*0.3:h=ih*0.05:color=yellow:t=fill,"
    "drawbox=x=iw*0.05:y=ih*0.06:w=iw*0.2:h=ih*0.04:color=white:t=fill"
)
CAMCORD = (
    "scale=640:360,perspective=x0=W*0.02:y0=H*0.015:x1=W*0.985:y1=0:x2=0:y2=H:x3=W*0.97:y3=H*0.98,"
    "rotate=1.1*PI/180:c=black,eq=gamma=1.25:contrast=0.9,gblur=sigma=1.2,"
    "noise=alls=12:allf=t,scale=560:314,pad=640:360:40:23,format=yuv420p"
)


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done to a copy.

    Attributes:
        filters: from the work's picture to the copy's; `{foil}` in `graph` attacks is other film.
        crf: how coarsely it is encoded.
        speed: how much faster the copy runs.
        graph: a whole filter graph over [0:v] (the work) and [1:v] (the foil), to [out].
        natural: made from the clip itself, without the way over HLG.
    """

    filters: str = PLAIN
    crf: int = 28
    speed: float = 1.0
    graph: str = ""
    natural: bool = False


def _inset(x: float, y: float) -> str:
    return (
        "[1:v]scale=640:360,format=yuv420p[under];[0:v]scale=384:216,format=yuv420p[inset];"
        f"[under][inset]overlay=x={round(x * 256)}:y={round(y * 144)}:shortest=1[out]"
    )


ATTACKS: Mapping[str, Attack] = {
    "re-encode": Attack("scale=960:540,format=yuv420p", crf=38),
    "scale to a third": Attack("scale=320:180,format=yuv420p"),
    "crop centre": Attack(f"crop=iw*0.9:ih*0.9,{PLAIN}"),
    "crop corner": Attack(f"crop=iw*0.9:ih*0.9:0:0,{PLAIN}"),
    "cut to 4:3": Attack("crop=iw*0.75:ih,scale=480:360,format=yuv420p"),
    "letterbox": Attack("scale=640:272,pad=640:360:0:44,format=yuv420p"),
    "pillarbox": Attack("scale=480:360,pad=640:360:80:0,format=yuv420p"),
    "logo and ticker": Attack(f"{PLAIN},{LOGO}"),
    "HLG to SDR": Attack(f"scale=640:360,{SDR}"),
    "mirror": Attack(f"hflip,{PLAIN}"),
    "upside down": Attack(f"vflip,{PLAIN}"),
    "4 % faster": Attack(speed=1.04),
    "4 % slower": Attack(speed=0.96),
    "half the rate": Attack(f"fps=12.5,{PLAIN}"),
    "excerpt": Attack(graph="excerpt"),
    "filmed off a screen": Attack(CAMCORD, crf=30),
    "blur": Attack(f"{PLAIN},gblur=sigma=2.7"),
    "noise and gamma": Attack(f"{PLAIN},noise=alls=40:allf=t,eq=gamma=1.3"),
    "grey and contrast": Attack(f"{PLAIN},hue=s=0,eq=contrast=1.3"),
    "combined": Attack(f"crop=iw*0.95:ih*0.95,{PLAIN},{LOGO}", crf=34, speed=1.04),
    "picture in picture": Attack(graph="inset"),
    "natural": Attack(natural=True),
    # Beyond the table: none of these was looked at while the code was designed.
    "crop off centre": Attack(f"crop=iw*0.85:ih*0.85:iw*0.11:ih*0.03,{PLAIN}"),
    "turned by 3 degrees": Attack(f"{PLAIN},rotate=3*PI/180:c=black"),
    "10 % faster": Attack(speed=1.10),
}


@dataclass(frozen=True, slots=True)
class Work:
    """A stretch of a clip: `name` is the clip's with the stretch's number."""

    clip: Path
    name: str
    start: float
    seconds: float


def ffmpeg(*arguments: str) -> bytes:
    """Run ffmpeg on one thread."""
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-y", "-threads", "1"]
    command += ["-filter_threads", "1", "-filter_complex_threads", "1", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def length(clip: Path) -> float:
    """Return how long the pictures of a clip last, in seconds."""
    told = ffmpeg("-i", str(clip), "-map", "0:v:0", "-c", "copy", "-progress", "-", "-f", "null",
                  "-").decode()  # fmt: skip
    return int(told.rsplit("out_time_us=", 1)[1].split("\n", 1)[0]) / 1e6


def works_of(clips: Sequence[Path]) -> tuple[list[Work], Work]:
    """Cut clips into works and one foil, the end of the longest clip, that is no work."""
    lengths = {clip: length(clip) for clip in clips}
    longest = max(clips, key=lengths.__getitem__)
    spare = min(FOIL_S, lengths[longest] / 3)
    foil = Work(longest, f"{longest.stem} foil", lengths[longest] - spare, spare)
    works = []
    most = min(MOST_WORKS, max(1, MOST_IN_ALL // len(clips)))
    for clip in clips:
        usable = lengths[clip] - (spare + 1 if clip == longest else 0) - 0.1
        count = max(1, min(most, round(usable / LONGEST_S)))
        each = min(LONGEST_S, usable / count)
        works += [
            Work(clip, f"{clip.stem} {number}", number * usable / count, each)
            for number in range(count)
            if each >= LEAST_S
        ]
    return works, foil


def master(work: Work, target: Path) -> Path:
    """Cut a work out of its clip, as 10-bit HLG: bars beside it where it is not 16:9."""
    width, height = MASTER
    fit = f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"
    convert = HLG.format(w="iw", h="ih", matrix="709", range="tv")
    filters = (
        f"fps={RATE},{fit},setsar=1,format=yuv420p,setparams=colorspace=bt709:color_primaries=bt709"
        f":color_trc=bt709:range=tv,{convert},pad={width}:{height}:-1:-1"
    )
    ffmpeg(*_cut(work), "-vf", filters, *_x264(14, "yuv420p10le"), str(target))
    return target


def _cut(work: Work) -> list[str]:
    return ["-ss", f"{work.start:.3f}", "-t", f"{work.seconds:.3f}", "-i", str(work.clip), "-an"]


def _x264(crf: int, pixels: str = "yuv420p") -> list[str]:
    return ["-c:v", "libx264", "-preset", "superfast", "-crf", str(crf), "-pix_fmt", pixels]


@dataclass(frozen=True, slots=True)
class Made:
    """A copy: its file, and where the work lies in it: there = speed x (here - from) + cut."""

    path: Path
    speed: Fraction | float
    here: float
    there: float
    seconds: float


def made(work: Work, number: int, source: Path, foil: Path, name: str, target: Path) -> Made:
    """Make the copy of a work by one attack.

    Args:
        work: the work.
        number: of the work, from which the place of an inset picture is taken.
        source: the work's file.
        foil: other film.
        name: of the attack.
        target: the copy's file.
    """
    attack = ATTACKS[name]
    encode = (*_x264(attack.crf), "-an", str(target))
    if attack.natural:
        fit = "scale=640:360:force_original_aspect_ratio=decrease:force_divisible_by=2"
        filters = f"fps={RATE},{fit},pad=640:360:-1:-1,setsar=1"
        ffmpeg(*_cut(work), "-vf", filters, *encode)
        return Made(target, 1.0, 0.0, 0.0, work.seconds)
    if attack.graph == "inset":
        x, y = ((number * 0.37) % 1.0, (number * 0.61) % 1.0)
        ffmpeg("-i", str(source), "-stream_loop", "-1", "-i", str(foil),
               "-filter_complex", _inset(x, y), "-map", "[out]", *encode)  # fmt: skip
        return Made(target, 1.0, 0.0, 0.0, work.seconds)
    if attack.graph == "excerpt":
        return _excerpt(work, source, foil, encode)
    filters = f"setpts=PTS/{attack.speed},fps={RATE},{attack.filters}"
    ffmpeg("-i", str(source), "-vf", filters if attack.speed != 1 else attack.filters, *encode)
    return Made(target, attack.speed, 0.0, 0.0, work.seconds / attack.speed)


def _excerpt(work: Work, source: Path, foil: Path, encode: Sequence[str]) -> Made:
    """Hide the middle half of a work, five seconds at most, in twenty of other film."""
    taken = min(5.0, work.seconds / 2)
    start, before = (work.seconds - taken) / 2, 7.3
    graph = (
        f"[1:v]split[a][b];[a]trim=0:{before},setpts=PTS-STARTPTS,{PLAIN}[one];"
        f"[0:v]trim={start}:{start + taken},setpts=PTS-STARTPTS,{PLAIN}[two];"
        f"[b]trim={before}:{20 - taken},setpts=PTS-STARTPTS,{PLAIN}[three];"
        "[one][two][three]concat=n=3[out]"
    )
    ffmpeg("-i", str(source), "-stream_loop", "-1", "-i", str(foil),
           "-filter_complex", graph, "-map", "[out]", *encode)  # fmt: skip
    return Made(Path(encode[-1]), 1.0, before, start, taken)
