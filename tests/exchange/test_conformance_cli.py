"""`exchange conformance`: words, JSON, a policy, a PDF, and an exit status that says it."""

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.dom import minidom

import pytest
from typer.testing import CliRunner

from contracts.refusal import Refusal
from exchange import cli, conformance_cli
from listings.masters.conformance import profiles
from tests.listings import masters_files as files
from tests.listings.conformance_factory import DECLARED, MEASURES, changed


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An HD clip in 8 bits."""
    folder = tmp_path_factory.mktemp("clip")
    return files.picture(folder / "small.mp4", *files.X264, sound=("-c:a", "aac"))


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames of a 4K master."""
    return files.picture(
        tmp_path_factory.mktemp("master") / "珠江.mxf", "-c:v", "libx264", "-x264-params",
        "avcintra-class=300:avcintra-flavor=sony", *files.TIMECODE, size="3840x2160", frames=5,
        look=f"format=yuv422p10le,{files.HLG}", sound=("-c:a", "pcm_s24le", "-ac", "2"),
    )  # fmt: skip


async def run(*arguments: str | Path) -> tuple[int, str, BaseException | None]:
    told = await asyncio.to_thread(
        CliRunner().invoke, cli.app, ["conformance", *map(str, arguments)]
    )
    good = told.exception is None or isinstance(told.exception, (SystemExit, Refusal))
    assert good, told.exception
    return told.exit_code, told.stdout, told.exception


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A decode pass that measures what it is told to."""
    asked: dict[str, Any] = {"measures": {**MEASURES, "pictures": MEASURES["pictures"][:1]}}

    async def fake(_path: Path, *, record: Mapping[str, Any], tier: str, **_: Any) -> Any:
        asked.update(record=record, tier=tier)
        return SimpleNamespace(measures={**asked["measures"], "tier": tier}, thumbnails=[])

    monkeypatch.setattr(conformance_cli.passing, "run", fake)
    return asked


async def test_headers_alone_leave_the_label_open(master: Path) -> None:
    status, told, _ = await run(master, "--tier", "probe", "--json")
    report = json.loads(told)
    assert status == 4 and report["uhd_label"] is None
    assert (report["tier"], report["undecided"]) == ("probe", ["F04", "V04"])
    assert report["subject"]["filename"] == "珠江.mxf" and report["counts"]["FAIL"] == 0


async def test_what_blocks_is_a_status_of_three(small: Path) -> None:
    status, told, _ = await run(small, "--tier", "probe", "--json")
    assert status == 3 and {"V01", "V06", "V09", "V10"} <= set(json.loads(told)["blocking"])
    status, told, _ = await run(small, "--tier", "probe", "--lang", "zh")
    assert status == 3 and "不符合" in told and "图像分辨率" in told and "640x360" not in told


async def test_a_decoded_master_conforms(master: Path, decoded: dict[str, Any]) -> None:
    for tier in ("sampled", "full"):
        status, told, _ = await run(master, "--tier", tier, "--json")
        report = json.loads(told)
        assert (status, report["uhd_label"], report["tier"]) == (0, True, tier)
        assert decoded["tier"] == tier and report["subject"]["measures_sha256"]
    decoded["measures"] = changed(decoded["measures"], {"decode_errors": 2})
    status, told, _ = await run(master, "--tier", "full", "--json")
    assert status == 3 and json.loads(told)["blocking"] == ["F04"]


@pytest.mark.parametrize(("broken", "status"), [(False, 4), (True, 3)], ids=["unknown", "broken"])
async def test_what_cannot_be_decoded_is_unsupported_and_not_passed(
    tmp_path: Path, small: Path, broken: bool, status: int
) -> None:
    known, unknown = b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/XVC"
    if broken:
        path = files.emptied(small, tmp_path / "broken.mp4")
    else:
        copy = files.wrapped(small, tmp_path / "known.mkv")
        path = files.replaced(copy, tmp_path / "unknown.mkv", (known, unknown))
    exit_code, told, _ = await run(path, "--profile", "EBU_R128_R103", "--json")
    report = json.loads(told)
    assert (exit_code, report["tier"]) == (status, "probe")
    assert report["blocking"] == (["F04"] if broken else [])
    assert report["counts"]["UNSUPPORTED"] == 11 - broken and report["counts"]["PASS"] == 0


async def test_what_is_declared_is_read_from_a_file(master: Path, tmp_path: Path) -> None:
    path = tmp_path / "declared.json"
    path.write_text(json.dumps(DECLARED))
    _, told, _ = await run(master, "--tier", "probe", "--declared", path, "--json")
    found = {each["id"]: each["result"] for each in json.loads(told)["findings"]}
    assert {found[name] for name in ("C01", "C02", "C03", "L11")} == {"PASS"}
    path.write_text('{"mood": 1}')
    status, _, refusal = await run(master, "--tier", "probe", "--declared", path)
    assert status == 1 and isinstance(refusal, Refusal) and refusal.code == "bad-declaration"


async def test_the_profiles_are_listed_and_others_refused(master: Path) -> None:
    status, told, _ = await run("--profiles", "--json")
    assert status == 0
    assert [each["id"] for each in json.loads(told)["profiles"]] == list(profiles.names())
    status, _, refusal = await run(master, "--profile", "NTSC_1953")
    assert status == 1 and isinstance(refusal, Refusal) and refusal.code == "unknown-profile"
    assert (await run())[0] == 2
    assert (await run(master, "--tier", "deep"))[0] == 2


@pytest.mark.parametrize("profile", profiles.names())
async def test_a_profile_is_exported_as_a_policy(profile: str) -> None:
    status, told, _ = await run("--policy", "--profile", profile)
    policy = minidom.parseString(told).documentElement  # noqa: S318 - our own text.
    assert status == 0 and policy.getAttribute("name") == profile
    for rule in policy.getElementsByTagName("rule"):
        assert rule.getAttribute("tracktype") in ("General", "Video", "Audio")
        assert rule.getAttribute("operator") in ("=", ">=") and rule.firstChild.data
    wanted = {
        row.check.id
        for row in profiles.get(profile, conformance_cli.clock.now().date()).requirements
    }
    named = {rule.getAttribute("name")[:3] for rule in policy.getElementsByTagName("rule")}
    assert named <= wanted and ("V01" in named) is ("V01" in wanted)


async def test_the_report_is_printed_on_paper(
    master: Path, tmp_path: Path, decoded: dict[str, Any]
) -> None:
    assert shutil.which("pdftotext")
    path = tmp_path / "report.pdf"
    status, told, _ = await run(master, "--tier", "sampled", "--pdf", path)
    assert status == 0 and path.read_bytes().startswith(b"%PDF-") and "uhd" in told.lower()
    assert decoded["tier"] == "sampled"


async def test_a_real_master_is_decoded_and_its_pictures_measured(master: Path) -> None:
    status, told, _ = await run(master, "--tier", "sampled", "--json")
    report = json.loads(told)
    found = {each["id"]: each for each in report["findings"]}
    assert (status, report["tier"], report["uhd_label"]) == (0, "sampled", True)
    assert found["F04"]["result"] == "PASS" and found["F04"]["seen"] == "0 (5 frames)"
    assert found["V04"]["result"] == "WARN"  # tagged, and not looked at before tier full
    assert found["V07"]["by"] == ["decode"] and found["L05"]["seen"] == "100 %"
    assert found["A03"]["result"] == "NOT_MEASURED"  # 100 ms have no loudness
