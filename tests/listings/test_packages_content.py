"""What files that go with a work are by their content, whatever their names say."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.refusal import InvalidContent
from listings.masters import gateway
from listings.packages import artwork, content, rules, subtitles
from listings.packages.refusals import (
    AssetContent,
    AssetNotReceived,
    AssetTooLarge,
    BadLanguage,
    NotAPicture,
    NotArtwork,
    NotASound,
    NotASubtitle,
    NotMetadata,
)
from tests.listings.masters_media import FLOWER, ffmpeg

SRT = """1
00:00:01,000 --> 00:00:02,500
山高水长

2
00:01:00,000 --> 00:01:02,000
<i>The river is long.</i>
"""
VTT = """WEBVTT

00:01.000 --> 00:02.500 align:start
山高水长

00:01:00.000 --> 00:01:02.000
川流不息，我们都在看。
"""
TTML = """<?xml version="1.0"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"
 xml:lang="zh-Hans" ttp:frameRate="25" ttp:tickRate="1000" {more}>
<body><div {div}>{cues}</div></body></tt>
"""
IMSC = 'ttp:profile="http://www.w3.org/ns/ttml/profile/imsc1/text"'


def ttml(*cues: str, more: str = "", div: str = "") -> bytes:
    return TTML.format(
        cues="".join(f"<p {cue}>字</p>" for cue in cues), more=more, div=div
    ).encode()


@pytest.mark.parametrize(
    ("text", "form"), [(SRT, "srt"), (SRT.replace("\n", "\r\n"), "srt"), (VTT, "webvtt")]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_subtitles_are_read_in_the_encodings_of_the_trade(
    text: str, form: str, encoding: str
) -> None:
    told = subtitles.read(text.encode(encoding))
    assert told == {
        "format": form, "encoding": encoding.removesuffix("-sig"), "language": None, "cues": 2,
        "first_ms": 1000, "last_ms": 62000,
    }  # fmt: skip


def test_timed_text_is_told_from_imsc_and_its_language_read() -> None:
    told = subtitles.read(ttml('begin="1s" end="00:00:02.500"', 'begin="1500t" dur="250ms"'))
    assert (told["format"], told["language"], told["cues"]) == ("ttml", "zh-Hans", 2)
    assert (told["first_ms"], told["last_ms"]) == (1000, 2500)
    assert subtitles.read(ttml('begin="0s" end="1s"', more=IMSC))["format"] == "imsc"
    framed = subtitles.read(ttml('begin="00:00:00:05" end="00:00:01:00"'))
    assert (framed["first_ms"], framed["last_ms"]) == (200, 1000)
    shifted = subtitles.read(ttml('begin="1s" dur="1s"', div='begin="10s"'))
    assert (shifted["first_ms"], shifted["last_ms"]) == (11000, 12000)


@given(
    st.lists(st.tuples(st.integers(0, 80_000_000), st.integers(1, 10_000)), min_size=1, max_size=20)
)
def test_the_times_of_written_subtitles_come_back(spans: list[tuple[int, int]]) -> None:
    def clock(ms: int) -> str:
        seconds, rest = divmod(ms, 1000)
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{rest:03}"

    spans = sorted(spans)
    text = "".join(
        f"{number}\n{clock(start)} --> {clock(start + length)}\nx\n\n"
        for number, (start, length) in enumerate(spans, start=1)
    )
    told = subtitles.read(text.encode())
    assert told["cues"] == len(spans)
    assert told["first_ms"] == spans[0][0]
    assert told["last_ms"] == max(start + length for start, length in spans)


BAD_SUBTITLES = {
    "nothing": (b"", "no cue"),
    "prose": (b"Once upon a time.", "no cue"),
    "a film": (FLOWER.read_bytes()[:5000], "no text"),
    "bytes of no text": (b"\x81\x30\xff\xff-->", "no text"),
    "no arrow's times": (b"1\n00:00:01 --> 00:00:02\nx", "bad time"),
    "minutes beyond": (b"1\n00:61:01,000 --> 00:62:02,000\nx", "bad time"),
    "backwards": (b"1\n00:00:02,000 --> 00:00:01,000\nx", "empty cue"),
    "out of order": (
        b"1\n00:00:05,000 --> 00:00:06,000\nx\n\n2\n00:00:01,000 --> 00:00:02,000\nx",
        "out of order",
    ),
    "no cue in XML": (ttml(), "no cue"),
    "a bad time in XML": (ttml('begin="soon" end="later"'), "bad time"),
    "an empty cue in XML": (ttml('begin="2s" end="1s"'), "empty cue"),
    "a web page": (b"<html/>", "html"),
    "cut XML": (ttml('begin="1s" end="2s"')[:-9], "not well-formed"),
    "an entity": (b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', "document type"),
}


@pytest.mark.parametrize("name", BAD_SUBTITLES)
def test_what_holds_no_subtitles_is_refused_and_told_why(name: str) -> None:
    sent, why = BAD_SUBTITLES[name]
    with pytest.raises(NotASubtitle) as refused:
        subtitles.read(sent)
    assert why in refused.value.data["why"]


@given(st.binary(max_size=400))
def test_whatever_bytes_come_subtitles_and_artwork_are_told_or_refused(sent: bytes) -> None:
    for read, start in ((subtitles.read, b"1\n"), (artwork.read, artwork.PNG),
                        (artwork.read, b"\xff\xd8\xff")):  # fmt: skip
        with pytest.raises(AssetContent):
            read(start + sent)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder, made = tmp_path_factory.mktemp("artwork"), {}
    for name, size, pixels in (
        ("a.png", "64x36", "rgb24"), ("b.png", "64x36", "rgba64be"), ("c.jpg", "64x36", "yuvj420p"),
        ("small.png", "8x8", "rgb24"), ("gray.png", "64x36", "gray"),
    ):  # fmt: skip
        test = f"testsrc2=size={size}:rate=1:duration=1"
        ffmpeg("-f", "lavfi", "-i", test, "-frames:v", "1", "-pix_fmt", pixels, str(folder / name))
        made[name] = (folder / name).read_bytes()
    return made


def test_artwork_tells_its_size_and_depth(pictures: dict[str, bytes]) -> None:
    told = {name: artwork.read(pictures[name]) for name in ("a.png", "b.png", "c.jpg", "gray.png")}
    assert {(one["width"], one["height"]) for one in told.values()} == {(64, 36)}
    assert [(one["format"], one["bits"], one["channels"]) for one in told.values()] == [
        ("png", 8, 3), ("png", 16, 4), ("jpeg", 8, 3), ("png", 8, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a.png", "c.jpg"])
def test_artwork_that_is_cut_or_flipped_is_refused(name: str, pictures: dict[str, bytes]) -> None:
    whole = pictures[name]
    for length in (0, 1, 8, 20, len(whole) // 2, len(whole) - 2):
        with pytest.raises(NotArtwork):
            artwork.read(whole[:length])
    if name == "a.png":
        flipped = bytearray(whole)
        flipped[len(flipped) // 2] ^= 1
        with pytest.raises(NotArtwork):
            artwork.read(bytes(flipped))


def test_artwork_of_no_usable_size_is_refused(pictures: dict[str, bytes]) -> None:
    with pytest.raises(NotArtwork) as refused:
        artwork.read(pictures["small.png"])
    assert (refused.value.data["width"], refused.value.data["why"]) == (8, "size")
    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)
    huge = artwork.PNG + chunk(b"IHDR", header) + chunk(b"IEND", b"")
    with pytest.raises(NotArtwork) as flooded:
        artwork.read(huge)
    assert flooded.value.data["why"] == "size"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


async def checked(kind: str, path: Path) -> dict[str, Any]:
    found = await content.check(kind, path, await gateway.sandbox("auto"))
    assert json.loads(json.dumps(found)) == found
    return found


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    tone = ("-f", "lavfi", "-i", "sine=duration=0.5:sample_rate=48000")
    ffmpeg(*tone, "-ac", "2", "-c:a", "pcm_s24le", str(folder / "plain.wav"))
    ffmpeg(*tone, "-c:a", "pcm_s24le", "-write_bext", "1", "-metadata", "description=stem",
           str(folder / "bwf.wav"))  # fmt: skip
    ffmpeg(*tone, "-c:a", "pcm_s24le", "-rf64", "always", str(folder / "rf64.wav"))
    ffmpeg(*tone, str(folder / "a.flac"))
    ffmpeg(*tone, str(folder / "a.mp3"))
    whole = (folder / "plain.wav").read_bytes()
    (folder / "cut.wav").write_bytes(whole[: len(whole) // 2])
    return folder


async def test_sound_is_read_in_the_sandbox(sounds: Path) -> None:
    told = await checked("sound_stem", sounds / "plain.wav")
    assert told == {
        "format": "wav",
        "broadcast_wave": False,
        "streams": [
            {"codec": "pcm_s24le", "channels": 2, "layout": "stereo", "sample_rate": 48000,
             "duration_ms": 500}
        ],
    }  # fmt: skip
    assert (await checked("sound_stem", sounds / "bwf.wav"))["broadcast_wave"] is True
    assert (await checked("sound_stem", sounds / "rf64.wav"))["streams"][0]["duration_ms"] == 500
    assert "broadcast_wave" not in await checked("sound_stem", sounds / "a.flac")


@pytest.mark.parametrize("name", ["cut.wav", "a.mp3", "film.wav", "text.wav"])
async def test_what_is_no_sound_is_refused(name: str, sounds: Path) -> None:
    (sounds / "film.wav").write_bytes(FLOWER.read_bytes())
    (sounds / "text.wav").write_bytes(b"a song" * 100)
    with pytest.raises(NotASound):
        await checked("sound_stem", sounds / name)


async def test_a_picture_has_to_move(sounds: Path) -> None:
    told = await checked("picture", FLOWER)
    assert (told["width"], told["height"]) == (960, 540)
    with pytest.raises(NotAPicture):
        await checked("picture", sounds / "plain.wav")


async def test_metadata_is_xml_json_or_text(tmp_path: Path) -> None:
    path = tmp_path / "m"
    good = {b"<a xmlns='b'/>": "xml", b'{"a": [1]}': "json", "\ufeff片名".encode(): "text"}
    for sent, form in good.items():
        path.write_bytes(sent)
        assert (await checked("metadata", path))["format"] == form
    deep = b"[" * 100_000
    for bad in (b"", b"  ", b"<a>", b'{"a": ', deep, b"\xff\xfe\x00", b"a\x00b"):
        path.write_bytes(bad)
        with pytest.raises(NotMetadata):
            await checked("metadata", path)


async def test_a_file_too_large_for_its_kind_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rules.MOST_BYTES, "subtitle", 10)
    (tmp_path / "long").write_text(SRT)
    with pytest.raises(AssetTooLarge):
        await checked("subtitle", tmp_path / "long")
    assert await checked("other", tmp_path / "long") == {
        "format": "unknown",
        "bytes": len(SRT.encode()),
    }


@pytest.mark.parametrize(
    ("tag", "kept"),
    [("zh-hans", "zh-Hans"), ("yue", "yue"), ("EN-us", "en-US"), ("", None), (None, None)],
)
def test_language_tags_are_kept_as_bcp_47_writes_them(tag: str | None, kept: str | None) -> None:
    file_id = rules.UUID(int=1)
    assert rules.describe(file_id, kind="subtitle", language=tag, label="x").language == kept


def test_what_is_said_of_a_file_is_checked() -> None:
    file_id = rules.UUID(int=1)
    with pytest.raises(BadLanguage):
        rules.describe(file_id, kind="subtitle", language="mandarin!", label="x")
    for label in ("", "  ", "a\nb", "x" * 201):
        with pytest.raises(InvalidContent):
            rules.describe(file_id, kind="subtitle", language=None, label=label)
    with pytest.raises(InvalidContent):
        rules.describe(file_id, kind="poem", language=None, label="x")
    with pytest.raises(AssetNotReceived):
        rules.check_upload(purpose="asset", state="uploading", kind="other", size=1)
    with pytest.raises(InvalidContent):
        rules.check_upload(purpose="master", state="received", kind="other", size=1)


@pytest.mark.parametrize(
    "paths", [[], ["/a"], ["../a"], ["a/../b"], ["a\\b"], ["a\nb"], [""], ["."], ["x" * 301]]
)
def test_paths_of_a_package_stay_inside(paths: list[str]) -> None:
    with pytest.raises(InvalidContent):
        rules.package_files({path: rules.UUID(int=1) for path in paths})


def test_an_upload_is_one_file_of_a_package() -> None:
    with pytest.raises(InvalidContent):
        rules.package_files({"a": rules.UUID(int=1), "b": rules.UUID(int=1)})
    assert rules.package_files({"b": rules.UUID(int=2), "a/c": rules.UUID(int=1)}) == {
        "a/c": str(rules.UUID(int=1)), "b": str(rules.UUID(int=2)),
    }  # fmt: skip
