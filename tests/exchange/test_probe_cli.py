"""`exchange probe`: a record for programs, a table for people, and an exit status for scripts."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from contracts.refusal import Refusal
from exchange import cli, doctor, probe_cli
from listings.masters import mediainfo
from listings.masters.refusals import NotAVideo
from tests.listings import masters_files as files


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probe-cli")


@pytest.fixture(scope="module")
def plain(room: Path) -> Path:
    return files.picture(room / "plain.mp4", *files.X264, sound=("-c:a", "aac"))


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")


def run(*arguments: str) -> tuple[int, str, BaseException | None]:
    told = CliRunner().invoke(cli.app, ["probe", *arguments])
    return told.exit_code, told.stdout, told.exception


def test_the_record_is_one_json_document(plain: Path) -> None:
    status, told, _ = run(str(plain))
    record = json.loads(told)
    assert status == 0
    assert (record["video"]["codec"], record["video"]["width"]) == ("h264", 320)
    assert record["readers"]["video.width"] == {"av": 320, "mediainfo": 320}


def test_the_table_tells_who_saw_what(
    plain: Path, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_cli, "out", Console(width=160, no_color=True))
    path = files.replaced(
        plain, room / "torn.mp4", (b"colrnclx\0\1\0\1\0\1", b"colrnclx\0\x09\0\x12\0\x09")
    )
    status, told, _ = run("--table", str(path))
    assert status == 0
    (line,) = (line for line in told.splitlines() if " video.primaries " in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "video.primaries", "bt709", "bt709", "bt2020", "",
    ]  # fmt: skip
    assert "The readers disagree about: video.matrix, video.primaries, video.transfer" in told
    assert "bit-depth: wanted" in told


def test_what_cannot_be_decoded_has_a_status_of_its_own(plain: Path, room: Path) -> None:
    path = files.emptied(plain, room / "broken.mp4")
    status, told, _ = run(str(path))
    assert status == probe_cli.NOT_DECODABLE
    assert json.loads(told)["video"]["undecodable"] == "broken"


def test_what_is_no_video_is_refused(room: Path) -> None:
    path = room / "list.mp4"
    path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    _, _, refusal = run(str(path))
    assert isinstance(refusal, Refusal) and refusal.code == NotAVideo.code


def test_a_link_of_ones_own_is_followed(plain: Path, room: Path) -> None:
    link = room / "link.mp4"
    link.symlink_to(plain)
    assert run(str(link))[0] == 0


def test_a_missing_file_is_wrong_usage(room: Path) -> None:
    assert run(str(room / "nothing.mp4"))[0] == 2


def test_the_doctor_warns_where_the_second_reader_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert doctor._media().state == "ok"
    monkeypatch.setattr(mediainfo, "is_here", lambda: False)
    finding = doctor._media()
    assert finding.state == "warning" and "one reader fewer" in finding.detail
