"""Checks of the headers on real files: for each, a file that passes it and one that fails it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from listings.masters.conformance import profiles, rules
from listings.masters.conformance.values import Engine, Finding, Result, Tier
from tests.listings import masters_files as files
from tests.listings.conformance_factory import DAY, DRAMA, FAILS, MASTER
from tests.listings.masters_media import ffmpeg
from tests.listings.measures_clips import PAIRS

# Which file passes and which fails; F03 is a matter of the drama profile.
FILES: Mapping[str, tuple[str, str]] = {
    "F01": ("good", "wrong"),
    "F02": ("good", "open"),
    "F03": ("prores", "wrong"),
    "F05": ("good", "late"),
    "F06": ("good", "wrong"),
    "V01": ("good", "wrong"),
    "V02": ("good", "wrong"),
    "V03": ("good", "wrong"),
    "V05": ("good", "uneven"),
    "V06": ("good", "wrong"),
    "V08": ("good", "wrong"),
    "V09": ("good", "wrong"),
    "V10": ("good", "wrong"),
    "V11": ("good", "wrong"),
    "V12": ("good", "wrong"),
    "V13": ("good", "torn"),
    "V14": ("pq", "bare"),
    "V15": ("vivid", "pq"),
    "V16": ("good", "wrong"),
    "V17": ("good", "wrong"),
    "A01": ("good", "wrong"),
    "A02": ("good", "mono"),
    "A08": ("objects", "good"),
}
DOUBTED = {"V15", "A08"}  # for information: their absence is no fault
PROBED = {
    check.id for check in profiles.catalogue().values() if Engine.PROBE in check.engines
} | {"F03"}  # fmt: skip


def made(room: Path) -> dict[str, Path]:
    """Encode every file, a few pictures each."""
    wide = f"format=yuv422p10le,{files.HLG}"
    intra = ("-c:v", "libx264", "-x264-params", "avcintra-class=300:avcintra-flavor=sony")
    good = files.picture(
        room / "good.mxf", *intra, *files.TIMECODE, size="3840x2160", frames=3, look=wide,
        sound=("-c:a", "pcm_s24le", "-ac", "2"),
    )  # fmt: skip
    key = bytes.fromhex("060e2b34020501010d010201010204")
    full = "format=yuv420p,setsar=4/3,setfield=tff,setparams=color_primaries=bt709"
    wrong = files.picture(
        room / "wrong.mp4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "8", "-flags",
        "+ildct+ilme", rate="25", frames=20, sound=("-c:a", "aac", "-ac", "2"),
        look=f"{full}:color_trc=bt709:colorspace=bt709:range=pc",
    )  # fmt: skip
    plain = files.picture(
        room / "plain.mp4", *files.X264, frames=10, sound=("-c:a", "aac", "-ac", "1")
    )
    told, other = b"colrnclx\0\1\0\1\0\1", b"colrnclx\0\x09\0\x12\0\x09"
    pq = files.pq(room / "pq.ts")
    uneven = room / "uneven.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=320x180:r=50", "-frames:v", "12", "-vf",
        "setpts='(N+if(gt(N,5),3*N,0))/50/TB'", "-fps_mode", "vfr", *files.X264, str(uneven),
    )  # fmt: skip
    late = room / "late.mov"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=320x180:r=50:d=0.1", "-f", "lavfi", "-i",
        "sine=r=48000:d=0.5", *files.X264, "-c:a", "pcm_s24le", str(late),
    )  # fmt: skip
    bare = "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084"
    return {
        "good": good,
        "open": files.replaced(good, room / "open.mxf", (key, key[:-1] + b"\x01")),
        "wrong": wrong,
        "mono": plain,
        "torn": files.replaced(plain, room / "torn.mp4", (told, other)),
        "objects": files.replaced(plain, room / "objects.mp4", (b"mp4a", b"av3a")),
        "prores": files.prores(room / "prores.mov"),
        "pq": pq,
        "bare": files.picture(room / "bare.mp4", *files.X264, look=bare, frames=3),
        "vivid": files.with_unit(
            pq, room / "vivid.ts", files.t35(0x26, 0x0004, b"\0\5\1" + bytes(20))
        ),
        "uneven": uneven,
        "late": late,
    }


@pytest.fixture(scope="module")
async def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    paths = await asyncio.to_thread(made, tmp_path_factory.mktemp("conformance"))
    return {name: await files.probed(path) for name, path in paths.items()}


def found(record: Any, check: str) -> Finding:
    profile = DRAMA if check == "F03" else MASTER
    report = rules.judge(profiles.get(profile, DAY), record, None, {}, tier=Tier.PROBE)
    return next(each for each in report.findings if each.requirement.check.id == check)


def test_every_check_of_the_headers_has_two_files() -> None:
    assert set(FILES) == PROBED - {"V04"}  # which wants the pictures, too: below


def test_every_check_of_the_catalogue_has_real_files_or_is_a_matter_of_people() -> None:
    by_people = {
        check.id
        for check in profiles.catalogue().values()
        if check.engines == frozenset({Engine.MANUAL})
    }
    assert by_people == {"L11", "C01", "C02", "C03"}
    assert set(FILES) | set(PAIRS) | by_people == set(profiles.catalogue()) == set(FAILS)


@pytest.mark.parametrize("check", FILES)
def test_a_real_file_passes_and_another_fails(records: dict[str, Any], check: str) -> None:
    good, bad = (found(records[name], check) for name in FILES[check])
    assert good.result is Result.PASS, good.outcome
    assert bad.result is (Result.WARN if check in DOUBTED else Result.FAIL), bad.outcome
    assert good.by and bad.by


def test_a_file_tagged_as_interlaced_fails_before_it_is_decoded(records: dict[str, Any]) -> None:
    assert found(records["wrong"], "V04").result is Result.FAIL
    assert found(records["good"], "V04").result is Result.NOT_MEASURED


def test_the_good_master_has_nothing_to_be_ashamed_of_in_its_headers(
    records: dict[str, Any],
) -> None:
    report = rules.judge(profiles.get(MASTER, DAY), records["good"], None, {}, tier=Tier.PROBE)
    failed = [each.requirement.check.id for each in report.findings if each.result is Result.FAIL]
    assert failed == [] and report.undecided == ["F04", "V04"]
    assert report.uhd_label is None
