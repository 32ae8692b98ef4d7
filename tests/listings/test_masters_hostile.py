"""Files that mean harm: each is refused, and nothing beyond the file is read or used up."""

import shutil
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from contracts.refusal import Refusal
from listings.masters import gateway, mediainfo, probing
from listings.masters.gateway import Child, Ended
from listings.masters.refusals import CODES, ExaminationTimeout, ExaminationTooLarge
from tests.listings import masters_files as files
from tests.listings.masters_media import FLOWER, ffmpeg

EXTENSIONS = ("mp4", "mov", "mkv", "ts", "mxf", "m3u8", "bin")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def plain(room: Path) -> Path:
    return files.picture(room / "plain.mp4", *files.X264, sound=("-c:a", "aac"))


@pytest.fixture(params=["limits", "walls"])
async def sandbox(request: pytest.FixtureRequest) -> Child:
    if request.param == "limits":
        return Child(None)
    found = await gateway.sandbox("auto")
    assert isinstance(found, Child)
    return found


@pytest.fixture(scope="module")
def calls() -> Iterator[tuple[int, list[str]]]:
    """A server that notes who calls."""
    paths: list[str] = []

    class Note(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Note) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, paths
        server.shutdown()


def altered(source: Path) -> bytearray:
    return bytearray(source.read_bytes())


async def refused(path: Path, sandbox: Child) -> str:
    with pytest.raises(Refusal) as refusal:
        await probing.read(path, sandbox)
    assert refusal.value.code in CODES
    return refusal.value.code


def playlists(port: int, other: Path) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}/stolen"
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}.ts\n#EXT-X-ENDLIST\n",
        "hls-file": f"#EXTM3U\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n",
        "hls-key": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:1,\n{other}\n',
        "hls-subfile": f"#EXTM3U\n#EXTINF:1,\nsubfile,,start,0,end,9,,:{other}\n#EXT-X-ENDLIST\n",
        "hls-concat": f"#EXTM3U\n#EXTINF:1,\nconcat:{url}|{other}\n#EXT-X-ENDLIST\n",
        "ffconcat": f"ffconcat version 1.0\nfile '{other}'\n",
        "ffconcat-url": f"ffconcat version 1.0\nfile '{url}'\n",
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video {port} RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
        "dash": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
        f"<AdaptationSet><Representation><BaseURL>{url}</BaseURL></Representation>"
        "</AdaptationSet></Period></MPD>",
        "smil": f'<smil><body><video src="{url}"/></body></smil>',
        "asx": f'<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
        "imf": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/'
        f'2067-3/2016"><Id>urn:x</Id><Path>{other}</Path></CompositionPlaylist>',
        "reference": f"[Reference]\nRef1={url}\n",
        "subtitles": "[Script Info]\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,,x\n",
        "avisynth": f'DirectShowSource("{other}")\n',
        "vpl": f"lavfi:movie={other}",
    }


@pytest.mark.parametrize("kind", sorted(playlists(0, Path("/"))))
async def test_a_playlist_is_no_video_whatever_it_is_called(
    kind: str, calls: tuple[int, list[str]], plain: Path, room: Path
) -> None:
    port, paths = calls
    extension = EXTENSIONS[sum(kind.encode()) % len(EXTENSIONS)]
    path = room / f"list-{kind}.{extension}"
    path.write_text(playlists(port, plain)[kind])
    assert await refused(path, Child(None)) == "not-a-video"
    assert paths == []


@pytest.mark.parametrize("extension", EXTENSIONS)
async def test_no_extension_makes_a_playlist_a_video(
    extension: str, calls: tuple[int, list[str]], plain: Path, room: Path
) -> None:
    port, paths = calls
    path = room / f"evil.{extension}"
    path.write_text(playlists(port, plain)["hls"])
    for child in (Child(None), await gateway.sandbox("auto")):
        assert isinstance(child, Child)
        assert await refused(path, child) == "not-a-video"
    assert paths == []


CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "mxf", "mpegts", "matroska,webm")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", sorted(playlists(0, Path("/"))))
def test_mediainfo_opens_nothing_that_a_file_names(
    kind: str, container: str, calls: tuple[int, list[str]], room: Path
) -> None:
    port, paths = calls
    paths.clear()
    neighbour = room / "neighbour.mp4"
    shutil.copy(FLOWER, neighbour)
    path = room / f"mediainfo-{kind}.m3u8"
    path.write_text(playlists(port, neighbour)[kind])
    told = mediainfo.inspect(path, container)
    assert [track for track in told if track.get("@type") == "Video"] == []
    assert paths == []


def outside(source: Path, target: Path, other: Path) -> Path:
    """Point the data reference of a MOV to another file, as an alias or a URL would."""
    content = bytearray(source.read_bytes())
    at = content.index(b"url \0\0\0\1") - 4
    name = other.as_uri().encode() + b"\0"
    box = struct.pack(">I", 12 + len(name)) + b"url " + bytes(4) + name
    content[at : at + 12] = box
    for parent in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        head = content.rindex(parent, 0, at) - 4
        size = int.from_bytes(content[head : head + 4], "big") + len(box) - 12
        content[head : head + 4] = size.to_bytes(4, "big")
    target.write_bytes(content)
    return target


@pytest.mark.parametrize("extension", ["mp4", "mov"])
async def test_a_file_that_keeps_its_media_elsewhere_is_refused(
    extension: str, plain: Path, room: Path, sandbox: Child
) -> None:
    source = files.wrapped(plain, room / f"inside.{extension}")
    path = outside(source, room / f"outside.{extension}", FLOWER)
    assert await refused(path, sandbox) == "external-media"
    told = [
        track for track in mediainfo.inspect(path, CONTAINERS[0]) if track.get("@type") == "Video"
    ]
    assert {track.get("Width") for track in told} <= {"320"}  # not the 960 of the other file


async def test_an_mxf_without_essence_is_refused(room: Path, sandbox: Child) -> None:
    path = files.picture(
        room / "whole.mxf", "-c:v", "mpeg2video", "-qscale:v", "2", look="format=yuv422p",
        rate="25",
    )  # fmt: skip
    content = path.read_bytes()
    essence = bytes.fromhex("060e2b34010201010d01030115010500")
    start = content.index(essence)
    hollow = room / "hollow.mxf"
    hollow.write_bytes(content[:start])
    try:
        record = await probing.read(hollow, sandbox)
    except Refusal as refusal:
        assert refusal.code in CODES
    else:
        assert record["video"]["decodable"] is False


@pytest.mark.parametrize("where", ["header", "stream"])
async def test_a_flood_of_pixels_is_refused_before_it_is_decoded(
    where: str, room: Path, sandbox: Child
) -> None:
    if where == "stream":
        path = room / "flood.ts"
        ffmpeg(
            "-f", "lavfi", "-i", "color=s=16384x64:r=10", "-frames:v", "1", *files.X264, str(path)
        )
        assert await refused(path, sandbox) == "pixel-flood"
        return
    source = files.picture(room / "small.mov", "-c:v", "png", look="format=rgb24", frames=1)
    content = source.read_bytes()
    old = struct.pack(">II", 320, 180)  # of the picture's own header
    at = content.index(b"IHDR") + 4
    assert content[at : at + 8] == old
    huge = content[:at] + struct.pack(">II", 65535, 65535) + content[at + 8 :]
    path = room / "huge.mov"
    path.write_bytes(huge.replace(struct.pack(">HH", 320, 180), struct.pack(">HH", 65535, 65535)))
    assert await refused(path, sandbox) == "pixel-flood"


async def test_a_file_that_promises_years_is_refused(
    plain: Path, room: Path, sandbox: Child
) -> None:
    content = altered(plain)
    for name, offset in ((b"mvhd", 16), (b"mdhd", 16), (b"tkhd", 20)):
        at = content.index(name) + 4 + offset
        content[at : at + 4] = b"\x7f\xff\xff\xff"
    at = content.index(b"stts") + 8
    entries = struct.unpack_from(">I", content, at)[0]
    for entry in range(entries):
        struct.pack_into(">I", content, at + 4 + entry * 8 + 4, 0x1FFFFFF)
    path = room / "years.mp4"
    path.write_bytes(content)
    assert await refused(path, sandbox) == "lying-master"


@pytest.mark.parametrize(("tick", "delta"), [(0, 256), (0xFFFFFFFF, 1), (12800, 0), (1, 1)])
async def test_an_impossible_rate_is_refused_or_null(
    tick: int, delta: int, plain: Path, room: Path, sandbox: Child
) -> None:
    content = altered(plain)
    at = content.index(b"mdhd") + 4 + 12
    content[at : at + 4] = tick.to_bytes(4, "big")
    at = content.index(b"stts") + 12
    content[at + 4 : at + 8] = delta.to_bytes(4, "big")
    path = room / f"rate-{tick}-{delta}.mp4"
    path.write_bytes(content)
    try:
        rate = (await probing.read(path, sandbox))["video"]["rate"]
    except Refusal as refusal:
        assert refusal.code in CODES
    else:
        assert rate is None or 0 < rate["num"] <= probing.MOST_RATE * rate["den"]


async def test_a_flood_of_streams_is_refused(room: Path, sandbox: Child) -> None:
    path = room / "streams.mp4"
    maps = [word for _ in range(300) for word in ("-map", "0:a")]
    ffmpeg(
        "-f", "lavfi", "-i", "sine=d=0.02:r=48000", "-f", "lavfi", "-i", "color=s=64x64:d=0.02",
        *maps, "-map", "1:v", "-c:a", "pcm_s16le", *files.X264, "-f", "mov", str(path),
    )  # fmt: skip
    assert await refused(path, sandbox) == "stream-flood"


async def test_a_link_to_another_file_is_not_followed(
    plain: Path, room: Path, sandbox: Child
) -> None:
    path = room / "link.mp4"
    path.unlink(missing_ok=True)
    path.symlink_to(plain)
    assert await refused(path, sandbox) == "not-a-video"


class Stumbling:
    """A sandbox in which a chosen reader ends as it is told to."""

    def __init__(self, reader: str, end: Ended | Refusal) -> None:
        self.reader, self.end = reader, end

    async def run(self, command: Any, **how: Any) -> Ended:
        if not any(self.reader in str(word) for word in command):
            return await (await gateway.sandbox("auto")).run(command, **how)
        if isinstance(self.end, Refusal):
            raise self.end
        return self.end


@pytest.mark.parametrize(
    "end",
    [Ended(-11, b"", ""), Ended(0, b"{}", ""), Ended(0, b"[[1]]", ""), ExaminationTimeout("")],
)
async def test_a_second_reader_that_stumbles_is_told_and_makes_no_file_bad(
    end: Ended | Refusal, plain: Path
) -> None:
    record = await probing.read(plain, Stumbling("mediainfo", end))
    assert record["blind"] == ["mediainfo"]
    assert record["video"]["width"] == 320


@pytest.mark.parametrize(
    ("reader", "end", "code"),
    [
        ("inspector", Ended(-11, b"", ""), "not-a-video"),
        ("inspector", Ended(0, b"[]", ""), "not-a-video"),
        ("inspector", ExaminationTimeout(""), "examination-timeout"),
        ("inspector", ExaminationTooLarge(""), "examination-too-large"),
        ("inspector", Ended(1, b"", "MemoryError"), "examination-too-large"),
        ("showinfo", ExaminationTimeout(""), "examination-timeout"),
    ],
)
async def test_a_first_reader_that_breaks_is_a_refusal(
    reader: str, end: Ended | Refusal, code: str, plain: Path
) -> None:
    with pytest.raises(Refusal) as refusal:
        await probing.read(plain, Stumbling(reader, end))
    assert refusal.value.code == code
