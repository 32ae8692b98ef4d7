"""Clips for each check that needs a decode: one that passes and one that fails, made by ffmpeg.

`made` encodes a clip, `measured` decodes it as an examination does and returns its measures.
"""

import subprocess
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from listings.masters import gateway
from listings.masters.measures import collect, full, samples, sound
from listings.masters.measures.samples import Coding, Luma, Patches, Samples, Strobe

MEDIA = Path(__file__).parent.parent / "media"
HLG = Coding(10, "arib-std-b67", "bt2020", "tv", "bt2020nc")
PQ = Coding(10, "smpte2084", "bt2020", "tv", "bt2020nc")
FFV1 = ("-c:v", "ffv1")
PRORES = ("-c:v", "prores_ks", "-profile:v", "3")
FULL = ("-c:v", "ffv1", "-pix_fmt", "yuv444p10le")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12")
PIXELS = {8: "yuv420p", 10: "yuv422p10le", 12: "yuv422p12le"}


@dataclass(frozen=True)
class Clip:
    """A picture and a sound out of ffmpeg's sources, how they are coded and what they are for."""

    picture: str = "testsrc2=s=320x180:r=10:d=1"
    sound: str | None = None
    coding: Coding = HLG
    encoder: tuple[str, ...] = FFV1
    tier: str = "sampled"
    damaged: bool = False


@dataclass(frozen=True)
class Pair:
    """A clip that passes a check and some that fail it."""

    good: Clip
    bad: Clip
    others: tuple[Clip, ...] = field(default=())


def plain(colours: str, size: str = "320x180", seconds: float = 1, rate: int = 10) -> str:
    """Return a picture of given 10-bit code values: an expression for each plane, split by `|`."""
    luma, cb, cr = [*colours.split("|"), "512", "512"][:3]
    return (
        f"color=black:s={size}:r={rate}:d={seconds},format=yuv444p10le,"
        f"geq=lum='{luma}':cb='{cb}':cr='{cr}'"
    )


MOVING = "testsrc2=s=320x180:r=10:d=14"
FLOWER = f"movie={MEDIA / 'flower.mp4'},trim=duration=1,setpts=PTS-STARTPTS,scale=480:270"
BUSY = "mandelbrot=s=512x512:r=2:start_scale=0.01,trim=duration=1,format=yuv422p10le"
SOFT = "mandelbrot=s=256x256:r=2:start_scale=0.01,trim=duration=1,format=yuv422p10le"
FLAT = "color=gray:s=320x180:r=25:d=3"
TONE = "aevalsrc='{}':s=48000:c=stereo:d=14"
_MUSIC = "0.064*sin(2*PI*440*t)+0.019*sin(2*PI*1250*t)|0.064*sin(2*PI*554*t)+0.019*sin(2*PI*1666*t)"

PAIRS: dict[str, Pair] = {
    "F04": Pair(
        Clip("testsrc2=s=320x180:r=25:d=2", encoder=X264),
        Clip("testsrc2=s=320x180:r=25:d=2", encoder=X264, damaged=True),
    ),
    "V04": Pair(
        Clip(FLOWER, tier="full"),
        Clip(f"{FLOWER},fps=50,tinterlace=interleave_top", tier="full"),
    ),
    "V07": Pair(
        Clip(plain("64+876*X/W", "1280x720", rate=1)),
        Clip(plain("64+876*X/W", "1280x720", rate=1) + ",format=yuv420p"),
    ),
    "L01": Pair(
        Clip(MOVING),
        Clip(f"{MOVING},drawbox=c=black:t=fill:enable='between(t,5.5,8.45)'"),
        (Clip(f"{MOVING},drawbox=c=black:t=fill:enable='between(t,5.5,8.45)'", tier="full"),),
    ),
    "L02": Pair(
        Clip(MOVING),
        Clip(f"{MOVING},loop=loop=25:size=1:start=55,trim=duration=14"),
        (Clip(f"{MOVING},loop=loop=25:size=1:start=55,trim=duration=14", tier="full"),),
    ),
    "L03": Pair(Clip(plain("64+876*X/W")), Clip(plain("if(lt(X,W/20),1000,500)"))),
    "L04": Pair(Clip(plain("20+964*X/W")), Clip(plain("if(lt(X,W/20),1020,500)"))),
    "L05": Pair(
        Clip(plain("if(lt(X,W/10),658,400)|if(lt(X,W/10),189,512)|if(lt(X,W/10),100,512)")),
        Clip(plain("64+876*X/W")),
    ),
    "L06": Pair(
        Clip(plain("if(lt(X,W/50),64,if(lt(X,W/10),760,400))")), Clip(plain("400+100*X/W"))
    ),
    "L07": Pair(Clip(BUSY), Clip(f"{SOFT},scale=512:512:flags=lanczos")),
    "L08": Pair(Clip(MOVING), Clip("testsrc2=s=320x134:r=10:d=1,pad=320:180:0:23")),
    "L09": Pair(
        Clip(BUSY),
        Clip("testsrc2=s=64x64:r=2:d=1,scale=512:512:flags=neighbor"),
        (Clip("testsrc2=s=512x512:r=2:d=1,gblur=12"),),
    ),
    "L10": Pair(
        Clip(FLAT),
        Clip(f"{FLAT},format=yuv420p,geq=lum='if(lt(mod(T,0.2),0.1),40,200)':cb=128:cr=128"),
        (Clip(plain("if(lt(mod(T,0.2),0.1),248,519)|if(lt(mod(T,0.2),0.1),412,512)|"
                     "if(lt(mod(T,0.2),0.1),870,512)", seconds=3, rate=25)),),
    ),
    "A03": Pair(Clip(sound=TONE.format(_MUSIC)), Clip(sound=TONE.format("0.8*sin(2*PI*440*t)"))),
    "A04": Pair(
        Clip(sound=TONE.format(_MUSIC)),
        Clip(sound=TONE.format("0.95*sin(2*PI*1000*t)")),
    ),
    "A05": Pair(
        Clip(sound=TONE.format(_MUSIC)),
        Clip(sound=TONE.format(_MUSIC) + ",volume=0:enable='between(t,5.5,8.5)'"),
    ),
    "A06": Pair(
        Clip(sound=TONE.format(_MUSIC)),
        Clip(sound=TONE.format("0.1*sin(2*PI*440*t)|-0.1*sin(2*PI*440*t)")),
        (Clip(sound=TONE.format("0.1*sin(2*PI*440*t)|0.1*sin(2*PI*440*t)")),),
    ),
    "A07": Pair(
        Clip(sound=TONE.format(_MUSIC)), Clip(sound=TONE.format("1.5*sin(2*PI*440*t)"))
    ),
}  # fmt: skip


def made(folder: Path, name: str, clip: Clip) -> Path:
    """Encode a clip; one that shall be damaged gets wrong bytes inside its coded pictures."""
    path = folder / f"{name}.mkv"
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", clip.picture]
    if clip.sound is not None:
        command += ["-f", "lavfi", "-i", clip.sound, "-c:a", "pcm_s24le"]
    pixels = "yuv420p10le" if clip.encoder == X264 else PIXELS[clip.coding.depth]
    subprocess.run([*command, "-pix_fmt", pixels, *clip.encoder, str(path)], check=True)
    if clip.damaged:
        content = bytearray(path.read_bytes())
        for at in range(len(content) // 3, len(content) * 2 // 3, 997):
            content[at] ^= 0x5A
        path.write_bytes(content)
    return path


def measured(path: Path, clip: Clip) -> dict[str, Any]:
    """Decode a file once, outside the sandbox, and return its measures."""
    part, heard = taken(path, clip)
    return collect.measures(part, tier=clip.tier, sound=heard)


def taken(path: Path, clip: Clip) -> tuple[collect.Part, list[dict[str, Any]]]:
    """Decode a file once, outside the sandbox."""
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    wide, tall, rate = _described(path)
    depth = clip.coding.depth
    outputs = {
        "luma": "fps=10:start_time=0,scale=160:90:flags=area,format=gray",
        "samples": f"{_each(1)},{samples.chain_samples(clip.coding)}",
        "patches": f"{_each(5)},{samples.chain_patches(clip.coding)}",
        "strobe": samples.chain_strobe(clip.coding),
    }
    if clip.tier == "full":
        outputs["none"] = full.filters(file=str(folder / "frames"))
    command = [gateway.ffmpeg(), "-v", "repeat+level+error", "-nostdin", "-y", "-i", str(path)]
    for name, chain in outputs.items():
        command += ["-map", "0:V:0", "-vf", chain, "-fps_mode", "passthrough"]
        command += ["-f", "rawvideo", str(folder / name)]
    if clip.sound is not None:
        command += ["-map", "0:a:0", "-af", sound.filters(2, files=str(folder / "sound"))]
        command += ["-f", "null", "-"]
    done = subprocess.run(command, check=False, capture_output=True)
    strobe = _raw(folder / "strobe", 3, *samples.STROBE_SHAPE)
    planes = _words(folder / "samples", depth, 3, tall // 4, wide // 4)
    crops = _words(folder / "patches", depth, min(tall, samples.PATCH), min(wide, samples.PATCH))
    part = collect.part_of(
        frames=len(strobe),
        decode_errors=len(done.stderr.splitlines()),
        luma=Luma(_raw(folder / "luma", *samples.LUMA_SHAPE)),
        samples=Samples(planes, tuple(range(0, 1000 * len(planes), 1000)), clip.coding),
        patches=Patches(crops, tuple(range(0, 5000 * len(crops), 5000)), clip.coding),
        strobe=Strobe(strobe, 0, (rate.numerator, rate.denominator), clip.coding),
        every_frame=_lines(folder / "frames"),
    )
    lines = [line for name in sound.FILES for line in _lines(folder / f"sound-{name}")]
    return part, [sound.read(lines, track=0, channels=2)] if clip.sound is not None else []


def _each(seconds: int) -> str:
    """Return the filter that keeps the first picture at or after every so many seconds."""
    return f"select=isnan(prev_t)+gt(floor(t/{seconds})\\,floor(prev_t/{seconds}))"


def _described(path: Path) -> tuple[int, int, Fraction]:
    import av

    with av.open(str(path)) as container:
        video = container.streams.video[0]
        rate = video.average_rate or video.guessed_rate or Fraction(25)
        return video.codec_context.width, video.codec_context.height, Fraction(rate)


def _raw(path: Path, *shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, *shape)


def _words(path: Path, depth: int, *shape: int) -> samples.Words:
    return samples.words(path.read_bytes(), depth, *shape)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
