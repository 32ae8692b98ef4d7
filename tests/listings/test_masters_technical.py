"""The laws of the merged record, and the small readers behind it."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import canonical
from listings.masters import cadence, classes, headers, nals, technical, tracks, trial
from listings.masters.cadence import Beat

ratios = st.none() | st.builds(
    lambda top, low: {"num": top, "den": low}, st.integers(1, 500), st.integers(1, 9)
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "codec": st.sampled_from([None, "h264", "hevc", "prores"]),
    "profile": st.sampled_from([None, "HQ", "422 HQ", "Main 10"]),
    "width": st.sampled_from([None, 1920, 3840, 7680]),
    "height": st.sampled_from([None, 1080, 2160, 4320]),
    "rate": ratios,
    "bit_depth": st.sampled_from([None, 8, 10, 12]),
    "sampling": st.sampled_from([None, "4:2:0", "4:2:2"]),
    "primaries": st.sampled_from([None, "bt709", "bt2020"]),
    "transfer": st.sampled_from([None, "bt709", "arib-std-b67", "smpte2084"]),
    "matrix": st.sampled_from([None, "bt709", "bt2020nc"]),
    "range": st.sampled_from([None, "tv", "pc"]),
    "frames": st.none() | st.integers(1, 10**6),
    "scan": st.sampled_from([None, "progressive", "interlaced", "mixed"]),
    "constant_rate": st.none() | st.booleans(),
    "bitrate_bps": st.none() | st.integers(1, 10**10),
    "start_timecode": st.sampled_from([None, "10:00:00:00", "10:00:00;00", "01:02:03:04"]),
    "max_cll": st.none() | st.integers(1, 10_000),
    "max_fall": st.none() | st.integers(1, 10_000),
}
FLAGS = {name: st.booleans() for name in ("hdr_vivid", "dolby_vision", "hdr10_plus")}
pictures = st.fixed_dictionaries(VALUES | FLAGS)
SOUNDS: dict[str, st.SearchStrategy[Any]] = {
    "codec": st.sampled_from([None, "pcm_s24le", "aac"]),
    "channels": st.none() | st.integers(1, 16),
    "sample_rate": st.sampled_from([None, 44100, 48000]),
    "bits": st.sampled_from([None, 16, 24]),
    "object_audio": st.booleans(),
}
sounds = st.lists(st.fixed_dictionaries(SOUNDS), max_size=3)
TRIAL = {"decodable": True, "undecodable": None}


def inspected(video: dict[str, Any], audio: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "container": "mxf", "container_settings": None, "operational_pattern": None, "bytes": 9,
        "duration": "1/1", "duration_ms": 1000, "video": video, "audio": audio, "subtitles": [],
        "data": [], "attachments": 0,
    }  # fmt: skip


def merged(
    av: dict[str, Any], media: dict[str, Any] | None, av_audio: Any = (), media_audio: Any = ()
) -> dict[str, Any]:
    view = None if media is None else {"video": media, "audio": list(media_audio)}
    return technical.merge(inspected(av, list(av_audio)), view, TRIAL)


@given(pictures, pictures)
def test_a_value_that_one_reader_saw_is_never_lost(av: dict[str, Any], mi: dict[str, Any]) -> None:
    video = merged(av, mi)["video"]
    for name in VALUES:
        if av[name] is not None or mi[name] is not None:
            assert video[name] is not None


@given(pictures, pictures)
def test_no_value_is_in_the_record_that_no_reader_saw(
    av: dict[str, Any], mi: dict[str, Any]
) -> None:
    video = merged(av, mi)["video"]
    for name in VALUES:
        seen = (av[name], mi[name], 0) if name == "bit_depth" else (av[name], mi[name])
        assert video[name] in seen


@given(pictures, pictures)
def test_the_streams_own_word_wins_and_a_dissent_is_listed(
    av: dict[str, Any], mi: dict[str, Any]
) -> None:
    record = merged(av, mi)
    for name in VALUES:
        both = av[name] is not None and mi[name] is not None
        if both:
            assert record["video"][name] == av[name]
        differ = both and not technical.same(name, av[name], mi[name])
        assert (f"video.{name}" in record["disagree"]) == differ


@given(pictures, pictures)
def test_the_record_tells_what_each_reader_saw(av: dict[str, Any], mi: dict[str, Any]) -> None:
    readers = merged(av, mi)["readers"]
    for name in VALUES:
        assert readers[f"video.{name}"] == {"av": av[name], "mediainfo": mi[name]}


@given(pictures, pictures)
def test_presence_is_never_denied_by_the_reader_that_did_not_look(
    av: dict[str, Any], mi: dict[str, Any]
) -> None:
    video = merged(av, mi)["video"]
    for name in FLAGS:
        assert video[name] == (av[name] or mi[name])


@given(pictures)
def test_a_reader_agrees_with_itself(video: dict[str, Any]) -> None:
    assert merged(video, video)["disagree"] == []


@given(pictures, sounds)
def test_without_mediainfo_the_record_is_what_pyav_saw(
    video: dict[str, Any], audio: list[dict[str, Any]]
) -> None:
    record = merged(video, None, audio)
    assert record["blind"] == ["mediainfo"] and record["disagree"] == []
    for name in VALUES.keys() - {"bit_depth"}:
        assert record["video"][name] == video[name]
    assert len(record["audio"]) == len(audio)


@given(pictures, pictures, sounds, sounds)
def test_every_sound_track_of_either_reader_is_there(
    av: dict[str, Any], mi: dict[str, Any], heard: Any, told: Any
) -> None:
    record = merged(av, mi, heard, told)
    assert len(record["audio"]) == max(len(heard), len(told))
    for at, sound in enumerate(record["audio"]):
        either = [part[at] for part in (heard, told) if at < len(part)]
        assert sound["object_audio"] == any(part["object_audio"] for part in either)


@given(pictures, pictures, sounds)
def test_a_record_has_canonical_bytes(av: dict[str, Any], mi: dict[str, Any], audio: Any) -> None:
    record = merged(av, mi, audio, audio)
    assert canonical.loads(canonical.dumps(record)) == record


@given(st.text(), st.integers())
def test_texts_and_numbers_of_a_file_cannot_spoil_a_document(text: str, number: int) -> None:
    spoilt = {"profile": text + "\ud800\u0000e\u0301", "frames": number}
    record = merged(spoilt, None)
    assert canonical.loads(canonical.dumps(record)) == record


@pytest.mark.parametrize(
    ("name", "one", "other", "alike"),
    [
        ("profile", "HQ", "422 HQ", True),
        ("profile", "Main", "High", False),
        ("codec", "pcm_s24le", "pcm", True),
        ("codec", "h264", "hevc", False),
        ("bitrate_bps", 500_000_000, 510_000_000, True),
        ("bitrate_bps", 500_000_000, 600_000_000, False),
        ("duration_ms", 1000, 1040, True),
        ("duration_ms", 1000, 1041, False),
        ("start_timecode", "10:00:00:00", "10:00:00;00", True),
        ("sar", {"num": 12, "den": 11}, {"num": 1091, "den": 1000}, True),
        ("sar", {"num": 1, "den": 1}, {"num": 4, "den": 3}, False),
        ("width", 3840, 3838, False),
    ],
)
def test_readers_mean_the_same_within_their_rounding(
    name: str, one: Any, other: Any, alike: bool
) -> None:
    assert technical.same(name, one, other) is alike
    assert technical.same(name, other, one) is alike


@pytest.mark.parametrize(
    ("codes", "steady"),
    [
        ([], None),
        (["10:00:00:00"], True),
        (["10:00:00:00", "10:00:00;00"], True),
        (["10:00:00:00", "10:00:01:00"], False),
        (["25:00:00:00"], False),
        (["10:00:00:50"], False),
    ],
)
def test_a_timecode_is_possible_and_the_same_everywhere(
    codes: list[str], steady: bool | None
) -> None:
    av = {"rate": {"num": 50, "den": 1}, "start_timecode": codes[0] if codes else None}
    view = {"video": {}, "audio": [], "timecodes": codes}
    record = technical.merge(inspected(av, []), view, TRIAL)
    assert record["video"]["timecode_ok"] is steady


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("060e2b34.04010101.0d010201.01010900", "OP-1a"),
        ("060e2b34.04010101.0d010201.02030900", "OP-2c"),
        ("060e2b34.04010102.0d010201.10030000", "OP-Atom"),
        ("060e2b34.04010101.0d010301.01010900", None),
        ("nonsense", None),
    ],
)
def test_an_operational_pattern_is_read_from_its_label(label: str, name: str | None) -> None:
    view = inspected({}, []) | {"operational_pattern": label}
    assert technical.merge(view, None, TRIAL)["container_profile"] == name


@pytest.mark.parametrize(
    ("track", "rate"),
    [
        ({"FrameRate": "23.976"}, (24000, 1001)),
        ({"FrameRate": "59.940"}, (60000, 1001)),
        ({"FrameRate": "50.000"}, (50, 1)),
        ({"FrameRate": "119.880"}, (120000, 1001)),
        ({"FrameRate_Num": "30000", "FrameRate_Den": "1001", "FrameRate": "29.970"}, (30000, 1001)),
        ({"FrameRate": "12.500"}, (25, 2)),
        ({"FrameRate": "nonsense"}, None),
        ({"FrameRate_Num": "50", "FrameRate_Den": "0", "FrameRate": "0.000"}, None),
    ],
)
def test_mediainfos_rates_become_fractions(
    track: dict[str, str], rate: tuple[int, int] | None
) -> None:
    video = tracks.read([{"@type": "Video", "Format": "AVC", **track}])["video"]
    assert video["rate"] == (rate and {"num": rate[0], "den": rate[1]})


def test_mediainfos_mastering_display_is_read_by_name_and_by_corners() -> None:
    light = "min: 0.0050 cd/m2, max: 4000 cd/m2"
    corners = "R: x=0.680000 y=0.320000, G: x=0.265000 y=0.690000, B: x=0.150000 y=0.060000"
    white = ", White point: x=0.312700 y=0.329000"
    named, spelled, neither = (
        tracks.read([{
            "@type": "Video", "MasteringDisplay_ColorPrimaries": gamut,
            "MasteringDisplay_Luminance": light,
        }])["video"]["mastering"]
        for gamut in ("Display P3", corners + white, "Nothing known")
    )  # fmt: skip
    assert named == spelled
    assert (named["red_x50000"], named["max_luminance_cd10000"]) == (34000, 40_000_000)
    assert neither is None


@given(st.lists(st.dictionaries(st.sampled_from([
    "@type", "Format", "Duration", "Width", "FrameRate", "FrameRate_Num", "FrameRate_Den",
    "PixelAspectRatio", "BitRate", "MaxCLL", "TimeCode_FirstFrame", "ChannelLayout",
    "MasteringDisplay_Luminance", "MasteringDisplay_ColorPrimaries",
]), st.sampled_from(["Video", "Audio", "General", "Other"]) | st.text())))  # fmt: skip
def test_any_words_of_mediainfo_are_taken(told: list[dict[str, str]]) -> None:
    view = tracks.read(told)
    record = technical.merge(inspected({}, []), view, TRIAL)
    assert canonical.dumps(record)


@given(st.binary(max_size=400), st.sampled_from(["hevc", "h264"]), st.binary(max_size=30))
def test_any_bytes_are_taken_as_units(data: bytes, codec: str, extradata: bytes) -> None:
    assert nals.dynamic(data, codec, extradata) <= {"hdr_vivid", "hdr10_plus", "dolby_vision"}


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"\x04\x05\x26\x00\x04\x00\x05", {"hdr_vivid"}),
        (b"\x89\x01\x00\x04\x03\xb5\x00\x3c", {"hdr10_plus"}),
        (b"\xff\x04\x05\x26\x00\x04\x00\x05", set()),
        (b"\x04\x05\xb5\x00\x31\x47\x41", set()),
    ],
)
def test_registered_messages_are_known_by_their_maker(message: bytes, found: set[str]) -> None:
    avc, hevc = b"\0\0\1\x06" + message + b"\x80", b"\0\0\1\x4e\x01" + message + b"\x80"
    assert nals.dynamic(avc, "h264", b"") == found
    assert nals.dynamic(hevc, "hevc", b"") == found


def test_units_behind_lengths_are_read_by_the_length_of_the_length() -> None:
    unit = b"\x4e\x01\x04\x05\x26\x00\x04\x00\x05\x80"
    extradata = b"\x01" + bytes(20) + b"\xff"
    assert nals.dynamic(len(unit).to_bytes(4, "big") + unit, "hevc", extradata) == {"hdr_vivid"}
    assert nals.dynamic(b"\x00\x00\x00\x00" + unit, "hevc", extradata) == set()


@given(st.binary(max_size=4000))
def test_any_bytes_are_taken_as_a_header(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-header"
    path.write_bytes(data)
    for container in ("mxf", "mpegts", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"):
        headers.read(path, container)


def test_boxes_within_boxes_come_to_an_end(tmp_path: Any) -> None:
    nested = b""
    for _ in range(5000):
        nested = (len(nested) + 8).to_bytes(4, "big") + b"moov" + nested
    path = tmp_path / "nested"
    path.write_bytes(nested + b"\0\0\0\0moov\0\0\0\0moov" + b"\0\0\0\x08free" * 50_000)
    assert headers.read(path, "mp4") == {"external": False, "dolby_vision": False, "sounds": []}


@given(st.integers(1, 240), st.integers(2, 60), st.integers(1, 10**6))
def test_even_packets_have_their_rate_and_their_bits(rate: int, count: int, size: int) -> None:
    beats = [Beat(at % 4 == 0, at * 1000, size) for at in range(count)]
    seen = cadence.cadence(beats, tick=Fraction(1, rate * 1000), rate=Fraction(rate), keyed=True)
    assert seen["bitrate_bps"] == size * 8 * rate
    assert seen["constant_rate"] is (True if count > 2 else None)
    assert seen["gop_frames"] == (4 if count > 4 else count)
    assert seen["intra_only"] is (count == 1)


def test_a_missing_picture_makes_the_rate_uneven() -> None:
    beats = [Beat(True, at * 40, 9) for at in range(10) if at != 5]
    seen = cadence.cadence(beats, tick=Fraction(1, 1000), rate=Fraction(25), keyed=True)
    assert seen["constant_rate"] is False and seen["intra_only"] is True


@pytest.mark.parametrize(
    ("video", "name"),
    [
        ({"codec": "prores", "codec_tag": "apch"}, "ProRes 422 HQ"),
        ({"codec": "prores", "profile": "422 HQ"}, "ProRes 422 HQ"),
        ({"codec": "prores", "profile": "4444"}, "ProRes 4444"),
        ({"codec": "dnxhd", "profile": "DNXHR HQX"}, "DNxHR HQX"),
        ({"codec": "dnxhd", "profile": "DNXHD"}, "DNxHD"),
        ({"codec": "jpeg2000"}, "JPEG 2000"),
        ({"codec": "hevc", "profile": "Main 10"}, None),
    ],
)
def test_codecs_are_named_by_their_class(video: dict[str, Any], name: str | None) -> None:
    assert classes.codec_class(video, None) == name


@pytest.mark.parametrize(
    ("height", "rate", "mbps", "intra", "name"),
    [
        (2160, 50, 504, True, "AVC-Intra 300"),
        (2160, 25, 252, True, "AVC-Intra 300"),
        (2160, 50, 804, True, "AVC-Intra 480"),
        (1080, 25, 114, True, "AVC-Intra 100"),
        (2160, 50, 400, True, None),
        (2160, 50, 504, False, None),
    ],
)
def test_avc_intra_is_known_by_the_size_of_its_frames(
    height: int, rate: int, mbps: int, intra: bool, name: str | None
) -> None:
    video = {
        "codec": "h264", "height": height, "rate": {"num": rate, "den": 1},
        "bitrate_bps": mbps * 1_000_000, "intra_only": intra,
    }  # fmt: skip
    assert classes.codec_class(video, None) == name
    assert classes.codec_class(video, "XAVC Intra") == "XAVC Intra"


@given(st.text())
def test_any_words_of_ffmpeg_are_taken(told: str) -> None:
    assert trial.read(told) == {"decodable": False, "undecodable": "no-decoder", "codec": None}
