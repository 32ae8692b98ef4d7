"""The one command that decodes a piece of a film for everything that is asked of it (pure).

Every output has a graph of its own, which begins by choosing the few pictures it needs: pictures
that nobody asked for cost their decoding and nothing else. Whatever is chosen is chosen by the
absolute time of the picture (`spans`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from listings.examinations import mpeg7, spans, toning
from listings.examinations.spans import Span
from listings.masters.fingerprint import HEIGHT, LUMA_RATE, WIDTH
from listings.masters.measures import full, samples, sound
from listings.masters.measures.samples import Coding

Tier = Literal["sampled", "full"]

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mxf,mpegts"
AUDIO_RATE = 11025  # what Chromaprint works at
HEARD_RATE = 48_000
PITCHED = {"audio-faster": HEARD_RATE * 25 // 24, "audio-slower": HEARD_RATE * 24 // 25}
SIGNATURE_RATE = 5  # ISO 24138 takes five frames a second
SAMPLE_S, PATCH_S = 1, samples.PATCH_EVERY_S
CLOSE = Fraction(1, 10_000)  # a picture this much before a whole second is on it: times are rounded
THUMBNAIL_WIDTH, POSTER_WIDTH, PROXY_WIDTH = 320, 1280, 1280
POSTERS = 12  # pictures from which a poster is chosen
PROXY_MOST_RATE = 30  # a faster film is shown at half its rate
KEY_S = 2  # seconds between key frames of a proxy
# Times stay those of the film, and none is negative without B-frames: pieces join end to end.
JOINS = ("-muxdelay", "0", "-muxpreload", "0", "-avoid_negative_ts", "disabled")
# Tells in the log when the first picture of a piece has come.
FIRST = ("-map", "0:V:0", "-vf", "showinfo=checksum=0", "-frames:v", "1", "-f", "null", "-")
TAGS = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
MOST_TRACKS = 16  # of sound; a broadcast master has eight pairs


@dataclass(frozen=True, slots=True)
class Film:
    """What a command has to know of a film; from its technical record."""

    wide: int
    tall: int
    coding: Coding
    rate: Fraction | None
    length: Fraction
    channels: Mapping[int, int]  # of each sound track that can be decoded, by its number

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Film":
        """Read a technical record."""
        video, rate = record["video"], record["video"].get("rate")
        return cls(
            video["width"],
            video["height"],
            Coding.of(video),
            Fraction(rate["num"], rate["den"]) if rate and rate["num"] else None,
            Fraction(record["duration"]),
            {
                at: each["channels"]
                for at, each in enumerate(record["audio"][:MOST_TRACKS])
                if each.get("decodable", True) and each["channels"]
            },
        )

    @property
    def sample(self) -> tuple[int, int, int]:
        """The shape of a sample: planes, height, width."""
        return 3, self.tall // samples.DECIMATION, self.wide // samples.DECIMATION

    @property
    def patch(self) -> tuple[int, int]:
        """The shape of a patch: height, width."""
        return min(self.tall, samples.PATCH), min(self.wide, samples.PATCH)

    @property
    def thumbnail_s(self) -> int:
        """Seconds between thumbnails."""
        return 1 if self.length <= 30 else 5 if self.length <= 600 else 10

    @property
    def poster_s(self) -> int:
        """Seconds between pictures from which the poster is chosen."""
        return max(1, int(self.length) // POSTERS)


def command(
    ffmpeg: str, path: Path, folder: Path, film: Film, span: Span, *, tier: Tier, proxy: bool
) -> list[str]:
    """Return the command that decodes the piece into the folder."""
    # ffmpeg measures the end from the first picture: that of a first piece has to be named too.
    begin = span.zero if span.start is None and span.end is not None else span.start
    start = ["-ss", spans.microseconds(begin)] if begin else []
    end = [] if span.end is None else ["-to", spans.microseconds(span.end)]
    made = [ffmpeg, "-hide_banner", "-v", f"repeat+level+{'info' if start else 'error'}"]
    made += ["-nostats", "-nostdin", "-y", "-progress", "pipe:1"]
    made += ["-stats_period", "0.25", "-copyts", "-start_at_zero", "-protocol_whitelist", "file"]
    made += ["-format_whitelist", FORMATS, *start, *end, "-i", f"file:{path}"]
    if span.picture:
        made += _picture(folder, film, span)
        made += FIRST if start else []
        made += _seen(folder, film, span)
        made += _every_frame(folder, film, tier)
        made += _proxy(folder, film) if proxy else []
    if span.sound:
        made += _sound(folder, film, proxy=proxy)
        made += ["-map", "0:V:0", "-c", "copy", "-f", "streamhash", "-hash", "sha256"]
        made += [f"file:{folder / 'essence'}"]
    return made


def _chosen(every_s: int, span: Span) -> str:
    """Return the filter that keeps the first picture at or after every so many seconds."""
    zero = "start_t" if span.zero is None else f"{float(span.zero):.9f}"
    now, before = (f"floor(({at}-{zero}+{float(CLOSE)})/{every_s})" for at in ("t", "prev_t"))
    opens = int(span.opens)
    if span.start is not None and span.zero is not None and every_s > 1:
        opens = int(span.opens and int(span.start - span.zero + CLOSE) % every_s == 0)
    return f"select=if(isnan(prev_t)\\,{opens}\\,gt({now}\\,{before}))"


def _output(filters: str, kind: str, place: Path, *options: str) -> list[str]:
    graph = ["-map", "0:V:0", "-vf", filters] if filters else ["-map", "0:V:0"]
    return [*graph, "-fps_mode", "passthrough", *options, "-f", kind, f"file:{place}"]


def _timed(place: Path) -> tuple[str, ...]:
    """Ask for the time of every picture of an output beside it."""
    return "-stats_enc_pre", f"{place}.times", "-stats_enc_pre_fmt", "{pts} {tb}"


def _picture(folder: Path, film: Film, span: Span) -> list[str]:
    """Codes, signature, samples and patches; the count of all pictures comes first."""
    begin = ":start_time=0" if span.start is None else ""
    small = f"fps={LUMA_RATE}{begin},scale={WIDTH}:{HEIGHT}:flags=area,format=gray"
    signed = f"fps={SIGNATURE_RATE}{begin},signature=format=binary:filename={folder / 'signature'}"
    signing = ["-map", "0:V:0", "-vf", signed, "-f", "null", "-"]
    opened, close = folder / "samples", folder / "patches"
    return [
        *["-map", "0:V:0", "-fps_mode", "passthrough", "-f", "null", "-"],
        *_output(small, "rawvideo", folder / "luma"),
        *(signing if min(film.wide, film.tall) >= mpeg7.LEAST_SIDE else []),
        *_output(
            f"{_chosen(SAMPLE_S, span)},{samples.chain_samples(film.coding)}",
            "rawvideo", opened, *_timed(opened),
        ),
        *_output(
            f"{_chosen(PATCH_S, span)},{samples.chain_patches(film.coding)}",
            "rawvideo", close, *_timed(close),
        ),
    ]  # fmt: skip


def _seen(folder: Path, film: Film, span: Span) -> list[str]:
    """What people look at: thumbnails, and pictures from which a poster is chosen.

    By way of R'G'B', because a JPEG has a matrix of its own (BT.601, full range).
    """
    made = []
    for name, every_s, wide in (
        ("thumbnail", film.thumbnail_s, THUMBNAIL_WIDTH),
        ("poster", film.poster_s, POSTER_WIDTH),
    ):
        filters = f"{_chosen(every_s, span)},{_on_screen(folder, film, wide, 'area')}"
        made += _output(
            f"{filters},format=gbrp,format=yuvj420p", "image2", folder / f"{name}-%06d.jpg",
            *_timed(folder / name), "-c:v", "mjpeg", "-q:v", "4",
        )  # fmt: skip
    return made


def _on_screen(folder: Path, film: Film, wide: int, flags: str) -> str:
    """Return the filters to a picture of this width (never more than it has) in SDR."""
    wide = min(wide, film.wide - film.wide % 2)
    scale = f"scale={wide}:-2:flags={flags}"
    coding = film.coding
    if not toning.is_needed(coding.transfer, coding.primaries):
        return scale
    return (
        f"{scale}:in_color_matrix=bt2020,format=gbrp,lut3d={folder / 'tone.cube'}:interp=trilinear"
    )


def _every_frame(folder: Path, film: Film, tier: Tier) -> list[str]:
    made = []
    if film.rate is not None:
        made += _output(samples.chain_strobe(film.coding), "rawvideo", folder / "strobe")
    if tier == "full":
        filters = full.filters(file=str(folder / "frames"))
        made += ["-map", "0:V:0", "-vf", filters, "-fps_mode", "passthrough", "-f", "null", "-"]
    return made


def _proxy(folder: Path, film: Film) -> list[str]:
    """A stream that browsers play; transport stream, so that pieces join end to end."""
    rate = film.rate or Fraction(25)
    while rate > PROXY_MOST_RATE:
        rate /= 2
    filters = f"fps={rate},{_on_screen(folder, film, PROXY_WIDTH, 'bilinear')}"
    if toning.is_needed(film.coding.transfer, film.coding.primaries):
        filters += f",scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,{TAGS}"
    return [
        *["-map", "0:V:0", "-vf", f"{filters},format=yuv420p", "-fps_mode", "passthrough"],
        *["-c:v", "libx264"],
        *["-preset", "veryfast", "-crf", "24", "-maxrate", "3M", "-bufsize", "6M"],
        *["-g", str(round(rate * KEY_S)), "-sc_threshold", "0", "-flags", "+cgop"],
        *["-bf", "0", *JOINS, "-f", "mpegts", f"file:{folder / 'proxy.ts'}"],
    ]


def _sound(folder: Path, film: Film, *, proxy: bool) -> list[str]:
    """Chromaprint of the first track that can be decoded, and the measures of all of them."""
    made = []
    first = next((f"0:a:{track}" for track in film.channels), None)
    if first:
        made += ["-map", first, "-ac", "1", "-ar", str(AUDIO_RATE), "-f", "chromaprint"]
        made += ["-fp_format", "raw", f"file:{folder / 'audio'}"]
    for name, rate in PITCHED.items() if first else ():
        # Played at another rate, as film is at 25 instead of 24 pictures: faster and higher.
        made += ["-map", str(first), "-af", f"aresample={HEARD_RATE},asetrate={rate}"]
        made += ["-ac", "1", "-ar", str(AUDIO_RATE), "-f", "chromaprint"]
        made += ["-fp_format", "raw", f"file:{folder / name}"]
    if first and proxy:
        made += ["-map", first, "-ac", "2", "-ar", "48000", "-c:a", "aac", "-b:a", "128k"]
        made += [*JOINS, "-f", "mpegts", f"file:{folder / 'heard.ts'}"]
    for track, channels in film.channels.items():
        filters = sound.filters(channels, files=str(folder / f"sound-{track}"))
        made += ["-map", f"0:a:{track}", "-af", filters, "-f", "null", "-"]
    return made
