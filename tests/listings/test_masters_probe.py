"""Real files through the whole probe: what one reader misses, the record has right."""

from pathlib import Path
from typing import Any

import pytest

from contracts import canonical
from listings.examinations import passing
from listings.masters import gateway
from tests.listings import masters_files as files
from tests.listings.masters_media import ffmpeg


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probe")


@pytest.fixture(scope="module")
def intra(room: Path) -> Path:
    return files.avc_intra(room / "intra.mxf")


@pytest.fixture(scope="module")
def prores(room: Path) -> Path:
    return files.prores(room / "prores.mov")


@pytest.fixture(scope="module")
def pq(room: Path) -> Path:
    return files.pq(room / "pq.ts")


@pytest.fixture(scope="module")
def plain(room: Path) -> Path:
    sound = ("-c:a", "aac")
    return files.picture(room / "plain.mp4", *files.X264, frames=10, sound=sound)


def content(path: Path) -> bytes:
    return path.read_bytes()


def saw(record: dict[str, Any], key: str) -> tuple[Any, Any]:
    reader = record["readers"][key]
    return reader["av"], reader["mediainfo"]


async def test_a_4k_intra_master_in_mxf_is_known_whole(intra: Path) -> None:
    record: Any = await files.probed(intra)
    video = record["video"]
    assert (record["container_profile"], record["container_settings"]) == (
        "OP-1a", "Closed / Complete",
    )  # fmt: skip
    assert record["operational_pattern"] == "060e2b34.04010101.0d010201.01010900"
    assert record["bytes"] == len(content(intra))
    assert {
        "codec": "h264", "width": 3840, "height": 2160, "rate": {"num": 50, "den": 1},
        "bit_depth": 10, "sampling": "4:2:2", "primaries": "bt2020", "transfer": "arib-std-b67",
        "matrix": "bt2020nc", "range": "tv", "frames": 3, "sar": {"num": 1, "den": 1},
        "dar": {"num": 16, "den": 9}, "scan": "progressive", "constant_rate": True,
        "codec_class": "AVC-Intra 300", "intra_only": True, "gop_frames": 1, "hdr": "HLG",
        "start_timecode": "10:00:00:00", "timecode_ok": True, "decodable": True,
    }.items() <= video.items()  # fmt: skip
    assert abs(video["bitrate_bps"] - 504_000_000) < 1_000_000
    assert record["audio"][0]["bits"] == 24
    assert record["uhd"] is True and record["disagree"] == []
    assert canonical.loads(canonical.dumps(record)) == record


async def test_only_mediainfo_counts_the_frames_of_mxf(intra: Path) -> None:
    record: Any = await files.probed(intra)
    assert saw(record, "video.frames") == (None, 3)
    assert record["video"]["frames"] == 3


async def test_an_open_and_incomplete_mxf_is_told_as_such(intra: Path, room: Path) -> None:
    key = bytes.fromhex("060e2b34020501010d010201010204")
    path = files.replaced(intra, room / "open.mxf", (key, key[:-1] + b"\x01"))
    record: Any = await files.probed(path)
    assert record["readers"]["container_settings"]["av"] == "Open / Incomplete"
    assert record["container_settings"] == "Open / Incomplete"


async def test_only_the_decoder_knows_the_depth_of_prores(prores: Path) -> None:
    record: Any = await files.probed(prores)
    assert saw(record, "video.bit_depth") == (10, None)
    assert record["video"]["bit_depth"] == 10
    assert record["video"]["codec_class"] == "ProRes 422 HQ"
    assert record["video"]["start_timecode"] == "10:00:00:00"
    assert record["data"] == [{"kind": "timecode"}]


async def test_colours_that_stand_in_the_colr_atom_alone_are_found(
    prores: Path, room: Path
) -> None:
    silent = "prores_metadata=color_primaries=unknown:color_trc=unknown:colorspace=unknown"
    path = files.wrapped(prores, room / "atom.mov", "-bsf:v", silent)
    record: Any = await files.probed(path)
    assert record["video"]["container_tags"] == {
        "primaries": "bt2020", "transfer": "arib-std-b67", "matrix": "bt2020nc", "range": None,
    }  # fmt: skip
    assert record["video"]["stream_tags"]["primaries"] is None
    assert record["video"]["primaries"] == "bt2020" and record["video"]["hdr"] == "HLG"


async def test_colours_that_the_stream_and_the_container_tell_differently_are_both_kept(
    plain: Path, room: Path
) -> None:
    told = b"colrnclx\0\1\0\1\0\1"
    path = files.replaced(plain, room / "torn.mp4", (told, b"colrnclx\0\x09\0\x12\0\x09"))
    record: Any = await files.probed(path)
    assert record["video"]["stream_tags"]["primaries"] == "bt709"
    assert record["video"]["container_tags"]["primaries"] == "bt2020"
    assert record["video"]["transfer"] == "bt709"
    assert record["disagree"] == ["video.matrix", "video.primaries", "video.transfer"]


@pytest.mark.parametrize("name", ["pq.ts", "pq.mp4", "pq.mkv", "pq.mov"])
async def test_st_2086_and_maxcll_are_found_in_every_container(
    name: str, pq: Path, room: Path
) -> None:
    path = pq if name == "pq.ts" else files.wrapped(pq, room / name)
    record: Any = await files.probed(path)
    video = record["video"]
    assert video["hdr"] == "PQ"
    assert video["mastering"] == {
        "red_x50000": 35400, "red_y50000": 14600, "green_x50000": 8500, "green_y50000": 39850,
        "blue_x50000": 6550, "blue_y50000": 2300, "white_x50000": 15635, "white_y50000": 16450,
        "max_luminance_cd10000": 10_000_000, "min_luminance_cd10000": 1,
    }  # fmt: skip
    assert (video["max_cll"], video["max_fall"]) == (1000, 400)
    assert video["scan"] == "progressive" and video["intra_only"] is False
    assert video["gop_frames"] == 3
    assert "video.mastering" not in record["disagree"]


@pytest.mark.parametrize(
    ("flag", "unit"),
    [
        pytest.param("hdr_vivid", files.t35(0x26, 0x0004, b"\0\5\1" + bytes(20)), id="vivid"),
        pytest.param("hdr10_plus", files.t35(0xB5, 0x003C, b"\0\1\4\1" + bytes(20)), id="hdr10+"),
        pytest.param("dolby_vision", bytes([62 << 1, 1]) + bytes([0x19]) * 40, id="dolby"),
    ],
)
@pytest.mark.parametrize("container", ["ts", "mp4"])
async def test_dynamic_metadata_is_found_in_the_units_of_the_stream(
    flag: str, unit: bytes, container: str, pq: Path, room: Path
) -> None:
    path = files.with_unit(pq, room / f"{flag}.{container}", unit)
    record: Any = await files.probed(path)
    seen = {name for name in ("hdr_vivid", "hdr10_plus", "dolby_vision") if record["video"][name]}
    assert seen == {flag}


async def test_dolby_vision_is_found_in_the_box_of_the_container(pq: Path, room: Path) -> None:
    source = files.wrapped(pq, room / "undolby.mp4", "-tag:v", "hvc1")
    path = files.boxed(source, room / "dolby.mp4", b"hvc1", files.dolby_box())
    record: Any = await files.probed(path)
    assert record["video"]["dolby_vision"] is True
    assert record["video"]["decodable"] is True


async def test_audio_vivid_is_found_in_mp4_and_in_a_transport_stream(
    plain: Path, room: Path
) -> None:
    boxes = files.replaced(plain, room / "vivid.mp4", (b"mp4a", b"av3a"))
    stream = files.wrapped(plain, room / "plain.ts")
    packets = files.with_stream_type(stream, room / "vivid.ts", 0x0F, 0xD5)
    for path in (boxes, packets):
        record: Any = await files.probed(path)
        assert [sound["object_audio"] for sound in record["audio"]] == [True]
        assert record["audio"][0]["codec"] == "av3a"
    ordinary: Any = await files.probed(plain)
    assert [sound["object_audio"] for sound in ordinary["audio"]] == [False]


@pytest.mark.parametrize("container", ["ts", "mkv"])
async def test_avs2_that_neither_library_decodes_is_known_by_ffmpeg(
    container: str, room: Path
) -> None:
    path = room / f"avs2.{container}"
    files.picture(path, "-c:v", "libxavs2", size="320x192", look="format=yuv420p")
    record: Any = await files.probed(path)
    assert record["readers"]["video.codec"]["av"] is None
    assert record["readers"]["video.codec"]["ffmpeg"] == "avs2"
    assert (record["video"]["codec"], record["video"]["decodable"]) == ("avs2", True)
    assert (record["video"]["width"], record["video"]["height"]) == (320, 192)
    assert record["video"]["rate"] == {"num": 50, "den": 1}


async def test_a_codec_that_nobody_decodes_has_a_record_and_is_not_decodable(
    plain: Path, room: Path
) -> None:
    source = files.wrapped(plain, room / "known.mkv")
    name = b"V_MPEG4/ISO/AVC"
    path = files.replaced(source, room / "unknown.mkv", (name, b"V_MPEG9/ISO/XVC"))
    record: Any = await files.probed(path)
    assert (record["video"]["decodable"], record["video"]["undecodable"]) == (False, "no-decoder")
    assert (record["video"]["width"], record["video"]["height"]) == (320, 180)


async def test_broken_pictures_are_told_from_a_missing_decoder(plain: Path, room: Path) -> None:
    path = files.emptied(plain, room / "broken.mp4")
    record: Any = await files.probed(path)
    assert (record["video"]["decodable"], record["video"]["undecodable"]) == (False, "broken")


async def test_8k_at_120_pictures_a_second_is_known(room: Path) -> None:
    path = files.picture(
        room / "8k.mp4", *files.X264, size="7680x4320", rate="120", frames=1,
        look=f"format=yuv420p10le,{files.HLG}",
    )  # fmt: skip
    video: Any = (await files.probed(path))["video"]
    assert (video["width"], video["height"], video["rate"]) == (7680, 4320, {"num": 120, "den": 1})
    assert (video["bit_depth"], video["transfer"]) == (10, "arib-std-b67")


@pytest.mark.parametrize(
    ("name", "encoder", "pixels", "seen"),
    [
        (
            "dnxhr.mxf", ("-c:v", "dnxhd", "-profile:v", "dnxhr_hqx"), "yuv422p10le",
            ("DNxHR HQX", "4:2:2", 10),
        ),
        ("jpeg.mxf", ("-c:v", "libopenjpeg"), "yuv422p10le", ("JPEG 2000", "4:2:2", 10)),
        (
            "4444.mov", ("-c:v", "prores_ks", "-profile:v", "4444"), "yuv444p10le",
            ("ProRes 4444", "4:4:4", 12),
        ),
    ],
)  # fmt: skip
async def test_the_classes_of_production_codecs_are_known(
    name: str, encoder: tuple[str, ...], pixels: str, seen: tuple[str, str, int], room: Path
) -> None:
    look = f"format={pixels},{files.HLG}"
    path = files.picture(room / name, *encoder, look=look, frames=2)
    video: Any = (await files.probed(path))["video"]
    assert (video["codec_class"], video["sampling"], video["bit_depth"]) == seen
    assert video["intra_only"] is True and video["transfer"] == "arib-std-b67"


async def test_an_interlaced_picture_is_told(room: Path) -> None:
    path = files.picture(room / "fields.mp4", *files.X264, "-x264-params", "tff=1", rate="25")
    assert (await files.probed(path))["video"]["scan"] == "interlaced"


async def test_uneven_pictures_are_told(room: Path) -> None:
    path = room / "uneven.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-frames:v", "12", "-vf",
        "settb=1/1000,setpts='(N+0.4*mod(N,2))*40'", "-fps_mode", "passthrough",
        "-enc_time_base", "1/1000", *files.X264, str(path),
    )  # fmt: skip
    assert (await files.probed(path))["video"]["constant_rate"] is False


async def test_ntsc_rates_are_exact(room: Path) -> None:
    for name in ("ntsc.mp4", "ntsc.mkv"):
        path = files.picture(room / name, *files.X264, rate="60000/1001", frames=20)
        record: Any = await files.probed(path)
        assert record["video"]["rate"] == {"num": 60000, "den": 1001}
        assert record["video"]["constant_rate"] is True
        assert record["disagree"] == []


async def test_mediainfo_alone_takes_the_ticks_of_a_transport_stream_for_uneven(
    room: Path,
) -> None:
    path = files.picture(room / "ntsc.ts", *files.X264, rate="60000/1001", frames=20)
    record: Any = await files.probed(path)
    assert record["video"]["rate"] == {"num": 60000, "den": 1001}
    assert saw(record, "video.constant_rate") == (True, False)
    assert record["video"]["constant_rate"] is True
    assert record["disagree"] == ["video.constant_rate"]


async def test_the_places_of_sound_channels_are_named(room: Path) -> None:
    sound = ("-c:a", "pcm_s24le", "-af", "pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0")
    path = files.picture(room / "five.mov", *files.X264, sound=sound)
    (heard,) = (await files.probed(path))["audio"]
    assert heard["positions"] == ["FL", "FR", "FC", "LFE", "BL", "BR"]
    assert (heard["channels"], heard["bits"], heard["start_ms"]) == (6, 24, 0)


@pytest.mark.parametrize("container", ["mp4", "ts"])
async def test_a_sound_that_nobody_decodes_keeps_no_picture_from_its_examination(
    container: str, plain: Path, room: Path, tmp_path: Path
) -> None:
    if container == "mp4":
        path = files.replaced(plain, room / "mute.mp4", (b"mp4a", b"av3a"))
    else:
        stream = files.wrapped(plain, room / "spoken.ts")
        path = files.with_stream_type(stream, room / "mute.ts", 0x0F, 0xD5)
    record: Any = await files.probed(path)
    assert [sound["decodable"] for sound in record["audio"]] == [False]
    sandbox = await gateway.sandbox("auto")
    passed = await passing.run(path, sandbox=sandbox, folder=tmp_path, record=record)
    assert len(passed.codes.video) and passed.audio == b""
