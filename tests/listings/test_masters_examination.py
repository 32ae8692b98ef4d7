import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts import canonical
from contracts.refusal import Refusal
from exchange.demo import clip
from listings.examinations import reporting
from listings.masters import gateway, inspector, rules
from listings.masters.gateway import Child, Ended
from listings.masters.refusals import ExaminationTimeout, ExaminationTooLarge, MasterDamaged
from tests.listings import examinations_factory
from tests.listings.examinations_factory import Seen
from tests.listings.masters_media import FLOWER, codes, ffmpeg

Make = Callable[[Path], None]


class Overrun:
    """A sandbox whose every child runs out of what it may use."""

    def __init__(self, end: Ended | Refusal) -> None:
        self.end = end

    async def run(self, *_: Any, **__: Any) -> Ended:
        if isinstance(self.end, Refusal):
            raise self.end
        return self.end


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def examined(
    path: Path, tmp_path: Path, **changed: Any
) -> tuple[Seen, list[tuple[str, int]]]:
    told: list[tuple[str, int]] = []

    async def report(stage: str, done_bp: int) -> None:
        told.append((stage, done_bp))

    wanted = {
        "sha256": digest(path),
        "report": reporting.sparing(report),
        "sandbox": await gateway.sandbox("auto"),
        **changed,
    }
    seen = await examinations_factory.examine(path, scratch=tmp_path / "scratch", **wanted)
    return seen, told


@pytest.fixture(scope="module")
def uhd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("uhd") / "uhd.mp4"
    clip.make_uhd_hlg(FLOWER, path, seconds=1, progress=lambda _done, _total: None)
    return path


@pytest.mark.slow
async def test_the_demo_makes_a_real_uhd_hlg_master(uhd: Path, tmp_path: Path) -> None:
    seen, _ = await examined(uhd, tmp_path)
    assert seen.probe["uhd"] is True and seen.probe["findings"] == []
    assert seen.probe["video"].items() >= {
        "codec": "hevc", "profile": "Main 10", "width": 3840, "height": 2160,
        "rate": {"num": 50, "den": 1}, "bit_depth": 10, "sampling": "4:2:0",
        "primaries": "bt2020", "transfer": "arib-std-b67", "matrix": "bt2020nc", "range": "tv",
        "frames": 50,
    }.items()  # fmt: skip
    assert seen.probe["duration"] == "1/1"


def test_a_failed_encoding_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "uhd.mp4"
    with pytest.raises(ChildProcessError):
        clip.make_uhd_hlg(Path(__file__), target, seconds=1, progress=lambda _done, _total: None)
    assert list(tmp_path.iterdir()) == []


async def test_a_video_that_is_not_uhd_is_examined_and_told_what_is_missing(tmp_path: Path) -> None:
    seen, told = await examined(FLOWER, tmp_path)
    assert seen.probe["uhd"] is False
    assert {"code": "raster", "wanted": "3840x2160 / 7680x4320", "seen": "960x540"} in seen.probe[
        "findings"
    ]
    assert seen.probe["duration"] == "1001/200"
    (sound,) = seen.probe["audio"]
    assert (sound["codec"], sound["layout"], sound["sample_rate"]) == ("aac", "stereo", 48000)
    assert seen.fingerprint["version"] == "u1" and seen.fingerprint["video_codes"] == 25
    assert len(seen.audio) == 4 * seen.fingerprint["audio_codes"] > 0
    assert list(dict.fromkeys(stage for stage, _ in told)) == [
        "hashing", "probing", "decoding", "fingerprinting",
    ]  # fmt: skip
    for stage in ("hashing", "decoding"):
        shares = [done for name, done in told if name == stage]
        assert shares == sorted(shares) and shares[-1] > 0


async def test_probe_and_fingerprint_have_canonical_bytes(tmp_path: Path) -> None:
    first, _ = await examined(FLOWER, tmp_path)
    again, _ = await examined(FLOWER, tmp_path)
    for part in ("probe", "fingerprint"):
        one, two = (canonical.dumps(dict(getattr(seen, part))) for seen in (first, again))
        assert one == two


async def test_the_fingerprints_hash_binds_picture_and_sound(tmp_path: Path) -> None:
    seen, _ = await examined(FLOWER, tmp_path)
    codes = seen.codes.video.tobytes() + seen.audio
    assert seen.fingerprint["sha256"] == hashlib.sha256(codes).hexdigest()


async def test_a_transport_stream_has_the_same_fingerprint(tmp_path: Path) -> None:
    stream = tmp_path / "flower.ts"
    ffmpeg("-i", str(FLOWER), "-c", "copy", str(stream))
    first, second = [(await examined(path, tmp_path))[0] for path in (FLOWER, stream)]
    assert first.fingerprint["sha256"] == second.fingerprint["sha256"]
    one, two = (seen.fingerprint["iscc"]["units"] for seen in (first, second))
    assert (one["video"], one["audio"]) == (two["video"], two["audio"])
    assert one["instance"] != two["instance"]


def text(path: Path) -> None:
    path.write_text("This is no video. " * 500)


def nothing_inside(path: Path) -> None:
    path.write_bytes(bytes(100_000))


def picture_file(path: Path) -> None:
    ffmpeg("-i", str(FLOWER), "-frames:v", "1", "-f", "image2", str(path))


def playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")


def other_file_by_name(path: Path) -> None:
    path.write_text("ffconcat version 1.0\nfile '/etc/passwd'\n")


def without_index(path: Path) -> None:
    whole = path.with_suffix(".whole.mp4")
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2", str(whole))
    path.write_bytes(whole.read_bytes()[:-2000])


def sound_alone(path: Path) -> None:
    ffmpeg("-i", str(FLOWER), "-vn", "-c", "copy", str(path))


def sound_with_a_poster(path: Path) -> None:
    poster = path.with_suffix(".png")
    ffmpeg("-i", str(FLOWER), "-frames:v", "1", str(poster))
    ffmpeg(
        "-i", str(FLOWER), "-i", str(poster), "-map", "0:a", "-map", "1:v", "-c:a", "copy",
        "-c:v", "mjpeg", "-disposition:v:0", "attached_pic", str(path),
    )  # fmt: skip


def cut_behind_its_index(path: Path) -> None:
    whole = path.with_suffix(".whole.mp4")
    ffmpeg("-i", str(FLOWER), "-c", "copy", "-movflags", "+faststart", str(whole))
    path.write_bytes(whole.read_bytes()[:600_000])


def cut_without_index(path: Path) -> None:
    whole = path.with_suffix(".mkv")
    ffmpeg("-i", str(FLOWER), "-c", "copy", str(whole))
    path.write_bytes(whole.read_bytes()[:600_000])


def flood(path: Path) -> None:
    ffmpeg(
        "-f", "lavfi", "-i", "color=s=8256x128:d=0.1:r=10", "-c:v", "libx264", "-preset",
        "ultrafast", str(path),
    )  # fmt: skip


def undecodable(path: Path) -> None:
    whole = path.with_suffix(".whole.mp4")
    ffmpeg("-i", str(FLOWER), "-an", "-c", "copy", "-movflags", "+faststart", str(whole))
    content = whole.read_bytes()
    start = content.index(b"mdat") + 4
    path.write_bytes(content[:start] + bytes(len(content) - start))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (text, "not-a-video"),
        (nothing_inside, "not-a-video"),
        (picture_file, "not-a-video"),
        (playlist, "not-a-video"),
        (other_file_by_name, "not-a-video"),
        (without_index, "not-a-video"),
        (sound_alone, "no-picture"),
        (sound_with_a_poster, "no-picture"),
        (cut_behind_its_index, "truncated-master"),
        (cut_without_index, "truncated-master"),
        (flood, "pixel-flood"),
        (undecodable, "undecodable-master"),
    ],
)
async def test_a_bad_file_is_refused_whatever_its_name(
    make: Make, code: str, tmp_path: Path
) -> None:
    path = tmp_path / "master.mp4"
    make(path)
    with pytest.raises(Refusal) as refused:
        await examined(path, tmp_path)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (cut_behind_its_index, "truncated-master"),
        (flood, "pixel-flood"),
        (sound_with_a_poster, "no-picture"),
    ],
)
def test_a_bad_file_is_known_before_it_is_decoded(make: Make, code: str, tmp_path: Path) -> None:
    path = tmp_path / "master.mp4"
    make(path)
    seen = inspector.inspect(path, most_width=rules.MOST_WIDTH, most_height=rules.MOST_HEIGHT)
    assert seen["refused"] == code


async def test_a_stored_file_that_changed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MasterDamaged):
        await examined(FLOWER, tmp_path, sha256="0" * 64)


async def test_an_examination_that_takes_too_long_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(ExaminationTimeout):
        await examined(FLOWER, tmp_path, sandbox=Overrun(ExaminationTimeout("late")))


@pytest.mark.parametrize(
    "end",
    [
        Ended(1, b"", "numpy MemoryError"),
        Ended(244, b"", "[mov] Cannot allocate memory"),
        Ended(-25, b"", ""),
        Ended(153, b"", ""),
    ],
)
async def test_an_examination_that_takes_too_much_is_a_refusal(end: Ended, tmp_path: Path) -> None:
    with pytest.raises(ExaminationTooLarge):
        await examined(FLOWER, tmp_path, sandbox=Overrun(end))


async def test_a_child_that_breaks_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        await examined(FLOWER, tmp_path, sandbox=Overrun(Ended(-11, b"", "")))
    assert refused.value.code == "not-a-video"


async def test_without_walls_the_verdict_is_the_same(tmp_path: Path) -> None:
    walled, _ = await examined(FLOWER, tmp_path)
    bare, _ = await examined(FLOWER, tmp_path, sandbox=Child(None))
    assert (walled.probe, walled.fingerprint) == (bare.probe, bare.fingerprint)


async def test_the_codes_are_those_of_a_decoding_for_them_alone(tmp_path: Path) -> None:
    seen, _ = await examined(FLOWER, tmp_path)
    alone = codes(FLOWER)
    assert np.array_equal(seen.codes.video, alone.video)
    assert np.array_equal(seen.codes.query, alone.query)
    assert seen.passed.measures["frames"] == 150 and seen.passed.decode_errors == 0


async def test_a_picture_too_small_to_be_signed_is_examined_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "small.mp4"
    ffmpeg("-i", str(FLOWER), "-vf", "scale=28:16", "-t", "1", str(path))
    seen, _ = await examined(path, tmp_path)
    assert seen.passed.signature == b"" and "video" not in seen.passed.iscc
    assert len(seen.codes.video) == 5


async def test_faults_in_the_picture_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "faults.mp4"
    content = bytearray(FLOWER.read_bytes())
    for at in range(len(content) // 3, len(content) // 3 + 60_000, 997):
        content[at] ^= 0x55
    path.write_bytes(content)
    seen, _ = await examined(path, tmp_path)
    assert seen.passed.decode_errors > 0
    assert seen.passed.measures["decode_errors"] == seen.passed.decode_errors
